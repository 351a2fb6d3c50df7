// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/dhcp/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"

#define VALUE_MAX 255
#define PROVIDE_MAX 48
#define PATH_BYTES 64
#define CLIENT_ID_MAX 254 /* the reference cuts it so, with the type byte before it */

#define CONF struct dhcp_conf
static const struct field provide_fields[] = {
	FIELD_STR("option", struct dhcp_provide, option),
	FIELD_STR("value", struct dhcp_provide, value),
	FIELD_STR("fromArg", struct dhcp_provide, from_arg),
	FIELD_END,
};
static const struct field request_fields[] = {
	FIELD_STR("option", struct dhcp_request, option),
	FIELD_BOOL("skipDefault", struct dhcp_request, skip_default),
	FIELD_END,
};
static const struct field ipam_fields[] = {
	FIELD_STR("daemonSocketPath", CONF, socket),
	FIELD_STR("dataDir", CONF, data_dir),
	FIELD_BOOL("ipv4", CONF, ipv4),
	FIELD_BOOL("ipv6", CONF, ipv6),
	FIELD_INT("priority", CONF, priority, 0, UINT32_MAX),
	FIELD_ARRAY("provide", CONF, provide, nprovide, provide_fields),
	FIELD_ARRAY("request", CONF, request, nrequest, request_fields),
	FIELD_END,
};
/* The inner table counts its offsets from the whole struct. */
const struct field dhcp_fields[] = {
	FIELD_GIVEN("ipam", CONF, given),
	{ .key = "ipam", .type = FIELD_T_OBJ, .off = 0, .sub = ipam_fields },
	FIELD_END,
};
#undef CONF

void dhcp_conf_init(void *conf)
{
	struct dhcp_conf *c = conf;

	c->socket = DHCP_SOCKET;
	c->data_dir = DHCP_DATA_DIR;
	c->ipv4 = true;
}

void dhcp_choice_clear(struct dhcp_choice *c)
{
	free(c->provide);
	*c = (struct dhcp_choice){ 0 };
}

/* ---- names */

static const struct {
	const char *name;
	enum dhcp4_code code;
} names[] = {
	{ "dhcp-client-identifier", DHCP4_CLIENT_ID },
	{ "subnet-mask", DHCP4_MASK },
	{ "routers", DHCP4_ROUTER },
	{ "host-name", DHCP4_HOST_NAME },
	{ "user-class", DHCP4_USER_CLASS },
	{ "vendor-class-identifier", DHCP4_VENDOR_CLASS },
};

/* What the client says itself in every packet. */
static const uint8_t own[] = { 0,
			       DHCP4_ADDRESS,
			       DHCP4_OVERLOAD,
			       DHCP4_TYPE,
			       DHCP4_SERVER_ID,
			       DHCP4_REQUEST_LIST,
			       DHCP4_MAX_SIZE,
			       DHCP4_END };

/* Asked for unless skipDefault: the reference asks for the first two. */
static const uint8_t defaults[] = { DHCP4_MASK,		  DHCP4_ROUTER,	      DHCP4_DNS,
				    DHCP4_DOMAIN,	  DHCP4_STATIC_ROUTE, DHCP4_SEARCH,
				    DHCP4_CLASSLESS_ROUTE };

static int code_of(const char *option, const char *path, uint8_t *out, struct err *e)
{
	uint64_t n;

	for (size_t i = 0; option && i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i].name, option)) {
			*out = (uint8_t)names[i].code;
			return 0;
		}
	if (!option || str_u64(option, 255, &n) < 0)
		return err_conf(e, path,
				"Can not parse option \"%.40s\": expected 0..255 in quotation "
				"marks, or a name like host-name",
				option ?: "");
	*out = (uint8_t)n;
	return 0;
}

/* ---- what is asked for */

static void ask(struct dhcp_choice *c, uint8_t code)
{
	if (!memchr(c->request, code, c->nrequest) && c->nrequest < sizeof c->request)
		c->request[c->nrequest++] = code;
}

