// SPDX-License-Identifier: GPL-2.0-or-later
/* `naru run` from outside: what a command gets, what it gives back, and that nothing stays. */
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
#include "netlib/base/str.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/naru.h"
#include "tests/lib/snapshot.h"

static int set_up(void **state)
{
	lab_enter();
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
	naru_sweep();
	cleanup_free char *after = naru_snapshot();
	cleanup_free char *diff = snapshot_diff(*state, after);
	if (diff)
		lab_fail("left behind:\n%s", diff);
	return 0;
}

static void prints(const char *expected, const char *line)
{
	cleanup_free char *out = naru_out("%s", line);

	if (strcmp(out, expected) != 0)
		lab_fail("%s: expected \"%s\", got \"%s\"", line, expected, out);
}

static void the_command_of_the_image_runs_unless_another_is_given(void **state)
{
	(void)state;
	prints("hello", "naru run --rm bb:1");
	prints("other", "naru run --rm bb:1 echo other");
	prints("-x y", "naru run --rm --entrypoint echo bb:1 -x y");
	prints("",
	       "naru run --rm --entrypoint echo bb:1"); /* the image's command goes with its entry point */
}

static void the_exit_code_is_the_commands_or_says_why_there_is_none(void **state)
{
	static const struct {
		const char *line;
		int status;
		const char *err;
	} cases[] = {
		{ "bb:1 true", 0, "" },
		{ "bb:1 sh -c 'exit 7'", 7, "" },
		{ "bb:1 sh -c 'exit 255'", 255, "" },
		{ "bb:1 sh -c 'exec 2> /dev/null; sh -c \"kill -9 \\$\\$\"; exit $?'", 137, "" },
		{ "bb:1 nosuch", 127,
		  "naru: nosuch: executable file not found in the container's PATH\n" },
		{ "bb:1 /no/such", 127, "naru: /no/such: no such file inside the container\n" },
		{ "bb:1 /etc/passwd", 126,
		  "naru: /etc/passwd: cannot be executed: Permission denied\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int rm = 0; rm < 2; rm++) /* with and without a monitor between */
			naru_refuses(cases[i].status, cases[i].err, "naru run %s --network none %s",
				     rm ? "--rm" : "", cases[i].line);
	}
}

static void a_command_killed_by_a_signal_counts_128_and_the_signal(void **state)
{
	struct lab_result r;

	(void)state;
	naru_call(
		&r,
		"naru run --name kk --network none bb:1 sleep 30 & sleep 0.5; naru stop -t 0 kk; wait $!");
	assert_int_equal(r.status, 137);
	lab_result_clear(&r);
}

static void standard_streams_are_the_callers(void **state)
{
	struct lab_result r;

	(void)state;
	for (int rm = 0; rm < 2; rm++) {
		naru_call(&r,
			  "echo typed | naru run %s --network none bb:1 sh -c 'cat; echo bad >&2'",
			  rm ? "--rm" : "");
		assert_string_equal(r.out, "typed\n");
		assert_string_equal(r.err, "bad\n");
		assert_int_equal(r.status, 0);
		lab_result_clear(&r);
	}
}

static void what_the_command_gets_is_what_was_asked_for(void **state)
{
	static const struct {
		const char *line, *out;
	} cases[] = {
		{ "naru run --rm --network none bb:1 sh -c 'echo $GREETING $HOME $PATH'",
		  "hi /root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
		{ "naru run --rm --network none -e GREETING=yo -e EMPTY= bb:1 "
		  "sh -c 'echo $GREETING ${EMPTY-unset}'",
		  "yo" },
		{ "HANDED=on naru run --rm --network none -e HANDED -e NOT_THERE bb:1 "
		  "sh -c 'echo $HANDED ${NOT_THERE-unset}'",
		  "on unset" },
		{ "naru run --rm --network none --hostname box bb:1 hostname", "box" },
		{ "naru run --rm --network none -w /tmp bb:1 pwd", "/tmp" },
		{ "naru run --rm --network none -w /made/for/me bb:1 pwd", "/made/for/me" },
		{ "naru run --rm --network none bb:1 id",
		  "uid=0(root) gid=0(root) groups=0(root)" },
		{ "naru run --rm --network none -u app bb:1 id",
		  "uid=1000(app) gid=1001(app) groups=1001(app),2002(extra)" },
		{ "naru run --rm --network none -u app bb:1 sh -c 'echo $HOME'", "/home/app" },
		{ "naru run --rm --network none -u 1234:5678 bb:1 sh -c 'id -u; id -g'",
		  "1234\n5678" },
		{ "naru run --rm --network none -u app:extra bb:1 sh -c 'id -u; id -g'",
		  "1000\n2002" },
		{ "naru run --rm --network none bb:1 "
		  "sh -c 'echo $$; ls /proc > /tmp/all; grep -c \"^[0-9]*$\" /tmp/all'",
		  "1\n2" },
		{ "naru run --rm --network none bb:1 cat /sys/class/net/lo/operstate", "unknown" },
		{ "naru run --rm --network none bb:1 ls /sys/class/net", "lo" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		prints(cases[i].out, cases[i].line);
}

static void volumes_show_the_hosts_files(void **state)
{
	(void)state;
	naru_ok("mkdir -p /run/vol && echo inside > /run/vol/f");
	prints("inside", "naru run --rm --network none -v /run/vol:/deep/er bb:1 cat /deep/er/f");
	prints("inside", "naru run --rm --network none -v /run/vol/f:/one:ro bb:1 cat /one");
	naru_ok("naru run --rm --network none -v /run/vol:/v bb:1 sh -c 'echo new > /v/g'");
	prints("new", "cat /run/vol/g");
	naru_refuses(1, "sh: can't create /v/h: Read-only file system\n",
		     "naru run --rm --network none -v /run/vol:/v:ro bb:1 sh -c 'echo no > /v/h'");
	prints("inside", "cd /run && naru run --rm --network none -v ./vol:/v bb:1 cat /v/f");
	naru_ok("naru run --rm --network none -v /run/vol/not/there:/v bb:1 sh -c 'echo made > /v/h'");
	prints("made", "cat /run/vol/not/there/h");
	prints("755", "stat -c %a /run/vol/not");
	naru_ok("rm -r /run/vol");
}

/* The published port of the container's port 80, as ps shows it. */
#define PORT_OF_80 "naru ps | sed -n 's/.*[*]:\\([0-9]*\\)->80.tcp.*/\\1/p'"

static void a_port_of_the_host_is_chosen_when_none_is_given(void **state)
{
	(void)state;
	naru_ok("naru run -d --name one -p 80 -p 127.0.0.1::81-83/udp bb:1 httpd -f -h /www");
	naru_ok("p=$(" PORT_OF_80 ") && [ $p -ge 32768 ] && [ $p -le 60999 ] && "
		"for i in $(seq 50); do busybox wget -qO /run/page http://127.0.0.1:$p && break; sleep 0.1; done");
	prints("it works", "cat /run/page && rm /run/page");
	prints("3", "naru ps | grep -o '127[.]0[.]0[.]1:[0-9]*-[0-9]*->81-83/udp' | tr '>-' '  ' | "
		    "sed 's/.*:\\([0-9]*\\) \\([0-9]*\\) .*/echo $((\\2 - \\1 + 1))/' | sh");
}

/* In a place of its own: images cannot be removed yet. */
static void every_port_that_the_image_names_is_published_on_request(void **state)
{
	(void)state;
	naru_ok("export NARU_ROOT=/run/other && tar -C " NARU_ROOTFS
		" -c . | naru import -q -c 'EXPOSE 80' -c 'EXPOSE 53/udp' - ports:1 && "
		"naru run -d --name all -P ports:1 sleep 60");
	prints("53/udp 80/tcp",
	       "NARU_ROOT=/run/other naru ps | grep -o '[*]:[3-6][0-9]*->[0-9]*/[a-z]*' | sed 's/.*->//' | "
	       "sort | xargs echo");
	naru_ok("NARU_ROOT=/run/other naru rm -f all && rm -r /run/other");
}

static void words_are_answered_one_by_one_or_as_json(void **state)
{
	(void)state;
	cleanup_free char *run = naru_out(
		"naru run -d --json --name one --network none bb:1 sleep 60 | tr -d ' \\n'");
	assert_memory_equal(run, "{\"id\":\"", 7);
	assert_non_null(strstr(run, "\",\"name\":\"one\"}"));
	naru_ok("naru run -d --name two --network none bb:1 sleep 60");
	cleanup_free char *id = naru_out("naru ps -q --no-trunc | tail -1");
	cleanup_free char *want = str_fmt("[{\"id\":\"%s\",\"name\":\"one\"}]\n1", id);
	/* the second is stopped although there is no first */
	prints("two\n1", "naru stop -t 0 nosuch two 2> /dev/null; echo $?");
	cleanup_free char *stopped =
		naru_out("naru stop -t 0 --json nosuch one 2> /run/err | tr -d ' \\n'; echo; "
			 "grep -c 'no such container: nosuch' /run/err; rm /run/err");
	assert_string_equal(stopped, want);
	cleanup_free char *removed = naru_out(
		"naru rm -o json one two | tr -d ' \\n' | sed 's/\"id\":\"[0-9a-f]\\{64\\}\",//g'");
	assert_string_equal(removed, "[{\"name\":\"one\"},{\"name\":\"two\"}]");
}

static void a_directory_serves_as_a_root_and_stays_as_it_was(void **state)
{
	(void)state;
	prints("it works",
	       "naru run --rm --network none --rootfs " NARU_ROOTFS " cat /www/index.html");
	naru_ok("naru run --rm --network none --rootfs " NARU_ROOTFS " rm -r /www /etc/passwd");
	prints("it works", "cat " NARU_ROOTFS "/www/index.html");
}

static void import_says_what_it_made_in_json_as_well(void **state)
{
	(void)state;
	cleanup_free char *text = naru_out("tar -C " NARU_ROOTFS " -c . | "
					   "NARU_ROOT=/run/images naru import -o json - bb:1");
	cleanup_free char *id = json_find(text, "/Id");
	cleanup_free char *name = json_find(text, "/Name");
	cleanup_free char *found = naru_out("NARU_ROOT=/run/images naru images --no-trunc -q");
	assert_string_equal(id, found);
	assert_string_equal(name, "bb:1");
	naru_ok("rm -r /run/images");
}

static void the_image_is_not_changed_by_its_containers(void **state)
{
	(void)state;
	naru_ok("naru run --rm --network none bb:1 sh -c 'rm /bin/ls; echo x > /www/index.html'");
	prints("it works", "naru run --rm --network none bb:1 cat /www/index.html");
}

static void a_detached_container_prints_its_id_and_runs_on(void **state)
{
	(void)state;
	cleanup_free char *id = naru_out(
		"naru run -d --name bg --network none bb:1 sh -c 'echo started; sleep 60'");
	assert_int_equal(strlen(id), 64);
	assert_int_equal(strspn(id, "0123456789abcdef"), 64);
	cleanup_free char *found = naru_out("naru ps -q --no-trunc");
	assert_string_equal(found, id);
	prints("started", "sleep 0.3; naru logs bg");
}

static void a_detached_container_whose_command_is_missing_says_so_at_once(void **state)
{
	(void)state;
	naru_refuses(127, "naru: nosuch: executable file not found in the container's PATH\n",
		     "naru run -d --network none bb:1 nosuch");
	prints("", "naru ps -aq");
}

static void a_detached_container_that_removes_itself_is_gone_when_it_has_ended(void **state)
{
	(void)state;
	naru_ok("naru run -d --rm --name brief --network none bb:1 sleep 0.2");
	prints("",
	       "for i in $(seq 50); do [ -n \"$(naru ps -aq)\" ] || break; sleep 0.1; done; naru ps -aq");
}

static void signals_to_the_runner_reach_the_command(void **state)
{
	(void)state;
	for (int rm = 0; rm < 2; rm++) {
		cleanup_free char *out = naru_out(
			"naru run %s --network none bb:1 sh -c 'trap \"echo got it; exit 3\" TERM; echo up; "
			"while :; do sleep 0.1; done' > /run/out & sleep 0.7; kill -TERM $!; wait $!; echo $?; "
			"cat /run/out; rm /run/out",
			rm ? "--rm" : "");
		assert_string_equal(out, "3\nup\ngot it");
	}
}

static void limits_reach_the_control_group(void **state)
{
	(void)state;
	naru_refuses(
		137, "",
		"naru run --rm --network none -m 16m bb:1 sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=40 2> /dev/null; "
		"x=$(cat /dev/shm/x /dev/zero | head -c 64m | tr \"\\\\0\" x); exit 0'; exit $?");
}

static const struct {
	const char *line, *err;
	int status;
} wrong_lines[] = {
	{ "naru run",
	  "naru: naru run needs an image\n      usage: naru run [OPTION]... IMAGE [COMMAND [ARG]...]; naru images lists "
	  "what is there\n",
	  125 },
	{ "naru run -it bb:1",
	  "naru: naru run does not support -i: standard input is always handed on, and there is no terminal "
	  "yet\n      try: naru run --help\n",
	  125 },
	{ "naru run --memroy 1g bb:1",
	  "naru: naru run has no option --memroy\n      did you mean --memory?\n", 125 },
	{ "naru run -m 1m bb:1", "naru: -m: expected at least 6m, got 1048576 bytes\n", 125 },
	{ "naru run -v relative bb:1",
	  "naru: -v relative: anonymous volumes are not supported: expected SOURCE:TARGET\n", 125 },
	{ "naru run -v data:/data bb:1",
	  "naru: -v data:/data: named volumes are not supported: expected a path such as ./data\n",
	  125 },
	{ "naru run -v :/data bb:1",
	  "naru: -v :/data: expected a path of the host before the colon\n", 125 },
	{ "naru run --network none -v /run:/etc/passwd bb:1",
	  "naru: mounts: mount /run on /etc/passwd: the first is a directory, but in the container the "
	  "second is a file\n",
	  125 },
	{ "naru run --network none -v /run/rootfs/etc/passwd:/etc bb:1",
	  "naru: mounts: mount /run/rootfs/etc/passwd on /etc: the first is a file, but in the container "
	  "the second is a directory\n",
	  125 },
	{ "naru run -p 80:80:80:80 bb:1",
	  "naru: -p 80:80:80:80: expected [IP:]HOSTPORT[-LAST]:CONTAINERPORT[-LAST][/tcp|udp|sctp], ports "
	  "1..65535 and both ranges of one length\n",
	  125 },
	{ "naru run -p 70000 bb:1",
	  "naru: -p 70000: expected [IP:]HOSTPORT[-LAST]:CONTAINERPORT[-LAST][/tcp|udp|sctp], ports "
	  "1..65535 and both ranges of one length\n",
	  125 },
	{ "naru run -P --network none bb:1",
	  "naru: -P: --network none publishes no ports; leave one of the two away\n", 125 },
	{ "naru run --json bb:1",
	  "naru: -o json: only the id that -d prints has a form of ours\n      in the foreground "
	  "the output is the command's\n",
	  125 },
	{ "naru ps --json=yes", "naru: --json: expected no value, got \"yes\"\n", 2 },
	{ "naru run --cpus 4096.5 bb:1 2>&1 | sed 's/most [0-9]*/most N/' >&2; exit 125",
	  "naru: --cpus: expected at most N, which this machine has, got 4096.5\n", 125 },
	{ "naru run --pids-limit 5000000 bb:1",
	  "naru: --pids-limit: expected at most 4194304, or -1 for no limit, got 5000000\n", 125 },
	{ "naru run --network none bb:1 /etc",
	  "naru: /etc: is a directory and cannot be executed\n", 126 },
	{ "NARU_CONF=/run/none naru run --network '' bb:1",
	  "naru: no such network: \"\" (no net configurations found in /run/none)\n      built in are "
	  "naru, none and host; others are *.conflist files in /run/none\n",
	  125 },
	{ "naru import - x:1 < /dev/null", "naru: import -: there is nothing in it\n", 1 },
	{ "naru run -v /run:data bb:1",
	  "naru: -v /run:data: expected an absolute path in the container after the colon, got "
	  "\"data\"\n",
	  125 },
	{ "naru run -p 8080:80 --network none bb:1",
	  "naru: -p 8080:80: --network none publishes no ports; leave one of the two "
	  "away\n",
	  125 },
	{ "naru run --name -bad bb:1",
	  "naru: --name: expected 2 or more letters, digits, '_', '.' or '-', beginning with a letter "
	  "or digit, got \"-bad\"\n",
	  125 },
	{ "naru run -u ghost --network none bb:1",
	  "naru: no user \"ghost\" in the container's /etc/passwd; use a number below "
	  "4294967295\n",
	  125 },
	{ "naru run -w relative bb:1", "naru: -w: expected an absolute path, got \"relative\"\n",
	  125 },
	{ "naru run --rootfs /no/such true", "naru: --rootfs /no/such: No such file or directory\n",
	  125 },
	{ "naru rnu bb:1", "naru: there is no command \"rnu\"\n      did you mean naru run?\n", 2 },
	{ "naru pull busybox",
	  "naru: there is no command \"pull\"\n      there are no registries yet; images come from naru "
	  "import\n",
	  2 },
	{ "naru rmi bb:1",
	  "naru: there is no command \"rmi\"\n      images cannot be removed yet\n", 2 },
	{ "naru bogus", "naru: there is no command \"bogus\"\n      try: naru --help\n", 2 },
	{ "naru rm nosuch",
	  "naru: no such container: nosuch\n      there are no containers on this machine\n", 1 },
	{ "naru rm",
	  "naru: naru rm needs a container, by name or id\n      usage: naru rm [OPTION]... CONTAINER...\n",
	  2 },
	{ "naru exec web",
	  "naru: naru exec needs a command to run in the container\n      usage: naru exec [OPTION]... CONTAINER "
	  "COMMAND [ARG]...\n",
	  125 },
};

static void wrong_lines_are_answered_in_words_a_user_understands(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong_lines); i++)
		naru_refuses(wrong_lines[i].status, wrong_lines[i].err, "%s", wrong_lines[i].line);
}

static void a_taken_name_is_refused_with_its_owner_and_leaves_nothing(void **state)
{
	char text[256];

	(void)state;
	cleanup_free char *id = naru_out("naru run -d --name web --network none bb:1 sleep 60");
	(void)snprintf(
		text, sizeof text,
		"naru: the name web is taken by container %.12s\n      remove that one with naru rm web, or "
		"choose another name\n",
		id);
	naru_refuses(125, text, "naru run --rm --name web bb:1");
	prints("1", "naru ps -aq | wc -l");
}

static void who_is_not_root_is_told_so(void **state)
{
	static const struct {
		const char *words, *err;
		int status;
	} cases[] = {
		{ "run bb:1",
		  "naru: naru run needs root: it makes namespaces, mounts and network interfaces\n"
		  "      try: sudo naru run ...\n",
		  125 },
		{ "ps",
		  "naru: open /var/lib/naru/containers: Permission denied\n"
		  "      containers are root's; try sudo\n",
		  1 },
		{ "import - x:1",
		  "naru: naru import needs root: the files of an image keep their owners\n"
		  "      try: sudo naru import ...\n",
		  1 },
		{ "cni add net /run/netns/x",
		  "naru: naru cni add needs root: its plugins change network namespaces\n"
		  "      try: sudo naru cni ...\n",
		  1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		naru_refuses(
			cases[i].status, cases[i].err,
			"d=$(mktemp -d /tmp/naru-test-nobody-XXXXXX) && chmod 755 $d && "
			"install -m 755 $(command -v naru) $d/naru && "
			"setpriv --reuid 65534 --clear-groups $d/naru %s; s=$?; rm -r $d; exit $s",
			cases[i].words);
}

#define TEST(f) cmocka_unit_test_teardown(f, nothing_stays)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_command_of_the_image_runs_unless_another_is_given),
		TEST(the_exit_code_is_the_commands_or_says_why_there_is_none),
		TEST(a_command_killed_by_a_signal_counts_128_and_the_signal),
		TEST(standard_streams_are_the_callers),
		TEST(what_the_command_gets_is_what_was_asked_for),
		TEST(volumes_show_the_hosts_files),
		TEST(a_port_of_the_host_is_chosen_when_none_is_given),
		TEST(every_port_that_the_image_names_is_published_on_request),
		TEST(words_are_answered_one_by_one_or_as_json),
		TEST(a_directory_serves_as_a_root_and_stays_as_it_was),
		TEST(import_says_what_it_made_in_json_as_well),
		TEST(the_image_is_not_changed_by_its_containers),
		TEST(a_detached_container_prints_its_id_and_runs_on),
		TEST(a_detached_container_whose_command_is_missing_says_so_at_once),
		TEST(a_detached_container_that_removes_itself_is_gone_when_it_has_ended),
		TEST(signals_to_the_runner_reach_the_command),
		TEST(limits_reach_the_control_group),
		TEST(wrong_lines_are_answered_in_words_a_user_understands),
		TEST(a_taken_name_is_refused_with_its_owner_and_leaves_nothing),
		TEST(who_is_not_root_is_told_so),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
