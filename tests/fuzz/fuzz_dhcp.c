// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What may come from a network: a datagram around a packet, the packet, its options as a result,
 * and a client that gets it at any time. The first byte says what the rest is.
 */
#include <stdlib.h>
#include <string.h>

#include "ipam/dhcp/machine4.h"
#include "ipam/dhcp/machine6.h"
#include "ipam/dhcp/outcome.h"
#include "ipam/dhcp/packet4.h"
#include "netlib/base/err.h"
#include "netlib/cni/result.h"
#include "tests/fuzz/fuzz.h"

#define STEPS 8

static const struct mac mac = { .b = { 2, 0, 0, 0, 0, 1 }, .set = true };

static void as_datagram(const uint8_t *data, size_t size)
{
	const uint8_t *payload;
	size_t len;

	for (int checked = 0; checked < 2; checked++)
		if (dhcp4_unwrap(data, size, checked, &payload, &len) == 0)
			PROMISE(payload >= data && payload + len <= data + size);
}

static void as_names(const uint8_t *data, size_t size)
{
	char name[DHCP_NAME_MAX];

	for (size_t i = 0; dhcp_name_at(data, size, i, name) == 0; i++)
		PROMISE(memchr(name, 0, sizeof name) && *name && i < size);
}

static void as_result(const struct dhcp4_packet *p)
{
	cleanup_result struct cni_result res = { 0 };
	struct dhcp4_lease l = { .address = { p->yiaddr, 24 } };
	struct err e = ERR_INIT;

	if (outcome4(&l, &p->opts, &res, &e) < 0)
		PROMISE(e.no && *e.text);
}

/* The same packet again and again, between ticks at its own times. */
static void as_life(const struct dhcp4_packet *p)
{
	const struct dhcp4_params params = { .mac = mac, .request = { 1, 3, 6 }, .nrequest = 3 };
	const struct pace_conf pace = { .answer_ms = 10000, .resend_max_ms = 62000 };
	struct dhcp4_packet in = *p;
	struct dhcp4_machine m;
	int64_t now = 0;

	dhcp4_start(&m, &params, &pace, 1, now);
	for (int i = 0; i < STEPS; i++) {
		(void)dhcp4_tick(&m, now);
		PROMISE(m.next > now || m.state == DHCP4_LOST || m.next == now);
		in.op = 2;
		in.xid = m.xid;
		in.chaddr = mac;
		in.type = m.state == DHCP4_SELECTING ? DHCP4_OFFER : p->type;
		enum dhcp_event event = dhcp4_receive(&m, &in, &mac, now);
		if (event == DHCP_GOT)
			PROMISE(m.state == DHCP4_BOUND && m.lease.t1 <= m.lease.t2 &&
				m.lease.t2 <= m.lease.expire && m.lease.expire > now);
		PROMISE(m.out_len <= sizeof m.out);
		if (m.next == DHCP_FOREVER)
			break;
		now = m.next;
	}
	dhcp4_release(&m);
}

/* The same for IPv6. */
static void as_six(const uint8_t *data, size_t size)
{
	static struct dhcp6_packet p;
	static struct dhcp6_machine m;
	const struct pace_conf pace = { .answer_ms = 10000, .resend_max_ms = 62000 };
	cleanup_result struct cni_result res = { 0 };
	int64_t now = 0;

	if (dhcp6_parse(data, size, &p) < 0)
		return;
	PROMISE(p.ndns <= DHCP6_DNS_MAX && p.nnames <= sizeof p.names);
	(void)outcome6(&p, &res, NULL);
	dhcp6_start(&m, "c1/net/eth0", &pace, 1, now);
	for (int i = 0; i < STEPS && m.next != DHCP_FOREVER; i++) {
		now = m.next;
		(void)dhcp6_tick(&m, now);
		p.xid = m.xid;
		p.client = m.client;
		p.iaid = m.iaid;
		p.type = m.state == DHCP6_SOLICITING ? DHCP6_ADVERTISE : DHCP6_REPLY;
		if (dhcp6_receive(&m, &p, now) == DHCP_GOT)
			PROMISE(m.lease.t1 <= m.lease.t2 && m.lease.t2 <= m.lease.expire &&
				m.lease.expire > now);
	}
	dhcp6_release(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dhcp4_packet p;

	if (!size)
		return 0;
	if (data[0] % 4 == 0) {
		as_datagram(data + 1, size - 1);
	} else if (data[0] % 4 == 1) {
		as_names(data + 1, size - 1);
	} else if (data[0] % 4 == 3) {
		as_six(data + 1, size - 1);
	} else if (dhcp4_parse(data + 1, size - 1, &p) == 0) {
		as_result(&p);
		as_life(&p);
	}
	return 0;
}
