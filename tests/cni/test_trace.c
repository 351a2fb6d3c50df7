// SPDX-License-Identifier: GPL-2.0-or-later
/* CNI_TRACE: what a chain did, in lines that programs can read (doc/STATE.md "Trace"). */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/naru.h"
#include "tests/unit/unit.h"

#define DIR "/var/lib/trace"
#define FILE_ DIR "/trace"
#define NARU "NETCONFPATH=" DIR "/net.d CNI_PATH=" DIR "/bin:%s CNI_TRACE=" FILE_ " naru cni "
#define PARENT_ID "b7ad6b7169203331"
#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"

static int setup(void **state)
{
	(void)state;
	/* under another name it is a program of its own, not carried */
	lab_sh("rm -rf " DIR " && mkdir -p " DIR "/net.d " DIR "/bin && ln -s %s/host-local " DIR
	       "/bin/addresses && printf '%%s' "
	       "'{\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"plugins\":[{\"type\":\"bridge\","
	       "\"bridge\":\"trc0\",\"isGateway\":true,\"ipMasq\":true,\"ipam\":{\"type\":\"addresses\","
	       "\"ranges\":[[{\"subnet\":\"10.66.0.0/24\"}]]}},{\"type\":\"portmap\","
	       "\"capabilities\":{\"portMappings\":true}}]}' > " DIR
	       "/net.d/net.conflist && echo '{\"cniVersion\":\"1.1.0\",\"name\":\"l\",\"type\":\"loopback\"}' > " DIR
	       "/net.d/lo",
	       lab_bin());
	lab_netns_new("c1");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_sh("NETCONFPATH=" DIR "/net.d CNI_PATH=" DIR
	       "/bin:%s %s/naru cni del net /run/netns/c1",
	       lab_bin(), lab_bin());
	lab_netns_del("c1");
	call_reset_host();
	return 0;
}

/* Calls fn for each line; every one must be a whole object with the members of all events. */
static void each_line(void (*fn)(const char *line, void *arg), void *arg)
{
	static const char *const always[] = { "/t",	  "/pid", "/prog", "/trace_id",
					      "/span_id", "/ev",  "/name" };
	cleanup_free char *text = naru_out("cat " FILE_);

	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		for (size_t i = 0; i < ARRAY_LEN(always); i++) {
			cleanup_free char *v = json_find(line, always[i]);

			if (!v || !*v)
				fail_msg("no %s in: %s", always[i], line);
		}
		assert_int_equal(line[strlen(line) - 1], '}');
		fn(line, arg);
	}
}

struct tally {
	const char *prog, *ev, *word; /* what is looked for; word NULL: any */
	unsigned n;
};

static void count(const char *line, void *arg)
{
	struct tally *t = arg;

	t->n += json_is(line, "/prog", t->prog) && json_is(line, "/ev", t->ev) &&
		(!t->word || strstr(line, t->word));
}

static unsigned lines_of(const char *prog, const char *ev, const char *word)
{
	struct tally t = { prog, ev, word, 0 };

	each_line(count, &t);
	return t.n;
}

static void add(void)
{
	naru_ok("TRACEPARENT=00-" TRACE_ID "-" PARENT_ID
		"-01 CAP_ARGS='{\"portMappings\":[{\"hostPort\":8080,\"containerPort\":80}]}' " NARU
		"add net /run/netns/c1",
		lab_bin());
}

static void a_chain_tells_rows_messages_batches_and_programs(void **state)
{
	static const struct {
		const char *prog, *ev, *word;
	} cases[] = {
		{ "naru", "exec", "/bridge" },
		{ "naru", "exec", "/portmap" },
		{ "bridge", "exec", "/addresses" },
		{ "bridge", "row", "\"name\":\"veth\"" },
		{ "bridge", "netlink", "RTM_NEWLINK" },
		{ "bridge", "netlink", "RTM_NEWADDR" },
		{ "bridge", "nft", "\"name\":\"masq" },
		{ "bridge", "sysctl", "ip_forward" },
		{ "bridge", "record", "\"name\":\"link del\"" },
		{ "bridge", "done", "\"name\":\"ADD\"" },
		{ "host-local", "row", "\"name\":\"lease\"" },
		{ "host-local", "record", "lease release" },
		{ "portmap", "nft", "\"name\":\"dnat4\"" },
		{ "portmap", "row", "\"container\":\"cnitool-" },
	};

	(void)state;
	add();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (!lines_of(cases[i].prog, cases[i].ev, cases[i].word))
			fail_msg("no event %s of %s with %s", cases[i].ev, cases[i].prog,
				 cases[i].word);
}

