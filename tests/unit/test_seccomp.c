// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The composed filter against libseccomp's, made from the same profile and run on a small BPF
 * machine: every number, every argument that matters, every convention, docker's default
 * capabilities and each capability more or less.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <seccomp.h>

#include "netlib/base/err.h"
#include "runner/engine/caps.h"
#include "runner/engine/seccomp.h"
#include "runner/engine/seccomp_bpf.h"
#include "runner/engine/seccomp_profile.h"

#define REFUSE(no) (SECCOMP_RET_ERRNO | (no))
#define X32(n) (0x40000000u | (n))
#define PROG_MAX 4096

struct program {
	struct sock_filter insn[PROG_MAX];
	size_t len;
};

static bool condition(uint16_t code, uint32_t a, uint32_t k)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return a & k;
	}
	fail_msg("condition %#x", code);
	return false;
}

/* What the kernel would answer. Everything a seccomp filter of ours or libseccomp's consists of. */
static uint32_t run(const struct program *p, const struct seccomp_data *d)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < p->len; pc++) {
		const struct sock_filter *i = &p->insn[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k % 4 == 0 && i->k + 4 <= sizeof *d);
			memcpy(&a, (const char *)d + i->k, sizeof a);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			assert_int_equal(BPF_CLASS(i->code), BPF_JMP);
			pc += condition(i->code, a, i->k) ? i->jt : i->jf;
		}
	}
	fail_msg("the program runs past its end");
	return 0;
}

static uint32_t ask(const struct program *p, uint32_t arch, uint32_t nr, uint64_t arg0)
{
	struct seccomp_data d = { .nr = (int)nr, .arch = arch, .args = { arg0 } };

	return run(p, &d);
}

static void compose(enum seccomp_machine m, uint64_t caps, struct program *p)
{
	assert_int_equal(seccomp_compose(m, caps, p->insn, SECCOMP_PROG_MAX, &p->len, NULL), 0);
}

static int oracle_rule(const struct seccomp_call *c, void *arg)
{
	static const enum scmp_compare ops[] = {
		[SECCOMP_OP_LT] = SCMP_CMP_LT,
		[SECCOMP_OP_EQ] = SCMP_CMP_EQ,
		[SECCOMP_OP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
	};
	struct scmp_arg_cmp cmp = { c->arg, ops[c->op], c->value, c->value_two };
	const char *names = c->names, *name;
	size_t len;

	while (seccomp_names_next(&names, &name, &len)) {
		char text[32] = "";
		int nr, r;

		memcpy(text, name, len);
		nr = seccomp_syscall_resolve_name(text);
		if (nr == __NR_SCMP_ERROR) /* younger than this libseccomp */
			continue;
		r = seccomp_rule_add_array(arg,
					   c->refuse ? SCMP_ACT_ERRNO((uint32_t)c->refuse) :
						       SCMP_ACT_ALLOW,
					   nr, c->op != SECCOMP_OP_NONE, &cmp);
		if (r < 0)
			fail_msg("libseccomp refuses %s: %s", text, strerror(-r));
	}
	return 0;
}

static void oracle(enum seccomp_machine m, uint64_t caps, struct program *p)
{
	static const struct {
		enum seccomp_machine machine;
		uint32_t archs[3];
	} sets[] = {
		{ SECCOMP_MACHINE_X86_64, { SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32 } },
		{ SECCOMP_MACHINE_AARCH64, { SCMP_ARCH_AARCH64, SCMP_ARCH_ARM, 0 } },
	};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int fd = memfd_create("filter", MFD_CLOEXEC);
	ssize_t n;

	assert_non_null(ctx);
	assert_int_equal(seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE), 0);
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; sets[i].machine == m && k < 3 && sets[i].archs[k]; k++)
			assert_int_equal(seccomp_arch_add(ctx, sets[i].archs[k]), 0);
	assert_int_equal(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), 0);
	assert_int_equal(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2), 0);
	assert_int_equal(seccomp_profile_walk(m, caps, oracle_rule, ctx), 0);
	assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
	seccomp_release(ctx);
	n = pread(fd, p->insn, sizeof p->insn, 0);
	assert_true(n > 0 && (size_t)n < sizeof p->insn);
	p->len = (size_t)n / sizeof *p->insn;
	close(fd);
}

