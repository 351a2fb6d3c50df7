// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * soak [--seconds N] [--workers N] [--seed N]
 *
 * Many containers come and go at once over shared bridges, pools, port maps and both firewalls,
 * some killed in the middle, some with their namespace gone, while networks are garbage-collected
 * and somebody else keeps rules of his own. What has to hold:
 *
 *  - no two attachments of a network have one address at one time;
 *  - an attachment that stands passes CHECK, also after others went;
 *  - DEL succeeds, whatever happened before;
 *  - nothing of the others is touched, and at the end nothing of ours is left.
 *
 * One line a ten seconds, then the counts; exit status 0, or 1 with what went wrong. Runs in a
 * laboratory of its own.
 */
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/decode.h"
#include "netlib/base/err.h"
#include "netlib/cni/error.h"
#include "netlib/cni/netlist.h"
#include "netlib/cni/result.h"
#include "netlib/ip/addr.h"

#define WORKERS_MAX 512
#define PORT_BASE 20000
#define CONTESTED_PORT 19999 /* many ask for it, one has it */
#define KILL_AFTER_US_MAX 12000
#define AGAIN_MAX 60
#define IFNAME "eth0"

/* The networks. Two share a bridge and its subnet; one goes by iptables. */
static const struct {
	const char *name, *plugins;
} kinds[] = {
	{ "soak0",
	  "{'type':'bridge','bridge':'sk0','isGateway':true,'ipMasq':true,'hairpinMode':true,"
	  "'ipam':{'type':'host-local','ranges':[[{'subnet':'10.210.0.0/22','rangeEnd':'10.210.1.255'}],"
	  "[{'subnet':'fd00:210::/64'}]]}},"
	  "{'type':'portmap','capabilities':{'portMappings':true}},{'type':'firewall'}" },
	{ "soak1",
	  "{'type':'bridge','bridge':'sk0','isGateway':true,'ipMasq':true,"
	  "'ipam':{'type':'host-local','subnet':'10.210.0.0/22','rangeStart':'10.210.2.0','gateway':'10.210.0.1'}},"
	  "{'type':'portmap','capabilities':{'portMappings':true}},"
	  "{'type':'tuning','sysctl':{'net.ipv4.conf.IFNAME.arp_filter':'1'}}" },
	{ "soak2", "{'type':'veth','ipMasq':true,"
		   "'ipam':{'type':'host-local','subnet':'10.212.0.0/22',"
		   "'routes':[{'dst':'0.0.0.0/0'}]}},"
		   "{'type':'portmap','capabilities':{'portMappings':true}},"
		   "{'type':'bandwidth','ingressRate':8000000,'ingressBurst':800000,"
		   "'egressRate':8000000,'egressBurst':800000}" },
	{ "soak3", "{'type':'bridge','bridge':'sk3','isGateway':true,'ipMasq':true,"
		   "'ipMasqBackend':'iptables',"
		   "'ipam':{'type':'host-local','subnet':'10.213.0.0/22'}},"
		   "{'type':'portmap','backend':'iptables','capabilities':{'portMappings':true}},"
		   "{'type':'firewall','backend':'iptables'}" },
};
#define NETS ARRAY_LEN(kinds)

enum state { FREE, BUSY, ATTACHED };

struct slot {
	atomic_int state; /* enum state */
	int net;
	struct ip_addr ip[2];
	size_t nips;
};

enum { ADDS, AGAIN, REFUSED, CHECKS, DELS, KILLS, VANISHED, GCS, COUNTS };
static const char *const count_names[COUNTS] = {
	"ADD", "told to try again", "refused", "CHECK", "DEL", "killed", "ns vanished", "GC"
};

/* What all processes share. */
static struct shared {
	struct slot slots[WORKERS_MAX];
	atomic_ulong count[COUNTS];
	atomic_int wanted[NETS]; /* GCs that wait for a network */
	atomic_int failed;
	char first[1024]; /* the first failure, in words */
} *all;

static struct netlist lists[NETS];
static char bin[4096];
static int lock_fd = -1; /* the table of addresses */

static void failed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void failed(const char *fmt, ...)
{
	va_list ap;

	if (atomic_fetch_add(&all->failed, 1))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(all->first, sizeof all->first, fmt, ap);
	va_end(ap);
}

/* ---- locks: a GC has its network to itself, as the specification asks of runtimes */

