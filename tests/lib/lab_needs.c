// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/lab_needs.h"

#include "tests/lib/lab.h"

#include <stdlib.h>
#include <string.h>

#define PAIR "ip link add p0 type veth peer p1 && "

/* One link of the kind, in a namespace that goes away with the shell. */
static struct probe {
	const char *module, *command;
	int known; /* 0: not asked yet; 1: there; -1: not */
} probes[] = {
	{ "8021q", PAIR "ip link add link p0 name x type vlan id 2", 0 },
	{ "ipvlan", PAIR "ip link add link p0 name x type ipvlan mode l2", 0 },
	{ "macvlan", PAIR "ip link add link p0 name x type macvlan mode bridge", 0 },
	{ "dummy", "ip link add x type dummy", 0 },
	{ "vrf", "ip link add x type vrf table 9", 0 },
	/* the kernel passes over the attribute when it was built without */
	{ "bridge-vlan",
	  "ip link add x type bridge vlan_filtering 1 && ip -d link show x | grep -q "
	  "'vlan_filtering 1'",
	  0 },
};

bool lab_has(const char *module)
{
	for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
		struct probe *p = &probes[i];

		if (strcmp(p->module, module) != 0)
			continue;
		if (!p->known)
			p->known = lab_try("unshare -n sh -c \"%s\"", p->command) == 0 ? 1 : -1;
		return p->known > 0;
	}
	lab_fail("lab_needs knows no module %s", module);
}

bool lab_in_vm(void)
{
	return getenv("LAB_VM") != NULL;
}

void lab_needs(const char *module)
{
	if (lab_has(module))
		return;
	if (lab_in_vm())
		lab_fail("the virtual machine's kernel was expected to have %s", module);
	lab_skip("this kernel has no %s; make check-vm has", module);
}
