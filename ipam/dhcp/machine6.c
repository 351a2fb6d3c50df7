// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/dhcp/machine6.h"

#include <string.h>

#include "netlib/base/sha512.h"

#define DUID_UUID 4 /* RFC 6355 */
#define UUID_BYTES 16
#define UNSENT_MS 200
#define ELAPSED_MAX 65535

/* ---- what is sent */

static void emit(struct dhcp6_machine *m, enum dhcp6_type type, bool server, bool address,
		 int64_t now)
{
	int64_t elapsed = (now - m->started) / 10;
	const struct dhcp6_head h = {
		.type = (uint8_t)type,
		.xid = m->xid,
		.iaid = m->iaid,
		.elapsed = (uint16_t)(elapsed < ELAPSED_MAX ? elapsed : ELAPSED_MAX),
		.client = &m->client,
		.server = server ? &m->lease.server : NULL,
		.address = address ? &m->lease.address : NULL,
	};
	int n = dhcp6_build(m->out, sizeof m->out, &h);

	m->out_len = n > 0 ? (size_t)n : 0;
}

static void new_exchange(struct dhcp6_machine *m, int64_t now)
{
	m->xid = pace_random(&m->pace) & 0xffffff;
	m->started = now;
	pace_reset(&m->pace);
}

static void solicit(struct dhcp6_machine *m, int64_t now)
{
	emit(m, DHCP6_SOLICIT, false, false, now);
	m->next = now + pace_next(&m->pace);
}

static void request(struct dhcp6_machine *m, int64_t now)
{
	emit(m, DHCP6_REQUEST, true, true, now);
	m->next = now + pace_next(&m->pace);
	if (m->next > m->request_until)
		m->next = m->request_until;
}

static void renew(struct dhcp6_machine *m, int64_t now)
{
	bool renewing = m->state == DHCP6_RENEWING;

	emit(m, renewing ? DHCP6_RENEW : DHCP6_REBIND, renewing, true, now);
	m->next = pace_renew(now, renewing ? m->lease.t2 : m->lease.expire);
}

void dhcp6_unsent(struct dhcp6_machine *m, int64_t now)
{
	if (m->state == DHCP6_SOLICITING || m->state == DHCP6_REQUESTING) {
		m->next = now + UNSENT_MS;
		pace_reset(&m->pace);
	}
}

void dhcp6_release(struct dhcp6_machine *m)
{
	m->out_len = 0;
	if (ip_is_set(&m->lease.address)) {
		new_exchange(m, m->started);
		emit(m, DHCP6_RELEASE, true, true, m->started);
	}
	m->state = DHCP6_LOST;
	m->next = DHCP_FOREVER;
}

/* ---- what comes */

/* Half and four fifths of the lifetime unless the server says otherwise, and in this order. */
static void set_times(struct dhcp6_lease *l, const struct dhcp6_packet *in, int64_t now)
{
	uint32_t valid = in->valid, t1 = in->t1, t2 = in->t2;

	if (!t2)
		t2 = valid == UINT32_MAX ? valid : valid / 5 * 4;
	if (t2 > valid)
		t2 = valid;
	if (!t1)
		t1 = valid == UINT32_MAX ? valid : valid / 2;
	if (t1 > t2)
		t1 = t2;
	l->expire = pace_after(now, valid);
	l->t1 = pace_after(now, t1);
	l->t2 = pace_after(now, t2);
}

static bool has_address(const struct dhcp6_machine *m, const struct dhcp6_packet *in)
{
	return in->has_ia && in->iaid == m->iaid && !in->status && ip_is_set(&in->address) &&
	       in->valid;
}

static enum dhcp_event take_advertise(struct dhcp6_machine *m, const struct dhcp6_packet *in,
				      int64_t now)
{
	if (in->type != DHCP6_ADVERTISE || !has_address(m, in))
		return DHCP_NOTHING;
	m->lease.address = in->address;
	m->lease.server = in->server;
	m->state = DHCP6_REQUESTING;
	m->request_until = now + m->pace.c.answer_ms;
	new_exchange(m, now);
	request(m, now);
	return DHCP_OFFERED;
}

