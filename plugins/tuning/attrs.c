// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/tuning/attrs.h"

#include <net/if.h>
#include <stddef.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/cni/plugin.h"
#include "netlib/net/link.h"
#include "netlib/nl/nlmsg.h"

void attrs_override(struct attrs *to, const struct attrs *by)
{
	if (by->mac_text)
		to->mac_text = by->mac_text;
	if (by->mtu.given)
		to->mtu = by->mtu;
	if (by->promisc.given)
		to->promisc = by->promisc;
	if (by->allmulti.given)
		to->allmulti = by->allmulti;
	if (by->txqlen.given)
		to->txqlen = by->txqlen;
}

void attrs_settle(struct attrs *a)
{
	a->promisc.v = a->promisc.on;
	a->allmulti.v = a->allmulti.on;
}

static uint32_t mtu_of(const struct link *l)
{
	return l->mtu;
}

static uint32_t promisc_of(const struct link *l)
{
	return (l->flags & IFF_PROMISC) != 0;
}

static uint32_t allmulti_of(const struct link *l)
{
	return (l->flags & IFF_ALLMULTI) != 0;
}

static uint32_t txqlen_of(const struct link *l)
{
	return l->txqlen;
}

static void put_promisc(struct nlmsg *m, uint32_t index, uint32_t on)
{
	link_put_flags(m, index, on ? IFF_PROMISC : 0, IFF_PROMISC);
}

static void put_allmulti(struct nlmsg *m, uint32_t index, uint32_t on)
{
	link_put_flags(m, index, on ? IFF_ALLMULTI : 0, IFF_ALLMULTI);
}

static const struct setting {
	const char *key, *words;
	size_t off; /* of its struct number */
	bool two_states;
	uint32_t (*of)(const struct link *l);
	void (*put)(struct nlmsg *m, uint32_t index, uint32_t value);
} settings[] = {
	{ "promisc", "promiscuous mode", offsetof(struct attrs, promisc), true, promisc_of,
	  put_promisc },
	{ "mtu", "MTU", offsetof(struct attrs, mtu), false, mtu_of, link_put_mtu },
	{ "allmulti", "all-multicast mode", offsetof(struct attrs, allmulti), true, allmulti_of,
	  put_allmulti },
	{ "txQLen", "transmit queue length", offsetof(struct attrs, txqlen), false, txqlen_of,
	  link_put_txqlen },
};

static const struct number *number_of(const struct attrs *a, const struct setting *s)
{
	return (const struct number *)(const void *)((const char *)a + s->off);
}

bool attrs_any(const struct attrs *a)
{
	bool any = a->mac.set;

	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		any |= number_of(a, &settings[i])->given;
	return any;
}

void attrs_put(struct nlmsg *m, uint32_t index, const struct attrs *a, const char **keys)
{
	size_t n = 0;

	if (a->mac.set) {
		link_put_mac(m, index, &a->mac);
		if (keys)
			keys[n++] = "mac";
	}
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		const struct number *v = number_of(a, &settings[i]);

		if (!v->given)
			continue;
		settings[i].put(m, index, v->v);
		if (keys)
			keys[n++] = settings[i].key;
	}
}

void attrs_note(struct json_object *o, const struct attrs *want, const struct link *l)
{
	char mac[MAC_TEXT_MAX];

	if (want->mac.set)
		json_set_str(o, "mac", mac_text(&l->mac, mac));
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		const struct setting *s = &settings[i];

		if (!number_of(want, s)->given)
			continue;
		if (s->two_states)
			json_set_bool(o, s->key, s->of(l));
		else
			json_set_int(o, s->key, s->of(l));
	}
}

int attrs_check(const struct attrs *want, const struct link *l, struct err *e)
{
	char a[MAC_TEXT_MAX], b[MAC_TEXT_MAX];

	if (want->mac.set && !mac_eq(&want->mac, &l->mac))
		return cni_check_fail(
			e,
			"Error: Tuning configured Ethernet of %s is %s, current value "
			"is %s",
			l->name, mac_text(&want->mac, a), mac_text(&l->mac, b));
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		const struct setting *s = &settings[i];
		const struct number *n = number_of(want, s);
		/* promiscuous mode that nobody asked for is noticed, too */
		bool look = n->given || s->of == promisc_of;

		if (look && s->of(l) != n->v)
			return cni_check_fail(
				e, "Error: Tuning configured %s of %s is %u, current value is %u",
				s->words, l->name, n->v, s->of(l));
	}
	return 0;
}
