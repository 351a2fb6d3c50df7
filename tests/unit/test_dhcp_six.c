// SPDX-License-Identifier: GPL-2.0-or-later
/* DHCPv6: packets as bytes, and the client by a table; the time is the table's. */
#include "tests/unit/unit.h"

#include <sys/socket.h>

#include "ipam/dhcp/machine6.h"
#include "ipam/dhcp/outcome.h"
#include "netlib/cni/result.h"

#define S 1000 /* ms */
#define JITTER (1 * S)

static const struct pace_conf pace = { .answer_ms = 10 * S, .resend_max_ms = 62 * S };
static const struct ip_addr address = { AF_INET6, { 0x20, 1, 0x0d, 0xb8, [15] = 0x50 } };
static const struct duid server = { { 0, 1, 9 }, 3 };

/* ---- bytes */

static void what_is_built_is_read_back(void **state)
{
	const struct duid client = { { 0, 4, 1, 2, 3 }, 5 };
	const struct dhcp6_head h = { .type = DHCP6_REQUEST,
				      .xid = 0x123456,
				      .iaid = 0xdeadbeef,
				      .elapsed = 5,
				      .client = &client,
				      .server = &server,
				      .address = &address };
	uint8_t buf[DHCP6_BYTES_MAX];
	struct dhcp6_packet p;
	int n = dhcp6_build(buf, sizeof buf, &h);

	(void)state;
	assert_true(n > 0);
	assert_int_equal(dhcp6_parse(buf, (size_t)n, &p), 0);
	assert_int_equal(p.type, DHCP6_REQUEST);
	assert_int_equal(p.xid, 0x123456);
	assert_true(duid_eq(&p.client, &client) && duid_eq(&p.server, &server));
	assert_true(p.has_ia && p.iaid == 0xdeadbeef && ip_eq(&p.address, &address));
	for (size_t cut = 0; cut < (size_t)n; cut++) /* at an option's end, or not at all */
		(void)dhcp6_parse(buf, cut, &p);
	assert_int_equal(dhcp6_parse(buf, (size_t)n - 1, &p), -EBADMSG);
	assert_int_equal(dhcp6_parse(buf, 3, &p), -EBADMSG);
	assert_int_equal(dhcp6_build(buf, 40, &h), -E2BIG);
}

static void options_that_are_cut_short_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int want;
	} cases[] = {
		{ "\7\0\0\1", 4, 0 },
		{ "\7\0\0\1\0\1", 6, -EBADMSG },
		{ "\7\0\0\1\0\1\0\1", 8, -EBADMSG },
		{ "\7\0\0\1\0\1\0\0", 8, -EBADMSG },			   /* no DUID */
		{ "\7\0\0\1\0\3\0\4abcd", 12, -EBADMSG },		   /* an association */
		{ "\7\0\0\1\0\3\0\20aaaabbbbcccc\0\5\0\1", 24, -EBADMSG }, /* an address in it */
		{ "\7\0\0\1\0\15\0\1x", 9, -EBADMSG },			   /* a status */
		{ "\7\0\0\1\0\15\0\2\0\0", 10, 0 },
		{ "\7\0\0\1\x7f\xff\0\1x", 9, 0 },     /* unknown */
		{ "\7\0\0\1\0\27\0\7abcdefg", 15, 0 }, /* not a whole name server: none */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dhcp6_packet p;

		row_int(i, "parse", dhcp6_parse((const uint8_t *)cases[i].bytes, cases[i].len, &p),
			cases[i].want);
		if (cases[i].want == 0)
			row_int(i, "dns", (long long)p.ndns, 0);
	}
}

static void a_reply_becomes_a_result(void **state)
{
	const struct dhcp6_packet reply = { .address = address,
					    .dns = { address },
					    .ndns = 1,
					    .names = "\3six\7example",
					    .nnames = 13 };
	cleanup_result struct cni_result res = { 0 };
	struct err e = ERR_INIT;
	char text[IP_TEXT_MAX];

	(void)state;
	assert_int_equal(outcome6(&reply, &res, &e), 0);
	assert_int_equal(res.nips, 1);
	assert_string_equal(ip_prefix_text(&res.ips[0].address, text), "2001:db8::50/128");
	assert_string_equal(res.dns.nameservers[0], "2001:db8::50");
	assert_string_equal(res.dns.search[0], "six.example");
}

