// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flannel: what it makes of subnet.env, shown by a delegate that tells what it was called with; and
 * the life of an attachment with the real bridge under it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"

#define LEN(a) (sizeof(a) / sizeof *(a))
#define ENV "/run/flannel/subnet.env"
#define DIR "/var/lib/cni/flannel"
#define TALE "/run/tale" /* what the delegate was called with: a line for each call */
#define SNAP (SNAPSHOT_ALL)
#define CONF(keys) "{'cniVersion':'1.1.0','name':'cbr0','type':'flannel'" keys "}"
#define V4 \
	"FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_MTU=1450\n" \
	"FLANNEL_IPMASQ=true\n"
#define V6 "FLANNEL_IPV6_NETWORK=fd00:44::/48\nFLANNEL_IPV6_SUBNET=fd00:44:0:3::1/64\n"

static void subnet_env(const char *text)
{
	lab_sh("mkdir -p /run/flannel && printf '%%b' '%s' > " ENV, text);
}

/* A delegate by name: writes verb and stdin as a line into TALE, and answers an ADD. */
static void delegates(const char *name, int status)
{
	lab_sh("mkdir -p /run/bin && cat > /run/bin/%s <<'E'\n"
	       "#!/bin/sh\n"
	       "printf '%%s %s ' $CNI_COMMAND >> " TALE "; cat >> " TALE "; echo >> " TALE "\n"
	       "[ $CNI_COMMAND = ADD ] || exit 0\n"
	       "[ %d = 0 ] && echo '{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.244.3.2/24\"}]}' ||\n"
	       "echo '{\"code\":103,\"msg\":\"no way\"}'\n"
	       "exit %d\nE\nchmod 755 /run/bin/%s",
	       name, name, status, status, name);
}

static const char *told(void)
{
	char *text = lab_out("cat " TALE " 2>/dev/null; rm -f " TALE);

	return text_keep(text);
}

#define OURS "flannel"
#define FAKE .path = "/run/bin"

static int setup(void **state)
{
	(void)state;
	lab_sh("rm -rf /run/bin " TALE " " DIR " /run/flannel");
	subnet_env(V4);
	delegates("bridge", 0);
	lab_netns_new("c1");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("c1");
	call_reset_host();
	return 0;
}

/* ---- what the delegate gets */

#define IPAM4 \
	"'ipam':{'ranges':[[{'subnet':'10.244.3.0/24'}]],'routes':[{'dst':'10.244.0.0/16'}]," \
	"'type':'host-local'}"

