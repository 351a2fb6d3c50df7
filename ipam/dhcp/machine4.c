// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/dhcp/machine4.h"

#include <string.h>
#include <sys/socket.h>

#define OPTIONS_MAX 64
#define DEFAULT_LEASE_S 3600
#define MIN_LEASE_S 1
#define FOREVER_S UINT32_C(0xffffffff)
#define SECS_MAX 65535

static const struct mac everybody = { .b = { 255, 255, 255, 255, 255, 255 }, .set = true };

static struct ip_addr v4(uint32_t host)
{
	return (struct ip_addr){ .family = AF_INET,
				 .b = { (uint8_t)(host >> 24), (uint8_t)(host >> 16),
					(uint8_t)(host >> 8), (uint8_t)host } };
}

/* ---- what is sent */

static void put_addr(struct dhcp4_option *o, uint8_t code, const struct ip_addr *a)
{
	o->code = code;
	o->len = 4;
	memcpy(o->data, a->b, 4);
}

/* The packet and where it goes; nothing when it does not fit. */
static void emit(struct dhcp4_machine *m, const struct dhcp4_head *h, const struct dhcp4_option *v,
		 size_t n, bool unicast)
{
	uint8_t payload[DHCP4_BYTES_MAX - 28];
	const struct ip_addr all = v4(UINT32_MAX);
	bool known = unicast && m->lease.server_mac.set && ip_is_set(&m->lease.server);
	int len = dhcp4_build(payload, sizeof payload, h, v, n);

	if (len > 0)
		len = dhcp4_wrap(m->out, sizeof m->out, &h->ciaddr, known ? &m->lease.server : &all,
				 payload, (size_t)len);
	m->out_len = len > 0 ? (size_t)len : 0;
	m->out_mac = known ? m->lease.server_mac : everybody;
}

static struct dhcp4_head head(const struct dhcp4_machine *m, enum dhcp4_type type, int64_t now)
{
	int64_t secs = (now - m->started) / 1000;

	return (struct dhcp4_head){ .type = (uint8_t)type,
				    .xid = m->xid,
				    .secs = (uint16_t)(secs < SECS_MAX ? secs : SECS_MAX),
				    .broadcast = m->p.broadcast,
				    .chaddr = m->p.mac };
}

/* The options that every packet but a release has; returns how many. */
static size_t own_options(const struct dhcp4_machine *m, struct dhcp4_option v[OPTIONS_MAX])
{
	size_t n = 0;

	for (; n < m->p.nprovide && n < OPTIONS_MAX - 4; n++)
		v[n] = m->p.provide[n];
	if (m->p.nrequest) {
		v[n] = (struct dhcp4_option){ .code = DHCP4_REQUEST_LIST,
					      .len = (uint8_t)m->p.nrequest };
		memcpy(v[n++].data, m->p.request, m->p.nrequest);
	}
	v[n++] = (struct dhcp4_option){ .code = DHCP4_MAX_SIZE,
					.len = 2,
					.data = { DHCP4_BYTES_MAX >> 8, DHCP4_BYTES_MAX & 255 } };
	return n;
}

static void discover(struct dhcp4_machine *m, int64_t now)
{
	struct dhcp4_option v[OPTIONS_MAX];
	struct dhcp4_head h = head(m, DHCP4_DISCOVER, now);

	emit(m, &h, v, own_options(m, v), false);
	m->next = now + pace_next(&m->pace);
}

static void select_again(struct dhcp4_machine *m, int64_t now)
{
	m->state = DHCP4_SELECTING;
	m->xid = pace_random(&m->pace);
	m->lease = (struct dhcp4_lease){ 0 };
	discover(m, now);
}

/* Asks the server that offered: named, since others offered too. */
static void request(struct dhcp4_machine *m, int64_t now)
{
	struct dhcp4_option v[OPTIONS_MAX];
	struct dhcp4_head h = head(m, DHCP4_REQUEST, now);
	size_t n = own_options(m, v);

	put_addr(&v[n++], DHCP4_ADDRESS, &m->lease.address.addr);
	put_addr(&v[n++], DHCP4_SERVER_ID, &m->lease.server);
	emit(m, &h, v, n, false);
	m->next = now + pace_next(&m->pace);
	if (m->next > m->request_until)
		m->next = m->request_until;
}

