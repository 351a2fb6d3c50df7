// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/dhcp/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/sha512.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"

#define NAME_BYTES 16 /* of the hash, in hexadecimal */
#define NAME_MAX_DHCP (2 * NAME_BYTES + 6)
#define RECORD_BYTES_MAX (64 * 1024)
#define OPTION_HEX_MAX (2 * 256)
#define TIME_MAX (INT64_MAX / 4)

/* ---- names: attachments are too long for a file's, so a hash; what is inside tells */

static void name_of(const struct dhcp_record *r, char out[NAME_MAX_DHCP])
{
	cleanup_str struct str id = STR_INIT;
	unsigned char hash[SHA512_SIZE];

	str_addf(&id, "%s/%s/%s", r->network, r->container, r->ifname);
	sha512(id.p ? id.p : "", id.len, hash);
	for (size_t i = 0; i < NAME_BYTES; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", hash[i]);
	memcpy(out + 2 * NAME_BYTES, ".json", 6);
}

/* ---- bytes as text */

static void add_hex(struct str *s, const uint8_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		str_addf(s, "%02x", v[i]);
}

static int parse_hex(const char *text, uint8_t *out, size_t max, size_t *n)
{
	size_t len = strlen(text);

	if (len % 2 || len / 2 > max || strspn(text, "0123456789abcdef") != len)
		return -EINVAL;
	for (size_t i = 0; i < len / 2; i++) {
		const char pair[] = { text[2 * i], text[2 * i + 1], 0 };

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	*n = len / 2;
	return 0;
}

/* ---- out */

static void set_hex(struct json_object *o, const char *key, const uint8_t *v, size_t n)
{
	cleanup_str struct str s = STR_INIT;

	add_hex(&s, v, n);
	json_set_str(o, key, s.p ? s.p : "");
}

static void set_time(struct json_object *o, const char *key, int64_t t)
{
	if (t != DHCP_FOREVER)
		json_set_int(o, key, t);
}

static struct json_object *encode_lease4(const struct dhcp4_lease *l)
{
	struct json_object *o = json_obj();
	char text[IP_TEXT_MAX], mac[MAC_TEXT_MAX];

	json_set_str(o, "address", ip_prefix_text(&l->address, text));
	json_set_str(o, "server", ip_text(&l->server, text));
	json_set_str(o, "serverMAC", mac_text(&l->server_mac, mac));
	set_time(o, "t1", l->t1);
	set_time(o, "t2", l->t2);
	set_time(o, "expire", l->expire);
	return o;
}

static struct json_object *encode_lease6(const struct dhcp6_lease *l)
{
	struct json_object *o = json_obj();
	char text[IP_TEXT_MAX];

	json_set_str(o, "address", ip_text(&l->address, text));
	set_hex(o, "server", l->server.b, l->server.len);
	set_time(o, "t1", l->t1);
	set_time(o, "t2", l->t2);
	set_time(o, "expire", l->expire);
	return o;
}

static struct json_object *encode(const struct dhcp_record *r)
{
	struct json_object *o = json_obj(), *provide = json_arr();

	json_set_int(o, "version", 1);
	json_set_str(o, "container", r->container);
	json_set_str(o, "network", r->network);
	json_set_str(o, "ifname", r->ifname);
	json_set_str(o, "netns", r->netns);
	set_hex(o, "request", r->choice.request, r->choice.nrequest);
	for (size_t i = 0; i < r->choice.nprovide; i++) {
		const struct dhcp4_option *p = &r->choice.provide[i];
		cleanup_str struct str s = STR_INIT;

		add_hex(&s, &p->code, 1);
		add_hex(&s, p->data, p->len);
		json_append(provide, json_new_str(s.p ? s.p : ""));
	}
	json_set(o, "provide", provide);
	json_set_bool(o, "wantIPv4", r->choice.ipv4);
	json_set_bool(o, "wantIPv6", r->choice.ipv6);
	json_set_bool(o, "bound", r->bound);
	if (ip_is_set(&r->lease4.address.addr))
		json_set(o, "ipv4", encode_lease4(&r->lease4));
	if (ip_is_set(&r->lease6.address))
		json_set(o, "ipv6", encode_lease6(&r->lease6));
	return o;
}

int record_dir(const char *path, struct err *e)
{
	int r = file_mkdirs(path, 0700, e);

	return r < 0 ? r : file_open_dir(AT_FDCWD, path, e);
}

int record_write(int dir, const struct dhcp_record *r, struct err *e)
{
	cleanup_json struct json_object *o = encode(r);
	cleanup_str struct str s = STR_INIT;
	char name[NAME_MAX_DHCP];

	name_of(r, name);
	json_print(&s, o, 0, false);
	str_addc(&s, '\n');
	if (!o || s.bad)
		return err_set(e, -ENOMEM, "write %s", name);
	return file_replace_at(dir, name, 0600, s.p, s.len, e);
}

int record_remove(int dir, const struct dhcp_record *r, struct err *e)
{
	char name[NAME_MAX_DHCP];

	name_of(r, name);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_set(e, -errno, "remove %s", name);
	return 0;
}

static bool is_record(const char *name)
{
	size_t len = strlen(name);

	return len == NAME_MAX_DHCP - 1 && !strcmp(name + len - 5, ".json");
}

static int any_exists(const char *path)
{
	cleanup_dir DIR *d = opendir(path);

	if (!d)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	for (struct dirent *ent; (ent = readdir(d));)
		if (is_record(ent->d_name))
			return 1;
	return 0;
}

int record_exists(const char *path, const struct dhcp_record *r)
{
	char name[NAME_MAX_DHCP], whole[4096];

	if (!r)
		return any_exists(path);
	name_of(r, name);
	if (str_copyf(whole, sizeof whole, "%s/%s", path, name) < 0)
		return -ENAMETOOLONG;
	if (access(whole, F_OK) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

/* ---- in */

struct view {
	const char *container, *network, *ifname, *netns, *request;
	const char **provide;
	size_t nprovide;
	bool bound, ipv4, ipv6;
	struct dhcp4_lease lease4;
	struct dhcp6_lease lease6;
};

static const struct field lease4_fields[] = {
	FIELD_TEXT("address", struct dhcp4_lease, address, ip_prefix_parse_field, "an address"),
	FIELD_TEXT("server", struct dhcp4_lease, server, ip_parse_field, "an address"),
	FIELD_TEXT("serverMAC", struct dhcp4_lease, server_mac, mac_parse_field, "a MAC address"),
	FIELD_INT("t1", struct dhcp4_lease, t1, 0, TIME_MAX),
	FIELD_INT("t2", struct dhcp4_lease, t2, 0, TIME_MAX),
	FIELD_INT("expire", struct dhcp4_lease, expire, 0, TIME_MAX),
	FIELD_END,
};
static int parse_duid(const char *text, void *member)
{
	struct duid d = { 0 };
	size_t n;

	if (parse_hex(text, d.b, sizeof d.b, &n) < 0)
		return -EINVAL;
	d.len = (uint16_t)n;
	memcpy(member, &d, sizeof d);
	return 0;
}

static const struct field lease6_fields[] = {
	FIELD_TEXT("address", struct dhcp6_lease, address, ip_parse_field, "an address"),
	FIELD_TEXT("server", struct dhcp6_lease, server, parse_duid, "hexadecimal digits"),
	FIELD_INT("t1", struct dhcp6_lease, t1, 0, TIME_MAX),
	FIELD_INT("t2", struct dhcp6_lease, t2, 0, TIME_MAX),
	FIELD_INT("expire", struct dhcp6_lease, expire, 0, TIME_MAX),
	FIELD_END,
};
static const struct field view_fields[] = {
	FIELD_STR("container", struct view, container),
	FIELD_STR("network", struct view, network),
	FIELD_STR("ifname", struct view, ifname),
	FIELD_STR("netns", struct view, netns),
	FIELD_STR("request", struct view, request),
	FIELD_STRS("provide", struct view, provide, nprovide),
	FIELD_BOOL("bound", struct view, bound),
	FIELD_BOOL("wantIPv4", struct view, ipv4),
	FIELD_BOOL("wantIPv6", struct view, ipv6),
	FIELD_OBJ("ipv4", struct view, lease4, lease4_fields),
	FIELD_OBJ("ipv6", struct view, lease6, lease6_fields),
	FIELD_END,
};

static int take_choice(const struct view *v, struct dhcp_choice *out)
{
	if (parse_hex(v->request, out->request, sizeof out->request, &out->nrequest) < 0)
		return -EINVAL;
	for (size_t i = 0; i < v->nprovide; i++) {
		uint8_t bytes[256];
		size_t n;

		if (parse_hex(v->provide[i], bytes, sizeof bytes, &n) < 0 || !n)
			return -EINVAL;
		struct dhcp4_option *o = vec_add(&out->provide, &out->nprovide);
		if (!o)
			return -ENOMEM;
		o->code = bytes[0];
		o->len = (uint8_t)(n - 1);
		memcpy(o->data, bytes + 1, n - 1);
	}
	return 0;
}

static int parse(struct doc *d, const char *text, size_t len, struct dhcp_record *out)
{
	struct view v = {
		.ipv4 = true,
		.lease4 = { .t1 = DHCP_FOREVER, .t2 = DHCP_FOREVER, .expire = DHCP_FOREVER },
		.lease6 = { .t1 = DHCP_FOREVER, .t2 = DHCP_FOREVER, .expire = DHCP_FOREVER },
	};

	if (doc_parse(d, text, len, NULL) < 0 ||
	    decode(d, d->root, view_fields, &v, "", NULL) < 0 || !v.container || !v.network ||
	    !v.ifname || !v.netns || !v.request)
		return -EINVAL;
	*out = (struct dhcp_record){ .container = v.container,
				     .network = v.network,
				     .ifname = v.ifname,
				     .netns = v.netns,
				     .bound = v.bound,
				     .choice = { .ipv4 = v.ipv4, .ipv6 = v.ipv6 },
				     .lease4 = v.lease4,
				     .lease6 = v.lease6 };
	return take_choice(&v, &out->choice);
}

static int visit(int dir, const char *name, int (*fn)(const struct dhcp_record *r, void *arg),
		 void *arg)
{
	cleanup_doc struct doc d = DOC_INIT;
	cleanup_free char *text = NULL;
	struct dhcp_record r = { 0 };
	char own[NAME_MAX_DHCP] = "";
	size_t len;
	int said = 0, read = file_read_at(dir, name, RECORD_BYTES_MAX, &text, &len, NULL);

	if (read < 0 && read != -EFBIG) /* nothing is known of it */
		return 0;
	if (read == 0 && parse(&d, text, len, &r) == 0)
		name_of(&r, own);
	if (strcmp(own, name) == 0)
		said = fn(&r, arg);
	else /* not one of ours, or not whole */
		(void)unlinkat(dir, name, 0);
	dhcp_choice_clear(&r.choice);
	return said;
}

int record_each(int dir, int (*fn)(const struct dhcp_record *r, void *arg), void *arg,
		struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (!d)
		return err_set(e, -errno, "read the directory of leases");
	for (struct dirent *ent; r == 0 && (ent = readdir(d));) {
		size_t len = strlen(ent->d_name);

		if (*ent->d_name == '.' && len > 5 && !strcmp(ent->d_name + len - 4, ".new"))
			(void)unlinkat(dir, ent->d_name, 0);
		else if (is_record(ent->d_name))
			r = visit(dir, ent->d_name, fn, arg);
	}
	return r;
}