static void the_delegate_gets_what_the_reference_would_give_it(void **state)
{
	static const struct {
		const char *env, *conf, *want;
	} cases[] = {
		{ V4, CONF(""),
		  "{'cniVersion':'1.1.0','ipMasq':false," IPAM4 ",'isGateway':true,'mtu':1450,"
		  "'name':'cbr0','type':'bridge'}" },
		{ "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_MTU=1400\n"
		  "FLANNEL_IPMASQ=false\nOTHER=x\n\n",
		  CONF(",'delegate':{'isDefaultGateway':true,'hairpinMode':true}"),
		  "{'cniVersion':'1.1.0','hairpinMode':true,'ipMasq':true," IPAM4 ","
		  "'isDefaultGateway':true,'isGateway':true,'mtu':1400,'name':'cbr0','type':'bridge'}" },
		/* what the configuration says itself stays */
		{ V4,
		  CONF(",'delegate':{'mtu':9000,'ipMasq':true,'isGateway':false,'bridge':'x'},"
		       "'runtimeConfig':{'mac':'02:00:00:00:00:01'}"),
		  "{'bridge':'x','cniVersion':'1.1.0','ipMasq':true," IPAM4 ",'isGateway':false,"
		  "'mtu':9000,'name':'cbr0','runtimeConfig':{'mac':'02:00:00:00:00:01'},"
		  "'type':'bridge'}" },
		/* another delegate has no isGateway */
		{ V4, CONF(",'delegate':{'type':'other'}"),
		  "{'cniVersion':'1.1.0','ipMasq':false," IPAM4 ",'mtu':1450,'name':'cbr0',"
		  "'type':'other'}" },
		/* both families, several networks, ipam's own keys and routes first */
		{ "FLANNEL_NETWORK=10.244.0.0/16,10.245.0.0/16,10.244.9.9/16\n"
		  "FLANNEL_SUBNET=10.244.3.1/24\n" V6 "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n",
		  CONF(",'ipam':{'type':'host-local','dataDir':'/x','routes':[{'dst':'0.0.0.0/0',"
		       "'gw':'10.244.3.9'}]}"),
		  "{'cniVersion':'1.1.0','ipMasq':false,'ipam':{'dataDir':'/x','ranges':[[{'subnet':"
		  "'10.244.3.0/24'}],[{'subnet':'fd00:44:0:3::/64'}]],'routes':[{'dst':'0.0.0.0/0',"
		  "'gw':'10.244.3.9'},{'dst':'10.244.0.0/16'},{'dst':'10.245.0.0/16'},"
		  "{'dst':'fd00:44::/48'}],'type':'host-local'},'isGateway':true,"
		  "'mtu':1450,'name':'cbr0','type':'bridge'}" },
		{ V6 "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n", CONF(""),
		  "{'cniVersion':'1.1.0','ipMasq':false,'ipam':{'ranges':[[{'subnet':'fd00:44:0:3::/64'}]],"
		  "'routes':[{'dst':'fd00:44::/48'}],'type':'host-local'},"
		  "'isGateway':true,'mtu':1450,'name':'cbr0','type':'bridge'}" },
	};

	(void)state;
	delegates("other", 0);
	for (size_t i = 0; i < LEN(cases); i++) {
		const char *want = jsonf("%s", cases[i].want), *c = jsonf("%s", cases[i].conf);
		const char *type = strstr(want, "other") ? "other" : "bridge";

		subnet_env(cases[i].env);
		const char *result = ok(OURS, "ADD", c, FAKE);

		assert_string_equal(at(result, "/ips/0/address"), "10.244.3.2/24");
		assert_string_equal(told(), textf("ADD %s %s", type, want));
		/* kept in the reference's form, and used by DEL even when flanneld is gone */
		assert_string_equal(text_keep(lab_out("cat " DIR "/c1")), want);
		assert_string_equal(text_keep(lab_out("stat -c '%%a' " DIR "/c1 " DIR)),
				    "600\n700");
		lab_sh("rm " ENV);
		ok(OURS, "DEL", c, FAKE, .netns = "");
		assert_string_equal(told(), textf("DEL %s %s", type, want));
		assert_int_equal(access(DIR "/c1", F_OK), -1);
	}
}

static void files_and_directories_can_be_elsewhere(void **state)
{
	const char *c = jsonf(CONF(",'subnetFile':'/run/elsewhere','dataDir':'/run/data/dir'"));

	(void)state;
	lab_sh("mkdir -p /run/target && mv " ENV
	       " /run/target/env && ln -sf target/env /run/elsewhere");
	ok(OURS, "ADD", c, FAKE);
	assert_int_equal(access("/run/data/dir/c1", F_OK), 0);
	ok(OURS, "DEL", c, FAKE);
	assert_int_equal(access("/run/data/dir/c1", F_OK), -1);
}

/* ---- what is refused */

static void a_wrong_configuration_is_refused_by_name_and_touches_nothing(void **state)
{
	static const struct {
		const char *conf;
		int code;
		const char *words;
	} cases[] = {
		{ CONF(",'delegate':[]"), 7, "/delegate: expected object" },
		{ CONF(",'delegate':{'type':5}"), 7,
		  "/delegate/type: 'delegate' dictionary, if present, must have (string) 'type' "
		  "field" },
		{ CONF(",'delegate':{'name':'x'}"), 7,
		  "/delegate: 'delegate' dictionary must not have 'name' field, it'll be set by "
		  "flannel" },
		{ CONF(",'delegate':{'ipam':{}}"), 7,
		  "/delegate: 'delegate' dictionary must not have 'ipam' field, it'll be set by "
		  "flannel" },
		{ CONF(",'delegate':{'type':'nobody'}"), 7,
		  "failed to find plugin \\\"nobody\\\" in path [/run/bin]" },
		{ CONF(",'delegate':{'type':'a/b'}"), 7, "invalid plugin name: a/b" },
		{ CONF(",'ipam':{'routes':[{'gw':'10.0.0.1'}]}"), 7,
		  "/ipam/routes/0: expected \\\"dst\\\"" },
		{ CONF(",'ipam':{'routes':{}}"), 7, "/ipam/routes: expected array of routes" },
		{ CONF(",'dataDir':'x'"), 7, "/dataDir: expected an absolute path, got \\\"x\\\"" },
		{ CONF(",'subnetFile':'/run/none'"), 11,
		  "loadFlannelSubnetEnv failed: open /run/none: no such file or directory" },
		{ CONF(",'subnetFile':'/dev/zero'"), 7,
		  "loadFlannelSubnetEnv failed: /dev/zero is no regular file" },
	};
	char *before = snapshot_take(SNAP, "c1");

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		fails(cases[i].code, cases[i].words, OURS, "ADD", jsonf("%s", cases[i].conf), FAKE);
	assert_untouched(before, SNAP, "c1");
	free(before);
}