/* ---- the client */

enum what { TICK, ADVERTISE, REPLY, REFUSAL, GONE, OTHER_XID, OTHER_CLIENT, NO_SERVER, OTHER };

struct step {
	int64_t at;
	enum what what;
	enum dhcp_event event;
	enum dhcp6_state state;
	int sent;     /* type, 0 = none */
	int64_t next; /* -1 = for ever, -2 = do not look */
};

/* What a server says: the address for 100 s, times as they follow from it. */
static struct dhcp6_packet packet(const struct dhcp6_machine *m, enum what what)
{
	struct dhcp6_packet p = { .type = what == ADVERTISE || what == OTHER_XID ||
							  what == OTHER_CLIENT ||
							  what == NO_SERVER ?
						  DHCP6_ADVERTISE :
						  DHCP6_REPLY,
				  .xid = m->xid + (what == OTHER_XID),
				  .client = m->client,
				  .server = server,
				  .has_ia = true,
				  .iaid = m->iaid,
				  .address = address,
				  .valid = what == GONE ? 0 : 100,
				  .status = what == REFUSAL ? DHCP6_NO_BINDING : DHCP6_SUCCESS };

	p.client.b[5] += what == OTHER_CLIENT;
	p.server.len = what == NO_SERVER ? 0 : p.server.len;
	p.address.b[15] += what == OTHER;
	return p;
}

static void play(struct dhcp6_machine *m, const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct step *s = &steps[i];
		const struct dhcp6_packet in = packet(m, s->what);

		row_int(i, "event",
			s->what == TICK ? dhcp6_tick(m, s->at) : dhcp6_receive(m, &in, s->at),
			s->event);
		row_int(i, "state", m->state, s->state);
		row_int(i, "sent", m->out_len ? m->out[0] : 0, s->sent);
		if (s->next == -1)
			row_int(i, "next", m->next, DHCP_FOREVER);
		else if (s->next >= 0 && (m->next < s->next - JITTER || m->next > s->next + JITTER))
			row_int(i, "next", m->next, s->next);
	}
}

#define PLAY(steps) \
	do { \
		struct dhcp6_machine m; \
		dhcp6_start(&m, "c1/net/eth0", &pace, 42, 0); \
		play(&m, steps, ARRAY_LEN(steps)); \
	} while (0)

static void an_address_is_got_kept_and_lost(void **state)
{
	static const struct step steps[] = {
		{ 0, TICK, DHCP_NOTHING, DHCP6_SOLICITING, DHCP6_SOLICIT, 2 * S },
		{ 5, OTHER_XID, DHCP_NOTHING, DHCP6_SOLICITING, 0, 2 * S },
		{ 5, OTHER_CLIENT, DHCP_NOTHING, DHCP6_SOLICITING, 0, 2 * S },
		{ 5, NO_SERVER, DHCP_NOTHING, DHCP6_SOLICITING, 0, 2 * S },
		{ 5, REPLY, DHCP_NOTHING, DHCP6_SOLICITING, 0, 2 * S },
		{ 10, ADVERTISE, DHCP_OFFERED, DHCP6_REQUESTING, DHCP6_REQUEST, 2 * S },
		{ 20, REPLY, DHCP_GOT, DHCP6_BOUND, 0, 50 * S },
		{ 51 * S, TICK, DHCP_NOTHING, DHCP6_RENEWING, DHCP6_RENEW, 65 * S },
		{ 52 * S, OTHER, DHCP_NOTHING, DHCP6_RENEWING, 0, 65 * S },
		{ 52 * S, REPLY, DHCP_GOT, DHCP6_BOUND, 0, 102 * S },
		{ 102 * S, TICK, DHCP_NOTHING, DHCP6_RENEWING, DHCP6_RENEW, 117 * S },
		{ 132 * S, TICK, DHCP_NOTHING, DHCP6_REBINDING, DHCP6_REBIND, 142 * S },
		{ 152 * S, TICK, DHCP_ENDED, DHCP6_LOST, 0, -1 },
	};

	(void)state;
	PLAY(steps);
}

