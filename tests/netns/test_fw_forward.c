// SPDX-License-Identifier: GPL-2.0-or-later
/* Forwarding in nftables: accepted and isolated addresses, and what the operator adds to it. */
#include "tests/lib/lab.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/fw/fw.h"
#include "netlib/fw/owner.h"
#include "netlib/fw/rules.h"

#define FORWARD (FW_ACCEPT | FW_ISOLATE)

struct guest {
	const char *container, *v4, *v6;
	const char *bridge; /* NULL: not isolated */
	bool alone;
	const char *network; /* NULL: mynet */
};

struct plan {
	struct fw_plan p;
	struct ip_addr accept[2];
	struct fw_isolate isolate[2];
};

static struct fw_owner owner_of(const struct guest *g)
{
	return (struct fw_owner){ g->network ? g->network : "mynet", g->container, "eth0" };
}

static void make(struct plan *p, const struct guest *g)
{
	*p = (struct plan){ .p = { .owner = owner_of(g), .naccept = 2 } };
	assert_int_equal(ip_parse(g->v4, &p->accept[0]), 0);
	assert_int_equal(ip_parse(g->v6, &p->accept[1]), 0);
	p->p.accept = p->accept;
	p->p.isolate = p->isolate;
	for (int i = 0; g->bridge && i < 2; i++)
		p->isolate[p->p.nisolate++] =
			(struct fw_isolate){ p->accept[i], g->bridge, g->alone };
}

enum verb { ADD, CHECK, DEL, DEL_BLIND, DEL_ACCEPT, DEL_OTHERS };

static int run(enum verb v, const struct guest *g, char *text, size_t size)
{
	static const unsigned parts[] = { [DEL] = FORWARD,
					  [DEL_BLIND] = FW_ALL,
					  [DEL_ACCEPT] = FW_ACCEPT,
					  [DEL_OTHERS] = FW_MASQ | FW_DNAT };
	cleanup_fw struct fw *fw = NULL;
	struct err e = ERR_INIT;
	struct plan p;
	int r = fw_open(&fw, FW_NFTABLES, &e);

	make(&p, g);
	if (r == 0)
		r = v == ADD   ? fw_add(fw, &p.p, &e) :
		    v == CHECK ? fw_check(fw, &p.p, &e) :
				 fw_del(fw, &p.p.owner, parts[v], v == DEL_BLIND ? NULL : &p.p, &e);
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

static void says(enum verb v, const struct guest *g, int no, const char *words)
{
	char got[640];

	assert_int_equal(run(v, g, got, sizeof got), no);
	if (!strstr(got, words))
		lab_fail("expected \"%s\" in: %s", words, got);
}

static int sweep(void)
{
	cleanup_fw struct fw *fw = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(fw_open(&fw, FW_NFTABLES, &e), 0);
	int r = fw_sweep(fw, &e);
	if (r < 0)
		lab_fail("%s", e.text);
	return r;
}

static void collect(const char *network, const struct guest *valid)
{
	struct fw_owner o = valid ? owner_of(valid) : (struct fw_owner){ 0 };
	cleanup_fw struct fw *fw = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(fw_open(&fw, FW_NFTABLES, &e), 0);
	if (fw_gc(fw, network, &o, valid != NULL, FORWARD, &e) < 0)
		lab_fail("%s", e.text);
}

static int fresh(void **state)
{
	(void)state;
	(void)lab_try("nft flush ruleset");
	return 0;
}

static const struct guest one = { "cont1", "10.1.0.2", "fd00:1::2" };
static const struct guest near = { "cont2", "10.1.0.3", "fd00:1::3", "cni0" };
static const struct guest alone = { "cont3", "10.1.0.4", "fd00:1::4", "br+1", true };
static const struct guest *const all[] = { &one, &near, &alone };

static void the_kernel_holds_what_the_text_of_the_rules_says(void **state)
{
	cleanup_str struct str s = STR_INIT;
	char owner[FW_OWNER_MAX];

	(void)state;
	fw_base_text(&s, FW_ALL);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		cleanup_elems struct fw_elems l = FW_ELEMS_INIT;
		struct plan p;

		make(&p, all[i]);
		assert_int_equal(fw_plan_elements(&p.p, &l, NULL), 0);
		fw_owner_text(owner, &p.p.owner);
		fw_plan_text(&s, &l, owner);
		ok(ADD, all[i]);
	}
	cleanup_free char *ours = lab_out("nft list ruleset");
	lab_sh("cat > /run/text.nft <<'END'\n%sEND\nnft delete table inet naru\nnft -f /run/text.nft",
	       s.p);
	cleanup_free char *theirs = lab_out("nft list ruleset");
	assert_string_equal(ours, theirs);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		ok(CHECK, all[i]);
	lab_sh("nft list ruleset > /run/saved.nft && nft flush ruleset && nft -f /run/saved.nft");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		ok(CHECK, all[i]);
	/* what nft wrote is known as ours: nothing is added a second time */
	ok(ADD, &alone);
	cleanup_free char *again = lab_out("nft list ruleset");
	assert_string_equal(ours, again);
}

static void who_does_not_ask_for_it_has_no_chain_in_the_way_of_forwarding(void **state)
{
	const struct fw_masq masq = { { { AF_INET, { 10, 1, 0, 9 } }, 24 } };
	const struct fw_plan p = { .owner = owner_of(&one), .masq = &masq, .nmasq = 1 };
	cleanup_fw struct fw *fw = NULL;

	(void)state;
	assert_int_equal(fw_open(&fw, FW_NFTABLES, NULL), 0);
	assert_int_equal(fw_add(fw, &p, NULL), 0);
	lab_sh("! nft list ruleset | grep -E 'forward|admin|isolation|accept4'");
	ok(ADD, &near); /* in a table made by somebody who did not need them */
	ok(CHECK, &near);
	assert_int_equal(fw_check(fw, &p, NULL), 0);
	/* and masquerade does not mind what happens to them */
	lab_sh("nft flush chain inet naru forward; nft delete chain inet naru forward");
	assert_int_equal(fw_check(fw, &p, NULL), 0);
	says(CHECK, &near, -ENOENT, "nftables: chain forward is missing in table inet naru");
}