static const struct convention {
	enum seccomp_machine machine;
	uint32_t arch;
	uint32_t base;
	uint32_t end;	 /* numbers below are compared ... */
	uint32_t newest; /* ... and above this one ENOSYS is wanted */
	enum seccomp_abi abi;
	uint32_t scmp;
} conventions[] = {
	{ SECCOMP_MACHINE_X86_64, AUDIT_ARCH_X86_64, 0, 600, 466, SECCOMP_ABI_X86_64,
	  SCMP_ARCH_X86_64 },
	{ SECCOMP_MACHINE_X86_64, AUDIT_ARCH_I386, 0, 600, 466, SECCOMP_ABI_X86, SCMP_ARCH_X86 },
	{ SECCOMP_MACHINE_X86_64, AUDIT_ARCH_X86_64, X32(0), X32(700), X32(547), SECCOMP_ABI_X32,
	  SCMP_ARCH_X32 },
	{ SECCOMP_MACHINE_AARCH64, AUDIT_ARCH_AARCH64, 0, 600, 466, SECCOMP_ABI_AARCH64,
	  SCMP_ARCH_AARCH64 },
	{ SECCOMP_MACHINE_AARCH64, AUDIT_ARCH_ARM, 0, 0xf0010, 0xf0005, SECCOMP_ABI_ARM,
	  SCMP_ARCH_ARM },
};
#define NCONVENTIONS (sizeof conventions / sizeof *conventions)

/* The row of a number, or NULL. */
static const struct seccomp_nr *row_of(enum seccomp_abi abi, uint32_t nr)
{
	size_t n;
	const struct seccomp_nr *rows = seccomp_nr_rows(&n);

	for (size_t i = 0; i < n; i++)
		if (rows[i].nr[abi] != SECCOMP_NR_NONE && (uint32_t)rows[i].nr[abi] == nr)
			return &rows[i];
	return NULL;
}

/* A call of our table that this libseccomp cannot name. */
static bool unknown_to_libseccomp(const struct convention *c, uint32_t nr)
{
	const struct seccomp_nr *row = row_of(c->abi, nr);

	return row && seccomp_syscall_resolve_name_arch(c->scmp, row->name) == __NR_SCMP_ERROR;
}

static void compare(const struct convention *c, const struct program *ours,
		    const struct program *theirs, uint32_t nr)
{
	static const uint64_t args[] = { 0,
					 1,
					 2,
					 8,
					 9,
					 10,
					 11,
					 12,
					 13,
					 16,
					 17,
					 18,
					 19,
					 20,
					 21,
					 22,
					 23,
					 24,
					 25,
					 26,
					 29,
					 33,
					 34,
					 35,
					 36,
					 37,
					 38,
					 39,
					 40,
					 41,
					 45,
					 46,
					 0x7f,
					 0x11,
					 0x20000,
					 0x20008,
					 0x20009,
					 0x02000000,
					 0x04000000,
					 0x08000000,
					 0x10000000,
					 0x20000000,
					 0x40000000,
					 0x3d0f00,
					 0x01200011,
					 0x80,
					 0x80000000,
					 0xffffffff,
					 0x100000000,
					 0x100000002,
					 0x100020000,
					 0xffffffff00000002,
					 0xffffffffffffffff };

	for (size_t i = 0; i < sizeof args / sizeof *args; i++) {
		/* libseccomp looks at the lower half only where words have 32 bits; ours at both */
		bool wide = c->abi == SECCOMP_ABI_X86_64 || c->abi == SECCOMP_ABI_AARCH64;
		uint64_t arg = wide ? args[i] : (uint32_t)args[i];
		uint32_t got = ask(ours, c->arch, nr, arg), want = ask(theirs, c->arch, nr, arg);

		if (nr > c->newest)
			want = REFUSE(ENOSYS);
		if (got != want)
			fail_msg("arch %#x call %#x argument %#lx: %#x, libseccomp answers %#x",
				 c->arch, nr, arg, got, want);
	}
}

static void same_verdicts(enum seccomp_machine m, uint64_t caps)
{
	static struct program ours, theirs;

	compose(m, caps, &ours);
	oracle(m, caps, &theirs);
	for (size_t i = 0; i < NCONVENTIONS; i++) {
		const struct convention *c = &conventions[i];

		if (c->machine != m)
			continue;
		for (uint32_t nr = c->base; nr < c->end; nr++) {
			if (nr == 600) /* between the ordinary calls of arm and its private ones */
				nr = 0xeffff;
			if (!unknown_to_libseccomp(c, nr))
				compare(c, &ours, &theirs, nr);
		}
	}
	assert_int_equal(ask(&ours, AUDIT_ARCH_S390X, 1, 0), SECCOMP_RET_KILL_PROCESS);
}

static void default_capabilities_get_libseccomp_s_verdicts(void **state)
{
	(void)state;
	same_verdicts(SECCOMP_MACHINE_X86_64, CAPS_DOCKER);
	same_verdicts(SECCOMP_MACHINE_AARCH64, CAPS_DOCKER);
}

