// SPDX-License-Identifier: GPL-2.0-or-later
/* DHCP packets as bytes, and what a server's options become. */
#include "tests/unit/unit.h"

#include <sys/socket.h>

#include "ipam/dhcp/machine4.h"
#include "ipam/dhcp/outcome.h"
#include "ipam/dhcp/packet4.h"
#include "netlib/cni/result.h"

static const struct mac mac = { .b = { 2, 0, 0, 0, 0, 1 }, .set = true };

static struct ip_addr addr(const char *text)
{
	struct ip_addr a = { 0 };

	assert_int_equal(ip_parse(text, &a), 0);
	return a;
}

/* ---- build and parse */

static void what_is_built_is_read_back(void **state)
{
	const struct dhcp4_head h = { .type = DHCP4_REQUEST,
				      .xid = 0x12345678,
				      .secs = 7,
				      .broadcast = true,
				      .ciaddr = addr("192.0.2.50"),
				      .chaddr = mac };
	const struct dhcp4_option opts[] = { { DHCP4_HOST_NAME, 4, "host" },
					     { DHCP4_SERVER_ID, 4, { 192, 0, 2, 1 } } };
	uint8_t buf[DHCP4_BYTES_MAX];
	struct dhcp4_packet p;
	struct ip_addr server;
	size_t len;
	int n = dhcp4_build(buf, sizeof buf, &h, opts, 2);

	(void)state;
	assert_int_equal(n, 300); /* filled up */
	assert_int_equal(dhcp4_parse(buf, (size_t)n, &p), 0);
	assert_int_equal(p.op, 1);
	assert_int_equal(p.type, DHCP4_REQUEST);
	assert_int_equal(p.xid, 0x12345678);
	assert_int_equal(p.secs, 7);
	assert_true(p.broadcast && mac_eq(&p.chaddr, &mac));
	assert_true(ip_eq(&p.ciaddr, &h.ciaddr) && !ip_is_set(&p.yiaddr));
	assert_memory_equal(dhcp4_option(&p.opts, DHCP4_HOST_NAME, 1, &len), "host", 4);
	assert_int_equal(len, 4);
	assert_int_equal(dhcp4_option_addr(&p.opts, DHCP4_SERVER_ID, 0, &server), 0);
	assert_int_equal(dhcp4_option_addr(&p.opts, DHCP4_SERVER_ID, 1, &server), -ENOENT);
	assert_null(dhcp4_option(&p.opts, DHCP4_MASK, 1, &len));
	assert_int_equal(dhcp4_build(buf, 300, &h,
				     (const struct dhcp4_option[]){ { .code = 60, .len = 200 } },
				     1),
			 -E2BIG);
}

static void ip_and_udp_stand_around_it_with_their_sums(void **state)
{
	const struct ip_addr from = addr("192.0.2.50"), to = addr("192.0.2.1");
	uint8_t buf[600], payload[300] = "payload";
	const uint8_t *got;
	size_t len;
	int n = dhcp4_wrap(buf, sizeof buf, &from, &to, payload, sizeof payload);

	(void)state;
	assert_int_equal(n, 328);
	assert_int_equal(buf[23], 67); /* to the server's port: not for us */
	assert_int_equal(dhcp4_unwrap(buf, (size_t)n, true, &got, &len), -EBADMSG);
	buf[23] = 68; /* the same sum as from 68 to 67 */
	buf[21] = 67;
	assert_int_equal(dhcp4_unwrap(buf, (size_t)n, true, &got, &len), 0);
	assert_int_equal(len, sizeof payload);
	assert_memory_equal(got, payload, len);
	buf[100] ^= 1;
	assert_int_equal(dhcp4_unwrap(buf, (size_t)n, true, &got, &len), -EBADMSG);
	assert_int_equal(dhcp4_unwrap(buf, (size_t)n, false, &got, &len), 0);
	buf[100] ^= 1;
	for (size_t cut = 0; cut < (size_t)n; cut++)
		assert_int_equal(dhcp4_unwrap(buf, cut, true, &got, &len), -EBADMSG);
	buf[6] |= 0x20; /* a fragment */
	assert_int_equal(dhcp4_unwrap(buf, (size_t)n, true, &got, &len), -EBADMSG);
	assert_int_equal(dhcp4_wrap(buf, 300, &from, &to, payload, sizeof payload), -E2BIG);
}

