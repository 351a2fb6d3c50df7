// SPDX-License-Identifier: GPL-2.0-or-later
/* iptables' words, text and bytes without a kernel; netns/test_ipt.c compares with iptables. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <netinet/in.h>

#include "netlib/base/str.h"
#include "netlib/fw/iptrule.h"

/* what is said, and how iptables-save says it; NULL: the same */
static const struct {
	int family;
	const char *words, *text;
} good[] = {
	{ AF_INET, "-s 10.1.0.0/16 -j ACCEPT", NULL },
	{ AF_INET, "-s 10.1.0.2 -j ACCEPT", "-s 10.1.0.2/32 -j ACCEPT" },
	{ AF_INET, "-s 10.1.0.2/16 -j RETURN", "-s 10.1.0.0/16 -j RETURN" },
	{ AF_INET, "-s 0.0.0.0/0 -j RETURN", "-j RETURN" },
	{ AF_INET6, "-s ::/0 -d fd00::1 -j DROP", "-d fd00::1/128 -j DROP" },
	{ AF_INET, "! -d 224.0.0.0/4 -j MASQUERADE", NULL },
	{ AF_INET6, "! -d ff00::/8 -j MASQUERADE", NULL },
	{ AF_INET, "! -i lo -o eth+ -j DROP", NULL },
	{ AF_INET, "-p tcp --dport 80 -j DNAT --to-destination 10.1.0.2:8080",
	  "-p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.0.2:8080" },
	{ AF_INET, "-p udp -m udp --sport 1:9 --dport 80: -g CHAIN",
	  "-p udp -m udp --sport 1:9 --dport 80:65535 -g CHAIN" },
	{ AF_INET, "-p sctp -m sctp ! --dport 80", NULL },
	{ AF_INET6, "-p tcp -m tcp --dport 80 -j DNAT --to-destination [fd00:1::2]:80", NULL },
	{ AF_INET6, "-j DNAT --to-destination fd00:1::2", NULL },
	{ AF_INET, "-j DNAT --to-destination 10.1.0.2:80-90", NULL },
	{ AF_INET, "-p tcp -j DNAT --to-destination :80", NULL },
	{ AF_INET, "-m comment --comment \"a \\\"b\\\" 'c'\" -j X",
	  "-m comment --comment \"a \\\"b\\\" \\'c\\'\" -j X" },
	{ AF_INET, "-m comment --comment plain_1-2", NULL },
	{ AF_INET, "-m comment --comment a.b", "-m comment --comment \"a.b\"" },
	{ AF_INET, "-m multiport -p tcp --destination-ports 80,90:99,443 -j X",
	  "-p tcp -m multiport --dports 80,90:99,443 -j X" },
	{ AF_INET, "-p udp -m multiport ! --sports 1,2", NULL },
	{ AF_INET, "-p udp -m multiport --ports 1", NULL },
	{ AF_INET, "-m mark --mark 0x2000/0x2000 -j MASQUERADE", NULL },
	{ AF_INET, "-m mark ! --mark 16", "-m mark ! --mark 0x10" },
	{ AF_INET, "-j MARK --set-xmark 0x2000/0x2000", NULL },
	{ AF_INET, "-j MARK --set-mark 1/2", "-j MARK --set-xmark 0x1/0x3" },
	{ AF_INET, "-j MARK --or-mark 0x4000", "-j MARK --set-xmark 0x4000/0x4000" },
	{ AF_INET, "-m conntrack --ctstate ESTABLISHED,related -j ACCEPT",
	  "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT" },
	{ AF_INET6, "-m conntrack ! --ctstate NEW,DNAT", NULL },
	{ AF_INET, "-m addrtype --dst-type LOCAL -j X", NULL },
	{ AF_INET, "-m addrtype ! --src-type LOCAL,UNICAST --dst-type MULTICAST",
	  "-m addrtype ! --src-type UNICAST,LOCAL --dst-type MULTICAST" },
	{ AF_INET, "-p icmp -j DROP", NULL },
	{ AF_INET6, "-p icmpv6 -j DROP", "-p ipv6-icmp -j DROP" },
	{ AF_INET, "! -p 47", NULL },
	{ AF_INET,
	  "--source 10.0.0.1 --in-interface a --protocol tcp --destination-port 1 --jump X",
	  "-s 10.0.0.1/32 -i a -p tcp -m tcp --dport 1 -j X" },
	{ AF_INET, "", "" },
};

static void words_become_the_text_that_iptables_saves(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const char *want = good[i].text ? good[i].text : good[i].words;
		cleanup_str struct str s = STR_INIT;
		struct err e = ERR_INIT;
		struct ipt_rule r;

		if (ipt_rule_line(&r, (uint8_t)good[i].family, &e, "%s", good[i].words) < 0)
			fail_msg("%s: %s", good[i].words, e.text);
		ipt_rule_text(&s, "C", &r);
		cleanup_free char *got = str_take(&s);
		row_text(i, good[i].words, got + strlen("-A C") + (got[4] != 0), want);
	}
}