/* For longer: from the address we have, to the server that gave it or, later, to any. */
static void renew(struct dhcp4_machine *m, int64_t now)
{
	struct dhcp4_option v[OPTIONS_MAX];
	struct dhcp4_head h = head(m, DHCP4_REQUEST, now);

	h.ciaddr = m->lease.address.addr;
	h.broadcast = false; /* we have an address to be answered at */
	emit(m, &h, v, own_options(m, v), m->state == DHCP4_RENEWING);
	if (m->pace.attempts++) /* silent: it may have another link address by now */
		m->out_mac = everybody;
	m->next = pace_renew(now, m->state == DHCP4_RENEWING ? m->lease.t2 : m->lease.expire);
}

void dhcp4_release(struct dhcp4_machine *m)
{
	struct dhcp4_option v[OPTIONS_MAX];
	struct dhcp4_head h = head(m, DHCP4_RELEASE, m->started);
	size_t n = 0;

	m->out_len = 0;
	if (!ip_is_set(&m->lease.address.addr) || !ip_is_set(&m->lease.server))
		return;
	h.xid = pace_random(&m->pace);
	h.broadcast = false;
	h.ciaddr = m->lease.address.addr;
	put_addr(&v[n++], DHCP4_SERVER_ID, &m->lease.server);
	for (size_t i = 0; i < m->p.nprovide && n < OPTIONS_MAX; i++)
		if (m->p.provide[i].code == DHCP4_CLIENT_ID)
			v[n++] = m->p.provide[i];
	emit(m, &h, v, n, true);
	m->state = DHCP4_LOST;
	m->next = DHCP_FOREVER;
}

/* ---- what comes */

static bool is_answer(const struct dhcp4_machine *m, const struct dhcp4_packet *in)
{
	return in->op == 2 && in->xid == m->xid && mac_eq(&in->chaddr, &m->p.mac);
}

static uint8_t mask_len(const struct dhcp4_options *o)
{
	struct ip_addr mask;
	uint8_t n = 0;

	if (dhcp4_option_addr(o, DHCP4_MASK, 0, &mask) < 0)
		return 0;
	while (n < 32 && mask.b[n / 8] & (0x80 >> n % 8))
		n++;
	return n;
}

/* Half and 85 of a hundred unless the server says otherwise, and in this order. */
static void set_times(struct dhcp4_lease *l, const struct dhcp4_options *o, int64_t now)
{
	uint32_t lease = DEFAULT_LEASE_S, t1, t2;

	(void)dhcp4_option_u32(o, DHCP4_LEASE_TIME, &lease);
	if (lease < MIN_LEASE_S)
		lease = MIN_LEASE_S;
	if (dhcp4_option_u32(o, DHCP4_T1, &t1) < 0)
		t1 = lease == FOREVER_S ? lease : lease / 2;
	if (dhcp4_option_u32(o, DHCP4_T2, &t2) < 0)
		t2 = lease == FOREVER_S ? lease : (uint32_t)((uint64_t)lease * 85 / 100);
	if (t2 > lease)
		t2 = lease;
	if (t1 > t2)
		t1 = t2;
	l->expire = pace_after(now, lease);
	l->t1 = pace_after(now, t1);
	l->t2 = pace_after(now, t2);
}

static enum dhcp_event take_offer(struct dhcp4_machine *m, const struct dhcp4_packet *in,
				  const struct mac *from, int64_t now)
{
	struct ip_addr server;

	if (in->type != DHCP4_OFFER || !ip_is_set(&in->yiaddr) ||
	    dhcp4_option_addr(&in->opts, DHCP4_SERVER_ID, 0, &server) < 0)
		return DHCP_NOTHING;
	m->lease.address = (struct ip_prefix){ in->yiaddr, mask_len(&in->opts) };
	m->lease.server = server;
	m->lease.server_mac = *from;
	m->state = DHCP4_REQUESTING;
	m->request_until = now + m->pace.c.answer_ms;
	pace_reset(&m->pace);
	request(m, now);
	return DHCP_OFFERED;
}

