// SPDX-License-Identifier: GPL-2.0-or-later
/* The DHCP client by tables: what comes when, and what it does; the time is the table's. */
#include "tests/unit/unit.h"

#include <sys/socket.h>

#include "ipam/dhcp/machine4.h"

#define S 1000 /* ms */
#define JITTER (1 * S)

static const struct mac mac = { .b = { 2, 0, 0, 0, 0, 1 }, .set = true };
static const struct mac server_mac = { .b = { 2, 0, 0, 0, 0, 9 }, .set = true };
static const struct pace_conf pace = { .answer_ms = 10 * S, .resend_max_ms = 62 * S };
static const struct dhcp4_params params = { .mac = { { 2, 0, 0, 0, 0, 1 }, true },
					    .request = { 1, 3 },
					    .nrequest = 2 };

enum what { TICK, OFFER, ACK, NAK, OTHER_XID, OTHER_MAC, OTHER_ADDRESS };

struct step {
	int64_t at;
	enum what what;
	enum dhcp_event event;
	enum dhcp4_state state;
	int sent;     /* type of the packet to send, 0 = none */
	int64_t next; /* due after this step; -1 = for ever, -2 = do not look */
	bool unicast;
};

/* What a server says: 192.0.2.50/24 from 192.0.2.1 for 100 s, T1 and T2 as they follow. */
static void packet(const struct dhcp4_machine *m, enum what what, struct dhcp4_packet *out)
{
	const struct dhcp4_option opts[] = { { DHCP4_SERVER_ID, 4, { 192, 0, 2, 1 } },
					     { DHCP4_MASK, 4, { 255, 255, 255, 0 } },
					     { DHCP4_LEASE_TIME, 4, { 0, 0, 0, 100 } } };
	static const uint8_t types[] = {
		[OFFER] = DHCP4_OFFER,	   [ACK] = DHCP4_ACK,	      [NAK] = DHCP4_NAK,
		[OTHER_XID] = DHCP4_OFFER, [OTHER_MAC] = DHCP4_OFFER, [OTHER_ADDRESS] = DHCP4_ACK
	};
	struct dhcp4_head h = { .type = types[what], .xid = m->xid, .chaddr = mac };
	uint8_t buf[DHCP4_BYTES_MAX];

	h.xid += what == OTHER_XID;
	h.chaddr.b[5] += what == OTHER_MAC;
	int n = dhcp4_build(buf, sizeof buf, &h, opts, ARRAY_LEN(opts));
	buf[0] = 2;
	memcpy(buf + 16, what == OTHER_ADDRESS ? "\xc0\0\2\x33" : "\xc0\0\2\x32", 4);
	assert_true(n > 0);
	assert_int_equal(dhcp4_parse(buf, (size_t)n, out), 0);
}

/* The type of what is to be sent, in a packet to the server's port. */
static int sent_type(const struct dhcp4_machine *m)
{
	struct dhcp4_packet p;

	if (!m->out_len)
		return 0;
	assert_int_equal(m->out[23], DHCP4_SERVER_PORT);
	assert_int_equal(dhcp4_parse(m->out + 28, m->out_len - 28, &p), 0);
	return p.type;
}

static void play(struct dhcp4_machine *m, const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct step *s = &steps[i];
		enum dhcp_event event;

		if (s->what == TICK) {
			event = dhcp4_tick(m, s->at);
		} else {
			struct dhcp4_packet in;

			packet(m, s->what, &in);
			event = dhcp4_receive(m, &in, &server_mac, s->at);
		}
		row_int(i, "event", event, s->event);
		row_int(i, "state", m->state, s->state);
		row_int(i, "sent", sent_type(m), s->sent);
		if (s->next == -1)
			row_int(i, "next", m->next, DHCP_FOREVER);
		else if (s->next >= 0 && (m->next < s->next - JITTER || m->next > s->next + JITTER))
			row_int(i, "next", m->next, s->next);
		if (s->sent)
			row_int(i, "unicast", mac_eq(&m->out_mac, &server_mac), s->unicast);
	}
}

