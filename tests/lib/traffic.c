// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/traffic.h"

#include "tests/lib/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVER_LIFE_S 300
#define CONNECTION_LIFE_S 60
#define UDP_ECHO_MAX 1200

struct sock_kind {
	int type, protocol;
};
static const struct sock_kind kinds[] = {
	[TRAFFIC_TCP] = { SOCK_STREAM, IPPROTO_TCP },
	[TRAFFIC_UDP] = { SOCK_DGRAM, IPPROTO_UDP },
	[TRAFFIC_SCTP] = { SOCK_STREAM, IPPROTO_SCTP },
};

union addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t addr_set(union addr *a, const char *text, uint16_t port)
{
	memset(a, 0, sizeof *a);
	if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		return sizeof a->v4;
	}
	if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		return sizeof a->v6;
	}
	lab_fail("\"%s\" is not a numeric address", text);
}

/* Address and port as text; an IPv4 client of an IPv6 socket reads as IPv4. */
static uint16_t addr_get(const union addr *a, char text[INET6_ADDRSTRLEN])
{
	if (a->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->v4.sin_addr, text, INET6_ADDRSTRLEN);
		return ntohs(a->v4.sin_port);
	}
	if (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
		inet_ntop(AF_INET, &a->v6.sin6_addr.s6_addr[12], text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &a->v6.sin6_addr, text, INET6_ADDRSTRLEN);
	return ntohs(a->v6.sin6_port);
}

static long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

bool traffic_supports(enum traffic_proto proto)
{
	int fd = socket(AF_INET, kinds[proto].type | SOCK_CLOEXEC, kinds[proto].protocol);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* ---- servers ---- */

static size_t greeting(char *buf, size_t size, const char *name, const union addr *peer)
{
	char text[INET6_ADDRSTRLEN];
	uint16_t port = addr_get(peer, text);
	bool v6 = strchr(text, ':');

	return (size_t)snprintf(buf, size, "hello from %s, you are %s%s%s:%u\n", name,
				v6 ? "[" : "", text, v6 ? "]" : "", port);
}

static bool send_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			buf += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static void serve_connection(int fd, const char *name, const union addr *peer)
{
	char buf[16384];
	size_t n = greeting(buf, sizeof buf, name, peer);
	ssize_t got = (ssize_t)n;

	alarm(CONNECTION_LIFE_S);
	while (got > 0 && send_all(fd, buf, (size_t)got))
		got = recv(fd, buf, sizeof buf, 0);
	_exit(0);
}

/* A process per connection: a client that hangs keeps nobody else waiting. */
static void serve_stream(int fd, const char *name) __attribute__((noreturn));
static void serve_stream(int fd, const char *name)
{
	(void)signal(SIGCHLD, SIG_IGN);
	for (;;) {
		union addr peer;
		socklen_t len = sizeof peer;
		int c = accept4(fd, &peer.any, &len, SOCK_CLOEXEC);

		if (c < 0)
			continue;
		if (fork() == 0)
			serve_connection(c, name, &peer);
		close(c);
	}
}

static void serve_datagrams(int fd, const char *name) __attribute__((noreturn));
static void serve_datagrams(int fd, const char *name)
{
	for (;;) {
		char in[UDP_ECHO_MAX], out[UDP_ECHO_MAX + 256];
		union addr peer;
		socklen_t len = sizeof peer;
		ssize_t got = recvfrom(fd, in, sizeof in, 0, &peer.any, &len);
		size_t n;

		if (got < 0)
			continue;
		n = greeting(out, 256, name, &peer);
		memcpy(out + n, in, (size_t)got);
		(void)sendto(fd, out, n + (size_t)got, MSG_NOSIGNAL, &peer.any, len);
	}
}

static int listen_on(enum traffic_proto proto, const char *addr, uint16_t port)
{
	const int on = 1;
	union addr a;
	socklen_t len = addr_set(&a, addr, port);
	int fd = socket(a.any.sa_family, kinds[proto].type | SOCK_CLOEXEC, kinds[proto].protocol);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (a.any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, &a.any, len) < 0 || (proto != TRAFFIC_UDP && listen(fd, 256) < 0))
		return -errno;
	return fd;
}

