// SPDX-License-Identifier: GPL-2.0-or-later
/* iptables' words become a rule. */
#include "netlib/fw/iptrule.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/fw/iptmatch.h"

struct parse {
	struct ipt_rule *r;
	const char *option;
	struct err *e;
};

static int bad(const struct parse *p, const char *expected, const char *got)
{
	return err_say(p->e, -EINVAL, "%s: expected %s, got \"%.60s\"", p->option, expected, got);
}

static struct ipt_match *new_match(struct parse *p, enum ipt_match_kind kind)
{
	struct ipt_match *m = &p->r->match[p->r->nmatch];

	if (p->r->nmatch == IPT_MATCHES_MAX) {
		(void)err_say(p->e, -E2BIG, "more than %d matches in one rule", IPT_MATCHES_MAX);
		return NULL;
	}
	*m = (struct ipt_match){ .kind = kind };
	if (kind == IPT_TCP || kind == IPT_UDP || kind == IPT_SCTP)
		m->port[0].last = m->port[1].last = 65535;
	p->r->nmatch++;
	return m;
}

/* The newest match of the kind that the option belongs to. */
static struct ipt_match *last_match(struct parse *p, enum ipt_match_kind kind)
{
	for (size_t i = p->r->nmatch; i--;)
		if (p->r->match[i].kind == kind)
			return &p->r->match[i];
	(void)err_say(p->e, -EINVAL, "%s: expected \"-m %s\" before it", p->option,
		      ipt_match_specs[kind].name);
	return NULL;
}

/* ---- values */

static int take_number(const struct parse *p, const char *text, const char **end, uint32_t *out)
{
	char *stop;

	errno = 0;
	unsigned long v = strtoul(text, &stop, 0);
	if (errno || stop == text || v > UINT32_MAX || *text == '-' || *text == '+' ||
	    (!end && *stop))
		return bad(p, "a number of 32 bits", text);
	if (end)
		*end = stop;
	*out = (uint32_t)v;
	return 0;
}

/* VALUE[/MASK] */
static int take_masked(const struct parse *p, const char *text, uint32_t *value, uint32_t *mask)
{
	const char *end;
	int r = take_number(p, text, &end, value);

	*mask = UINT32_MAX;
	if (r < 0 || !*end)
		return r;
	return *end == '/' ? take_number(p, end + 1, NULL, mask) :
			     bad(p, "VALUE or VALUE/MASK", text);
}

static int take_port(const char *text, size_t n, uint16_t *out)
{
	char one[8];
	uint64_t v;

	if (str_copyf(one, sizeof one, "%.*s", (int)n, text) < 0 || str_u64(one, 65535, &v) < 0)
		return -EINVAL;
	*out = (uint16_t)v;
	return 0;
}

/* PORT or FIRST:LAST of n characters; an end left out is the first or last there is. */
static int take_span(const struct parse *p, const char *text, size_t n, struct ipt_span *out)
{
	const char *colon = memchr(text, ':', n);
	struct ipt_span s = IPT_ANY_PORT;
	size_t before = colon ? (size_t)(colon - text) : n;
	size_t after = colon ? n - before - 1 : 0;
	int r = before || !colon ? take_port(text, before, &s.first) : 0;

	if (!colon)
		s.last = s.first;
	else if (r == 0 && after)
		r = take_port(colon + 1, after, &s.last);
	if (r < 0 || s.first > s.last || n == 1 - (size_t)!colon)
		return bad(p, "a port number or FIRST:LAST", text);
	*out = s;
	return 0;
}

static int take_bits(const struct parse *p, const char *text, const struct ipt_bit *names,
		     const char *expected, uint16_t *out)
{
	uint16_t bits = 0;

	for (const char *s = text; *s;) {
		size_t n = strcspn(s, ",");
		const struct ipt_bit *b = names;

		while (b->name && (strncasecmp(b->name, s, n) != 0 || b->name[n]))
			b++;
		if (!b->name)
			return bad(p, expected, text);
		bits |= b->bit;
		s += n + (s[n] == ',');
	}
	if (!bits)
		return bad(p, expected, text);
	*out = bits;
	return 0;
}