#define PLAY(m, steps) play(m, steps, ARRAY_LEN(steps))

static void start(struct dhcp4_machine *m)
{
	dhcp4_start(m, &params, &pace, 42, 0);
}

/* ---- */

static void an_address_is_got_kept_and_lost(void **state)
{
	static const struct step steps[] = {
		{ 0, TICK, DHCP_NOTHING, DHCP4_SELECTING, DHCP4_DISCOVER, 2 * S, false },
		{ 10, OTHER_XID, DHCP_NOTHING, DHCP4_SELECTING, 0, 2 * S, false },
		{ 10, OTHER_MAC, DHCP_NOTHING, DHCP4_SELECTING, 0, 2 * S, false },
		{ 10, ACK, DHCP_NOTHING, DHCP4_SELECTING, 0, 2 * S, false },
		{ 20, OFFER, DHCP_OFFERED, DHCP4_REQUESTING, DHCP4_REQUEST, 2 * S, false },
		{ 30, OFFER, DHCP_NOTHING, DHCP4_REQUESTING, 0, 2 * S, false },
		{ 40, ACK, DHCP_GOT, DHCP4_BOUND, 0, 50 * S, false },
		{ 41, TICK, DHCP_NOTHING, DHCP4_BOUND, 0, 50 * S, false },
		/* renewed: to the server; if it is silent, to its address but any link */
		{ 50 * S + 40, TICK, DHCP_NOTHING, DHCP4_RENEWING, DHCP4_REQUEST, 67540, true },
		{ 50 * S + 60, OTHER_ADDRESS, DHCP_NOTHING, DHCP4_RENEWING, 0, 67540, false },
		{ 50 * S + 70, ACK, DHCP_GOT, DHCP4_BOUND, 0, 100 * S, false },
		{ 101 * S, TICK, DHCP_NOTHING, DHCP4_RENEWING, DHCP4_REQUEST, 118 * S, true },
		{ 119 * S, TICK, DHCP_NOTHING, DHCP4_RENEWING, DHCP4_REQUEST, 129 * S, false },
		{ 135 * S + 80, TICK, DHCP_NOTHING, DHCP4_REBINDING, DHCP4_REQUEST, 145 * S,
		  false },
		{ 146 * S, TICK, DHCP_NOTHING, DHCP4_REBINDING, DHCP4_REQUEST, 150 * S, false },
		{ 150 * S + 70, TICK, DHCP_ENDED, DHCP4_LOST, 0, -1, false },
		{ 151 * S, ACK, DHCP_NOTHING, DHCP4_LOST, 0, -1, false },
	};
	struct dhcp4_machine m;

	(void)state;
	start(&m);
	PLAY(&m, steps);
}

static void a_silent_server_is_asked_ever_less_often(void **state)
{
	static const int64_t pauses[] = { 2, 2, 2, 2, 4, 8, 16, 32, 62, 62, 62 };
	struct dhcp4_machine m;
	int64_t now = 0;

	(void)state;
	start(&m);
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
		assert_int_equal(dhcp4_tick(&m, now), DHCP_NOTHING);
		row_int(i, "sent", sent_type(&m), DHCP4_DISCOVER);
		if (m.next - now < (pauses[i] - 1) * S || m.next - now > (pauses[i] + 1) * S)
			row_int(i, "pause", m.next - now, pauses[i] * S);
		now = m.next;
	}
}

