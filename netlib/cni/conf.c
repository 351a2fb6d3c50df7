// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/env.h"
#include "netlib/cni/error.h"

struct args_view {
	struct json_object *cni;
};
static const struct field args_fields[] = {
	FIELD_RAW("cni", struct args_view, cni),
	FIELD_END,
};

static const struct field attachment_fields[] = {
	FIELD_STR("containerID", struct cni_attachment, container),
	FIELD_STR("ifname", struct cni_attachment, ifname),
	FIELD_END,
};

struct common_view {
	struct cni_conf c;
	struct args_view args;
	struct json_object *valid, *valid_old;
};
static const struct field common_fields[] = {
	FIELD_STR("cniVersion", struct common_view, c.version_text),
	FIELD_STR("name", struct common_view, c.name),
	FIELD_STR("type", struct common_view, c.type),
	FIELD_RAW("ipam", struct common_view, c.ipam),
	FIELD_RAW("dns", struct common_view, c.dns),
	FIELD_OBJ("args", struct common_view, args, args_fields),
	FIELD_RAW("runtimeConfig", struct common_view, c.runtime),
	FIELD_RAW("prevResult", struct common_view, c.prev),
	FIELD_RAW("cni.dev/valid-attachments", struct common_view, valid),
	/* what libcni sends beside it */
	FIELD_RAW("cni.dev/attachments", struct common_view, valid_old),
	FIELD_END,
};

struct ipam_view {
	const char *type;
};
static const struct field ipam_fields[] = {
	FIELD_STR("type", struct ipam_view, type),
	FIELD_END,
};

void cni_conf_clear(struct cni_conf *c)
{
	cni_dns_clear(&c->dns_conf);
	doc_free(&c->doc);
	free(c->text);
	*c = (struct cni_conf){ 0 };
}

static int name_check(const char *name, struct err *e)
{
	if (!name || !*name)
		return err_code(e, -EINVAL, CNI_E_CONFIG, "missing network name");
	if (cni_name_ok(name))
		return 0;
	(void)err_code(e, -EINVAL, CNI_E_CONFIG, "invalid characters found in network name");
	err_details(e, "%.200s", name);
	return -EINVAL;
}

static int parts(struct cni_conf *c, struct common_view *v, struct err *e)
{
	struct ipam_view ipam = { 0 };
	struct json_object *valid = v->valid ? v->valid : v->valid_old;
	int r;

	c->args_cni = v->args.cni;
	if (c->ipam && (r = decode(&c->doc, c->ipam, ipam_fields, &ipam, "/ipam", e)) < 0)
		return r;
	c->ipam_type = ipam.type && *ipam.type ? ipam.type : NULL;
	if (c->runtime && !json_is_object(c->runtime))
		return err_conf(e, "/runtimeConfig", "expected object");
	if (c->dns && (r = cni_dns_decode(c->dns, &c->dns_conf, "/dns", e)) < 0)
		return r;
	if (valid)
		return decode_array(&c->doc, valid, attachment_fields, sizeof *c->valid,
				    (void **)&c->valid, &c->nvalid, "/cni.dev~1valid-attachments",
				    e);
	return 0;
}

int cni_conf_parse(struct cni_conf *c, char *text, size_t len, struct err *e)
{
	struct common_view v = { .c = { .text = text, .len = len } };
	int r = doc_parse(&v.c.doc, text, len, e);

	if (r == 0 && !json_is_object(v.c.doc.root))
		r = err_code(e, -EINVAL, CNI_E_DECODE,
			     "the configuration on stdin is not a JSON object");
	if (r == 0)
		r = decode(&v.c.doc, v.c.doc.root, common_fields, &v, "", e);
	if (r == 0)
		r = name_check(v.c.name, e);
	if (r == 0)
		r = parts(&v.c, &v, e);
	if (v.c.version_text)
		(void)str_copyf(v.c.version_said, sizeof v.c.version_said, "%s", v.c.version_text);
	if (r < 0) {
		memcpy(c->version_said, v.c.version_said, sizeof c->version_said);
		cni_conf_clear(&v.c);
		return r;
	}
	*c = v.c;
	return 0;
}