static int take_prefix(const struct parse *p, const char *text, struct ip_prefix *out)
{
	struct ip_prefix x;

	if (ip_prefix_parse(text, &x) < 0) {
		if (ip_parse(text, &x.addr) < 0)
			return bad(p, "an address or a subnet (names and masks are not understood)",
				   text);
		x.len = (uint8_t)ip_bits(&x.addr);
	}
	if (x.addr.family != p->r->family)
		return bad(p, p->r->family == AF_INET ? "IPv4" : "IPv6", text);
	x.addr = ip_network(&x);
	*out = x.len ? x : (struct ip_prefix){ 0 }; /* what holds for all is not said */
	return 0;
}

/* ---- options of the rule itself */

/* Each of them once; what holds for all cannot be negated. */
static int once(struct parse *p, bool given, bool neg, unsigned bit)
{
	if (given)
		return err_say(p->e, -EINVAL, "%s: can be given only once", p->option);
	p->r->neg |= neg ? (uint8_t)bit : 0;
	return 0;
}

static int take_end(struct parse *p, bool neg, const char *arg, struct ip_prefix *end, unsigned bit)
{
	int r = once(p, ip_is_set(&end->addr), neg, bit);

	if (r == 0)
		r = take_prefix(p, arg, end);
	return r == 0 && neg && !ip_is_set(&end->addr) ? bad(p, "not all addresses", arg) : r;
}

static int opt_source(struct parse *p, bool neg, const char *arg)
{
	return take_end(p, neg, arg, &p->r->src, IPT_NOT_SRC);
}

static int opt_dest(struct parse *p, bool neg, const char *arg)
{
	return take_end(p, neg, arg, &p->r->dst, IPT_NOT_DST);
}

static int take_ifname(struct parse *p, bool neg, const char *arg, char name[IPT_IFNAME_MAX],
		       unsigned bit)
{
	int r = once(p, *name, neg, bit);

	if (r < 0)
		return r;
	if (!*arg || strpbrk(arg, " \t/") || str_copyf(name, IPT_IFNAME_MAX, "%s", arg) < 0)
		return bad(p, "an interface name of at most 15 characters", arg);
	return 0;
}

static int opt_in(struct parse *p, bool neg, const char *arg)
{
	return take_ifname(p, neg, arg, p->r->in, IPT_NOT_IN);
}

static int opt_out(struct parse *p, bool neg, const char *arg)
{
	return take_ifname(p, neg, arg, p->r->out, IPT_NOT_OUT);
}

static int opt_proto(struct parse *p, bool neg, const char *arg)
{
	static const char expected[] = "a protocol such as tcp, udp, sctp, icmp or its number";
	int r = once(p, p->r->proto, neg, IPT_NOT_PROTO);
	uint64_t n = 256;

	for (const struct ipt_protocol *x = ipt_protocols; x->name; x++)
		if (!strcasecmp(x->name, arg))
			n = x->number;
	if (r < 0 || (n > 255 && str_u64(arg, 255, &n) < 0) || (neg && !n))
		return r < 0 ? r : bad(p, expected, arg);
	p->r->proto = (uint8_t)n;
	return 0;
}

/* ---- options of matches */

static int opt_match(struct parse *p, bool neg, const char *arg)
{
	(void)neg;
	for (enum ipt_match_kind k = 0; k < IPT_MATCHES; k++)
		if (!strcmp(ipt_match_specs[k].name, arg))
			return new_match(p, k) ? 0 : -E2BIG;
	return bad(p, "comment, tcp, udp, sctp, multiport, mark, conntrack or addrtype", arg);
}

static int opt_comment(struct parse *p, bool neg, const char *arg)
{
	struct ipt_match *m = last_match(p, IPT_COMMENT);

	(void)neg;
	if (!m)
		return -EINVAL;
	if (strlen(arg) >= sizeof m->comment)
		return bad(p, "at most 255 characters", arg);
	memset(m->comment, 0, sizeof m->comment);
	memcpy(m->comment, arg, strlen(arg));
	return 0;
}

