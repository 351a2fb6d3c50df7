// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/trace.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/clock.h"
#include "netlib/base/encode.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"

#define DETAIL_MAX 2048
#define ENV_PARENT "TRACEPARENT"
#define TRACE_HEX 32 /* digits of a trace id, and of a span id */
#define SPAN_HEX 16

static struct {
	int fd;
	const char *prog;
	struct trace_about about;
	/* this process among those of its operation */
	char id[TRACE_HEX + 1], span[SPAN_HEX + 1], parent[SPAN_HEX + 1], flags[3];
} trace = { .fd = -1, .prog = "" };

/* digits lower-case hexadecimal ones, not all of them 0. */
static bool take_hex(const char *from, size_t digits, char *to)
{
	if (strspn(from, "0123456789abcdef") < digits || strspn(from, "0") >= digits)
		return false;
	memcpy(to, from, digits);
	to[digits] = 0;
	return true;
}

static void random_hex(char *to, size_t digits)
{
	unsigned char bytes[TRACE_HEX / 2] = { 0 };

	if (getrandom(bytes, digits / 2, GRND_NONBLOCK) < 0)
		memcpy(bytes, &(int64_t){ clock_us() }, sizeof(int64_t));
	bytes[0] |= 1; /* none of them is all zeros */
	for (size_t i = 0; i < digits / 2; i++)
		(void)snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

/*
 * version-trace-parent-flags, of any version whose beginning is that of the first: where we came
 * from. Anything else is as if there were none.
 */
static void take_parent(const char *text)
{
	size_t n = text ? strlen(text) : 0;

	(void)strcpy(trace.flags, "01");
	if (n >= 55 && strspn(text, "0123456789abcdef") == 2 && text[2] == '-' && text[35] == '-' &&
	    text[52] == '-' && (n == 55 || text[55] == '-') &&
	    strspn(text + 53, "0123456789abcdef") >= 2 && strncmp(text, "ff", 2) != 0 &&
	    (n == 55 || strncmp(text, "00", 2) != 0) &&
	    take_hex(text + 36, SPAN_HEX, trace.parent) &&
	    take_hex(text + 3, TRACE_HEX, trace.id)) {
		(void)snprintf(trace.flags, sizeof trace.flags, "%.2s", text + 53);
		return;
	}
	*trace.parent = 0;
	random_hex(trace.id, TRACE_HEX);
}

void trace_open(const char *file, const char *prog)
{
	char handed_on[64];

	trace.fd = -1; /* a plugin run in a copy of its caller has a trace of its own */
	if (!file || !*file)
		return;
	trace.fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	trace.prog = prog;
	if (trace.fd < 0)
		return;
	take_parent(getenv(ENV_PARENT));
	random_hex(trace.span, SPAN_HEX);
	(void)snprintf(handed_on, sizeof handed_on, "00-%s-%s-%s", trace.id, trace.span,
		       trace.flags);
	(void)setenv(ENV_PARENT, handed_on, 1);
}

int trace_on(void)
{
	return trace.fd >= 0;
}

void trace_about(const struct trace_about *about)
{
	trace.about = *about;
}

static int64_t wall_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static struct json_object *event(const char *ev, const char *name, int64_t us, const char *detail)
{
	struct json_object *o = json_obj();

	json_set_int(o, "t", wall_us());
	json_set_int(o, "pid", getpid());
	json_set_str(o, "prog", trace.prog);
	json_set_str(o, "verb", trace.about.verb);
	json_set_str(o, "network", trace.about.network);
	json_set_str(o, "container", trace.about.container);
	json_set_str(o, "ifname", trace.about.ifname);
	json_set_str(o, "trace_id", trace.id);
	json_set_str(o, "span_id", trace.span);
	json_set_str(o, "parent_id", *trace.parent ? trace.parent : NULL);
	json_set_str(o, "ev", ev);
	json_set_str(o, "name", name);
	if (us >= 0)
		json_set_int(o, "us", us);
	json_set_str(o, "detail", *detail ? detail : NULL);
	return o;
}

void trace_event(const char *ev, const char *name, int64_t us, const char *fmt, ...)
{
	char detail[DETAIL_MAX] = "";
	va_list ap;

	if (!trace_on())
		return;
	if (fmt) {
		va_start(ap, fmt);
		(void)vsnprintf(detail, sizeof detail, fmt, ap);
		va_end(ap);
	}
	cleanup_json struct json_object *o = event(ev, name, us, detail);
	cleanup_str struct str s = STR_INIT;
	json_print(&s, o, 0, false);
	str_addc(&s, '\n');
	if (!s.bad)
		/* one write: lines of several processes do not mix */
		(void)fd_write_all(trace.fd, s.p, s.len);
}
