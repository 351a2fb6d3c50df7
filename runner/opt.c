// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/opt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"

#define WORDS_MAX 96   /* long options of one verb */
#define NEAR 2	       /* edits */
#define HELP_COLUMN 28 /* where explanations start */

static const struct opt help_opt = {
	.type = OPT_T_FLAG,
	.letter = 'h',
	.name = "help",
	.help = "show this text",
};

/* -h is taken by no verb's table unless it lists it itself. */
static const struct opt *find(const struct verb *v, char letter, const char *name, size_t len)
{
	for (const struct opt *o = v->opts; o && o->type != OPT_T_END; o++)
		if (name ? o->name && strlen(o->name) == len && !memcmp(o->name, name, len) :
			   o->letter == letter)
			return o;
	if (name ? len == 4 && !memcmp(name, "help", 4) : letter == 'h')
		return &help_opt;
	return NULL;
}

unsigned opt_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned d[3][34];

	if (n > 32 || m > 32)
		return NEAR + 1;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *row = d[i % 3], *up = d[(i + 2) % 3], *up2 = d[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = up[j - 1] + (a[i - 1] != b[j - 1]);

			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			row[j] = best;
		}
	}
	return d[n % 3][m] > NEAR ? NEAR + 1 : d[n % 3][m];
}

const char *opt_nearest(const char *word, const char *const *words)
{
	size_t len = strlen(word), begins = 0;
	unsigned limit = len <= 5 ? 1 : NEAR,
		 best = limit + 1; /* "bogus" is not meant to be "logs" */
	const char *near = NULL, *longer = NULL;

	for (; *words; words++) {
		unsigned d = opt_distance(word, *words);

		if (d < best) {
			best = d;
			near = *words;
		}
		if (len >= 2 && !strncmp(*words, word, len)) {
			longer = *words;
			begins++;
		}
	}
	return begins == 1 ? longer : near;
}

static int unknown(const struct verb *v, const char *shown, const char *name, size_t len,
		   struct err *e)
{
	const char *words[WORDS_MAX + 1], *near;
	char word[33] = "";
	size_t n = 0;

	for (const struct opt *o = v->opts; o && o->type != OPT_T_END && n < WORDS_MAX; o++)
		if (o->name && o->type != OPT_T_REFUSED)
			words[n++] = o->name;
	words[n] = NULL;
	int r = err_say(e, -EINVAL, "naru %s has no option %s", v->name, shown);
	if (name && len < sizeof word) {
		memcpy(word, name, len);
		if ((near = opt_nearest(word, words))) {
			err_details(e, "did you mean --%s?", near);
			return r;
		}
	}
	err_details(e, "try: naru %s --help", v->name);
	return r;
}

static int set_flag(const struct opt *o, void *member, const char *value, struct err *e)
{
	if (value && strcmp(value, "true") && strcmp(value, "false"))
		return err_say(
			e, -EINVAL,
			"--%s takes no value: expected --%s, --%s=true or --%s=false, got \"%s\"",
			o->name, o->name, o->name, o->name, value);
	*(bool *)member = !value || !strcmp(value, "true");
	return 0;
}

static int set(const struct verb *v, const struct opt *o, const char *shown, const char *value,
	       void *base, struct err *e)
{
	void *member = (char *)base + o->off;
	int r;

	switch (o->type) {
	case OPT_T_FLAG:
		return set_flag(o, member, value, e);
	case OPT_T_TEXT:
		*(const char **)member = value;
		return 0;
	case OPT_T_LIST: {
		const char **slot =
			vec_add((const char ***)member, (size_t *)((char *)base + o->count_off));

		if (!slot)
			return err_set(e, -ENOMEM, "%s", shown);
		*slot = value;
		return 0;
	}
	case OPT_T_FN:
		if ((r = o->fn(value, member, e)) < 0)
			(void)err_wrap(e, "%s", shown);
		return r;
	default:
		r = err_say(e, -EINVAL, "naru %s does not support %s: %s", v->name, shown, o->help);
		err_details(e, "try: naru %s --help", v->name);
		return r;
	}
}

static int no_value(const struct verb *v, const struct opt *o, const char *shown, struct err *e)
{
	int r = err_say(e, -EINVAL, "naru %s: %s needs a value: %s %s", v->name, shown, shown,
			o->arg);

	err_details(e, "try: naru %s --help", v->name);
	return r;
}

