// SPDX-License-Identifier: GPL-2.0-or-later
/* Legacy tables edited by us and by iptables: the same bytes, found by each other. */
#include "tests/lib/lab.h"
#include "tests/lib/text.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* after libc's netinet/in.h, with which they share names */
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/fw/ipttable.h"

static const char *program(int family)
{
	return family == AF_INET ? "iptables-legacy" : "ip6tables-legacy";
}

/* In the words of iptables -A, with a table that takes them. */
static const struct {
	int family;
	const char *table, *words;
} rules[] = {
	{ AF_INET, "filter", "-s 10.1.0.0/16 -j ACCEPT" },
	{ AF_INET, "filter", "! -s 10.1.0.2 ! -i eth+ -o cni0 -p tcp -j RETURN" },
	{ AF_INET, "filter", "-d 10.1.0.2 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT" },
	{ AF_INET, "filter", "-m comment --comment 'CNI firewall plugin rules' -j DROP" },
	{ AF_INET, "filter", "-g OTHER" },
	{ AF_INET, "filter", "-p udp --sport 1:9 ! --dport 53 -j OTHER" },
	{ AF_INET, "filter", "-p sctp --dport 53 -j OTHER" },
	{ AF_INET, "filter", "-p tcp -m multiport --dports 80,90:99 -m mark ! --mark 0x1/0x3" },
	{ AF_INET, "filter", "-m addrtype ! --src-type LOCAL --dst-type UNICAST -j OTHER" },
	{ AF_INET, "nat", "! -d 224.0.0.0/4 -m comment --comment 'name: \"n\"' -j MASQUERADE" },
	{ AF_INET, "nat", "-p tcp --dport 80 -j DNAT --to-destination 10.1.0.2:8080" },
	{ AF_INET, "nat", "-p tcp -j DNAT --to-destination 10.1.0.2" },
	{ AF_INET, "mangle", "-j MARK --set-xmark 0x2000/0x2000" },
	{ AF_INET6, "filter", "-s fd00:1::/64 -i eth0 -p icmpv6 -j ACCEPT" },
	{ AF_INET6, "filter", "-m conntrack --ctstate INVALID,NEW -g OTHER" },
	{ AF_INET6, "filter", "-p tcp -m multiport --destination-ports 1,2 -j OTHER" },
	{ AF_INET6, "nat", "! -d ff00::/8 -j MASQUERADE" },
	{ AF_INET6, "nat", "-p udp --dport 80 -j DNAT --to-destination [fd00:1::2]:8080" },
	{ AF_INET6, "mangle", "-j MARK --set-mark 1" },
};

static const char *words;

static int read_rule(struct ipt_rule *r, uint8_t family, struct err *e)
{
	char line[512];

	/* the shell's quotes are not a saved file's */
	(void)snprintf(line, sizeof line, "%s", words);
	char *open = strchr(line, '\''), *close = open ? strrchr(line, '\'') : NULL;
	cleanup_str struct str s = STR_INIT;
	for (char *p = line; *p; p++) {
		if (p == open || p == close)
			str_addc(&s, '"');
		else if (*p == '"')
			str_add(&s, "\\\"");
		else
			str_addc(&s, *p);
	}
	cleanup_free char *text = str_take(&s);
	return ipt_rule_line(r, family, e, "%s", text);
}

static int add(struct ipt_table *t, void *arg, struct err *e)
{
	struct ipt_rule r;
	int rc = read_rule(&r, t->family, e);

	(void)arg;
	if (rc < 0 || (rc = ipt_chain_add(t, "ONE", e)) < 0 ||
	    (rc = ipt_chain_add(t, "OTHER", e)) < 0)
		return rc;
	return ipt_ensure(t, "ONE", &r, IPT_LAST, e);
}

static int look(struct ipt_table *t, void *arg, struct err *e)
{
	struct ipt_rule r;
	int rc = read_rule(&r, t->family, e);

	(void)arg;
	return rc < 0 ? rc : ipt_find(t, "ONE", &r);
}

