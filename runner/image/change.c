// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/image/change.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/ip/port.h"

#define PORTS_MAX 1024 /* of one EXPOSE */

/* Words of an instruction, quotes and backslashes taken off. */
struct words {
	char **v;
	size_t n;
};

static void words_clear(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->v[i]);
	free(w->v);
}

#define cleanup_words __attribute__((cleanup(words_clear)))

static int next_word(const char **p, struct str *out, struct err *e)
{
	char quote = 0;

	for (; **p && (quote || !strchr(" \t", **p)); (*p)++) {
		if (quote && **p == quote)
			quote = 0;
		else if (!quote && (**p == '"' || **p == '\''))
			quote = **p;
		else if (**p == '\\' && quote != '\'' && (*p)[1])
			str_addc(out, *++*p);
		else
			str_addc(out, **p);
	}
	return quote ? err_say(e, -EINVAL, "a %c is not closed", quote) : 0;
}

static int split(const char *text, struct words *out, struct err *e)
{
	for (const char *p = text; *(p += strspn(p, " \t"));) {
		cleanup_str struct str s = STR_INIT;
		int r = next_word(&p, &s, e);
		char **slot;

		if (r < 0)
			return r;
		slot = vec_add(&out->v, &out->n);
		if (!slot || !(*slot = str_take(&s)))
			return err_set(e, -ENOMEM, "split it");
	}
	return out->n ? 0 : err_say(e, -EINVAL, "a value is missing");
}

/* ["a","b"] as a new array; 0 when the text is none. */
static int exec_form(const char *text, struct json_object **out, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	int r;

	if (*text != '[')
		return 0;
	if ((r = doc_parse(&d, text, strlen(text), e)) < 0)
		return r;
	for (size_t i = 0; i < json_len(d.root); i++)
		if (!json_text(json_at(d.root, i)))
			return err_say(e, -EINVAL, "expected an array of strings");
	*out = json_ref(d.root);
	return 1;
}

static int set_command(struct json_object *config, const char *key, const char *text, struct err *e)
{
	struct json_object *argv = NULL;
	int r = exec_form(text, &argv, e);

	if (r < 0)
		return r;
	if (r == 0) {
		argv = json_arr();
		json_append(argv, json_new_str("/bin/sh"));
		json_append(argv, json_new_str("-c"));
		json_append(argv, json_new_str(text));
	}
	json_set(config, key, argv);
	return 0;
}

static int do_cmd(struct json_object *config, const char *text, struct err *e)
{
	return set_command(config, "Cmd", text, e);
}

static int do_entrypoint(struct json_object *config, const char *text, struct err *e)
{
	return set_command(config, "Entrypoint", text, e);
}

/* Env keeps its order; a name given again replaces the old value in its place. */
static void set_env(struct json_object *config, const char *name, size_t len, const char *pair)
{
	struct json_object *old = json_get(config, "Env"), *now = json_arr();
	bool done = false;

	for (size_t i = 0; i < json_len(old); i++) {
		const char *one = json_text(json_at(old, i));

		if (one && !strncmp(one, name, len) && one[len] == '=') {
			json_append(now, json_new_str(pair));
			done = true;
		} else {
			json_append(now, json_ref(json_at(old, i)));
		}
	}
	if (!done)
		json_append(now, json_new_str(pair));
	json_set(config, "Env", now);
}

static struct json_object *member(struct json_object *config, const char *key)
{
	struct json_object *o = json_get(config, key);

	if (!o) {
		o = json_obj();
		json_set(config, key, o);
	}
	return o;
}

static void set_label(struct json_object *config, const char *name, size_t len, const char *pair)
{
	(void)name;
	cleanup_free char *key = strndup(pair, len);
	if (key)
		json_set_str(member(config, "Labels"), key, pair + len + 1);
}

/* K=V ... or K V */
static int set_pairs(struct json_object *config, const char *text,
		     void (*set)(struct json_object *, const char *, size_t, const char *),
		     struct err *e)
{
	cleanup_words struct words w = { 0 };
	int r = split(text, &w, e);

	if (r < 0)
		return r;
	if (!strchr(w.v[0], '=')) {
		const char *value = text + strcspn(text, " \t");
		cleanup_free char *pair = str_fmt("%s=%s", w.v[0], value + strspn(value, " \t"));

		if (w.n < 2)
			return err_say(e, -EINVAL, "expected NAME=VALUE");
		if (!pair)
			return err_set(e, -ENOMEM, "take it");
		set(config, w.v[0], strlen(w.v[0]), pair);
		return 0;
	}
	for (size_t i = 0; i < w.n; i++)
		if (!strchr(w.v[i], '=') || w.v[i][0] == '=')
			return err_say(e, -EINVAL, "expected NAME=VALUE, got \"%.80s\"", w.v[i]);
	for (size_t i = 0; i < w.n; i++)
		set(config, w.v[i], (size_t)(strchr(w.v[i], '=') - w.v[i]), w.v[i]);
	return 0;
}

static int do_env(struct json_object *config, const char *text, struct err *e)
{
	return set_pairs(config, text, set_env, e);
}

static int do_label(struct json_object *config, const char *text, struct err *e)
{
	return set_pairs(config, text, set_label, e);
}

