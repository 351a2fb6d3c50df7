// SPDX-License-Identifier: GPL-2.0-or-later
/* NARU_METRICS: counters of plugins; naru cni metrics: what there is now. */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/naru.h"
#include "tests/unit/unit.h"

#include <ctype.h>

#define DIR "/var/lib/metrics"
#define FILE_ DIR "/naru.prom"
#define NARU "NETCONFPATH=" DIR "/net.d CNI_PATH=%s NARU_METRICS=" FILE_ " naru cni "
#define MANY 24

static int setup(void **state)
{
	(void)state;
	lab_sh("rm -rf " DIR " && mkdir -p " DIR "/net.d && printf '%%s' "
	       "'{\"cniVersion\":\"1.1.0\",\"name\":\"met\",\"plugins\":[{\"type\":\"bridge\","
	       "\"bridge\":\"met0\",\"ipMasq\":true,\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{"
	       "\"subnet\":\"10.86.0.0/29\"}],[{\"subnet\":\"fd00:86::/64\"}]]}},{\"type\":\"portmap\","
	       "\"capabilities\":{\"portMappings\":true}}]}' > " DIR "/net.d/met.conflist");
	lab_netns_new("c1");
	lab_netns_new("c2");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("c1");
	lab_netns_del("c2");
	call_reset_host();
	lab_sh("rm -rf " DIR " /var/lib/cni/results /var/lib/cni/networks");
	return 0;
}

static void has(const char *out, const char *line)
{
	cleanup_free char *whole = NULL;

	if (asprintf(&whole, "\n%s\n", line) < 0 || !strstr(out, whole))
		fail_msg("no line \"%s\" in:\n%s", line, out);
}

static void operations_are_counted_by_outcome(void **state)
{
	cleanup_free char *out = NULL;
	struct lab_result r;

	(void)state;
	naru_ok(NARU "add met /run/netns/c1", lab_bin());
	naru_ok(NARU "add met /run/netns/c2", lab_bin());
	naru_ok(NARU "del met /run/netns/c2", lab_bin());
	naru_call(&r, NARU "add met /run/netns/c1", lab_bin()); /* an address is there already */
	assert_int_equal(r.status, 1);
	lab_result_clear(&r);
	naru_call(&r, NARU "plan met /run/netns/c2", lab_bin()); /* is no operation */
	lab_result_clear(&r);
	out = naru_out("cat " FILE_);
	has(out, "# TYPE naru_cni_operations_total counter");
	has(out, "naru_cni_operations_total{plugin=\"bridge\",verb=\"ADD\",code=\"0\"} 2");
	has(out, "naru_cni_operations_total{plugin=\"bridge\",verb=\"ADD\",code=\"100\"} 1");
	has(out, "naru_cni_operations_total{plugin=\"bridge\",verb=\"DEL\",code=\"0\"} 1");
	has(out, "naru_cni_operations_total{plugin=\"host-local\",verb=\"ADD\",code=\"0\"} 2");
	has(out, "naru_cni_operations_total{plugin=\"host-local\",verb=\"ADD\",code=\"100\"} 1");
	has(out, "naru_cni_operations_total{plugin=\"portmap\",verb=\"ADD\",code=\"0\"} 2");
	assert_non_null(strstr(out,
			       "naru_cni_operation_seconds_total{plugin=\"bridge\",verb=\"ADD\","
			       "code=\"0\"} 0."));
	assert_null(strstr(out, "VERSION"));
}

/* Every line is a comment or a sample: what an exporter would refuse is found. */
static void assert_exposition(const char *text)
{
	cleanup_free char *copy = strdup(text);

	for (char *rest = copy, *line; (line = strsep(&rest, "\n"));) {
		char *close = strchr(line, '}');

		if (!*line || !strncmp(line, "# HELP ", 7) || !strncmp(line, "# TYPE ", 7))
			continue;
		if (!strchr(line, '{') || !close || close[1] != ' ' ||
		    !isdigit((unsigned char)close[2]))
			fail_msg("no sample: %s", line);
	}
}

static void the_command_tells_pools_attachments_and_elements(void **state)
{
	cleanup_free char *out = NULL, *file = NULL, *json = NULL;

	(void)state;
	naru_ok("CAP_ARGS='{\"portMappings\":[{\"hostPort\":8080,\"containerPort\":80}]}' " NARU
		"add met /run/netns/c1",
		lab_bin());
	naru_ok(NARU "add met /run/netns/c2", lab_bin());
	lab_netns_del("c2");
	out = naru_out(NARU "metrics", lab_bin());
	assert_exposition(out);
	has(out, "naru_cni_attachments{network=\"met\"} 2");
	has(out, "naru_cni_stale_attachments{network=\"met\"} 1");
	has(out, "naru_firewall_elements{network=\"met\",what=\"masquerade\"} 4");
	has(out, "naru_firewall_elements{network=\"met\",what=\"dnat\"} 2");
	has(out, "naru_ipam_addresses{network=\"met\",range=\"10.86.0.1-10.86.0.6\"} 5");
	has(out, "naru_ipam_reserved_addresses{network=\"met\",range=\"10.86.0.1-10.86.0.6\"} 2");
	has(out, "naru_ipam_reserved_addresses{network=\"met\",range=\"fd00:86::1-"
		 "fd00:86::ffff:ffff:ffff:ffff\"} 2");
	has(out, "naru_cni_operations_total{plugin=\"bridge\",verb=\"ADD\",code=\"0\"} 2");
	file = naru_out(NARU "metrics " DIR "/all.prom && cat " DIR "/all.prom", lab_bin());
	assert_string_equal(file, out);
	json = naru_out(NARU "-o json metrics", lab_bin());
	assert_string_equal(at(json, "/0/metric"), "naru_cni_attachments");
	lab_netns_new("c2");
}

/* None is lost, and whoever reads meanwhile sees a whole file. */
static void many_at_once_lose_no_count(void **state)
{
	cleanup_free char *out = NULL;

	(void)state;
	lab_sh("for i in $(seq %d); do (echo '{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":"
	       "\"loopback\"}' | NARU_METRICS=" FILE_
	       " CNI_COMMAND=STATUS CNI_PATH=/x %s/loopback) & done; "
	       "wait",
	       MANY, lab_bin());
	out = naru_out("cat " FILE_);
	assert_exposition(out);
	has(out, "naru_cni_operations_total{plugin=\"loopback\",verb=\"STATUS\",code=\"0\"} 24");
}

/* Metrics are never worth an operation. */
static void what_cannot_be_counted_is_not(void **state)
{
	static char nowhere[] = "NARU_METRICS=/nowhere/file",
		    garbage[] = "NARU_METRICS=" DIR "/garbage";
	char *const *const envs[] = { (char *[]){ nowhere, NULL }, (char *[]){ garbage, NULL } };
	cleanup_free char *out = NULL;

	(void)state;
	lab_sh("head -c 5000 /dev/urandom > " DIR "/garbage");
	for (size_t i = 0; i < ARRAY_LEN(envs); i++)
		(void)ok("loopback", "STATUS",
			 "{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"loopback\"}",
			 .env = envs[i]);
	out = naru_out("cat " DIR "/garbage");
	assert_exposition(out);
}

#define LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(operations_are_counted_by_outcome),
		LAB(the_command_tells_pools_attachments_and_elements),
		LAB(many_at_once_lose_no_count),
		LAB(what_cannot_be_counted_is_not),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
