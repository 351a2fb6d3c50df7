// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/result.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"

#define POINTER_MAX 200

/* ---- building and clearing */

static void strs_clear(char ***v, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		free((*v)[i]);
	free(*v);
	*v = NULL;
	*n = 0;
}

void cni_dns_clear(struct cni_dns *d)
{
	strs_clear(&d->nameservers, &d->nnameservers);
	strs_clear(&d->search, &d->nsearch);
	strs_clear(&d->options, &d->noptions);
	free(d->domain);
	*d = (struct cni_dns){ 0 };
}

bool cni_dns_empty(const struct cni_dns *d)
{
	return !d->nnameservers && !d->nsearch && !d->noptions && (!d->domain || !*d->domain);
}

static int strs_add(char ***v, size_t *n, const char *s)
{
	char **slot = vec_add(v, n);

	if (!slot)
		return -ENOMEM;
	*slot = strdup(s);
	if (!*slot) {
		(*n)--;
		return -ENOMEM;
	}
	return 0;
}

static int strs_copy(char *const *from, size_t nfrom, char ***v, size_t *n)
{
	int r = 0;

	for (size_t i = 0; i < nfrom && r == 0; i++)
		r = strs_add(v, n, from[i]);
	return r;
}

int cni_dns_copy(const struct cni_dns *from, struct cni_dns *to)
{
	struct cni_dns d = { 0 };

	if (strs_copy(from->nameservers, from->nnameservers, &d.nameservers, &d.nnameservers) < 0 ||
	    strs_copy(from->search, from->nsearch, &d.search, &d.nsearch) < 0 ||
	    strs_copy(from->options, from->noptions, &d.options, &d.noptions) < 0 ||
	    (from->domain && !(d.domain = strdup(from->domain)))) {
		cni_dns_clear(&d);
		return -ENOMEM;
	}
	cni_dns_clear(to);
	*to = d;
	return 0;
}

static void iface_clear(struct cni_iface *i)
{
	free(i->name);
	free(i->sandbox);
	free(i->socket_path);
	free(i->pci_id);
}

void cni_result_clear(struct cni_result *r)
{
	for (size_t i = 0; i < r->nifaces; i++)
		iface_clear(&r->ifaces[i]);
	free(r->ifaces);
	free(r->ips);
	free(r->routes);
	cni_dns_clear(&r->dns);
	*r = (struct cni_result){ 0 };
}

struct cni_iface *cni_result_add_iface(struct cni_result *r, const char *name, const char *sandbox,
				       const struct mac *mac)
{
	struct cni_iface *i = vec_add(&r->ifaces, &r->nifaces);

	if (!i)
		return NULL;
	i->name = strdup(name);
	if (sandbox && *sandbox)
		i->sandbox = strdup(sandbox);
	if (mac)
		i->mac = *mac;
	if (i->name && (!sandbox || !*sandbox || i->sandbox))
		return i;
	iface_clear(i);
	r->nifaces--;
	return NULL;
}

struct cni_ip *cni_result_add_ip(struct cni_result *r, const struct ip_prefix *address,
				 const struct ip_addr *gw, int iface)
{
	struct cni_ip *ip = vec_add(&r->ips, &r->nips);

	if (!ip)
		return NULL;
	ip->address = *address;
	if (gw)
		ip->gateway = *gw;
	ip->interface = iface;
	return ip;
}

struct cni_route *cni_result_add_route(struct cni_result *r, const struct ip_prefix *dst,
				       const struct ip_addr *gw)
{
	struct cni_route *rt = vec_add(&r->routes, &r->nroutes);

	if (!rt)
		return NULL;
	rt->dst = *dst;
	if (gw)
		rt->gw = *gw;
	return rt;
}

/*
 * ---- reading: each object through a table into a view that borrows from the document, then copied
 */

struct iface_view {
	const char *name, *mac, *sandbox, *socket_path, *pci_id;
	uint32_t mtu;
};
static const struct field iface_fields[] = {
	FIELD_STR("name", struct iface_view, name),
	FIELD_STR("mac", struct iface_view, mac),
	FIELD_STR("sandbox", struct iface_view, sandbox),
	FIELD_U32("mtu", struct iface_view, mtu, 0, UINT32_MAX),
	FIELD_STR("socketPath", struct iface_view, socket_path),
	FIELD_STR("pciID", struct iface_view, pci_id),
	FIELD_END,
};

static const struct field ip_fields[] = {
	FIELD_TEXT("address", struct cni_ip, address, ip_prefix_parse_field,
		   "an address like 10.1.0.2/16"),
	FIELD_TEXT("gateway", struct cni_ip, gateway, ip_parse_field, "an IP address"),
	FIELD_INT("interface", struct cni_ip, interface, 0, 4096),
	FIELD_END,
};