/* --dport needs -p tcp, udp or sctp, whose match it brings along when it is not there. */
static int take_ports(struct parse *p, bool neg, const char *arg, enum ipt_which w)
{
	static const struct {
		uint8_t proto;
		enum ipt_match_kind kind;
	} of[] = { { IPPROTO_TCP, IPT_TCP }, { IPPROTO_UDP, IPT_UDP }, { IPPROTO_SCTP, IPT_SCTP } };

	for (size_t i = 0; i < ARRAY_LEN(of); i++) {
		struct ipt_match *m = NULL;

		if (of[i].proto != p->r->proto)
			continue;
		for (size_t k = 0; k < p->r->nmatch; k++)
			if (p->r->match[k].kind == of[i].kind)
				m = &p->r->match[k];
		if (!m && !(m = new_match(p, of[i].kind)))
			return -E2BIG;
		m->neg[w] = neg;
		return take_span(p, arg, strlen(arg), &m->port[w]);
	}
	return err_say(p->e, -EINVAL, "%s: expected -p tcp, -p udp or -p sctp before it",
		       p->option);
}

static int opt_sport(struct parse *p, bool neg, const char *arg)
{
	return take_ports(p, neg, arg, IPT_SOURCE);
}

static int opt_dport(struct parse *p, bool neg, const char *arg)
{
	return take_ports(p, neg, arg, IPT_DEST);
}

static int take_multi(struct parse *p, bool neg, const char *arg, enum ipt_which w)
{
	struct ipt_match *m = last_match(p, IPT_MULTIPORT);
	unsigned places = 0;
	int r;

	if (!m)
		return -EINVAL;
	m->neg[0] = neg;
	m->multi.which = w;
	m->multi.n = 0;
	for (const char *s = arg; *s;) {
		size_t n = strcspn(s, ",");
		struct ipt_span span;

		if ((r = take_span(p, s, n, &span)) < 0)
			return r;
		places += span.first == span.last ? 1 : 2;
		if (places > IPT_PORTS_MAX)
			return bad(p, "at most 15 ports, of which a range counts as two", arg);
		m->multi.port[m->multi.n++] = span;
		s += n + (s[n] == ',');
	}
	return m->multi.n ? 0 : bad(p, "a list of ports", arg);
}

static int opt_sports(struct parse *p, bool neg, const char *arg)
{
	return take_multi(p, neg, arg, IPT_SOURCE);
}

static int opt_dports(struct parse *p, bool neg, const char *arg)
{
	return take_multi(p, neg, arg, IPT_DEST);
}

static int opt_ports(struct parse *p, bool neg, const char *arg)
{
	return take_multi(p, neg, arg, IPT_EITHER);
}

static int opt_mark(struct parse *p, bool neg, const char *arg)
{
	struct ipt_match *m = last_match(p, IPT_MARK);

	if (!m)
		return -EINVAL;
	m->neg[0] = neg;
	return take_masked(p, arg, &m->mark.value, &m->mark.mask);
}

static int opt_ctstate(struct parse *p, bool neg, const char *arg)
{
	struct ipt_match *m = last_match(p, IPT_CONNTRACK);

	if (!m)
		return -EINVAL;
	m->neg[0] = neg;
	return take_bits(p, arg, ipt_states,
			 "a list of INVALID, NEW, RELATED, ESTABLISHED, UNTRACKED, SNAT and DNAT",
			 &m->states);
}

static int take_type(struct parse *p, bool neg, const char *arg, enum ipt_which w)
{
	struct ipt_match *m = last_match(p, IPT_ADDRTYPE);

	if (!m)
		return -EINVAL;
	m->neg[w] = neg;
	return take_bits(p, arg, ipt_addrtypes, "address types such as LOCAL or UNICAST",
			 &m->type[w]);
}

static int opt_src_type(struct parse *p, bool neg, const char *arg)
{
	return take_type(p, neg, arg, IPT_SOURCE);
}

static int opt_dst_type(struct parse *p, bool neg, const char *arg)
{
	return take_type(p, neg, arg, IPT_DEST);
}

/* ---- targets */

static const struct {
	const char *name;
	enum ipt_target_kind kind;
} targets[] = {
	{ "ACCEPT", IPT_VERDICT }, { "DROP", IPT_VERDICT },	     { "RETURN", IPT_VERDICT },
	{ "QUEUE", IPT_VERDICT },  { "MASQUERADE", IPT_MASQUERADE }, { "DNAT", IPT_DNAT },
	{ "MARK", IPT_SET_MARK },
};

