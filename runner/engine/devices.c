// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "runner/spec.h"

#define ACCESS_ALL (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)

/* null zero full random urandom, tty console ptmx, and pseudo terminals */
static const struct spec_device_rule defaults[] = {
	{ true, "c", 1, 3, NULL },  { true, "c", 1, 5, NULL },	{ true, "c", 1, 7, NULL },
	{ true, "c", 1, 8, NULL },  { true, "c", 1, 9, NULL },	{ true, "c", 5, 0, NULL },
	{ true, "c", 5, 1, NULL },  { true, "c", 5, 2, NULL },	{ true, "c", 136, -1, NULL },
	{ true, "c", -1, -1, "m" }, { true, "b", -1, -1, "m" },
};

static bool is_any(const struct spec_device_rule *r)
{
	return (!r->type || *r->type == 'a') && r->major < 0 && r->minor < 0;
}

static bool in_defaults(const struct spec_device_rule *r)
{
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
		if (r->type && *r->type == *defaults[i].type && r->major == defaults[i].major &&
		    (defaults[i].minor < 0 || r->minor == defaults[i].minor))
			return true;
	return false;
}

bool devices_are_default(const struct spec_device_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i == 0 && !rules[i].allow && is_any(&rules[i]))
			continue;
		if (rules[i].allow != in_defaults(&rules[i]) ||
		    (!rules[i].allow && is_any(&rules[i])))
			return false;
	}
	return true;
}

/* ---------------------------------------------------------------- version 2: a BPF program */

struct out {
	struct bpf_insn *insn;
	size_t n, max;
};

static void emit(struct out *o, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	if (o->n < o->max)
		o->insn[o->n] = (struct bpf_insn){ .code = code,
						   .dst_reg = dst & 0xf,
						   .src_reg = src & 0xf,
						   .off = off,
						   .imm = imm };
	o->n++;
}

enum { R0, R1, TYPE, ACCESS, MAJOR, MINOR, SCRATCH };

