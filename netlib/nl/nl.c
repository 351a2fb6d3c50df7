// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/nl/nl.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/base/trace.h"
#include "netlib/nl/names.h"
#include "netlib/nl/nlmsg.h"

#define RECV_SIZE 65536 /* a dump page is at most 32 KiB; batches of acks are smaller */
#define DUMP_TRIES 10
#define RECV_TIMEOUT_S 10 /* the kernel answers at once; this only bounds a broken one */

static int socket_here(int bus)
{
	cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, bus);
	struct timeval tv = { .tv_sec = RECV_TIMEOUT_S };
	int one = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) < 0)
		return -errno;
	/* since 4.12; texts are optional */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
	return take_fd(fd);
}

static int socket_in(int bus, int netns_fd)
{
	cleanup_fd int self = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (self < 0)
		return -errno;
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return -errno;
	int fd = socket_here(bus);
	if (setns(self, CLONE_NEWNET) < 0)
		/* going on in the wrong namespace would change somebody else's network */
		abort();
	return fd;
}

int nl_open(struct nl *nl, int bus, int netns_fd, const char *name, struct err *e)
{
	int fd = netns_fd < 0 ? socket_here(bus) : socket_in(bus, netns_fd);

	if (fd < 0) {
		(void)err_set(e, fd, "open a netlink socket in the %s namespace", name);
		if (fd == -EPERM || fd == -EACCES)
			err_details(e, "this needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN)");
		return fd;
	}
	*nl = (struct nl){ .fd = fd, .name = name };
	return 0;
}

void nl_close(struct nl *nl)
{
	cleanup_fd_p(&nl->fd);
	nl->fd = -1;
}

/* Numbers the messages and asks for acknowledgement; returns the first sequence number. */
static uint32_t stamp(struct nl *nl, struct nlmsg *m, uint16_t flags)
{
	uint32_t first = nl->seq + 1;

	for (size_t at = 0; at < m->len;) {
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)(m->buf + at);

		h->nlmsg_flags |= flags;
		h->nlmsg_seq = ++nl->seq;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return first;
}

static void trace_messages(const struct nl *nl, const struct nlmsg *m)
{
	for (size_t at = 0; at < m->len;) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)(m->buf + at);
		cleanup_str struct str s = STR_INIT;

		nl_print(&s, h, false);
		if (!s.bad)
			trace_event("netlink", nl->name, -1, "%s", s.p);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
}

/* In a dry run a change is noted, in words and as it is. */
static void note_messages(const struct nl *nl, const struct nlmsg *m)
{
	for (size_t at = 0; at < m->len;) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)(m->buf + at);
		cleanup_str struct str s = STR_INIT;

		nl_print(&s, h, false);
		plan_note_raw("netlink", nl->name, s.p ? s.p : "", h, h->nlmsg_len);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
}

/* A netlink socket that was never connected sends to the kernel. */
static int send_all(struct nl *nl, const struct nlmsg *m, struct err *e)
{
	if (m->bad)
		return err_set(e, m->bad, "write a netlink message");
	if (trace_on())
		trace_messages(nl, m);
	for (;;) {
		ssize_t n = send(nl->fd, m->buf, m->len, 0);

		if (n == (ssize_t)m->len)
			return 0;
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		return err_set(e, n < 0 ? -errno : -EIO, "send to the kernel (%s namespace)",
			       nl->name);
	}
}

/* One datagram from the kernel itself; others may not speak to us. */
static ssize_t receive(struct nl *nl, char *buf, size_t size)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		struct iovec iov = { .iov_base = buf, .iov_len = size };
		struct msghdr msg = { .msg_name = &from,
				      .msg_namelen = sizeof from,
				      .msg_iov = &iov,
				      .msg_iovlen = 1 };
		ssize_t n = recvmsg(nl->fd, &msg, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n == 0)
			return -EIO; /* the other side is gone */
		if (from.nl_pid != 0)
			continue;
		if (msg.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		return n;
	}
}

#define MALFORMED SIZE_MAX
#define ERRNO_MAX 4095 /* the kernel's MAX_ERRNO */

/*
 * The message at offset *at of a datagram, which moves behind it; NULL at the end, *at being
 * MALFORMED when what is left is no message. (libmnl's loop takes a length of 2^31 for a negative
 * one.)
 */
static const struct nlmsghdr *next_message(const char *buf, ssize_t size, size_t *at)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)(buf + *at);
	size_t left = (size_t)size - *at;

	if (!left)
		return NULL;
	if (left < sizeof *h || h->nlmsg_len < sizeof *h || h->nlmsg_len > left) {
		*at = MALFORMED;
		return NULL;
	}
	size_t step = NLMSG_ALIGN((size_t)h->nlmsg_len);
	*at += step < left ? step : left;
	return h;
}

