// SPDX-License-Identifier: GPL-2.0-or-later
/* Plans as legacy rules, in the words of iptables-save. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <netinet/in.h>

#include "netlib/base/str.h"
#include "netlib/fw/fw.h"
#include "netlib/fw/iptplan.h"

#define BOTH (FW_MASQ | FW_DNAT)

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(text, &p), 0);
	return p;
}

static struct fw_dnat mapping(const char *map, const char *to)
{
	struct fw_dnat d = { .to = prefix(to), .snat = true };

	assert_int_equal(port_map_parse(map, &d.map, NULL), 0);
	return d;
}

static int say(const struct ipt_want *w, void *arg, struct err *e)
{
	static const char *const place[] = { "", " (front)", " (own)", " (entry)" };

	(void)e;
	ipt_rule_text(arg, w->chain, &w->rule);
	str_addf(arg, "%s\n", place[w->place]);
	return 0;
}

static const struct fw_owner owner = { "net1", "cont1", "eth0" };

static void plans_are_the_rules_of_the_reference(void **state)
{
	static const char *const words[] = { "-i", "eth0", "!", "-s", "10.0.0.0/8" };
	const struct fw_masq masq[] = { { prefix("10.1.0.2/16") }, { prefix("fd00:1::2/64") } };
	struct fw_dnat dnat[] = {
		mapping("8080:80", "10.1.0.2/16"),
		mapping("127.0.0.1:53:53/udp", "10.1.0.2/16"),
		mapping("6000-6010:6000-6010", "10.1.0.2/16"),
		mapping("7000-7002:80-82/sctp", "10.1.0.2/16"),
		mapping("8080:80", "fd00:1::2/64"),
		mapping("[2001:db8::1]:53:53/udp", "fd00:1::2/64"),
	};
	struct fw_dnat plain[] = { mapping("80:8080", "10.1.0.2/16"),
				   mapping("81:8081", "10.1.0.2/16") };
	const struct fw_ipt extra = { .mark = 1u << 5,
				      .set_mark_chain = "KUBE-MARK-MASQ",
				      .conditions = { words },
				      .nconditions = { ARRAY_LEN(words) } };
	const struct fw_plan plans[] = {
		{ .owner = owner, .masq = masq, .nmasq = 2, .dnat = dnat, .ndnat = 6 },
		{ .owner = owner, .dnat = plain, .ndnat = 2, .ipt = &extra },
	};
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	cleanup_str struct str s = STR_INIT;

	(void)state;
	plain[0].masq_all = true;
	plain[1].snat = false;
	for (size_t i = 0; i < ARRAY_LEN(plans); i++)
		for (size_t f = 0; f < ARRAY_LEN(families); f++) {
			str_addf(&s, "# plan %zu, %s\n", i + 1, f ? "IPv6" : "IPv4");
			assert_int_equal(ipt_plan_each(&plans[i], families[f], BOTH, say, &s, NULL),
					 0);
		}
	assert_golden("tests/golden/iptables.txt", s.p);
}

static void ports_are_fifteen_to_an_entry_and_a_range_counts_twice(void **state)
{
	struct fw_dnat dnat[17];
	const struct fw_plan p = { .owner = owner, .dnat = dnat, .ndnat = ARRAY_LEN(dnat) };
	cleanup_str struct str s = STR_INIT;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(dnat); i++) {
		dnat[i] = mapping("1:80", "10.1.0.2/16");
		dnat[i].map.host_port = (uint16_t)(1000 + i);
		dnat[i].snat = false;
	}
	dnat[14] = mapping("6000-6010:6000-6010", "10.1.0.2/16");
	dnat[14].snat = false;
	assert_int_equal(ipt_plan_each(&p, AF_INET, BOTH, say, &s, NULL), 0);
	assert_non_null(strstr(s.p, "-m multiport --dports 1000,1001,1002,1003,1004,1005,1006,1007,"
				    "1008,1009,1010,1011,1012,1013 -j"));
	assert_non_null(strstr(s.p, "-m multiport --dports 6000:6010,1015,1016 -j"));
}

static const struct {
	const char *comment, *network, *owner, *words;
	bool in;
} comments[] = {
	{ "name: \"net1\" id: \"c1\"", "net1", "net1/c1", "container c1 of network net1", true },
	{ "dnat name: \"net1\" id: \"c1\"", "net1", "net1/c1", "container c1 of network net1",
	  true },
	{ "name: \"net1\" id: \"c1\"", "net", "net1/c1", "container c1 of network net1", false },
	{ "name: \"net\" id: \"c1\"", "net1", "net/c1", "container c1 of network net", false },
	{ "name: \"net1\" id: \"c1..", "net1", "net1/c1..", "container c1.. of network net1",
	  true },
	{ "kubernetes service portals", "net1", NULL,
	  "an owner not known to us (\"kubernetes service portals\")", false },
	{ "", "net1", NULL, "an owner not known to us (\"\")", false },
};

static void comments_say_whose_a_rule_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(comments); i++) {
		char text[IPT_COMMENT_MAX] = "", words[IPT_OWNER_WORDS_MAX];

		row_int(i, "in network",
			ipt_comment_in_network(comments[i].comment, comments[i].network),
			comments[i].in);
		row_int(i, "owner", ipt_comment_owner(comments[i].comment, text, sizeof text),
			comments[i].owner != NULL);
		row_text(i, "owner", text, comments[i].owner ? comments[i].owner : "");
		row_text(i, "words", ipt_comment_words(comments[i].comment, words),
			 comments[i].words);
	}
}

static void long_names_are_cut_and_still_told_apart(void **state)
{
	char network[251] = "", other[251] = "";
	struct ipt_names n;

	(void)state;
	memset(network, 'n', sizeof network - 1);
	memset(other, 'n', sizeof other - 1);
	other[3] = 'o';
	ipt_names(&n, network, "c1");
	assert_int_equal(strlen(n.dnat_comment), 255);
	assert_string_equal(n.dnat_comment + 253, "..");
	assert_int_equal(strlen(n.masq), 28);
	assert_int_equal(strlen(n.dnat), 28);
	assert_true(ipt_comment_in_network(n.dnat_comment, network));
	assert_false(ipt_comment_in_network(n.dnat_comment, other));
	assert_false(ipt_comment_in_network(n.dnat_comment, "nnn"));
}

static void a_condition_that_is_not_understood_is_named(void **state)
{
	static const char *const words[] = { "--syn" };
	struct fw_dnat dnat = mapping("80:8080", "10.1.0.2/16");
	const struct fw_ipt extra = { .conditions = { words }, .nconditions = { 1 } };
	const struct fw_plan p = { .owner = owner, .dnat = &dnat, .ndnat = 1, .ipt = &extra };
	cleanup_str struct str s = STR_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(ipt_plan_each(&p, AF_INET, BOTH, say, &s, &e), -EINVAL);
	assert_non_null(strstr(e.text, "/conditionsV4: \"--syn\" is no option"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_are_the_rules_of_the_reference),
		cmocka_unit_test(ports_are_fifteen_to_an_entry_and_a_range_counts_twice),
		cmocka_unit_test(comments_say_whose_a_rule_is),
		cmocka_unit_test(long_names_are_cut_and_still_told_apart),
		cmocka_unit_test(a_condition_that_is_not_understood_is_named),
	};

	return cmocka_run_group_tests_name("iptplan", tests, NULL, NULL);
}
