// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/lab.h"

#include "tests/lib/lab_cgroup.h"
#include "tests/lib/rtnl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_MS 5000

/* cmocka's, when the program is a test; a tool is linked without it */
extern void _fail(const char *file, int line) __attribute__((weak));
extern void _skip(const char *file, int line) __attribute__((weak));

static int host_fd = -1;
static bool is_child;
static bool has_outside;

void lab_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fflush(stdout);
	fputs("# lab: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	if (!is_child && _fail)
		_fail("lab", 0);
	_exit(99);
}

void lab_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("# skipped: ", stdout);
	vfprintf(stdout, fmt, ap);
	fputc('\n', stdout);
	fflush(stdout);
	va_end(ap);
	if (!is_child && _skip)
		_skip("lab", 0);
	_exit(77);
}

void lab_child(void)
{
	sigset_t none;

	is_child = true;
	(void)setenv("CMOCKA_TEST_ABORT", "1", 1);
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- entering ---- */

static void must_mount(const char *from, const char *to, const char *type, unsigned long flags,
		       const char *data)
{
	if (mount(from, to, type, flags, data) < 0)
		lab_fail("cannot mount %s (%s) on %s: %s", from, type ? type : "bind", to,
			 strerror(errno));
}

static void must_mkdir(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		lab_fail("cannot make %s: %s", path, strerror(errno));
}

/*
 * A copy-on-write view of a directory: what is on disk stays as it is, changes go to memory and
 * vanish with us.
 */
static void cover(const char *dir)
{
	char opt[256];

	must_mkdir("/run/.cover");
	must_mount("tmpfs", "/run/.cover", "tmpfs", 0, "mode=755");
	must_mkdir("/run/.cover/up");
	must_mkdir("/run/.cover/work");
	snprintf(opt, sizeof opt, "lowerdir=%s,upperdir=/run/.cover/up,workdir=/run/.cover/work",
		 dir);
	must_mount("overlay", dir, "overlay", 0, opt);
	if (umount2("/run/.cover", MNT_DETACH) < 0 || rmdir("/run/.cover") < 0)
		lab_fail("cannot put away the cover of %s: %s", dir, strerror(errno));
}

static void private_mounts(bool own_cgroups)
{
	static const char *const dirs[] = { "/run/netns", "/run/lock", "/run/naru",
					    "/run/.cgroup" };

	must_mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	must_mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		must_mkdir(dirs[i]);
	/* a mount point, as ip(8) would make it at the first "ip netns add" */
	must_mount("/run/netns", "/run/netns", NULL, MS_BIND, NULL);

	cover("/var/lib");
	must_mkdir("/var/lib/cni");
	must_mkdir("/var/lib/naru");
	must_mount("tmpfs", "/var/lib/cni", "tmpfs", 0, "mode=755");
	must_mount("tmpfs", "/var/lib/naru", "tmpfs", 0, "mode=755");

	/*
	 * sysfs shows the network of who mounted it; control groups are our own, or the machine's
	 * where we have none
	 */
	bool kept = !own_cgroups &&
		    mount("/sys/fs/cgroup", "/run/.cgroup", NULL, MS_BIND | MS_REC, NULL) == 0;

	/* not only covered: what is covered would still be listed as mounted */
	if (umount2("/sys", MNT_DETACH) < 0 && errno != EINVAL)
		lab_fail("cannot unmount /sys: %s", strerror(errno));
	must_mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (own_cgroups)
		lab_cgroup_mount();
	if (kept)
		must_mount("/run/.cgroup", "/sys/fs/cgroup", NULL, MS_MOVE, NULL);
	(void)rmdir("/run/.cgroup");
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		lab_fail("cannot read the flags of lo: %s", strerror(errno));
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		lab_fail("cannot set lo up: %s", strerror(errno));
	close(fd);
}

void lab_enter(void)
{
	if (host_fd >= 0)
		return;
	bool groups = geteuid() == 0 && lab_cgroup_join();

	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
		    (groups ? CLONE_NEWCGROUP : 0)) < 0) {
		printf("1..0 # SKIP needs root: unshare: %s\n", strerror(errno));
		exit(0);
	}
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (sethostname("lab", 3) < 0)
		lab_fail("cannot set the host name: %s", strerror(errno));
	(void)umask(022);
	private_mounts(groups);
	loopback_up();
	host_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (host_fd < 0)
		lab_fail("cannot open the host's network namespace: %s", strerror(errno));
}

int lab_setup(void **state)
{
	(void)state;
	lab_enter();
	return 0;
}

/* ---- network namespaces ---- */

static int netns_open(const char *netns)
{
	char path[256];

	if (strchr(netns, '/'))
		snprintf(path, sizeof path, "%s", netns);
	else
		snprintf(path, sizeof path, LAB_NETNS("%s"), netns);

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		lab_fail("cannot open network namespace %s: %s", path, strerror(errno));
	return fd;
}

