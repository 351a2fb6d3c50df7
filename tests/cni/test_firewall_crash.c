// SPDX-License-Identifier: GPL-2.0-or-later
/* Crash points of the firewall plugin. The method is in tests/lib/crash.h. */
#include "tests/lib/crash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define HEAD(type) "{\"cniVersion\":\"1.1.0\",\"name\":\"crashnet\",\"type\":\"" type "\""
#define IPAM \
	"\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00:1::/64\"}]]}"

static const struct crash_subject bridge = {
	"bridge", HEAD("bridge") ",\"bridge\":\"br0\",\"isGateway\":true," IPAM "}", "eth0", NULL
};
static const struct crash_subject nftables = {
	"firewall", HEAD("firewall") ",\"backend\":\"nftables\",\"ingressPolicy\":\"isolated\"}",
	"eth0", &bridge
};
static const struct crash_subject *const subjects[] = { &nftables };

int main(void)
{
	return crash_suite(subjects, LEN(subjects));
}
