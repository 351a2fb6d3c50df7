// SPDX-License-Identifier: GPL-2.0-or-later
/* A program for the stepper's own test: each word does one thing that a tracer may get wrong. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "prey: %s: %s\n", what, strerror(errno));
	return 1;
}

static void put(struct nlmsghdr *h, int type, const void *data, size_t len)
{
	struct nlattr *a = (void *)((char *)h + NLMSG_ALIGN(h->nlmsg_len));

	*a = (struct nlattr){ .nla_type = (uint16_t)type, .nla_len = (uint16_t)(NLA_HDRLEN + len) };
	if (len)
		memcpy((char *)a + NLA_HDRLEN, data, len);
	h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + NLA_ALIGN(a->nla_len);
}

static struct nlmsghdr *begin(char *buf, size_t size, int type, int flags, size_t body)
{
	struct nlmsghdr *h = (void *)buf;

	memset(buf, 0, size);
	h->nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
	h->nlmsg_type = (uint16_t)type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return h;
}

static int get_links(int rt)
{
	char buf[4096], reply[32768];
	struct nlmsghdr *h =
		begin(buf, sizeof buf, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));

	if (send(rt, buf, h->nlmsg_len, 0) < 0 || recv(rt, reply, sizeof reply, 0) < 0)
		return fail("dump links");
	return 0;
}

static int add_bridge(int rt)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	char buf[4096], reply[4096];
	struct nlmsghdr *h = begin(buf, sizeof buf, RTM_NEWLINK,
				   NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, sizeof(struct ifinfomsg));

	put(h, IFLA_IFNAME, "prey0", 6);
	struct nlattr *info = (void *)((char *)h + NLMSG_ALIGN(h->nlmsg_len));

	put(h, IFLA_LINKINFO, NULL, 0);
	put(h, IFLA_INFO_KIND, "bridge", 7);
	info->nla_len = (uint16_t)((char *)h + h->nlmsg_len - (char *)info);
	struct iovec iov = { buf, h->nlmsg_len };
	const struct msghdr msg = { .msg_name = (void *)(uintptr_t)&kernel,
				    .msg_namelen = sizeof kernel,
				    .msg_iov = &iov,
				    .msg_iovlen = 1 };

	if (sendmsg(rt, &msg, 0) < 0 || recv(rt, reply, sizeof reply, 0) < 0)
		return fail("add link");
	int error = ((struct nlmsgerr *)NLMSG_DATA((struct nlmsghdr *)(void *)reply))->error;

	printf("link: %s\n", error ? strerrorname_np(-error) : "added");
	fflush(stdout);
	return 0;
}

static uint32_t put_nf(char *buf, size_t size, int type, int flags, uint8_t family)
{
	struct nlmsghdr *h = begin(buf, size, type, flags, sizeof(struct nfgenmsg));
	struct nfgenmsg *nf = NLMSG_DATA(h);

	nf->nfgen_family = family;
	if (type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END)
		nf->res_id = htons(NFNL_SUBSYS_NFTABLES);
	else
		put(h, NFTA_TABLE_NAME, "prey", 5);
	return h->nlmsg_len;
}

static int send_batch(int nf, bool table)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	char buf[4096];
	size_t n = put_nf(buf, sizeof buf, NFNL_MSG_BATCH_BEGIN, 0, 0);

	if (table)
		n += put_nf(buf + n, sizeof buf - n, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE,
			    NLM_F_CREATE, AF_INET);
	n += put_nf(buf + n, sizeof buf - n, NFNL_MSG_BATCH_END, 0, 0);
	return sendto(nf, buf, n, 0, (const void *)&kernel, sizeof kernel) < 0 ? fail("batch") : 0;
}

/*
 * Asks for all links, adds a bridge, sends an empty nftables batch and one with a table: two
 * changes.
 */
static int do_netlink(char **argv)
{
	int asks = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int makes = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int nf = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	(void)argv;
	if (asks < 0 || makes < 0 || nf < 0)
		return fail("socket");
	return get_links(asks) || add_bridge(makes) || send_batch(nf, false) ||
	       send_batch(nf, true);
}

/* mkdir is refused by a filter of our own, rmdir is not. */
static int do_seccomp(char **argv)
{
	struct sock_filter code[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
				      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdirat, 0, 1),
				      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
				      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog prog = { sizeof code / sizeof *code, code };

	(void)argv;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return fail("seccomp");
	int refused = mkdirat(AT_FDCWD, "prey.dir", 0700) < 0 ? errno : 0;
	int gone = unlinkat(AT_FDCWD, "prey.dir", AT_REMOVEDIR) < 0 ? errno : 0;

	printf("%s %s\n", strerrorname_np(refused), strerrorname_np(gone));
	return 0;
}

