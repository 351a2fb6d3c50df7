// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/oracle.h"

#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/text.h"

#include <stdlib.h>
#include <string.h>

void oracle_needs(const char *plugin)
{
	if (lab_try("test -x " ORACLE_DIR "/%s", plugin))
		lab_skip("the reference plugins are not installed");
}

/*
 * The members of one that the other lacks or has otherwise; order and an empty "dns" do not count.
 */
static bool covers(const char *a, const char *b, const char *path)
{
	bool object = *at(a, path) == '{', same = true;
	int n = json_count(a, path);

	if (n < 0) {
		char *value = json_find(b, path);

		same = value && !strcmp(value, at(a, path));
		free(value);
		return same;
	}
	for (int i = 0; same && i < n; i++) {
		char *key = object ? json_key(a, path, i) : NULL;
		const char *sub = object ? textf("%s/%s", path, key) : textf("%s/%d", path, i);

		if (strcmp(sub, "/dns") || json_count(a, sub) != 0)
			same = covers(a, b, sub);
		free(key);
	}
	return same;
}

bool oracle_same_answer(const char *conf, const char *a, const char *b)
{
	if (!strstr(conf, "\"cniVersion\":\"1.0.0\""))
		return !strcmp(a, b);
	return covers(a, b, "") && covers(b, a, "");
}

/* A MAC address that a question asks for stays visible. */
static const char *folded(const char *text)
{
	return text_folded(text_replaced(text, "02:00:00:00:00:01", "CHOSEN"));
}

const char *oracle_look(const char *shell)
{
	return folded(text_keep(lab_out("%s; true", shell)));
}

const char *oracle_conf(const struct oracle_scene *s, const struct oracle_question *q,
			const char *version)
{
	const char *members = q->prev ? q->prev : s->prev;
	const char *prev =
		members ? jsonf(",'prevResult':{'cniVersion':'%s',%s}", version, members) : "";

	return jsonf("{'cniVersion':'%s','name':'net1','type':'%s'%s%s}", version, s->plugin,
		     q->keys, prev);
}

/* The answer as it came: what a runtime hands to the next verb. */
static const char *call(const struct oracle_scene *s, const char *suite, const char *verb,
			const char *conf, const char *args, int *status)
{
	const struct lab_call c = {
		.plugin = textf("%s/%s", suite, s->plugin),
		.verb = verb,
		.cid = "c1",
		.netns = LAB_NETNS("c1"),
		.ifname = s->ifname ? s->ifname : "eth0",
		.args = args ? args : "",
		.path = suite,
		.conf = conf,
		.env = s->env,
	};
	struct lab_result r;

	lab_call(&c, &r);
	*status = r.status;
	free(r.err); /* the reference logs there */
	return text_keep(r.out);
}

const char *oracle_call(const struct oracle_scene *s, const char *suite, const char *verb,
			const char *conf, const char *args, int *status)
{
	return folded(call(s, suite, verb, conf, args, status));
}

void oracle_begin(const struct oracle_scene *s)
{
	lab_netns_new("c1");
	/* the reference waits seconds for duplicates of IPv6 addresses */
	lab_sh("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad;"
	       "nsenter --net=" LAB_NETNS(
		       "c1") " sh -c "
			     "'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad' && { %s; }",
	       s->make ? s->make : "true");
}

void oracle_end(const struct oracle_scene *s)
{
	lab_netns_del("c1");
	call_reset_host();
	if (s->clean)
		lab_sh("{ %s; } 2>/dev/null; true", s->clean);
}

struct outcome {
	int status;
	const char *add, *made;
};

static void must(const char *who, const char *verb, const char *conf, int status, const char *said)
{
	if (status != 0)
		lab_fail("%s %s < %s: expected success, got %s", who, verb, conf, said);
}

/* One suite attaches, both look, the other one takes it away. */
static struct outcome play(const struct oracle_scene *s, const struct oracle_question *q,
			   const char *conf, bool reference)
{
	const char *args = q->args;
	const char *suites[] = { lab_bin(), ORACLE_DIR };
	const char *left = s->left ? s->left : s->look, *before, *after, *add, *said;
	struct outcome o = { .made = "" };
	int status;

	oracle_begin(s);
	before = oracle_look(left);
	add = call(s, suites[reference], "ADD", conf, args, &o.status);
	o.add = folded(add);
	if (o.status == 0 && !q->ours_refuses) {
		o.made = oracle_look(s->look);

		const char *next = conf;

		if (!strstr(conf, "\"cniVersion\":\"0.3.1\"") &&
		    !strstr(conf, "\"cniVersion\":\"0.2.0\"")) {
			next = text_keep(json_with(conf, "prevResult", add));
			for (int i = 0; i < (q->no_ref_check || q->ours_takes ? 1 : 2); i++) {
				said = call(s, suites[i], "CHECK", next, args, &status);
				must(suites[i], "CHECK", next, status, said);
			}
		}

		const char *other = suites[q->ours_takes ? 0 : !reference];

		said = call(s, other, "DEL", next, args, &status);
		must(other, "DEL", next, status, said);
		after = oracle_look(left);
		if (strcmp(before, after))
			lab_fail("%s of %s attached, the other deleted < %s\nbefore: %s\nafter: %s",
				 s->plugin, suites[reference], conf, before, after);
		said = call(s, lab_bin(), "DEL", next, args, &status);
		must(lab_bin(), "DEL", next, status, said);
	}
	oracle_end(s);
	return o;
}

static void compare(const struct oracle_scene *s, const struct oracle_question *q,
		    const char *version)
{
	const char *conf = oracle_conf(s, q, version);
	struct outcome ref = play(s, q, conf, true), our = play(s, q, conf, false);
	bool as_told = q->ours_refuses ? ref.status == 0 && our.status != 0 :
		       q->ours_takes   ? ref.status != 0 && our.status == 0 :
					 ref.status == our.status;

	/* who refuses may refuse in other words, but both refuse */
	if (!as_told)
		lab_fail("%s < %s\nthe reference (%d): %s\nours (%d): %s", s->plugin, conf,
			 ref.status, ref.add, our.status, our.add);
	if (ref.status != 0 || our.status != 0)
		return;
	if (!oracle_same_answer(conf, ref.add, our.add))
		lab_fail("%s < %s\nthe reference: %s\nours: %s", s->plugin, conf, ref.add, our.add);
	if (strcmp(ref.made, our.made))
		lab_fail("%s < %s\nafter the reference's ADD:\n%s\nafter ours:\n%s", s->plugin,
			 conf, ref.made, our.made);
}

void oracle_ask(const struct oracle_scene *s, const struct oracle_question *q, size_t n)
{
	size_t versions = 0;

	oracle_needs(s->plugin);
	while (s->versions[versions])
		versions++;
	for (size_t i = 0; i < n; i++)
		for (size_t v = 0; v < versions; v++)
			if (i == 0 || v == i % versions)
				compare(s, &q[i], s->versions[v]);
}
