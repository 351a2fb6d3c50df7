// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reference as oracle, the packet filter: portmap, firewall and ipMasq with iptables' legacy
 * tables, the only backend that 1.1.1 has. iptables-legacy-save says the same of both suites.
 */
#include "tests/lib/call.h"
#include "tests/lib/lab.h"
#include "tests/lib/oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof *(a))

static const char *const versions[] = { "0.3.1", "0.4.0", "1.0.0", NULL };
static const char *const since_0_4_0[] = { "0.4.0", "1.0.0", NULL };

/* the reference calls "iptables": the legacy program, whatever the host's is */
static const char *const legacy[] = { "NARU_FW_BACKEND=iptables",
				      "PATH=/run/alt:/usr/sbin:/usr/bin:/sbin:/bin", NULL };
#define LEGACY ((char *const *)(uintptr_t)legacy)

#define CLEAR \
	"for i in iptables-legacy ip6tables-legacy; do for t in nat filter; do " \
	"$i -t $t -F; $i -t $t -X; done; done"
#define SAVED(table) \
	"for i in iptables-legacy-save ip6tables-legacy-save; do $i -t " table \
	" | grep -v '^#' | sed 's/ *\\[[0-9:]*\\]//'; done"
/* what is one container's; the chains of all stay, as with the reference */
#define OF_CONTAINER(table) SAVED(table) " | grep 'c1\\|10\\.1\\.0\\.2\\|fd00:1::2'"

static int group_setup(void **state)
{
	(void)lab_setup(state);
	if (lab_try("iptables-legacy -t nat -L -n && ip6tables-legacy -t nat -L -n"))
		lab_skip("this kernel has no legacy iptables (ip_tables, ip6_tables)");
	lab_sh("mkdir -p /run/naru /run/alt && for i in iptables ip6tables; do "
	       "ln -s $(command -v $i-legacy) /run/alt/$i; done");
	lab_sh(CLEAR);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (lab_try("test -e /run/netns/c1") == 0) /* of a test that failed */
		lab_netns_del("c1");
	call_reset_host();
	lab_sh(CLEAR "; ip link del vb0 2>/dev/null; true");
	return 0;
}

#define PREV4 "{'version':'4','interface':0,'address':'10.1.0.2/16'}"
#define PREV6 "{'version':'6','interface':0,'address':'fd00:1::2/64'}"
#define PREV(ips) \
	"'interfaces':[{'name':'eth0','sandbox':'/run/netns/c1'}],'ips':[" ips "],'dns':{}"

/* ---- portmap */

static const struct oracle_scene portmap = {
	.plugin = "portmap",
	.versions = versions,
	/* the way to the container, by which the interface for route_localnet is found */
	.make = "ip link add vb0 type veth peer name eth0 netns c1 && ip link set vb0 up && "
		"ip -n c1 link set eth0 up && ip addr add 10.1.0.1/16 dev vb0 && "
		"iptables-legacy -t nat -N MINE && ip6tables-legacy -t nat -N MINE",
	.clean = "ip link del vb0; " CLEAR,
	.prev = PREV(PREV4),
	.look = SAVED("nat") "; cat /proc/sys/net/ipv4/conf/vb0/route_localnet",
	.left = OF_CONTAINER("nat"),
	.env = LEGACY,
};

#define MAPPINGS(m) ",'runtimeConfig':{'portMappings':[" m "]}"
#define NO_REF_CHECK .no_ref_check = "it expects the rules of one family in both"
#define WEB "{'hostPort':8080,'containerPort':80,'protocol':'tcp'}"
#define DNS "{'hostPort':53,'containerPort':5353,'protocol':'udp'}"
#define MIXED \
	MAPPINGS(WEB "," DNS ",{'hostPort':9,'containerPort':99,'protocol':'sctp','hostIP':" \
		     "'0.0.0.0'},{'hostPort':7000,'containerPort':80,'protocol':'tcp','hostIP':" \
		     "'127.0.0.1'},{'hostPort':7001,'containerPort':80,'protocol':'tcp','hostIP':" \
		     "'::1'}")