static const struct field route_fields[] = {
	FIELD_TEXT("dst", struct cni_route, dst, ip_prefix_parse_field,
		   "a destination like 0.0.0.0/0"),
	FIELD_TEXT("gw", struct cni_route, gw, ip_parse_field, "an IP address"),
	FIELD_U32("mtu", struct cni_route, mtu, 0, UINT32_MAX),
	FIELD_U32("advmss", struct cni_route, advmss, 0, UINT32_MAX),
	FIELD_U32("priority", struct cni_route, priority, 0, UINT32_MAX),
	FIELD_U32("table", struct cni_route, table, 0, UINT32_MAX),
	FIELD_GIVEN("table", struct cni_route, has_table),
	FIELD_INT("scope", struct cni_route, scope, 0, 255),
	FIELD_GIVEN("scope", struct cni_route, has_scope),
	FIELD_END,
};

struct dns_view {
	const char **nameservers, **search, **options, *domain;
	size_t nnameservers, nsearch, noptions;
};
static const struct field dns_fields[] = {
	FIELD_STRS("nameservers", struct dns_view, nameservers, nnameservers),
	FIELD_STR("domain", struct dns_view, domain),
	FIELD_STRS("search", struct dns_view, search, nsearch),
	FIELD_STRS("options", struct dns_view, options, noptions),
	FIELD_END,
};

int cni_dns_decode(struct json_object *o, struct cni_dns *out, const char *path, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	struct dns_view v = { 0 };
	int r = decode(&d, o, dns_fields, &v, path, e);

	if (r < 0)
		return r;
	/* the view's arrays have the owning struct's shape; copying makes them owned */
	const struct cni_dns borrowed = {
		.nameservers = (char **)v.nameservers,
		.nnameservers = v.nnameservers,
		.search = (char **)v.search,
		.nsearch = v.nsearch,
		.options = (char **)v.options,
		.noptions = v.noptions,
		.domain = (char *)v.domain,
	};
	return cni_dns_copy(&borrowed, out) < 0 ? err_set(e, -ENOMEM, "decode %s", path) : 0;
}

int cni_route_decode(struct json_object *o, struct cni_route *out, const char *path, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	struct cni_route rt = { 0 };
	int r = decode(&d, o, route_fields, &rt, path, e);

	if (r < 0)
		return r;
	if (!ip_is_set(&rt.dst.addr))
		return err_conf(e, path, "expected \"dst\", a destination like 0.0.0.0/0");
	*out = rt;
	return 0;
}

static int decode_iface(struct json_object *o, struct cni_result *res, const char *path,
			struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	struct iface_view v = { .name = "" };
	struct mac mac = { 0 };
	int r = decode(&d, o, iface_fields, &v, path, e);

	if (r < 0)
		return r;
	if (v.mac && *v.mac && mac_parse(v.mac, &mac) < 0)
		/* not an Ethernet address (InfiniBand): not ours to judge */
		mac = (struct mac){ 0 };
	struct cni_iface *i = cni_result_add_iface(res, v.name, v.sandbox, &mac);
	if (!i)
		return err_set(e, -ENOMEM, "decode %s", path);
	i->mtu = v.mtu;
	i->socket_path = v.socket_path ? strdup(v.socket_path) : NULL;
	i->pci_id = v.pci_id ? strdup(v.pci_id) : NULL;
	return 0;
}

static int decode_ip(struct json_object *o, struct cni_result *res, const char *path, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	struct cni_ip ip = { .interface = -1 };
	int r = decode(&d, o, ip_fields, &ip, path, e);

	if (r < 0)
		return r;
	if (!ip_is_set(&ip.address.addr))
		return err_conf(e, path, "expected \"address\", like 10.1.0.2/16");
	return cni_result_add_ip(res, &ip.address, &ip.gateway, ip.interface) ?
		       0 :
		       err_set(e, -ENOMEM, "decode %s", path);
}

static int decode_route(struct json_object *o, struct cni_result *res, const char *path,
			struct err *e)
{
	struct cni_route rt;
	int r = cni_route_decode(o, &rt, path, e);

	if (r < 0)
		return r;
	struct cni_route *slot = vec_add(&res->routes, &res->nroutes);
	if (!slot)
		return err_set(e, -ENOMEM, "decode %s", path);
	*slot = rt;
	return 0;
}

typedef int element_fn(struct json_object *o, struct cni_result *res, const char *path,
		       struct err *e);

static int decode_list(struct json_object *o, const char *key, element_fn *fn,
		       struct cni_result *res, const char *path, struct err *e)
{
	struct json_object *list = json_get(o, key);
	char sub[POINTER_MAX];

