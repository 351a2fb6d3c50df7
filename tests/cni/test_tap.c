// SPDX-License-Identifier: GPL-2.0-or-later
/* tap from outside: an interface in the container that a program can open. */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SNAP (SNAPSHOT_ALL)
#define LEN(a) (sizeof(a) / sizeof *(a))
#define STATIC \
	"'ipam':{'type':'static','addresses':[{'address':'10.1.0.2/24','gateway':'10.1.0.1'}," \
	"{'address':'fd00:1::2/64'}],'routes':[{'dst':'0.0.0.0/0'}]}"

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (lab_try("test -e /run/netns/c1") == 0)
		lab_netns_del("c1");
	call_reset_host();
	return 0;
}

static int group_setup(void **state)
{
	(void)lab_setup(state);
	if (lab_try("test -c /dev/net/tun"))
		lab_skip("no /dev/net/tun here");
	return 0;
}

static const char *conf_of(const char *version, const char *keys)
{
	return jsonf("{'cniVersion':'%s','name':'net1','type':'tap'%s}", version, keys);
}

static const char *conf(const char *keys)
{
	return conf_of("1.1.0", keys);
}

static const char *with_prev(const char *c, const char *result)
{
	return text_keep(json_with(c, "prevResult", result));
}

#define LINK(words) "ip -d link show eth0 | grep -q '" words "'"

static const struct {
	const char *keys, *args, *made;
} keys[] = {
	{ "", "", LINK("tun type tap pi off vnet_hdr on persist on") },
	{ "", "", "ip link show eth0 up | grep -q eth0" },
	{ ",'mtu':1300", "", LINK("mtu 1300") },
	{ ",'multiQueue':true", "", LINK("multi_queue") },
	{ ",'owner':1234", "", LINK("user 1234") " && ! " LINK("group 0 ") },
	{ ",'group':0", "", LINK("group root\\|group 0") },
	{ ",'owner':1234,'group':4321", "", LINK("user 1234 group 4321") },
	{ ",'mac':'02:00:00:00:00:11'", "", LINK("02:00:00:00:00:11") },
	{ ",'mac':'02:00:00:00:00:11'", "IgnoreUnknown=1;MAC=02:00:00:00:00:12",
	  LINK("02:00:00:00:00:12") },
	{ ",'mac':'02:00:00:00:00:11','runtimeConfig':{'mac':'02:00:00:00:00:13'}",
	  "MAC=02:00:00:00:00:12", LINK("02:00:00:00:00:13") },
	{ ",'bridge':'br0'", "", LINK("master br0") },
	{ "," STATIC, "", "ip addr show eth0 | grep -q 10.1.0.2/24" },
	{ "," STATIC, "", "ip addr show eth0 | grep 'fd00:1::2/64' | grep -qv tentative" },
	{ "," STATIC, "", "ip route | grep -q 'default via 10.1.0.1 dev eth0'" },
};

static void every_key_does_what_the_reference_documents_and_del_removes_it(void **state)
{
	(void)state;
	lab_sh_in("c1", "ip link add br0 type bridge; ip link set br0 up; ip link set lo up");
	char *before = snapshot_take(SNAP, "c1");

	for (size_t i = 0; i < LEN(keys); i++) {
		const char *c = conf(keys[i].keys);
		const char *result = ok("tap", "ADD", c, .args = keys[i].args);

		if (lab_try_in("c1", "%s", keys[i].made))
			lab_fail("not so, with %s: %s", keys[i].keys, keys[i].made);
		lab_sh_in("c1", "ip link show eth0 | grep -q %s", at(result, "/interfaces/0/mac"));
		assert_string_equal(at(result, "/interfaces/0/sandbox"), "/run/netns/c1");
		ok("tap", "CHECK", with_prev(c, result), .args = keys[i].args);
		ok("tap", "DEL", with_prev(c, result));
		/* what the first addresses of a family leave in a namespace */
		if (!strstr(keys[i].keys, "ipam"))
			assert_untouched(before, SNAP, "c1");
		lab_sh_in("c1", "! ip link show eth0");
	}
	free(before);
}

/* ---- a program at the other end */

struct opened {
	bool multi;
};