static void portmap_answers_and_does_as_the_reference(void **state)
{
	static const struct oracle_question q[] = {
		{ .keys = MIXED, NO_REF_CHECK },
		{ .keys = "" },
		{ .keys = MAPPINGS("") },
		{ .keys = ",'snat':false" MIXED, NO_REF_CHECK },
		{ .keys = ",'markMasqBit':5" MIXED, NO_REF_CHECK },
		{ .keys = ",'externalSetMarkChain':'MINE'" MIXED, NO_REF_CHECK },
		{ .keys = ",'conditionsV4':['-i','eth1','!','-s','192.0.2.0/24']" MIXED,
		  NO_REF_CHECK },
		{ .keys = MAPPINGS(WEB), .prev = PREV(PREV6), NO_REF_CHECK },
		{ .keys = MAPPINGS(WEB "," DNS), .prev = PREV(PREV4 "," PREV6), NO_REF_CHECK },
		{ .keys = MAPPINGS(WEB), .prev = PREV("") },
		/* an address that says nothing of its interface */
		{ .keys = MAPPINGS(WEB),
		  .prev = "'ips':[{'version':'4','address':'10.1.0.2/16'}],'dns':{}",
		  NO_REF_CHECK },
		{ .keys = ",'markMasqBit':32" MAPPINGS(WEB) },
		{ .keys = ",'markMasqBit':5,'externalSetMarkChain':'MINE'" MAPPINGS(WEB) },
		{ .keys = MAPPINGS("{'hostPort':0,'containerPort':80,'protocol':'tcp'}") },
		{ .keys = MAPPINGS("{'hostPort':80,'containerPort':-1,'protocol':'tcp'}") },
		{ .keys = MAPPINGS("{'hostPort':80,'containerPort':80,'protocol':'tcp',"
				   "'hostIP':'x'}"),
		  .ours_refuses = "portmap" },
	};

	(void)state;
	oracle_ask(&portmap, q, LEN(q));
}

/* ---- firewall */

#define BRIDGED(ips) \
	"'interfaces':[{'name':'br1'},{'name':'eth0','sandbox':'/run/netns/c1'}],'ips':[" ips \
	"],'dns':{}"

static const struct oracle_scene firewall = {
	.plugin = "firewall",
	.versions = since_0_4_0,
	.clean = CLEAR,
	.prev = BRIDGED(PREV4 "," PREV6),
	.look = SAVED("filter"),
	.left = OF_CONTAINER("filter"),
	.env = LEGACY,
};

#define IPTABLES ",'backend':'iptables'"

static void firewall_answers_and_does_as_the_reference(void **state)
{
	static const struct oracle_question q[] = {
		{ .keys = IPTABLES },
		{ .keys = "" },
		{ .keys = IPTABLES, .prev = BRIDGED(PREV4) },
		{ .keys = IPTABLES, .prev = BRIDGED(PREV6) },
		{ .keys = IPTABLES ",'ingressPolicy':'same-bridge'" },
		{ .keys = IPTABLES ",'ingressPolicy':'open'" },
		{ .keys = IPTABLES ",'iptablesAdminChainName':'MY-OWN'" },
		{ .keys = IPTABLES ",'ingressPolicy':'nothing-of-the-kind'" },
		{ .keys = ",'backend':'firewalld'" },
		{ .keys = ",'backend':'nothing-of-the-kind'", .ours_refuses = "firewall" },
		/* a list without a plugin before */
		{ .keys = IPTABLES, .prev = "'interfaces':[],'ips':[],'dns':{}" },
	};

	(void)state;
	oracle_ask(&firewall, q, LEN(q));
}

/* ---- ipMasq */

#define IPAM \
	",'ipMasq':true,'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}]," \
	"[{'subnet':'fd00:1::/64'}]]}"

static const struct oracle_scene masq_bridge = {
	.plugin = "bridge",
	.versions = versions,
	.clean = CLEAR,
	.look = SAVED("nat"),
	.left = OF_CONTAINER("nat"),
	.env = LEGACY,
};

static void bridge_masquerades_as_the_reference(void **state)
{
	static const struct oracle_question q[] = {
		{ .keys = ",'bridge':'br0','isGateway':true" IPAM },
		{ .keys = ",'bridge':'br0','ipMasq':true,'ipam':{'type':'host-local','subnet':"
			  "'10.1.0.0/24'}" },
		{ .keys = ",'bridge':'br0','ipMasq':true,'ipam':{'type':'host-local','ranges':"
			  "[[{'subnet':'fd00:1::/64'}]]}" },
	};

	(void)state;
	oracle_ask(&masq_bridge, q, LEN(q));
}

static void ptp_masquerades_as_the_reference(void **state)
{
	static const struct oracle_question q[] = { { .keys = IPAM } };
	struct oracle_scene ptp = masq_bridge;

	(void)state;
	ptp.plugin = "ptp";
	oracle_ask(&ptp, q, LEN(q));
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, teardown)
	const struct CMUnitTest tests[] = {
		T(portmap_answers_and_does_as_the_reference),
		T(firewall_answers_and_does_as_the_reference),
		T(bridge_masquerades_as_the_reference),
		T(ptp_masquerades_as_the_reference),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
