// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Crash points of the plugins that change what others made, and must give it back: the container
 * goes on living after their DEL. The method is in tests/lib/crash.h.
 */
#include "tests/lib/crash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define HEAD(type) "{\"cniVersion\":\"1.1.0\",\"name\":\"crashnet\",\"type\":\"" type "\""
#define IPAM \
	"\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00:1::/64\"}]]," \
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"::/0\"}]}"

/* leaves nothing on disk that would have to be told apart */
#define STATIC \
	"\"ipam\":{\"type\":\"static\",\"addresses\":[{\"address\":\"10.1.0.2/24\"}," \
	"{\"address\":\"fd00:1::2/64\"}],\"routes\":[{\"dst\":\"192.0.2.0/24\",\"gw\":\"10.1.0.1\"}]}"

static const struct crash_subject veth = { "veth", HEAD("veth") "," IPAM "}", "eth0", NULL };
static const struct crash_subject tuning = {
	.plugin = "tuning",
	.conf = HEAD("tuning") ",\"mtu\":1400,\"promisc\":true,\"mac\":\"02:00:00:00:00:11\","
			       "\"sysctl\":{\"net.ipv4.conf.IFNAME.arp_filter\":\"1\","
			       "\"net.ipv4.ip_forward\":\"1\"}}",
	.ifname = "eth0",
	.before = &veth,
	.restores = true,
	.furnish = "mkdir -p /run/cni/tuning",
	.clear = "rmdir /run/cni/tuning /run/cni",
};
static const struct crash_subject bandwidth = {
	.plugin = "bandwidth",
	.conf = HEAD("bandwidth") ",\"ingressRate\":8000000,\"ingressBurst\":800000,"
				  "\"egressRate\":8000000,\"egressBurst\":800000,"
				  "\"unshapedSubnets\":[\"10.0.0.0/8\",\"fd00::/8\"]}",
	.ifname = "eth0",
	.before = &veth,
	.restores = true,
};
static const struct crash_subject sbr = {
	.plugin = "sbr",
	.conf = HEAD("sbr") "}",
	.ifname = "eth0",
	.before = &veth,
	.gives_back = "ip rule; ip -6 rule; ip route show table all | grep 'table 1';"
		      "ip -6 route show table all | grep 'table 1'; true",
};
static const struct crash_subject host_device = {
	.plugin = "host-device",
	.conf = HEAD("host-device") ",\"device\":\"nic0\"," STATIC "}",
	.ifname = "eth0",
	.restores = true,
	.alone = true,
	.furnish = "ip link add nic0 mtu 1400 type veth peer nicp; ip link set nic0 alias my-nic;"
		   "mkdir -p /run/naru/host-device;"
		   "ip link set nicp up; ip link set nic0 up",
	.clear = "for l in nicp nic0; do ip link del $l 2>/dev/null; done;"
		 "rmdir /run/naru/host-device",
};
static const struct crash_subject tap = {
	.plugin = "tap",
	.conf = HEAD("tap") ",\"mtu\":1400,\"mac\":\"02:00:00:00:00:11\"," STATIC "}",
	.ifname = "eth0",
	.gives_back = "ip -br link",
};
static const struct crash_subject *const subjects[] = { &tuning, &bandwidth, &sbr, &host_device,
							&tap };

int main(void)
{
	return crash_suite(subjects, LEN(subjects));
}
