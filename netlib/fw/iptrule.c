// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/iptrule.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/fw/iptmatch.h"

#define WORDS_MAX 96 /* of one line */

const struct ipt_match *ipt_rule_match(const struct ipt_rule *r, enum ipt_match_kind kind)
{
	for (size_t i = 0; i < r->nmatch; i++)
		if (r->match[i].kind == kind)
			return &r->match[i];
	return NULL;
}

const char *ipt_rule_comment(const struct ipt_rule *r)
{
	const struct ipt_match *m = ipt_rule_match(r, IPT_COMMENT);

	return m ? m->comment : "";
}

bool ipt_rule_eq(const struct ipt_rule *a, const struct ipt_rule *b)
{
	uint8_t x[IPT_ENTRY_MAX], y[IPT_ENTRY_MAX];

	if (a->foreign || b->foreign || a->family != b->family || a->nmatch != b->nmatch ||
	    a->target.kind != b->target.kind || strcmp(a->target.name, b->target.name) != 0)
		return false;
	size_t n = ipt_rule_encode(a, x);
	return ipt_rule_encode(b, y) == n && !memcmp(x, y, n);
}

/* ---- as text */

static const char *no(const struct ipt_rule *r, unsigned bit)
{
	return r->neg & bit ? " !" : "";
}

static void add_prefix(struct str *s, const char *neg, const char *option,
		       const struct ip_prefix *p)
{
	char text[IP_TEXT_MAX];

	if (ip_is_set(&p->addr))
		str_addf(s, "%s %s %s", neg, option, ip_prefix_text(p, text));
}

static void add_proto(struct str *s, const struct ipt_rule *r)
{
	const struct ipt_protocol *x = ipt_protocols;

	if (!r->proto)
		return;
	while (x->name && x->number != r->proto)
		x++;
	str_addf(s, "%s -p ", no(r, IPT_NOT_PROTO));
	if (x->name)
		str_add(s, x->name);
	else
		str_addf(s, "%u", r->proto);
}

static void add_dnat(struct str *s, const struct ipt_target *t)
{
	char ip[IP_TEXT_MAX] = "";
	bool v6 = t->to.family == AF_INET6 && t->to_port.first;

	if (ip_is_set(&t->to))
		(void)ip_text(&t->to, ip);
	str_addf(s, " --to-destination %s%s%s", v6 ? "[" : "", ip, v6 ? "]" : "");
	if (t->to_port.first)
		str_addf(s, ":%u", t->to_port.first);
	if (t->to_port.first != t->to_port.last)
		str_addf(s, "-%u", t->to_port.last);
}

static void add_target(struct str *s, const struct ipt_target *t)
{
	if (t->kind == IPT_NO_TARGET)
		return;
	str_addf(s, " -%c %s", t->kind == IPT_GOTO ? 'g' : 'j', t->name);
	if (t->kind == IPT_DNAT)
		add_dnat(s, t);
	if (t->kind == IPT_SET_MARK)
		str_addf(s, " --set-xmark 0x%x/0x%x", t->mark, t->mask);
}

void ipt_rule_text(struct str *s, const char *chain, const struct ipt_rule *r)
{
	if (chain)
		str_addf(s, "-A %s", chain);
	add_prefix(s, no(r, IPT_NOT_SRC), "-s", &r->src);
	add_prefix(s, no(r, IPT_NOT_DST), "-d", &r->dst);
	if (*r->in)
		str_addf(s, "%s -i %s", no(r, IPT_NOT_IN), r->in);
	if (*r->out)
		str_addf(s, "%s -o %s", no(r, IPT_NOT_OUT), r->out);
	add_proto(s, r);
	for (size_t i = 0; i < r->nmatch; i++) {
		const struct ipt_match *m = &r->match[i];

		str_addf(s, " -m %s",
			 m->kind == IPT_UNKNOWN ? m->name : ipt_match_specs[m->kind].name);
		if (m->kind != IPT_UNKNOWN)
			ipt_match_specs[m->kind].text(s, m);
	}
	add_target(s, &r->target);
}

/* ---- from a line */

/* The next word of a line, which is cut in place; NULL at the end. */
static char *next_word(char **at)
{
	char *s = *at + strspn(*at, " "), *word = s, *out = s;
	bool quoted = false;

	if (!*s)
		return NULL;
	for (; *s && (quoted || *s != ' '); s++) {
		if (*s == '"') {
			quoted = !quoted;
			continue;
		}
		if (*s == '\\' && quoted && s[1])
			s++;
		*out++ = *s;
	}
	*at = *s ? s + 1 : s;
	*out = 0;
	return word;
}

int ipt_rule_vline(struct ipt_rule *r, uint8_t family, struct err *e, const char *fmt, va_list ap)
{
	const char *words[WORDS_MAX];
	cleanup_free char *line = NULL;
	size_t n = 0;

	if (vasprintf(&line, fmt, ap) < 0) {
		line = NULL;
		return err_set(e, -ENOMEM, "read a rule");
	}
	for (char *at = line; n < WORDS_MAX && (words[n] = next_word(&at));)
		n++;
	return ipt_rule_words(r, family, words, n, e);
}

int ipt_rule_line(struct ipt_rule *r, uint8_t family, struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int rc = ipt_rule_vline(r, family, e, fmt, ap);
	va_end(ap);
	return rc;
}