void traffic_serve(struct traffic_server *s, const char *netns, enum traffic_proto proto,
		   const char *addr, uint16_t port, const char *name)
{
	int ready[2], fd = 0;
	pid_t parent = getpid();

	if (!traffic_supports(proto))
		lab_skip("this kernel has no %s sockets", proto == TRAFFIC_SCTP ? "SCTP" : "such");
	if (pipe2(ready, O_CLOEXEC) < 0)
		lab_fail("cannot make a pipe: %s", strerror(errno));
	fflush(NULL);
	s->pid = fork();
	if (s->pid < 0)
		lab_fail("cannot fork: %s", strerror(errno));
	if (s->pid == 0) {
		lab_child();
		(void)setpgid(0, 0);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NAME, "traffic");
		if (getppid() != parent)
			_exit(0);
		lab_join(netns);
		alarm(SERVER_LIFE_S);
		fd = listen_on(proto, addr, port);
		if (write(ready[1], &fd, sizeof fd) != sizeof fd || fd < 0)
			_exit(1);
		close(ready[1]);
		if (proto == TRAFFIC_UDP)
			serve_datagrams(fd, name);
		serve_stream(fd, name);
	}
	(void)setpgid(s->pid, s->pid);
	close(ready[1]);
	fd = -EIO;

	ssize_t n = read(ready[0], &fd, sizeof fd);

	close(ready[0]);
	if (n == sizeof fd && fd >= 0)
		return;
	traffic_stop(s);
	lab_fail("server %s cannot listen on %s port %u in %s: %s", name, addr, port,
		 netns ? netns : "host", strerror(-fd));
}

void traffic_stop(struct traffic_server *s)
{
	if (s->pid <= 0)
		return;
	(void)kill(-s->pid, SIGKILL);
	(void)kill(s->pid, SIGKILL);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	/* connections it was serving are ours to bury: we are the reaper of orphans */
	while (waitpid(-s->pid, NULL, 0) > 0)
		;
	s->pid = 0;
}

/* ---- clients ---- */

struct ask {
	const struct traffic_query *q;
	struct traffic_answer *a; /* shared with the child */
	long start_us, until_us;
};

/* Waits until fd can be read or written; 0 or -errno. */
static int await(const struct ask *k, int fd, short events)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		long left = k->until_us - now_us();
		int n = left > 0 ? poll(&p, 1, (int)((left + 999) / 1000)) : 0;

		if (n == 0)
			return -ETIMEDOUT;
		if (n > 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

static int connect_to(const struct ask *k)
{
	const struct traffic_query *q = k->q;
	const int on = 1;
	union addr dst, src;
	socklen_t len = addr_set(&dst, q->addr, q->port), err_len = sizeof(int);
	int fd = socket(dst.any.sa_family, kinds[q->proto].type | SOCK_CLOEXEC | SOCK_NONBLOCK,
			kinds[q->proto].protocol);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (q->src_addr || q->src_port) {
		const char *any = dst.any.sa_family == AF_INET ? "0.0.0.0" : "::";
		socklen_t src_len = addr_set(&src, q->src_addr ? q->src_addr : any, q->src_port);

		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (bind(fd, &src.any, src_len) < 0)
			return -errno;
	}
	if (connect(fd, &dst.any, len) == 0)
		return fd;
	if (errno != EINPROGRESS)
		return -errno;
	err = await(k, fd, POLLOUT);
	if (err < 0)
		return err;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) < 0 || err)
		return err ? -err : -errno;
	return fd;
}

/* Reads until a newline was seen: a datagram as a whole, of a stream no byte more. */
static ssize_t read_greeting(const struct ask *k, int fd, char *buf, size_t size)
{
	size_t step = k->q->proto == TRAFFIC_UDP ? size : 1, len = 0;
	bool seen = false;

	while (!seen && len + step <= size) {
		int r = await(k, fd, POLLIN);
		ssize_t n;

		if (r < 0)
			return r;
		n = recv(fd, buf + len, step, 0);
		if (n == 0)
			return -EPROTO;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		seen = n > 0 && memchr(buf + len, '\n', (size_t)n);
		len += n > 0 ? (size_t)n : 0;
		if (n > 0 && step > 1)
			break;
	}
	return seen ? (ssize_t)len : -EPROTO;
}

static int understand(const char *line, struct traffic_answer *a)
{
	char peer[128];
	int port, n = 0;

	if (sscanf(line, "hello from %63[^,], you are %127[^\n]\n%n", a->server, peer, &n) != 2 ||
	    !n)
		return -EPROTO;

	char *colon = strrchr(peer, ':');

	if (!colon)
		return -EPROTO;
	port = atoi(colon + 1);
	*colon = '\0';
	if (*peer == '[')
		peer[strcspn(peer, "]")] = '\0';
	snprintf(a->peer, sizeof a->peer, "%s", peer + (*peer == '['));
	a->peer_port = (uint16_t)port;
	return 0;
}

static void pattern(char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (char)(i * 31 + i / 253);
}