/* A packet to a client with these bytes as options. */
static size_t packet(uint8_t *buf, const void *options, size_t n)
{
	const struct dhcp4_head h = { .type = DHCP4_ACK, .chaddr = mac };

	assert_true(dhcp4_build(buf, DHCP4_BYTES_MAX, &h, NULL, 0) > 0);
	buf[0] = 2;
	memcpy(buf + 16, "\xc0\x00\x02\x32", 4);
	memcpy(buf + 243, options, n);
	return 243 + n;
}

static void options_may_come_in_parts_and_in_other_fields(void **state)
{
	static const uint8_t options[] = {
		0, 12, 2, 'a', 'b', 52, 1, 3, 12, 1, 'c', 255, 12, 1, 'x'
	};
	uint8_t buf[DHCP4_BYTES_MAX];
	struct dhcp4_packet p;
	size_t len, n = packet(buf, options, sizeof options);

	(void)state;
	memcpy(buf + 108,
	       "\x0c\x01"
	       "d\xff",
	       4); /* file */
	memcpy(buf + 44,
	       "\x0c\x01"
	       "e\xff",
	       4); /* sname */
	assert_int_equal(dhcp4_parse(buf, n, &p), 0);
	assert_memory_equal(dhcp4_option(&p.opts, DHCP4_HOST_NAME, 1, &len), "abcde", 5);
	assert_int_equal(len, 5);
}

static void what_is_no_dhcp_packet_is_refused(void **state)
{
	uint8_t buf[DHCP4_BYTES_MAX];
	struct dhcp4_packet p;
	size_t n = packet(buf, "\xff", 1);

	(void)state;
	assert_int_equal(dhcp4_parse(buf, n, &p), 0);
	for (size_t cut = 0; cut < 243; cut++)
		assert_int_equal(dhcp4_parse(buf, cut, &p), -EBADMSG);
	for (size_t at = 236; at < 241; at++) { /* cookie, type */
		buf[at] ^= 1;
		assert_int_equal(dhcp4_parse(buf, n, &p), -EBADMSG);
		buf[at] ^= 1;
	}
	buf[2] = 16; /* not Ethernet's length */
	assert_int_equal(dhcp4_parse(buf, n, &p), -EBADMSG);
}

static void names_are_read_with_their_compression(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *names[3];
		int end;
	} cases[] = {
		{ "\1a\7example\0\1b\xc0\2", 15, { "a.example", "b.example" }, -ENOENT },
		{ "\1a\0\xc0\0\xc0\3", 7, { "a", "a", "a" }, -ENOENT },
		{ "\1a", 2, { NULL }, -EBADMSG },
		{ "\2a", 2, { NULL }, -EBADMSG },
		{ "\xc0\0", 2, { NULL }, -EBADMSG }, /* itself */
		{ "\xc0", 1, { NULL }, -EBADMSG },
		{ "\0", 1, { NULL }, -EBADMSG },
		{ "\3a b\0", 5, { NULL }, -EBADMSG },
		{ "\3a.b\0", 5, { NULL }, -EBADMSG },
		{ "", 0, { NULL }, -ENOENT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char name[DHCP_NAME_MAX];
		size_t k = 0;

		for (; k < 3 && cases[i].names[k]; k++) {
			row_int(i, "name",
				dhcp_name_at((const uint8_t *)cases[i].bytes, cases[i].len, k,
					     name),
				0);
			row_text(i, "name", name, cases[i].names[k]);
		}
		row_int(i, "end",
			dhcp_name_at((const uint8_t *)cases[i].bytes, cases[i].len, k, name),
			cases[i].end);
	}
}

/* ---- outcomes */

