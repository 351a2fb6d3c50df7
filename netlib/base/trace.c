// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/trace.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/encode.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"

static int trace_fd = -1;
static const char *trace_prog = "";

void trace_open(const char *file, const char *prog)
{
	if (!file || !*file)
		return;
	trace_fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	trace_prog = prog;
}

int trace_on(void)
{
	return trace_fd >= 0;
}

static int64_t wall_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

void trace_event(const char *ev, const char *name, int64_t us, const char *fmt, ...)
{
	char detail[512] = "";
	va_list ap;

	if (!trace_on())
		return;
	if (fmt) {
		va_start(ap, fmt);
		(void)vsnprintf(detail, sizeof detail, fmt, ap);
		va_end(ap);
	}
	cleanup_json struct json_object *o = json_obj();
	cleanup_str struct str s = STR_INIT;
	json_set_int(o, "t", wall_us());
	json_set_int(o, "pid", getpid());
	json_set_str(o, "prog", trace_prog);
	json_set_str(o, "ev", ev);
	json_set_str(o, "name", name);
	if (us >= 0)
		json_set_int(o, "us", us);
	if (*detail)
		json_set_str(o, "detail", detail);
	json_print(&s, o, 0, false);
	str_addc(&s, '\n');
	if (!s.bad)
		/* one write: lines of several processes do not mix */
		(void)fd_write_all(trace_fd, s.p, s.len);
}
