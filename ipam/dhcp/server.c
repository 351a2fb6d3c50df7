// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/dhcp/server.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "ipam/dhcp/rpc.h"
#include "ipam/dhcp/serving.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/error.h"
#include "netlib/cni/result.h"

#define SWEEP_MS 2000 /* how often namespaces are looked at */
#define SHORT_OF_FDS_NS 50000000L

void server_note(const struct server *s, const struct dhcp_client *c, const char *fmt, ...)
{
	char text[512], line[900];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)snprintf(line, sizeof line, "%.128s/%.128s/%s: %s", c->network, c->container,
		       c->ifname, text);
	s->log(line);
}

static int watch(const struct server *s, int fd, struct source *src, struct err *e)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = src };

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ?
		       err_set(e, -errno, "watch a descriptor") :
		       0;
}

/* ---- leases */

struct held *server_find(struct server *s, const char *container, const char *network,
			 const char *ifname)
{
	for (struct held *h = s->all; h; h = h->next)
		if (client_is(h->c, container, network, ifname))
			return h;
	return NULL;
}

void server_drop(struct server *s, struct held *h)
{
	for (struct held **p = &s->all; *p; p = &(*p)->next)
		if (*p == h) {
			*p = h->next;
			break;
		}
	if (h->waiter)
		h->waiter->waits = NULL;
	client_free(h->c);
	free(h);
}

int server_hold(struct server *s, struct dhcp_client *c, struct held **out, struct err *e)
{
	struct held *h = calloc(1, sizeof *h);
	int r = 0;

	if (!h) {
		client_free(c);
		return err_set(e, -ENOMEM, "hold a lease");
	}
	h->c = c;
	h->src = (struct source){ K_LEASE, h };
	h->next = s->all;
	s->all = h;
	if ((c->wire.fd4 >= 0 && (r = watch(s, c->wire.fd4, &h->src, e)) < 0) ||
	    (c->wire.fd6 >= 0 && (r = watch(s, c->wire.fd6, &h->src, e)) < 0)) {
		(void)client_release(c, NULL);
		server_drop(s, h);
		return r;
	}
	*out = h;
	return 0;
}

/* ---- connections */

static void hang_up(struct server *s, struct conn *c)
{
	(void)s;
	if (c->waits)
		c->waits->waiter = NULL;
	(void)close(c->fd);
	str_free(&c->in);
	free(c);
}

bool server_answer(struct server *s, struct conn *c, const struct cni_result *res,
		   const struct err *e)
{
	cleanup_str struct str line = STR_INIT;

	rpc_answer(&line, res, e);
	bool heard = line.p && send(c->fd, line.p, line.len, MSG_NOSIGNAL | MSG_DONTWAIT) ==
				       (ssize_t)line.len;
	hang_up(s, c);
	return heard;
}

/* ---- what becomes of a lease */

static void give_up(struct server *s, struct held *h, const struct err *e)
{
	server_note(s, h->c, "%s", e->text);
	(void)client_release(h->c, NULL);
	if (h->waiter)
		(void)server_answer(s, h->waiter, NULL, e);
	server_drop(s, h);
}

static void bound(struct server *s, struct held *h)
{
	cleanup_result struct cni_result res = { 0 };
	struct err e = ERR_INIT;
	char text[IP_TEXT_MAX];

	if (client_result(h->c, &res, &e) < 0) {
		give_up(s, h, &e);
		return;
	}
	for (size_t i = 0; i < res.nips; i++)
		server_note(s, h->c, "got %s", ip_prefix_text(&res.ips[i].address, text));
	struct conn *waiter = h->waiter;
	h->waiter = NULL;
	if (!waiter)
		return;
	waiter->waits = NULL;
	if (server_answer(s, waiter, &res, NULL))
		return;
	server_note(s, h->c, "the plugin that asked is gone; given back");
	(void)client_release(h->c, NULL);
	server_drop(s, h);
}

static void react(struct server *s, struct held *h, enum client_news news, struct err *e)
{
	if (news == CLIENT_BOUND) {
		bound(s, h);
	} else if (news == CLIENT_OVER) {
		if (!e->no)
			(void)err_say(e, -ENOLINK,
				      "the lease ended: the server was silent or took it back; "
				      "interface %s is down",
				      h->c->ifname);
		give_up(s, h, e);
	}
}

static void time_out(struct server *s, struct held *h, int64_t now)
{
	struct err e = ERR_INIT;
	const struct dhcp_client *c = h->c;

	(void)err_code(&e, -ETIMEDOUT, CNI_E_RETRY,
		       "no more tries: no DHCP server gave an address to interface %s in %.200s "
		       "within %.1f s; %u packets were sent",
		       c->ifname, c->netns, (double)(now - h->since) / 1000, c->sent);
	err_details(&e,
		    "is a DHCP server on the link, and does it hear broadcasts of %02x:%02x:"
		    "%02x:%02x:%02x:%02x?",
		    c->wire.mac.b[0], c->wire.mac.b[1], c->wire.mac.b[2], c->wire.mac.b[3],
		    c->wire.mac.b[4], c->wire.mac.b[5]);
	give_up(s, h, &e);
}

/* ---- events */