static void a_subnet_env_that_is_not_whole_says_what_is_missing(void **state)
{
	static const struct {
		const char *env, *words;
	} cases[] = {
		{ "", "loadFlannelSubnetEnv failed: " ENV
		      " is missing FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET, "
		      "FLANNEL_IPV6_SUBNET, FLANNEL_MTU, FLANNEL_IPMASQ" },
		{ V6 "FLANNEL_MTU=1450\n", ENV " is missing FLANNEL_IPMASQ" },
		{ V4 "FLANNEL_MTU=x\n",
		  ENV ": FLANNEL_MTU: expected an integer 0..65535, got \\\"x\\\"" },
		{ V4 "FLANNEL_SUBNET=10.244.3.1\n",
		  ENV ": FLANNEL_SUBNET: expected a network, got \\\"10.244.3.1\\\"" },
		{ V4 "FLANNEL_NETWORK=10.244.0.0/16,\n",
		  ENV ": FLANNEL_NETWORK: expected networks" },
	};
	const char *c = jsonf(CONF(""));

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		subnet_env(cases[i].env);
		fails(7, cases[i].words, OURS, "ADD", c, FAKE);
		fails(50, cases[i].words, OURS, "STATUS", c, FAKE);
	}
	lab_sh("rm " ENV);
	fails(50, "open " ENV ": no such file or directory", OURS, "STATUS", c, FAKE);
	subnet_env(V4);
	assert_string_equal(told(), "");
	ok(OURS, "STATUS", c, FAKE);
	assert_int_equal(strncmp(told(), "STATUS bridge {", 15), 0);
}

/* ---- life of the record */

static void a_delegate_that_fails_is_undone_and_leaves_no_record(void **state)
{
	const char *c = jsonf(CONF(""));

	(void)state;
	delegates("bridge", 1);
	fails(103, "failed to delegate add: no way", OURS, "ADD", c, FAKE);
	const char *tale = told();

	assert_int_equal(strncmp(tale, "ADD bridge {", 12), 0);
	assert_non_null(strstr(tale, "\nDEL bridge {"));
	assert_int_equal(access(DIR "/c1", F_OK), -1);
}

static void del_needs_no_record(void **state)
{
	const char *c = jsonf(CONF(""));

	(void)state;
	ok(OURS, "DEL", c, FAKE);
	assert_int_equal(strncmp(told(), "DEL bridge {", 12), 0);
	/* never added and the delegate not there: nothing to do */
	ok(OURS, "DEL", jsonf(CONF(",'delegate':{'type':'nobody'}")), FAKE);
	/* but a record says that something was made */
	ok(OURS, "ADD", c, FAKE);
	lab_sh("rm /run/bin/bridge");
	fails(7, "failed to delegate del: failed to find plugin", OURS, "DEL", c, FAKE);
	assert_int_equal(access(DIR "/c1", F_OK), 0);
	delegates("bridge", 0);
	/* torn, as a writer that does not sync leaves it */
	lab_sh(": > " DIR "/c1");
	ok(OURS, "DEL", c, FAKE);
	assert_int_equal(access(DIR "/c1", F_OK), -1);
	lab_sh(": > " DIR "/c1");
	ok(OURS, "ADD", c, FAKE);
	assert_true(json_is(text_keep(lab_out("cat " DIR "/c1")), "/type", "bridge"));
}

/* The reference's single record is overwritten by the second one, and its DEL does nothing. */
static void one_container_may_be_attached_twice_and_to_two_networks(void **state)
{
	const char *a = jsonf(CONF("")),
		   *b = jsonf("{'cniVersion':'1.1.0','name':'other','type':'flannel','delegate':{"
			      "'bridge':'br9'}}");

	(void)state;
	ok(OURS, "ADD", a, FAKE);
	ok(OURS, "ADD", a, FAKE, .ifname = "net1");
	ok(OURS, "ADD", b, FAKE, .ifname = "net2");
	told();
	ok(OURS, "DEL", b, FAKE, .ifname = "net2");
	const char *tale = told();

	assert_non_null(strstr(tale, "\"name\":\"other\""));
	assert_non_null(strstr(tale, "\"bridge\":\"br9\""));
	assert_int_equal(access(DIR "/c1", F_OK), 0);
	ok(OURS, "DEL", a, FAKE, .ifname = "net1");
	ok(OURS, "DEL", a, FAKE);
	tale = told();
	assert_non_null(strstr(strchr(tale, '\n'), "\"name\":\"cbr0\""));
	assert_int_equal(access(DIR "/c1", F_OK), -1);
}