/* "--name", "--name=value", "--name value"; *i moves over a value taken from the next word. */
static int long_opt(const struct verb *v, int argc, char **argv, int *i, void *base, struct err *e)
{
	const char *word = argv[*i] + 2, *eq = strchr(word, '='), *value = eq ? eq + 1 : NULL;
	size_t len = eq ? (size_t)(eq - word) : strlen(word);
	const struct opt *o = find(v, 0, word, len);
	char shown[64];

	(void)snprintf(shown, sizeof shown, "--%.*s", (int)len, word);
	if (!o)
		return unknown(v, shown, word, len, e);
	if (o == &help_opt)
		return OPT_HELP;
	if (o->arg && !value && o->type != OPT_T_REFUSED) {
		if (*i + 1 >= argc)
			return no_value(v, o, shown, e);
		value = argv[++*i];
	}
	return set(v, o, shown, value, base, e);
}

/* "-d", "-dq", "-p8080:80", "-p 8080:80", "-p=8080:80" */
static int short_opts(const struct verb *v, int argc, char **argv, int *i, void *base,
		      struct err *e)
{
	for (const char *p = argv[*i] + 1; *p; p++) {
		const struct opt *o = find(v, *p, NULL, 0);
		const char *value = NULL;
		char shown[3] = { '-', *p, 0 };
		int r;

		if (!o)
			return unknown(v, shown, NULL, 0, e);
		if (o == &help_opt)
			return OPT_HELP;
		if (o->arg && o->type != OPT_T_REFUSED) {
			value = p[1] == '='   ? p + 2 :
				p[1]	      ? p + 1 :
				*i + 1 < argc ? argv[++*i] :
						NULL;
			if (!value)
				return no_value(v, o, shown, e);
		}
		if ((r = set(v, o, shown, value, base, e)) != 0 || value)
			return r;
	}
	return 0;
}

static int count_operands(const struct verb *v, const struct operands *args, struct err *e)
{
	int r;

	if (args->n < v->min) {
		r = err_say(e, -EINVAL, "naru %s needs %s", v->name,
			    v->missing ? v->missing(args->n) : "one more word");
	} else if (args->n > v->max) {
		r = v->max ? err_say(e, -EINVAL,
				     "naru %s takes %zu word%s, got %zu: \"%s\" is too many",
				     v->name, v->max, v->max > 1 ? "s" : "", args->n,
				     args->v[v->max]) :
			     err_say(e, -EINVAL, "naru %s takes no words, got \"%s\"", v->name,
				     args->v[0]);
	} else {
		return 0;
	}
	err_details(e, "usage: naru %s %s", v->name, v->synopsis);
	return r;
}

int opt_parse(const struct verb *v, int argc, char **argv, void *base, struct operands *args,
	      struct err *e)
{
	int i = 1, kept = 1, r;

	for (; i < argc; i++) {
		char *word = argv[i];

		if (!strcmp(word, "--")) {
			i++;
			break;
		}
		if (word[0] != '-' || !word[1]) { /* "-" alone is a word */
			if (v->command)
				break;
			argv[kept++] = word;
			continue;
		}
		r = word[1] == '-' ? long_opt(v, argc, argv, &i, base, e) :
				     short_opts(v, argc, argv, &i, base, e);
		if (r != 0)
			return r;
	}
	while (i < argc)
		argv[kept++] = argv[i++];
	if (kept < argc)
		argv[kept] = NULL;
	*args = (struct operands){ .v = argv + 1, .n = (size_t)kept - 1 };
	return count_operands(v, args, e);
}

void opt_clear(const struct verb *v, void *base)
{
	for (const struct opt *o = v->opts; o && o->type != OPT_T_END; o++)
		if (o->type == OPT_T_LIST) {
			free(*(void **)((char *)base + o->off));
			*(void **)((char *)base + o->off) = NULL;
		}
}

static void help_line(const struct opt *o, struct str *out)
{
	char left[64];
	int n = snprintf(left, sizeof left, "  %c%c%s%s%s%s%s", o->letter ? '-' : ' ',
			 o->letter ? o->letter : ' ',
			 o->letter && o->name ? ", " :
			 o->letter	      ? "" :
						"  ",
			 o->name ? "--" : "", o->name ? o->name : "", o->arg ? " " : "",
			 o->arg ? o->arg : "");

	if (n < HELP_COLUMN)
		str_addf(out, "%-*s%s\n", HELP_COLUMN, left, o->help);
	else
		str_addf(out, "%s\n%*s%s\n", left, HELP_COLUMN, "", o->help);
}

