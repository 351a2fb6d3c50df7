// SPDX-License-Identifier: GPL-2.0-or-later
/* Containers from outside: watched, entered, reached through ports, stopped, removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/naru.h"
#include "tests/lib/snapshot.h"

#define SERVE "naru run -d --name web -p 8080:80 bb:1 httpd -f -h /www"
#define LISTENING \
	" && for i in $(seq 100); do naru exec web nc -z 127.0.0.1 80 && break; sleep 0.05; done"
/* The last line of the answer, fetched by nothing but a shell. */
#define FETCH \
	"timeout 5 bash -c 'exec 3<> /dev/tcp/%s/8080; printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3; " \
	"tail -n 1 <&3'"

static int set_up(void **state)
{
	lab_enter();
	lab_outside();
	naru_image();
	naru_ok("naru run --rm bb:1 true && naru gc"); /* makes the directories that stay */
	*state = naru_snapshot();
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

/* After each test: whatever it did, sweeping leaves the machine as it was. */
static int nothing_stays(void **state)
{
	char *diff = NULL;

	naru_sweep();
	for (int i = 0; i < 100; i++) { /* links of a namespace go in the background */
		cleanup_free char *after = naru_snapshot();

		free(diff);
		if (!(diff = snapshot_diff(*state, after)))
			return 0;
		(void)usleep(20000);
	}
	lab_fail("left behind:\n%s", diff);
}

static void prints(const char *expected, const char *line)
{
	cleanup_free char *out = naru_out("%s", line);

	if (strcmp(out, expected) != 0)
		lab_fail("%s: expected \"%s\", got \"%s\"", line, expected, out);
}

static void has(const char *text, const char *path, const char *value)
{
	cleanup_free char *found = json_find(text, path);

	if (!found || strcmp(found, value) != 0)
		lab_fail("%s: expected %s, got %s", path, value, found ? found : "nothing");
}

static void prints_page(const char *address)
{
	cleanup_free char *page = naru_out(FETCH, address);

	assert_string_equal(page, "it works");
}

static void a_published_port_serves_the_outside_the_host_and_the_container_itself(void **state)
{
	static const char *const addresses[] = { LAB_HOST_V4, LAB_HOST_V6 };

	(void)state;
	naru_ok(SERVE LISTENING);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		cleanup_free char *page = lab_out_in("outside", FETCH, addresses[i]);
		assert_string_equal(page, "it works");
	}
	prints_page("127.0.0.1");
	prints("it works", "naru exec web wget -qO- http://" LAB_HOST_V4 ":8080/");
}

