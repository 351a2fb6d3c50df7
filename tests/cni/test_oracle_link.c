// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reference as oracle: static, host-device, and what flannel makes of its delegate's
 * configuration when that is the reference's bridge.
 */
#include "tests/lib/call.h"
#include "tests/lib/lab.h"
#include "tests/lib/oracle.h"
#include "tests/lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof *(a))

static const char *const versions[] = { "0.3.1", "0.4.0", "1.0.0", NULL };
static const char *const all_versions[] = { "0.2.0", "0.3.1", "0.4.0", "1.0.0", NULL };

#define CLEAN "ip link del nic0; rm -rf /run/naru/host-device /run/flannel /var/lib/cni/flannel"

static int group_setup(void **state)
{
	(void)lab_setup(state);
	lab_sh("mkdir -p /run/naru");
	/* a /sys with a bus of our own making */
	lab_sh("mount -t tmpfs none /sys/bus && mount -t tmpfs none /sys/devices/system &&"
	       "cd /sys/bus && mkdir -p pci/devices/0000:05:00.0/net/nic0 drivers/some-driver"
	       " /sys/devices/system/x/net/nic0 &&"
	       "ln -s ../../../drivers/some-driver pci/devices/0000:05:00.0/driver");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (lab_try("test -e /run/netns/c1") == 0) /* of a test that failed */
		lab_netns_del("c1");
	call_reset_host();
	(void)lab_try(CLEAN);
	return 0;
}

/* ---- static */

#define STATIC(keys) ",'ipam':{'type':'static'" keys "}"
#define ONE "'addresses':[{'address':'10.1.0.2/24','gateway':'10.1.0.1'}]"
#define BOTH \
	"'addresses':[{'address':'10.1.0.2/24','gateway':'10.1.0.1'},{'address':'fd00:1::2/64'}]," \
	"'routes':[{'dst':'0.0.0.0/0'},{'dst':'10.9.0.0/16','gw':'10.1.0.9'},{'dst':'2001:db8::/32'" \
	",'gw':'fd00:1::1'}]"

static const struct oracle_scene fixed = {
	.plugin = "static",
	.versions = all_versions,
	.look = "ip -n c1 addr; ls /var/lib/cni /run/cni 2>/dev/null",
};

static void static_answers_as_the_reference(void **state)
{
	static const struct oracle_question q[] = {
		{ .keys = STATIC("," BOTH) },
		{ .keys = STATIC("," ONE ",'dns':{'nameservers':['192.0.2.1'],'domain':'d',"
				 "'search':['s'],'options':['o']}") },
		{ .keys = STATIC("") },
		{ .keys = STATIC("," ONE), .args = "IP=10.1.0.5/24;GATEWAY=10.1.0.254" },
		{ .keys = STATIC("," ONE), .args = "IP=10.1.0.5/24;FOO=bar" },
		{ .keys = STATIC("," ONE), .args = "IgnoreUnknown=1;IP=10.1.0.5/24;FOO=bar" },
		{ .keys = STATIC("," ONE), .args = "IP=10.1.0.5" },
		{ .keys = ",'args':{'cni':{'ips':['10.1.0.7/24']}}" STATIC("," ONE) },
		{ .keys = ",'args':{'cni':{'ips':['10.1.0.7/24']}},'runtimeConfig':{'ips':"
			  "['10.1.0.8/24','fd00:1::8/64']}" STATIC("," ONE) },
		{ .keys = ",'runtimeConfig':{'ips':['10.1.0.8']}" STATIC("," ONE) },
		{ .keys = ",'args':{'cni':{'ips':['10.1.0.7']}}" STATIC("," ONE) },
		{ .keys = STATIC(",'addresses':[{'address':'10.1.0.300/24'}]") },
		{ .keys = STATIC(",'addresses':[{'address':'10.1.0.2'}]") },
		{ .keys = ",'ipam':{}" },
		{ .keys = "" },
	};

	(void)state;
	oracle_ask(&fixed, q, LEN(q));
}

