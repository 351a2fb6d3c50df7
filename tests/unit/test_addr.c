// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/ip/addr.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ip_addr ip(const char *s)
{
	struct ip_addr a = { 0 };

	if (ip_parse(s, &a) < 0)
		fail_msg("%s is no address", s);
	return a;
}

static struct ip_prefix net(const char *s)
{
	struct ip_prefix p = { 0 };

	if (ip_prefix_parse(s, &p) < 0)
		fail_msg("%s is no prefix", s);
	return p;
}

static void addresses_are_read_and_printed_as_go_does(void **state)
{
	static const struct {
		const char *text, *canonical; /* NULL: refused */
	} cases[] = {
		{ "10.1.0.2", "10.1.0.2" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
		{ "1:0:0:2:0:0:0:3", "1:0:0:2::3" },
		{ "1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7" },
		{ "fe80::1", "fe80::1" },
		{ "::ffff:10.1.0.2", "10.1.0.2" },
		{ "::ffff:a01:2", "10.1.0.2" },
		{ "::1.2.3.4", "::102:304" },
		{ "::1:0", "::1:0" },
		{ "::1:2:3", "::1:2:3" },
		{ "64:ff9b::1.2.3.4", "64:ff9b::102:304" },
		{ "1::", "1::" },
		{ "", NULL },
		{ "10.1.0", NULL },
		{ "10.1.0.2.3", NULL },
		{ "10.1.0.256", NULL },
		{ "010.1.0.2", NULL },
		{ "10.1.0.02", NULL },
		{ "10.1.0.2 ", NULL },
		{ " 10.1.0.2", NULL },
		{ "10.1.0.-2", NULL },
		{ "0x0a.1.0.2", NULL },
		{ "10.1.0.2/24", NULL },
		{ "fe80::1%eth0", NULL },
		{ ":::", NULL },
		{ "1:2:3:4:5:6:7", NULL },
		{ "1:2:3:4:5:6:7:8:9", NULL },
		{ "12345::", NULL },
		{ "[::1]", NULL },
		{ "localhost", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_addr a = { .family = 99 };
		char text[IP_TEXT_MAX];

		row_int(i, cases[i].text, ip_parse(cases[i].text, &a),
			cases[i].canonical ? 0 : -EINVAL);
		if (cases[i].canonical)
			row_text(i, cases[i].text, ip_text(&a, text), cases[i].canonical);
		else
			row_int(i, "untouched", a.family, 99);
	}
	char text[IP_TEXT_MAX];
	assert_string_equal(ip_text(&(struct ip_addr){ 0 }, text), "<nil>");
}

/* What libc reads and writes, ours does: for texts of all shapes, with and without damage. */
static void texts_are_those_of_libc(void **state)
{
	static const char alphabet[] = "0123456789abcdefABCDEF::::....:0:1";
	unsigned seed = (unsigned)getpid();
	unsigned valid = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint8_t b[16], want[16];
		struct ip_addr a = { .family = 99 };
		char text[64], ours[IP_TEXT_MAX], libcs[64];
		bool v6 = rand_r(&seed) % 4;

		for (int k = 0; k < 16; k++) /* runs of zeros, small and large groups */
			b[k] = (uint8_t)(rand_r(&seed) % 3 ? 0 : rand_r(&seed));
		assert_non_null(inet_ntop(v6 ? AF_INET6 : AF_INET, b, text, sizeof text));
		if (rand_r(&seed) % 3 == 0) { /* written in full, or with another gap */
			(void)snprintf(text, sizeof text, "%x:%x:0:0:%s%X:%x",
				       rand_r(&seed) % 65536, rand_r(&seed) % 20,
				       rand_r(&seed) % 2 ? ":" : "0:", rand_r(&seed) % 65536,
				       rand_r(&seed) % 9);
		}
		for (int k = rand_r(&seed) % 3; k > 0; k--) {
			size_t len = strlen(text), at = (size_t)rand_r(&seed) % (len + 1);

			text[len + 1] = 0;
			text[at] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
		}
		bool is4 = inet_pton(AF_INET, text, want) == 1;
		bool is6 = !is4 && inet_pton(AF_INET6, text, want) == 1;
		if ((ip_parse(text, &a) == 0) != (is4 || is6))
			fail_msg("seed %u: \"%s\" is %san address", seed, text,
				 is4 || is6 ? "" : "not ");
		if (!is4 && !is6) {
			assert_int_equal(a.family, 99);
			continue;
		}
		valid++;
		bool mapped = is6 && !memcmp(want, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
		assert_int_equal(a.family, is4 || mapped ? AF_INET : AF_INET6);
		assert_memory_equal(a.b, mapped ? want + 12 : want, a.family == AF_INET ? 4 : 16);
		(void)ip_text(&a, ours);
		assert_non_null(inet_ntop(a.family, a.b, libcs, sizeof libcs));
		if (strcmp(ours, libcs) && (a.family == AF_INET || !strchr(libcs, '.')))
			fail_msg("seed %u: \"%s\" is written %s, by libc %s", seed, text, ours,
				 libcs);
	}
	assert_true(valid > 50000);
}

static void prefixes_keep_their_host_bits(void **state)
{
	static const struct {
		const char *text, *printed, *network, *last; /* NULL: refused */
	} cases[] = {
		{ "10.1.2.3/16", "10.1.2.3/16", "10.1.0.0", "10.1.255.255" },
		{ "10.1.2.3/32", "10.1.2.3/32", "10.1.2.3", "10.1.2.3" },
		{ "10.1.2.3/31", "10.1.2.3/31", "10.1.2.2", "10.1.2.3" },
		{ "10.1.2.3/0", "10.1.2.3/0", "0.0.0.0", "255.255.255.255" },
		{ "10.1.2.3/9", "10.1.2.3/9", "10.0.0.0", "10.127.255.255" },
		{ "2001:db8::5/64", "2001:db8::5/64",
		  "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff" },
		{ "::/0", "::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "::1/128", "::1/128", "::1", "::1" },
		{ "fd00::ff/121", "fd00::ff/121", "fd00::80", "fd00::ff" },
		{ "10.1.2.3", NULL, NULL, NULL },
		{ "10.1.2.3/33", NULL, NULL, NULL },
		{ "10.1.2.3/", NULL, NULL, NULL },
		{ "10.1.2.3/-1", NULL, NULL, NULL },
		{ "10.1.2.3/+8", NULL, NULL, NULL },
		{ "10.1.2.3/8/8", NULL, NULL, NULL },
		{ "10.1.2.3/255.255.0.0", NULL, NULL, NULL },
		{ "::/129", NULL, NULL, NULL },
		{ "/8", NULL, NULL, NULL },
		{ "", NULL, NULL, NULL },
		{ "10.1.2.3/ 8", NULL, NULL, NULL },
		{ "10.1.2.3/8 ", NULL, NULL, NULL },
		{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8", NULL,
		  NULL, NULL },
		{ "10.1.2.3/99999999999999999999", NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_prefix p = { 0 };
		char text[IP_TEXT_MAX];

		row_int(i, cases[i].text, ip_prefix_parse(cases[i].text, &p),
			cases[i].printed ? 0 : -EINVAL);
		if (!cases[i].printed)
			continue;
		row_text(i, cases[i].text, ip_prefix_text(&p, text), cases[i].printed);
		struct ip_addr a = ip_network(&p);
		row_text(i, "network", ip_text(&a, text), cases[i].network);
		a = ip_last(&p);
		row_text(i, "last", ip_text(&a, text), cases[i].last);
	}
}

static void arithmetic_carries_and_wraps(void **state)
{
	static const struct {
		const char *from;
		uint64_t n;
		const char *to;
	} cases[] = {
		{ "10.0.0.1", 0, "10.0.0.1" },
		{ "10.0.0.255", 1, "10.0.1.0" },
		{ "10.255.255.255", 1, "11.0.0.0" },
		{ "255.255.255.255", 1, "0.0.0.0" },
		{ "10.0.0.0", 65536, "10.1.0.0" },
		{ "0.0.0.0", 0x1ffffffff, "255.255.255.255" },
		{ "::ffff", 1, "::1:0" },
		{ "fd00::ffff:ffff:ffff:ffff", 1, "fd00:0:0:1::" },
		{ "::", UINT64_MAX, "::ffff:ffff:ffff:ffff" },
		{ "::1", UINT64_MAX, "0:0:0:1::" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, "::" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_addr a = ip(cases[i].from), b = ip_add(&a, cases[i].n);
		char text[IP_TEXT_MAX];

		row_text(i, cases[i].from, ip_text(&b, text), cases[i].to);
		if (cases[i].n != 1)
			continue;
		b = ip_prev(&b);
		row_text(i, "back", ip_text(&b, text), cases[i].from);
	}
	struct ip_addr a = ip("10.0.0.255"), next = ip_next(&a), want = ip("10.0.1.0");
	assert_true(ip_eq(&next, &want));
}

static void the_distance_is_the_number_of_steps(void **state)
{
	static const struct {
		const char *a, *b;
		uint64_t n;
	} cases[] = {
		{ "10.0.0.1", "10.0.0.1", 0 },
		{ "10.0.0.255", "10.0.1.0", 1 },
		{ "0.0.0.0", "255.255.255.255", UINT32_MAX },
		{ "fd00::", "fd00::1:0", 65536 },
		{ "::", "::ffff:ffff:ffff:ffff", UINT64_MAX },
		{ "::", "0:0:0:1::", UINT64_MAX },
		{ "0:0:0:1::", "0:0:0:2::", UINT64_MAX },
		{ "::1", "0:0:0:1::", UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_addr a = ip(cases[i].a), b = ip(cases[i].b);

		if (ip_distance(&a, &b) != cases[i].n)
			row_fail(i, cases[i].b);
	}
}

static void order_is_family_then_number(void **state)
{
	static const char *const sorted[] = { "0.0.0.0",  "9.255.255.255", "10.0.0.0",
					      "10.0.0.1", "255.0.0.0",	   "::",
					      "::1",	  "fd00::" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sorted); i++)
		for (size_t k = 0; k < ARRAY_LEN(sorted); k++) {
			struct ip_addr a = ip(sorted[i]), b = ip(sorted[k]);
			int r = ip_cmp(&a, &b);

			row_int(i, sorted[k], (r > 0) - (r < 0), (i > k) - (i < k));
			row_int(i, "equal", ip_eq(&a, &b), i == k);
		}
}

static void prefixes_contain_and_overlap(void **state)
{
	static const struct {
		const char *a, *b;
		bool contains, overlaps; /* a contains b's address; a and b overlap */
	} cases[] = {
		{ "10.1.0.0/16", "10.1.255.255/32", true, true },
		{ "10.1.0.0/16", "10.2.0.0/16", false, false },
		{ "10.1.0.0/16", "10.0.0.0/8", false, true },
		{ "0.0.0.0/0", "10.0.0.1/32", true, true },
		{ "0.0.0.0/0", "::1/128", false, false },
		{ "::/0", "::1/128", true, true },
		{ "fd00::/65", "fd00::8000:0:0:0/65", false, false },
		{ "10.1.0.1/31", "10.1.0.0/31", true, true },
		{ "10.0.0.0/8", "10.0.0.0/8", true, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_prefix a = net(cases[i].a), b = net(cases[i].b);

		row_int(i, "contains", ip_prefix_contains(&a, &b.addr), cases[i].contains);
		row_int(i, "overlaps", ip_prefix_overlaps(&a, &b), cases[i].overlaps);
		row_int(i, "overlaps", ip_prefix_overlaps(&b, &a), cases[i].overlaps);
	}
}

static void special_addresses_are_known(void **state)
{
	static const struct {
		const char *text;
		bool any, loopback;
	} cases[] = {
		{ "0.0.0.0", true, false },    { "::", true, false },
		{ "127.0.0.1", false, true },  { "127.9.9.9", false, true },
		{ "::1", false, true },	       { "::2", false, false },
		{ "128.0.0.1", false, false }, { "10.0.0.0", false, false },
	};
	struct ip_addr unset = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_addr a = ip(cases[i].text);

		row_int(i, "any", ip_is_any(&a), cases[i].any);
		row_int(i, "loopback", ip_is_loopback(&a), cases[i].loopback);
		assert_true(ip_is_set(&a));
	}
	assert_false(ip_is_set(&unset));
	assert_false(ip_is_any(&unset));
	assert_false(ip_is_loopback(&unset));
	struct ip_prefix d4 = net("0.0.0.0/0"), d6 = net("::/0"), no = net("0.0.0.0/1"),
			 nothing = { 0 };
	assert_true(ip_prefix_is_default(&d4) && ip_prefix_is_default(&d6));
	assert_false(ip_prefix_is_default(&no) || ip_prefix_is_default(&nothing));
	assert_true(ip_prefix_eq(&d4, &d4));
	assert_false(ip_prefix_eq(&d4, &d6) || ip_prefix_eq(&d4, &no));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_printed_as_go_does),
		cmocka_unit_test(texts_are_those_of_libc),
		cmocka_unit_test(prefixes_keep_their_host_bits),
		cmocka_unit_test(arithmetic_carries_and_wraps),
		cmocka_unit_test(the_distance_is_the_number_of_steps),
		cmocka_unit_test(order_is_family_then_number),
		cmocka_unit_test(prefixes_contain_and_overlap),
		cmocka_unit_test(special_addresses_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