static enum dhcp_event take_ack(struct dhcp4_machine *m, const struct dhcp4_packet *in,
				const struct mac *from, int64_t now)
{
	struct ip_addr server;

	if (!ip_is_set(&in->yiaddr))
		return DHCP_NOTHING;
	if (m->state != DHCP4_REQUESTING && !ip_eq(&in->yiaddr, &m->lease.address.addr))
		return DHCP_NOTHING; /* not the one that is in use */
	m->lease.address.addr = in->yiaddr;
	if (mask_len(&in->opts))
		m->lease.address.len = mask_len(&in->opts);
	if (dhcp4_option_addr(&in->opts, DHCP4_SERVER_ID, 0, &server) == 0)
		m->lease.server = server;
	m->lease.server_mac = *from;
	m->opts = in->opts;
	set_times(&m->lease, &in->opts, now);
	m->state = DHCP4_BOUND;
	m->next = m->lease.t1;
	return DHCP_GOT;
}

static enum dhcp_event lose(struct dhcp4_machine *m)
{
	m->state = DHCP4_LOST;
	m->next = DHCP_FOREVER;
	m->lease = (struct dhcp4_lease){ 0 };
	return DHCP_ENDED;
}

/* Refused: what was only offered is looked for anew, after a pause; what was in use is lost. */
static enum dhcp_event take_nak(struct dhcp4_machine *m, int64_t now)
{
	if (m->state != DHCP4_REQUESTING)
		return lose(m);
	m->state = DHCP4_SELECTING;
	m->lease = (struct dhcp4_lease){ 0 };
	m->next = now + pace_next(&m->pace);
	return DHCP_NOTHING;
}

enum dhcp_event dhcp4_receive(struct dhcp4_machine *m, const struct dhcp4_packet *in,
			      const struct mac *from, int64_t now)
{
	m->out_len = 0;
	if (!is_answer(m, in))
		return DHCP_NOTHING;
	if (m->state == DHCP4_SELECTING)
		return take_offer(m, in, from, now);
	if (m->state != DHCP4_REQUESTING && m->state != DHCP4_RENEWING &&
	    m->state != DHCP4_REBINDING)
		return DHCP_NOTHING;
	if (in->type == DHCP4_ACK)
		return take_ack(m, in, from, now);
	return in->type == DHCP4_NAK ? take_nak(m, now) : DHCP_NOTHING;
}

/* ---- time */

enum dhcp_event dhcp4_tick(struct dhcp4_machine *m, int64_t now)
{
	m->out_len = 0;
	if (now < m->next)
		return DHCP_NOTHING;
	switch (m->state) {
	case DHCP4_SELECTING:
		discover(m, now);
		return DHCP_NOTHING;
	case DHCP4_REQUESTING:
		if (now < m->request_until)
			request(m, now);
		else
			select_again(m, now);
		return DHCP_NOTHING;
	case DHCP4_BOUND:
	case DHCP4_RENEWING:
	case DHCP4_REBINDING:
		if (now >= m->lease.expire)
			return lose(m);
		if (m->state == DHCP4_BOUND) {
			m->xid = pace_random(&m->pace);
			m->started = now;
			pace_reset(&m->pace);
		}
		m->state = now >= m->lease.t2 ? DHCP4_REBINDING : DHCP4_RENEWING;
		renew(m, now);
		return DHCP_NOTHING;
	case DHCP4_IDLE:
	case DHCP4_LOST:
		break;
	}
	m->next = DHCP_FOREVER;
	return DHCP_NOTHING;
}

void dhcp4_start(struct dhcp4_machine *m, const struct dhcp4_params *p, const struct pace_conf *c,
		 uint32_t seed, int64_t now)
{
	*m = (struct dhcp4_machine){ .p = *p, .state = DHCP4_SELECTING, .started = now };
	pace_init(&m->pace, c, seed);
	m->xid = pace_random(&m->pace);
	m->next = now;
}

void dhcp4_resume(struct dhcp4_machine *m, const struct dhcp4_params *p, const struct pace_conf *c,
		  uint32_t seed, const struct dhcp4_lease *l, int64_t now)
{
	dhcp4_start(m, p, c, seed, now);
	m->state = DHCP4_BOUND;
	m->lease = *l;
	m->next = l->t1;
}
