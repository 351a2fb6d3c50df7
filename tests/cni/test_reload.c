// SPDX-License-Identifier: GPL-2.0-or-later
/* What a flush by somebody else takes comes back: by the next ADD, and by naru cni reload. */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/naru.h"
#include "netlib/base/str.h"
#include "tests/unit/unit.h"

#define DIR "/var/lib/reload"
#define NARU "NETCONFPATH=" DIR " CNI_PATH=%s naru cni "
#define PORTS "CAP_ARGS='{\"portMappings\":[{\"hostPort\":8080,\"containerPort\":80}]}' "
#define RULES "nft list table inet naru"

static void put(const char *name, const char *version, const char *plugins)
{
	lab_sh("mkdir -p " DIR
	       " && printf '%%s' '{\"cniVersion\":\"%s\",\"name\":\"%s\",\"plugins\":[%s]}'"
	       " > " DIR "/%s.conflist",
	       version, name, plugins, name);
}

static int setup(void **state)
{
	(void)state;
	put("br", "1.1.0",
	    "{\"type\":\"bridge\",\"bridge\":\"rel0\",\"isGateway\":true,\"ipMasq\":true,\"ipam\":{"
	    "\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.83.0.0/24\"}],[{\"subnet\":"
	    "\"fd00:83::/64\"}]]}},{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}},"
	    "{\"type\":\"firewall\"}");
	put("routed", "1.1.0",
	    "{\"type\":\"veth\",\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":"
	    "\"10.84.0.0/24\"}]]}},{\"type\":\"masquerade\"}");
	lab_netns_new("c1");
	lab_netns_new("c2");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_sh("for n in br routed old; do for c in c1 c2; do test ! -e " DIR "/$n.conflist || "
	       "NETCONFPATH=" DIR " CNI_PATH=%s %s/naru cni del $n /run/netns/$c; done; done",
	       lab_bin(), lab_bin());
	lab_netns_del("c1");
	lab_netns_del("c2");
	call_reset_host();
	lab_sh("rm -rf " DIR " /var/lib/cni/results /var/lib/cni/networks");
	return 0;
}

static void attach(void)
{
	naru_ok(PORTS NARU "add br /run/netns/c1", lab_bin());
	naru_ok(NARU "add br /run/netns/c2", lab_bin());
	naru_ok("CNI_IFNAME=eth1 " NARU "add routed /run/netns/c1", lab_bin());
}

static void expect_states(const char *command, int status, const char *want)
{
	struct lab_result r;
	cleanup_str struct str got = STR_INIT;

	naru_call(&r, "NETCONFPATH=" DIR " CNI_PATH=%s naru cni -o json %s", lab_bin(), command);
	for (int i = 0; i < json_count(r.out, ""); i++) {
		cleanup_free char *item = str_fmt("/%d", i);
		cleanup_free char *one = json_find(r.out, item);
		cleanup_free char *detail = json_find(one, "/detail");

		str_addf(&got, "%s %s %s%s%s\n", at(one, "/network"), at(one, "/ifname"),
			 at(one, "/state"), detail ? " " : "", detail ? detail : "");
	}
	assert_string_equal(got.p ? got.p : "", want);
	assert_int_equal(r.status, status);
	lab_result_clear(&r);
}

static void status_is(const char *network, int status, const char *err)
{
	naru_refuses(status, err, NARU "status %s", lab_bin(), network);
}

static void a_flushed_rule_set_comes_back_without_a_restart(void **state)
{
	cleanup_free char *before = NULL, *after = NULL;

	(void)state;
	attach();
	before = naru_out(RULES);
	expect_states("reload", 0, "br eth0 ok\nbr eth0 ok\nrouted eth1 ok\n");
	lab_sh("nft flush ruleset && echo 0 > /proc/sys/net/ipv4/ip_forward && "
	       "ip -4 route flush proto boot table main");
	status_is(
		"br", 1,
		"naru: plugin type=\"bridge\" failed (status): containers of network br are attached, "
		"but the firewall has no masquerade of theirs; somebody has flushed it\n"
		"      naru cni reload br puts it back\n");
	expect_states("reload routed", 0, "routed eth1 restored veth: host; masquerade: masq\n");
	expect_states("reload", 0,
		      "br eth0 restored bridge: masq; portmap: dnat; firewall: forward\n"
		      "br eth0 restored bridge: masq; firewall: forward\n"
		      "routed eth1 ok\n");
	after = naru_out(RULES);
	lab_sh("echo '%s' | sort > /tmp/before; echo '%s' | sort > /tmp/after; diff /tmp/before "
	       "/tmp/after",
	       before, after);
	status_is("br", 0, "");
	naru_ok(NARU "check br /run/netns/c1", lab_bin());
	naru_ok("CNI_IFNAME=eth1 " NARU "check routed /run/netns/c1", lab_bin());
}