static int choose_requests(const struct dhcp_conf *conf, struct dhcp_choice *out, struct err *e)
{
	bool skip = false;
	char path[PATH_BYTES];

	for (size_t i = 0; i < conf->nrequest; i++)
		skip |= conf->request[i].skip_default;
	for (size_t i = 0; !skip && i < sizeof defaults; i++)
		ask(out, defaults[i]);
	for (size_t i = 0; i < conf->nrequest; i++) {
		uint8_t code;

		(void)snprintf(path, sizeof path, "/ipam/request/%zu/option", i);
		int r = code_of(conf->request[i].option, path, &code, e);
		if (r < 0)
			return r;
		ask(out, code);
	}
	return 0;
}

/* ---- what is told */

/* The value of a key in "K=V;K=V": all up to the next semicolon. */
static const char *arg_of(const char *args, const char *key, size_t *len)
{
	size_t n = strlen(key);

	for (const char *p = args, *end; p && *p && n; p = *end ? end + 1 : end) {
		end = strchrnul(p, ';');
		if (!strncmp(p, key, n) && p[n] == '=') {
			*len = (size_t)(end - p) - n - 1;
			return p + n + 1;
		}
	}
	return NULL;
}

/* The last one counts, as in the reference's map. */
static int tell(struct dhcp_choice *c, uint8_t code, const char *v, size_t len, struct err *e)
{
	struct dhcp4_option *o = NULL;

	for (size_t i = 0; i < c->nprovide; i++)
		if (c->provide[i].code == code)
			o = &c->provide[i];
	if (!o && !(o = vec_add(&c->provide, &c->nprovide)))
		return err_set(e, -ENOMEM, "list the options");
	o->code = code;
	o->len = (uint8_t)len;
	memcpy(o->data, v, len);
	return 0;
}

static int choose_one(const struct dhcp_provide *p, const char *args, const char *path,
		      struct dhcp_choice *out, struct err *e)
{
	const char *v = p->value;
	size_t len = v ? strlen(v) : 0, arg_len;
	const char *arg = p->from_arg ? arg_of(args, p->from_arg, &arg_len) : NULL;
	uint8_t code;
	int r = code_of(p->option, path, &code, e);

	if (r < 0)
		return r;
	if (arg) {
		v = arg;
		len = arg_len;
	}
	if (memchr(own, code, sizeof own))
		return err_conf(e, path, "option %u is the client's own; leave it out", code);
	if (len > VALUE_MAX)
		return err_conf(e, path,
				"value too long for option \"%s\": expected at most %d bytes, got "
				"%zu",
				p->option, VALUE_MAX, len);
	return len ? tell(out, code, v, len, e) : 0;
}

static bool told(const struct dhcp_choice *c, uint8_t code)
{
	for (size_t i = 0; i < c->nprovide; i++)
		if (c->provide[i].code == code)
			return true;
	return false;
}

int dhcp_choose(const struct dhcp_conf *conf, const char *args, const char *id,
		struct dhcp_choice *out, struct err *e)
{
	cleanup_choice struct dhcp_choice c = { .ipv4 = conf->ipv4, .ipv6 = conf->ipv6 };
	char path[PATH_BYTES], client_id[VALUE_MAX + 1] = { 0 };
	int r = choose_requests(conf, &c, e);

	if (r == 0 && !conf->ipv4 && !conf->ipv6)
		r = err_conf(e, "/ipam/ipv4", "expected true when \"ipv6\" is not");
	if (r == 0 && conf->nprovide > PROVIDE_MAX)
		r = err_conf(e, "/ipam/provide", "expected at most %d options, got %zu",
			     PROVIDE_MAX, conf->nprovide);
	for (size_t i = 0; r == 0 && i < conf->nprovide; i++) {
		(void)snprintf(path, sizeof path, "/ipam/provide/%zu/option", i);
		r = choose_one(&conf->provide[i], args, path, &c, e);
	}
	if (r < 0)
		return r;
	size_t n = strlen(id);
	n = n < CLIENT_ID_MAX - 1 ? n : CLIENT_ID_MAX - 1;
	memcpy(client_id + 1, id, n); /* the first byte: of no particular type */
	if (!told(&c, DHCP4_CLIENT_ID) && (r = tell(&c, DHCP4_CLIENT_ID, client_id, n + 1, e)) < 0)
		return r;
	*out = c;
	c = (struct dhcp_choice){ 0 };
	return 0;
}