static int net_lock(int net, int how)
{
	/* flock knows no turns: who wants the network for himself makes the others wait */
	if (how == LOCK_EX)
		all->wanted[net]++;
	for (int i = 0; how == LOCK_SH && all->wanted[net] && i < 30000; i++)
		(void)usleep(1000);
	int fd = open(textf("/run/soak.%d", net), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0 && flock(fd, how) < 0)
		lab_fail("lock network %d: %s", net, strerror(errno));
	if (how == LOCK_EX)
		all->wanted[net]--;
	return fd;
}

/* ---- one attachment */

struct ctr {
	int id;
	char cid[32], netns[64], ports[256];
	struct doc caps;
	unsigned seed;
};

static struct netlist_rt rt_of(struct ctr *c)
{
	return (struct netlist_rt){
		.container = c->cid,
		.netns = c->netns,
		.ifname = IFNAME,
		.caps = c->caps.root,
		.path = bin,
	};
}

static bool same_address(const struct slot *s, const struct ip_addr *ip)
{
	for (size_t i = 0; i < s->nips; i++)
		if (ip_eq(&s->ip[i], ip))
			return true;
	return false;
}

/* The attachment stands: nobody else of the network may have its addresses. */
static void enter_table(struct ctr *c, int net, const struct cni_result *res)
{
	struct slot *me = &all->slots[c->id];
	char text[IP_TEXT_MAX];

	(void)flock(lock_fd, LOCK_EX);
	me->nips = 0;
	for (size_t i = 0; i < res->nips && me->nips < ARRAY_LEN(me->ip); i++)
		me->ip[me->nips++] = res->ips[i].address.addr;
	for (int i = 0; i < WORKERS_MAX; i++)
		for (size_t k = 0; i != c->id && k < me->nips; k++)
			if (all->slots[i].state == ATTACHED && all->slots[i].net == net &&
			    same_address(&all->slots[i], &me->ip[k]))
				failed("%s and soak%d of network %s both have %s", c->cid, i,
				       kinds[net].name, ip_text(&me->ip[k], text));
	me->net = net;
	me->state = ATTACHED;
	(void)flock(lock_fd, LOCK_UN);
}

static bool contested(const struct ctr *c)
{
	return strstr(c->ports, textf("%d", CONTESTED_PORT)) != NULL;
}

static bool add(struct ctr *c, int net)
{
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = rt_of(c);
	struct err e = ERR_INIT;
	int r = netlist_add(&lists[net], &rt, &res, &e);

	if (r == 0) {
		all->count[ADDS]++;
		enter_table(c, net, &res);
		return true;
	}
	if (e.code == CNI_E_RETRY) /* a lock that many want: a runtime comes again */
		all->count[AGAIN]++;
	else if (contested(c) && strstr(e.text, "host port"))
		all->count[REFUSED]++;
	else
		failed("ADD of %s to %s: %s; %s", c->cid, kinds[net].name, e.text, e.details);
	return false;
}