static void an_offer_that_comes_to_nothing_is_given_up(void **state)
{
	static const struct step silent[] = {
		{ 0, TICK, DHCP_NOTHING, DHCP4_SELECTING, DHCP4_DISCOVER, 2 * S, false },
		{ 10, OFFER, DHCP_OFFERED, DHCP4_REQUESTING, DHCP4_REQUEST, 2 * S, false },
		{ 3 * S, TICK, DHCP_NOTHING, DHCP4_REQUESTING, DHCP4_REQUEST, 5 * S, false },
		{ 9 * S, TICK, DHCP_NOTHING, DHCP4_REQUESTING, DHCP4_REQUEST, 10 * S, false },
		{ 10 * S + 10, TICK, DHCP_NOTHING, DHCP4_SELECTING, DHCP4_DISCOVER, -2, false },
		{ 11 * S, ACK, DHCP_NOTHING, DHCP4_SELECTING, 0, -2, false },
		{ 12 * S, OFFER, DHCP_OFFERED, DHCP4_REQUESTING, DHCP4_REQUEST, -2, false },
		/* refused: looked for anew after a pause */
		{ 12 * S, NAK, DHCP_NOTHING, DHCP4_SELECTING, 0, 14 * S, false },
		{ 16 * S, TICK, DHCP_NOTHING, DHCP4_SELECTING, DHCP4_DISCOVER, -2, false },
	};
	struct dhcp4_machine m;

	(void)state;
	start(&m);
	PLAY(&m, silent);
	assert_false(ip_is_set(&m.lease.address.addr));
}

static void a_refusal_of_what_is_in_use_ends_it(void **state)
{
	static const struct step steps[] = {
		{ 0, TICK, DHCP_NOTHING, DHCP4_SELECTING, DHCP4_DISCOVER, -2, false },
		{ 10, OFFER, DHCP_OFFERED, DHCP4_REQUESTING, DHCP4_REQUEST, -2, false },
		{ 20, ACK, DHCP_GOT, DHCP4_BOUND, 0, 50 * S, false },
		{ 30, NAK, DHCP_NOTHING, DHCP4_BOUND, 0, 50 * S, false },
		{ 51 * S, TICK, DHCP_NOTHING, DHCP4_RENEWING, DHCP4_REQUEST, -2, true },
		{ 51 * S + 5, NAK, DHCP_ENDED, DHCP4_LOST, 0, -1, false },
	};
	struct dhcp4_machine m;

	(void)state;
	start(&m);
	PLAY(&m, steps);
}

static struct dhcp4_lease old_lease(void)
{
	return (struct dhcp4_lease){ .address = { { AF_INET, { 192, 0, 2, 50 } }, 24 },
				     .server = { AF_INET, { 192, 0, 2, 1 } },
				     .server_mac = server_mac,
				     .t1 = 50 * S,
				     .t2 = 85 * S,
				     .expire = 100 * S };
}

