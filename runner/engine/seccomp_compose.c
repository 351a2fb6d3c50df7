// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/seccomp_compose.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/err.h"
#include "runner/engine/seccomp_bpf.h"
#include "runner/engine/seccomp_profile.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "halves of arguments lie the other way");

#define REFUSE(no) (SECCOMP_RET_ERRNO | (uint32_t)(no))
#define X32_FIRST 0x40000000u
#define SPANS_MAX 1024
#define CHECKS_MAX 8

struct audit_arch {
	uint32_t token;
	enum seccomp_abi abis[2]; /* x86_64 programs may use x32 numbers as well */
	unsigned nabis;
};

static const struct audit_arch x86_archs[] = {
	{ AUDIT_ARCH_X86_64, { SECCOMP_ABI_X86_64, SECCOMP_ABI_X32 }, 2 },
	{ AUDIT_ARCH_I386, { SECCOMP_ABI_X86 }, 1 },
};
static const struct audit_arch arm_archs[] = {
	{ AUDIT_ARCH_AARCH64, { SECCOMP_ABI_AARCH64 }, 1 },
	{ AUDIT_ARCH_ARM, { SECCOMP_ABI_ARM }, 1 },
};
#define NARCHS 2

struct composer {
	struct bpf bpf;
	const struct seccomp_nr *rows;
	size_t nrows;
	const struct seccomp_rule *by_row[SECCOMP_NR_ROWS_MAX]; /* the rule of each call, or NULL */
	struct {
		const struct seccomp_rule *rule;
		size_t at;
	} checks[CHECKS_MAX]; /* conditions already written: the same for every convention */
	unsigned nchecks;
	struct bpf_span spans[SPANS_MAX];
	size_t nspans;
};

/* Several groups name the same call: an unconditional allowance beats everything else. */
static bool rule_beats(const struct seccomp_rule *r, const struct seccomp_rule *old)
{
	return !old || (!r->nranges && !r->refuse) || old->refuse;
}

static void pick_rules(struct composer *c, enum seccomp_machine m, uint64_t bounding)
{
	const struct seccomp_rule *r = NULL;

	c->rows = seccomp_nr_rows(&c->nrows);
	while ((r = seccomp_profile_next(r, m, bounding))) {
		const char *names = r->names, *name;
		size_t len;

		while (seccomp_names_next(&names, &name, &len)) {
			const struct seccomp_nr *row = seccomp_nr_find(name, len);

			if (row && rule_beats(r, c->by_row[row - c->rows]))
				c->by_row[row - c->rows] = r;
		}
	}
}

static size_t leaf_value(struct bpf *b, const struct bpf_span *s, void *arg)
{
	(void)arg;
	return bpf_ret(b, s->value);
}

/* A condition: the argument's upper half is 0 and its lower half lies in one of the ranges. */
static size_t write_check(struct composer *c, const struct seccomp_rule *r)
{
	struct bpf_span s[2 * 32 + 1] = { { 0, REFUSE(EPERM), NULL } };
	size_t n = 1, at, arg = offsetof(struct seccomp_data, args) + r->arg * sizeof(uint64_t);

	for (unsigned i = 0; i < r->nranges && n + 2 <= sizeof s / sizeof *s; i++) {
		if (s[n - 1].first == r->ranges[i].first)
			n--;
		s[n++] = (struct bpf_span){ r->ranges[i].first, SECCOMP_RET_ALLOW, NULL };
		if (r->ranges[i].last != UINT32_MAX)
			s[n++] = (struct bpf_span){ r->ranges[i].last + 1, REFUSE(EPERM), NULL };
	}
	at = bpf_tree(&c->bpf, s, n, leaf_value, NULL);
	if (r->mask)
		return bpf_load(&c->bpf, arg, bpf_and(&c->bpf, r->mask, at));
	at = bpf_load(&c->bpf, arg, at);
	at = bpf_jump(&c->bpf, BPF_JEQ, 0, at, bpf_ret(&c->bpf, REFUSE(EPERM)));
	return bpf_load(&c->bpf, arg + sizeof(uint32_t), at);
}

