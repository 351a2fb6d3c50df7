// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the reference plugins left in nf_tables, through nft or through an iptables that writes
 * nf_tables, goes with DEL and GC, and nothing else goes with it.
 */
#include "tests/lib/call.h"
#include "tests/lib/lab.h"
#include "tests/lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define REFERENCE "/usr/lib/cni"
#define NET "net1"

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	lab_netns_new("c2");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("c1");
	lab_netns_del("c2");
	call_reset_host();
	return 0;
}

static const char *conf(const char *type, const char *more)
{
	return jsonf("{'cniVersion':'1.1.0','name':'" NET "','type':'%s'%s}", type, more);
}

static const char *valid(const char *cid)
{
	return textf(",'cni.dev/valid-attachments':[{'containerID':'%s','ifname':'eth0'}]", cid);
}

static const char *ruleset(const char *table)
{
	return text_keep(lab_out("nft list table %s 2>/dev/null; true", table));
}

static void gone(const char *table, const char *what)
{
	if (strstr(ruleset(table), what))
		lab_fail("%s is still in table %s:\n%s", what, table, ruleset(table));
}

static void there(const char *table, const char *what)
{
	if (!strstr(ruleset(table), what))
		lab_fail("%s is not in table %s any more:\n%s", what, table, ruleset(table));
}

/* ---- through nft: releases from 1.6.0 on, as they write it */

static const char *comment(const char *net, const char *cid)
{
	return text_keep(lab_out("h() { printf %%s \"$1\" | sha512sum | cut -c1-16; };"
				 "echo \"$(h %s)-$(h eth0:%s), net: %s, if: eth0, id: %s\"",
				 net, cid, net, cid));
}

static void make_nft_tables(void)
{
	lab_sh("cat > /run/others.nft <<'E'\n"
	       "table ip cni_hostport {\n"
	       "	chain hostports {\n"
	       "		tcp dport 8081 dnat to 10.1.0.2:80 comment \"c1\"\n"
	       "		tcp dport 8082 dnat to 10.1.0.3:80 comment \"c2\"\n"
	       "		tcp dport 8083 dnat to 10.1.0.4:80 comment \"c11\"\n"
	       "	}\n"
	       "	chain hostip_hostports {\n"
	       "		ip daddr 192.0.2.1 tcp dport 81 dnat to 10.1.0.2:80 comment \"c1\"\n"
	       "	}\n"
	       "	chain hostports_all {\n"
	       "		jump hostip_hostports\n"
	       "		jump hostports\n"
	       "	}\n"
	       "	chain masquerading {\n"
	       "		type nat hook postrouting priority srcnat;\n"
	       "		ip saddr 10.1.0.2 ip daddr 10.1.0.2 masquerade comment \"c1\"\n"
	       "	}\n"
	       "}\n"
	       "table ip6 cni_hostport {\n"
	       "	chain hostports {\n"
	       "		tcp dport 8081 dnat to [fd00:1::2]:80 comment \"c1\"\n"
	       "	}\n"
	       "}\n"
	       "table inet cni_plugins_masquerade {\n"
	       "	chain masq_checks {\n"
	       "		ip saddr 10.1.0.2 ip daddr != 10.1.0.0/16 masquerade comment \"%s\"\n"
	       "		ip saddr 10.1.0.3 ip daddr != 10.1.0.0/16 masquerade comment \"%s\"\n"
	       "		ip saddr 10.9.0.3 ip daddr != 10.9.0.0/16 masquerade comment \"%s\"\n"
	       "	}\n"
	       "}\n"
	       "E\n"
	       "nft -f /run/others.nft",
	       comment(NET, "c1"), comment(NET, "c2"), comment("net2", "c1"));
}

static void del_takes_a_containers_rules_out_of_the_tables_of_nft(void **state)
{
	static const char *const portmap_tables[] = { "ip cni_hostport", "ip6 cni_hostport" };

	(void)state;
	make_nft_tables();
	ok("masquerade", "DEL", conf("masquerade", ""));
	for (int i = 0; i < 2; i++)
		there(portmap_tables[i], "comment \"c1\"");
	gone("inet cni_plugins_masquerade", "net: " NET ", if: eth0, id: c1");
	there("inet cni_plugins_masquerade", "id: c2");
	there("inet cni_plugins_masquerade", "net: net2, if: eth0, id: c1");
	ok("portmap", "DEL", conf("portmap", ""), .netns = "");
	for (int i = 0; i < 2; i++)
		gone(portmap_tables[i], "comment \"c1\"");
	there("ip cni_hostport", "comment \"c2\"");
	there("ip cni_hostport", "comment \"c11\"");
	there("ip cni_hostport", "jump hostports");
	/* and again, with whatever backend */
	ok("portmap", "DEL", conf("portmap", ",'backend':'iptables'"));
}

static void gc_collects_masquerade_by_network(void **state)
{
	(void)state;
	make_nft_tables();
	ok("masquerade", "GC", conf("masquerade", valid("c2")));
	gone("inet cni_plugins_masquerade", "net: " NET ", if: eth0, id: c1");
	there("inet cni_plugins_masquerade", "id: c2");
	there("inet cni_plugins_masquerade", "net: net2, if: eth0, id: c1");
	/* its rules do not say their network: another one may rely on them */
	ok("portmap", "GC", conf("portmap", valid("c2")));
	there("ip cni_hostport", "comment \"c1\"");
}

