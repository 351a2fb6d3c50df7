/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_SECCOMP_BPF_H
#define NARU_ENGINE_SECCOMP_BPF_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Writes a seccomp filter from its end to its beginning, so that the target of every jump is known
 * when the jump is written. An entry is the index of an instruction in insn[]. Running out of room
 * is remembered in `full`; everything after that is harmless.
 */
struct bpf {
	struct sock_filter *insn;
	size_t max;
	size_t first; /* index of the instruction written last; max: none */
	bool full;
	struct {
		uint32_t value;
		size_t at;
	} rets[4]; /* the nearest return of each value */
	unsigned nrets;
};

void bpf_init(struct bpf *b, struct sock_filter *insn, size_t max);

/* return value */
size_t bpf_ret(struct bpf *b, uint32_t value);

/* A = 32 bits of struct seccomp_data at offset; continue at next */
size_t bpf_load(struct bpf *b, size_t offset, size_t next);

/* A &= mask; continue at next */
size_t bpf_and(struct bpf *b, uint32_t mask, size_t next);

/* if (A op k) go to yes else to no; op is BPF_JEQ, BPF_JGE or BPF_JGT. Any distance. */
size_t bpf_jump(struct bpf *b, uint16_t op, uint32_t k, size_t yes, size_t no);

/* Numbers from `first` up to the next span's first are dealt with at leaf(span). */
struct bpf_span {
	uint32_t first;
	uint32_t value;	  /* for leaf() */
	const void *what; /* for leaf() */
};

typedef size_t bpf_leaf_fn(struct bpf *b, const struct bpf_span *s, void *arg);

/* Finds the span of A by halving; spans ascend and begin at 0. */
size_t bpf_tree(struct bpf *b, const struct bpf_span *spans, size_t n, bpf_leaf_fn *leaf,
		void *arg);

#endif