void lab_join(const char *netns)
{
	bool host = !netns || !strcmp(netns, "host");
	int fd = host ? host_fd : netns_open(netns);

	/* a tool that never entered a laboratory is in its host already */
	if (fd >= 0 && setns(fd, CLONE_NEWNET) < 0)
		lab_fail("cannot enter network namespace %s: %s", host ? "host" : netns,
			 strerror(errno));
	if (!host)
		close(fd);
}

void lab_netns_new(const char *name)
{
	char path[256];

	snprintf(path, sizeof path, LAB_NETNS("%s"), name);

	int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

	if (fd < 0)
		lab_fail("cannot make network namespace %s: %s", path, strerror(errno));
	close(fd);
	if (unshare(CLONE_NEWNET) < 0)
		lab_fail("cannot make network namespace %s: unshare: %s", name, strerror(errno));
	must_mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL);
	lab_join(NULL);
}

/*
 * The other ends of a namespace's links, as it knows them: a number for the other namespace, an
 * index in it.
 */
struct peers {
	struct {
		int nsid, index;
	} at[256];
	size_t n;
};

static void note_peer(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	struct rtattr *tb[IFLA_LINK_NETNSID + 1];
	struct peers *p = arg;

	rtnl_attrs(tb, IFLA_LINK_NETNSID, IFLA_RTA(i), IFLA_PAYLOAD(h));
	if (tb[IFLA_LINK] && tb[IFLA_LINK_NETNSID] && p->n < sizeof p->at / sizeof *p->at) {
		p->at[p->n].nsid = (int)rtnl_u32(tb[IFLA_LINK_NETNSID], 0);
		p->at[p->n++].index = (int)rtnl_u32(tb[IFLA_LINK], 0);
	}
}

static void note_nsid(const struct nlmsghdr *h, void *arg)
{
	struct rtattr *tb[NETNSA_NSID + 1];

	rtnl_attrs(tb, NETNSA_NSID, (char *)NLMSG_DATA(h) + NLMSG_ALIGN(sizeof(struct rtgenmsg)),
		   NLMSG_PAYLOAD(h, sizeof(struct rtgenmsg)));
	*(int *)arg = (int)rtnl_u32(tb[NETNSA_NSID], UINT32_MAX);
}

/*
 * Those ends that lie in the host. The dump is what makes the kernel give the host a number, so it
 * comes first.
 */
static void host_peers_of(const char *netns, struct peers *p)
{
	struct {
		struct rtgenmsg g;
		char pad[NLMSG_ALIGN(sizeof(struct rtgenmsg)) - sizeof(struct rtgenmsg)];
		struct rtattr a;
		int fd;
	} ask = { .a = { RTA_LENGTH(sizeof(int)), NETNSA_FD }, .fd = host_fd };
	const struct ifinfomsg any = { 0 };
	int host_nsid = -1;
	size_t kept = 0;

	p->n = 0;
	lab_join(netns);

	int fd = rtnl_open(NETLINK_ROUTE);

	if (fd >= 0 && rtnl_dump(fd, RTM_GETLINK, &any, sizeof any, note_peer, p) == 0 && p->n)
		(void)rtnl_ask(fd, RTM_GETNSID, &ask, sizeof ask, note_nsid, &host_nsid);
	if (fd >= 0)
		close(fd);
	lab_join(NULL);
	for (size_t i = 0; i < p->n; i++)
		if (p->at[i].nsid == host_nsid)
			p->at[kept++] = p->at[i];
	p->n = kept;
}

void lab_netns_del(const char *name)
{
	const struct timespec tick = { .tv_nsec = 1000000 };
	char path[256], ifname[IF_NAMESIZE];
	struct peers p;

	host_peers_of(name, &p);
	snprintf(path, sizeof path, LAB_NETNS("%s"), name);
	if (umount2(path, MNT_DETACH) < 0 || unlink(path) < 0)
		lab_fail("cannot remove network namespace %s: %s", path, strerror(errno));
	for (int ms = 0; ms < SETTLE_MS; ms++) {
		size_t left = 0;

		for (size_t i = 0; i < p.n; i++)
			left += if_indextoname((unsigned)p.at[i].index, ifname) != NULL;
		if (!left)
			return;
		nanosleep(&tick, NULL);
	}
}

/* ---- running things inside ---- */

