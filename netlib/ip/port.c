// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/ip/port.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"

static const struct {
	uint8_t proto;
	const char *name;
} protos[] = {
	{ IPPROTO_TCP, "tcp" },
	{ IPPROTO_UDP, "udp" },
	{ IPPROTO_SCTP, "sctp" },
};

const char *proto_name(uint8_t proto)
{
	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		if (protos[i].proto == proto)
			return protos[i].name;
	return "?";
}

int proto_parse(const char *s, uint8_t *out)
{
	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		if (str_same(protos[i].name, s)) {
			*out = protos[i].proto;
			return 0;
		}
	return -EINVAL;
}

static int range_text(char *buf, size_t size, unsigned first, unsigned count)
{
	return count > 1 ? snprintf(buf, size, "%u-%u", first, first + count - 1) :
			   snprintf(buf, size, "%u", first);
}

const char *port_map_text(const struct port_map *m, char *buf)
{
	char ip[IP_TEXT_MAX], host[16], ctr[16];
	bool v6 = m->host_ip.family == AF_INET6;

	(void)range_text(host, sizeof host, m->host_port, m->count);
	(void)range_text(ctr, sizeof ctr, m->container_port, m->count);
	if (ip_is_set(&m->host_ip))
		(void)snprintf(buf, PORT_TEXT_MAX, "%s%s%s:%s:%s/%s", v6 ? "[" : "",
			       ip_text(&m->host_ip, ip), v6 ? "]" : "", host, ctr,
			       proto_name(m->proto));
	else
		(void)snprintf(buf, PORT_TEXT_MAX, "%s:%s/%s", host, ctr, proto_name(m->proto));
	return buf;
}

/* "80" or "80-90" */
static int parse_range(char *s, uint16_t *first, uint16_t *count)
{
	uint64_t a, b;
	char *dash = strchr(s, '-');

	if (dash)
		*dash++ = 0;
	if (str_u64(s, 65535, &a) < 0 || a == 0)
		return -EINVAL;
	b = a;
	if (dash && (str_u64(dash, 65535, &b) < 0 || b < a))
		return -EINVAL;
	*first = (uint16_t)a;
	*count = (uint16_t)(b - a + 1);
	return 0;
}

static int split(char *s, struct port_map *m)
{
	char *slash = strrchr(s, '/'), *ctr, *host = s;
	uint16_t n;

	m->proto = IPPROTO_TCP;
	if (slash) {
		*slash++ = 0;
		if (proto_parse(slash, &m->proto) < 0)
			return -EINVAL;
	}
	if (!(ctr = strrchr(s, ':')))
		return -EINVAL;
	*ctr++ = 0;
	char *colon = strrchr(s, ':');
	if (colon) {
		size_t len = (size_t)(colon - s);

		host = colon + 1;
		*colon = 0;
		if (len > 1 && s[0] == '[' && s[len - 1] == ']') {
			s[len - 1] = 0;
			s++;
		} else if (strchr(s, ':')) {
			return -EINVAL;
		}
		if (ip_parse(s, &m->host_ip) < 0)
			return -EINVAL;
	}
	if (parse_range(host, &m->host_port, &m->count) < 0 ||
	    parse_range(ctr, &m->container_port, &n) < 0)
		return -EINVAL;
	return n == m->count ? 0 : -EINVAL;
}

int port_map_parse(const char *s, struct port_map *out, struct err *e)
{
	struct port_map m = { 0 };
	char buf[128];

	if (str_copyf(buf, sizeof buf, "%s", s) < 0 || split(buf, &m) < 0)
		return err_say(
			e, -EINVAL,
			"-p %.100s: expected [IP:]HOSTPORT[-LAST]:CONTAINERPORT[-LAST][/tcp|udp|sctp], "
			"ports 1..65535 and both ranges of one length",
			s);
	*out = m;
	return 0;
}
