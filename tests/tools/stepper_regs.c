// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/tools/stepper_regs.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

bool regs_call(pid_t tid, struct regs_call *c)
{
	struct __ptrace_syscall_info info = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return false;
	c->nr = (long)info.seccomp.nr;
	for (int i = 0; i < 6; i++)
		c->arg[i] = info.seccomp.args[i];
	c->ip = info.instruction_pointer;
	c->sp = info.stack_pointer;
	return true;
}

long regs_error(pid_t tid)
{
	struct __ptrace_syscall_info info = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_EXIT || !info.exit.is_error)
		return 0;
	return (long)-info.exit.rval;
}

#ifdef __x86_64__

enum { SYSCALL_INSN = 2 };

void regs_skip(pid_t tid, int error)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, tid, 0, &r) < 0)
		return;
	r.orig_rax = (unsigned long long)-1;
	r.rax = (unsigned long long)-(long long)error;
	(void)ptrace(PTRACE_SETREGS, tid, 0, &r);
}

void regs_replay(pid_t tid)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, tid, 0, &r) < 0)
		return;
	r.rax = r.orig_rax;
	r.orig_rax = (unsigned long long)-1;
	r.rip -= SYSCALL_INSN;
	(void)ptrace(PTRACE_SETREGS, tid, 0, &r);
}

#elif defined(__aarch64__)

enum { SYSCALL_INSN = 4 };

static bool regs_move(pid_t tid, bool set, struct user_regs_struct *r)
{
	struct iovec iov = { r, sizeof *r };

	return ptrace(set ? PTRACE_SETREGSET : PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov) == 0;
}

static void drop_call(pid_t tid)
{
	int none = -1;
	struct iovec iov = { &none, sizeof none };

	(void)ptrace(PTRACE_SETREGSET, tid, 0x404 /* NT_ARM_SYSTEM_CALL */, &iov);
}

void regs_skip(pid_t tid, int error)
{
	struct user_regs_struct r;

	if (!regs_move(tid, false, &r))
		return;
	r.regs[0] = (unsigned long long)-(long long)error;
	(void)regs_move(tid, true, &r);
	drop_call(tid);
}

void regs_replay(pid_t tid)
{
	struct user_regs_struct r;

	if (!regs_move(tid, false, &r))
		return;
	r.pc -= SYSCALL_INSN;
	(void)regs_move(tid, true, &r);
	drop_call(tid);
}

#endif