static void on_listen(struct server *s)
{
	struct sockaddr who;
	socklen_t len = sizeof who;
	int fd = accept4(s->listening, &who, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c = fd < 0 ? NULL : calloc(1, sizeof *c);

	if (c) {
		c->fd = fd;
		c->src = (struct source){ K_CONN, c };
		if (watch(s, fd, &c->src, NULL) < 0)
			hang_up(s, c);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	else if (errno == EMFILE || errno == ENFILE ||
		 errno == ENOMEM) /* it would come at once again */
		(void)nanosleep(&(struct timespec){ .tv_nsec = SHORT_OF_FDS_NS }, NULL);
}

static void on_conn(struct server *s, struct conn *c)
{
	char buf[4096];
	ssize_t n = read(c->fd, buf, sizeof buf);
	struct err e = ERR_INIT;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || c->waits) { /* hung up, or said more than was its turn */
		struct held *h = c->waits;

		hang_up(s, c);
		if (!h)
			return;
		server_note(s, h->c, "the plugin that asked is gone");
		(void)client_release(h->c, NULL);
		server_drop(s, h);
		return;
	}
	str_add_n(&c->in, buf, (size_t)n);
	if (c->in.bad || c->in.len > RPC_LINE_MAX) {
		hang_up(s, c);
		return;
	}
	if (buf[n - 1] != '\n')
		return;
	int r = server_obey(s, c, &e);
	if (r < 0 && !e.no)
		(void)err_set(&e, r, "serve a request");
	if (r <= 0)
		(void)server_answer(s, c, NULL, &e);
}

static void on_lease(struct server *s, struct held *h)
{
	struct err e = ERR_INIT;

	react(s, h, client_receive(h->c, clock_ms(), &e), &e);
}

/* A container that went without a DEL: our socket is what keeps its namespace. */
static void sweep(struct server *s)
{
	for (struct held *h = s->all, *next; h; h = next) {
		struct err e = ERR_INIT;

		next = h->next;
		if (wire_is_there(&h->c->wire, h->c->netns))
			continue;
		(void)err_say(&e, -ENOENT, "its namespace %.200s is gone; given back", h->c->netns);
		give_up(s, h, &e);
	}
}

static void on_timer(struct server *s)
{
	int64_t now = clock_ms();
	uint64_t ticks;

	(void)!read(s->timer, &ticks, sizeof ticks);
	for (struct held *h = s->all, *next; h; h = next) {
		struct err e = ERR_INIT;

		next = h->next;
		if (h->waiter && now >= h->give_up)
			time_out(s, h, now);
		else if (now >= client_next(h->c))
			react(s, h, client_tick(h->c, now, &e), &e);
	}
	if (now >= s->sweep) {
		sweep(s);
		s->sweep = now + SWEEP_MS;
	}
}

/* The timer is set to the first thing that is due. */
static void set_timer(const struct server *s)
{
	int64_t next = s->all ? s->sweep : DHCP_FOREVER;
	struct itimerspec t = { 0 };

	for (const struct held *h = s->all; h; h = h->next) {
		int64_t due = client_next(h->c);

		if (h->waiter && h->give_up < due)
			due = h->give_up;
		next = due < next ? due : next;
	}
	if (next != DHCP_FOREVER) {
		int64_t ms = next > 0 ? next : 1;

		t.it_value.tv_sec = ms / 1000;
		t.it_value.tv_nsec = ms % 1000 * 1000000 + 1;
	}
	(void)timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

static void dispatch(struct server *s, const struct source *src)
{
	switch (src->kind) {
	case K_LISTEN:
		on_listen(s);
		break;
	case K_SIGNAL:
		s->stop = true;
		break;
	case K_TIMER:
		on_timer(s);
		break;
	case K_CONN:
		on_conn(s, src->owner);
		break;
	case K_LEASE:
		on_lease(s, src->owner);
		break;
	}
}

/* ---- life */

static int take_up(const struct dhcp_record *r, void *arg)
{
	struct server *s = arg;
	struct dhcp_client *c;
	struct err e = ERR_INIT;
	struct held *h;

	if (client_new(&s->c->host, r, &c, &e) < 0)
		return -ENOMEM;
	if (client_resume(c, r, clock_ms(), &e) == CLIENT_OVER) {
		server_note(s, c, "not taken up again: %s",
			    e.no ? e.text : "nobody was told of it");
		client_free(c);
		return 0;
	}
	server_note(s, c, "taken up again");
	return server_hold(s, c, &h, &e) < 0 ? -e.no : 0;
}

static int signals_open(struct err *e)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_set(e, -errno, "open a descriptor of signals") : fd;
}

static int loop(struct server *s, struct err *e)
{
	struct source listening = { K_LISTEN, NULL }, signals = { K_SIGNAL, NULL },
		      timer = { K_TIMER, NULL };
	int r;

	if ((r = watch(s, s->listening, &listening, e)) < 0 ||
	    (r = watch(s, s->signals, &signals, e)) < 0 || (r = watch(s, s->timer, &timer, e)) < 0)
		return r;
	while (!s->stop) {
		struct epoll_event ev; /* one at a time: what it frees is in no other event */

		set_timer(s);
		int n = epoll_wait(s->epoll, &ev, 1, -1);
		if (n < 0 && errno != EINTR)
			return err_set(e, -errno, "wait for events");
		if (n == 1)
			dispatch(s, ev.data.ptr);
	}
	return 0;
}

int server_run(const struct server_conf *c, int listening, server_log_fn *log, struct err *e)
{
	cleanup_fd int epoll = epoll_create1(EPOLL_CLOEXEC),
		       timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	cleanup_fd int signals = signals_open(e);
	struct server s = { .c = c,
			    .log = log,
			    .epoll = epoll,
			    .listening = listening,
			    .signals = signals,
			    .timer = timer,
			    .sweep = clock_ms() + SWEEP_MS };
	int r = signals;

	if (epoll < 0 || timer < 0)
		return err_set(e, -errno, "make a loop");
	if (signals < 0)
		return r;
	if ((r = record_each(c->host.dir, take_up, &s, e)) == 0)
		r = loop(&s, e);
	while (s.all)
		server_drop(&s, s.all);
	return r;
}