static void answer(struct out *o, bool allow)
{
	emit(o, BPF_ALU64 | BPF_MOV | BPF_K, R0, 0, 0, allow);
	emit(o, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static uint32_t access_bits(const char *text)
{
	if (!text)
		return ACCESS_ALL;
	return (strchr(text, 'm') ? BPF_DEVCG_ACC_MKNOD : 0u) |
	       (strchr(text, 'r') ? BPF_DEVCG_ACC_READ : 0u) |
	       (strchr(text, 'w') ? BPF_DEVCG_ACC_WRITE : 0u);
}

/*
 * if (anything differs) go on; return allow. Each test skips what is left of the rule, which is
 * patched in at its end.
 */
static void emit_rule(struct out *o, const struct spec_device_rule *r)
{
	uint32_t bits = access_bits(r->access);
	size_t tests[4], n = 0;

	if (r->type && *r->type != 'a') {
		tests[n++] = o->n;
		emit(o, BPF_JMP | BPF_JNE | BPF_K, TYPE, 0, 0,
		     *r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	}
	if (bits != ACCESS_ALL) { /* something is asked for that the rule does not speak of */
		emit(o, BPF_ALU64 | BPF_MOV | BPF_X, SCRATCH, ACCESS, 0, 0);
		emit(o, BPF_ALU64 | BPF_AND | BPF_K, SCRATCH, 0, 0, (int32_t)(ACCESS_ALL & ~bits));
		tests[n++] = o->n;
		emit(o, BPF_JMP | BPF_JNE | BPF_K, SCRATCH, 0, 0, 0);
	}
	if (r->major >= 0) {
		tests[n++] = o->n;
		emit(o, BPF_JMP | BPF_JNE | BPF_K, MAJOR, 0, 0, (int32_t)r->major);
	}
	if (r->minor >= 0) {
		tests[n++] = o->n;
		emit(o, BPF_JMP | BPF_JNE | BPF_K, MINOR, 0, 0, (int32_t)r->minor);
	}
	answer(o, r->allow);
	for (size_t i = 0; i < n && o->n <= o->max; i++)
		o->insn[tests[i]].off = (int16_t)(o->n - tests[i] - 1);
}

int devices_program(const struct spec_device_rule *rules, size_t n, struct bpf_insn *insn,
		    size_t max)
{
	struct out o = { .insn = insn, .max = max };

	emit(&o, BPF_LDX | BPF_MEM | BPF_W, TYPE, R1,
	     offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
	emit(&o, BPF_ALU64 | BPF_MOV | BPF_X, ACCESS, TYPE, 0, 0);
	emit(&o, BPF_ALU64 | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff);
	emit(&o, BPF_ALU64 | BPF_RSH | BPF_K, ACCESS, 0, 0, 16);
	emit(&o, BPF_LDX | BPF_MEM | BPF_W, MAJOR, R1, offsetof(struct bpf_cgroup_dev_ctx, major),
	     0);
	emit(&o, BPF_LDX | BPF_MEM | BPF_W, MINOR, R1, offsetof(struct bpf_cgroup_dev_ctx, minor),
	     0);
	for (size_t i = 0; i < ARRAY_LEN(defaults);
	     i++) /* the last rule that matches decides: so from the end */
		emit_rule(&o, &defaults[i]);
	bool allow = false;
	for (size_t i = n; i-- > 0;) {
		if (is_any(&rules[i]) && access_bits(rules[i].access) == ACCESS_ALL) {
			/* nothing before it is ever asked, and the verifier wants no dead code */
			allow = rules[i].allow;
			break;
		}
		emit_rule(&o, &rules[i]);
	}
	answer(&o, allow);
	return o.n > max ? -E2BIG : (int)o.n;
}

static int bpf_call(int cmd, union bpf_attr *a)
{
	long r = syscall(SYS_bpf, cmd, a, sizeof *a);

	return r < 0 ? -errno : (int)r;
}

bool devices_restricted(int cgroup)
{
	union bpf_attr a;

	memset(&a, 0, sizeof a);
	a.query.target_fd = (uint32_t)cgroup;
	a.query.attach_type = BPF_CGROUP_DEVICE;
	return bpf_call(BPF_PROG_QUERY, &a) == 0 && a.query.prog_cnt > 0;
}

int devices_restrict(int cgroup, const struct spec_device_rule *rules, size_t n, struct err *e)
{
	struct bpf_insn insn[DEVICES_INSNS_MAX];
	int len = devices_program(rules, n, insn, ARRAY_LEN(insn)), r;
	union bpf_attr a;

	if (len < 0)
		return err_say(e, len, "device rules: %zu are more than fit into a filter", n);
	memset(&a, 0, sizeof a);
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insns = (uintptr_t)insn;
	a.insn_cnt = (uint32_t)len;
	a.license = (uintptr_t)"GPL";
	cleanup_fd int prog = bpf_call(BPF_PROG_LOAD, &a);
	if (prog < 0)
		return err_set(e, prog, "load the device filter");
	memset(&a, 0, sizeof a);
	a.target_fd = (uint32_t)cgroup;
	a.attach_bpf_fd = (uint32_t)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	a.attach_flags = BPF_F_ALLOW_MULTI;
	r = bpf_call(BPF_PROG_ATTACH, &a);
	return r < 0 ? err_set(e, r, "attach the device filter to the control group") : 0;
}

/*
 * ---------------------------------------------------------------- version 1: devices.allow,
 * devices.deny
 */

bool devices_restricted_v1(int dir)
{
	char buf[8] = "";
	cleanup_fd int fd = openat(dir, "devices.list", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, buf, sizeof buf) > 0 && *buf != 'a';
}

static int poke_rule(int dir, const struct spec_device_rule *r, struct err *e)
{
	char text[64], major[24] = "*", minor[24] = "*";
	const char *file = r->allow ? "devices.allow" : "devices.deny";
	int rc;

	if (r->major >= 0)
		(void)snprintf(major, sizeof major, "%" PRId64, r->major);
	if (r->minor >= 0)
		(void)snprintf(minor, sizeof minor, "%" PRId64, r->minor);
	(void)snprintf(text, sizeof text, "%c %s:%s %.3s", r->type ? *r->type : 'a', major, minor,
		       r->access ? r->access : "rwm");
	rc = file_poke_at(dir, file, is_any(r) ? "a" : text);
	return rc < 0 ? err_set(e, rc, "write \"%s\" to %s", text, file) : 0;
}

int devices_restrict_v1(int dir, const struct spec_device_rule *rules, size_t n, struct err *e)
{
	const struct spec_device_rule nothing = { .major = -1, .minor = -1 };
	int r = poke_rule(dir, &nothing, e);

	for (size_t i = 0; i < n && r == 0; i++)
		r = poke_rule(dir, &rules[i], e);
	for (size_t i = 0; i < ARRAY_LEN(defaults) && r == 0; i++)
		r = poke_rule(dir, &defaults[i], e);
	return r;
}
