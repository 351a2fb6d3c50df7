// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys that are given but ask for nothing are as good as left out. */
#include "tests/lib/call.h"
#include "tests/lib/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEAD(type) "{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"" type "\","
#define PREV \
	"\"prevResult\":{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.1.0.2/24\"}]}," \
	"\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":80,\"containerPort\":80}]}"
#define LEN(a) (sizeof(a) / sizeof *(a))

static const struct {
	const char *plugin, *conf;
} silent[] = {
	{ "bridge",
	  HEAD("bridge") "\"vlan\":0,\"vlanTrunk\":[],\"macspoofchk\":false,\"portIsolation\":null}" },
	{ "portmap",
	  HEAD("portmap") "\"markMasqBit\":13,\"conditionsV4\":[],\"externalSetMarkChain\":\"\"," PREV
			  "}" },
};

static void keys_that_ask_for_nothing_are_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(silent); i++) {
		ok(silent[i].plugin, "ADD", silent[i].conf);
		ok(silent[i].plugin, "DEL", silent[i].conf);
	}
}

static int setup(void **state)
{
	(void)lab_setup(state);
	lab_netns_new("c1");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_that_ask_for_nothing_are_accepted),
	};

	return cmocka_run_group_tests_name("idle_keys", tests, setup, NULL);
}