static void every_added_capability_gets_libseccomp_s_verdicts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CAPS_KNOWN; i++)
		same_verdicts(SECCOMP_MACHINE_X86_64, CAPS_DOCKER ^ CAP_BIT(i));
	same_verdicts(SECCOMP_MACHINE_X86_64, 0);
	same_verdicts(SECCOMP_MACHINE_X86_64, CAPS_ALL);
	same_verdicts(SECCOMP_MACHINE_AARCH64, CAPS_ALL);
}

static void calls_younger_than_libseccomp_are_allowed_by_number(void **state)
{
	static const uint32_t young[] = {
		451, 452, 454, 455, 456, 457, 458, 462, 463, 464, 465, 466
	};
	static struct program p[3];

	(void)state;
	compose(SECCOMP_MACHINE_X86_64, CAPS_DOCKER, &p[SECCOMP_MACHINE_X86_64]);
	compose(SECCOMP_MACHINE_AARCH64, CAPS_DOCKER, &p[SECCOMP_MACHINE_AARCH64]);
	for (size_t i = 0; i < NCONVENTIONS; i++) {
		const struct convention *c = &conventions[i];

		for (size_t k = 0; k < sizeof young / sizeof *young; k++)
			assert_int_equal(ask(&p[c->machine], c->arch, c->base | young[k], 0),
					 SECCOMP_RET_ALLOW);
		/* lsm_*: CAP_SYS_ADMIN */
		assert_int_equal(ask(&p[c->machine], c->arch, c->base | 459, 0), REFUSE(EPERM));
	}
	/* uretprobe and map_shadow_stack, which x32 has not */
	assert_int_equal(ask(&p[1], AUDIT_ARCH_X86_64, 335, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p[1], AUDIT_ARCH_X86_64, 453, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p[1], AUDIT_ARCH_X86_64, X32(453), 0), REFUSE(EPERM));
	assert_int_equal(ask(&p[1], AUDIT_ARCH_X86_64, 0xffffffff, 0), REFUSE(ENOSYS));
}

static void an_x32_argument_above_32_bits_is_refused(void **state)
{
	static struct program p;

	(void)state;
	compose(SECCOMP_MACHINE_X86_64, CAPS_DOCKER, &p);
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, X32(41), 2), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, X32(41), 0x100000002), REFUSE(EPERM));
}

static void numbers_are_libseccomp_s(void **state)
{
	size_t n;
	const struct seccomp_nr *rows = seccomp_nr_rows(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < NCONVENTIONS; k++) {
			const struct convention *c = &conventions[k];
			int nr = seccomp_syscall_resolve_name_arch(c->scmp, rows[i].name);

			if (nr >= 0)
				assert_int_equal(rows[i].nr[c->abi], nr);
		}
}

static void the_table_of_numbers_is_sorted_and_finds_every_name(void **state)
{
	size_t n;
	const struct seccomp_nr *rows = seccomp_nr_rows(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		char longer[40] = "";

		assert_true(i == 0 || strcmp(rows[i - 1].name, rows[i].name) < 0);
		assert_ptr_equal(seccomp_nr_find(rows[i].name, strlen(rows[i].name)), &rows[i]);
		memcpy(longer, rows[i].name, strlen(rows[i].name));
		strcat(longer, " write"); /* a name inside a list */
		assert_ptr_equal(seccomp_nr_find(longer, strlen(rows[i].name)), &rows[i]);
	}
	assert_null(seccomp_nr_find("pivot_root", 10));
	assert_null(seccomp_nr_find("acc", 3));
	assert_null(seccomp_nr_find("", 0));
}

static int count_names(const struct seccomp_call *c, void *arg)
{
	unsigned *counts = arg; /* names, entries, entries with a condition */
	const char *names = c->names, *name;
	size_t len;

	while (seccomp_names_next(&names, &name, &len)) {
		assert_non_null(seccomp_nr_find(name, len));
		counts[0]++;
	}
	counts[1]++;
	counts[2] += c->op != SECCOMP_OP_NONE;
	return 0;
}

static void the_walk_lists_docker_s_entries(void **state)
{
	unsigned counts[3] = { 0 };

	(void)state;
	assert_int_equal(seccomp_profile_walk(SECCOMP_MACHINE_X86_64, CAPS_DOCKER, count_names,
					      counts),
			 0);
	/* always, socket, personality, clone, arch_prctl and modify_ldt, clone3, chroot */
	assert_int_equal(counts[0], 364 + 26 + 5 + 1 + 2 + 1 + 1);
	assert_int_equal(counts[1], 1 + 26 + 5 + 1 + 1 + 1 + 1);
	assert_int_equal(counts[2], 26 + 5 + 1);
	assert_string_equal(seccomp_op_name(SECCOMP_OP_MASKED_EQ), "SCMP_CMP_MASKED_EQ");
	assert_string_equal(seccomp_profile_arches(SECCOMP_MACHINE_X86_64)[2], "SCMP_ARCH_X32");
}

