// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files that IPAM reads: resolv.conf (first byte even), reservations of either suite (odd). What is
 * read as a reservation is written the same and read back.
 */
#include <string.h>

#include "ipam/lease.h"
#include "ipam/resolv.h"
#include "netlib/cni/result.h"
#include "tests/fuzz/fuzz.h"

static void read_resolv(const char *data, size_t size)
{
	struct cni_dns dns = { 0 };
	char *text = malloc(size + 1);

	if (!text)
		return;
	memcpy(text, data, size);
	text[size] = 0;
	if (resolv_parse(text, &dns) == 0) {
		for (size_t i = 0; i < dns.nnameservers; i++)
			PROMISE(*dns.nameservers[i] && !strpbrk(dns.nameservers[i], " \t\n"));
		for (size_t i = 0; i < dns.nsearch; i++)
			PROMISE(*dns.search[i] && !strpbrk(dns.search[i], " \t\n"));
		for (size_t i = 0; i < dns.noptions; i++)
			PROMISE(*dns.options[i] && !strpbrk(dns.options[i], " \t\n"));
	}
	cni_dns_clear(&dns);
	free(text);
}

static void read_lease(const char *data, size_t size)
{
	char buf[LEASE_TEXT_MAX];
	struct lease a, b;

	lease_parse(data, size, &a);
	PROMISE(a.state != LEASE_ABSENT);
	if (a.state != LEASE_OWNED)
		return;
	PROMISE(memchr(a.container, 0, sizeof a.container) && memchr(a.ifname, 0, sizeof a.ifname));
	PROMISE(*a.container);
	struct lease_owner o = { a.container, a.ifname };
	PROMISE(lease_is_of(&a, &o));
	if (!*a.ifname)
		return; /* the oldest form, which nobody writes any more */
	lease_parse(buf, lease_text(&o, buf), &b);
	PROMISE(b.state == LEASE_OWNED && !strcmp(a.container, b.container) &&
		!strcmp(a.ifname, b.ifname));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip_addr ip;
	char name[64];

	if (!size)
		return 0;
	if (data[0] & 1) {
		read_lease((const char *)data + 1, size - 1);
		(void)snprintf(name, sizeof name, "%.*s", (int)(size - 1 < 63 ? size - 1 : 63),
			       (const char *)data + 1);
		if (lease_name_parse(name, &ip) == 0) {
			char text[IP_TEXT_MAX];

			PROMISE(!strcmp(ip_text(&ip, text), name));
		}
	} else {
		read_resolv((const char *)data + 1, size - 1);
	}
	return 0;
}
