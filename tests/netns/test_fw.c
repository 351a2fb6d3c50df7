// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The nftables backend against a kernel: what it puts there, finds, refuses, takes away, and
 * survives.
 */
#include "tests/lib/lab.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/fw/fw.h"
#include "netlib/fw/owner.h"
#include "netlib/fw/rules.h"

#define MAPS_MAX 8
#define BOTH (FW_MASQ | FW_DNAT)

/* An attachment, in short: its owner, its address, its ports. */
struct guest {
	const char *container, *addr, *maps[MAPS_MAX];
	bool masq;
	const char *network; /* NULL: mynet */
};

struct plan {
	struct fw_plan p;
	struct fw_masq masq[1];
	struct fw_dnat dnat[MAPS_MAX];
};

static struct plan *plan(const struct guest *g)
{
	struct plan *p = calloc(1, sizeof *p);

	assert_non_null(p);
	p->p = (struct fw_plan){ .owner = { g->network ? g->network : "mynet", g->container,
					    "eth0" },
				 .masq = p->masq,
				 .nmasq = g->masq,
				 .dnat = p->dnat };
	assert_int_equal(ip_prefix_parse(g->addr, &p->masq[0].addr), 0);
	for (size_t i = 0; i < MAPS_MAX && g->maps[i]; i++) {
		struct fw_dnat *d = &p->dnat[p->p.ndnat++];

		*d = (struct fw_dnat){ .to = p->masq[0].addr, .snat = true };
		assert_int_equal(port_map_parse(g->maps[i], &d->map, NULL), 0);
	}
	return p;
}

enum verb { ADD, DEL, DEL_BLIND, CHECK, DEL_MASQ, DEL_DNAT };

/* One verb as a process of its own would do it; text gets the sentence. */
static int run(enum verb v, const struct guest *g, char *text, size_t size)
{
	cleanup_free struct plan *p = plan(g);
	cleanup_fw struct fw *fw = NULL;
	struct err e = ERR_INIT;
	int r = fw_open(&fw, FW_NFTABLES, &e);

	if (r == 0)
		r = v == ADD   ? fw_add(fw, &p->p, &e) :
		    v == CHECK ? fw_check(fw, &p->p, &e) :
				 fw_del(fw, &p->p.owner,
					v == DEL_MASQ ? FW_MASQ :
					v == DEL_DNAT ? FW_DNAT :
							BOTH,
					v == DEL_BLIND ? NULL : &p->p, &e);
	if (text)
		(void)snprintf(text, size, "%s", e.text);
	else if (r < 0)
		lab_fail("%s: %s", g->container, e.text);
	return r;
}

static void ok(enum verb v, const struct guest *g)
{
	assert_int_equal(run(v, g, NULL, 0), 0);
}

static void says(enum verb v, const struct guest *g, int no, const char *text)
{
	char got[640];

	assert_int_equal(run(v, g, got, sizeof got), no);
	assert_string_equal(got, text);
}

static int fresh(void **state)
{
	(void)state;
	(void)lab_try("nft flush ruleset");
	return 0;
}

static const struct guest full = { "cont1",
				   "10.1.0.2/16",
				   { "8080:80", "127.0.0.1:53:53/udp", "6000-6099:6000-6099/udp",
				     "192.0.2.1:7000-7005:7000-7005", "9000-9002:80-82",
				     "9090:90/sctp" },
				   .masq = true };
static const struct guest full6 = { "cont1",
				    "fd00:1::2/64",
				    { "8080:80", "[2001:db8::1]:53:53/udp",
				      "6000-6099:6000-6099/udp" },
				    .masq = true };
static const struct guest small = { "cont2", "10.1.0.3/16", { "8081:80" }, .masq = true };

static char *ruleset(void)
{
	return lab_out("nft list ruleset");
}