static void options_become_a_result(void **state)
{
	static const struct {
		const char *options;
		size_t len;
		const char *want; /* routes, then DNS */
		const char *error;
	} cases[] = {
		{ "\x03\4\xc0\0\2\1\xff", 7, "0.0.0.0/0>192.0.2.1 ", NULL },
		{ "\xff", 1, "", NULL },
		{ "\x03\4\0\0\0\0\xff", 7, "", NULL },
		/* 33 by class, and the router; nothing to 0.0.0.0 or a multicast address */
		{ "\x03\4\xc0\0\2\1\x21\x20\x0a\1\2\3\xc0\0\2\2\xac\x10\1\2\xc0\0\2\2"
		  "\0\0\0\0\xc0\0\2\2\xe0\0\0\1\xc0\0\2\2\xff",
		  41, "10.0.0.0/8>192.0.2.2 172.16.0.0/16>192.0.2.2 0.0.0.0/0>192.0.2.1 ", NULL },
		/* 121 alone */
		{ "\x03\4\xc0\0\2\1\x21\x08\x0a\1\2\3\xc0\0\2\2\x79\x0e\x18\x0a\1\2\xc0\0\2\3"
		  "\0\xc0\0\2\4\xff",
		  32, NULL, "malformed at byte 13" },
		{ "\x03\4\xc0\0\2\1\x79\x0d\x18\x0a\1\2\xc0\0\2\3\0\xc0\0\2\4\xff", 22,
		  "10.1.2.0/24>192.0.2.3 0.0.0.0/0>192.0.2.4 ", NULL },
		{ "\x79\x07\x11\x0a\1\xff\0\0\0\xff", 10, NULL, "malformed at byte 0" },
		{ "\x79\x08\x11\x0a\1\xff\0\0\0\0\xff", 11, "10.1.128.0/17>link ", NULL },
		{ "\x79\x05\x21\0\0\0\0\xff", 8, NULL, "malformed at byte 0" },
		{ "\x06\x08\xc0\0\2\x35\xc0\0\2\x36\x0f\x02"
		  "a\0\x77\3\1b\0\xff",
		  20, "192.0.2.53 192.0.2.54 @a ?b ", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_result struct cni_result res = { 0 };
		const struct dhcp4_lease l = { .address = { addr("192.0.2.50"), 24 },
					       .server = addr("192.0.2.1") };
		uint8_t buf[DHCP4_BYTES_MAX];
		struct dhcp4_packet p;
		struct err e = ERR_INIT;
		char got[400] = "", a[IP_TEXT_MAX], b[IP_TEXT_MAX];
		size_t at = 0;

		row_int(i, "parse",
			dhcp4_parse(buf, packet(buf, cases[i].options, cases[i].len), &p), 0);
		int r = outcome4(&l, &p.opts, &res, &e);
		if (cases[i].error) {
			row_int(i, "outcome", r, -EBADMSG);
			if (!strstr(e.text, cases[i].error))
				row_text(i, "error", e.text, cases[i].error);
			continue;
		}
		row_int(i, "outcome", r, 0);
		for (size_t k = 0; k < res.nroutes; k++)
			at += (size_t)snprintf(got + at, sizeof got - at, "%s>%s ",
					       ip_prefix_text(&res.routes[k].dst, a),
					       res.routes[k].has_scope ?
						       "link" :
						       ip_text(&res.routes[k].gw, b));
		for (size_t k = 0; k < res.dns.nnameservers; k++)
			at += (size_t)snprintf(got + at, sizeof got - at, "%s ",
					       res.dns.nameservers[k]);
		if (res.dns.domain)
			at += (size_t)snprintf(got + at, sizeof got - at, "@%s ", res.dns.domain);
		for (size_t k = 0; k < res.dns.nsearch; k++)
			at += (size_t)snprintf(got + at, sizeof got - at, "?%s ",
					       res.dns.search[k]);
		row_text(i, "result", got, cases[i].want);
	}
}

static void an_address_without_a_mask_is_none(void **state)
{
	cleanup_result struct cni_result res = { 0 };
	const struct dhcp4_lease l = { .address = { addr("192.0.2.50"), 0 },
				       .server = addr("192.0.2.1") };
	const struct dhcp4_options none = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(outcome4(&l, &none, &res, &e), -EBADMSG);
	assert_string_equal(e.text, "DHCP option Subnet Mask not found in DHCPACK of 192.0.2.1; "
				    "expected option 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_built_is_read_back),
		cmocka_unit_test(ip_and_udp_stand_around_it_with_their_sums),
		cmocka_unit_test(options_may_come_in_parts_and_in_other_fields),
		cmocka_unit_test(what_is_no_dhcp_packet_is_refused),
		cmocka_unit_test(names_are_read_with_their_compression),
		cmocka_unit_test(options_become_a_result),
		cmocka_unit_test(an_address_without_a_mask_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