void ipt_rule_jump(struct ipt_rule *r, const char *target)
{
	struct ipt_target t = { .kind = IPT_JUMP };

	for (size_t i = 0; i < ARRAY_LEN(targets); i++)
		if (!strcmp(targets[i].name, target))
			t.kind = targets[i].kind;
	(void)str_copyf(t.name, sizeof t.name, "%s", target);
	r->target = t;
}

static int take_target(struct parse *p, const char *arg)
{
	if (p->r->target.kind != IPT_NO_TARGET)
		return err_say(p->e, -EINVAL, "%s: the rule has a target already (%s)", p->option,
			       p->r->target.name);
	if (!*arg || *arg == '-' || *arg == '!' || strpbrk(arg, " \t") ||
	    strlen(arg) >= IPT_NAME_MAX)
		return bad(p, "a target or a chain's name of at most 28 characters", arg);
	ipt_rule_jump(p->r, arg);
	return 0;
}

static int opt_jump(struct parse *p, bool neg, const char *arg)
{
	(void)neg;
	return take_target(p, arg);
}

static int opt_goto(struct parse *p, bool neg, const char *arg)
{
	int r = take_target(p, arg);

	(void)neg;
	if (r == 0 && p->r->target.kind != IPT_JUMP)
		return bad(p, "a chain's name", arg);
	p->r->target.kind = IPT_GOTO;
	return r;
}

static int wants_target(const struct parse *p, enum ipt_target_kind kind, const char *name)
{
	return p->r->target.kind == kind ?
		       0 :
		       err_say(p->e, -EINVAL, "%s: expected \"-j %s\" before it", p->option, name);
}

/* ADDRESS, ADDRESS:PORT[-PORT], [ADDRESS]:PORT[-PORT] or :PORT */
static int opt_to_dest(struct parse *p, bool neg, const char *arg)
{
	static const char expected[] = "ADDRESS, ADDRESS:PORT or ADDRESS:FIRST-LAST";
	struct ipt_target *t = &p->r->target;
	char addr[IP_TEXT_MAX], ports[16];
	const char *colon = *arg == '[' || p->r->family == AF_INET ? strrchr(arg, ':') : NULL;
	size_t n = colon ? (size_t)(colon - arg) : strlen(arg);
	int r = wants_target(p, IPT_DNAT, "DNAT");

	(void)neg;
	if (r < 0)
		return r;
	if (*arg == '[' && (n < 2 || arg[n - 1] != ']'))
		return bad(p, expected, arg);
	if (str_copyf(addr, sizeof addr, "%.*s", (int)(*arg == '[' ? n - 2 : n),
		      arg + (*arg == '[')) < 0 ||
	    (*addr && (ip_parse(addr, &t->to) < 0 || t->to.family != p->r->family)))
		return bad(p, expected, arg);
	if (!colon)
		return *addr ? 0 : bad(p, expected, arg);
	if (str_copyf(ports, sizeof ports, "%s", colon + 1) < 0 || strchr(ports, ':'))
		return bad(p, expected, arg);
	if (strchr(ports, '-'))
		*strchr(ports, '-') = ':';
	return take_span(p, ports, strlen(ports), &t->to_port);
}

static int opt_set_xmark(struct parse *p, bool neg, const char *arg)
{
	int r = wants_target(p, IPT_SET_MARK, "MARK");

	(void)neg;
	return r < 0 ? r : take_masked(p, arg, &p->r->target.mark, &p->r->target.mask);
}

static int opt_set_mark(struct parse *p, bool neg, const char *arg)
{
	int r = opt_set_xmark(p, neg, arg);

	if (r == 0)
		p->r->target.mask |= p->r->target.mark;
	return r;
}

static int opt_or_mark(struct parse *p, bool neg, const char *arg)
{
	int r = opt_set_xmark(p, neg, arg);

	if (r == 0)
		p->r->target.mask = p->r->target.mark;
	return r;
}

/* ---- the table of words */

typedef int option_fn(struct parse *p, bool neg, const char *arg);