static void the_kernel_holds_what_the_text_of_the_rules_says(void **state)
{
	static const struct guest *const guests[] = { &full, &full6 };
	cleanup_str struct str s = STR_INIT;
	char owner[FW_OWNER_MAX];

	(void)state;
	fw_base_text(&s, FW_MASQ | FW_DNAT);
	for (size_t i = 0; i < ARRAY_LEN(guests); i++) {
		cleanup_free struct plan *p = plan(guests[i]);
		cleanup_elems struct fw_elems l = FW_ELEMS_INIT;

		assert_int_equal(fw_plan_elements(&p->p, &l, NULL), 0);
		fw_owner_text(owner, &p->p.owner);
		fw_plan_text(&s, &l, owner);
		ok(ADD, guests[i]);
	}
	cleanup_free char *ours = ruleset();
	lab_sh("cat > /run/text.nft <<'END'\n%sEND\nnft delete table inet naru\nnft -f /run/text.nft",
	       s.p);
	cleanup_free char *theirs = ruleset();
	assert_string_equal(ours, theirs);
}

static void nft_can_save_and_restore_it(void **state)
{
	(void)state;
	ok(ADD, &full);
	ok(ADD, &full6);
	cleanup_free char *before = ruleset();
	lab_sh("nft list ruleset > /run/saved.nft && nft flush ruleset && nft -f /run/saved.nft");
	cleanup_free char *after = ruleset();
	assert_string_equal(before, after);
	ok(CHECK, &full);
	ok(CHECK, &full6);
}

static void adding_twice_changes_nothing(void **state)
{
	(void)state;
	ok(ADD, &full);
	cleanup_free char *before = ruleset();
	ok(ADD, &full);
	cleanup_free char *after = ruleset();
	assert_string_equal(before, after);
	ok(CHECK, &full);
}

static void what_the_same_owner_had_otherwise_is_replaced(void **state)
{
	static const struct guest moved = { "cont1",
					    "10.1.0.99/16",
					    { "8080:8888", "6000-6099:6000-6099/udp" } };

	(void)state;
	ok(ADD, &full);
	ok(ADD, &moved);
	ok(CHECK, &moved);
	says(CHECK, &full, -EBADMSG,
	     "nftables: dnat4 of table inet naru: expected 8080/tcp to 10.1.0.2:80, got 8080/tcp to "
	     "10.1.0.99:8888");
}

static void a_taken_port_is_refused_by_its_owners_name(void **state)
{
	static const struct {
		const char *have, *want, *text; /* NULL: there is room for both */
	} cases[] = {
		{ "80:80", "80:81", "host port 80/tcp is taken by " },
		{ "127.0.0.1:80:80", "127.0.0.1:80:81", "host port 127.0.0.1:80/tcp is taken by " },
		{ "80:80", "127.0.0.1:80:80",
		  "host port 127.0.0.1:80/tcp is taken by , which has 80/tcp" },
		{ "127.0.0.1:80:80", "80:80",
		  "host port 80/tcp is taken by , which has 127.0.0.1:80/tcp" },
		{ "80-90:80-90", "85:1", "host port 85/tcp is taken by , which has 80-90/tcp" },
		{ "85:1", "80-90:80-90", "host port 80-90/tcp is taken by , which has 85/tcp" },
		{ "127.0.0.1:85:1", "80-90:80-90",
		  "host port 80-90/tcp is taken by , which has 127.0.0.1:85/tcp" },
		{ "127.0.0.1:80-90:80-90", "85:1",
		  "host port 85/tcp is taken by , which has 127.0.0.1:80-90/tcp" },
		{ "80-90:80-90", "90-99:90-99",
		  "host port 90-99/tcp is taken by , which has 80-90/tcp" },
		{ "80-90:80-90", "80-90:80-90", "host port 80-90/tcp is taken by " },
		{ "80-82:180-182", "81-89:81-89", "host port 81-89/tcp is taken by , which has 8" },
		{ "80:80", "80:80/udp", NULL },
		{ "127.0.0.1:80:80", "127.0.0.2:80:80", NULL },
		{ "127.0.0.1:80-90:80-90", "127.0.0.2:80-90:80-90", NULL },
		{ "80-90:80-90", "91-99:91-99", NULL },
		{ "80-90:80-90", "79:1", NULL },
	};
	static const char who[] = "container first of network mynet (interface eth0)";

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct guest first = { "first", "10.1.0.2/16", { cases[i].have } };
		const struct guest second = { "second", "10.1.0.3/16", { cases[i].want } };
		char want[256], got[640];

		(void)fresh(state);
		ok(ADD, &first);
		cleanup_free char *before = ruleset();
		if (!cases[i].text) {
			ok(ADD, &second);
			continue;
		}
		const char *by = strstr(cases[i].text, " by ") + 4;
		(void)snprintf(want, sizeof want, "%.*s%s%s", (int)(by - cases[i].text),
			       cases[i].text, who, by);
		assert_int_equal(run(ADD, &second, got, sizeof got), -EADDRINUSE);
		assert_memory_equal(got, want, strlen(want));
		cleanup_free char *after = ruleset();
		assert_string_equal(before, after);
	}
}

