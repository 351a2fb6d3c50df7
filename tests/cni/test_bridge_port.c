// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a port of a bridge may do: isolated ports, interfaces that stay down. CNI_SPEC.md "bridge".
 */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"
#include "tests/lib/traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	lab_netns_new("c2");
	lab_netns_new("c3");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("c1");
	lab_netns_del("c2");
	lab_netns_del("c3");
	call_reset_host();
	return 0;
}

static const char *conf(const char *keys)
{
	return jsonf("{'cniVersion':'1.1.0','name':'net1','type':'bridge','bridge':'br0',%s}",
		     keys);
}

#define GATEWAY \
	"'isDefaultGateway':true,'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}]," \
	"[{'subnet':'fd00:1::/64'}]]}"

/* to: the namespace that has the address, NULL for the host */
static bool reaches(const char *from, const char *to, const char *address)
{
	struct traffic_server s;

	traffic_serve(&s, to, TRAFFIC_TCP, address, 7000, "x");
	int r = tcp_fetch(from, address, 7000, 700, NULL);
	traffic_stop(&s);
	assert_true(r == 0 || r == -EHOSTUNREACH || r == -ETIMEDOUT);
	return r == 0;
}

static void isolated_ports_reach_the_gateway_and_not_each_other(void **state)
{
	const char *isolated = conf("'portIsolation':true," GATEWAY);

	(void)state;
	ok("bridge", "ADD", isolated, .cid = "c1", .netns = "c1"); /* .2 */
	ok("bridge", "ADD", isolated, .cid = "c2", .netns = "c2"); /* .3 */
	ok("bridge", "ADD", conf(GATEWAY), .cid = "c3", .netns = "c3");
	assert_false(reaches("c1", "c2", "10.1.0.3"));
	assert_false(reaches("c2", "c1", "fd00:1::2"));
	assert_true(reaches("c1", NULL, "10.1.0.1"));
	assert_true(reaches("c1", NULL, "fd00:1::1"));
	assert_true(reaches("c1", "c3", "10.1.0.4"));
	assert_true(reaches("c3", "c1", "10.1.0.2"));
}

static void check_knows_whether_a_port_is_isolated(void **state)
{
	const char *c = conf("'portIsolation':true," GATEWAY), *result = ok("bridge", "ADD", c);
	const char *check = text_keep(json_with(c, "prevResult", result));
	const char *veth = at(result, "/interfaces/1/name");

	(void)state;
	ok("bridge", "CHECK", check);
	lab_sh("echo 0 > /sys/class/net/%s/brport/isolated", veth);
	fails(102, textf("host interface %s: expected isolation on, found off", veth), "bridge",
	      "CHECK", check);
	lab_sh("echo 1 > /sys/class/net/%s/brport/isolated", veth);
	/* the plugin firewall behind us in the chain isolates ports as well */
	ok("bridge", "CHECK", text_keep(json_with(conf(GATEWAY), "prevResult", result)));
}

static void a_disabled_interface_stays_down_and_is_not_waited_for(void **state)
{
	const char *c = conf("'disableContainerInterface':true,'dns':{'domain':'x'}");

	(void)state;
	const char *result = ok("bridge", "ADD", c);
	lab_sh_in("c1", "ip -o link show eth0 | grep -vq UP");
	assert_true(json_is(result, "/interfaces/2/name", "eth0"));
	assert_true(json_is(result, "/dns/domain", "x"));
	assert_null(json_find(result, "/ips"));
	const char *check = text_keep(json_with(c, "prevResult", result));
	ok("bridge", "CHECK", check);
	/* whoever has it may set it up */
	lab_sh_in("c1", "ip link set eth0 up");
	ok("bridge", "CHECK", check);
	lab_sh_in("c1", "ip link set eth0 address 02:00:00:00:00:09");
	fails(102, "interface eth0: expected MAC", "bridge", "CHECK", check);
	ok("bridge", "DEL", check);
	lab_sh_in("c1", "! ip link show eth0 2>/dev/null");
}

static void a_disabled_interface_has_no_addresses(void **state)
{
	char *before = snapshot_take(SNAPSHOT_ALL, "c1");

	(void)state;
	fails(7, "cannot use IPAM when DisableContainerInterface flag is set", "bridge", "ADD",
	      conf("'disableContainerInterface':true," GATEWAY));
	assert_untouched(before, SNAPSHOT_ALL, "c1");
	ok("bridge", "DEL", conf("'disableContainerInterface':true," GATEWAY));
	free(before);
}

static void status_says_when_the_name_is_taken(void **state)
{
	(void)state;
	ok("bridge", "STATUS", conf("'mtu':0"));
	lab_sh("ip link add br0 type veth peer vb9");
	fails(50, "is not a bridge; expected a bridge, found veth", "bridge", "STATUS",
	      conf("'mtu':0"));
	lab_sh("ip link del br0; ip link add br0 type bridge");
	ok("bridge", "STATUS", conf("'mtu':0"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(isolated_ports_reach_the_gateway_and_not_each_other),
		T(check_knows_whether_a_port_is_isolated),
		T(a_disabled_interface_stays_down_and_is_not_waited_for),
		T(a_disabled_interface_has_no_addresses),
		T(status_says_when_the_name_is_taken),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