/* ---- host-device */

#define IPAM \
	"'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}],[{'subnet':'fd00:1::/64'}" \
	"]],'routes':[{'dst':'0.0.0.0/0'}]}"

static const struct oracle_scene device = {
	.plugin = "host-device",
	.versions = versions,
	.make = "ip link add nic0 address 02:00:00:00:01:0a mtu 1400 type veth peer vb0 && "
		"ip link set vb0 up",
	.clean = CLEAN,
	.look = "ip -n c1 -o link show eth0 | sed 's/^[0-9]*: //; s/ link-netnsid [0-9]*//; s/@if[0-9]*//';"
		" ip -n c1 -o addr show eth0 | grep -v fe80 | sed 's/^[0-9]*: //; s/ nodad//';"
		" ip -n c1 route; ip -n c1 -6 route | grep -v fe80; ip -o link show nic0;"
		" cd /var/lib/cni/networks/net1 && grep . 10.* fd*",
	/* ours sets up again what was up, and forgets the alias: CNI_SPEC.md "host-device" */
	.left = "ip -n c1 -o link show eth0; ip -o link show nic0 | grep -o ' nic0\\|mtu [0-9]*' | head -n 2;"
		" ls /var/lib/cni/networks/net1 | grep '^10\\|^fd'",
};

static void host_device_answers_and_does_as_the_reference(void **state)
{
	static const struct oracle_question q[] = {
		{ .keys = ",'device':'nic0'" },
		{ .keys = ",'device':'nic0'," IPAM },
		{ .keys = ",'hwaddr':'02:00:00:00:01:0A'" },
		{ .keys = ",'kernelpath':'/sys/devices/system/x'" },
		{ .keys = ",'device':'nic0','dns':{'nameservers':['192.0.2.1']}," IPAM },
		{ .keys = "" },
		{ .keys = ",'device':'nope'" },
		{ .keys = ",'hwaddr':'02:00:00:00:01:99'" },
		{ .keys = ",'hwaddr':'x'" },
		{ .keys = ",'kernelpath':'/etc'" },
		{ .keys = ",'pciBusID':'0000:99:00.0'" },
	};

	/* from 1.0.0 on ours tells pciID, too: CNI_SPEC.md "host-device" */
	static const struct oracle_question by_bus[] = {
		{ .keys = ",'pciBusID':'0000:05:00.0'" },
		{ .keys = ",'runtimeConfig':{'deviceID':'0000:05:00.0'}" },
		{ .keys = ",'device':'other','runtimeConfig':{'deviceID':'0000:05:00.0'}",
		  .ours_takes = "host-device" },
	};
	static const char *const before[] = { "0.3.1", "0.4.0", NULL };
	struct oracle_scene bus = device;

	(void)state;
	oracle_ask(&device, q, LEN(q));
	bus.versions = before;
	oracle_ask(&bus, by_bus, LEN(by_bus));
}

static void host_device_tells_the_bus_address_unlike_the_reference(void **state)
{
	static const struct oracle_question q = { .keys = ",'pciBusID':'0000:05:00.0'" };
	const char *suites[] = { lab_bin(), ORACLE_DIR };

	(void)state;
	oracle_needs("host-device");
	for (int i = 0; i < 2; i++) {
		int status;

		oracle_begin(&device);
		const char *answer = oracle_call(&device, suites[i], "ADD",
						 oracle_conf(&device, &q, "1.0.0"), NULL, &status);
		assert_int_equal(status, 0);
		assert_int_equal(!strstr(answer, "\"pciID\": \"0000:05:00.0\""), i);
		oracle_end(&device);
	}
}