static void a_range_that_meets_an_own_one_is_refused(void **state)
{
	static const struct guest a = { "cont1", "10.1.0.2/16", { "80-90:80-90" } },
				  b = { "cont1", "10.1.0.2/16", { "85-99:85-99" } };

	(void)state;
	ok(ADD, &a);
	says(ADD, &b, -EADDRINUSE,
	     "host ports 85-99/tcp overlap another range that this attachment already has; remove that first");
	ok(CHECK, &a);
}

static void a_stale_masquerade_of_another_owner_is_replaced(void **state)
{
	static const struct guest old = { "old", "10.1.0.2/16", .masq = true },
				  new = { "new", "10.1.0.2/16", .masq = true };

	(void)state;
	ok(ADD, &old);
	ok(ADD, &new);
	ok(CHECK, &new);
	says(CHECK, &old, -EBADMSG,
	     "nftables: 10.1.0.2 leaving 10.1.0.0/16 (masquerade) in masq-10.1.0.0-16 of table inet naru belongs "
	     "to container new of network mynet (interface eth0)");
	ok(DEL, &old);
	ok(CHECK, &new);
}

static void deletion_takes_the_owners_elements_and_no_others(void **state)
{
	static const enum verb how[] = { DEL, DEL_BLIND };
	static const struct guest same_id = {
		"cont1", "10.1.0.4/16", { "8099:80" }, .masq = true, .network = "other"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(how); i++) {
		(void)fresh(state);
		ok(ADD, &full);
		ok(ADD, &full6);
		ok(ADD, &small);
		ok(ADD, &same_id);
		ok(how[i], &full);
		ok(how[i], &full6);
		ok(CHECK, &small);
		ok(CHECK, &same_id);
		cleanup_free char *left =
			lab_out("nft list ruleset | grep -c mynet/cont1/ || true");
		assert_string_equal(left, "0");
		ok(how[i], &full);
	}
}

static void a_hint_that_is_not_all_there_means_a_search(void **state)
{
	static const struct guest part = { "cont1", "10.1.0.2/16", { "8080:80", "1:1" } };

	(void)state;
	ok(ADD, &full);
	ok(DEL, &part);
	cleanup_free char *left = lab_out("nft list ruleset | grep -c cont1 || true");
	assert_string_equal(left, "0");
}

static void parts_are_deleted_apart(void **state)
{
	(void)state;
	ok(ADD, &small);
	ok(DEL_MASQ, &small);
	says(CHECK, &small, -ENOENT,
	     "nftables: 10.1.0.3 leaving 10.1.0.0/16 (masquerade) is missing in masq-10.1.0.0-16 of table inet naru");
	ok(ADD, &small);
	ok(DEL_DNAT, &small);
	says(CHECK, &small, -ENOENT,
	     "nftables: 8081/tcp to 10.1.0.3:80 (dnat) is missing in dnat4 of table inet naru");
}

static void deletion_without_a_table_is_success(void **state)
{
	(void)state;
	ok(DEL, &full);
	ok(DEL_BLIND, &full);
	cleanup_free char *after = ruleset();
	assert_string_equal(after, "");
}

