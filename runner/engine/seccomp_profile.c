// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/seccomp_profile.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "runner/engine/caps.h"

#define RANGES(...) \
	.ranges = (const struct seccomp_range[]){ __VA_ARGS__ }, \
	.nranges = sizeof((const struct seccomp_range[]){ __VA_ARGS__ }) / \
		   sizeof(struct seccomp_range)
#define ONE(v) { (v), (v) }

/* CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}: refused without CAP_SYS_ADMIN. */
#define CLONE_NAMESPACES 0x7e020000u

/*
 * What every container may do, whatever its capabilities. ptrace and process_vm_* are docker's
 * group "from kernel 4.8 on": the runner needs a much newer kernel anyway.
 */
static const char always[] =
	"_llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset "
	"chdir chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 "
	"clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range "
	"connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl "
	"epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve "
	"execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate "
	"fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 "
	"fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 "
	"fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 "
	"futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu "
	"getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups "
	"getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom "
	"getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname "
	"getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch "
	"inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents "
	"io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc "
	"kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 "
	"lgetxattr link linkat listen listmount listxattr listxattrat llistxattr lremovexattr "
	"lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create "
	"memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 "
	"mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 "
	"mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd "
	"msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open openat "
	"openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect "
	"poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease "
	"process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev "
	"pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 "
	"recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 "
	"restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask "
	"rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 "
	"rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity "
	"sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
	"sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
	"sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop "
	"semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list "
	"set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 "
	"setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid "
	"setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid "
	"setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd "
	"signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64 "
	"statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time "
	"timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime "
	"timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
	"timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat "
	"uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid "
	"write writev";

static const char sys_admin[] =
	"bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
	"lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount "
	"open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog "
	"umount umount2 unshare";

#define X86 SECCOMP_MACHINE_X86_64
#define ARM SECCOMP_MACHINE_AARCH64
#define WITH(cap) .with_cap = CAP_BIT(CAP_##cap)
#define WITHOUT(cap) .without_cap = CAP_BIT(CAP_##cap)

/*
 * Left out of socket(): families that newer kernels no longer have (AF_DECnet 12, AF_ECONET 19,
 * AF_ATMSVC 20, AF_IRDA 23, AF_WANPIPE 25, AF_ISDN 34, AF_CAIF 37), AF_ALG 38 (the kernel's cipher
 * interface: attack surface hardly a container needs) and AF_VSOCK 40 (reaches virtual machines
 * past the network namespace). socketcall() of 32 bit programs passes its arguments behind a
 * pointer, out of reach of any filter. personality() takes PER_LINUX and PER_LINUX32, each with
 * UNAME26, and the query.
 */
static const struct seccomp_rule rules[] = {
	/* clang-format off */
	{ .names = always },
	{ .names = "socket", .arg = 0,
	  RANGES({ AF_UNSPEC, AF_ROSE }, { AF_NETBEUI, AF_ASH }, { AF_RDS, AF_SNA }, ONE(AF_PPPOX),
		 { AF_LLC, AF_RXRPC }, { AF_PHONET, AF_IEEE802154 }, ONE(AF_NFC),
		 { AF_KCM, AF_MCTP }) },
	{ .names = "personality", .arg = 0,
	  RANGES(ONE(0), ONE(8), ONE(0x20000), ONE(0x20008), ONE(0xffffffff)) },
	{ .machines = X86, .names = "arch_prctl modify_ldt" },
	{ .machines = ARM, .names = "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush "
				    "set_tls sync_file_range2" },
	{ WITHOUT(SYS_ADMIN), .names = "clone", .arg = 0, .mask = CLONE_NAMESPACES,
	  RANGES(ONE(0)) },
	{ WITHOUT(SYS_ADMIN), .names = "clone3", .refuse = ENOSYS },
	{ WITH(SYS_ADMIN), .names = sys_admin },
	{ WITH(DAC_READ_SEARCH), .names = "open_by_handle_at" },
	{ WITH(SYS_BOOT), .names = "reboot" },
	{ WITH(SYS_CHROOT), .names = "chroot" },
	{ WITH(SYS_MODULE), .names = "delete_module finit_module init_module" },
	{ WITH(SYS_PACCT), .names = "acct" },
	{ WITH(SYS_PTRACE), .names = "kcmp pidfd_getfd process_madvise process_vm_readv "
				     "process_vm_writev ptrace" },
	{ WITH(SYS_RAWIO), .names = "ioperm iopl" },
	{ WITH(SYS_TIME), .names = "clock_settime clock_settime64 settimeofday stime" },
	{ WITH(SYS_TTY_CONFIG), .names = "vhangup" },
	{ WITH(SYS_NICE), .names = "get_mempolicy mbind set_mempolicy set_mempolicy_home_node" },
	{ WITH(SYSLOG), .names = "syslog" },
	{ WITH(BPF), .names = "bpf" },
	{ WITH(PERFMON), .names = "perf_event_open" },
	/* clang-format on */
};