static void adding_twice_changes_nothing(void **state)
{
	(void)state;
	ok(ADD, &alone);
	cleanup_free char *before = lab_out("nft list ruleset");
	ok(ADD, &alone);
	cleanup_free char *after = lab_out("nft list ruleset");
	assert_string_equal(before, after);
}

static void each_part_is_deleted_by_itself(void **state)
{
	(void)state;
	ok(ADD, &near);
	ok(ADD, &one);
	ok(DEL_OTHERS, &near);
	ok(CHECK, &near);
	ok(DEL_ACCEPT, &near);
	says(CHECK, &near, -ENOENT, "nftables: 10.1.0.3 forwarded (accept) is missing in accept4");
	lab_sh("nft list set inet naru same4-cni0 | grep -q mynet/cont2/eth0");
	ok(DEL, &near);
	lab_sh("! nft list ruleset | grep cont2");
	ok(CHECK, &one);
	ok(DEL_BLIND, &one);
	ok(DEL_BLIND, &one);
	assert_int_equal(sweep(), 1);
	lab_sh("test -z \"$(nft list ruleset)\"");
}

static void an_address_has_one_owner(void **state)
{
	static const struct guest next = { "next", "10.1.0.3", "fd00:1::3", "cni0" };

	(void)state;
	ok(ADD, &near);
	ok(ADD, &next);
	ok(DEL, &near);
	ok(CHECK, &next);
	says(CHECK, &near, -EBADMSG, "belongs to container next of network mynet");
}

static void a_bridge_without_isolated_containers_leaves_no_rules_after_gc(void **state)
{
	static const struct guest other = {
		"cont9", "10.9.0.2", "fd00:9::2", "br9", false, "net9"
	};

	(void)state;
	ok(ADD, &near);
	ok(ADD, &alone);
	ok(ADD, &other);
	collect("mynet", &near);
	ok(CHECK, &near);
	ok(CHECK, &other);
	lab_sh("! nft list ruleset | grep -E 'cont3|br.2b1|br.1'");
	collect("mynet", NULL);
	lab_sh("! nft list ruleset | grep cni0");
	ok(CHECK, &other);
	assert_int_equal(sweep(), 0);
}

static void the_operators_rules_come_first_and_stay(void **state)
{
	(void)state;
	/* before the first container, without our help */
	lab_sh("nft add table inet naru; nft add chain inet naru admin;"
	       "nft add rule inet naru admin tcp dport 25 drop");
	ok(ADD, &near);
	ok(CHECK, &near);
	lab_sh("nft list chain inet naru forward | sed -n 4p | grep -q 'jump admin'");
	/* chains that lost a rule are put right, the operator's are left alone */
	lab_sh("nft flush chain inet naru forward; nft delete set inet naru accept6");
	ok(ADD, &one);
	ok(CHECK, &one);
	lab_sh("nft list chain inet naru admin | grep -q 'tcp dport 25 drop'");
	ok(DEL, &near);
	ok(DEL, &one);
	collect("mynet", NULL);
	assert_int_equal(sweep(), 0);
	lab_sh("nft flush chain inet naru admin");
	assert_int_equal(sweep(), 1);
}

static void the_operators_policy_stays(void **state)
{
	(void)state;
	ok(ADD, &one);
	lab_sh("nft 'chain inet naru forward { policy drop; }'");
	ok(ADD, &near);
	ok(CHECK, &near);
	lab_sh("nft list chain inet naru forward | grep -q 'policy drop'");
	ok(DEL, &one);
	ok(DEL, &near);
	assert_int_equal(sweep(), 0);
	lab_sh("nft list chain inet naru forward | grep -q 'policy drop'");
	lab_sh("nft 'chain inet naru forward { policy accept; }'");
	assert_int_equal(sweep(), 1);
}

static int count(const char *owner, const char *what, const char *text, void *arg)
{
	cleanup_free char *line = str_fmt("%s %s %s\n", owner, what, text);

	str_add(arg, line);
	return 0;
}

static void they_are_listed_in_words(void **state)
{
	cleanup_str struct str s = STR_INIT;
	cleanup_fw struct fw *fw = NULL;

	(void)state;
	ok(ADD, &near);
	assert_int_equal(fw_open(&fw, FW_NFTABLES, NULL), 0);
	assert_int_equal(fw_each(fw, count, &s, NULL), 0);
	assert_non_null(strstr(s.p, "mynet/cont2/eth0 accept 10.1.0.3 forwarded\n"));
	assert_non_null(
		strstr(s.p, "mynet/cont2/eth0 isolate fd00:1::3 from bridges other than cni0\n"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, fresh)
	const struct CMUnitTest tests[] = {
		T(the_kernel_holds_what_the_text_of_the_rules_says),
		T(who_does_not_ask_for_it_has_no_chain_in_the_way_of_forwarding),
		T(adding_twice_changes_nothing),
		T(each_part_is_deleted_by_itself),
		T(an_address_has_one_owner),
		T(a_bridge_without_isolated_containers_leaves_no_rules_after_gc),
		T(the_operators_rules_come_first_and_stay),
		T(the_operators_policy_stays),
		T(they_are_listed_in_words),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