int lab_in(const char *netns, int (*fn)(void *arg), void *arg)
{
	int pipe_fd[2], value = 0, status = 0;

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		lab_fail("cannot make a pipe: %s", strerror(errno));
	fflush(NULL);

	pid_t pid = fork();

	if (pid < 0)
		lab_fail("cannot fork: %s", strerror(errno));
	if (pid == 0) {
		lab_child();
		lab_join(netns);
		value = fn(arg);
		fflush(NULL);
		_exit(write(pipe_fd[1], &value, sizeof value) == sizeof value ? 0 : 98);
	}
	close(pipe_fd[1]);

	ssize_t got = read(pipe_fd[0], &value, sizeof value);

	close(pipe_fd[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (got != sizeof value || status != 0)
		lab_fail("the function run in %s ended by %s %d", netns ? netns : "host",
			 WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return value;
}

static void shell(const char *netns, struct lab_result *r, char *text)
{
	static char sh[] = "sh", flags[] = "-c";
	char *argv[] = { sh, flags, text, NULL };
	struct lab_cmd c = { .path = "/bin/sh", .argv = argv, .netns = netns };

	lab_run(&c, r);
}

static char *shell_must(const char *netns, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
static char *shell_must(const char *netns, const char *fmt, va_list ap)
{
	struct lab_result r;
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	shell(netns, &r, text);
	if (r.status != 0)
		lab_fail("%s: \"%s\" ended with %d (signal %d)\n%s%s", netns ? netns : "host", text,
			 r.status, r.signal, r.out, r.err);
	if (r.out_len && r.out[r.out_len - 1] == '\n')
		r.out[r.out_len - 1] = '\0';
	free(r.err);
	free(text);
	return r.out;
}

static int shell_may(const char *netns, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
static int shell_may(const char *netns, const char *fmt, va_list ap)
{
	struct lab_result r;
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	shell(netns, &r, text);

	int status = r.signal ? 128 + r.signal : r.status;

	free(text);
	lab_result_clear(&r);
	return status;
}

#define WITH_ARGS(after, call) \
	do { \
		va_list ap; \
		va_start(ap, after); \
		call; \
		va_end(ap); \
	} while (0)

void lab_sh(const char *fmt, ...)
{
	WITH_ARGS(fmt, free(shell_must(NULL, fmt, ap)));
}

void lab_sh_in(const char *netns, const char *fmt, ...)
{
	WITH_ARGS(fmt, free(shell_must(netns, fmt, ap)));
}

int lab_try(const char *fmt, ...)
{
	int status;

	WITH_ARGS(fmt, status = shell_may(NULL, fmt, ap));
	return status;
}

int lab_try_in(const char *netns, const char *fmt, ...)
{
	int status;

	WITH_ARGS(fmt, status = shell_may(netns, fmt, ap));
	return status;
}

char *lab_out(const char *fmt, ...)
{
	char *out;

	WITH_ARGS(fmt, out = shell_must(NULL, fmt, ap));
	return out;
}

char *lab_out_in(const char *netns, const char *fmt, ...)
{
	char *out;

	WITH_ARGS(fmt, out = shell_must(netns, fmt, ap));
	return out;
}

void lab_carrier(const char *netns, const char *ifname)
{
	const struct timespec tick = { .tv_nsec = 1000000 };
	struct ifreq ifr = { 0 };
	bool up = false;
	int fd;

	lab_join(netns);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", ifname);
	for (int ms = 0; !up && ms < SETTLE_MS; ms++) {
		up = ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 && (ifr.ifr_flags & IFF_RUNNING);
		if (!up)
			nanosleep(&tick, NULL);
	}
	close(fd);
	lab_join(NULL);
	if (!up)
		lab_fail("%s in %s did not come up within %d ms", ifname, netns ? netns : "host",
			 SETTLE_MS);
}

void lab_outside(void)
{
	if (has_outside)
		return;
	lab_netns_new("outside");
	lab_sh("set -e\n"
	       "ip link add uplink0 type veth peer name eth0 netns outside\n"
	       "echo 0 >/proc/sys/net/ipv6/conf/uplink0/dad_transmits\n"
	       "ip addr add " LAB_HOST_V4 "/24 dev uplink0\n"
	       "ip -6 addr add " LAB_HOST_V6 "/64 dev uplink0 nodad\n"
	       "ip link set uplink0 up");
	lab_sh_in("outside", "set -e\n"
			     "ip link set lo up\n"
			     "echo 0 >/proc/sys/net/ipv6/conf/eth0/dad_transmits\n"
			     "ip addr add " LAB_OUTSIDE_V4 "/24 dev eth0\n"
			     "ip -6 addr add " LAB_OUTSIDE_V6 "/64 dev eth0 nodad\n"
			     "ip link set eth0 up\n"
			     "ip route add default via " LAB_HOST_V4 "\n"
			     "ip -6 route add default via " LAB_HOST_V6);
	lab_sh("ip route add default via " LAB_OUTSIDE_V4
	       "\nip -6 route add default via " LAB_OUTSIDE_V6);
	lab_carrier(NULL, "uplink0");
	lab_carrier("outside", "eth0");
	has_outside = true;
}
