// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/dhcp/outcome.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ipam/dhcp/machine4.h"
#include "ipam/dhcp/packet6.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/vec.h"
#include "netlib/cni/result.h"

static int no_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "build the result");
}

/* ---- routes */

/* A router of 0.0.0.0 says that the destination is on the link. */
static int add_route(struct cni_result *res, const struct ip_prefix *dst, const struct ip_addr *gw,
		     struct err *e)
{
	const struct ip_addr none = { 0 };
	bool on_link = ip_is_any(gw);
	struct cni_route *r = cni_result_add_route(res, dst, on_link ? &none : gw);

	if (!r)
		return no_memory(e);
	if (on_link) {
		r->scope = RT_SCOPE_LINK;
		r->has_scope = true;
	}
	return 0;
}

/* RFC 3442: length, as many bytes of the destination as it needs, router. */
static int classless_routes(const uint8_t *v, size_t len, struct cni_result *res, struct err *e)
{
	for (size_t i = 0; i < len;) {
		struct ip_prefix dst = { .addr.family = AF_INET, .len = v[i] };
		struct ip_addr gw = { .family = AF_INET };
		size_t n = (v[i] + 7u) / 8;

		if (v[i] > 32 || i + 1 + n + 4 > len)
			return err_say(e, -EBADMSG,
				       "the server's option 121 (classless routes) is malformed "
				       "at byte %zu",
				       i);
		memcpy(dst.addr.b, v + i + 1, n);
		dst.addr = ip_network(&dst);
		memcpy(gw.b, v + i + 1 + n, 4);
		i += 1 + n + 4;
		int r = add_route(res, &dst, &gw, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Option 33: pairs of destination and router, the length by the class of old. */
static int classful_routes(const uint8_t *v, size_t len, struct cni_result *res, struct err *e)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		struct ip_prefix dst = { .addr.family = AF_INET };
		struct ip_addr gw = { .family = AF_INET };

		memcpy(dst.addr.b, v + i, 4);
		memcpy(gw.b, v + i + 4, 4);
		dst.len = v[i] < 128 ? 8 : v[i] < 192 ? 16 : 24;
		dst.addr = ip_network(&dst);
		int r = v[i] < 224 && v[i] ? add_route(res, &dst, &gw, e) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_routes(const struct dhcp4_options *o, struct cni_result *res, struct err *e)
{
	const struct ip_prefix everywhere = { .addr.family = AF_INET };
	struct ip_addr router;
	size_t len;
	const uint8_t *v = dhcp4_option(o, DHCP4_CLASSLESS_ROUTE, 5, &len);
	int r = 0;

	if (v)
		return classless_routes(v, len, res, e);
	if ((v = dhcp4_option(o, DHCP4_STATIC_ROUTE, 8, &len)))
		r = classful_routes(v, len, res, e);
	if (r == 0 && dhcp4_option_addr(o, DHCP4_ROUTER, 0, &router) == 0 && !ip_is_any(&router))
		r = add_route(res, &everywhere, &router, e);
	return r;
}

/* ---- DNS */

static int add_text(char ***v, size_t *n, const char *text, struct err *e)
{
	char **slot = vec_add(v, n);

	if (!slot)
		return no_memory(e);
	if (!(*slot = strdup(text))) {
		(*n)--;
		return no_memory(e);
	}
	return 0;
}

/* A name without what a resolver's configuration cannot hold; servers may end it with zeros. */
static bool take_domain(const uint8_t *v, size_t len, char out[DHCP_NAME_MAX])
{
	while (len && !v[len - 1])
		len--;
	if (!len || len >= DHCP_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (v[i] <= ' ' || v[i] >= 127)
			return false;
	memcpy(out, v, len);
	out[len] = 0;
	return true;
}

static int add_dns(const struct dhcp4_options *o, struct cni_dns *dns, struct err *e)
{
	char text[IP_TEXT_MAX], name[DHCP_NAME_MAX];
	struct ip_addr a;
	size_t len;
	const uint8_t *v;
	int r = 0;

	for (size_t i = 0; r == 0 && dhcp4_option_addr(o, DHCP4_DNS, i, &a) == 0; i++)
		r = add_text(&dns->nameservers, &dns->nnameservers, ip_text(&a, text), e);
	if (r == 0 && (v = dhcp4_option(o, DHCP4_DOMAIN, 1, &len)) && take_domain(v, len, name) &&
	    !dns->domain && !(dns->domain = strdup(name)))
		r = no_memory(e);
	if ((v = dhcp4_option(o, DHCP4_SEARCH, 1, &len)))
		for (size_t i = 0; r == 0 && dhcp_name_at(v, len, i, name) == 0; i++)
			r = add_text(&dns->search, &dns->nsearch, name, e);
	return r;
}

int outcome4(const struct dhcp4_lease *l, const struct dhcp4_options *o, struct cni_result *res,
	     struct err *e)
{
	struct ip_addr gateway = { 0 };
	char text[IP_TEXT_MAX];
	int r;

	if (!l->address.len)
		return err_say(
			e, -EBADMSG,
			"DHCP option Subnet Mask not found in DHCPACK of %s; expected option "
			"1",
			ip_text(&l->server, text));
	(void)dhcp4_option_addr(o, DHCP4_ROUTER, 0, &gateway);
	if (!cni_result_add_ip(res, &l->address, &gateway, -1))
		return no_memory(e);
	r = add_routes(o, res, e);
	return r < 0 ? r : add_dns(o, &res->dns, e);
}

int outcome6(const struct dhcp6_packet *reply, struct cni_result *res, struct err *e)
{
	const struct ip_prefix address = { reply->address, 128 };
	const struct ip_addr none = { 0 };
	char text[IP_TEXT_MAX], name[DHCP_NAME_MAX];
	int r = cni_result_add_ip(res, &address, &none, -1) ? 0 : no_memory(e);

	for (size_t i = 0; r == 0 && i < reply->ndns; i++)
		r = add_text(&res->dns.nameservers, &res->dns.nnameservers,
			     ip_text(&reply->dns[i], text), e);
	for (size_t i = 0; r == 0 && dhcp_name_at(reply->names, reply->nnames, i, name) == 0; i++)
		r = add_text(&res->dns.search, &res->dns.nsearch, name, e);
	return r;
}