static void deletion_of_nothing_leaves_not_even_a_lock(void **state)
{
	(void)state;
	lab_sh("rm -rf /run/naru");
	ok(DEL, &full);
	ok(DEL_BLIND, &full);
	assert_int_equal(lab_try("test -e /run/naru"), 1);
}

static void four_thousand_ports_go_into_one_request(void **state)
{
	static const struct guest many = { "cont1", "10.1.0.2/16", { "10001-14096:20001-24096" } };
	static const struct guest rival = { "cont2", "10.1.0.3/16", { "14096:80" } };

	(void)state;
	ok(ADD, &many);
	ok(ADD, &many); /* thousands of refusals come back and are looked at */
	ok(CHECK, &many);
	says(ADD, &rival, -EADDRINUSE,
	     "host port 14096/tcp is taken by container cont1 of network mynet (interface eth0)");
	ok(DEL, &many);
	ok(ADD, &rival);
}

static int as_nobody(void *arg)
{
	cleanup_free struct plan *p = plan(&small);
	cleanup_fw struct fw *fw = NULL;
	char *text = arg;
	struct err e = ERR_INIT;

	if (setuid(65534) < 0 || fw_open(&fw, FW_AUTO, NULL) < 0)
		return 1;
	int r = fw_add(fw, &p->p, &e);
	return r == -EPERM && !strcmp(e.text, text) ? 0 : 1;
}

static void who_may_not_is_told_so(void **state)
{
	char text[] =
		"the firewall may be changed by root only (CAP_NET_ADMIN in the user namespace that owns this network namespace)";

	(void)state;
	assert_int_equal(lab_in(NULL, as_nobody, text), 0);
}

static void an_element_that_changed_hands_is_left_alone(void **state)
{
	static const struct guest first = { "first", "10.1.0.2/16", { "80:80" } },
				  second = { "second", "10.1.0.3/16", { "80:80" } };

	(void)state;
	ok(ADD, &first);
	ok(DEL, &first);
	ok(ADD, &second);
	ok(DEL, &first);
	ok(DEL_BLIND, &first);
	ok(CHECK, &second);
}

static void check_says_what_is_missing(void **state)
{
	static const struct {
		const char *harm, *text;
		int no;
	} cases[] = {
		{ "nft flush ruleset",
		  "nftables: table inet naru is missing; attach a container anew or restart it to bring it back",
		  -ENOENT },
		{ "nft flush chain inet naru guard",
		  "nftables: a rule of chain guard is missing in table inet naru; attach a container anew or restart it to bring it back",
		  -ENOENT },
		{ "nft flush chain inet naru hairpin",
		  "nftables: a rule of chain hairpin is missing in table inet naru; attach a container anew or restart it to bring it back",
		  -ENOENT },
		{ "nft flush chain inet naru prerouting && nft delete chain inet naru prerouting",
		  "nftables: chain prerouting is missing in table inet naru; attach a container anew or restart it to bring it back",
		  -ENOENT },
		{ "nft flush chain inet naru prerouting && nft delete chain inet naru prerouting && nft add chain inet naru prerouting",
		  "chain prerouting in table inet naru is not ours: expected nat hook prerouting priority -100; delete the table (nft "
		  "delete table inet naru) and attach the containers again",
		  -EBADMSG },
		{ "nft delete element inet naru dnat4 { tcp . 8081 }",
		  "nftables: 8081/tcp to 10.1.0.3:80 (dnat) is missing in dnat4 of table inet naru",
		  -ENOENT },
		{ "nft flush set inet naru snat-10.1.0.0-16",
		  "nftables: 8081/tcp from 10.1.0.0/16 (hairpin) is missing in snat-10.1.0.0-16 of table inet naru",
		  -ENOENT },
		{ "nft add table inet naru { flags dormant\\; }",
		  "table inet naru is dormant: nothing in it is in force; wake it with nft add table inet naru",
		  -EBADMSG },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)fresh(state);
		ok(ADD, &small);
		ok(CHECK, &small);
		lab_sh("%s", cases[i].harm);
		says(CHECK, &small, cases[i].no, cases[i].text);
	}
}

