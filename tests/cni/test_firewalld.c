// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The firewall plugin with firewalld: Debian's own on a private bus, and a bus that misbehaves.
 */
#include "tests/lib/call.h"
#include "tests/lib/crash.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/text.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define NOTES "/run/naru/firewalld"

static bool have_firewalld;

/* ---- the real one */

static void start_firewalld(void)
{
	if (lab_try("test -x /usr/sbin/firewalld && test -x /usr/bin/dbus-daemon"))
		return;
	lab_sh("mkdir -p /run/dbus; ip link set lo up; cat > /run/bus.conf <<'END'\n"
	       "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
	       " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
	       "<busconfig><type>system</type><auth>EXTERNAL</auth>\n"
	       "<listen>unix:path=/run/dbus/system_bus_socket</listen><policy context=\"default\">\n"
	       "<allow send_destination=\"*\"/><allow receive_sender=\"*\"/><allow own=\"*\"/>\n"
	       "<allow user=\"*\"/></policy></busconfig>\nEND\n"
	       "dbus-daemon --config-file=/run/bus.conf --nopidfile --nosyslog --fork\n"
	       "timeout 300 /usr/sbin/firewalld --nofork --nopid > /dev/null 2>&1 &\n");
	for (int i = 0; i < 100 && !have_firewalld; i++) {
		have_firewalld = lab_try("firewall-cmd --state") == 0;
		if (!have_firewalld)
			(void)usleep(100 * 1000);
	}
}

static int group_setup(void **state)
{
	(void)lab_setup(state);
	start_firewalld();
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	(void)lab_try("for p in /proc/[0-9]*; do case $(readlink $p/exe) in */dbus-daemon) "
		      "grep -q bus.conf $p/cmdline && kill ${p#/proc/};; esac; done");
	return 0;
}

static int setup(void **state)
{
	(void)state;
	if (!have_firewalld)
		lab_skip("no firewalld or dbus-daemon here");
	lab_netns_new("c1");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("c1");
	return 0;
}

#define TWO "'ips':[{'address':'10.1.0.2/24'},{'address':'fd00:1::2/64'}]"

static const char *conf(const char *keys)
{
	return jsonf("{'cniVersion':'1.1.0','name':'net1','type':'firewall'%s%s}", *keys ? "," : "",
		     keys);
}

static const char *with_prev(const char *keys)
{
	return text_keep(
		json_with(conf(keys), "prevResult", jsonf("{'cniVersion':'1.1.0',%s}", TWO)));
}

/* firewall-cmd takes half a second to start. */
#define FIREWALLD \
	"dbus-send --system --print-reply=literal --dest=org.fedoraproject.FirewallD1 " \
	"/org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1."

static void sources(const char *zone, const char *expected)
{
	char *got = lab_out(FIREWALLD "zone.getSources string:%s | tr -d '[]' | sed s/array// | "
				      "xargs",
			    zone);

	assert_string_equal(got, expected);
	free(got);
}

static void where_it_runs_it_is_what_accepts(void **state)
{
	static const char *const keys[] = { "", "'backend':'firewalld'" };

	(void)state;
	for (size_t i = 0; i < LEN(keys); i++) {
		ok("firewall", "STATUS", conf(keys[i]));
		ok("firewall", "ADD", with_prev(keys[i]));
		sources("trusted", "10.1.0.2/32 fd00:1::2/128");
		lab_sh("! nft list table inet naru");
		ok("firewall", "ADD", with_prev(keys[i])); /* ZONE_ALREADY_SET */
		ok("firewall", "CHECK", with_prev(keys[i]));
		ok("firewall", "DEL", with_prev(keys[i]));
		ok("firewall", "DEL", with_prev(keys[i]));
		sources("trusted", "");
		lab_sh("! test -e " NOTES);
	}
}