static size_t leaf_rule(struct bpf *b, const struct bpf_span *s, void *arg)
{
	struct composer *c = arg;
	const struct seccomp_rule *r = s->what;
	size_t at;

	if (!r)
		return bpf_ret(b, s->value);
	for (unsigned i = 0; i < c->nchecks; i++)
		if (c->checks[i].rule == r)
			return c->checks[i].at;
	at = write_check(c, r);
	if (c->nchecks < CHECKS_MAX) {
		c->checks[c->nchecks].rule = r;
		c->checks[c->nchecks++].at = at;
	}
	return at;
}

struct numbered {
	uint32_t nr;
	const struct seccomp_rule *rule;
};

static int by_number(const void *a, const void *b)
{
	uint32_t x = ((const struct numbered *)a)->nr, y = ((const struct numbered *)b)->nr;

	return (x > y) - (x < y);
}

/* From number `first` on: joined with the span before when nothing changes there. */
static void span_add(struct composer *c, uint32_t first, uint32_t value, const void *what)
{
	struct bpf_span *last = c->nspans ? &c->spans[c->nspans - 1] : NULL;

	if (last && last->first == first) /* the number before did not leave a gap */
		c->nspans--;
	last = c->nspans ? &c->spans[c->nspans - 1] : NULL;
	if (last && last->value == value && last->what == what)
		return;
	if (c->nspans < SPANS_MAX)
		c->spans[c->nspans++] = (struct bpf_span){ first, value, what };
	else
		c->bpf.full = true;
}

/* The spans of one convention, which begin at `base`. */
static void add_abi(struct composer *c, enum seccomp_abi abi, uint32_t base)
{
	struct numbered list[SECCOMP_NR_ROWS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < c->nrows; i++)
		if (c->by_row[i] && c->rows[i].nr[abi] != SECCOMP_NR_NONE)
			list[n++] = (struct numbered){ (uint32_t)c->rows[i].nr[abi], c->by_row[i] };
	qsort(list, n, sizeof *list, by_number);

	span_add(c, base, REFUSE(EPERM), NULL);
	for (size_t i = 0; i < n; i++) {
		const struct seccomp_rule *r = list[i].rule;

		span_add(c, list[i].nr, r->refuse ? REFUSE(r->refuse) : SECCOMP_RET_ALLOW,
			 r->nranges ? r : NULL);
		span_add(c, list[i].nr + 1, i + 1 < n ? REFUSE(EPERM) : REFUSE(ENOSYS), NULL);
	}
}

static size_t write_arch(struct composer *c, const struct audit_arch *a)
{
	size_t at;

	c->nspans = 0;
	for (unsigned i = 0; i < a->nabis; i++)
		add_abi(c, a->abis[i], a->abis[i] == SECCOMP_ABI_X32 ? X32_FIRST : 0);
	at = bpf_tree(&c->bpf, c->spans, c->nspans, leaf_rule, c);
	return bpf_load(&c->bpf, offsetof(struct seccomp_data, nr), at);
}

int seccomp_compose(enum seccomp_machine m, uint64_t bounding, struct sock_filter *prog, size_t max,
		    size_t *len, struct err *e)
{
	const struct audit_arch *archs = m == SECCOMP_MACHINE_X86_64 ? x86_archs : arm_archs;
	struct composer c = { .nspans = 0 };
	size_t start[NARCHS], at;

	bpf_init(&c.bpf, prog, max);
	pick_rules(&c, m, bounding);
	for (unsigned i = NARCHS; i-- > 0;)
		start[i] = write_arch(&c, &archs[i]);
	at = bpf_ret(&c.bpf, SECCOMP_RET_KILL_PROCESS);
	for (unsigned i = NARCHS; i-- > 0;)
		at = bpf_jump(&c.bpf, BPF_JEQ, archs[i].token, start[i], at);
	bpf_load(&c.bpf, offsetof(struct seccomp_data, arch), at);
	if (c.bpf.full)
		return err_say(e, -E2BIG,
			       "seccomp filter: there is room for %zu instructions, it needs more",
			       max);
	*len = max - c.bpf.first;
	memmove(prog, prog + c.bpf.first, *len * sizeof *prog);
	return 0;
}