/* All entries of a table as the kernel holds them, counters left out; malloc'd. */
static void *entries(int family, const char *table, unsigned *size)
{
	cleanup_fd int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	struct ipt_getinfo info = { 0 }; /* the same in both families */
	socklen_t len = sizeof info;

	(void)snprintf(info.name, sizeof info.name, "%s", table);
	assert_int_equal(getsockopt(fd, level, IPT_SO_GET_INFO, &info, &len), 0);
	len = (socklen_t)(sizeof(struct ipt_get_entries) + info.size);
	struct ipt_get_entries *all = calloc(1, len);
	(void)snprintf(all->name, sizeof all->name, "%s", table);
	all->size = info.size;
	assert_int_equal(getsockopt(fd, level, IPT_SO_GET_ENTRIES, all, &len), 0);
	*size = info.size;
	for (unsigned at = 0; at < info.size;) {
		char *p = (char *)all->entrytable + at;
		struct ipt_entry *v4 = (void *)p;
		struct ip6t_entry *v6 = (void *)p;

		memset(family == AF_INET ? &v4->counters : &v6->counters, 0, sizeof v4->counters);
		at += family == AF_INET ? v4->next_offset : v6->next_offset;
	}
	return all;
}

static void clear(int family, const char *table)
{
	lab_sh("%s -t %s -F; %s -t %s -X", program(family), table, program(family), table);
}

static void a_rule_is_what_iptables_makes_of_the_same_words_to_the_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		int family = rules[i].family;
		const char *table = rules[i].table;
		unsigned theirs_size, ours_size;
		struct err e = ERR_INIT;

		words = rules[i].words;
		clear(family, table);
		lab_sh("%s -t %s -N ONE; %s -t %s -N OTHER; %s -t %s -A ONE %s", program(family),
		       table, program(family), table, program(family), table, words);
		cleanup_free void *theirs = entries(family, table, &theirs_size);
		if (ipt_read((uint8_t)family, table, look, NULL, &e) != 0)
			fail_msg("%s: theirs is not found: %s", words, e.text);
		clear(family, table);
		if (ipt_edit((uint8_t)family, table, add, NULL, &e) != 0)
			fail_msg("%s: %s", words, e.text);
		cleanup_free void *ours = entries(family, table, &ours_size);
		if (ours_size != theirs_size || memcmp(ours, theirs, ours_size))
			fail_msg("%s: bytes differ", words);
		if (lab_try("%s -t %s -C ONE %s", program(family), table, words))
			fail_msg("%s: ours is not found", words);
		assert_int_equal(ipt_edit((uint8_t)family, table, add, NULL, &e), 1);
		clear(family, table);
	}
}

static int say(const struct ipt_rule *r, void *arg)
{
	ipt_rule_text(arg, "CHAIN", r);
	str_addc(arg, '\n');
	return 0;
}

static int say_all(struct ipt_table *t, void *arg, struct err *e)
{
	(void)e;
	return ipt_each(t, "CHAIN", say, arg);
}

static void rules_of_others_are_read_as_iptables_saves_them(void **state)
{
	cleanup_str struct str s = STR_INIT;

	(void)state;
	lab_sh("iptables-legacy -N CHAIN");
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].family == AF_INET && !strcmp(rules[i].table, "filter") &&
		    !strstr(rules[i].words, "OTHER"))
			lab_sh("iptables-legacy -A CHAIN %s", rules[i].words);
	assert_int_equal(ipt_read(AF_INET, "filter", say_all, &s, NULL), 0);
	str_add(&s, "");
	cleanup_free char *theirs = lab_out("iptables-legacy-save -t filter | grep '^-A CHAIN'");
	cleanup_free char *ours = str_take(&s);
	ours[strlen(ours) - 1] = 0;
	assert_string_equal(ours, theirs);
	clear(AF_INET, "filter");
}

static int is_drop(const struct ipt_rule *r, void *arg)
{
	(void)arg;
	return !strcmp(r->target.name, "DROP");
}

static int edit_around(struct ipt_table *t, void *arg, struct err *e)
{
	struct ipt_rule r;

	(void)arg;
	assert_int_equal(ipt_delete_if(t, "FORWARD", is_drop, NULL, e), 2);
	assert_int_equal(ipt_rule_line(&r, AF_INET, e, "-s 10.0.0.9 -j ACCEPT"), 0);
	assert_int_equal(ipt_insert(t, "FORWARD", &r, IPT_FIRST, e), 0);
	assert_int_equal(ipt_rule_line(&r, AF_INET, e, "-s 10.0.0.2 -j ACCEPT"), 0);
	assert_int_equal(ipt_delete(t, "FORWARD", &r, e), 0);
	assert_int_equal(ipt_delete(t, "FORWARD", &r, e), 1);
	assert_int_equal(ipt_delete(t, "NONE", &r, e), 1);
	assert_int_equal(ipt_chain_del(t, "NONE", e), 1);
	return 0;
}