static const char *const op_names[] = {
	[SECCOMP_OP_NONE] = "",
	[SECCOMP_OP_LT] = "SCMP_CMP_LT",
	[SECCOMP_OP_EQ] = "SCMP_CMP_EQ",
	[SECCOMP_OP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};

static const char *const x86_arches[] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32",
					  NULL };
static const char *const arm_arches[] = { "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", NULL };

const char *seccomp_op_name(enum seccomp_op op)
{
	return op_names[op];
}

const char *const *seccomp_profile_arches(enum seccomp_machine m)
{
	return m == SECCOMP_MACHINE_X86_64 ? x86_arches : arm_arches;
}

const struct seccomp_rule *seccomp_profile_next(const struct seccomp_rule *prev,
						enum seccomp_machine m, uint64_t bounding)
{
	const struct seccomp_rule *end = rules + sizeof rules / sizeof *rules;

	for (const struct seccomp_rule *r = prev ? prev + 1 : rules; r < end; r++)
		if ((!r->machines || (r->machines & m)) &&
		    (bounding & r->with_cap) == r->with_cap && !(bounding & r->without_cap))
			return r;
	return NULL;
}

bool seccomp_names_next(const char **names, const char **name, size_t *len)
{
	*name = *names + strspn(*names, " ");
	*len = strcspn(*name, " ");
	*names = *name + *len;
	return *len > 0;
}

/* One range of a condition, as the one-comparison rules that OCI documents consist of. */
static int walk_range(const struct seccomp_rule *r, const struct seccomp_range *g,
		      seccomp_walk_fn *fn, void *arg)
{
	struct seccomp_call c = { .names = r->names, .refuse = r->refuse, .arg = r->arg };
	int rc = 0;

	if (g->first == 0 && g->last > 0) {
		c.op = SECCOMP_OP_LT;
		c.value = (uint64_t)g->last + 1;
		return fn(&c, arg);
	}
	for (uint64_t v = g->first; v <= g->last && rc == 0; v++) {
		c.op = r->mask ? SECCOMP_OP_MASKED_EQ : SECCOMP_OP_EQ;
		c.value = r->mask ? r->mask : v;
		c.value_two = r->mask ? v : 0;
		rc = fn(&c, arg);
	}
	return rc;
}

int seccomp_profile_walk(enum seccomp_machine m, uint64_t bounding, seccomp_walk_fn *fn, void *arg)
{
	const struct seccomp_rule *r = NULL;
	int rc = 0;

	while (rc == 0 && (r = seccomp_profile_next(r, m, bounding))) {
		struct seccomp_call c = { .names = r->names, .refuse = r->refuse };

		if (!r->nranges)
			rc = fn(&c, arg);
		for (unsigned i = 0; i < r->nranges && rc == 0; i++)
			rc = walk_range(r, &r->ranges[i], fn, arg);
	}
	return rc;
}