static void gc_forwards_and_removes_the_records_of_the_dead(void **state)
{
	const char *c = jsonf(CONF(""));
	const char *valid = jsonf("[{'containerID':'c1','ifname':'eth0'}]");

	(void)state;
	delegates("old", 0);
	ok(OURS, "ADD", c, FAKE);
	ok(OURS, "ADD", c, FAKE, .cid = "dead");
	ok(OURS, "ADD", jsonf(CONF(",'delegate':{'type':'old'}")), FAKE, .cid = "ancient");
	lab_sh("echo '{\"name\":\"foreign\",\"type\":\"bridge\"}' > " DIR "/foreign");
	told();
	lab_sh("rm " ENV);
	ok(OURS, "GC", text_keep(json_with(c, "cni.dev/valid-attachments", valid)), FAKE);
	const char *tale = told();

	assert_int_equal(strncmp(tale, "GC bridge {", 11), 0);
	assert_non_null(strstr(tale, "\"cni.dev/valid-attachments\":[{\"containerID\":\"c1\","));
	assert_non_null(strstr(tale, "\nGC old {"));
	assert_string_equal(text_keep(lab_out("ls " DIR)), "c1\nforeign");
}

static void check_is_forwarded_with_prevresult(void **state)
{
	const char *c = jsonf(CONF(""));
	const char *result;

	(void)state;
	result = ok(OURS, "ADD", c, FAKE);
	told();
	fails(7, "Required prevResult missing", OURS, "CHECK", c, FAKE);
	ok(OURS, "CHECK", text_keep(json_with(c, "prevResult", result)), FAKE);
	const char *tale = told();

	assert_int_equal(strncmp(tale, "CHECK bridge {", 14), 0);
	assert_non_null(strstr(tale, "\"prevResult\":{"));
}

/* ---- the real thing */

static void with_the_real_bridge_a_container_lives_on_both_families(void **state)
{
	const char *c = jsonf(CONF(",'delegate':{'isDefaultGateway':true}"));
	char *before = snapshot_take(SNAP & ~(unsigned)SNAPSHOT_FILES, "c1");

	(void)state;
	subnet_env(V4 V6);
	ok(OURS, "STATUS", c);
	const char *result = ok(OURS, "ADD", c);

	assert_string_equal(at(result, "/ips/0/address"), "10.244.3.2/24");
	assert_string_equal(at(result, "/ips/1/address"), "fd00:44:0:3::2/64");
	lab_sh_in("c1", "ip route get 10.244.200.7 | grep -q 'via 10.244.3.1 '");
	lab_sh_in("c1", "ip link show eth0 | grep -q 'mtu 1450'");
	lab_sh_in("c1", "busybox ping -c1 -W2 10.244.3.1 >/dev/null");
	ok(OURS, "CHECK", text_keep(json_with(c, "prevResult", result)));
	lab_sh_in("c1", "ip addr flush dev eth0");
	fails(102, "failed to delegate check: ", OURS, "CHECK",
	      text_keep(json_with(c, "prevResult", result)));
	ok(OURS, "DEL", c);
	ok(OURS, "DEL", c);
	call_reset_host();
	assert_untouched(before, SNAP & ~(unsigned)SNAPSHOT_FILES, "c1");
	free(before);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_delegate_gets_what_the_reference_would_give_it),
		T(files_and_directories_can_be_elsewhere),
		T(a_wrong_configuration_is_refused_by_name_and_touches_nothing),
		T(a_subnet_env_that_is_not_whole_says_what_is_missing),
		T(a_delegate_that_fails_is_undone_and_leaves_no_record),
		T(del_needs_no_record),
		T(one_container_may_be_attached_twice_and_to_two_networks),
		T(gc_forwards_and_removes_the_records_of_the_dead),
		T(check_is_forwarded_with_prevresult),
		T(with_the_real_bridge_a_container_lives_on_both_families),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
