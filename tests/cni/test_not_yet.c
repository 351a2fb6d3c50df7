// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys of the reference that are not there yet: refused by name when they ask for something. */
#include "tests/lib/call.h"
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD(type) "{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"" type "\","
#define PREV \
	"\"prevResult\":{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.1.0.2/24\"}]}," \
	"\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":80,\"containerPort\":80}]}"
#define LEN(a) (sizeof(a) / sizeof *(a))

struct request {
	const char *plugin, *conf, *words;
};

static const struct request asking[] = {
	{ "portmap", HEAD("portmap") "\"externalSetMarkChain\":\"X\"," PREV "}",
	  "/externalSetMarkChain: portmap does not" },
	{ "portmap", HEAD("portmap") "\"conditionsV4\":[\"-s\",\"10.0.0.0/8\"]," PREV "}",
	  "/conditionsV4: portmap does not" },
	{ "portmap", HEAD("portmap") "\"markMasqBit\":14," PREV "}",
	  "/markMasqBit: portmap supports only 13" },
};

static const struct request silent[] = {
	{ "bridge",
	  HEAD("bridge") "\"vlan\":0,\"vlanTrunk\":[],\"macspoofchk\":false,\"portIsolation\":null}",
	  NULL },
	{ "portmap",
	  HEAD("portmap") "\"markMasqBit\":13,\"conditionsV4\":[],\"externalSetMarkChain\":\"\"," PREV
			  "}",
	  NULL },
};

static void what_cannot_be_had_is_refused_by_name_and_changes_nothing(void **state)
{
	char *before = snapshot_take(SNAPSHOT_ALL, "c1");

	(void)state;
	for (size_t i = 0; i < LEN(asking); i++) {
		fails(2, asking[i].words, asking[i].plugin, "ADD", asking[i].conf);
		assert_untouched(before, SNAPSHOT_ALL, "c1");
	}
	free(before);
}

static void a_container_made_by_others_with_such_keys_can_be_removed(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(asking); i++)
		ok(asking[i].plugin, "DEL", asking[i].conf);
}

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
		cmocka_unit_test(what_cannot_be_had_is_refused_by_name_and_changes_nothing),
		cmocka_unit_test(a_container_made_by_others_with_such_keys_can_be_removed),
		cmocka_unit_test(keys_that_ask_for_nothing_are_accepted),
	};

	return cmocka_run_group_tests_name("not_yet", tests, setup, NULL);
}