static int malformed(const struct nl *nl, struct err *e)
{
	return err_set(e, -EBADMSG, "understand the kernel's answer (%s namespace)", nl->name);
}

/* The errno that an acknowledgement or the end of a dump carries; -EBADMSG when it is cut off. */
static int status_of(const struct nlmsghdr *h)
{
	int status;

	if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
		return -EBADMSG;
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof status))
		return 0; /* NLMSG_DONE of an old kernel says nothing */
	memcpy(&status, mnl_nlmsg_get_payload(h), sizeof status);
	return status <= 0 && status >= -ERRNO_MAX ? status : -EBADMSG;
}

/* The kernel's own words from the extended acknowledgement, if it gave any. */
static void ext_ack(const struct nlmsghdr *h, struct err *e)
{
	const struct nlmsgerr *ne = mnl_nlmsg_get_payload(h);
	size_t skip = h->nlmsg_type == NLMSG_DONE ? sizeof(int) : sizeof *ne;

	if (!e || !(h->nlmsg_flags & NLM_F_ACK_TLVS) || h->nlmsg_len < NLMSG_HDRLEN + skip)
		return;
	if (h->nlmsg_type == NLMSG_ERROR && !(h->nlmsg_flags & NLM_F_CAPPED)) {
		if (ne->msg.nlmsg_len < sizeof ne->msg || ne->msg.nlmsg_len > h->nlmsg_len)
			return;
		skip += NLMSG_ALIGN(ne->msg.nlmsg_len) - sizeof ne->msg;
	}
	if (h->nlmsg_len < NLMSG_HDRLEN + skip)
		return;
	const struct nlattr *a;
	mnl_attr_for_each(a, h, skip)
	{
		if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
			err_details(e, "kernel: %s", mnl_attr_get_str(a));
	}
}

/* refusal, other: of these nobody wants to hear more than the number. */
static int talk(struct nl *nl, struct nlmsg *m, unsigned *failed, int refusal, int other,
		struct err *e)
{
	_Alignas(8) char buf[RECV_SIZE / 4];
	uint32_t first = stamp(nl, m, NLM_F_ACK);
	unsigned left = m->count;

	if (plan_on() && !m->bad) {
		note_messages(nl, m);
		return 0;
	}
	int result = send_all(nl, m, e);
	if (result < 0)
		return result;
	while (left) {
		ssize_t n = receive(nl, buf, sizeof buf);

		if (n < 0)
			return err_set(e, (int)n, "receive from the kernel (%s namespace)",
				       nl->name);
		size_t at = 0;
		for (const struct nlmsghdr *h; left && (h = next_message(buf, n, &at));) {
			if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq - first >= m->count)
				continue; /* a late answer to an earlier request */
			int status = status_of(h);
			left--;
			if (!status || result < 0)
				continue;
			result = status;
			if (failed)
				*failed = h->nlmsg_seq - first;
			if (e && result != refusal && result != other) {
				*e = (struct err){ .no = -result };
				(void)strncpy(e->text, err_reason(-result), sizeof e->text - 1);
				ext_ack(h, e);
			}
		}
		if (at == MALFORMED)
			return malformed(nl, e);
	}
	if (result < 0 && trace_on())
		trace_event("refused", nl->name, -1, "%s", err_reason(-result));
	return result;
}

int nl_talk_at(struct nl *nl, struct nlmsg *m, unsigned *failed, struct err *e)
{
	return talk(nl, m, failed, 0, 0, e);
}

int nl_talk(struct nl *nl, struct nlmsg *m, struct err *e)
{
	return talk(nl, m, NULL, 0, 0, e);
}

int nl_talk_but(struct nl *nl, struct nlmsg *m, int refusal, int other, struct err *e)
{
	return talk(nl, m, NULL, refusal, other, e);
}

/*
 * What the end of the answers says. A callback that stopped with an error and without a sentence
 * gets one here.
 */
static int finish(struct nl *nl, const struct nlmsghdr *h, bool interrupted, int stop,
		  struct err *e)
{
	int status = status_of(h);

	if (interrupted)
		return -EAGAIN;
	if (status < 0) {
		(void)err_set(e, status, "ask the kernel (%s namespace)", nl->name);
		ext_ack(h, e);
		return status;
	}
	if (stop < 0 && e && !e->no)
		(void)err_set(e, stop, "understand the kernel's answer (%s namespace)", nl->name);
	return stop < 0 ? stop : 0;
}

