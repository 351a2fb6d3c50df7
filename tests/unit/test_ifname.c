// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/ip/ifname.h"
#include "tests/unit/unit.h"

#define BAD "contains a character that interface names cannot have ('/', ':', '%' or white space)"
#define RESERVED "is what the kernel calls the settings of all interfaces, hence refused by it"

static void each_rule_has_its_half_sentence(void **state)
{
	static const struct {
		const char *name, *problem;
	} cases[] = {
		{ "eth0", NULL },
		{ "a", NULL },
		{ "123456789012345", NULL },
		{ "eth0.100", NULL },
		{ "a..b", NULL },
		{ "...", NULL },
		{ "-", NULL },
		{ "\xc3\xa4\xe2\x82\xac", NULL },
		{ "lo", NULL },
		{ "all1", NULL },
		{ "Default", NULL },
		{ "a@b", NULL },
		{ "", "is empty" },
		{ "1234567890123456", "is longer than 15 characters" },
		{ ".", "is . or .." },
		{ "..", "is . or .." },
		{ "all", RESERVED },
		{ "default", RESERVED },
		{ "a/b", BAD },
		{ "/", BAD },
		{ "a:b", BAD },
		{ "eth%d", BAD },
		{ "%", BAD },
		{ "a b", BAD },
		{ " ", BAD },
		{ "a\n", BAD },
		{ "a\tb", BAD },
		{ "\x01", BAD },
		{ "a\x7f", BAD },
		{ "a\xc2\xa0", BAD },
		{ "a\xc2\x85", BAD },
		{ "a\xe1\x9a\x80", BAD },
		{ "a\xe2\x80\x83", BAD },
		{ "a\xe2\x80\xa8", BAD },
		{ "a\xe3\x80\x80", BAD },
		{ "\xff", "is not valid UTF-8" },
		{ "a\xc3", "is not valid UTF-8" },
		{ "\xc0\xaf", "is not valid UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = ifname_problem(cases[i].name);

		row_text(i, cases[i].name, got ? got : "fine",
			 cases[i].problem ? cases[i].problem : "fine");
	}
}

static void a_derived_name_is_stable_valid_and_depends_on_every_part(void **state)
{
	static const struct {
		const char *network, *container, *ifname;
		unsigned salt;
	} others[] = {
		{ "net2", "c1", "eth0", 0 }, { "net", "c2", "eth0", 0 }, { "net", "c1", "eth1", 0 },
		{ "net", "c1", "eth0", 1 },  { "ne", "tc1", "eth0", 0 }, { "net", "c1e", "th0", 0 },
		{ "", "", "", 0 },
	};
	char name[IFNAME_MAX], other[IFNAME_MAX];

	(void)state;
	ifname_derive(name, "veth", "net", "c1", "eth0", 0);
	/* DEL of what an older version made finds it by this name */
	assert_string_equal(name, "veth5e4dccb6");
	assert_null(ifname_problem(name));
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		ifname_derive(other, "veth", others[i].network, others[i].container,
			      others[i].ifname, others[i].salt);
		assert_string_not_equal(name, other);
	}
	ifname_derive(name, "a-long-prefix", "net", "c1", "eth0", 0);
	assert_string_equal(name, "a-long-5e4dccb6");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_has_its_half_sentence),
		cmocka_unit_test(a_derived_name_is_stable_valid_and_depends_on_every_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