/* A runtime that dies in the middle of an ADD, its plugin with it. */
static void add_killed(struct ctr *c, int net)
{
	pid_t pid = fork();

	if (pid < 0)
		lab_fail("fork: %s", strerror(errno));
	if (pid == 0) {
		cleanup_result struct cni_result res = { 0 };
		struct netlist_rt rt = rt_of(c);

		(void)setpgid(0, 0);
		(void)netlist_add(&lists[net], &rt, &res, NULL);
		_exit(0);
	}
	(void)setpgid(pid, pid);
	struct timespec t = { .tv_nsec = (long)(rand_r(&c->seed) % KILL_AFTER_US_MAX) * 1000 };
	(void)nanosleep(&t, NULL);
	(void)kill(-pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	all->count[KILLS]++;
}

static void check(struct ctr *c, int net, const char *when)
{
	struct netlist_rt rt = rt_of(c);
	struct err e = ERR_INIT;

	all->count[CHECKS]++;
	if (netlist_check(&lists[net], &rt, &e) < 0 && e.code != CNI_E_RETRY)
		failed("CHECK of %s in %s, %s: %s; %s", c->cid, kinds[net].name, when, e.text,
		       e.details);
}

static void del(struct ctr *c, int net)
{
	struct netlist_rt rt = rt_of(c);
	struct err e = ERR_INIT;
	int r;

	all->slots[c->id].state = BUSY;
	all->count[DELS]++;
	for (int i = 0;
	     (r = netlist_del(&lists[net], &rt, &e)) < 0 && e.code == CNI_E_RETRY && i < AGAIN_MAX;
	     i++) {
		all->count[AGAIN]++;
		e = (struct err)ERR_INIT;
	}
	if (r < 0)
		failed("DEL of %s from %s: %s; %s", c->cid, kinds[net].name, e.text, e.details);
	all->slots[c->id].state = FREE;
}

static void choose_ports(struct ctr *c)
{
	struct err e = ERR_INIT;
	bool wanted = rand_r(&c->seed) % 8 == 0;
	const char *text = jsonf("{'portMappings':[{'hostPort':%d,'containerPort':80},"
				 "{'hostPort':%d,'containerPort':53,'protocol':'udp'}]}",
				 wanted ? CONTESTED_PORT : PORT_BASE + c->id, PORT_BASE + c->id);

	doc_free(&c->caps);
	(void)snprintf(c->ports, sizeof c->ports, "%s", text);
	if (doc_parse(&c->caps, c->ports, strlen(c->ports), &e) < 0)
		lab_fail("%s", e.text);
}

/* From nothing to nothing once. */
static void live_once(struct ctr *c)
{
	int net = (int)(rand_r(&c->seed) % NETS), dice = (int)(rand_r(&c->seed) % 16);
	int lock;

	choose_ports(c);
	lock = net_lock(net, LOCK_SH);
	if (dice == 0) {
		add_killed(c, net);
	} else if (add(c, net)) {
		check(c, net, "right after ADD");
		(void)close(lock); /* a GC may come in between: this one stays */
		(void)usleep((useconds_t)(rand_r(&c->seed) % 100000));
		lock = net_lock(net, LOCK_SH);
		check(c, net, "later");
	}
	if (dice == 1) {
		lab_netns_del(c->cid);
		all->count[VANISHED]++;
	}
	del(c, net);
	if (dice == 2)
		del(c, net); /* twice is once */
	if (dice == 1)
		lab_netns_new(c->cid);
	(void)close(lock);
}

static void worker(int id, int64_t until_us, unsigned seed)
{
	struct ctr c = { .id = id, .seed = seed + (unsigned)id * 7919U };

	(void)snprintf(c.cid, sizeof c.cid, "soak%d", id);
	(void)snprintf(c.netns, sizeof c.netns, LAB_NETNS("%s"), c.cid);
	while (clock_us() < until_us && !all->failed)
		live_once(&c);
	doc_free(&c.caps);
}

/* ---- beside them */

static void collect(int net)
{
	cleanup_free struct cni_attachment *valid = calloc(WORKERS_MAX, sizeof *valid);
	struct netlist_rt rt = { .path = bin };
	struct err e = ERR_INIT;
	size_t n = 0;
	int lock = net_lock(net, LOCK_EX);

	for (int i = 0; valid && i < WORKERS_MAX; i++)
		if (all->slots[i].state == ATTACHED && all->slots[i].net == net)
			valid[n++] = (struct cni_attachment){ textf("soak%d", i), IFNAME };
	all->count[GCS]++;
	if (netlist_gc(&lists[net], &rt, valid, n, &e) < 0)
		failed("GC of %s: %s; %s", kinds[net].name, e.text, e.details);
	(void)close(lock);
}

static void collector(int64_t until_us)
{
	for (int i = 0; clock_us() < until_us && !all->failed; i++) {
		(void)usleep(500000);
		collect(i % (int)NETS);
	}
}

/* Another program's rules, which nobody may touch. */
static void foreign_rules(void)
{
	lab_sh("nft -f - <<'E'\ntable inet foreign {\n set s { type ipv4_addr; elements = { 192.0.2.1 } }\n"
	       " chain c { type filter hook forward priority 5; policy accept; ip saddr @s counter "
	       "drop; }\n}\nE");
	lab_sh("iptables-legacy -t nat -N FOREIGN && iptables-legacy -t nat -A POSTROUTING -s "
	       "192.0.2.0/24 -j FOREIGN && iptables-legacy -t nat -A FOREIGN -j RETURN");
	lab_sh("ip link add foreign0 type bridge && ip addr add 192.0.2.254/24 dev foreign0 && "
	       "ip link set foreign0 up");
}

static void progress(int64_t began, int64_t until)
{
	int64_t next = began;

	while (clock_us() < until && !all->failed) {
		(void)usleep(200000);
		if (clock_us() < next)
			continue;
		next += 10 * INT64_C(1000000);
		printf("%4lld s:", (long long)((clock_us() - began) / 1000000));
		for (int i = 0; i < COUNTS; i++)
			printf(" %lu %s%s", atomic_load(&all->count[i]), count_names[i],
			       i + 1 < COUNTS ? "," : "\n");
		(void)fflush(stdout);
	}
}

static void prepare(int workers)
{
	lab_sh("echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
	lab_sh("mkdir -p /run/naru && touch /run/naru/fw.lock && chmod 600 /run/naru/fw.lock");
	/* what is there from the first use on, with nobody to say when the last was */
	lab_sh("mkdir -m 700 -p /run/cni/tuning; for t in nat filter mangle; do for i in iptables "
	       "ip6tables; do $i-legacy -t $t -S >/dev/null; done; done");
	foreign_rules();
	(void)snprintf(bin, sizeof bin, "%s", lab_bin());
	lock_fd = open("/run/soak.table", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (size_t i = 0; i < NETS; i++) {
		struct err e = ERR_INIT;
		const char *text =
			textf("{\"cniVersion\":\"1.1.0\",\"name\":\"%s\",\"plugins\":[%s]}",
			      kinds[i].name, jsonf("%s", kinds[i].plugins));

		if (netlist_parse(text, strlen(text), &lists[i], &e) < 0)
			lab_fail("%s: %s", kinds[i].name, e.text);
	}
	for (int i = 0; i < workers; i++)
		lab_netns_new(textf("soak%d", i));
	(void)unlink("/run/soak.table");
}

static void start(int workers, int64_t until, unsigned seed)
{
	for (int i = -1; i < workers; i++) {
		/* the table is locked by process: each opens it anew */
		pid_t pid = fork();

		if (pid < 0)
			lab_fail("fork: %s", strerror(errno));
		if (pid)
			continue;
		lab_child();
		lock_fd = open("/run/soak.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (i < 0)
			collector(until);
		else
			worker(i, until, seed);
		_exit(0);
	}
}

/* All are gone and collected: the machine as it was, but for what attachments share. */
static int finish(const char *before)
{
	while (wait(NULL) > 0)
		;
	for (size_t i = 0; i < NETS; i++)
		collect((int)i);
	lab_sh("%s/naru gc", lab_bin());
	lab_sh("rm -f /run/soak.*");
	cleanup_free char *after = snapshot_take(SNAPSHOT_ALL & ~SNAPSHOT_PROCS);
	cleanup_free char *diff = snapshot_diff(before, after);

	for (char *line = diff ? strtok(diff, "\n") : NULL; line; line = strtok(NULL, "\n"))
		/* a pool remembers the last address it gave out, by design */
		if (!strstr(line, "/var/lib/cni/")) {
			printf("%s\n", line);
			failed("something is left at the end: %s", line);
		}
	for (int i = 0; i < COUNTS; i++)
		printf("%-12s %lu\n", count_names[i], atomic_load(&all->count[i]));
	if (all->failed)
		printf("FAILED: %s\n", all->first);
	printf("%d passed, %d failed, 0 skipped\n", !all->failed, !!all->failed);
	return !!all->failed;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seconds", required_argument, NULL, 's' },
						 { "workers", required_argument, NULL, 'w' },
						 { "seed", required_argument, NULL, 'r' },
						 { 0 } };
	int seconds = 120, workers = 256, o;
	unsigned seed = (unsigned)time(NULL);

	while ((o = getopt_long(argc, argv, "s:w:r:", options, NULL)) != -1) {
		if (o == 's')
			seconds = atoi(optarg);
		else if (o == 'w')
			workers = atoi(optarg);
		else if (o == 'r')
			seed = (unsigned)atoi(optarg);
		else
			return 2;
	}
	if (seconds < 1 || workers < 1 || workers > WORKERS_MAX)
		return 2;
	lab_enter();
	all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		lab_fail("mmap: %s", strerror(errno));
	prepare(workers);
	cleanup_free char *before = snapshot_take(SNAPSHOT_ALL & ~SNAPSHOT_PROCS);
	int64_t began = clock_us(), until = began + seconds * INT64_C(1000000);

	printf("soak: %d workers, %d s, --seed %u\n", workers, seconds, seed);
	(void)fflush(stdout);
	start(workers, until, seed);
	progress(began, until);
	return finish(before);
}