/* Reads replies to seq until NLMSG_DONE or an acknowledgement. -EAGAIN: a dump was interrupted. */
static int replies(struct nl *nl, uint32_t seq, nl_reply_fn *fn, void *arg, struct err *e)
{
	cleanup_free char *buf = malloc(RECV_SIZE);
	int stop = 0;
	bool interrupted = false;

	if (!buf)
		return err_set(e, -ENOMEM, "receive from the kernel");
	for (;;) {
		ssize_t n = receive(nl, buf, RECV_SIZE);

		if (n == -ENOBUFS)
			return -EAGAIN;
		if (n < 0)
			return err_set(e, (int)n, "receive from the kernel (%s namespace)",
				       nl->name);
		size_t at = 0;
		for (const struct nlmsghdr *h; (h = next_message(buf, n, &at));) {
			if (h->nlmsg_seq != seq)
				continue;
			interrupted |= !!(h->nlmsg_flags & NLM_F_DUMP_INTR);
			if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE)
				return finish(nl, h, interrupted, stop, e);
			if (!stop)
				stop = fn(h, arg);
		}
		if (at == MALFORMED)
			return malformed(nl, e);
	}
}

int nl_get(struct nl *nl, struct nlmsg *m, nl_reply_fn *fn, void *arg, struct err *e)
{
	uint32_t seq = stamp(nl, m, NLM_F_ACK);
	int r = send_all(nl, m, e);

	return r < 0 ? r : replies(nl, seq, fn, arg, e);
}

/* Whoever changes the objects gets a moment to finish: first none, then 1 to 32 ms. */
static void dump_pause(int attempt)
{
	if (attempt < 1)
		return;
	long most_us = 1000L << (attempt < 6 ? attempt - 1 : 5);
	(void)nanosleep(&(struct timespec){ .tv_nsec = (most_us / 2 + clock_us() % most_us) * 500 },
			NULL);
}

int nl_dump(struct nl *nl, struct nlmsg *m, nl_reply_fn *fn, void (*restart)(void *arg), void *arg,
	    struct err *e)
{
	for (int i = 0; i < DUMP_TRIES; i++) {
		dump_pause(i - 1);
		uint32_t seq = stamp(nl, m, NLM_F_DUMP);
		int r = send_all(nl, m, e);

		if (r < 0)
			return r;
		r = replies(nl, seq, fn, arg, e);
		if (r != -EAGAIN)
			return r;
		if (restart)
			restart(arg);
	}
	return err_code(
		e, -EAGAIN, 11,
		"list objects (%s namespace): they changed during each of %d attempts; try again later",
		nl->name, DUMP_TRIES);
}

int nl_subscribe(struct nl *nl, unsigned group, struct err *e)
{
	const struct sockaddr_nl any = { .nl_family = AF_NETLINK };

	/*
	 * a socket without a port number of its own is taken for the kernel's, which is spared its
	 * own events; EINVAL: it has one
	 */
	if (bind(nl->fd, (const struct sockaddr *)&any, sizeof any) < 0 && errno != EINVAL)
		return err_set(e, -errno, "bind a netlink socket (%s namespace)", nl->name);
	if (setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0)
		return err_set(e, -errno, "subscribe to kernel events (%s namespace)", nl->name);
	return 0;
}

int nl_wait(struct nl *nl, int timeout_ms, nl_reply_fn *fn, void *arg, struct err *e)
{
	_Alignas(8) char buf[RECV_SIZE / 4];
	int64_t until = clock_ms() + timeout_ms;

	for (;;) {
		struct pollfd p = { .fd = nl->fd, .events = POLLIN };
		int64_t left = until - clock_ms();
		int r = poll(&p, 1, left > 0 ? (int)left : 0);

		if (r == 0)
			return -ETIMEDOUT;
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_set(e, -errno, "wait for the kernel");
		ssize_t n = receive(nl, buf, sizeof buf);
		/* an event that is too long to be read is as good as lost */
		if (n == -ENOBUFS || n == -EMSGSIZE)
			return -ENOBUFS;
		if (n < 0)
			return err_set(e, (int)n, "receive an event (%s namespace)", nl->name);
		size_t at = 0;
		for (const struct nlmsghdr *h; (h = next_message(buf, n, &at));) {
			r = fn(h, arg);
			if (r)
				return r < 0 ? r : 0;
		}
		if (at == MALFORMED)
			return malformed(nl, e);
	}
}