static const struct {
	const char *name, *alias;
	option_fn *take;
	bool can_not; /* "!" may stand before it */
} options[] = {
	{ "-s", "--source", opt_source, true },
	{ "--src", "--source", opt_source, true },
	{ "-d", "--destination", opt_dest, true },
	{ "--dst", "--destination", opt_dest, true },
	{ "-i", "--in-interface", opt_in, true },
	{ "-o", "--out-interface", opt_out, true },
	{ "-p", "--protocol", opt_proto, true },
	{ "--proto", "--protocol", opt_proto, true },
	{ "-m", "--match", opt_match, false },
	{ "--comment", NULL, opt_comment, false },
	{ "--sport", "--source-port", opt_sport, true },
	{ "--dport", "--destination-port", opt_dport, true },
	{ "--sports", "--source-ports", opt_sports, true },
	{ "--dports", "--destination-ports", opt_dports, true },
	{ "--ports", NULL, opt_ports, true },
	{ "--mark", NULL, opt_mark, true },
	{ "--ctstate", NULL, opt_ctstate, true },
	{ "--src-type", NULL, opt_src_type, true },
	{ "--dst-type", NULL, opt_dst_type, true },
	{ "-j", "--jump", opt_jump, false },
	{ "-g", "--goto", opt_goto, false },
	{ "--to-destination", NULL, opt_to_dest, false },
	{ "--set-xmark", NULL, opt_set_xmark, false },
	{ "--set-mark", NULL, opt_set_mark, false },
	{ "--or-mark", NULL, opt_or_mark, false },
};

static int unknown(const char *word, struct err *e)
{
	cleanup_str struct str s = STR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		str_addf(&s, " %s", options[i].name);
	cleanup_free char *known = str_take(&s);
	return err_say(e, -EINVAL, "\"%.60s\" is no option that is understood here; those are:%s",
		       word, known ? known : "");
}

static int take_option(struct parse *p, bool neg, const char *arg)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (strcmp(options[i].name, p->option) != 0 &&
		    (!options[i].alias || strcmp(options[i].alias, p->option) != 0))
			continue;
		if (!arg)
			return err_say(p->e, -EINVAL, "%s: expected a value after it", p->option);
		if (neg && !options[i].can_not)
			return err_say(p->e, -EINVAL, "%s: \"!\" cannot stand before it",
				       p->option);
		return options[i].take(p, neg, arg);
	}
	return unknown(p->option, p->e);
}

/* What a match or target is nothing without. */
static int complete(const struct ipt_rule *r, struct err *e)
{
	const struct ipt_target *t = &r->target;

	for (size_t i = 0; i < r->nmatch; i++) {
		const struct ipt_match *m = &r->match[i];

		if ((m->kind == IPT_MULTIPORT && !m->multi.n) ||
		    (m->kind == IPT_CONNTRACK && !m->states) ||
		    (m->kind == IPT_ADDRTYPE && !m->type[0] && !m->type[1]))
			return err_say(e, -EINVAL, "-m %s: expected an option of it",
				       ipt_match_specs[m->kind].name);
	}
	if ((t->kind == IPT_DNAT && !ip_is_set(&t->to) && !t->to_port.first) ||
	    (t->kind == IPT_SET_MARK && !t->mark && !t->mask))
		return err_say(e, -EINVAL, "-j %s: expected an option of it", t->name);
	return 0;
}

int ipt_rule_more(struct ipt_rule *r, const char *const *words, size_t n, struct err *e)
{
	struct err why = ERR_INIT;
	struct parse p = { .r = r, .e = &why };
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i += 2) {
		bool neg = !strcmp(words[i], "!");

		if (neg && ++i == n)
			rc = err_say(&why, -EINVAL, "\"!\": expected an option after it");
		if (rc < 0)
			break;
		p.option = words[i];
		rc = take_option(&p, neg, i + 1 < n ? words[i + 1] : NULL);
	}
	if (rc == 0)
		rc = complete(r, &why);
	if (rc < 0 && e)
		*e = why;
	return rc;
}

int ipt_rule_words(struct ipt_rule *r, uint8_t family, const char *const *words, size_t n,
		   struct err *e)
{
	memset(r, 0, sizeof *r);
	r->family = family;
	return ipt_rule_more(r, words, n, e);
}