/* ---- through an iptables that writes nf_tables */

static const char *const search[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };

static void attach(const char *cid)
{
	const char *res = ok(REFERENCE "/bridge", "ADD",
			     jsonf("{'cniVersion':'1.0.0','name':'" NET "','type':'bridge',"
				   "'bridge':'br0','ipMasq':true,'ipam':{'type':'host-local',"
				   "'ranges':[[{'subnet':'10.1.0.0/16'}],[{'subnet':"
				   "'fd00:1::/64'}]]}}"),
			     .cid = cid, .netns = cid, .path = REFERENCE,
			     .env = (char *const *)(uintptr_t)search);

	ok(REFERENCE "/portmap", "ADD",
	   jsonf("{'cniVersion':'1.0.0','name':'" NET "','type':'portmap','runtimeConfig':"
		 "{'portMappings':[{'hostPort':808%c,'containerPort':80,'protocol':'tcp'}]},"
		 "'prevResult':%s}",
		 cid[1], res),
	   .cid = cid, .netns = cid, .env = (char *const *)(uintptr_t)search);
}

/* Lines of both families' saved table nat with these words. */
static int lines(const char *words)
{
	return atoi(text_keep(lab_out("(iptables-nft-save -t nat; ip6tables-nft-save -t nat) "
				      "2>/dev/null | grep -c -- '%s'; true",
				      words)));
}

static int with_reference(void **state)
{
	if (lab_try("test -x " REFERENCE "/portmap -a -x " REFERENCE "/bridge"))
		lab_skip("the reference plugins are not installed");
	if (lab_try("/usr/sbin/iptables --version | grep -q nf_tables"))
		lab_skip("iptables is not the one that writes nf_tables");
	(void)setup(state);
	lab_sh("iptables -t nat -N FOREIGN; iptables -t nat -A FOREIGN -m comment --comment "
	       "'name: \"" NET "\" id: \"c1\"' -j RETURN");
	attach("c1");
	attach("c2");
	return 0;
}

static void del_takes_a_containers_chains_out_of_iptables_tables(void **state)
{
	(void)state;
	ok("portmap", "DEL", conf("portmap", ""));
	assert_int_equal(lines("CNI-DN-.*dnat name.*\"c1"), 0);
	assert_int_equal(lines(":CNI-DN-"), 2);
	assert_int_equal(lines(":CNI-[0-9a-f]"), 4);
	ok("masquerade", "DEL", conf("masquerade", ""), .netns = "");
	assert_int_equal(lines(":CNI-[0-9a-f]"), 2);
	assert_int_equal(lines("\"c1"), 1); /* FOREIGN's */
	assert_int_equal(lines("\"c2"), 8);
	ok("portmap", "DEL", conf("portmap", ""));
	lab_sh("! nft list ruleset | grep 'table inet naru'");
}

static void gc_collects_from_iptables_tables(void **state)
{
	(void)state;
	ok("portmap", "GC", conf("portmap", valid("c2")));
	ok("masquerade", "GC", conf("masquerade", valid("c2")));
	assert_int_equal(lines("\"c1"), 1);
	assert_int_equal(lines("\"c2"), 8);
	ok("portmap", "GC", text_replaced(conf("portmap", valid("c2")), NET, "net2"));
	assert_int_equal(lines("\"c2"), 8);
	ok("portmap", "GC", conf("portmap", valid("c3")));
	ok("masquerade", "GC", conf("masquerade", valid("c3")));
	assert_int_equal(lines("\"c2"), 0);
	assert_int_equal(lines("CNI-[0-9aDf].*-[0-9a-f]"), 0);
	assert_int_equal(lines("FOREIGN"), 2);
}

static void status_says_that_the_hosts_rules_are_not_where_iptables_backend_writes(void **state)
{
	(void)state;
	if (lab_try("test -e /proc/net/ip_tables_names"))
		lab_skip("this kernel has no legacy iptables (ip_tables)");
	fails(50,
	      "the iptables backend is configured, but this host's iptables keeps its rules in "
	      "nf_tables (iptables-nft, table ip nat), apart from the legacy tables that the "
	      "backend writes; use the nftables backend",
	      "portmap", "STATUS", conf("portmap", ",'backend':'iptables'"));
	ok("portmap", "STATUS", conf("portmap", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			del_takes_a_containers_rules_out_of_the_tables_of_nft, setup, teardown),
		cmocka_unit_test_setup_teardown(gc_collects_masquerade_by_network, setup, teardown),
		cmocka_unit_test_setup_teardown(
			del_takes_a_containers_chains_out_of_iptables_tables, with_reference,
			teardown),
		cmocka_unit_test_setup_teardown(gc_collects_from_iptables_tables, with_reference,
						teardown),
		cmocka_unit_test_setup_teardown(
			status_says_that_the_hosts_rules_are_not_where_iptables_backend_writes,
			with_reference, teardown),
	};

	return cmocka_run_group_tests_name("nft_others", tests, lab_setup, NULL);
}
