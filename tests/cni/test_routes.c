// SPDX-License-Identifier: GPL-2.0-or-later
/* Several routes to one destination: gateways that share it. CNI_SPEC.md "Results". */
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
	(void)state;
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

static const char *conf(const char *plugin, const char *routes)
{
	return jsonf("{'cniVersion':'1.1.0','name':'net1','type':'%s','bridge':'br0',"
		     "'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}],"
		     "[{'subnet':'fd00:1::/64'}]],'routes':[%s]}}",
		     plugin, routes);
}

/* What the container has to a destination, on one line. */
static const char *route_to(const char *dst)
{
	return text_keep(lab_out_in("c1",
				    "ip %s route show %s | sed 's/ dev eth0//g; s/ metric 1024//;"
				    "s/ pref medium//' | tr -s ' \t\n' ' ' | sed 's/ $//'",
				    strchr(dst, ':') ? "-6" : "-4", dst));
}

static const char *const plugins[] = { "bridge", "veth" };

static void gateways_to_one_destination_share_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const char *onlink = strcmp(plugins[i], "veth") ? "" : " onlink";
		const char *c = conf(plugins[i],
				     "{'dst':'10.9.0.0/16','gw':'10.1.0.7'},{'dst':'10.8.0.0/16'},"
				     "{'dst':'10.9.0.0/16','gw':'10.1.0.8'},"
				     "{'dst':'fd09::/32','gw':'fd00:1::7'},"
				     "{'dst':'10.9.0.0/16','gw':'10.1.0.9'},"
				     "{'dst':'fd09::/32','gw':'fd00:1::8'}");
		const char *result = ok(plugins[i], "ADD", c);
		const char *check = text_keep(json_with(c, "prevResult", result));

		assert_string_equal(route_to("10.9.0.0/16"),
				    textf("10.9.0.0/16 nexthop via 10.1.0.7 weight 1%s nexthop via "
					  "10.1.0.8 weight 1%s nexthop via 10.1.0.9 weight 1%s",
					  onlink, onlink, onlink));
		const char *six = route_to("fd09::/32");
		if (!strstr(six, "via fd00:1::7") || !strstr(six, "via fd00:1::8"))
			lab_fail("IPv6: %s", six);
		assert_int_equal(json_count(result, "/routes"), 6);
		ok(plugins[i], "CHECK", check);
		lab_sh_in(
			"c1",
			"ip route change 10.9.0.0/16 nexthop via 10.1.0.7 dev eth0 onlink nexthop "
			"via 10.1.0.9 dev eth0 onlink");
		fails(102, "interface eth0: expected route 10.9.0.0/16 via 10.1.0.8", plugins[i],
		      "CHECK", check);
		ok(plugins[i], "DEL", check);
		call_reset_host();
	}
}

static void other_metrics_and_tables_are_routes_of_their_own(void **state)
{
	const char *c =
		conf("bridge", "{'dst':'10.9.0.0/16','gw':'10.1.0.7','priority':5},"
			       "{'dst':'10.9.0.0/16','gw':'10.1.0.8','priority':6},"
			       "{'dst':'10.9.0.0/16','gw':'10.1.0.9','priority':5,'table':100}");

	(void)state;
	ok("bridge", "CHECK", text_keep(json_with(c, "prevResult", ok("bridge", "ADD", c))));
	assert_string_equal(route_to("10.9.0.0/16"),
			    "10.9.0.0/16 via 10.1.0.7 metric 5 10.9.0.0/16 via 10.1.0.8 metric 6");
}

/* The reference reads both, and forgets them. */
static void mtu_and_advmss_are_the_routes(void **state)
{
	const char *c =
		conf("bridge", "{'dst':'10.9.0.0/16','gw':'10.1.0.7','mtu':1400,'advmss':1360}");

	(void)state;
	ok("bridge", "CHECK", text_keep(json_with(c, "prevResult", ok("bridge", "ADD", c))));
	assert_string_equal(route_to("10.9.0.0/16"),
			    "10.9.0.0/16 via 10.1.0.7 mtu 1400 advmss 1360");
}

static void a_route_said_twice_is_refused_and_named(void **state)
{
	static const char *const twice[] = {
		"{'dst':'10.9.0.0/16','gw':'10.1.0.7'},{'dst':'10.9.0.0/16','gw':'10.1.0.7'}",
		"{'dst':'10.9.0.0/16','gw':'10.1.0.8'},{'dst':'10.9.0.0/16','gw':'10.1.0.7'},"
		"{'dst':'10.8.0.0/16'},{'dst':'10.9.0.0/16','gw':'10.1.0.7'}",
		/* one without a gateway has the address's */
		"{'dst':'10.9.0.0/16','gw':'10.1.0.7'},{'dst':'10.9.0.0/16'},"
		"{'dst':'10.9.0.0/16','gw':'10.1.0.7'}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof twice / sizeof *twice; i++)
		fails(100, "add route 10.9.0.0/16 via 10.1.0.7 to eth0: File exists", "bridge",
		      "ADD", conf("bridge", twice[i]));
}

static void as_many_gateways_as_fit_and_no_more(void **state)
{
	char *list = strdup("{'dst':'fd08::/32'}");

	(void)state;
	for (unsigned i = 2; i < 67; i++) {
		char *more = NULL;

		assert_true(asprintf(&more, "%s,{'dst':'fd09::/32','gw':'fd00:1::%x'}", list,
				     i + 16) > 0);
		free(list);
		list = more;
		if (i == 65) {
			ok("bridge", "ADD", conf("bridge", list));
			ok("bridge", "DEL", conf("bridge", list));
		}
	}
	fails(999, "more than 64 gateways to one destination", "bridge", "ADD",
	      conf("bridge", list));
	free(list);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(gateways_to_one_destination_share_it),
		T(other_metrics_and_tables_are_routes_of_their_own),
		T(mtu_and_advmss_are_the_routes),
		T(a_route_said_twice_is_refused_and_named),
		T(as_many_gateways_as_fit_and_no_more),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
