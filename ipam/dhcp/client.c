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
#include "netlib/base/str.h"

static const struct mac all = { .b = { 255, 255, 255, 255, 255, 255 }, .set = true };

#define ID_BYTES 2200  /* two names of 1024, an interface */
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

static struct dhcp6_lease lease6_shifted(const struct dhcp6_lease *l, int64_t by)
{
	struct dhcp6_lease x = *l;

	x.t1 = shifted(l->t1, by);
	x.t2 = shifted(l->t2, by);
	x.expire = shifted(l->expire, by);
	return x;
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
	r.lease6 = lease6_shifted(&c->m6.lease, wall_ms() - clock_ms());
	return record_write(c->host->dir, &r, e);
}

static int forget(const struct dhcp_client *c, struct err *e)
{
	const struct dhcp_record r = record_of(c);

	return record_remove(c->host->dir, &r, e);
}

/* ---- what the machines want */

/* Best effort: what is lost on the way is sent again when its time comes. */
static void send_out(struct dhcp_client *c, int64_t now)
{
	if (c->m4.out_len) {
		(void)wire_send4(&c->wire, c->m4.out, c->m4.out_len, &c->m4.out_mac);
		c->sent++;
	}
	if (c->m6.out_len) {
		if (wire_send6(&c->wire, c->m6.out, c->m6.out_len) == 0)
			c->sent++;
		else /* the interface's own address is not ready */
			dhcp6_unsent(&c->m6, now);
	}
	c->m4.out_len = c->m6.out_len = 0;
}

static enum client_news over(struct dhcp_client *c, struct err *e)
{
	(void)forget(c, e);
	return CLIENT_OVER;
}

/* IPv4: as with the reference the interface goes down. IPv6: its address goes, the rest stays. */
static enum client_news ended(struct dhcp_client *c, bool ipv6, const struct ip_addr *lost,
			      struct err *e)
{
	if (!ipv6) {
		(void)wire_down(&c->wire, c->netns, e);
		return over(c, e);
	}
	(void)wire_without6(&c->wire, c->netns, lost, e);
	c->choice.ipv6 = false;
	if (!c->choice.ipv4)
		return over(c, e);
	return keep(c, e) < 0 ? CLIENT_OVER : CLIENT_SAME;
}

static enum client_news got(struct dhcp_client *c, struct err *e)
{
	bool first = !c->bound;

	c->bound = (c->got4 || !c->choice.ipv4) && (c->got6 || !c->choice.ipv6);
	if (keep(c, e) < 0 && first)
		return CLIENT_OVER;
	return first && c->bound ? CLIENT_BOUND : CLIENT_SAME;
}

static enum client_news act_on(struct dhcp_client *c, enum dhcp_event event, bool ipv6,
			       const struct ip_addr *had, int64_t now, struct err *e)
{
	switch (event) {
	case DHCP_OFFERED: /* noted before it is asked for */
		if (keep(c, e) < 0)
			return CLIENT_OVER;
		break;
	case DHCP_GOT:
		*(ipv6 ? &c->got6 : &c->got4) = true;
		return got(c, e);
	case DHCP_ENDED:
		return ended(c, ipv6, had, e);
	case DHCP_NOTHING:
		break;
	}
	send_out(c, now);
	return CLIENT_SAME;
}

enum client_news client_tick(struct dhcp_client *c, int64_t now, struct err *e)
{
	const struct ip_addr had = c->m6.lease.address;
	enum client_news news = act_on(c, dhcp4_tick(&c->m4, now), false, NULL, now, e);

	return news != CLIENT_SAME ? news : act_on(c, dhcp6_tick(&c->m6, now), true, &had, now, e);
}

static enum client_news receive4(struct dhcp_client *c, int64_t now, struct err *e)
{
	enum client_news news = CLIENT_SAME;
	struct dhcp4_packet in;
	struct mac from;