static void bytes_say_what_the_rule_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		_Alignas(8) uint8_t entry[IPT_ENTRY_MAX];
		struct ipt_rule r, back;

		assert_int_equal(ipt_rule_line(&r, (uint8_t)good[i].family, NULL, "%s",
					       good[i].words),
				 0);
		size_t n = ipt_rule_encode(&r, entry);
		assert_true(n % 8 == 0 && n < IPT_ENTRY_MAX);
		ipt_rule_decode(&back, r.family, entry, r.target.name, true);
		if (back.foreign || !ipt_rule_eq(&r, &back))
			row_fail(i, good[i].words);
	}
}

static const struct {
	const char *words, *text;
} wrong[] = {
	{ "-s example.org", "-s: expected an address or a subnet (names and masks are not "
			    "understood), got \"example.org\"" },
	{ "-s fd00::1", "-s: expected IPv4, got \"fd00::1\"" },
	{ "-s", "-s: expected a value after it" },
	{ "!", "\"!\": expected an option after it" },
	{ "! -j X", "-j: \"!\" cannot stand before it" },
	{ "-i 0123456789abcdef",
	  "-i: expected an interface name of at most 15 characters, got \"0123456789abcdef\"" },
	{ "-p quic", "-p: expected a protocol such as tcp, udp, sctp, icmp or its number, got "
		     "\"quic\"" },
	{ "--dport 80", "--dport: expected -p tcp, -p udp or -p sctp before it" },
	{ "-p tcp --dport 70000", "--dport: expected a port number or FIRST:LAST, got \"70000\"" },
	{ "-p tcp --dport 9:1", "--dport: expected a port number or FIRST:LAST, got \"9:1\"" },
	{ "-p tcp --dport http", "--dport: expected a port number or FIRST:LAST, got \"http\"" },
	{ "-m set --match-set x src",
	  "-m: expected comment, tcp, udp, sctp, multiport, mark, conntrack or addrtype, got "
	  "\"set\"" },
	{ "-s 10.0.0.1 -s 10.0.0.2", "-s: can be given only once" },
	{ "-o cni0 ! -o cni1", "-o: can be given only once" },
	{ "-p tcp -p udp", "-p: can be given only once" },
	{ "! -s 0.0.0.0/0", "-s: expected not all addresses, got \"0.0.0.0/0\"" },
	{ "! -p all", "-p: expected a protocol such as tcp, udp, sctp, icmp or its number, got "
		      "\"all\"" },
	{ "-m multiport", "-m multiport: expected an option of it" },
	{ "-m conntrack", "-m conntrack: expected an option of it" },
	{ "-m addrtype", "-m addrtype: expected an option of it" },
	{ "-j DNAT", "-j DNAT: expected an option of it" },
	{ "-j MARK", "-j MARK: expected an option of it" },
	{ "--comment x", "--comment: expected \"-m comment\" before it" },
	{ "-m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14:15,16",
	  "--dports: expected at most 15 ports, of which a range counts as two, got "
	  "\"1,2,3,4,5,6,7,8,9,10,11,12,13,14:15,16\"" },
	{ "-m mark --mark x", "--mark: expected a number of 32 bits, got \"x\"" },
	{ "-m conntrack --ctstate OLD",
	  "--ctstate: expected a list of INVALID, NEW, RELATED, ESTABLISHED, UNTRACKED, SNAT and "
	  "DNAT, got \"OLD\"" },
	{ "-j X -j Y", "-j: the rule has a target already (X)" },
	{ "-j aaaaaaaaaabbbbbbbbbbccccccccccd",
	  "-j: expected a target or a chain's name of at most 28 characters, got "
	  "\"aaaaaaaaaabbbbbbbbbbccccccccccd\"" },
	{ "-j X --to-destination 10.0.0.1", "--to-destination: expected \"-j DNAT\" before it" },
	{ "-j DNAT --to-destination 10.0.0.1:x",
	  "--to-destination: expected a port number or FIRST:LAST, got \"x\"" },
	{ "-m comment -m comment -m comment -m comment -m comment -m comment -m comment -m comment "
	  "-m comment",
	  "more than 8 matches in one rule" },
};

static void what_is_not_understood_is_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct err e = ERR_INIT;
		struct ipt_rule r;

		assert_true(ipt_rule_line(&r, AF_INET, &e, "%s", wrong[i].words) < 0);
		row_text(i, wrong[i].words, e.text, wrong[i].text);
	}
}

static void an_unknown_option_is_named_with_those_that_are_known(void **state)
{
	struct err e = ERR_INIT;
	struct ipt_rule r;

	(void)state;
	assert_int_equal(ipt_rule_line(&r, AF_INET, &e, "--syn x"), -EINVAL);
	assert_string_equal(
		e.text,
		"\"--syn\" is no option that is understood here; those are: -s --src -d --dst -i -o "
		"-p --proto -m --comment --sport --dport --sports --dports --ports --mark --ctstate "
		"--src-type --dst-type -j -g --to-destination --set-xmark --set-mark --or-mark");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_become_the_text_that_iptables_saves),
		cmocka_unit_test(bytes_say_what_the_rule_said),
		cmocka_unit_test(what_is_not_understood_is_refused_by_name),
		cmocka_unit_test(an_unknown_option_is_named_with_those_that_are_known),
	};

	return cmocka_run_group_tests_name("iptrule", tests, NULL, NULL);
}