static enum dhcp_event lose(struct dhcp6_machine *m)
{
	m->state = DHCP6_LOST;
	m->next = DHCP_FOREVER;
	m->lease = (struct dhcp6_lease){ 0 };
	return DHCP_ENDED;
}

/* Refused: looked for anew after a pause when nothing is in use yet, else lost. */
static enum dhcp_event refused(struct dhcp6_machine *m, int64_t now)
{
	if (m->state != DHCP6_REQUESTING)
		return lose(m);
	m->state = DHCP6_SOLICITING;
	m->lease = (struct dhcp6_lease){ 0 };
	m->next = now + pace_next(&m->pace);
	return DHCP_NOTHING;
}

static enum dhcp_event take_reply(struct dhcp6_machine *m, const struct dhcp6_packet *in,
				  int64_t now)
{
	if (in->type != DHCP6_REPLY)
		return DHCP_NOTHING;
	if (!has_address(m, in))
		return refused(m, now);
	if (!ip_eq(&in->address, &m->lease.address) && m->state != DHCP6_REQUESTING)
		return DHCP_NOTHING; /* not the one that is in use */
	m->lease.address = in->address;
	m->lease.server = in->server;
	m->last = *in;
	set_times(&m->lease, in, now);
	m->state = DHCP6_BOUND;
	m->next = m->lease.t1;
	return DHCP_GOT;
}

enum dhcp_event dhcp6_receive(struct dhcp6_machine *m, const struct dhcp6_packet *in, int64_t now)
{
	m->out_len = 0;
	if (in->xid != m->xid || !duid_eq(&in->client, &m->client) || !in->server.len)
		return DHCP_NOTHING;
	switch (m->state) {
	case DHCP6_SOLICITING:
		return take_advertise(m, in, now);
	case DHCP6_REQUESTING:
	case DHCP6_RENEWING:
	case DHCP6_REBINDING:
		return take_reply(m, in, now);
	default:
		return DHCP_NOTHING;
	}
}

/* ---- time */

enum dhcp_event dhcp6_tick(struct dhcp6_machine *m, int64_t now)
{
	m->out_len = 0;
	if (now < m->next)
		return DHCP_NOTHING;
	switch (m->state) {
	case DHCP6_SOLICITING:
		solicit(m, now);
		return DHCP_NOTHING;
	case DHCP6_REQUESTING:
		if (now < m->request_until) {
			request(m, now);
			return DHCP_NOTHING;
		}
		m->state = DHCP6_SOLICITING;
		m->lease = (struct dhcp6_lease){ 0 };
		new_exchange(m, now);
		solicit(m, now);
		return DHCP_NOTHING;
	case DHCP6_BOUND:
	case DHCP6_RENEWING:
	case DHCP6_REBINDING:
		if (now >= m->lease.expire)
			return lose(m);
		if (m->state == DHCP6_BOUND)
			new_exchange(m, now);
		m->state = now >= m->lease.t2 ? DHCP6_REBINDING : DHCP6_RENEWING;
		renew(m, now);
		return DHCP_NOTHING;
	case DHCP6_IDLE:
	case DHCP6_LOST:
		break;
	}
	m->next = DHCP_FOREVER;
	return DHCP_NOTHING;
}

/* ---- birth */

static void identify(struct dhcp6_machine *m, const char *id)
{
	unsigned char hash[SHA512_SIZE];

	sha512(id, strlen(id), hash);
	m->client.b[1] = DUID_UUID;
	memcpy(m->client.b + 2, hash, UUID_BYTES);
	m->client.len = 2 + UUID_BYTES;
	memcpy(&m->iaid, hash + UUID_BYTES, sizeof m->iaid);
}

void dhcp6_start(struct dhcp6_machine *m, const char *id, const struct pace_conf *c, uint32_t seed,
		 int64_t now)
{
	*m = (struct dhcp6_machine){ .state = DHCP6_SOLICITING, .next = now };
	pace_init(&m->pace, c, seed);
	identify(m, id);
	new_exchange(m, now);
}

void dhcp6_resume(struct dhcp6_machine *m, const char *id, const struct pace_conf *c, uint32_t seed,
		  const struct dhcp6_lease *l, int64_t now)
{
	dhcp6_start(m, id, c, seed, now);
	m->state = DHCP6_BOUND;
	m->lease = *l;
	m->next = l->t1;
}
