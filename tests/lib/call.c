// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/call.h"

#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void call_run(const struct call *c, struct lab_result *out)
{
	const char *netns = c->netns ? c->netns : "c1";
	const struct lab_call call = {
		.plugin = c->plugin,
		.verb = c->verb,
		.cid = c->cid ? c->cid : "c1",
		.netns = *netns && !strchr(netns, '/') ? textf(LAB_NETNS("%s"), netns) : netns,
		.ifname = c->ifname ? c->ifname : "eth0",
		.args = c->args ? c->args : "",
		.path = c->path,
		.conf = c->conf,
		.env = c->env,
	};

	lab_call(&call, out);
}

const char *call_ok(const struct call *c)
{
	struct lab_result r;
	bool add = !strcmp(c->verb, "ADD") || !strcmp(c->verb, "VERSION");

	call_run(c, &r);
	if (r.status != 0 || r.err_len || (r.out_len != 0) != add)
		lab_fail("%s %s: expected success, got status %d (signal %d)\nstdout: %s\nstderr: "
			 "%s\nstdin: %.2000s",
			 c->plugin, c->verb, r.status, r.signal, r.out, r.err, c->conf);
	free(r.err);
	return text_keep(r.out);
}

static bool is_one_object(const char *text)
{
	char *whole = json_find(text, "");
	bool one = whole && *whole == '{' && !strcmp(whole, text);

	free(whole);
	return one;
}

const char *call_refused(const char *who, const struct lab_result *r, int code, const char *words)
{
	char number[16];

	snprintf(number, sizeof number, "%d", code);
	if (r->status != 1 || !is_one_object(r->out) || json_count(r->out, "/msg") != -1 ||
	    !json_is(r->out, "/code", number) || !strstr(r->out, words))
		lab_fail("%s: expected exit 1, code %d and \"%s\", got status %d (signal %d)\n"
			 "stdout: %.3000s\nstderr: %.1000s",
			 who, code, words, r->status, r->signal, r->out, r->err);
	return textf("%s", r->out);
}

const char *call_fails(const struct call *c, int code, const char *words)
{
	struct lab_result r;

	call_run(c, &r);

	const char *object = call_refused(textf("%s %s < %.2000s", c->plugin, c->verb, c->conf), &r,
					  code, words);

	lab_result_clear(&r);
	return object;
}

/* What ends after a plugin, closing a socket or deleting a link: gone within a grace period. */
#define CLOSER "machine process naru-"
#define SETTLE_MS 3000

/* Is there a line of interest: none of the excepted words in it, and no news of a closer's end? */
static bool matters(const char *diff, const char *except)
{
	for (const char *line = diff, *end; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');

		const char *hit = except ? strstr(line, except) : NULL;

		if (end > line && (!hit || hit > end) &&
		    strncmp(line, "-" CLOSER, strlen(CLOSER) + 1))
			return true;
	}
	return false;
}

void call_compare(const char *before, unsigned flags, const char *except, const char *const *netns)
{
	const struct timespec tick = { .tv_nsec = 10000000 };
	char *diff = NULL;

	for (int ms = 0; ms < SETTLE_MS; ms += 10) {
		char *after = snapshot_take_list(flags, netns);

		free(diff);
		diff = snapshot_diff(before, after);
		free(after);
		if (!diff || !strstr(diff, "+" CLOSER))
			break;
		nanosleep(&tick, NULL);
	}
	if (diff && matters(diff, except))
		lab_fail("something changed:\n%s", diff);
	free(diff);
}

void call_reset_host(void)
{
	lab_sh("for l in $(ls /sys/class/net); do\n"
	       "	case $l in veth*|br*|cni*|vb*|bwp*) ip link del $l 2>/dev/null;; esac\n"
	       "done\n"
	       "nft flush ruleset\n"
	       "rm -rf /var/lib/cni/networks /var/lib/cni/results /run/naru/* /run/cni\n"
	       "echo 0 > /proc/sys/net/ipv4/ip_forward\n"
	       "echo 0 > /proc/sys/net/ipv6/conf/all/forwarding");
}

const char *at(const char *json, const char *path)
{
	char *value = json_find(json, path);

	if (!value)
		lab_fail("nothing at %s of %s", path, json);
	return text_keep(value);
}