static int stop_at_clone3(const struct seccomp_call *c, void *arg)
{
	(void)arg;
	return strcmp(c->names, "clone3") == 0 ? c->refuse : 0;
}

static void the_walk_stops_when_told_to(void **state)
{
	(void)state;
	assert_int_equal(seccomp_profile_walk(SECCOMP_MACHINE_X86_64, CAPS_DOCKER, stop_at_clone3,
					      NULL),
			 ENOSYS);
	assert_int_equal(seccomp_profile_walk(SECCOMP_MACHINE_X86_64, CAPS_ALL, stop_at_clone3,
					      NULL),
			 0);
}

static void the_prebuilt_filter_is_what_composing_gives(void **state)
{
	static struct program p;
	const struct sock_fprog *pre = seccomp_default_prebuilt();

	(void)state;
	compose(SECCOMP_MACHINE_NATIVE, CAPS_DOCKER, &p);
	assert_int_equal(pre->len, p.len);
	assert_memory_equal(pre->filter, p.insn, p.len * sizeof *p.insn);
}

static void sets_that_select_the_same_rules_share_the_prebuilt_filter(void **state)
{
	static struct program p;
	struct sock_fprog out = { 0 };

	(void)state;
	assert_int_equal(seccomp_default(CAPS_DOCKER | CAP_BIT(CAP_NET_ADMIN), p.insn, PROG_MAX,
					 &out, NULL),
			 0);
	assert_ptr_equal(out.filter, seccomp_default_prebuilt()->filter);
	assert_int_equal(seccomp_default(CAPS_DOCKER | CAP_BIT(CAP_SYS_TIME), p.insn, PROG_MAX,
					 &out, NULL),
			 0);
	assert_ptr_equal(out.filter, p.insn);
}

static void a_buffer_of_any_size_is_enough_or_refused(void **state)
{
	struct err e = ERR_INIT;
	size_t len = 0, need = seccomp_default_prebuilt()->len;

	(void)state;
	for (size_t max = 0; max <= need; max++) {
		struct sock_filter *exact = malloc(max * sizeof *exact + 1);
		int r = seccomp_compose(SECCOMP_MACHINE_NATIVE, CAPS_DOCKER, exact, max, &len, &e);

		assert_int_equal(r, max < need ? -E2BIG : 0);
		free(exact);
		if (max == 100)
			assert_string_equal(e.text, "seccomp filter: there is room for 100 "
						    "instructions, it needs more");
	}
}

static size_t leaf_far(struct bpf *b, const struct bpf_span *s, void *arg)
{
	(void)arg;
	return bpf_load(b, 0,
			bpf_jump(b, BPF_JEQ, s->first, bpf_ret(b, s->value),
				 bpf_ret(b, s->value + 1)));
}

/* More leaves, with more different answers, than conditional jumps and remembered returns reach. */
static void jumps_of_any_distance_arrive(void **state)
{
	static struct bpf_span spans[600];
	static struct program p;
	struct bpf b;

	(void)state;
	for (uint32_t i = 0; i < 600; i++)
		spans[i] = (struct bpf_span){ i, 10 * i, NULL };
	bpf_init(&b, p.insn, PROG_MAX);
	bpf_load(&b, 0, bpf_tree(&b, spans, 600, leaf_far, NULL));
	assert_false(b.full);
	p.len = PROG_MAX - b.first;
	memmove(p.insn, p.insn + b.first, p.len * sizeof *p.insn);
	for (uint32_t i = 0; i < 600; i++)
		assert_int_equal(ask(&p, 0, i, 0), 10 * i);
	assert_int_equal(ask(&p, 0, 600, 0), 10 * 599 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_capabilities_get_libseccomp_s_verdicts),
		cmocka_unit_test(every_added_capability_gets_libseccomp_s_verdicts),
		cmocka_unit_test(calls_younger_than_libseccomp_are_allowed_by_number),
		cmocka_unit_test(an_x32_argument_above_32_bits_is_refused),
		cmocka_unit_test(numbers_are_libseccomp_s),
		cmocka_unit_test(the_table_of_numbers_is_sorted_and_finds_every_name),
		cmocka_unit_test(the_walk_lists_docker_s_entries),
		cmocka_unit_test(the_walk_stops_when_told_to),
		cmocka_unit_test(the_prebuilt_filter_is_what_composing_gives),
		cmocka_unit_test(sets_that_select_the_same_rules_share_the_prebuilt_filter),
		cmocka_unit_test(a_buffer_of_any_size_is_enough_or_refused),
		cmocka_unit_test(jumps_of_any_distance_arrive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
