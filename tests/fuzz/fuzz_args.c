// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Short texts from outside: CNI_ARGS, interface names, ids, addresses, MACs, ports, versions. One
 * input is tried as each of them.
 */
#include <string.h>

#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/env.h"
#include "netlib/cni/version.h"
#include "netlib/ip/addr.h"
#include "netlib/ip/ifname.h"
#include "netlib/ip/mac.h"
#include "netlib/ip/port.h"
#include "tests/fuzz/fuzz.h"

static void as_args(const char *s)
{
	static const char *const known[] = { "IP", "MAC", NULL };
	struct err e = ERR_INIT;
	char value[16];
	int r = cni_arg(s, "IP", value, sizeof value, &e);

	PROMISE(r >= 0 || (e.code == 4 && *e.text));
	PROMISE(r <= 0 || strlen(value) < sizeof value);
	if (cni_args_check(s, known, &e) < 0)
		PROMISE(e.code == 4 && *e.text);
}

static void as_addresses(const char *s)
{
	struct ip_addr a, a2;
	struct ip_prefix p, p2;
	struct mac m, m2;
	char text[IP_TEXT_MAX], mac[MAC_TEXT_MAX];

	if (ip_parse(s, &a) == 0)
		PROMISE(ip_parse(ip_text(&a, text), &a2) == 0 && ip_eq(&a, &a2));
	if (ip_prefix_parse(s, &p) == 0) {
		struct ip_addr first = ip_network(&p), last = ip_last(&p);

		PROMISE(ip_prefix_parse(ip_prefix_text(&p, text), &p2) == 0 &&
			ip_prefix_eq(&p, &p2));
		PROMISE(ip_cmp(&first, &p.addr) <= 0 && ip_cmp(&p.addr, &last) <= 0);
		PROMISE(ip_prefix_contains(&p, &first) && ip_prefix_contains(&p, &last));
		uint64_t n = ip_distance(&first, &last);
		struct ip_addr end = ip_add(&first, n);
		PROMISE(n == UINT64_MAX || ip_eq(&end, &last));
	}
	if (mac_parse(s, &m) == 0)
		PROMISE(mac_parse(mac_text(&m, mac), &m2) == 0 && mac_eq(&m, &m2));
}

static void as_port(const char *s)
{
	struct port_map m, m2;
	struct err e = ERR_INIT;
	char text[PORT_TEXT_MAX];

	if (port_map_parse(s, &m, &e) < 0) {
		PROMISE(*e.text);
		return;
	}
	PROMISE(m.host_port && m.container_port && m.count && m.host_port + m.count - 1 <= 65535);
	PROMISE(strlen(port_map_text(&m, text)) < PORT_TEXT_MAX - 1);
	PROMISE(port_map_parse(text, &m2, &e) == 0 && m2.host_port == m.host_port &&
		m2.count == m.count && m2.container_port == m.container_port &&
		m2.proto == m.proto && ip_eq(&m.host_ip, &m2.host_ip));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum cni_version v;
	struct err e = ERR_INIT;
	uint64_t n;
	char *s = malloc(size + 1);

	if (!s)
		return 0;
	memcpy(s, data, size);
	s[size] = 0;
	as_args(s);
	as_addresses(s);
	as_port(s);
	PROMISE(ifname_problem(s) || strlen(s) < IFNAME_MAX);
	PROMISE(!cni_name_ok(s) || (!strchr(s, '/') && s[0] != '.'));
	if (cni_version_parse(s, CNI_V_0_1_0, &v, &e) == 0)
		PROMISE(!*s || !strcmp(s, cni_version_names[v]));
	(void)str_u64(s, UINT64_MAX, &n);
	free(s);
	return 0;
}
