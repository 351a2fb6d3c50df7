// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/dhcp/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "ipam/dhcp/outcome.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"

static const struct mac all = { .b = { 255, 255, 255, 255, 255, 255 }, .set = true };

#define PACKETS_MAX 64 /* read at once, before others have their turn */

static int64_t wall_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* From one clock to another; for ever stays so. */
static int64_t shifted(int64_t t, int64_t by)
{
	return t == DHCP_FOREVER ? t : t + by;
}

static struct dhcp4_lease lease_shifted(const struct dhcp4_lease *l, int64_t by)
{
	struct dhcp4_lease x = *l;

	x.t1 = shifted(l->t1, by);
	x.t2 = shifted(l->t2, by);
	x.expire = shifted(l->expire, by);
	return x;
}

static uint32_t seed(void)
{
	uint32_t v = 0;

	if (getrandom(&v, sizeof v, GRND_NONBLOCK) != (ssize_t)sizeof v)
		v = (uint32_t)clock_us();
	return v;
}

/* ---- birth and death */

static int copy_choice(const struct dhcp_choice *from, struct dhcp_choice *to)
{
	struct dhcp4_option *v = calloc(from->nprovide + 1, sizeof *v);

	if (!v)
		return -ENOMEM;
	memcpy(v, from->provide, from->nprovide * sizeof *v);
	*to = *from;
	to->provide = v;
	return 0;
}

int client_new(const struct client_host *h, const struct dhcp_record *r, struct dhcp_client **out,
	       struct err *e)
{
	struct dhcp_client *c = calloc(1, sizeof *c);

	if (!c)
		return err_set(e, -ENOMEM, "make a client");
	c->host = h;
	c->wire = (struct wire)WIRE_INIT;
	c->container = strdup(r->container);
	c->network = strdup(r->network);
	c->ifname = strdup(r->ifname);
	c->netns = strdup(r->netns);
	if (!c->container || !c->network || !c->ifname || !c->netns ||
	    copy_choice(&r->choice, &c->choice) < 0) {
		client_free(c);
		return err_set(e, -ENOMEM, "make a client");
	}
	*out = c;
	return 0;
}

void client_free(struct dhcp_client *c)
{
	if (!c)
		return;
	wire_close(&c->wire);
	dhcp_choice_clear(&c->choice);
	free(c->container);
	free(c->network);
	free(c->ifname);
	free(c->netns);
	free(c);
}

bool client_is(const struct dhcp_client *c, const char *container, const char *network,
	       const char *ifname)
{
	return !strcmp(c->container, container) && !strcmp(c->network, network) &&
	       !strcmp(c->ifname, ifname);
}

/* ---- record */

static struct dhcp_record record_of(const struct dhcp_client *c)
{
	return (struct dhcp_record){
		.container = c->container,
		.network = c->network,
		.ifname = c->ifname,
		.netns = c->netns,
		.choice = c->choice,
		.bound = c->bound,
	};
}

static int keep(const struct dhcp_client *c, struct err *e)
{
	struct dhcp_record r = record_of(c);

	r.lease4 = lease_shifted(&c->m4.lease, wall_ms() - clock_ms());
	return record_write(c->host->dir, &r, e);
}

static int forget(const struct dhcp_client *c, struct err *e)
{
	const struct dhcp_record r = record_of(c);

	return record_remove(c->host->dir, &r, e);
}

/* ---- what the machine wants */

/* Best effort: what is lost on the way is sent again when its time comes. */
static void send_out(struct dhcp_client *c)
{
	if (!c->m4.out_len)
		return;
	(void)wire_send4(&c->wire, c->m4.out, c->m4.out_len, &c->m4.out_mac);
	c->m4.out_len = 0;
	c->sent++;
}

static enum client_news ended(struct dhcp_client *c, struct err *e)
{
	(void)wire_down(&c->wire, c->netns, e);
	(void)forget(c, e);
	return CLIENT_OVER;
}

static enum client_news act_on(struct dhcp_client *c, enum dhcp4_event event, struct err *e)
{
	bool first = !c->bound;

	switch (event) {
	case DHCP4_OFFERED: /* noted before it is asked for */
		if (keep(c, e) < 0)
			return CLIENT_OVER;
		break;
	case DHCP4_GOT:
		c->bound = true;
		if (keep(c, e) < 0 && first)
			return CLIENT_OVER;
		return first ? CLIENT_BOUND : CLIENT_SAME;
	case DHCP4_ENDED:
		return ended(c, e);
	case DHCP4_NOTHING:
		break;
	}
	send_out(c);
	return CLIENT_SAME;
}

enum client_news client_tick(struct dhcp_client *c, int64_t now, struct err *e)
{
	return act_on(c, dhcp4_tick(&c->m4, now), e);
}

enum client_news client_receive(struct dhcp_client *c, int64_t now, struct err *e)
{
	struct dhcp4_packet in;
	struct mac from;

	for (int i = 0; i < PACKETS_MAX; i++) {
		int r = wire_receive4(&c->wire, &in, &from);

		if (r == -EBADMSG)
			continue;
		if (r <= 0)
			break;
		enum client_news news = act_on(c, dhcp4_receive(&c->m4, &in, &from, now), e);
		if (news != CLIENT_SAME)
			return news;
	}
	return CLIENT_SAME;
}

int64_t client_next(const struct dhcp_client *c)
{
	return c->m4.next;
}

/* ---- begin, go on, end */

static struct dhcp4_params params_of(const struct dhcp_client *c)
{
	struct dhcp4_params p = { .mac = c->wire.mac,
				  .broadcast = c->host->broadcast,
				  .nrequest = c->choice.nrequest,
				  .provide = c->choice.provide,
				  .nprovide = c->choice.nprovide };

	memcpy(p.request, c->choice.request, sizeof p.request);
	return p;
}

int client_start(struct dhcp_client *c, int64_t now, struct err *e)
{
	int r = wire_open(c->netns, c->ifname, &c->wire, e);

	if (r < 0)
		return r;
	const struct dhcp4_params p = params_of(c);
	dhcp4_start(&c->m4, &p, &c->host->pace, seed(), now);
	return 0;
}

enum client_news client_resume(struct dhcp_client *c, const struct dhcp_record *r, int64_t now,
			       struct err *e)
{
	const struct dhcp4_lease l = lease_shifted(&r->lease4, clock_ms() - wall_ms());

	c->bound = r->bound;
	if (wire_open(c->netns, c->ifname, &c->wire, e) < 0) {
		(void)forget(c, e);
		return CLIENT_OVER;
	}
	const struct dhcp4_params p = params_of(c);
	dhcp4_resume(&c->m4, &p, &c->host->pace, seed(), &l, now);
	if (r->bound && ip_is_set(&l.address.addr))
		return CLIENT_SAME;
	(void)client_release(c, e);
	return CLIENT_OVER;
}

int client_release(struct dhcp_client *c, struct err *e)
{
	if (c->wire.fd4 >= 0) {
		dhcp4_release(&c->m4);
		/* no second chance: to all as well, should the server's address have changed */
		if (c->m4.out_len)
			(void)wire_send4(&c->wire, c->m4.out, c->m4.out_len, &all);
		send_out(c);
	}
	return forget(c, e);
}

int client_result(const struct dhcp_client *c, struct cni_result *out, struct err *e)
{
	return outcome4(&c->m4.lease, &c->m4.opts, out, e);
}
