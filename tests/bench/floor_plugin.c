// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The floor of a CNI chain as processes that the driver starts beside the real plugins: the least a
 * bridge with addresses and masquerade, and a port mapper, must ask of the kernel. Same stdin, a
 * result on stdout, and nothing else: no validation, no CHECK, IPv4 only.
 *
 * The configuration's key "floor" says what this process does, in words:
 *   attach  lease, veth pair, address, route
 *   masq    masquerade element for the address
 *   ports   one map element per "hostPort"
 *   defer   DEL returns before the kernel has finished
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/netlink.h>

#ifdef FLOOR_LINK_LIBS
#include <json-c/json.h>
#include <libmnl/libmnl.h>
#include <libnftnl/table.h>
/* The libraries of a plugin written with them: loaded and relocated, not used. */
extern void *const floor_keep[];
void *const floor_keep[] = {
	(void *)json_object_new_object,
	(void *)mnl_socket_open,
	(void *)nftnl_table_alloc,
};
#endif

#include "tests/bench/lib/floor.h"
#include "tests/bench/lib/rawnl.h"
#include "tests/bench/lib/sample.h"

#define PORTS_MAX 16

struct job {
	bool add, attach, masq, ports, defer;
	char dir[128]; /* leases: one file per container */
	char link[16];
	int index; /* of the container: its address and the name of its link */
	int rt, nf;
	uint16_t port[PORTS_MAX];
	int nport;
};

static char conf[65536];

static bool conf_str(const char *key, char *out, size_t size)
{
	char want[32];
	size_t i = 0;

	snprintf(want, sizeof want, "\"%s\":\"", key);
	const char *p = strstr(conf, want);
	if (!p)
		return false;
	for (p += strlen(want); *p && *p != '"' && i < size - 1; p++)
		out[i++] = *p;
	out[i] = 0;
	return true;
}

static void conf_read(struct job *j)
{
	char words[64] = "", name[64] = "x";
	size_t got = 0;
	ssize_t r;

	while ((r = read(STDIN_FILENO, conf + got, sizeof conf - 1 - got)) > 0)
		got += (size_t)r;
	conf_str("floor", words, sizeof words);
	conf_str("name", name, sizeof name);
	snprintf(j->dir, sizeof j->dir, "/run/floor-%s", name);
	j->attach = strstr(words, "attach");
	j->masq = strstr(words, "masq");
	j->ports = strstr(words, "ports");
	j->defer = strstr(words, "defer");
	if (!j->ports)
		return;
	for (char *p = conf; j->nport < PORTS_MAX && (p = strstr(p, "\"hostPort\":"));)
		j->port[j->nport++] = (uint16_t)atoi(p += strlen("\"hostPort\":"));
}

/* Takes the next number under the lock; makes the bridge when this is the first container. */
static int lease_take(struct job *j, const char *id)
{
	char path[256];
	int bridge = (int)if_nametoindex("nbr0");

	(void)mkdir(j->dir, 0700);
	snprintf(path, sizeof path, "%s/lock", j->dir);
	int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	flock(lock, LOCK_EX);
	if (!bridge && !(bridge = (int)if_nametoindex("nbr0")))
		bridge = floor_bridge(j->rt);
	if (pread(lock, &j->index, sizeof j->index, 0) != sizeof j->index)
		j->index = 0;
	j->index++;
	if (pwrite(lock, &j->index, sizeof j->index, 0) != sizeof j->index)
		die("write %s", path);
	snprintf(path, sizeof path, "%s/%s", j->dir, id);
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, &j->index, sizeof j->index) != sizeof j->index)
		die("write %s", path);
	close(fd);
	close(lock);
	return bridge;
}

static void lease_drop(struct job *j, const char *id)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", j->dir, id);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &j->index, sizeof j->index) != sizeof j->index)
		die("read %s", path);
	close(fd);
	unlink(path);
}

static void write_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die("write %s", path);
	close(fd);
}