void opt_help(const struct verb *v, struct str *out)
{
	str_addf(out, "usage: naru %s %s\n\n%s.\n", v->name, v->synopsis, v->about);
	if (v->examples)
		str_addf(out, "\nExamples:\n%s", v->examples);
	if (v->words) {
		str_addf(out, "\nFirst word:\n ");
		for (const char *const *w = v->words; *w; w++)
			str_addf(out, " %s", *w);
		str_addc(out, '\n');
	}
	str_add(out, "\nOptions:\n");
	for (const struct opt *o = v->opts; o && o->type != OPT_T_END; o++)
		if (o->type != OPT_T_REFUSED)
			help_line(o, out);
	help_line(&help_opt, out);
}

/*
 * "64m", "1.5g": number and unit apart is not needed, so both parsers read digits by hand and never
 * round through floating point.
 */

/* How often the kilo of a unit is in it, of "m", "mb" and "mib" alike, as docker has it. Or -1. */
static int unit_power(const char *unit)
{
	static const char units[] = "bkmgt";
	const char *u = *unit ? strchr(units, *unit | 0x20) : units, *rest = *unit ? unit + 1 : "";

	if (!u || (*rest && (u == units || (strcasecmp(rest, "b") && strcasecmp(rest, "ib")))))
		return -1;
	return (int)(u - units);
}

/* What is behind the point: at most nine digits, and no part of a byte. */
static bool add_part(const char *digits, size_t n, unsigned shift, uint64_t *bytes)
{
	uint64_t part = 0, scale = 1;

	if (n > 9 || (n && !shift))
		return false;
	for (size_t i = 0; i < n; i++, scale *= 10)
		part = part * 10 + (uint64_t)(digits[i] - '0');
	*bytes += (uint64_t)(((unsigned __int128)part << shift) / scale);
	return true;
}

int opt_size(const char *text, void *int64_member, struct err *e)
{
	size_t whole = strspn(text, "0123456789"), part = 0;
	const char *point = text + whole;
	char digits[24];
	uint64_t n;

	if (*point == '.')
		part = strspn(point + 1, "0123456789");
	int power = unit_power(part ? point + 1 + part : point);
	if (power >= 0 && str_copyf(digits, sizeof digits, "%.*s", (int)whole, text) == 0 &&
	    str_u64(digits, INT64_MAX >> 10 * power, &n) == 0) {
		n <<= 10 * power;
		if (add_part(point + 1, part, 10 * (unsigned)power, &n) && n) {
			*(int64_t *)int64_member = (int64_t)n;
			return 0;
		}
	}
	return err_say(e, -EINVAL, "expected a size such as 64m or 1.5g, got \"%s\"", text);
}

#define NANO 1000000000

int opt_cpus(const char *text, void *int64_member, struct err *e)
{
	size_t whole = strspn(text, "0123456789"), part = 0;
	int64_t nano = 0;

	if (text[whole] == '.')
		part = strspn(text + whole + 1, "0123456789");
	if (whole + part == 0 || whole > 6 || part > 9 || text[whole + (text[whole] == '.') + part])
		return err_say(e, -EINVAL,
			       "expected a number of processors such as 0.5 or 2, got \"%s\"",
			       text);
	for (size_t i = 0; i < whole; i++)
		nano = nano * 10 + (text[i] - '0');
	nano *= NANO;
	for (size_t i = 0, unit = NANO / 10; i < part; i++, unit /= 10)
		nano += (text[whole + 1 + i] - '0') * (int64_t)unit;
	if (nano < NANO / 100)
		return err_say(e, -EINVAL, "expected at least 0.01 processors, got \"%s\"", text);
	*(int64_t *)int64_member = nano;
	return 0;
}

int opt_count(const char *text, void *int64_member, struct err *e)
{
	uint64_t n;

	if (!strcmp(text, "-1")) {
		*(int64_t *)int64_member = -1;
		return 0;
	}
	if (str_u64(text, INT64_MAX, &n) < 0)
		return err_say(e, -EINVAL, "expected a whole number, got \"%s\"", text);
	*(int64_t *)int64_member = (int64_t)n;
	return 0;
}