static void a_host_that_switched_ipv6_off_has_containers_without(void **state)
{
	(void)state;
	naru_ok("naru gc && echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
	naru_ok(SERVE LISTENING);
	prints_page("127.0.0.1");
	prints("", "naru exec web ip -6 -o addr show eth0 scope global");
	naru_ok("naru rm -f web && naru gc && echo 0 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
}

static void a_container_reaches_the_outside_through_masquerade(void **state)
{
	(void)state;
	naru_ok("naru run --rm bb:1 ping -c 1 -W 3 " LAB_OUTSIDE_V4);
	naru_ok("naru run --rm bb:1 ping -c 1 -W 3 " LAB_OUTSIDE_V6);
}

static void a_taken_port_is_refused_with_its_owner_and_leaves_nothing(void **state)
{
	char text[512];

	(void)state;
	cleanup_free char *id = naru_out(SERVE);
	(void)snprintf(
		text, sizeof text,
		"naru: plugin type=\"portmap\" failed (add): host port 8080/tcp is taken by "
		"container %s of network naru (interface eth0)\n"
		"      choose another port or remove that container; if it is gone without a "
		"DEL, its runtime's GC (naru gc) frees the port\n",
		id);
	naru_refuses(125, text, "naru run --rm -p 8080:80 bb:1 true");
	prints("1", "naru ps -aq | wc -l");
}

static void inspect_tells_what_docker_tells(void **state)
{
	static const struct {
		const char *path, *value;
	} facts[] = {
		{ "/0/Path", "httpd" },
		{ "/0/Args/1", "-h" },
		{ "/0/State/Status", "running" },
		{ "/0/State/ExitCode", "0" },
		{ "/0/Name", "/web" },
		{ "/0/Driver", "overlay2" },
		{ "/0/HostConfig/Binds/0", "/run/rootfs/www:/www:ro" },
		{ "/0/HostConfig/NetworkMode", "naru" },
		{ "/0/HostConfig/Memory", "67108864" },
		{ "/0/HostConfig/NanoCpus", "500000000" },
		{ "/0/HostConfig/CpuShares", "512" },
		{ "/0/HostConfig/PidsLimit", "50" },
		{ "/0/HostConfig/AutoRemove", "false" },
		{ "/0/HostConfig/ReadonlyPaths/0", "/proc/bus" },
		{ "/0/GraphDriver/Name", "overlay2" },
		{ "/0/Mounts/0/Type", "bind" },
		{ "/0/Mounts/0/Destination", "/www" },
		{ "/0/Mounts/0/RW", "false" },
		{ "/0/Config/Hostname", "box" },
		{ "/0/Config/User", "app" },
		{ "/0/Config/WorkingDir", "/tmp" },
		{ "/0/Config/Image", "bb:1" },
		{ "/0/NetworkSettings/Gateway", "10.88.0.1" },
		{ "/0/NetworkSettings/IPPrefixLen", "16" },
		{ "/0/NetworkSettings/IPv6Gateway", "fd00:6e61:7275::1" },
		{ "/0/NetworkSettings/GlobalIPv6PrefixLen", "64" },
	};
	char name[300];

	(void)state;
	cleanup_free char *id = naru_out(
		"naru run -d --name web -p 8080:80 -v /run/rootfs/www:/www:ro -m 64m --cpus 0.5 "
		"--cpu-shares 512 --pids-limit 50 --hostname box -u app -w /tmp bb:1 httpd -f -h /www");
	cleanup_free char *text = naru_out("naru inspect web");
	for (size_t i = 0; i < ARRAY_LEN(facts); i++)
		has(text, facts[i].path, facts[i].value);
	has(text, "/0/Id", id);
	assert_non_null(strstr(text, "\"80/tcp\": ["));
	(void)snprintf(name, sizeof name, "/var/lib/naru/containers/%s/upper", id);
	has(text, "/0/GraphDriver/Data/UpperDir", name);
	/* processors' files that tell one container what another makes them sweat */
	cleanup_free char *thermal =
		naru_out("ls -d /sys/devices/system/cpu/cpu[0-9]*/thermal_throttle 2> /dev/null | "
			 "sort -V");
	for (char *rest = thermal, *path; (path = strsep(&rest, "\n"));)
		assert_true(!*path || strstr(text, path));
	cleanup_free char *address = json_find(text, "/0/NetworkSettings/IPAddress");
	cleanup_free char *mac = json_find(text, "/0/NetworkSettings/MacAddress");
	cleanup_free char *real = naru_out("naru exec web ip -o addr show eth0");
	cleanup_free char *link = naru_out("naru exec web cat /sys/class/net/eth0/address");
	assert_non_null(strstr(real, address));
	assert_string_equal(mac, link);

	naru_ok("naru stop -t 0 web");
	cleanup_free char *after = naru_out("naru inspect web");
	has(after, "/0/State/Status", "exited");
	has(after, "/0/State/ExitCode", "137");
	has(after, "/0/NetworkSettings/IPAddress", "");
}

static void inspect_of_nothing_prints_nothing(void **state)
{
	struct lab_result r;

	(void)state;
	naru_call(&r, "naru inspect nosuch");
	assert_int_equal(r.status, 1);
	assert_string_equal(r.out, "");
	lab_result_clear(&r);
}

static void ps_shows_the_running_and_with_a_all(void **state)
{
	(void)state;
	naru_ok("naru run --name past --network none bb:1 sh -c 'exit 3'; true");
	naru_ok(SERVE);
	prints("web", "naru ps | awk 'NR > 1 { print $NF }'");
	prints("web\npast", "naru ps -a | awk 'NR > 1 { print $NF }'");
	prints("CONTAINER", "naru ps | awk 'NR == 1 { print $1 }'");
	prints("*:8080->80/tcp", "naru ps | awk 'NR == 2 { print $(NF - 1) }'");
	prints("1", "naru ps -a | grep -c 'Exited (3) '");
	naru_ok("naru run -d --name six -p [" LAB_HOST_V6 "]:81:80 bb:1 sleep 60");
	prints("[" LAB_HOST_V6 "]:81->80/tcp",
	       "naru ps | awk '$NF == \"six\" { print $(NF - 1) }'");
	naru_ok("naru rm -f six");
	cleanup_free char *json = naru_out("naru ps -a -o json");
	has(json, "/0/name", "web");
	has(json, "/0/state", "running");
	has(json, "/0/ports/0", "8080:80");
	has(json, "/1/state", "exited");
	has(json, "/1/exit_code", "3");
}

static void logs_give_back_both_streams_and_follow_to_the_end(void **state)
{
	struct lab_result r;

	(void)state;
	naru_ok("naru run -d --name talk --network none bb:1 sh -c "
		"'echo one; echo two >&2; printf three; sleep 1; echo; echo four'");
	naru_call(&r, "naru logs -f talk");
	assert_string_equal(r.out, "one\nthree\nfour\n");
	assert_string_equal(r.err, "two\n");
	assert_int_equal(r.status, 0);
	lab_result_clear(&r);
	/* the runner writes the last words when its container is dead already */
	naru_ok("for i in 1 2 3 4 5; do naru run -d --rm --name t$i --network none bb:1 sh -c "
		"'sleep 0.3; seq 2000' > /dev/null; "
		"[ $(naru logs -f t$i | wc -l) = 2000 ] || exit 1; done");
	prints("1", "naru logs -t talk 2> /dev/null | grep -c '^20[0-9-]*T[0-9:.]*Z one$'");
	prints("{\"log\":\"one\\n\",\"stream\":\"stdout\"",
	       "naru logs -o json talk | head -1 | cut -d, -f1,2");
}

static void exec_enters_with_the_containers_world_and_hands_on_the_code(void **state)
{
	static const struct {
		const char *line;
		int status;
		const char *err;
	} refused[] = {
		{ "naru exec web nosuch", 127,
		  "naru: nosuch: executable file not found in the container's PATH\n" },
		{ "naru exec web sh -c 'exit 9'", 9, "" },
		{ "naru exec -e BAD web true", 125,
		  "naru: -e: expected NAME=VALUE, got \"BAD\"\n" },
		{ "naru exec -u ghost web true", 125,
		  "naru: no user \"ghost\" in the container's /etc/passwd; use a number below "
		  "4294967295\n" },
		{ "naru exec wbe true", 125,
		  "naru: no such container: wbe\n      did you mean web?\n" },
	};

	(void)state;
	naru_ok(SERVE);
	prints("hi", "naru exec web sh -c 'echo $GREETING'");
	prints("set /tmp", "naru exec -e MORE=set -w /tmp web sh -c 'echo $MORE; pwd' | xargs");
	prints("uid=1000(app) gid=1001(app) groups=1001(app),2002(extra)",
	       "naru exec -u app web id");
	prints("/home/app /root", "for u in app root; do naru exec -u $u web sh -c 'echo $HOME'; "
				  "done | xargs");
	prints("typed", "echo typed | naru exec web cat");
	prints("httpd", "naru exec web cat /proc/1/comm");
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		naru_refuses(refused[i].status, refused[i].err, "%s", refused[i].line);
	naru_ok("naru exec -d web touch /tmp/there");
	prints("/tmp/there", "sleep 0.3; naru exec web ls /tmp/there");
	naru_ok("naru stop -t 0 web");
	naru_refuses(125, "naru: container web is not running\n", "naru exec web true");
}

static void the_containers_hosts_file_knows_its_addresses(void **state)
{
	(void)state;
	naru_ok(SERVE " > /dev/null");
	prints("2", "naru exec web sh -c 'grep -c \"$(hostname)\" /etc/hosts'");
	prints("127.0.0.1",
	       "naru exec web sh -c 'awk \"/localhost/ { print \\$1; exit }\" /etc/hosts'");
}

static void stop_asks_first_and_kills_then(void **state)
{
	(void)state;
	naru_ok("naru run -d --name polite --network none bb:1 sh -c "
		"'trap \"exit 4\" TERM; while :; do sleep 0.1; done'");
	naru_ok("sleep 0.3; naru stop polite");
	prints("4", "naru ps -a -o json | sed -n 's/.*\"exit_code\": //p'");
	naru_ok("naru run -d --name deaf --network none bb:1 sh -c "
		"'trap \"\" TERM; while :; do sleep 0.1; done'");
	naru_ok("sleep 0.3; naru stop -t 1 deaf");
	prints("1", "naru ps -a | grep -c 'Exited (137)'");
	naru_ok("naru stop deaf"); /* it is stopped */
}

static void rm_refuses_what_runs_and_goes_on_with_the_rest(void **state)
{
	(void)state;
	naru_ok("naru run --name past --network none bb:1 true");
	naru_ok(SERVE);
	naru_refuses(
		1,
		"naru: container web is running\n      stop it first with naru stop web, or use "
		"naru rm -f web\n",
		"naru rm web past");
	prints("web", "naru ps -a | awk 'NR > 1 { print $NF }'");
	prints("nosuch\nweb", "naru rm -f nosuch web");
}

static void a_container_outlives_its_runner_and_is_reclaimed_when_it_ends(void **state)
{
	(void)state;
	naru_ok(SERVE LISTENING);
	naru_ok("pid=$(naru inspect web | sed -n 's/.*\"Pid\": \\([0-9]*\\).*/\\1/p'); "
		"kill -9 $(awk '/^PPid/ { print $2 }' /proc/$pid/status); sleep 0.2; naru gc");
	prints("web", "naru ps | awk 'NR > 1 { print $NF }'");
	prints_page("127.0.0.1");
	naru_ok("naru stop -t 0 web");
	prints("1", "naru ps -a | grep -c 'Exited, unseen'");
}

static void networks_from_files_are_joined_by_name(void **state)
{
	(void)state;
	naru_ok("mkdir -p /run/net.d && cat > /run/net.d/lan.conflist <<-END\n"
		"{ \"cniVersion\": \"1.0.0\", \"name\": \"lan\", \"plugins\": [ { \"type\": \"bridge\", "
		"\"bridge\": \"lan0\", \"isGateway\": true, \"ipam\": { \"type\": \"host-local\", "
		"\"subnet\": \"10.99.0.0/24\" } } ] }\nEND\n");
	prints("10.99.0.2", "NARU_CONF=/run/net.d naru run --rm --network lan bb:1 sh -c "
			    "'ip -4 -o addr show eth0 | sed \"s/.*inet //; s,/.*,,\"'");
	naru_refuses(125,
		     "naru: network lan publishes no ports: its plugins lack \"capabilities\": "
		     "{\"portMappings\": true}\n",
		     "NARU_CONF=/run/net.d naru run --rm -p 80:80 --network lan bb:1 true");
	/* a network that its plugins refuse leaves nothing that would have to be taken back */
	static const struct {
		const char *plugin, *err;
	} wrong[] = {
		{ "\"type\": \"bridge\", \"isGateway\": \"yes\"",
		  "naru: plugin type=\"bridge\" failed (add): /isGateway: expected true or false, got "
		  "string \"yes\"\n" },
		{ "\"type\": \"nosuch\"", NULL },
		{ "\"type\": \"bridge\", \"ipam\": { \"type\": \"nosuch\" }", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct lab_result res;

		naru_ok("echo '{ \"cniVersion\": \"1.0.0\", \"name\": \"bad\", \"plugins\": [ { %s } ] }' > "
			"/run/net.d/bad.conflist",
			wrong[i].plugin);
		naru_call(&res, "NARU_CONF=/run/net.d naru run --rm --network bad bb:1 true");
		assert_int_equal(res.status, 125);
		if (wrong[i].err)
			assert_string_equal(res.err, wrong[i].err);
		assert_null(strstr(res.err, "undoing"));
		lab_result_clear(&res);
		prints("", "ls /run/naru/containers");
	}
	naru_ok("naru gc && rm -r /run/net.d /var/lib/cni/networks/lan "
		"/var/lib/cni/networks/.naru/lan");
}

#define TEST(f) cmocka_unit_test_teardown(f, nothing_stays)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_published_port_serves_the_outside_the_host_and_the_container_itself),
		TEST(a_host_that_switched_ipv6_off_has_containers_without),
		TEST(a_container_reaches_the_outside_through_masquerade),
		TEST(a_taken_port_is_refused_with_its_owner_and_leaves_nothing),
		TEST(inspect_tells_what_docker_tells),
		TEST(inspect_of_nothing_prints_nothing),
		TEST(ps_shows_the_running_and_with_a_all),
		TEST(logs_give_back_both_streams_and_follow_to_the_end),
		TEST(exec_enters_with_the_containers_world_and_hands_on_the_code),
		TEST(the_containers_hosts_file_knows_its_addresses),
		TEST(stop_asks_first_and_kills_then),
		TEST(rm_refuses_what_runs_and_goes_on_with_the_rest),
		TEST(a_container_outlives_its_runner_and_is_reclaimed_when_it_ends),
		TEST(networks_from_files_are_joined_by_name),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
