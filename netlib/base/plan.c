// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"

#define TEXT_MAX 4096
#define CODE_IO 5 /* CNI 1.1.0 section "Error" */

static struct {
	int fd;
	const char *plugin, *row;
} plan = { .fd = -1 };

/* ---- the seal: what asks no plan_on cannot change files all the same */

#define DENY(call) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
/*
 * What creates, empties or opens for writing alone, unless only to append, as a trace does. Opened
 * for both are locks, /dev/null and the plan.
 */
#define DENY_OPEN(call, arg) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 5), \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[arg])), \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_APPEND, 2, 0), \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_WRONLY | O_CREAT | O_TRUNC, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define DENY_ARG(call, arg, value) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 4), \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[arg])), \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define TUN_SET_IFF 0x400454ca /* TUNSETIFF: a device that is made by ioctl */
#define IPT_SET_REPLACE 64     /* IPT_SO_SET_REPLACE, IP6T_SO_SET_REPLACE: a legacy table */

static const struct sock_filter seal[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __NR_open
	DENY_OPEN(open, 1),
	DENY(creat),
	DENY(unlink),
	DENY(rmdir),
	DENY(mkdir),
	DENY(rename),
	DENY(link),
	DENY(symlink),
	DENY(mknod),
	DENY(chmod),
	DENY(chown),
#endif
	DENY_OPEN(openat, 2),
	DENY(unlinkat),
	DENY(mkdirat),
	DENY(renameat2),
	DENY(linkat),
	DENY(symlinkat),
	DENY(mknodat),
	DENY(fchmodat),
	DENY(fchownat),
	DENY(utimensat),
	DENY(truncate),
	DENY(mount),
	DENY(umount2),
	DENY_ARG(ioctl, 1, TUN_SET_IFF),
	DENY_ARG(setsockopt, 2, IPT_SET_REPLACE),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

int plan_seal(struct err *e)
{
	const struct sock_fprog prog = { .len = ARRAY_LEN(seal),
					 .filter = (struct sock_filter *)seal };

	if (!plan_on())
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_set(e, -errno, "make sure that a dry run changes nothing (seccomp)");
	return 0;
}

int plan_open(const char *file, const char *plugin, struct err *e)
{
	if (!file || !*file)
		return 0;
	plan.fd = open(file, O_RDWR | O_APPEND | O_CLOEXEC);
	if (plan.fd < 0) {
		int r = -errno;

		return err_code(e, r, CODE_IO, PLAN_VAR ": open %s: %s", file, strerror(-r));
	}
	plan.plugin = plugin;
	return 0;
}

bool plan_on(void)
{
	return plan.fd >= 0;
}

void plan_row(const char *row)
{
	plan.row = row;
}

void plan_note_raw(const char *kind, const char *where, const char *text, const void *raw,
		   size_t len)
{
	cleanup_json struct json_object *o = json_obj();
	cleanup_str struct str s = STR_INIT, hex = STR_INIT;

	for (size_t i = 0; i < len; i++)
		str_addf(&hex, "%02x", ((const unsigned char *)raw)[i]);
	json_set_str(o, "plugin", plan.plugin);
	json_set_str(o, "row", plan.row);
	json_set_str(o, "kind", kind);
	json_set_str(o, "where", where);
	json_set_str(o, "text", text);
	json_set_str(o, "raw", hex.p);
	json_print(&s, o, 0, false);
	str_addc(&s, '\n');
	if (s.bad || fd_write_all(plan.fd, s.p, s.len) < 0)
		abort(); /* a plan with holes would be taken for the whole */
}

void plan_note(const char *kind, const char *where, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	plan_note_raw(kind, where, text, NULL, 0);
}

/* The file is read by offset: it is written at its end only. malloc'd. */
static char *all_lines(struct err *e)
{
	off_t size = lseek(plan.fd, 0, SEEK_END);
	char *text = size < 0 || size > PLAN_MAX ? NULL : malloc((size_t)size + 1);

	if (!text || pread(plan.fd, text, (size_t)size, 0) != size) {
		(void)err_set(e, -EIO, "read the plan");
		free(text);
		return NULL;
	}
	text[size] = 0;
	return text;
}

int plan_each(int (*fn)(struct json_object *change, void *arg), void *arg, struct err *e)
{
	cleanup_free char *text = all_lines(e);
	char *rest = text;
	int r = text ? 0 : -EIO;

	for (char *line; r == 0 && rest && (line = strsep(&rest, "\n"));) {
		cleanup_doc struct doc d = DOC_INIT;

		if (*line && (r = doc_parse(&d, line, strlen(line), e)) == 0)
			r = fn(d.root, arg);
	}
	return r;
}

void *plan_raw(struct json_object *change, size_t *len)
{
	const char *hex = json_text(json_get(change, "raw"));
	size_t n = hex ? strlen(hex) / 2 : 0;
	unsigned char *raw = n ? malloc(n) : NULL;

	for (size_t i = 0; raw && i < n; i++) {
		const char digits[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		raw[i] = (unsigned char)strtoul(digits, NULL, 16);
	}
	*len = n;
	return raw;
}