/* Runs in the container: opens the tap, has a packet sent there, reads it. */
static int open_and_read(void *arg)
{
	struct opened *o = arg;
	struct ifreq ifr = { .ifr_name = "eth0" };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	unsigned char frame[2048];

	if (fd < 0)
		return 1;
	ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (o->multi ? IFF_MULTI_QUEUE : 0));
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return 2;
	if (o->multi) { /* a second queue */
		int second = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

		if (second < 0 || ioctl(second, TUNSETIFF, &ifr) < 0)
			return 3;
		close(second);
	}
	const struct sockaddr_in gateway = { .sin_family = AF_INET,
					     .sin_port = htons(9),
					     .sin_addr.s_addr = htonl(0x0a010001) };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* a socket asks who has the gateway's address, which is a frame too */
	if (s < 0 || sendto(s, "x", 1, 0, (const void *)&gateway, sizeof gateway) < 0)
		return 6;
	for (int i = 0; i < 100; i++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 4000) <= 0) /* a carrier takes a moment, a question is repeated */
			return 4;
		ssize_t n = read(fd, frame, sizeof frame);
		if (n >= 42 && !memcmp(frame + 12, "\x08\x06", 2) &&
		    !memcmp(frame + 38, "\x0a\x01\x00\x01", 4))
			return 0;
	}
	return 5;
}

static void a_program_reads_what_the_container_sends(void **state)
{
	(void)state;
	for (int multi = 0; multi < 2; multi++) {
		struct opened o = { .multi = multi };
		const char *c = conf(multi ? ",'multiQueue':true," STATIC : "," STATIC);

		ok("tap", "ADD", c);
		int r = lab_in("c1", open_and_read, &o);
		if (r)
			lab_fail("step %d with multiQueue %d", r, multi);
		ok("tap", "DEL", c);
	}
}

/* ---- DEL */

static void every_way_to_delete_leaves_nothing(void **state)
{
	static const struct {
		const char *before, *netns;
	} ways[] = {
		{ "true", "c1" },
		{ "ip -n c1 link del eth0", "c1" },
		{ "ip netns del c1", "" },
		{ "ip netns del c1", "c1" },
		{ "true", "" }, /* the namespace lives on, but nobody says where */
	};
	const char *c = conf(",'ipam':{'type':'host-local','subnet':'10.1.0.0/24'}");

	(void)state;
	for (size_t i = 0; i < LEN(ways); i++) {
		ok("tap", "ADD", c);
		lab_sh("%s", ways[i].before);
		for (int twice = 0; twice < 2; twice++)
			ok("tap", "DEL", c, .netns = ways[i].netns);
		lab_sh("! ls /var/lib/cni/networks/net1/10.* 2>/dev/null");
		if (lab_try("test -e /run/netns/c1"))
			lab_netns_new("c1");
		if (i + 1 < LEN(ways))
			lab_sh_in("c1", "! ip link show eth0");
	}
}

static void del_leaves_what_is_no_tap_or_another_ones(void **state)
{
	(void)state;
	lab_sh("ip link add eth0 netns c1 type veth peer vb0");
	ok("tap", "DEL", conf(""));
	lab_sh_in("c1", "ip link del eth0 && ip tuntap add mode tap name eth0 &&"
			"ip link set eth0 address 02:00:00:00:00:55");
	ok("tap", "DEL",
	   with_prev(conf(""), jsonf("{'cniVersion':'1.1.0','interfaces':[{'name':'eth0','mac':"
				     "'02:00:00:00:00:44','sandbox':'/run/netns/c1'}]}")));
	lab_sh_in("c1", "ip link show eth0");
}

/* ---- refusals, STATUS and CHECK */