	(void)snprintf(sub, sizeof sub, "%s/%s", path, key);
	if (!list)
		return 0;
	if (!json_is_array(list))
		return err_conf(e, sub, "expected an array");
	if (json_len(list) > DOC_ELEMENTS_MAX)
		return err_conf(e, sub, "expected at most %d elements, got %zu", DOC_ELEMENTS_MAX,
				json_len(list));
	for (size_t i = 0; i < json_len(list); i++) {
		(void)snprintf(sub, sizeof sub, "%s/%s/%zu", path, key, i);
		int r = fn(json_at(list, i), res, sub, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Versions 0.1.0 and 0.2.0: "ip4": { "ip", "gateway", "routes" }. */
static int decode_old_family(struct json_object *o, const char *key, struct cni_result *res,
			     const char *path, struct err *e)
{
	struct json_object *fam = json_get(o, key);
	const char *ip = json_text(json_get(fam, "ip")), *gw = json_text(json_get(fam, "gateway"));
	struct ip_prefix address;
	struct ip_addr gateway = { 0 };
	char sub[POINTER_MAX];

	if (!fam)
		return 0;
	(void)snprintf(sub, sizeof sub, "%s/%s", path, key);
	if (!ip || ip_prefix_parse(ip, &address) < 0)
		return err_conf(e, sub, "expected \"ip\", an address like 10.1.0.2/16");
	if (gw && *gw && ip_parse(gw, &gateway) < 0)
		return err_conf(e, sub, "expected \"gateway\" to be an IP address, got \"%.60s\"",
				gw);
	if (!cni_result_add_ip(res, &address, &gateway, -1))
		return err_set(e, -ENOMEM, "decode %s", sub);
	return decode_list(fam, "routes", decode_route, res, sub, e);
}

/*
 * An address of an interface that the result does not have would be passed over in silence. An IPAM
 * result has no interfaces at all.
 */
static int check_indexes(const struct cni_result *res, const char *path, struct err *e)
{
	char sub[POINTER_MAX];

	for (size_t i = 0; res->nifaces && i < res->nips; i++) {
		if (res->ips[i].interface < (int)res->nifaces)
			continue;
		(void)snprintf(sub, sizeof sub, "%s/ips/%zu/interface", path, i);
		return err_conf(e, sub, "expected the index of one of %zu interfaces, got %d",
				res->nifaces, res->ips[i].interface);
	}
	return 0;
}

int cni_result_decode(struct json_object *o, enum cni_version v, struct cni_result *out,
		      const char *path, struct err *e)
{
	cleanup_result struct cni_result res = { 0 };
	char sub[POINTER_MAX];
	int r;

	if (!json_is_object(o))
		return err_conf(e, *path ? path : "/", "expected a result object");
	if (v <= CNI_V_0_2_0) {
		if ((r = decode_old_family(o, "ip4", &res, path, e)) < 0 ||
		    (r = decode_old_family(o, "ip6", &res, path, e)) < 0)
			return r;
	} else if ((r = decode_list(o, "interfaces", decode_iface, &res, path, e)) < 0 ||
		   (r = decode_list(o, "ips", decode_ip, &res, path, e)) < 0 ||
		   (r = decode_list(o, "routes", decode_route, &res, path, e)) < 0 ||
		   (r = check_indexes(&res, path, e)) < 0) {
		return r;
	}
	(void)snprintf(sub, sizeof sub, "%s/dns", path);
	if (json_get(o, "dns") && (r = cni_dns_decode(json_get(o, "dns"), &res.dns, sub, e)) < 0)
		return r;
	*out = res;
	res = (struct cni_result){ 0 };
	return 0;
}

/* ---- printing */

static void put_strs(struct json_object *o, const char *key, char *const *v, size_t n)
{
	if (!n)
		return;
	struct json_object *a = json_arr();
	for (size_t i = 0; i < n; i++)
		json_append(a, json_new_str(v[i]));
	json_set(o, key, a);
}

static struct json_object *dns_encode(const struct cni_dns *d)
{
	struct json_object *o = json_obj();

	put_strs(o, "nameservers", d->nameservers, d->nnameservers);
	json_set_str(o, "domain", d->domain && *d->domain ? d->domain : NULL);
	put_strs(o, "search", d->search, d->nsearch);
	put_strs(o, "options", d->options, d->noptions);
	return o;
}

static void put_ip(struct json_object *o, const char *key, const struct ip_addr *a)
{
	char text[IP_TEXT_MAX];

	if (ip_is_set(a))
		json_set_str(o, key, ip_text(a, text));
}

static void put_prefix(struct json_object *o, const char *key, const struct ip_prefix *p)
{
	char text[IP_TEXT_MAX];

	json_set_str(o, key, ip_prefix_text(p, text));
}

static void put_number(struct json_object *o, const char *key, uint32_t n)
{
	if (n)
		json_set_int(o, key, n);
}

static struct json_object *iface_encode(const struct cni_iface *i, enum cni_version v)
{
	struct json_object *o = json_obj();
	char mac[MAC_TEXT_MAX];

	json_set_str(o, "name", i->name);
	json_set_str(o, "mac", i->mac.set ? mac_text(&i->mac, mac) : NULL);
	if (v >= CNI_V_1_0_0)
		put_number(o, "mtu", i->mtu);
	json_set_str(o, "sandbox", i->sandbox);
	if (v >= CNI_V_1_0_0) {
		json_set_str(o, "socketPath", i->socket_path);
		json_set_str(o, "pciID", i->pci_id);
	}
	return o;
}

static struct json_object *ip_encode(const struct cni_ip *ip, enum cni_version v, bool ipam)
{
	struct json_object *o = json_obj();

	if (v < CNI_V_1_0_0)
		json_set_str(o, "version", ip->address.addr.family == AF_INET6 ? "6" : "4");
	if (ip->interface >= 0 && !ipam)
		json_set_int(o, "interface", ip->interface);
	put_prefix(o, "address", &ip->address);
	put_ip(o, "gateway", &ip->gateway);
	return o;
}

static struct json_object *route_encode(const struct cni_route *r)
{
	struct json_object *o = json_obj();

	put_prefix(o, "dst", &r->dst);
	put_ip(o, "gw", &r->gw);
	put_number(o, "mtu", r->mtu);
	put_number(o, "advmss", r->advmss);
	put_number(o, "priority", r->priority);
	if (r->has_table)
		json_set_int(o, "table", r->table);
	if (r->has_scope)
		json_set_int(o, "scope", r->scope);
	return o;
}

/* 0.1.0 and 0.2.0 know one address of each family, with the routes of that family beside it. */
static struct json_object *old_family(const struct cni_result *res, uint8_t family)
{
	const struct cni_ip *ip = NULL;

	for (size_t i = 0; i < res->nips && !ip; i++)
		if (res->ips[i].address.addr.family == family)
			ip = &res->ips[i];
	if (!ip)
		return NULL;
	struct json_object *o = json_obj(), *routes = json_arr();
	put_prefix(o, "ip", &ip->address);
	put_ip(o, "gateway", &ip->gateway);
	for (size_t i = 0; i < res->nroutes; i++)
		if (res->routes[i].dst.addr.family == family) {
			struct json_object *r = json_obj();

			put_prefix(r, "dst", &res->routes[i].dst);
			put_ip(r, "gw", &res->routes[i].gw);
			json_append(routes, r);
		}
	if (json_len(routes))
		json_set(o, "routes", routes);
	else
		json_put(routes);
	return o;
}

static int encode_old(const struct cni_result *r, struct json_object *o, struct err *e)
{
	struct json_object *v4 = old_family(r, AF_INET), *v6 = old_family(r, AF_INET6);

	if (!v4 && !v6)
		return err_say(e, -EINVAL, "cannot convert: no valid IP addresses");
	json_set(o, "ip4", v4);
	json_set(o, "ip6", v6);
	return 0;
}

static void encode_new(const struct cni_result *r, enum cni_version v, bool ipam,
		       struct json_object *o)
{
	struct json_object *ifaces = json_arr(), *ips = json_arr(), *routes = json_arr();

	for (size_t i = 0; i < r->nifaces && !ipam; i++)
		json_append(ifaces, iface_encode(&r->ifaces[i], v));
	for (size_t i = 0; i < r->nips; i++)
		json_append(ips, ip_encode(&r->ips[i], v, ipam));
	for (size_t i = 0; i < r->nroutes; i++)
		json_append(routes, route_encode(&r->routes[i]));
	const struct {
		const char *key;
		struct json_object *list;
	} lists[] = { { "interfaces", ifaces }, { "ips", ips }, { "routes", routes } };
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		if (json_len(lists[i].list))
			json_set(o, lists[i].key, lists[i].list);
		else
			json_put(lists[i].list);
	}
}

struct json_object *cni_result_encode(const struct cni_result *r, enum cni_version v, bool ipam,
				      struct err *e)
{
	struct json_object *o = json_obj();

	json_set_str(o, "cniVersion", cni_version_names[v]);
	if (v > CNI_V_0_2_0) {
		encode_new(r, v, ipam, o);
	} else if (encode_old(r, o, e) < 0) {
		json_put(o);
		return NULL;
	}
	if (v < CNI_V_1_0_0 || !cni_dns_empty(&r->dns))
		json_set(o, "dns", dns_encode(&r->dns));
	return o;
}

int cni_result_print(const struct cni_result *r, enum cni_version v, bool ipam, struct str *out,
		     struct err *e)
{
	cleanup_json struct json_object *o = cni_result_encode(r, v, ipam, e);

	if (!o)
		return -EINVAL;
	json_print(out, o, 4, v >= CNI_V_1_0_0);
	return out->bad ? err_set(e, -ENOMEM, "print the result") : 0;
}