struct spans {
	char naru[17], bridge[17];
};

static void check_span(const char *line, void *arg)
{
	struct spans *s = arg;
	const char *prog = at(line, "/prog"), *span = at(line, "/span_id"),
		   *parent = at(line, "/parent_id");

	assert_string_equal(at(line, "/trace_id"), TRACE_ID);
	assert_int_equal(strlen(span), 16);
	if (!strcmp(prog, "naru"))
		(void)strncpy(s->naru, span, 16);
	if (!strcmp(prog, "bridge"))
		(void)strncpy(s->bridge, span, 16);
	if (!strcmp(prog, "naru"))
		assert_string_equal(parent, PARENT_ID);
}

static void check_parent(const char *line, void *arg)
{
	const struct spans *s = arg;
	const char *prog = at(line, "/prog"), *parent = at(line, "/parent_id");

	if (!strcmp(prog, "bridge") || !strcmp(prog, "portmap"))
		assert_string_equal(parent, s->naru);
	if (!strcmp(prog, "host-local"))
		assert_string_equal(parent, s->bridge);
}

static void each_process_is_a_span_below_the_one_that_started_it(void **state)
{
	struct spans s = { 0 };

	(void)state;
	add();
	each_line(check_span, &s);
	assert_string_not_equal(s.naru, s.bridge);
	each_line(check_parent, &s);
}

static void own_trace(const char *line, void *arg)
{
	const char *id = at(line, "/trace_id");
	cleanup_free char *parent = json_find(line, "/parent_id");

	assert_int_equal(strlen(id), 32);
	assert_string_not_equal(id, TRACE_ID);
	assert_null(parent);
	*(unsigned *)arg += 1;
}

static void a_malformed_parent_is_none(void **state)
{
	static const char *const bad[] = {
		"",
		"00-" TRACE_ID "-" PARENT_ID,
		"ff-" TRACE_ID "-" PARENT_ID "-01",
		"00-" TRACE_ID "-0000000000000000-01",
		"00-" TRACE_ID "-" PARENT_ID "-01-more",
		"00-00000000000000000000000000000000-" PARENT_ID "-01",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT_ID "-01",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		unsigned n = 0;

		lab_sh("rm -f " FILE_);
		naru_ok("cd %s && TRACEPARENT='%s' CNI_TRACE=" FILE_
			" CNI_COMMAND=STATUS CNI_PATH=%s ./loopback < " DIR "/net.d/lo",
			lab_bin(), bad[i], lab_bin());
		each_line(own_trace, &n);
		assert_int_not_equal(n, 0);
	}
}

static void a_refused_add_tells_what_was_undone(void **state)
{
	struct lab_result r;

	(void)state;
	lab_sh("ip link del trc0; ip link add trc0 type bridge && "
	       "ip addr add 10.99.0.1/24 dev trc0");
	naru_call(&r, NARU "add net /run/netns/c1", lab_bin());
	assert_int_equal(r.status, 1);
	lab_result_clear(&r);
	assert_int_not_equal(lines_of("bridge", "undo", "\"name\":\"link del\""), 0);
	assert_int_not_equal(lines_of("bridge", "done", "already has an IP address"), 0);
	lab_sh("ip link del trc0");
}

#define LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(a_chain_tells_rows_messages_batches_and_programs),
		LAB(each_process_is_a_span_below_the_one_that_started_it),
		LAB(a_malformed_parent_is_none),
		LAB(a_refused_add_tells_what_was_undone),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