	for (int i = 0; i < PACKETS_MAX && news == CLIENT_SAME; i++) {
		int r = wire_receive4(&c->wire, &in, &from);

		if (r == -EBADMSG)
			continue;
		if (r <= 0)
			break;
		news = act_on(c, dhcp4_receive(&c->m4, &in, &from, now), false, NULL, now, e);
	}
	return news;
}

static enum client_news receive6(struct dhcp_client *c, int64_t now, struct err *e)
{
	enum client_news news = CLIENT_SAME;
	struct dhcp6_packet in;

	for (int i = 0; i < PACKETS_MAX && news == CLIENT_SAME; i++) {
		const struct ip_addr had = c->m6.lease.address;
		int r = wire_receive6(&c->wire, &in);

		if (r == -EBADMSG)
			continue;
		if (r <= 0)
			break;
		news = act_on(c, dhcp6_receive(&c->m6, &in, now), true, &had, now, e);
	}
	return news;
}

enum client_news client_receive(struct dhcp_client *c, int64_t now, struct err *e)
{
	enum client_news news = c->wire.fd4 >= 0 ? receive4(c, now, e) : CLIENT_SAME;

	return news == CLIENT_SAME && c->wire.fd6 >= 0 ? receive6(c, now, e) : news;
}

int64_t client_next(const struct dhcp_client *c)
{
	int64_t a = c->choice.ipv4 ? c->m4.next : DHCP_FOREVER,
		b = c->choice.ipv6 ? c->m6.next : DHCP_FOREVER;

	return a < b ? a : b;
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

/* What names this client to servers of IPv6. */
static void id_of(const struct dhcp_client *c, char out[ID_BYTES])
{
	(void)str_copyf(out, ID_BYTES, "%s/%s/%s", c->container, c->network, c->ifname);
}

int client_start(struct dhcp_client *c, int64_t now, struct err *e)
{
	const struct pace_conf *pace = &c->host->pace;
	char id[ID_BYTES];
	int r = wire_open(c->netns, c->ifname, c->choice.ipv4, c->choice.ipv6, &c->wire, e);

	if (r < 0)
		return r;
	const struct dhcp4_params p = params_of(c);
	id_of(c, id);
	if (c->choice.ipv4)
		dhcp4_start(&c->m4, &p, pace, seed(), now);
	if (c->choice.ipv6)
		dhcp6_start(&c->m6, id, pace, seed(), now);
	return 0;
}

enum client_news client_resume(struct dhcp_client *c, const struct dhcp_record *r, int64_t now,
			       struct err *e)
{
	const struct pace_conf *pace = &c->host->pace;
	int64_t by = clock_ms() - wall_ms();
	const struct dhcp4_lease l4 = lease_shifted(&r->lease4, by);
	const struct dhcp6_lease l6 = lease6_shifted(&r->lease6, by);
	char id[ID_BYTES];

	c->bound = r->bound;
	int opened = wire_open(c->netns, c->ifname, c->choice.ipv4, c->choice.ipv6, &c->wire, e);
	if (opened < 0) /* the record stays when the next daemon may have more luck */
		return wire_is_shortage(opened) ? CLIENT_OVER : over(c, e);
	const struct dhcp4_params p = params_of(c);
	id_of(c, id);
	c->got4 = c->choice.ipv4 && ip_is_set(&l4.address.addr);
	c->got6 = c->choice.ipv6 && ip_is_set(&l6.address);
	if (c->got4)
		dhcp4_resume(&c->m4, &p, pace, seed(), &l4, now);
	if (c->got6)
		dhcp6_resume(&c->m6, id, pace, seed(), &l6, now);
	if (r->bound && c->got4 == c->choice.ipv4 && c->got6 == c->choice.ipv6)
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
	}
	if (c->wire.fd6 >= 0)
		dhcp6_release(&c->m6);
	send_out(c, clock_ms());
	return forget(c, e);
}

int client_result(const struct dhcp_client *c, struct cni_result *out, struct err *e)
{
	int r = c->choice.ipv4 ? outcome4(&c->m4.lease, &c->m4.opts, out, e) : 0;

	return r == 0 && c->choice.ipv6 ? outcome6(&c->m6.last, out, e) : r;
}