static void host_device_sets_up_again_unlike_the_reference(void **state)
{
	static const struct oracle_question q = { .keys = ",'device':'nic0'" };
	const char *suites[] = { lab_bin(), ORACLE_DIR };

	(void)state;
	oracle_needs("host-device");
	for (int i = 0; i < 2; i++) {
		const char *conf = oracle_conf(&device, &q, "1.0.0");
		int status;

		oracle_begin(&device);
		lab_sh("ip link set nic0 up");
		(void)oracle_call(&device, suites[i], "ADD", conf, NULL, &status);
		assert_int_equal(status, 0);
		(void)oracle_call(&device, suites[i], "DEL", conf, NULL, &status);
		assert_int_equal(status, 0);
		assert_string_equal(oracle_look("ip -o link show nic0 | grep -o '[<,]UP'"),
				    i == 0 ? ",UP" : "");
		oracle_end(&device);
	}
}

/* ---- flannel */

/*
 * Debian's package has no flannel; but what ours tells its delegate is what the reference's bridge
 * expects: the outcome is that of the configuration flannel's documentation gives.
 */
static void flannel_tells_the_references_bridge_what_it_needs(void **state)
{
	static const char env[] =
		"mkdir -p /run/flannel && printf 'FLANNEL_NETWORK=10.244.0.0/16\\n"
		"FLANNEL_SUBNET=10.244.3.1/24\\nFLANNEL_MTU=1450\\n"
		"FLANNEL_IPMASQ=true\\n' > /run/flannel/subnet.env";
	static const char look[] =
		"ip -n c1 -o -4 addr show eth0 | sed 's/^[0-9]*: //'; ip -n c1 route;"
		"cat /sys/class/net/cni0/mtu; ip -o -4 addr show cni0 |"
		" sed 's/^[0-9]*: //'; cat /proc/sys/net/ipv4/ip_forward";
	const struct oracle_scene flannel = {
		.plugin = "flannel", .versions = versions, .make = env, .clean = CLEAN
	};
	const struct oracle_scene bridge = { .plugin = "bridge", .versions = versions };
	const struct oracle_question plain = { .keys = "" };
	const struct oracle_question told = {
		.keys = ",'mtu':1450,'isGateway':true,'ipMasq':false,'ipam':{'type':'host-local',"
			"'ranges':[[{'subnet':'10.244.3.0/24'}]],'routes':[{'dst':'10.244.0.0/16'}]}"
	};

	(void)state;
	oracle_needs("bridge");
	lab_sh("mkdir -p /run/mixed && ln -sf " ORACLE_DIR "/bridge " ORACLE_DIR
	       "/host-local %s/flannel /run/mixed",
	       lab_bin());
	for (size_t v = 0; versions[v]; v++) {
		const char *conf = oracle_conf(&flannel, &plain, versions[v]);
		const char *made, *answer;
		int status;

		oracle_begin(&flannel);
		answer = oracle_call(&flannel, "/run/mixed", "ADD", conf, NULL, &status);
		if (status != 0)
			lab_fail("flannel %s: %s", versions[v], answer);
		made = oracle_look(look);
		(void)oracle_call(&flannel, "/run/mixed", "DEL", conf, NULL, &status);
		assert_int_equal(status, 0);
		lab_sh("! ip -n c1 link show eth0 && ! ls /var/lib/cni/networks/net1/10.*"
		       " && ! test -e /var/lib/cni/flannel/c1");
		oracle_end(&flannel);

		oracle_begin(&bridge);

		const char *direct = oracle_conf(&bridge, &told, versions[v]);

		assert_true(oracle_same_answer(direct,
					       oracle_call(&bridge, ORACLE_DIR, "ADD", direct, NULL,
							   &status),
					       answer));
		assert_string_equal(oracle_look(look), made);
		oracle_end(&bridge);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, teardown)
	const struct CMUnitTest tests[] = {
		T(static_answers_as_the_reference),
		T(host_device_answers_and_does_as_the_reference),
		T(host_device_tells_the_bus_address_unlike_the_reference),
		T(host_device_sets_up_again_unlike_the_reference),
		T(flannel_tells_the_references_bridge_what_it_needs),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