static void missing_furniture_is_made_again_and_foreign_rules_stay(void **state)
{
	static const struct guest elsewhere = {
		"cont9", "10.9.0.2/16", { "8099:80" }, .masq = true
	};

	(void)state;
	ok(ADD, &small);
	lab_sh("nft insert rule inet naru postrouting oifname nowhere counter accept\n"
	       "nft delete rule inet naru postrouting handle $(nft -a list chain inet naru postrouting |"
	       " sed -n 's/.*224.*# handle //p')\n"
	       "nft flush chain inet naru guard");
	ok(ADD, &elsewhere); /* its subnet is new: furniture is looked at */
	ok(CHECK, &small);
	ok(CHECK, &elsewhere);
	cleanup_free char *foreign =
		lab_out("nft list chain inet naru postrouting | grep -c nowhere");
	assert_string_equal(foreign, "1");
	cleanup_free char *chain = lab_out(
		"nft list chain inet naru postrouting | sed -n 's/^\\t\\t\\(ip saddr\\|meta mark\\).*/\\1/p' | head -1");
	assert_string_equal(chain, "meta mark"); /* our rules are in their order again */
}

static void gc_collects_the_network_and_trims_empty_sets(void **state)
{
	static const struct guest stale = { "gone", "10.7.0.2/16", { "8099:80" }, .masq = true },
				  other = { "cont1",
					    "10.1.0.9/16",
					    { "8088:80" },
					    .masq = true,
					    .network = "other" };
	const struct fw_owner valid = { "mynet", "cont2", "eth0" };
	cleanup_fw struct fw *fw = NULL;

	(void)state;
	ok(ADD, &stale);
	ok(ADD, &small);
	ok(ADD, &other);
	assert_int_equal(fw_open(&fw, FW_AUTO, NULL), 0);
	assert_int_equal(fw_gc(fw, "mynet", &valid, 1, FW_MASQ, NULL), 0);
	says(CHECK, &stale, -ENOENT,
	     "nftables: set masq-10.7.0.0-16 is missing in table inet naru; attach a container anew or restart it to "
	     "bring it back");
	assert_int_equal(fw_gc(fw, "mynet", &valid, 1, BOTH, NULL), 0);
	ok(CHECK, &small);
	ok(CHECK, &other);
	cleanup_free char *left = lab_out("nft list ruleset | grep -c -e gone -e 10.7.0 || true");
	assert_string_equal(left, "0");
}

static void sweep_removes_the_table_only_when_nothing_is_in_it(void **state)
{
	cleanup_fw struct fw *fw = NULL;

	(void)state;
	assert_int_equal(fw_open(&fw, FW_AUTO, NULL), 0);
	assert_int_equal(fw_sweep(fw, NULL), 0);
	ok(ADD, &small);
	assert_int_equal(fw_sweep(fw, NULL), 0);
	ok(DEL, &small);
	lab_sh("nft add rule inet naru guard counter");
	assert_int_equal(fw_sweep(fw, NULL), 0);
	lab_sh("nft delete rule inet naru guard handle $(nft -a list chain inet naru guard | sed -n 's/.*counter.*# handle //p')");
	assert_int_equal(fw_sweep(fw, NULL), 1);
	assert_int_equal(fw_sweep(fw, NULL), 0);
	cleanup_free char *after = ruleset();
	assert_string_equal(after, "");
}

static int collect(const char *owner, const char *what, const char *text, void *arg)
{
	str_addf(arg, "%s: %s %s\n", owner, what, text);
	return 0;
}

