// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/seccomp_bpf.h"

#define JUMP_MAX 255 /* a conditional jump counts the instructions it skips in 8 bits */
#define COUNT(a) (sizeof(a) / sizeof *(a))

void bpf_init(struct bpf *b, struct sock_filter *insn, size_t max)
{
	*b = (struct bpf){ .insn = insn, .max = max, .first = max };
}

static size_t push(struct bpf *b, uint16_t code, size_t jt, size_t jf, uint32_t k)
{
	if (b->first == 0) {
		b->full = true;
		return 0;
	}
	b->insn[--b->first] = (struct sock_filter){ code, (uint8_t)jt, (uint8_t)jf, k };
	return b->first;
}

static size_t push_ret(struct bpf *b, uint32_t value)
{
	size_t at = push(b, BPF_RET | BPF_K, 0, 0, value);
	unsigned i = 0;

	while (i < b->nrets && b->rets[i].value != value)
		i++;
	if (i < COUNT(b->rets)) {
		b->rets[i].value = value;
		b->rets[i].at = at;
		b->nrets += i == b->nrets;
	}
	return at;
}

size_t bpf_ret(struct bpf *b, uint32_t value)
{
	for (unsigned i = 0; i < b->nrets; i++)
		if (b->rets[i].value == value)
			return b->rets[i].at;
	return push_ret(b, value);
}

/*
 * An entry equal to target that the next instruction but `more` can reach with a conditional jump:
 * target itself, a copy of the return it is, or a long jump to it.
 */
static size_t near(struct bpf *b, size_t target, size_t more)
{
	if (target - b->first + more <= JUMP_MAX)
		return target;
	if (b->insn[target].code == (BPF_RET | BPF_K))
		return push_ret(b, b->insn[target].k);
	return push(b, BPF_JMP | BPF_JA, 0, 0, (uint32_t)(target - b->first));
}

static void fall_through(struct bpf *b, size_t next)
{
	if (next != b->first)
		push(b, BPF_JMP | BPF_JA, 0, 0, (uint32_t)(next - b->first));
}

size_t bpf_load(struct bpf *b, size_t offset, size_t next)
{
	fall_through(b, next);
	return push(b, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

size_t bpf_and(struct bpf *b, uint32_t mask, size_t next)
{
	fall_through(b, next);
	return push(b, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
}

size_t bpf_jump(struct bpf *b, uint16_t op, uint32_t k, size_t yes, size_t no)
{
	if (yes == no)
		return yes;
	yes = near(b, yes, 1); /* reaching `no` may take one instruction in between */
	no = near(b, no, 0);
	return push(b, (uint16_t)(BPF_JMP | op | BPF_K), yes - b->first, no - b->first, k);
}

size_t bpf_tree(struct bpf *b, const struct bpf_span *spans, size_t n, bpf_leaf_fn *leaf, void *arg)
{
	size_t mid = n / 2, above, below;

	if (n == 1)
		return leaf(b, spans, arg);
	above = bpf_tree(b, spans + mid, n - mid, leaf, arg);
	below = bpf_tree(b, spans, mid, leaf, arg);
	return bpf_jump(b, BPF_JGE, spans[mid].first, above, below);
}
