/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_PLUGINS_TUNING_ATTRS_H
#define NARU_PLUGINS_TUNING_ATTRS_H

#include <stdbool.h>
#include <stdint.h>

#include "netlib/base/decode.h"
#include "netlib/ip/mac.h"

struct err;
struct json_object;
struct link;
struct nlmsg;

/* The settings of an interface that tuning knows, a row each. */

struct number {
	uint32_t v;
	bool on; /* of a key that is true or false */
	bool given;
};

/* What is asked for, and in the same shape what was there before. */
struct attrs {
	const char *mac_text;
	struct mac mac;
	struct number mtu, promisc, allmulti, txqlen;
	struct json_object *sysctl;
};

/* The reference's keys of a configuration, of args.cni and of a backup file are the same. */
#define ATTR_FIELDS(T, a) \
	FIELD_RAW("sysctl", T, a sysctl), FIELD_STR("mac", T, a mac_text), \
		FIELD_U32("mtu", T, a mtu.v, 0, 65536), FIELD_GIVEN("mtu", T, a mtu.given), \
		FIELD_BOOL("promisc", T, a promisc.on), \
		FIELD_GIVEN("promisc", T, a promisc.given), \
		FIELD_BOOL("allmulti", T, a allmulti.on), \
		FIELD_GIVEN("allmulti", T, a allmulti.given), \
		FIELD_U32("txQLen", T, a txqlen.v, 0, INT32_MAX), \
		FIELD_GIVEN("txQLen", T, a txqlen.given)

#define ATTRS_MESSAGES 5 /* at most, of attrs_put */

/* What args.cni gives replaces the keys. */
void attrs_override(struct attrs *to, const struct attrs *by);
/* Keys of two states are numbers from then on. */
void attrs_settle(struct attrs *a);
bool attrs_any(const struct attrs *a);
/* The messages that make it so; keys (may be NULL) gets the key of each, for errors. */
void attrs_put(struct nlmsg *m, uint32_t index, const struct attrs *a, const char **keys);
/* What the link has of what is wanted, as a backup file says it. */
void attrs_note(struct json_object *o, const struct attrs *want, const struct link *l);
int attrs_check(const struct attrs *want, const struct link *l, struct err *e);

#endif