static void an_edit_leaves_the_rules_of_others_as_they_are(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	lab_sh("for r in '-s 10.0.0.1 -j DROP' '-s 10.0.0.2 -j ACCEPT' '-s 10.0.0.3 -j DROP' "
	       "'-m limit --limit 3/sec -j ACCEPT' '-p tcp --syn -j REJECT'; do "
	       "iptables-legacy -A FORWARD $r; done");
	if (ipt_edit(AF_INET, "filter", edit_around, NULL, &e) < 0)
		fail_msg("%s", e.text);
	cleanup_free char *got = lab_out("iptables-legacy -S FORWARD");
	assert_string_equal(got,
			    "-P FORWARD ACCEPT\n"
			    "-A FORWARD -s 10.0.0.9/32 -j ACCEPT\n"
			    "-A FORWARD -m limit --limit 3/sec -j ACCEPT\n"
			    "-A FORWARD -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j REJECT "
			    "--reject-with icmp-port-unreachable");
	clear(AF_INET, "filter");
}

static int take_away(struct ipt_table *t, void *arg, struct err *e)
{
	return ipt_chain_del(t, arg, e);
}

static void a_chain_that_rules_lead_to_is_not_removed(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	lab_sh("iptables-legacy -N USED; iptables-legacy -A FORWARD -j USED");
	char used[] = "USED";
	assert_int_equal(ipt_edit(AF_INET, "filter", take_away, used, &e), -EBUSY);
	assert_string_equal(e.text, "iptables: chain USED of table filter cannot be removed: rules "
				    "lead to it");
	clear(AF_INET, "filter");
}

static void looking_for_a_table_does_not_make_it(void **state)
{
	(void)state;
	lab_netns_new("bare");
	cleanup_free char *before = lab_out_in("bare", "cat /proc/net/ip_tables_names");
	assert_string_equal(before, "");
	lab_sh_in("bare", "iptables-legacy -t nat -S >/dev/null");
	cleanup_free char *after = lab_out_in("bare", "cat /proc/net/ip_tables_names");
	assert_string_equal(after, "nat");
	lab_netns_del("bare");
	lab_sh("iptables-legacy -t nat -S >/dev/null");
	assert_true(ipt_table_exists(AF_INET, "nat"));
	assert_false(ipt_table_exists(AF_INET, "na"));
	assert_false(ipt_table_exists(AF_INET6, "security"));
}

static int plan_an_edit(void *file)
{
	words = "-p tcp -j DNAT --to-destination 10.1.0.2";
	assert_int_equal(plan_open(file, "test", NULL), 0);
	assert_int_equal(ipt_edit(AF_INET, "nat", add, NULL, NULL), 0);
	return ipt_table_exists(AF_INET, "nat");
}

static void a_dry_run_does_not_make_the_table(void **state)
{
	static char file[] = "/run/plan.jsonl";

	(void)state;
	lab_netns_new("bare");
	lab_sh(": > %s", file);
	assert_int_equal(lab_in("bare", plan_an_edit, file), 0);
	lab_sh("grep -q 'iptables -t nat -N ONE' %s", file);
	lab_sh("grep -q 'iptables -t nat -A ONE -p tcp -j DNAT' %s; rm %s", file, file);
	lab_netns_del("bare");
}