static void everything_is_listed_in_words(void **state)
{
	cleanup_fw struct fw *fw = NULL;
	cleanup_str struct str s = STR_INIT;

	(void)state;
	ok(ADD, &small);
	assert_int_equal(fw_open(&fw, FW_AUTO, NULL), 0);
	assert_int_equal(fw_each(fw, collect, &s, NULL), 0);
	assert_string_equal(s.p, "mynet/cont2/eth0: dnat 8081/tcp to 10.1.0.3:80\n"
				 "mynet/cont2/eth0: hairpin 8081/tcp from 10.1.0.0/16\n"
				 "mynet/cont2/eth0: masquerade 10.1.0.3 leaving 10.1.0.0/16\n");
}

static void a_map_of_another_type_is_told_as_such(void **state)
{
	char got[640];

	(void)state;
	lab_sh("nft 'add table inet naru; add map inet naru dnat4 { type ipv4_addr : ipv4_addr; };"
	       "add element inet naru dnat4 { 1.1.1.1 : 2.2.2.2 }'");
	assert_int_equal(run(DEL_BLIND, &small, got, sizeof got), -EBADMSG);
	assert_string_equal(
		got,
		"dnat4 in table inet naru is not ours: its elements have another type; delete the table (nft delete table inet "
		"naru) and attach the containers again");
	assert_true(run(ADD, &small, got, sizeof got) < 0);
	assert_non_null(strstr(got, "dnat4"));
}

static void the_backend_can_be_named_in_the_environment(void **state)
{
	static const struct {
		const char *value, *text;
		int no;
	} cases[] = {
		{ "nftables", "", 0 },
		{ "", "", 0 },
		{ "iptables", "", 0 },
		{ "pf", "NARU_FW_BACKEND: expected nftables or iptables, got pf", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_fw struct fw *fw = NULL;
		struct err e = ERR_INIT;

		assert_int_equal(setenv("NARU_FW_BACKEND", cases[i].value, 1), 0);
		assert_int_equal(fw_open(&fw, FW_AUTO, &e), cases[i].no);
		assert_string_equal(e.text, cases[i].text);
	}
	assert_int_equal(unsetenv("NARU_FW_BACKEND"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_kernel_holds_what_the_text_of_the_rules_says, fresh),
		cmocka_unit_test_setup(nft_can_save_and_restore_it, fresh),
		cmocka_unit_test_setup(adding_twice_changes_nothing, fresh),
		cmocka_unit_test_setup(what_the_same_owner_had_otherwise_is_replaced, fresh),
		cmocka_unit_test_setup(a_taken_port_is_refused_by_its_owners_name, fresh),
		cmocka_unit_test_setup(a_range_that_meets_an_own_one_is_refused, fresh),
		cmocka_unit_test_setup(a_stale_masquerade_of_another_owner_is_replaced, fresh),
		cmocka_unit_test_setup(deletion_takes_the_owners_elements_and_no_others, fresh),
		cmocka_unit_test_setup(a_hint_that_is_not_all_there_means_a_search, fresh),
		cmocka_unit_test_setup(parts_are_deleted_apart, fresh),
		cmocka_unit_test_setup(deletion_without_a_table_is_success, fresh),
		cmocka_unit_test_setup(deletion_of_nothing_leaves_not_even_a_lock, fresh),
		cmocka_unit_test_setup(four_thousand_ports_go_into_one_request, fresh),
		cmocka_unit_test_setup(who_may_not_is_told_so, fresh),
		cmocka_unit_test_setup(an_element_that_changed_hands_is_left_alone, fresh),
		cmocka_unit_test_setup(check_says_what_is_missing, fresh),
		cmocka_unit_test_setup(missing_furniture_is_made_again_and_foreign_rules_stay,
				       fresh),
		cmocka_unit_test_setup(gc_collects_the_network_and_trims_empty_sets, fresh),
		cmocka_unit_test_setup(sweep_removes_the_table_only_when_nothing_is_in_it, fresh),
		cmocka_unit_test_setup(everything_is_listed_in_words, fresh),
		cmocka_unit_test_setup(a_map_of_another_type_is_told_as_such, fresh),
		cmocka_unit_test_setup(the_backend_can_be_named_in_the_environment, fresh)
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