static void a_dry_run_asks_it_and_tells_it_nothing(void **state)
{
	static const char *const keys[] = { "", "'backend':'firewalld'" };
	char *dry[] = { (char[]){ "NARU_PLAN=/run/plan.jsonl" }, NULL };

	(void)state;
	for (size_t i = 0; i < LEN(keys); i++) {
		lab_sh(": > /run/plan.jsonl");
		ok("firewall", "ADD", with_prev(keys[i]), .env = dry);
		sources("trusted", "");
		lab_sh("grep -q 'addSource trusted 10.1.0.2/32' /run/plan.jsonl; ! test -e " NOTES);
		ok("firewall", "ADD", with_prev(keys[i]));
		lab_sh(": > /run/plan.jsonl");
		ok("firewall", "DEL", with_prev(keys[i]), .env = dry);
		sources("trusted", "10.1.0.2/32 fd00:1::2/128");
		lab_sh("grep -q 'removeSource trusted 10.1.0.2/32' /run/plan.jsonl");
		ok("firewall", "DEL", with_prev(keys[i]));
		sources("trusted", "");
	}
	lab_sh("rm /run/plan.jsonl");
}

static void another_backend_can_be_asked_for(void **state)
{
	(void)state;
	ok("firewall", "ADD", with_prev("'backend':'nftables'"));
	sources("trusted", "");
	ok("firewall", "CHECK", with_prev("'backend':'nftables'"));
	ok("firewall", "DEL", with_prev("'backend':'nftables'"));
	ok("firewall", "ADD", with_prev(""),
	   .env = (char *[]){ (char[]){ "NARU_FW_BACKEND=nftables" }, NULL });
	sources("trusted", "");
	lab_sh("nft list table inet naru | grep -q net1/c1/eth0");
	ok("firewall", "DEL", with_prev("")); /* found there as well */
	lab_sh("! nft list table inet naru | grep net1/; nft delete table inet naru");
}

static void isolation_is_the_packet_filters(void **state)
{
	const char *c = text_keep(
		json_with(conf("'ingressPolicy':'same-bridge'"), "prevResult",
			  jsonf("{'cniVersion':'1.1.0','interfaces':[{'name':'br1'}],%s}", TWO)));

	(void)state;
	ok("firewall", "ADD", c);
	sources("trusted", "10.1.0.2/32 fd00:1::2/128");
	lab_sh("nft list set inet naru same4-br1 | grep -q 10.1.0.2");
	lab_sh("! nft list set inet naru accept4 | grep 10.1.0.2");
	ok("firewall", "CHECK", c);
	ok("firewall", "DEL", conf(""));
	sources("trusted", "");
	lab_sh("! nft list table inet naru | grep 10.1.0.2; nft delete table inet naru");
}

static void a_zone_can_be_named_and_changed(void **state)
{
	(void)state;
	ok("firewall", "ADD", with_prev("'firewalldZone':'internal'"));
	sources("internal", "10.1.0.2/32 fd00:1::2/128");
	ok("firewall", "ADD", with_prev("'firewalldZone':'home'"));
	sources("internal", "");
	sources("home", "10.1.0.2/32 fd00:1::2/128");
	ok("firewall", "DEL", conf("")); /* the zone is in the note */
	sources("home", "");
}

static void what_firewalld_refuses_is_told_and_leaves_nothing(void **state)
{
	(void)state;
	fails(7, "firewalld: add 10.1.0.2/32 zone nowhere: INVALID_ZONE: nowhere", "firewall",
	      "ADD", with_prev("'firewalldZone':'nowhere'"));
	lab_sh("! test -e " NOTES);
	lab_sh(FIREWALLD "zone.addSource string:public string:fd00:1::2/128");
	fails(100, "firewalld: add fd00:1::2/128 zone trusted: ZONE_CONFLICT", "firewall", "ADD",
	      with_prev(""));
	sources("trusted", "");
	sources("public", "fd00:1::2/128"); /* what others put there is theirs */
	lab_sh("! test -e " NOTES);
	lab_sh(FIREWALLD "zone.removeSource string:public string:fd00:1::2/128");
}

/* The reference asks and does not look at the answer. */
static void check_notices_a_source_that_is_gone(void **state)
{
	(void)state;
	ok("firewall", "ADD", with_prev(""));
	lab_sh(FIREWALLD "zone.removeSource string:trusted string:fd00:1::2/128");
	fails(102,
	      "firewalld: expected fd00:1::2/128 among the sources of zone trusted, found it missing",
	      "firewall", "CHECK", with_prev(""));
	ok("firewall", "DEL", with_prev(""));
}