static void what_cannot_be_is_refused_and_leaves_nothing(void **state)
{
	static const struct {
		int code;
		const char *words, *keys;
	} t[] = {
		{ 7, "/mac: expected a MAC address", ",'mac':'x'" },
		{ 7, "/runtimeConfig/mac: expected a MAC address", ",'runtimeConfig':{'mac':'x'}" },
		{ 7, "/owner: expected integer 0..4294967294", ",'owner':-1" },
		{ 7, "/multiQueue: expected true or false", ",'multiQueue':1" },
		{ 999, "configure tap eth0", ",'mtu':20" },
		{ 999, "failed to lookup bridge", ",'bridge':'br9'" },
		{ 7, "/bridge: expected a bridge in the container", ",'bridge':'lo'" },
		{ 104, "this kernel runs without SELinux", ",'selinuxContext':'a:b:c:s0'" },
		/* with the reference the tap stays when there is no address */
		{ 101, "no IP addresses available",
		  ",'ipam':{'type':'host-local','subnet':'10.9.0.0/30','rangeStart':'10.9.0.1',"
		  "'rangeEnd':'10.9.0.1'}" },
		{ 7, "failed to find plugin", ",'ipam':{'type':'gone'}" },
	};

	(void)state;
	lab_sh("mkdir -p /var/lib/cni/networks/net1 /var/lib/cni/networks/.naru/net1;"
	       "chmod 700 /var/lib/cni/networks/.naru /var/lib/cni/networks/.naru/net1;"
	       "install -m 750 /dev/null /var/lib/cni/networks/net1/lock");
	char *before = snapshot_take(SNAP, "c1");

	for (size_t i = 0; i < LEN(t); i++) {
		if (t[i].code == 104 && lab_try("test ! -e /sys/fs/selinux/enforce"))
			continue;
		fails(t[i].code, t[i].words, "tap", "ADD", conf(t[i].keys));
		assert_untouched(before, SNAP, "c1");
	}
	free(before);
	ok("tap", "ADD", conf(""));
	fails(100, "already exists", "tap", "ADD", conf(""));
	lab_sh_in("c1", "ip link show eth0 up");
	ok("tap", "DEL", conf(""));
	lab_sh("ip link add eth0 netns c1 type veth peer vb0");
	fails(100, "already exists", "tap", "ADD", conf(""));
	lab_sh_in("c1", "ip link show eth0 type veth");
}

/* An interface of that name on the host is no hindrance. */
static void the_hosts_interfaces_do_not_matter(void **state)
{
	(void)state;
	lab_sh("ip link add eth0 type veth peer vb0");
	ok("tap", "ADD", conf(""));
	ok("tap", "DEL", conf(""));
	lab_sh("ip link show eth0 type veth && ip link del vb0");
}

static void status_looks_at_the_device(void **state)
{
	(void)state;
	ok("tap", "STATUS", conf(""));
	lab_sh("mount --bind /dev/null /dev/net/tun");
	ok("tap", "STATUS", conf(""));
	lab_sh("umount /dev/net/tun; mount -t tmpfs none /dev/net");
	fails(50, "/dev/net/tun cannot be opened", "tap", "STATUS", conf(""));
	fails(999, "tap eth0: open /dev/net/tun: No such file", "tap", "ADD", conf(""));
	lab_sh("umount /dev/net");
}

static void check_notices_tampering(void **state)
{
	static const struct {
		const char *tamper, *words;
	} t[] = {
		{ "ip link set eth0 down", "expected up, found down" },
		{ "ip link set eth0 mtu 1200", "expected MTU 1300, found 1200" },
		{ "ip link set eth0 address 02:00:00:00:00:99", "expected MAC" },
		{ "ip link set eth0 nomaster", "expected it on bridge br0" },
		{ "ip link del br0", "bridge br0: expected it in the container" },
		{ "ip addr del 10.1.0.2/24 dev eth0", "expected address 10.1.0.2/24" },
		{ "ip link del eth0; ip tuntap add mode tap name eth0 user 7 group 8; ip link set eth0 up"
		  " mtu 1300 address 02:00:00:00:00:11",
		  "expected owner 5, found 7" },
		{ "ip link del eth0; ip link add eth0 type veth peer name x; ip link set eth0 up",
		  "expected kind tun, found veth" },
	};
	const char *c = conf(",'mtu':1300,'owner':5,'mac':'02:00:00:00:00:11','bridge':'br0',"
			     "'ipam':{'type':'static','addresses':[{'address':'10.1.0.2/24'}]}");

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		lab_sh_in("c1", "ip link add br0 type bridge");
		const char *result = ok("tap", "ADD", c);

		ok("tap", "CHECK", with_prev(c, result));
		lab_sh_in("c1", "%s", t[i].tamper);
		if (strstr(t[i].words, "owner")) /* addresses went with it */
			lab_sh_in("c1", "ip addr add 10.1.0.2/24 dev eth0");
		fails(102, t[i].words, "tap", "CHECK", with_prev(c, result));
		lab_netns_del("c1");
		lab_netns_new("c1");
		ok("tap", "DEL", c);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_key_does_what_the_reference_documents_and_del_removes_it),
		T(a_program_reads_what_the_container_sends),
		T(every_way_to_delete_leaves_nothing),
		T(del_leaves_what_is_no_tap_or_another_ones),
		T(what_cannot_be_is_refused_and_leaves_nothing),
		T(the_hosts_interfaces_do_not_matter),
		T(status_looks_at_the_device),
		T(check_notices_tampering),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