static void attach(struct job *j, const char *id, const char *netns)
{
	char path[128];
	int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int bridge = lease_take(j, id);
	int ns = open(netns, O_RDONLY | O_CLOEXEC);

	if (ns < 0 || setns(ns, CLONE_NEWNET))
		die("enter %s", netns);
	int ct = rawnl_open(NETLINK_ROUTE);
	setns(host, CLONE_NEWNET);
	snprintf(j->link, sizeof j->link, "v%d", j->index);
	floor_veth(j->rt, j->link, bridge, ns);
	floor_container(ct, floor_addr(j->index));
	write_sysctl("/proc/sys/net/ipv4/ip_forward", "1");
	snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/arp_notify", j->link);
	write_sysctl(path, "1");
}

static void detach(struct job *j, const char *id)
{
	lease_drop(j, id);
	snprintf(j->link, sizeof j->link, "v%d", j->index);
	if (!j->defer && floor_veth_del(j->rt, j->link) < 0)
		die("delete %s", j->link);
}

/* The port mapper learns the address from prevResult; without one (DEL) the port is enough. */
static void address_from_result(struct job *j)
{
	char text[64];
	struct in_addr a;

	if (!conf_str("address", text, sizeof text))
		return;
	*strchrnul(text, '/') = 0;
	if (inet_pton(AF_INET, text, &a) != 1)
		die("address %s", text);
	j->index = (int)(ntohl(a.s_addr) - ntohl(floor_addr(0)));
}

static int firewall(struct job *j, struct rawnl *b)
{
	floor_nft_begin(b);
	if (j->masq)
		floor_nft_masquerade(b, !j->add, floor_addr(j->index));
	for (int i = 0; i < j->nport; i++)
		floor_nft_port(b, !j->add, j->port[i], floor_addr(j->index));
	return floor_nft_commit(j->nf, b);
}

/* The first ADD in a namespace finds no table: under a lock it looks again, and makes it. */
static void firewall_change(struct job *j)
{
	static struct rawnl b;
	int r = firewall(j, &b);

	if (r == -ENOENT && j->add) {
		char path[160];
		snprintf(path, sizeof path, "%s.nft", j->dir);
		int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		flock(lock, LOCK_EX);
		close(j->nf); /* with the rest of the refused batch's answers */
		j->nf = rawnl_open(NETLINK_NETFILTER);
		r = firewall(j, &b);
	}
	if (r == -ENOENT && j->add) {
		floor_nft_setup();
		close(j->nf);
		j->nf = rawnl_open(NETLINK_NETFILTER);
		r = firewall(j, &b);
	}
	if (r < 0) {
		errno = -r;
		die("nftables transaction");
	}
}

static void print_result(const struct job *j, const char *netns)
{
	struct in_addr a = { floor_addr(j->index) };
	char text[INET_ADDRSTRLEN];

	printf("{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"%s\"}],"
	       "\"ips\":[{\"address\":\"%s/16\",\"gateway\":\"10.88.0.1\",\"interface\":0}],"
	       "\"routes\":[{\"dst\":\"0.0.0.0/0\"}],\"dns\":{}}\n",
	       netns, inet_ntop(AF_INET, &a, text, sizeof text));
	fflush(stdout);
}

/*
 * A child keeps the nfnetlink socket and deletes the link past our own exit, so that the kernel's
 * grace periods fall outside the caller's time. It lets the destroy work finish before it closes:
 * that close then waits for nobody.
 */
static void leave_tail(const struct job *j)
{
	if (fork())
		return;
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	if (j->attach)
		(void)floor_veth_del(j->rt, j->link);
	usleep(60000);
	_exit(0);
}

int main(void)
{
	static struct job j;
	const char *cmd = getenv("CNI_COMMAND"), *id = getenv("CNI_CONTAINERID");
	const char *netns = getenv("CNI_NETNS");

	if (!cmd || !id || !netns)
		die("CNI_COMMAND, CNI_CONTAINERID and CNI_NETNS are required");
	j.add = !strcmp(cmd, "ADD");
	conf_read(&j);
	if (j.attach)
		j.rt = rawnl_open(NETLINK_ROUTE);
	if (j.masq || j.ports)
		j.nf = rawnl_open(NETLINK_NETFILTER);
	if (!j.attach)
		address_from_result(&j);
	else if (j.add)
		attach(&j, id, netns);
	else
		detach(&j, id);
	if (j.masq || j.ports)
		firewall_change(&j);
	if (j.add)
		print_result(&j, netns);
	else if (j.defer)
		leave_tail(&j);
	return 0;
}