/* Somebody else holds the lock longer than we wait. */
static int hold(const char *path)
{
	int ready[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	int pid = fork();
	if (pid == 0) {
		int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

		lab_child();
		(void)prctl(PR_SET_NAME, "slow-restore");
		if (flock(fd, LOCK_EX) == 0 && write(ready[1], "x", 1) == 1)
			(void)pause();
		_exit(1);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	return pid;
}

static void who_holds_the_lock_too_long_is_named_by_process_and_command(void **state)
{
	struct err e = ERR_INIT;
	char want[256];

	(void)state;
	assert_int_equal(setenv("XTABLES_LOCKFILE", "/run/other.lock", 1), 0);
	int pid = hold("/run/other.lock");
	words = "-j ACCEPT";
	assert_int_equal(ipt_edit(AF_INET, "filter", add, NULL, &e), -EAGAIN);
	assert_int_equal(e.code, 11);
	(void)snprintf(want, sizeof want,
		       "lock /run/other.lock: still held by process %d (slow-restore) after 5000 "
		       "ms; try again later",
		       pid);
	assert_string_equal(e.text, want);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(ipt_edit(AF_INET, "filter", add, NULL, &e), 0);
	assert_int_equal(unsetenv("XTABLES_LOCKFILE"), 0);
	clear(AF_INET, "filter");
}

static pid_t holder_of(const char *file)
{
	int ready[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open(file, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

		lab_child();
		_exit(flock(fd, LOCK_EX) == 0 && write(ready[1], "x", 1) == 1 ? pause() : 1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	return pid;
}

static void a_file_of_the_same_number_elsewhere_is_not_taken_for_the_lock(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	lab_sh("mkdir /run/a /run/b && mount -t tmpfs a /run/a && mount -t tmpfs b /run/b && "
	       "touch /run/a/f /run/b/f && test $(stat -c %%i /run/a/f) = $(stat -c %%i /run/b/f)");
	pid_t a = holder_of("/run/a/f"), b = holder_of("/run/b/f");
	for (int i = 0; i < 2; i++) {
		cleanup_fd int fd = open(i ? "/run/b/f" : "/run/a/f", O_RDONLY | O_CLOEXEC);

		assert_int_equal(file_lock(fd, 10, "it", &e), -EAGAIN);
		assert_non_null(strstr(e.text, textf("process %d ", (int)(i ? b : a))));
	}
	(void)kill(a, SIGKILL);
	(void)kill(b, SIGKILL);
	assert_int_equal(waitpid(a, NULL, 0), a);
	assert_int_equal(waitpid(b, NULL, 0), b);
	lab_sh("umount /run/a /run/b && rmdir /run/a /run/b");
}

#define WRITERS 16

static int add_one(struct ipt_table *t, void *arg, struct err *e)
{
	struct ipt_rule r;
	int rc = ipt_rule_line(&r, AF_INET, e, "-s 10.9.0.%d -j ACCEPT", *(int *)arg);

	return rc < 0 ? rc : ipt_ensure(t, "FORWARD", &r, IPT_LAST, e);
}

static void of_many_who_write_at_once_none_is_lost(void **state)
{
	int pid[WRITERS], status;

	(void)state;
	for (int i = 0; i < WRITERS; i++)
		if ((pid[i] = fork()) == 0) {
			lab_child();
			_exit(ipt_edit(AF_INET, "filter", add_one, &i, NULL) != 0);
		}
	lab_sh("for i in 101 102 103; do iptables-legacy -w -A FORWARD -s 10.9.0.$i -j ACCEPT; done");
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	cleanup_free char *n = lab_out("iptables-legacy -S FORWARD | grep -c 10.9.0.");
	assert_string_equal(n, "19");
	clear(AF_INET, "filter");
}

static int setup(void **state)
{
	(void)lab_setup(state);
	if (lab_try("iptables-legacy -L -n && ip6tables-legacy -L -n"))
		lab_skip("this kernel has no legacy iptables (ip_tables, ip6_tables)");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_is_what_iptables_makes_of_the_same_words_to_the_byte),
		cmocka_unit_test(rules_of_others_are_read_as_iptables_saves_them),
		cmocka_unit_test(an_edit_leaves_the_rules_of_others_as_they_are),
		cmocka_unit_test(a_chain_that_rules_lead_to_is_not_removed),
		cmocka_unit_test(looking_for_a_table_does_not_make_it),
		cmocka_unit_test(a_dry_run_does_not_make_the_table),
		cmocka_unit_test(who_holds_the_lock_too_long_is_named_by_process_and_command),
		cmocka_unit_test(a_file_of_the_same_number_elsewhere_is_not_taken_for_the_lock),
		cmocka_unit_test(of_many_who_write_at_once_none_is_lost),
	};

	return cmocka_run_group_tests_name("ipt", tests, setup, NULL);
}
