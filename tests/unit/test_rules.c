// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/fw/fw.h"
#include "netlib/fw/owner.h"
#include "netlib/fw/rules.h"

#define GOLDEN "tests/golden/"

/* GOLDEN=write makes the files anew; look at the difference before committing it. */
static void assert_golden(const char *path, const char *text)
{
	const char *mode = getenv("GOLDEN");
	struct err e = ERR_INIT;

	if (mode && !strcmp(mode, "write")) {
		FILE *f = fopen(path, "we");

		assert_non_null(f);
		assert_true(fputs(text, f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
	cleanup_free char *want = NULL;
	if (file_read_at(AT_FDCWD, path, 1 << 20, &want, NULL, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(text, want);
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(text, &p), 0);
	return p;
}

static struct fw_dnat mapping(const char *map, const char *to, bool snat, bool masq_all)
{
	struct fw_dnat d = { .to = prefix(to), .snat = snat, .masq_all = masq_all };

	assert_int_equal(port_map_parse(map, &d.map, NULL), 0);
	return d;
}

static const struct fw_owner owner = { "mynet", "cont1", "eth0" };

static void assert_plan_golden(const char *path, const struct fw_plan *p)
{
	cleanup_elems struct fw_elems l = FW_ELEMS_INIT;
	cleanup_str struct str s = STR_INIT;
	char text[FW_OWNER_MAX];

	fw_owner_text(text, &p->owner);
	assert_int_equal(fw_plan_elements(p, &l, NULL), 0);
	fw_plan_text(&s, &l, text);
	assert_golden(path, s.p);
}

static void the_fixed_part_is_the_golden_text(void **state)
{
	cleanup_str struct str s = STR_INIT;

	(void)state;
	fw_base_text(&s, FW_MASQ | FW_DNAT);
	assert_golden(GOLDEN "fw-base.nft", s.p);
}

static void forwarding_has_chains_of_its_own(void **state)
{
	cleanup_str struct str s = STR_INIT;

	(void)state;
	fw_base_text(&s, FW_ALL);
	assert_golden(GOLDEN "fw-base-forward.nft", s.p);
}

static struct ip_addr address(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(text, &a), 0);
	return a;
}

static void an_accepted_address_is_one_element_and_an_isolated_one_has_its_bridges_set(void **state)
{
	const struct ip_addr accept[] = { address("10.1.0.2"), address("fd00:1::2"),
					  address("10.1.0.2") };
	const struct fw_isolate isolate[] = { { accept[0], "cni0", false },
					      { accept[1], "cni0", false },
					      { accept[0], "br+1", true } };
	const struct fw_plan p = { .owner = owner,
				   .accept = accept,
				   .naccept = ARRAY_LEN(accept),
				   .isolate = isolate,
				   .nisolate = ARRAY_LEN(isolate) };

	(void)state;
	assert_plan_golden(GOLDEN "fw-forward.nft", &p);
}

static void a_bridge_that_cannot_be_one_is_refused(void **state)
{
	static const char *const names[] = { "", "a-name-of-sixteen" };
	struct fw_elems l = FW_ELEMS_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct fw_isolate isolate = { address("10.1.0.2"), names[i], false };
		const struct fw_plan p = { .owner = owner, .isolate = &isolate, .nisolate = 1 };
		struct err e = ERR_INIT;

		assert_int_equal(fw_plan_elements(&p, &l, &e), -EINVAL);
		assert_non_null(strstr(e.text, "is no name of an interface"));
	}
}

static void an_element_is_told_in_words(void **state)
{
	const struct ip_addr a = address("10.1.0.2");
	const struct fw_isolate isolate[] = { { a, "cni0", false }, { a, "cni0", true } };
	const struct fw_plan p = {
		.owner = owner, .accept = &a, .naccept = 1, .isolate = isolate, .nisolate = 2
	};
	static const char *const words[][2] = {
		{ "accept", "10.1.0.2 forwarded" },
		{ "isolate", "10.1.0.2 from bridges other than cni0" },
		{ "isolate", "10.1.0.2 from bridges and from cni0" },
	};
	cleanup_elems struct fw_elems l = FW_ELEMS_INIT;
	char buf[FW_ELEM_WORDS_MAX];

	(void)state;
	assert_int_equal(fw_plan_parts(&p), FW_ACCEPT | FW_ISOLATE);
	assert_int_equal(fw_plan_elements(&p, &l, NULL), 0);
	assert_int_equal(l.n, ARRAY_LEN(words));
	for (size_t i = 0; i < l.n; i++) {
		assert_string_equal(fw_elem_what(&l.elem[i]), words[i][0]);
		assert_string_equal(fw_elem_words(&l.elem[i], buf), words[i][1]);
	}
}

static void masquerade_is_a_set_with_a_rule_by_subnet_and_an_element(void **state)
{
	const struct fw_masq masq[] = { { prefix("10.1.0.2/16") },
					{ prefix("fd00:1::2/64") },
					{ prefix("192.168.7.77/26") },
					{ prefix("10.1.0.2/16") } };
	const struct fw_plan p = { .owner = owner, .masq = masq, .nmasq = ARRAY_LEN(masq) };

	(void)state;
	assert_plan_golden(GOLDEN "fw-masquerade.nft", &p);
}

static void every_kind_of_mapping_is_the_golden_text(void **state)
{
	const struct fw_dnat dnat[] = {
		mapping("8080:80", "10.1.0.2/16", true, false),
		mapping("127.0.0.1:53:53/udp", "10.1.0.2/16", true, false),
		mapping("6000-6099:6000-6099/udp", "10.1.0.2/16", true, false),
		mapping("192.0.2.1:7000-7005:7000-7005", "10.1.0.2/16", true, false),
		mapping("9000-9002:80-82", "10.1.0.2/16", true, false),
		mapping("9090:90/sctp", "10.1.0.2/16", true, true),
		mapping("9091:91", "10.1.0.2/16", false, false),
		mapping("8080:80", "fd00:1::2/64", true, false),
		mapping("[2001:db8::1]:8081:81", "fd00:1::2/64", true, false),
		mapping("6000-6099:6000-6099/udp", "fd00:1::2/64", true, true),
	};
	const struct fw_plan p = { .owner = owner, .dnat = dnat, .ndnat = ARRAY_LEN(dnat) };

	(void)state;
	assert_plan_golden(GOLDEN "fw-ports.nft", &p);
}

static void a_host_address_of_all_zeros_is_none(void **state)
{
	const struct fw_dnat dnat[] = { mapping("0.0.0.0:8080:80", "10.1.0.2/16", false, false),
					mapping("[::]:8080:80", "fd00:1::2/64", false, false) };
	const struct fw_plan p = { .owner = owner, .dnat = dnat, .ndnat = 2 };
	cleanup_elems struct fw_elems l = FW_ELEMS_INIT;

	(void)state;
	assert_int_equal(fw_plan_elements(&p, &l, NULL), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.elem[0].set.kind, FW_KIND_DNAT);
	assert_int_equal(l.elem[1].set.kind, FW_KIND_DNAT);
}

static void what_cannot_be_mapped_is_refused_with_a_sentence(void **state)
{
	static const struct {
		struct port_map map;
		const char *to;
		int no;
		const char *text;
	} cases[] = {
		{ { IPPROTO_TCP, 80, 80, 1, { AF_INET6, { 0x20, 1 } } },
		  "10.1.0.2/16",
		  -EINVAL,
		  "port mapping [2001::]:80:80/tcp cannot lead to 10.1.0.2: one is IPv4, the other IPv6" },
		{ { IPPROTO_ICMP, 80, 80, 1 },
		  "10.1.0.2/16",
		  -EINVAL,
		  "port mapping 80:80/?: protocol 1 cannot be mapped, expected tcp, udp or sctp" },
		{ { IPPROTO_TCP, 0, 80, 1 },
		  "10.1.0.2/16",
		  -EINVAL,
		  "port mapping 0:80/tcp: ports must be 1..65535" },
		{ { IPPROTO_TCP, 80, 0, 1 },
		  "10.1.0.2/16",
		  -EINVAL,
		  "port mapping 80:0/tcp: ports must be 1..65535" },
		{ { IPPROTO_TCP, 80, 80, 0 },
		  "10.1.0.2/16",
		  -EINVAL,
		  "port mapping 80:80/tcp: ports must be 1..65535" },
		{ { IPPROTO_TCP, 65535, 65535, 2 },
		  "10.1.0.2/16",
		  -EINVAL,
		  "port mapping 65535-65536:65535-65536/tcp: ports must be 1..65535" },
		{ { IPPROTO_TCP, 1000, 2000, 4097 },
		  "10.1.0.2/16",
		  -E2BIG,
		  "port mapping 1000-5096:2000-6096/tcp: a range that changes the port numbers takes one entry a port and is limited "
		  "to 4096, got 4097; equal ranges on both sides have no limit" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct fw_dnat d = { .map = cases[i].map, .to = prefix(cases[i].to) };
		const struct fw_plan p = { .owner = owner, .dnat = &d, .ndnat = 1 };
		struct fw_elems l = FW_ELEMS_INIT;
		struct err e = ERR_INIT;

		assert_int_equal(fw_plan_elements(&p, &l, &e), cases[i].no);
		assert_string_equal(e.text, cases[i].text);
	}
}

static void equal_ranges_of_any_length_are_one_element(void **state)
{
	const struct fw_dnat d = mapping("1-65535:1-65535", "10.1.0.2/16", false, false);
	const struct fw_plan p = { .owner = owner, .dnat = &d, .ndnat = 1 };
	cleanup_elems struct fw_elems l = FW_ELEMS_INIT;

	(void)state;
	assert_int_equal(fw_plan_elements(&p, &l, NULL), 0);
	assert_int_equal(l.n, 1);
}

static void mappings_of_one_request_that_meet_are_refused(void **state)
{
	static const struct {
		const char *a, *b, *text; /* NULL: they do not meet */
	} cases[] = {
		{ "80:80", "80:81",
		  "host port 80/tcp is mapped twice: it meets 80/tcp of the same request" },
		{ "80:80", "127.0.0.1:80:81",
		  "host port 127.0.0.1:80/tcp is mapped twice: it meets 80/tcp of the same request" },
		{ "80-90:80-90", "85:1",
		  "host port 85/tcp is mapped twice: it meets 80-90/tcp of the same request" },
		{ "80-90:80-90", "90-99:90-99",
		  "host port 90-99/tcp is mapped twice: it meets 80-90/tcp of the same request" },
		{ "80-82:90-92", "82:1",
		  "host port 82/tcp is mapped twice: it meets 82/tcp of the same request" },
		{ "80:80", "80:80/udp", NULL },
		{ "80-90:80-90", "91:1", NULL },
		{ "127.0.0.1:80:80", "127.0.0.2:80:81", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct fw_dnat d[] = { mapping(cases[i].a, "10.1.0.2/16", true, false),
					     mapping(cases[i].b, "10.1.0.3/16", true, false) };
		const struct fw_plan p = { .owner = owner, .dnat = d, .ndnat = 2 };
		cleanup_elems struct fw_elems l = FW_ELEMS_INIT;
		struct err e = ERR_INIT;

		assert_int_equal(fw_plan_elements(&p, &l, &e), cases[i].text ? -EINVAL : 0);
		if (cases[i].text)
			assert_string_equal(e.text, cases[i].text);
	}
}

static void names_of_sets_are_read_back(void **state)
{
	static const char *const names[] = {
		"dnat4",
		"dnat4_ip",
		"range4",
		"dnat6",
		"dnat6_ip",
		"range6",
		"masq-10.1.0.0-16",
		"masq-fd00_1__-64",
		"snat-10.1.0.0-16",
		"snat-ip-10.1.0.0-16",
		"snat-range-fd00_1__-64",
		"snat-all4",
		"snat-range-all6",
		"masq-10.1.0.2-32",
		"snat-ip-2001_db8_1_2_3_4_5_6-128",
		"accept4",
		"accept6",
		"same4-cni0",
		"same6-br-a.b_c",
		"alone4-a/3ab",
		"alone6-fifteen-letters",
	};
	static const char *const others[] = {
		"",
		"dnat",
		"dnat5",
		"masq-",
		"masq-10.1.0.0",
		"masq-10.1.0.0-",
		"masq-10.1.0.0-33",
		"masq-10.1.0.0-016",
		"snat-all",
		"masq-fd00:1::-64",
		"snat-range-",
		"masq-10.1.0.0-16x",
		"hostports",
		"accept",
		"accept5",
		"same4-",
		"same5-cni0",
		"same-cni0",
		"same4-fifteen-letters-",
		"same4-a/3",
		"same4-a/3A",
		"same4-a/61",
		"alone4-a:b",
	};
	char again[FW_NAME_MAX];
	struct fw_set s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(fw_set_parse(names[i], &s), 0);
		fw_set_name(&s, again);
		assert_string_equal(again, names[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(fw_set_parse(others[i], &s), -EINVAL);
}

static void an_owner_is_one_text_and_is_told_in_words(void **state)
{
	static const char long_id[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		"0123456789abcdef0123456789abcdef";
	const struct fw_owner cut = { "mynet", long_id, "eth0" },
			      cut_too = { "mynet", long_id, "eth1" };
	char a[FW_OWNER_MAX], b[FW_OWNER_MAX], words[FW_OWNER_WORDS_MAX];

	(void)state;
	fw_owner_text(a, &owner);
	assert_string_equal(fw_owner_names(a), "mynet/cont1/eth0");
	assert_string_equal(fw_owner_words(a, words),
			    "container cont1 of network mynet (interface eth0)");
	assert_true(fw_owner_in_network(a, "mynet"));
	assert_false(fw_owner_in_network(a, "myne"));
	assert_false(fw_owner_in_network(a, "mynet2"));

	fw_owner_text(a, &cut);
	fw_owner_text(b, &cut_too);
	assert_int_equal(strlen(a), FW_OWNER_MAX - 1);
	assert_string_equal(fw_owner_names(a), fw_owner_names(b));
	assert_string_not_equal(a, b); /* what was cut is in the hash */
	assert_true(fw_owner_in_network(a, "mynet"));
	assert_non_null(strstr(fw_owner_words(a, words), "... of network mynet"));
}

static void an_owner_cannot_break_out_of_the_comment(void **state)
{
	const struct fw_owner bad = { "n\"; drop", "c\n\x01", "eth0" };
	char a[FW_OWNER_MAX];

	(void)state;
	fw_owner_text(a, &bad);
	assert_string_equal(fw_owner_names(a), "n?; drop/c?"
					       "?/eth0");
}

static void a_comment_of_somebody_else_is_quoted(void **state)
{
	char words[FW_OWNER_WORDS_MAX];

	(void)state;
	assert_string_equal(fw_owner_words("my rule", words),
			    "an owner not known to us (\"my rule\")");
	assert_string_equal(fw_owner_words("", words), "an owner not known to us (\"\")");
	assert_false(fw_owner_in_network("mynet/cont1/eth0", "mynet"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fixed_part_is_the_golden_text),
		cmocka_unit_test(forwarding_has_chains_of_its_own),
		cmocka_unit_test(
			an_accepted_address_is_one_element_and_an_isolated_one_has_its_bridges_set),
		cmocka_unit_test(a_bridge_that_cannot_be_one_is_refused),
		cmocka_unit_test(an_element_is_told_in_words),
		cmocka_unit_test(masquerade_is_a_set_with_a_rule_by_subnet_and_an_element),
		cmocka_unit_test(every_kind_of_mapping_is_the_golden_text),
		cmocka_unit_test(a_host_address_of_all_zeros_is_none),
		cmocka_unit_test(what_cannot_be_mapped_is_refused_with_a_sentence),
		cmocka_unit_test(equal_ranges_of_any_length_are_one_element),
		cmocka_unit_test(mappings_of_one_request_that_meet_are_refused),
		cmocka_unit_test(names_of_sets_are_read_back),
		cmocka_unit_test(an_owner_is_one_text_and_is_told_in_words),
		cmocka_unit_test(an_owner_cannot_break_out_of_the_comment),
		cmocka_unit_test(a_comment_of_somebody_else_is_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