/* Sends and receives at once, so that neither side's buffers can fill up for good. */
static int echo_stream(const struct ask *k, int fd)
{
	static char out[TRAFFIC_ECHO_MAX];
	size_t len = k->q->echo, sent = 0;
	char in[16384];

	pattern(out, len);
	while (k->a->echoed < len) {
		int r = await(k, fd, (short)(POLLIN | (sent < len ? POLLOUT : 0)));
		ssize_t n;

		if (r < 0)
			return r;
		n = sent < len ? send(fd, out + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		sent += n > 0 ? (size_t)n : 0;
		n = recv(fd, in, sizeof in, MSG_DONTWAIT);
		if (n == 0)
			return -EPROTO;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n > 0 &&
		    ((size_t)n > len - k->a->echoed || memcmp(in, out + k->a->echoed, (size_t)n)))
			return -EBADMSG;
		k->a->echoed += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int ask_stream(const struct ask *k, int fd)
{
	char buf[512];
	ssize_t n = read_greeting(k, fd, buf, sizeof buf - 1);
	int r;

	if (n < 0)
		return (int)n;
	buf[n] = '\0';
	k->a->us = now_us() - k->start_us;
	r = understand(buf, k->a);
	return r < 0 || !k->q->echo ? r : echo_stream(k, fd);
}

static int ask_datagram(const struct ask *k, int fd)
{
	char out[UDP_ECHO_MAX], in[UDP_ECHO_MAX + 512];
	size_t len = k->q->echo < sizeof out ? k->q->echo : sizeof out;
	ssize_t n;
	int r;

	pattern(out, len);
	if (send(fd, out, len, MSG_NOSIGNAL) < 0)
		return -errno;
	n = read_greeting(k, fd, in, sizeof in - 1);
	if (n < 0)
		return (int)n;
	in[n] = '\0';
	k->a->us = now_us() - k->start_us;
	r = understand(in, k->a);
	if (r < 0)
		return r;

	size_t head = (size_t)((char *)memchr(in, '\n', (size_t)n) + 1 - in);

	if ((size_t)n - head != len || memcmp(in + head, out, len))
		return -EBADMSG;
	k->a->echoed = len;
	return 0;
}

static int ask_inside(void *arg)
{
	struct ask *k = arg;
	union addr me;
	socklen_t len = sizeof me;
	int fd, r;

	alarm((unsigned)(k->q->timeout_ms / 1000 + 5));
	k->start_us = now_us();
	k->until_us = k->start_us + (k->q->timeout_ms ? k->q->timeout_ms : 1000) * 1000L;
	fd = connect_to(k);
	if (fd < 0)
		return fd;
	if (getsockname(fd, &me.any, &len) == 0)
		k->a->local_port = addr_get(&me, k->a->local);
	r = k->q->proto == TRAFFIC_UDP ? ask_datagram(k, fd) : ask_stream(k, fd);
	close(fd);
	return r;
}

int traffic_ask(const struct traffic_query *q, struct traffic_answer *a)
{
	struct ask k = { .q = q };
	int r;

	if (!traffic_supports(q->proto))
		lab_skip("this kernel has no %s sockets",
			 q->proto == TRAFFIC_SCTP ? "SCTP" : "such");
	if (q->echo > TRAFFIC_ECHO_MAX)
		lab_fail("an echo has at most %d bytes", TRAFFIC_ECHO_MAX);
	k.a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (k.a == MAP_FAILED)
		abort();
	r = lab_in(q->netns, ask_inside, &k);
	*a = *k.a;
	(void)munmap(k.a, sizeof *a);
	return r;
}

static int fetch(enum traffic_proto proto, const char *netns, const char *addr, uint16_t port,
		 int timeout_ms, char peer[INET6_ADDRSTRLEN])
{
	const struct traffic_query q = {
		.netns = netns,
		.proto = proto,
		.addr = addr,
		.port = port,
		.timeout_ms = timeout_ms,
	};
	struct traffic_answer a;
	int r = traffic_ask(&q, &a);

	if (peer)
		snprintf(peer, INET6_ADDRSTRLEN, "%s", a.peer);
	return r;
}

int tcp_fetch(const char *netns, const char *addr, uint16_t port, int timeout_ms,
	      char peer[INET6_ADDRSTRLEN])
{
	return fetch(TRAFFIC_TCP, netns, addr, port, timeout_ms, peer);
}

int udp_fetch(const char *netns, const char *addr, uint16_t port, int timeout_ms,
	      char peer[INET6_ADDRSTRLEN])
{
	return fetch(TRAFFIC_UDP, netns, addr, port, timeout_ms, peer);
}