static void a_lease_goes_on_after_a_restart(void **state)
{
	static const struct {
		int64_t at, next;
		enum dhcp_event event;
		enum dhcp4_state state;
		int sent;
		bool unicast;
	} cases[] = {
		{ 10 * S, 50 * S, DHCP_NOTHING, DHCP4_BOUND, 0, false },
		{ 60 * S, 72500, DHCP_NOTHING, DHCP4_RENEWING, DHCP4_REQUEST, true },
		{ 90 * S, 100 * S, DHCP_NOTHING, DHCP4_REBINDING, DHCP4_REQUEST, false },
		{ 101 * S, DHCP_FOREVER, DHCP_ENDED, DHCP4_LOST, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct dhcp4_lease l = old_lease();
		struct dhcp4_machine m;

		dhcp4_resume(&m, &params, &pace, 42, &l, cases[i].at);
		row_int(i, "event", dhcp4_tick(&m, cases[i].at), cases[i].event);
		row_int(i, "state", m.state, cases[i].state);
		row_int(i, "next", m.next, cases[i].next);
		row_int(i, "sent", sent_type(&m), cases[i].sent);
		if (cases[i].sent)
			row_int(i, "unicast", mac_eq(&m.out_mac, &server_mac), cases[i].unicast);
	}
}

static void a_release_names_address_and_server(void **state)
{
	const struct dhcp4_lease l = old_lease();
	struct dhcp4_option id = { DHCP4_CLIENT_ID, 3, { 0, 'i', 'd' } };
	struct dhcp4_params p = params;
	struct dhcp4_packet out;
	struct dhcp4_machine m;
	struct ip_addr server;
	size_t len;

	(void)state;
	p.provide = &id;
	p.nprovide = 1;
	dhcp4_resume(&m, &p, &pace, 42, &l, 0);
	dhcp4_release(&m);
	assert_int_equal(sent_type(&m), DHCP4_RELEASE);
	assert_int_equal(dhcp4_parse(m.out + 28, m.out_len - 28, &out), 0);
	assert_true(ip_eq(&out.ciaddr, &l.address.addr));
	assert_int_equal(dhcp4_option_addr(&out.opts, DHCP4_SERVER_ID, 0, &server), 0);
	assert_true(ip_eq(&server, &l.server));
	assert_memory_equal(dhcp4_option(&out.opts, DHCP4_CLIENT_ID, 1, &len), "\0id", 3);
	assert_memory_equal(m.out + 12, l.address.addr.b, 4); /* from */
	assert_memory_equal(m.out + 16, l.server.b, 4);	      /* to */
	start(&m);
	dhcp4_release(&m); /* nothing to give back */
	assert_int_equal(m.out_len, 0);
}

/* T1, T2 and the lease: missing, for ever, or in no order. */
static void odd_times_are_put_in_order(void **state)
{
	static const struct {
		struct dhcp4_option opts[3];
		size_t n;
		int64_t t1, t2, expire;
	} cases[] = {
		{ { { 0 } }, 0, 1800 * S, 3060 * S, 3600 * S },
		{ { { DHCP4_LEASE_TIME, 4, { 255, 255, 255, 255 } } },
		  1,
		  DHCP_FOREVER,
		  DHCP_FOREVER,
		  DHCP_FOREVER },
		{ { { DHCP4_LEASE_TIME, 4, { 0, 0, 0, 0 } } }, 1, 0, 0, 1 * S },
		{ { { DHCP4_LEASE_TIME, 4, { 0, 0, 0, 100 } },
		    { DHCP4_T1, 4, { 0, 0, 0, 90 } },
		    { DHCP4_T2, 4, { 0, 0, 0, 80 } } },
		  3,
		  80 * S,
		  80 * S,
		  100 * S },
		{ { { DHCP4_LEASE_TIME, 4, { 0, 0, 0, 100 } },
		    { DHCP4_T2, 4, { 255, 255, 255, 255 } } },
		  2,
		  50 * S,
		  100 * S,
		  100 * S },
		{ { { DHCP4_LEASE_TIME, 2, { 0, 100 } } }, 1, 1800 * S, 3060 * S, 3600 * S },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dhcp4_head h = { .type = DHCP4_ACK, .chaddr = mac };
		uint8_t buf[DHCP4_BYTES_MAX];
		struct dhcp4_machine m;
		struct dhcp4_packet in;

		start(&m);
		(void)dhcp4_tick(&m, 0);
		packet(&m, OFFER, &in);
		(void)dhcp4_receive(&m, &in, &server_mac, 0);
		h.xid = m.xid;
		int n = dhcp4_build(buf, sizeof buf, &h, cases[i].opts, cases[i].n);
		buf[0] = 2;
		memcpy(buf + 16, "\xc0\0\2\x32", 4);
		assert_int_equal(dhcp4_parse(buf, (size_t)n, &in), 0);
		row_int(i, "event", dhcp4_receive(&m, &in, &server_mac, 0), DHCP_GOT);
		row_int(i, "t1", m.lease.t1, cases[i].t1);
		row_int(i, "t2", m.lease.t2, cases[i].t2);
		row_int(i, "expire", m.lease.expire, cases[i].expire);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_got_kept_and_lost),
		cmocka_unit_test(a_silent_server_is_asked_ever_less_often),
		cmocka_unit_test(an_offer_that_comes_to_nothing_is_given_up),
		cmocka_unit_test(a_refusal_of_what_is_in_use_ends_it),
		cmocka_unit_test(a_lease_goes_on_after_a_restart),
		cmocka_unit_test(a_release_names_address_and_server),
		cmocka_unit_test(odd_times_are_put_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
