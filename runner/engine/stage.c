// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/fd.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

/*
 * The program, as the file it becomes: ELF header, one segment, code. It marks STAGE_FD to be
 * closed, executes argv[0] with the rest of argv, and when that fails writes the result and exits
 * with 127.
 */
#if defined(__x86_64__)
#define MACHINE "62"
#define CODE \
	"mov $72, %eax\n" /* fcntl(3, F_SETFD, FD_CLOEXEC) */ \
	"mov $3, %edi\n" \
	"mov $2, %esi\n" \
	"mov $1, %edx\n" \
	"syscall\n" \
	"mov (%rsp), %rax\n" /* argc; envp stands behind argv's NULL */ \
	"lea 16(%rsp,%rax,8), %rdx\n" \
	"mov 8(%rsp), %rdi\n" \
	"lea 16(%rsp), %rsi\n" \
	"mov $59, %eax\n" /* execve */ \
	"syscall\n" \
	"push %rax\n" \
	"mov $1, %eax\n" /* write(3, &result, 4) */ \
	"mov $3, %edi\n" \
	"mov %rsp, %rsi\n" \
	"mov $4, %edx\n" \
	"syscall\n" \
	"mov $231, %eax\n" /* exit_group(127) */ \
	"mov $127, %edi\n" \
	"syscall\n"
#elif defined(__aarch64__)
#define MACHINE "183"
#define CODE \
	"mov x0, #3\n" /* fcntl(3, F_SETFD, FD_CLOEXEC) */ \
	"mov x1, #2\n" \
	"mov x2, #1\n" \
	"mov x8, #25\n" \
	"svc #0\n" \
	"ldr x9, [sp]\n" /* argc; envp stands behind argv's NULL */ \
	"add x2, sp, #16\n" \
	"add x2, x2, x9, lsl #3\n" \
	"ldr x0, [sp, #8]\n" \
	"add x1, sp, #16\n" \
	"mov x8, #221\n" /* execve */ \
	"svc #0\n" \
	"str x0, [sp, #-16]!\n" \
	"mov x0, #3\n" /* write(3, &result, 4) */ \
	"mov x1, sp\n" \
	"mov x2, #4\n" \
	"mov x8, #64\n" \
	"svc #0\n" \
	"mov x0, #127\n" /* exit_group(127) */ \
	"mov x8, #94\n" \
	"svc #0\n"
#else
#error "this architecture has no stage program yet"
#endif

/* clang-format off */
__asm__(
	".pushsection .rodata.naru_stage, \"a\"\n"
	".balign 8\n"
	".globl naru_stage, naru_stage_end\n"
	".hidden naru_stage, naru_stage_end\n"
	"naru_stage:\n"
	".byte 0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0\n.quad 0\n"	/* 64 bits, little endian */
	".short 2, " MACHINE "\n.long 1\n"			/* ET_EXEC */
	".quad 0x400000 + (9f - naru_stage), 64, 0\n"		/* entry, headers */
	".long 0\n.short 64, 56, 2, 0, 0, 0\n"
	".long 1, 5\n.quad 0, 0x400000, 0x400000\n"		/* PT_LOAD, r-x */
	".quad naru_stage_end - naru_stage, naru_stage_end - naru_stage, 0x1000\n"
	".long 0x6474e551, 6\n.quad 0, 0, 0, 0, 0, 16\n"	/* PT_GNU_STACK */
	"9:\n" CODE
	"naru_stage_end:\n"
	".popsection\n");
/* clang-format on */

extern const char naru_stage[], naru_stage_end[];

static int sealed_program(void)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	cleanup_fd int fd = memfd_create("naru-stage", flags | MFD_EXEC);
	int r;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("naru-stage", flags);
	if (fd < 0)
		return -errno;
	if ((r = fd_write_all(fd, naru_stage, (uintptr_t)naru_stage_end - (uintptr_t)naru_stage)) <
	    0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	return take_fd(fd);
}

int stage_exec(const char *path, const char *const *args, const char *const *env)
{
	int fd = sealed_program();
	size_t n = 0;

	while (args[n])
		n++;
	const char **v = fd < 0 ? NULL : calloc(n + 2, sizeof *v);
	if (!v)
		return fd < 0 ? fd : -ENOMEM;
	v[0] = path;
	memcpy(v + 1, args, n * sizeof *v);
	(void)syscall(SYS_execveat, fd, "", v, env, AT_EMPTY_PATH);
	return -errno;
}
