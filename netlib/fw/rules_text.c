// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names and texts of sets, elements and rules. The commands are in nft's language, so that nft
 * itself can check them.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/str.h"
#include "netlib/fw/fw.h"
#include "netlib/fw/rules.h"
#include "netlib/ip/port.h"

static const char *ip_word(uint8_t family)
{
	return family == AF_INET6 ? "ip6" : "ip";
}

static const char *addr_type(uint8_t family)
{
	return family == AF_INET6 ? "ipv6_addr" : "ipv4_addr";
}

/* nft's names have no ':' in them. */
static void swap_char(char *s, char from, char to)
{
	for (; *s; s++)
		if (*s == from)
			*s = to;
}

static bool plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

/* An interface may be called almost anything; nft's names may not: "br+1" is "br/2b1". */
static void bridge_to_name(const char *bridge, char *out)
{
	static const char hex[] = "0123456789abcdef";

	for (; *bridge; bridge++) {
		if (plain(*bridge)) {
			*out++ = *bridge;
			continue;
		}
		*out++ = '/';
		*out++ = hex[(unsigned char)*bridge >> 4];
		*out++ = hex[*bridge & 15];
	}
	*out = 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int bridge_from_name(const char *text, char bridge[IFNAME_MAX])
{
	size_t n = 0;

	for (; *text; text++) {
		char c = *text;

		if (c == '/') {
			int high = hex_digit(text[1]), low = high < 0 ? -1 : hex_digit(text[2]);

			if (low < 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			text += 2;
		}
		if (n + 1 >= IFNAME_MAX)
			return -EINVAL;
		bridge[n++] = c;
	}
	bridge[n] = 0;
	return n ? 0 : -EINVAL;
}

void fw_set_name(const struct fw_set *s, char name[FW_NAME_MAX])
{
	const char *base = fw_shapes[s->kind].name;
	char digit = s->family == AF_INET6 ? '6' : '4', ip[IP_TEXT_MAX];
	const char *percent = strchr(base, '%');

	if (percent) {
		int n = snprintf(name, FW_NAME_MAX, "%.*s%c%s", (int)(percent - base), base, digit,
				 percent + 2);

		bridge_to_name(s->bridge, name + n);
	} else if (!s->near.len) {
		(void)snprintf(name, FW_NAME_MAX, "%sall%c", base, digit);
	} else {
		(void)snprintf(name, FW_NAME_MAX, "%s%s-%u", base, ip_text(&s->near.addr, ip),
			       s->near.len);
		swap_char(name, ':', '_');
	}
}

static int parse_near(const char *text, struct fw_set *s)
{
	char buf[FW_NAME_MAX];
	uint64_t len;

	if (!strcmp(text, "all4") || !strcmp(text, "all6")) {
		s->family = text[3] == '6' ? AF_INET6 : AF_INET;
		s->near = (struct ip_prefix){ .addr.family = s->family };
		return 0;
	}
	if (str_copyf(buf, sizeof buf, "%s", text) < 0)
		return -EINVAL;
	char *dash = strrchr(buf, '-');
	if (!dash)
		return -EINVAL;
	*dash++ = 0;
	swap_char(buf, '_', ':');
	if (ip_parse(buf, &s->near.addr) < 0 || str_u64(dash, ip_bits(&s->near.addr), &len) < 0)
		return -EINVAL;
	s->near.len = (uint8_t)len;
	s->family = s->near.addr.family;
	return 0;
}

/* What stands before the prefix or the bridge in the name of a kind's sets; returns its length. */
static size_t stem_of(const struct fw_set *s, char stem[FW_NAME_MAX])
{
	struct fw_set bare = *s;

	if (!fw_shapes[s->kind].by_bridge)
		return strlen(strcpy(stem, fw_shapes[s->kind].name));
	*bare.bridge = 0;
	fw_set_name(&bare, stem);
	return strlen(stem);
}

static int parse_kind(const char *name, struct fw_set *s)
{
	char stem[FW_NAME_MAX], again[FW_NAME_MAX];
	size_t n = stem_of(s, stem);

	if (!str_starts(name, stem))
		return -EINVAL;
	int r = fw_shapes[s->kind].by_bridge ? bridge_from_name(name + n, s->bridge) :
					       parse_near(name + n, s);
	if (r < 0)
		return r;
	fw_set_name(s, again);
	return strcmp(name, again) ? -EINVAL : 0;
}

int fw_set_parse(const char *name, struct fw_set *out)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	char again[FW_NAME_MAX];

	for (size_t i = 0; i < FW_BASE_SETS; i++) {
		fw_set_name(&fw_base_sets[i], again);
		if (!strcmp(name, again)) {
			*out = fw_base_sets[i];
			return 0;
		}
	}
	for (size_t i = 0; i < FW_KINDS * ARRAY_LEN(families); i++) {
		struct fw_set s = { .kind = i / 2, .family = families[i % 2] };

		if (fw_kind_comes_and_goes(s.kind) && parse_kind(name, &s) == 0) {
			*out = s;
			return 0;
		}
	}
	return -EINVAL;
}

static int host_words(const struct fw_elem *x, char *buf, size_t size)
{
	char ip[IP_TEXT_MAX];

	if (!ip_is_set(&x->ip))
		return 0;
	return snprintf(buf, size, x->ip.family == AF_INET6 ? "[%s]:" : "%s:", ip_text(&x->ip, ip));
}

const char *fw_elem_key_words(const struct fw_elem *x, char buf[FW_KEY_WORDS_MAX])
{
	if (!fw_shapes[x->set.kind].port)
		return ip_text(&x->ip, buf);
	int n = host_words(x, buf, FW_KEY_WORDS_MAX);
	n += snprintf(buf + n, FW_KEY_WORDS_MAX - (size_t)n, "%u", x->port);
	if (x->last != x->port)
		n += snprintf(buf + n, FW_KEY_WORDS_MAX - (size_t)n, "-%u", x->last);
	(void)snprintf(buf + n, FW_KEY_WORDS_MAX - (size_t)n, "/%s", proto_name(x->proto));
	return buf;
}

const char *fw_elem_words(const struct fw_elem *x, char buf[FW_ELEM_WORDS_MAX])
{
	const struct fw_shape *s = &fw_shapes[x->set.kind];
	char key[FW_KEY_WORDS_MAX], ip[IP_TEXT_MAX];

	(void)fw_elem_key_words(x, key);
	if (s->to_port)
		(void)snprintf(buf, FW_ELEM_WORDS_MAX,
			       x->to.family == AF_INET6 ? "%s to [%s]:%u" : "%s to %s:%u", key,
			       ip_text(&x->to, ip), x->to_port);
	else if (s->to)
		(void)snprintf(buf, FW_ELEM_WORDS_MAX, "%s to %s", key, ip_text(&x->to, ip));
	else if (s->by_bridge)
		(void)snprintf(buf, FW_ELEM_WORDS_MAX, "%s from bridges%s %s", key,
			       x->set.kind == FW_KIND_ALONE ? " and from" : " other than",
			       x->set.bridge);
	else if (x->set.kind == FW_KIND_ACCEPT)
		(void)snprintf(buf, FW_ELEM_WORDS_MAX, "%s forwarded", key);
	else if (s->port && !x->set.near.len)
		(void)snprintf(buf, FW_ELEM_WORDS_MAX, "%s from anywhere", key);
	else
		(void)snprintf(buf, FW_ELEM_WORDS_MAX, "%s %s %s", key,
			       s->port ? "from" : "leaving", ip_prefix_text(&x->set.near, ip));
	return buf;
}

const char *fw_elem_what(const struct fw_elem *x)
{
	switch (fw_shapes[x->set.kind].part) {
	case FW_MASQ:
		return "masquerade";
	case FW_ACCEPT:
		return "accept";
	case FW_ISOLATE:
		return "isolate";
	default:
		return fw_shapes[x->set.kind].to ? "dnat" : "hairpin";
	}
}

/* How a packet's key is written in a rule; to: a set of addresses is asked for its destination. */
static void packet_key(struct str *s, const struct fw_set *set, bool to)
{
	const struct fw_shape *shape = &fw_shapes[set->kind];

	if (!shape->port)
		str_addf(s, "%s %caddr", ip_word(set->family), to ? 'd' : 's');
	else
		str_addf(s, "%s%smeta l4proto . th dport", shape->host ? ip_word(set->family) : "",
			 shape->host ? " daddr . " : "");
}

/* Those that say nothing of their own. */
static const char *const op_words[] = {
	[FW_OP_LOCAL] = " fib daddr type local",
	[FW_OP_NOT_LO] = " iif != \"lo\"",
	[FW_OP_ESTABLISHED] = " ct state established,related",
	[FW_OP_MASQ] = " masquerade",
	[FW_OP_ACCEPT] = " accept",
	[FW_OP_DROP] = " drop",
	[FW_OP_RETURN] = " return",
};

static void op_text(struct str *s, const struct fw_op *o)
{
	char ip[IP_TEXT_MAX], name[FW_NAME_MAX];
	const char *word = ip_word(o->prefix.addr.family);

	if (o->type < ARRAY_LEN(op_words) && op_words[o->type]) {
		str_add(s, op_words[o->type]);
		return;
	}
	switch (o->type) {
	case FW_OP_FAMILY:
		str_addf(s, " meta nfproto %s", o->family == AF_INET6 ? "ipv6" : "ipv4");
		break;
	case FW_OP_SADDR:
		str_addf(s, " %s saddr %s", word, ip_prefix_text(&o->prefix, ip));
		break;
	case FW_OP_DADDR:
		str_addf(s, " %s daddr %s", word, ip_prefix_text(&o->prefix, ip));
		break;
	case FW_OP_NOT_DADDR:
		str_addf(s, " %s daddr != %s", word, ip_prefix_text(&o->prefix, ip));
		break;
	case FW_OP_MARKED:
		str_addf(s, " meta mark & 0x%08x == 0x%08x", FW_MARK, FW_MARK);
		break;
	case FW_OP_IN:
	case FW_OP_TO_IN:
		fw_set_name(&o->set, name);
		str_addc(s, ' ');
		packet_key(s, &o->set, o->type == FW_OP_TO_IN);
		str_addf(s, " @%s", name);
		break;
	case FW_OP_IIF:
		str_addf(s, " iifname \"%s\"", o->set.bridge);
		break;
	case FW_OP_OIF:
	case FW_OP_NOT_OIF:
		str_addf(s, " oifname %s\"%s\"", o->type == FW_OP_NOT_OIF ? "!= " : "",
			 o->set.bridge);
		break;
	case FW_OP_SET_MARK:
		str_addf(s, " meta mark set meta mark | 0x%08x", FW_MARK);
		break;
	case FW_OP_DNAT:
		fw_set_name(&o->set, name);
		str_addf(s, " dnat %s to ", ip_word(o->family));
		packet_key(s, &o->set, false);
		str_addf(s, " map @%s", name);
		break;
	case FW_OP_JUMP:
		str_addf(s, " jump %s", fw_chains[o->chain].name);
		break;
	default: /* FW_OP_END */
		break;
	}
}

void fw_rule_text(struct str *s, const struct fw_rule *r)
{
	str_addf(s, "add rule inet naru %s", fw_chains[r->chain].name);
	for (size_t i = 0; i < FW_OPS_MAX && r->op[i].type != FW_OP_END; i++)
		op_text(s, &r->op[i]);
	str_addc(s, '\n');
}

static void set_text(struct str *s, const struct fw_set *set)
{
	const struct fw_shape *shape = &fw_shapes[set->kind];
	char name[FW_NAME_MAX];

	fw_set_name(set, name);
	str_addf(s, "add %s inet naru %s { type ", shape->to ? "map" : "set", name);
	if (shape->host || !shape->port)
		str_add(s, addr_type(set->family));
	if (shape->port)
		str_addf(s, "%sinet_proto . inet_service", shape->host ? " . " : "");
	if (shape->to)
		str_addf(s, " : %s%s", addr_type(set->family),
			 shape->to_port ? " . inet_service" : "");
	str_addf(s, ";%s }\n", shape->interval ? " flags interval;" : "");
}

void fw_elem_text(struct str *s, const struct fw_elem *x, const char *owner)
{
	const struct fw_shape *shape = &fw_shapes[x->set.kind];
	char name[FW_NAME_MAX], ip[IP_TEXT_MAX];

	fw_set_name(&x->set, name);
	str_addf(s, "add element inet naru %s { ", name);
	if (!shape->port || ip_is_set(&x->ip))
		str_add(s, ip_text(&x->ip, ip));
	else if (shape->host)
		str_add(s, x->set.family == AF_INET6 ? "::/0" : "0.0.0.0/0");
	if (shape->port)
		str_addf(s, "%s%s . %u", shape->host ? " . " : "", proto_name(x->proto), x->port);
	if (x->last != x->port)
		str_addf(s, "-%u", x->last);
	str_addf(s, " comment \"%s\"", owner);
	if (shape->to)
		str_addf(s, " : %s", ip_text(&x->to, ip));
	if (shape->to_port)
		str_addf(s, " . %u", x->to_port);
	str_add(s, " }\n");
}

void fw_base_text(struct str *s, unsigned parts)
{
	str_add(s, "add table inet naru\n");
	for (size_t i = 0; i < FW_BASE_SETS; i++)
		if (fw_set_belongs(&fw_base_sets[i], parts))
			set_text(s, &fw_base_sets[i]);
	for (size_t i = 0; i < FW_CHAINS; i++) {
		if (!fw_chain_belongs(i, parts))
			continue;
		str_addf(s, "add chain inet naru %s", fw_chains[i].name);
		if (fw_chains[i].type)
			str_addf(s, " { type %s; }", fw_chains[i].hook_text);
		str_addc(s, '\n');
	}
	for (size_t i = 0; i < FW_BASE_RULES; i++)
		if (fw_chain_belongs(fw_base_rules[i].chain, parts))
			fw_rule_text(s, &fw_base_rules[i]);
}

void fw_plan_text(struct str *s, const struct fw_elems *l, const char *owner)
{
	struct fw_rule rules[FW_SET_RULES_MAX];

	for (size_t i = 0; i < l->n; i++) {
		const struct fw_set *set = &l->elem[i].set;
		size_t k = 0;

		while (k < i && !fw_set_eq(&l->elem[k].set, set))
			k++;
		if (k < i || !fw_kind_comes_and_goes(set->kind))
			continue;
		set_text(s, set);
		size_t n = fw_set_rules(set, rules);
		for (k = 0; k < n; k++)
			fw_rule_text(s, &rules[k]);
	}
	for (size_t i = 0; i < l->n; i++)
		fw_elem_text(s, &l->elem[i], owner);
}