static void del_knows_addresses_without_a_previous_result(void **state)
{
	(void)state;
	ok("firewall", "ADD", with_prev(""));
	ok("firewall", "DEL", conf(""), .netns = "");
	sources("trusted", "");
	lab_sh("! test -e " NOTES);
}

/* Another suite's plugin leaves no note: its sources are those of the result. */
static void del_removes_what_another_suite_added(void **state)
{
	(void)state;
	lab_sh(FIREWALLD "zone.addSource string:trusted string:10.1.0.2/32");
	ok("firewall", "DEL", with_prev("'backend':'nftables'"));
	sources("trusted", "10.1.0.2/32");
	ok("firewall", "DEL", with_prev(""));
	sources("trusted", "");
}

static void an_address_taken_over_is_the_new_owners(void **state)
{
	(void)state;
	ok("firewall", "ADD", with_prev(""));
	ok("firewall", "ADD", with_prev(""), .cid = "next");
	ok("firewall", "DEL", with_prev(""));
	sources("trusted", "10.1.0.2/32 fd00:1::2/128");
	ok("firewall", "DEL", conf(""), .cid = "next");
	sources("trusted", "");
}

static void gc_keeps_the_listed(void **state)
{
	(void)state;
	ok("firewall", "ADD", with_prev(""));
	ok("firewall", "GC",
	   text_keep(json_with(conf(""), "cni.dev/valid-attachments",
			       jsonf("[{'containerID':'c1','ifname':'eth0'}]"))));
	sources("trusted", "10.1.0.2/32 fd00:1::2/128");
	ok("firewall", "GC",
	   text_keep(json_with(conf(""), "cni.dev/valid-attachments", jsonf("[]"))));
	sources("trusted", "");
	lab_sh("! test -e " NOTES);
}

/* A reload forgets what was set at run time; what is gone is no hindrance. */
static void a_reload_is_noticed_and_del_succeeds(void **state)
{
	(void)state;
	ok("firewall", "ADD", with_prev(""));
	lab_sh(FIREWALLD "reload");
	fails(102, "found it missing", "firewall", "CHECK", with_prev(""));
	ok("firewall", "DEL", with_prev(""));
	lab_sh("! test -e " NOTES);
}

/* ---- crashes */

#define HEAD(type) "{\"cniVersion\":\"1.1.0\",\"name\":\"crashnet\",\"type\":\"" type "\""
#define IPAM \
	"\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00:1::/64\"}]]}"

static const struct crash_subject bridge = {
	"bridge", HEAD("bridge") ",\"bridge\":\"br0\",\"isGateway\":true," IPAM "}", "eth0", NULL
};
static const struct crash_subject firewall = { "firewall",
					       HEAD("firewall") ",\"backend\":\"firewalld\"}",
					       "eth0", &bridge };
static const struct crash_subject *const subjects[] = { &firewall };

/* A zone's chains are made with its first source and stay. */
static int crashes_setup(void **state)
{
	if (!have_firewalld)
		lab_skip("no firewalld or dbus-daemon here");
	lab_sh("mkdir -pm 700 /run/naru; rm -rf /run/naru/*;"
	       "for v in add remove; do for a in 10.1.0.2/32 fd00:1::2/128; do " FIREWALLD
	       "zone.${v}Source string:trusted string:$a; done; done");
	return crash_setup(state);
}

static void killed_at_any_point_it_leaves_no_source(void **state)
{
	(void)state;
	crash_in_add(subjects, LEN(subjects), CRASH_DEL);
	crash_in_del(subjects, LEN(subjects));
	sources("trusted", "");
}

static void failing_at_any_point_it_leaves_no_source(void **state)
{
	(void)state;
	crash_failed_verbs(subjects, LEN(subjects));
	crash_failed_calls(subjects, LEN(subjects));
	sources("trusted", "");
}

/* ---- a bus that misbehaves: what it sends after it was greeted */

#define BAD_BUS "/run/bad-bus"

