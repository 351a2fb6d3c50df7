// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/naru.h"

#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192
#define BUSYBOX "/bin/busybox"

__attribute__((format(printf, 2, 0))) static void call(struct lab_result *r, const char *fmt,
						       va_list ap)
{
	static char path[4096 + 64];
	char line[LINE_MAX_BYTES], shell[] = "sh", option[] = "-c";
	char *argv[] = { shell, option, line, NULL }, *env[] = { path, NULL };

	snprintf(path, sizeof path, "PATH=%s:/usr/sbin:/usr/bin:/sbin:/bin", lab_bin());
	if (vsnprintf(line, sizeof line, fmt, ap) >= (int)sizeof line)
		lab_fail("a command of %d bytes or more", LINE_MAX_BYTES);
	lab_run(&(struct lab_cmd){ .path = "/bin/sh",
				   .argv = argv,
				   .env = env,
				   .timeout_ms = 60000 },
		r);
}

void naru_call(struct lab_result *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	call(r, fmt, ap);
	va_end(ap);
}

__attribute__((format(printf, 1, 0))) static char *out(const char *fmt, va_list ap)
{
	struct lab_result r;

	call(&r, fmt, ap);
	if (r.status != 0)
		lab_fail("%s: exit status %d, signal %d: %s%s", fmt, r.status, r.signal, r.out,
			 r.err);
	if (r.out_len && r.out[r.out_len - 1] == '\n')
		r.out[r.out_len - 1] = 0;
	char *text = strdup(r.out);
	lab_result_clear(&r);
	return text;
}

char *naru_out(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *text = out(fmt, ap);
	va_end(ap);
	return text;
}

void naru_ok(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	free(out(fmt, ap));
	va_end(ap);
}

void naru_refuses(int status, const char *err, const char *fmt, ...)
{
	struct lab_result r;
	va_list ap;

	va_start(ap, fmt);
	call(&r, fmt, ap);
	va_end(ap);
	if (r.status != status || strcmp(r.err, err) != 0)
		lab_fail("%s: expected status %d and \"%s\", got %d and \"%s\"", fmt, status, err,
			 r.status, r.err);
	lab_result_clear(&r);
}

void naru_image(void)
{
	static bool done;

	if (done)
		return;
	if (access(BUSYBOX, X_OK) != 0)
		lab_skip("there is no static busybox");
	lab_sh("mkdir -p " NARU_ROOTFS "/bin " NARU_ROOTFS "/etc " NARU_ROOTFS "/tmp " NARU_ROOTFS
	       "/www && chmod 1777 " NARU_ROOTFS "/tmp && cp " BUSYBOX " " NARU_ROOTFS
	       "/bin/busybox && cd " NARU_ROOTFS "/bin && for a in $(./busybox --list); do "
	       "[ $a = busybox ] || ln -s busybox $a; done");
	lab_sh("cd " NARU_ROOTFS " && echo it works > www/index.html && "
	       "echo root:x:0:0:root:/root:/bin/sh > etc/passwd && "
	       "echo app:x:1000:1001:app:/home/app:/bin/sh >> etc/passwd && "
	       "echo root:x:0: > etc/group && echo app:x:1001: >> etc/group && "
	       "echo extra:x:2002:app >> etc/group");
	naru_ok("tar -C " NARU_ROOTFS " -cf - . | naru import -c 'CMD [\"/bin/echo\", \"hello\"]' "
		"-c 'ENV GREETING=hi' - bb:1");
	done = true;
}

char *naru_snapshot(void)
{
	static const char *const passing[] = { "/last_reserved_ip.", " process naru-fw-close",
					       " process naru-link-del" };
	char *text = snapshot_take(SNAPSHOT_ALL), *to = text;

	for (char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		bool drop = false;

		len += line[len] == '\n';
		for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
			drop |= memmem(line, len, passing[i], strlen(passing[i])) != NULL;
		if (!drop) {
			memmove(to, line, len);
			to += len;
		}
		line += len;
	}
	*to = 0;
	return text;
}

void naru_sweep(void)
{
	naru_ok("ids=$(naru ps -aq) && { [ -z \"$ids\" ] || naru rm -f $ids; } && naru gc");
}
