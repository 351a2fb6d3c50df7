// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netlib/base/decode.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/net/addr.h"
#include "netlib/net/link.h"
#include "netlib/net/route.h"
#include "netlib/net/words.h"
#include "netlib/nl/nlmsg.h"

/* In a child: what is opened stays open, and the seal cannot be broken. */
static void in_child(void (*body)(void))
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		body();
		_exit(0);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	assert_int_equal(status, 0);
}

#define MUST(x) \
	do { \
		if (!(x)) { \
			(void)fprintf(stderr, "line %d: %s\n", __LINE__, #x); \
			_exit(1); \
		} \
	} while (0)

static void open_plan(void)
{
	char path[64];
	int fd = memfd_create("plan", 0);

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	MUST(fd >= 0 && plan_open(path, "test", NULL) == 0 && plan_on());
}

static int collect(struct json_object *change, void *arg)
{
	static const char *const keys[] = { "plugin", "row", "kind", "where", "text" };
	size_t len;
	void *raw = plan_raw(change, &len);

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		str_addf(arg, "%s ", json_text(json_get(change, keys[i])) ?: "-");
	str_addf(arg, "%.*s;", (int)len, raw ? (const char *)raw : "");
	free(raw);
	return 0;
}

static void note_and_read(void)
{
	cleanup_str struct str s = STR_INIT;

	MUST(!plan_on());
	open_plan();
	plan_note("sysctl", "host", "net/x = %d", 1);
	plan_row("veth");
	plan_note_raw("netlink", "container", "words", "bytes", 5);
	MUST(plan_each(collect, &s, NULL) == 0);
	MUST(!strcmp(s.p,
		     "test - sysctl host net/x = 1 ;test veth netlink container words bytes;"));
}

static void what_is_noted_is_read_back_in_order(void **state)
{
	(void)state;
	in_child(note_and_read);
}

static void sealed(void)
{
	char path[] = "/tmp/naru-test-plan-XXXXXX", file[64];
	int fd = mkstemp(path);

	MUST(fd >= 0 && close(fd) == 0);
	open_plan();
	MUST(plan_seal(NULL) == 0);
	(void)snprintf(file, sizeof file, "%s.new", path);
	MUST(unlink(path) < 0 && errno == EPERM);
	MUST(rename(path, file) < 0 && errno == EPERM);
	MUST(mkdir(file, 0700) < 0 && errno == EPERM);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	MUST(fd < 0 && errno == EPERM);
	fd = open(file, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd < 0 && errno == EPERM);
	MUST(symlink(path, file) < 0 && errno == EPERM);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0 && close(fd) == 0);
	plan_note("file", "host", "still noted");
	if (fork() == 0) /* goes with what is started, too */
		_exit(unlink(path) < 0 && errno == EPERM ? 0 : 1);
	int status = 1;
	MUST(wait(&status) > 0 && status == 0);
}

static void a_sealed_process_changes_no_file(void **state)
{
	(void)state;
	in_child(sealed);
	assert_int_equal(system("rm -f /tmp/naru-test-plan-*"), 0);
}

static const char *name_of(uint32_t index, void *arg)
{
	(void)arg;
	return index == 7 ? "eth7" : NULL;
}

static const char *words(const struct nlmsg *m)
{
	static struct str s;

	str_free(&s);
	s = (struct str)STR_INIT;
	for (size_t at = 0; at < m->len;) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)(m->buf + at);

		words_print(&s, h, name_of, NULL);
		str_addc(&s, ';');
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return s.p;
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(text, &p), 0);
	return p;
}

static void messages_read_like_commands(void **state)
{
	struct ip_prefix p = prefix("10.1.0.2/24"), all = prefix("::/0");
	struct route r = { .dst = all, .oif = 9, .priority = 5 };
	const struct ifinfomsg gone = { .ifi_index = 7 };
	struct nlmsg m;

	(void)state;
	nlmsg_init(&m);
	link_put_up(&m, 7);
	addr_put(&m, 7, &p, 0);
	assert_int_equal(ip_parse("fd00::1", &r.gw), 0);
	route_put(&m, &r, false);
	nlmsg_begin(&m, RTM_DELLINK, 0, &gone, sizeof gone);
	assert_string_equal(words(&m), "link set eth7 up;addr add 10.1.0.2/24 dev eth7;"
				       "route add default6 via fd00::1 dev interface 9 metric 5;"
				       "link del eth7;");
}

static void rules_and_queues_read_like_commands(void **state)
{
	const struct fib_rule_hdr f = { .family = AF_INET, .src_len = 32, .table = 7 };
	const struct tcmsg t = { .tcm_ifindex = 7, .tcm_parent = TC_H_ROOT };
	const struct ifinfomsg port = { .ifi_family = AF_BRIDGE, .ifi_index = 7 };
	struct ip_prefix from = prefix("10.1.0.2/32");
	struct nlmsg m;

	(void)state;
	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_NEWRULE, NLM_F_CREATE, &f, sizeof f);
	nlmsg_ip(&m, FRA_SRC, &from.addr);
	nlmsg_u32(&m, FRA_PRIORITY, 100);
	nlmsg_begin(&m, RTM_NEWQDISC, NLM_F_CREATE, &t, sizeof t);
	nlmsg_str(&m, TCA_KIND, "tbf");
	nlmsg_begin(&m, RTM_DELTFILTER, 0, &t, sizeof t);
	nlmsg_begin(&m, RTM_DELLINK, 0, &port, sizeof port);
	assert_string_equal(words(&m),
			    "rule add priority 100 from 10.1.0.2/32 table 7;"
			    "qdisc add dev eth7 root tbf;filter del dev eth7 root;"
			    "bridge port eth7: RTM_DELLINK request family bridge index 7;");
}

static void other_messages_are_told_by_their_names(void **state)
{
	const struct ifinfomsg i = { .ifi_index = 7 };
	struct nlmsg m;

	(void)state;
	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_GETLINK, 0, &i, sizeof i);
	assert_string_equal(words(&m), "RTM_GETLINK request family unspec index 7;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_noted_is_read_back_in_order),
		cmocka_unit_test(a_sealed_process_changes_no_file),
		cmocka_unit_test(messages_read_like_commands),
		cmocka_unit_test(rules_and_queues_read_like_commands),
		cmocka_unit_test(other_messages_are_told_by_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