static void refusals_are_taken(void **state)
{
	static const struct step before[] = {
		{ 0, TICK, DHCP_NOTHING, DHCP6_SOLICITING, DHCP6_SOLICIT, -2 },
		{ 10, ADVERTISE, DHCP_OFFERED, DHCP6_REQUESTING, DHCP6_REQUEST, -2 },
		{ 20, REFUSAL, DHCP_NOTHING, DHCP6_SOLICITING, 0, 2 * S },
		{ 4 * S, TICK, DHCP_NOTHING, DHCP6_SOLICITING, DHCP6_SOLICIT, -2 },
		{ 5 * S, ADVERTISE, DHCP_OFFERED, DHCP6_REQUESTING, DHCP6_REQUEST, -2 },
		{ 16 * S, TICK, DHCP_NOTHING, DHCP6_SOLICITING, DHCP6_SOLICIT, 18 * S },
	};
	static const struct step after[] = {
		{ 0, TICK, DHCP_NOTHING, DHCP6_SOLICITING, DHCP6_SOLICIT, -2 },
		{ 10, ADVERTISE, DHCP_OFFERED, DHCP6_REQUESTING, DHCP6_REQUEST, -2 },
		{ 20, REPLY, DHCP_GOT, DHCP6_BOUND, 0, 50 * S },
		{ 30, REFUSAL, DHCP_NOTHING, DHCP6_BOUND, 0, 50 * S },
		{ 51 * S, TICK, DHCP_NOTHING, DHCP6_RENEWING, DHCP6_RENEW, -2 },
		{ 51 * S, GONE, DHCP_ENDED, DHCP6_LOST, 0, -1 },
	};

	(void)state;
	PLAY(before);
	PLAY(after);
}

static void what_could_not_be_sent_is_soon_tried_again(void **state)
{
	struct dhcp6_machine m;

	(void)state;
	dhcp6_start(&m, "c1/net/eth0", &pace, 42, 0);
	(void)dhcp6_tick(&m, 0);
	dhcp6_unsent(&m, 0);
	assert_int_equal(m.next, 200);
	assert_int_equal(m.pace.attempts, 0);
}

static void a_client_is_known_by_its_attachment(void **state)
{
	const struct dhcp6_lease l = { .address = address, .server = server, .t1 = 50 * S };
	struct dhcp6_machine a, b, c;
	struct dhcp6_packet p;

	(void)state;
	dhcp6_start(&a, "c1/net/eth0", &pace, 1, 0);
	dhcp6_resume(&b, "c1/net/eth0", &pace, 2, &l, 0);
	dhcp6_start(&c, "c1/net/eth1", &pace, 3, 0);
	assert_true(duid_eq(&a.client, &b.client) && a.iaid == b.iaid);
	assert_false(duid_eq(&a.client, &c.client));
	dhcp6_release(&b);
	assert_int_equal(dhcp6_parse(b.out, b.out_len, &p), 0);
	assert_int_equal(p.type, DHCP6_RELEASE);
	assert_true(ip_eq(&p.address, &address) && duid_eq(&p.server, &server));
	dhcp6_release(&a); /* nothing to give back */
	assert_int_equal(a.out_len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_built_is_read_back),
		cmocka_unit_test(options_that_are_cut_short_are_refused),
		cmocka_unit_test(a_reply_becomes_a_result),
		cmocka_unit_test(an_address_is_got_kept_and_lost),
		cmocka_unit_test(refusals_are_taken),
		cmocka_unit_test(what_could_not_be_sent_is_soon_tried_again),
		cmocka_unit_test(a_client_is_known_by_its_attachment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