/*
 * A child made by clone3 in a new PID namespace (and in the cgroup directory given) writes a file.
 */
static int do_clone3(char **argv)
{
	struct clone_args args = { .flags = CLONE_NEWPID | CLONE_NEWNS, .exit_signal = SIGCHLD };
	int status;

	if (argv[0]) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)open(argv[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);

	if (pid < 0)
		return fail("clone3");
	if (pid == 0) {
		execlp("sh", "sh", "-c", "echo $$ > pidns.txt; mkdir in; rmdir in", (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0)
		return fail("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/*
 * Leaves a grandchild behind that writes its pid to daemon.pid, works on for 60 s at most and keeps
 * a count.
 */
static int do_daemon(char **argv)
{
	int ready[2];
	char c;

	(void)argv;
	if (pipe(ready) < 0)
		return fail("pipe");
	if (fork() == 0) {
		(void)setsid();
		if (fork())
			_exit(0);
		(void)!freopen("/dev/null", "r", stdin);
		(void)!freopen("/dev/null", "w", stdout);
		(void)!freopen("/dev/null", "w", stderr);
		close(ready[0]);
		for (int i = 1; i <= 1200; i++) {
			FILE *f = fopen("daemon.pid", "w");

			if (!f)
				_exit(1);
			fprintf(f, "%d %d\n", (int)getpid(), i);
			fclose(f);
			if (i == 1)
				close(ready[1]);
			usleep(50000);
		}
		_exit(0);
	}
	close(ready[1]);
	(void)!read(ready[0], &c, 1);
	(void)waitpid(-1, NULL, 0);
	return 0;
}

/* A temporary file without a name: only its linkat is seen by others. */
static int do_tmpfile(char **argv)
{
	char path[64];
	int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	(void)argv;
	if (fd < 0)
		return fail("O_TMPFILE");
	if (write(fd, "text\n", 5) != 5 || fchmod(fd, 0644) < 0 || fsync(fd) < 0)
		return fail("write");
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) < 0)
		return fail("linkat");
	return 0;
}

static volatile sig_atomic_t seen;

static void on_term(int sig)
{
	(void)sig;
	seen = access("first", F_OK) == 0 ? 2 : 1;
}

/* Says whether SIGTERM came before mkdir "first" was made. */
static int do_handler(char **argv)
{
	(void)argv;
	signal(SIGTERM, on_term);
	if (mkdir("first", 0700) < 0)
		return fail("mkdir");
	printf("%s\n", seen == 1 ? "before" : seen == 2 ? "after" : "never");
	return rmdir("first");
}

static void *work(void *arg)
{
	char name[32];

	snprintf(name, sizeof name, "thread%d", (int)(intptr_t)arg);
	for (int i = 0; i < 10; i++)
		if (mkdir(name, 0700) < 0 || rmdir(name) < 0)
			return (void *)1;
	return NULL;
}

/* Eight threads make twenty points each, then one that is not the first executes a program. */
static void *exec_true(void *arg)
{
	(void)arg;
	execlp("mkdir", "mkdir", "from-thread", (char *)NULL);
	return NULL;
}

static int do_threads(char **argv)
{
	pthread_t t[8];
	void *bad = NULL;

	(void)argv;
	for (int i = 0; i < 8; i++)
		if (pthread_create(&t[i], NULL, work, (void *)(intptr_t)i))
			return 1;
	for (int i = 0; i < 8; i++) {
		void *r;

		pthread_join(t[i], &r);
		bad = bad ? bad : r;
	}
	if (bad)
		return 1;
	pthread_create(&t[0], NULL, exec_true, NULL);
	for (;;)
		pause();
}

static const struct {
	const char *word;
	int (*run)(char **argv);
} words[] = {
	{ "netlink", do_netlink }, { "seccomp", do_seccomp }, { "clone3", do_clone3 },
	{ "daemon", do_daemon },   { "tmpfile", do_tmpfile }, { "handler", do_handler },
	{ "threads", do_threads },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof words / sizeof *words; i++)
		if (!strcmp(argv[1], words[i].word))
			return words[i].run(argv + 2);
	fprintf(stderr, "usage: prey netlink|seccomp|clone3 [CGROUP]|daemon|tmpfile|handler|"
			"threads\n");
	return 2;
}