/* Sets, elements and chains stay, and nothing that an ADD puts there is refused. */
static void the_next_add_heals_flushed_chains(void **state)
{
	static const char *const flushes[] = {
		"nft flush table inet naru",
		"nft flush chain inet naru postrouting",
		"nft flush chain inet naru hostports",
		"nft flush chain inet naru guard",
	};

	(void)state;
	naru_ok(PORTS NARU "add br /run/netns/c1", lab_bin());
	for (size_t i = 0; i < ARRAY_LEN(flushes); i++) {
		cleanup_free char *before = naru_out(RULES), *after = NULL;

		lab_sh("%s", flushes[i]);
		status_is(
			"br", 1,
			"naru: plugin type=\"bridge\" failed (status): nftables: table inet naru has lost "
			"rules; somebody has flushed it\n"
			"      the next ADD puts the rules back, and so does: naru cni reload br\n");
		naru_ok(NARU "add br /run/netns/c2", lab_bin());
		naru_ok(NARU "del br /run/netns/c2", lab_bin());
		status_is("br", 0, "");
		naru_ok(NARU "check br /run/netns/c1", lab_bin());
		after = naru_out(RULES);
		assert_string_equal(before, after);
	}
}

static void what_cannot_be_put_back_is_told(void **state)
{
	(void)state;
	naru_ok(NARU "add br /run/netns/c1", lab_bin());
	naru_ok(NARU "add br /run/netns/c2", lab_bin());
	lab_netns_del("c2");
	lab_sh_in("c1", "ip addr flush dev eth0");
	struct lab_result r;
	naru_call(&r, NARU "reload", lab_bin());
	assert_int_equal(r.status, 1);
	assert_non_null(strstr(r.out, "broken  plugin type=\"bridge\" failed (check): "));
	assert_non_null(strstr(r.out, "stale   its namespace is gone; DEL or GC removes it\n"));
	lab_result_clear(&r);
	naru_refuses(1,
		     "naru: no net configuration with name \"nix\" in " DIR "; networks there: br, "
		     "routed\n",
		     NARU "reload nix > /dev/null", lab_bin());
	lab_netns_new("c2");
}

/* Others' plugins, and versions without CHECK: looked at as far as they can be. */
static void others_are_checked_only(void **state)
{
	(void)state;
	put("old", "0.3.1",
	    "{\"type\":\"bridge\",\"bridge\":\"rel1\",\"ipam\":{\"type\":\"host-local\","
	    "\"subnet\":\"10.85.0.0/24\"}}");
	naru_ok(NARU "add old /run/netns/c1", lab_bin());
	expect_states("reload old", 0,
		      "old eth0 unknown configuration version \\\"0.3.1\\\" does not support CHECK "
		      "command\n");
}

/* A repair is a CHECK to who asks for one: nothing on stdout, nothing changed. */
static void check_itself_repairs_nothing(void **state)
{
	(void)state;
	naru_ok(NARU "add br /run/netns/c1", lab_bin());
	lab_sh("nft flush table inet naru");
	struct lab_result r;
	naru_call(&r, NARU "check br /run/netns/c1", lab_bin());
	assert_int_equal(r.status, 1);
	assert_string_equal(r.out, "");
	lab_result_clear(&r);
	naru_call(&r, NARU "check br /run/netns/c1", lab_bin());
	assert_int_equal(r.status, 1);
	lab_result_clear(&r);
}

#define LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(a_flushed_rule_set_comes_back_without_a_restart),
		LAB(the_next_add_heals_flushed_chains),
		LAB(what_cannot_be_put_back_is_told),
		LAB(others_are_checked_only),
		LAB(check_itself_repairs_nothing),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