static pid_t bad_bus(const char *greeting, const void *after, size_t n)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = BAD_BUS };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)unlink(BAD_BUS);
	assert_true(fd >= 0 && bind(fd, (const struct sockaddr *)&sa, sizeof sa) == 0 &&
		    listen(fd, 16) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		char buf[4096];

		lab_child();
		(void)alarm(60);
		for (;;) {
			int c = accept(fd, NULL, NULL);

			(void)!read(c, buf, sizeof buf);
			(void)!write(c, greeting, strlen(greeting));
			(void)!write(c, after, n);
			while (n &&
			       read(c, buf, sizeof buf) > 0) /* until the other side gives up */
				;
			(void)close(c);
		}
	}
	(void)close(fd);
	return pid;
}

static void a_bus_that_misbehaves_is_told_in_time(void **state)
{
	static const struct {
		const char *greeting, *after;
		size_t n;
		int code;
		const char *words;
	} t[] = {
		{ "", "", 0, 999, "say to the system bus who we are" },
		{ "REJECTED EXTERNAL\r\n", "", 0, 103, "say to the system bus who we are" },
		{ "OK 1234\r\n", "", 0, 999, "" },
		{ "OK 1234\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", 28, 999, "Bad message" },
		{ "OK 1234\r\n", "l\2\1\1\xff\xff\xff\xff\0\0\0\0\0\0\0\0", 16, 999,
		  "Bad message" },
		{ "OK 1234\r\n", "l\2\1\1\0\0\0\0\1\0\0\0\x08\0\0\0\5\1x\0\0\0\0\0", 24, 999,
		  "Bad message" },
	};
	char *env[] = { (char[]){ "DBUS_SYSTEM_BUS_ADDRESS=unix:path=" BAD_BUS }, NULL };

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		pid_t pid = bad_bus(t[i].greeting, t[i].after, t[i].n);
		struct call c = { .plugin = "firewall", .verb = "ADD", .env = env };

		c.conf = with_prev("'backend':'firewalld'");
		(void)call_fails(&c, t[i].code, t[i].words);
		/* who does not ask for firewalld gets along without */
		c.conf = with_prev("");
		(void)call_ok(&c);
		c.verb = "DEL";
		(void)call_ok(&c);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	lab_sh("rm -f " BAD_BUS "; ! test -e " NOTES "; nft delete table inet naru");
}

static void without_firewalld_it_says_so(void **state)
{
	char *env[] = { (char[]){ "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/no-bus" }, NULL };
	char *odd[] = { (char[]){ "DBUS_SYSTEM_BUS_ADDRESS=tcp:host=localhost" }, NULL };
	const char *c = with_prev("'backend':'firewalld'");

	(void)state;
	fails(50, "firewalld is not running", "firewall", "STATUS", c, .env = env);
	fails(50, "firewalld is not running: nobody owns org.fedoraproject.FirewallD1", "firewall",
	      "ADD", c, .env = env);
	ok("firewall", "DEL", c, .env = env);
	fails(999, "DBUS_SYSTEM_BUS_ADDRESS: expected unix:path=... or unix:abstract=..., got tcp:",
	      "firewall", "ADD", c, .env = odd);
	lab_sh("! test -e " NOTES);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(where_it_runs_it_is_what_accepts),
		T(a_dry_run_asks_it_and_tells_it_nothing),
		T(another_backend_can_be_asked_for),
		T(isolation_is_the_packet_filters),
		T(a_zone_can_be_named_and_changed),
		T(what_firewalld_refuses_is_told_and_leaves_nothing),
		T(check_notices_a_source_that_is_gone),
		T(del_knows_addresses_without_a_previous_result),
		T(del_removes_what_another_suite_added),
		T(an_address_taken_over_is_the_new_owners),
		T(gc_keeps_the_listed),
		T(a_reload_is_noticed_and_del_succeeds),
		cmocka_unit_test_setup(killed_at_any_point_it_leaves_no_source, crashes_setup),
		cmocka_unit_test_setup(failing_at_any_point_it_leaves_no_source, crashes_setup),
		cmocka_unit_test(a_bus_that_misbehaves_is_told_in_time),
		cmocka_unit_test(without_firewalld_it_says_so),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