static int expose(struct json_object *ports, char *word, struct err *e)
{
	char *slash = strchr(word, '/'), *dash;
	uint64_t first, last;
	uint8_t proto;

	if (slash)
		*slash++ = 0;
	if (proto_parse(slash ?: "tcp", &proto) < 0)
		return err_say(e, -EINVAL, "expected tcp, udp or sctp after the '/', got \"%.40s\"",
			       slash);
	if ((dash = strchr(word, '-')))
		*dash++ = 0;
	if (str_u64(word, 65535, &first) < 0 || str_u64(dash ?: word, 65535, &last) < 0 || !first ||
	    last < first)
		return err_say(e, -EINVAL,
			       "expected a port or a range of ports 1..65535, got \"%.40s%s%.40s\"",
			       word, dash ? "-" : "", dash ?: "");
	if (last - first >= PORTS_MAX)
		return err_say(e, -EINVAL, "a range of more than %d ports", PORTS_MAX);
	for (uint64_t p = first; p <= last; p++) {
		char key[32];

		(void)str_copyf(key, sizeof key, "%u/%s", (unsigned)p, proto_name(proto));
		json_set(ports, key, json_obj());
	}
	return 0;
}

static int do_expose(struct json_object *config, const char *text, struct err *e)
{
	cleanup_json struct json_object *scratch = json_obj();
	cleanup_words struct words w = { 0 };
	int r = split(text, &w, e);

	for (size_t i = 0; r == 0 && i < w.n; i++) { /* first to see whether all are good */
		cleanup_free char *copy = strdup(w.v[i]);

		r = copy ? expose(scratch, copy, e) : -ENOMEM;
	}
	for (size_t i = 0; r == 0 && i < w.n; i++)
		r = expose(member(config, "ExposedPorts"), w.v[i], e);
	return r;
}

static int do_volume(struct json_object *config, const char *text, struct err *e)
{
	cleanup_json struct json_object *list = NULL;
	cleanup_words struct words w = { 0 };
	int r = exec_form(text, &list, e);

	if (r == 0)
		r = split(text, &w, e);
	for (size_t i = 0; r >= 0 && i < json_len(list); i++) {
		char **slot = vec_add(&w.v, &w.n);

		if (!slot || !(*slot = strdup(json_text(json_at(list, i)))))
			r = err_set(e, -ENOMEM, "take it");
	}
	for (size_t i = 0; r >= 0 && i < w.n; i++)
		if (w.v[i][0] != '/')
			return err_say(e, -EINVAL, "expected an absolute path, got \"%.80s\"",
				       w.v[i]);
	for (size_t i = 0; r >= 0 && i < w.n; i++)
		json_set(member(config, "Volumes"), w.v[i], json_obj());
	return r < 0 ? r : 0;
}

static int set_one(struct json_object *config, const char *key, const char *text, struct err *e)
{
	cleanup_words struct words w = { 0 };
	int r = split(text, &w, e);

	if (r == 0 && w.n > 1)
		r = err_say(e, -EINVAL, "expected one value, got %zu", w.n);
	if (r == 0)
		json_set_str(config, key, w.v[0]);
	return r;
}

static int do_user(struct json_object *config, const char *text, struct err *e)
{
	return set_one(config, "User", text, e);
}

static int do_stopsignal(struct json_object *config, const char *text, struct err *e)
{
	return set_one(config, "StopSignal", text, e);
}

/* A relative path goes on from the one before. */
static int do_workdir(struct json_object *config, const char *text, struct err *e)
{
	const char *before = json_text(json_get(config, "WorkingDir"));

	if (*text != '/') {
		cleanup_free char *joined =
			str_fmt("%s/%s", before && strcmp(before, "/") ? before : "", text);

		return joined ? set_one(config, "WorkingDir", joined, e) : -ENOMEM;
	}
	return set_one(config, "WorkingDir", text, e);
}

static const struct {
	const char *name;
	int (*run)(struct json_object *config, const char *text, struct err *e);
} instructions[] = {
	{ "CMD", do_cmd },	 { "ENTRYPOINT", do_entrypoint }, { "ENV", do_env },
	{ "EXPOSE", do_expose }, { "LABEL", do_label },		  { "STOPSIGNAL", do_stopsignal },
	{ "USER", do_user },	 { "VOLUME", do_volume },	  { "WORKDIR", do_workdir },
};

int image_change(struct json_object *config, const char *text, struct err *e)
{
	const char *word = text + strspn(text, " \t");
	size_t n = strcspn(word, " \t");
	const char *value = word + n + strspn(word + n, " \t");

	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 && *p != '\t')
			return err_say(e, -EINVAL,
				       "change \"%.60s\": control characters are not accepted",
				       text);
	for (size_t i = 0; i < ARRAY_LEN(instructions); i++) {
		if (strlen(instructions[i].name) != n || strncasecmp(instructions[i].name, word, n))
			continue;
		if (!*value)
			return err_say(e, -EINVAL, "change \"%.120s\": a value is missing", text);
		int r = instructions[i].run(config, value, e);
		return r < 0 ? err_wrap(e, "change \"%.120s\"", text) : 0;
	}
	return err_say(
		e, -EINVAL,
		"change \"%.120s\": unknown instruction; expected CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, "
		"USER, VOLUME or WORKDIR",
		text);
}
