// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/error.h"
#include "netlib/ip/ifname.h"

#define NAME_MAX_CNI 1024
#define ARGS_MAX (64 * 1024)

const char *const cni_verb_names[CNI_VERBS] = { "ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION" };

/* CNI 1.1.0 "Parameters", as the reference's skeleton demands them (bits by verb). */
#define ON(v) (1U << (v))
#define ATTACH (ON(CNI_ADD) | ON(CNI_DEL) | ON(CNI_CHECK))
static const struct {
	const char *name;
	unsigned required;
	size_t off;
} vars[] = {
	{ "CNI_CONTAINERID", ATTACH, offsetof(struct cni_env, container) },
	{ "CNI_NETNS", ON(CNI_ADD) | ON(CNI_CHECK), offsetof(struct cni_env, netns) },
	{ "CNI_IFNAME", ATTACH, offsetof(struct cni_env, ifname) },
	{ "CNI_ARGS", 0, offsetof(struct cni_env, args) },
	{ "CNI_PATH", ON(CNI_ADD) | ON(CNI_DEL) | ON(CNI_CHECK) | ON(CNI_GC) | ON(CNI_STATUS),
	  offsetof(struct cni_env, path) },
};

bool cni_name_ok(const char *s)
{
	if (strlen(s) > NAME_MAX_CNI)
		return false;
	for (const char *p = s; *p; p++) {
		bool alnum = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			     (*p >= '0' && *p <= '9');

		if (!alnum && (p == s || !strchr("_.-", *p)))
			return false;
	}
	return *s != 0;
}

static int validate(const struct cni_env *v, struct err *e)
{
	if (!(ON(v->verb) & ATTACH))
		return 0;
	if (!cni_name_ok(v->container)) {
		(void)err_code(e, -EINVAL, CNI_E_ENV, "invalid characters in containerID");
		err_details(
			e,
			"CNI_CONTAINERID is \"%.100s\"; expected letters, digits, '_', '.' and '-', first a letter or "
			"digit, at most %d",
			v->container, NAME_MAX_CNI);
		return -EINVAL;
	}
	const char *problem = ifname_problem(v->ifname);
	if (problem)
		return err_code(e, -EINVAL, CNI_E_ENV, "CNI_IFNAME: interface name \"%.40s\" %s",
				v->ifname, problem);
	if (v->args && strlen(v->args) > ARGS_MAX)
		return err_code(e, -EINVAL, CNI_E_ENV, "CNI_ARGS is longer than %d bytes",
				ARGS_MAX);
	return 0;
}

int cni_env_read(struct cni_env *out, struct err *e)
{
	const char *command = getenv("CNI_COMMAND"), *override = getenv("CNI_NETNS_OVERRIDE");
	struct cni_env v = { .verb = CNI_VERBS };
	char missing[128] = "";

	for (int i = 0; command && i < CNI_VERBS; i++)
		if (!strcmp(command, cni_verb_names[i]))
			v.verb = (enum cni_verb)i;
	for (size_t i = 0; i < ARRAY_LEN(vars); i++) {
		const char *value = getenv(vars[i].name);
		bool empty = !value || !*value;

		*(const char **)(void *)((char *)&v + vars[i].off) = empty ? NULL : value;
		if (empty && v.verb < CNI_VERBS && vars[i].required & ON(v.verb)) {
			size_t at = strlen(missing);

			(void)snprintf(missing + at, sizeof missing - at, "%s%s", at ? "," : "",
				       vars[i].name);
		}
	}
	v.netns_override = override && (!strcmp(override, "1") || str_same(override, "true"));
	if (!v.args)
		v.args = "";
	if (*missing)
		return err_code(e, -EINVAL, CNI_E_ENV, "required env variables [%s] missing",
				missing);
	if (v.verb < CNI_VERBS) {
		int r = validate(&v, e);

		if (r < 0)
			return r;
	}
	*out = v;
	if (v.verb == CNI_VERBS)
		return err_code(e, -ENOSYS, CNI_E_ENV, "unknown CNI_COMMAND: %.64s", command);
	return 0;
}

/* One "K=V" of CNI_ARGS; both parts non-overlapping slices of the text. */
struct pair {
	const char *key, *value;
	size_t nkey, nvalue;
};

/* The next pair at *p; 0 at the end. The reference wants exactly one '=' in each. */
static int next_pair(const char **p, struct pair *out, struct err *e)
{
	const char *s = *p, *end = strchrnul(s, ';'), *eq;

	if (!*s)
		return 0;
	eq = memchr(s, '=', (size_t)(end - s));
	if (!eq || memchr(eq + 1, '=', (size_t)(end - eq - 1)))
		return err_code(e, -EINVAL, CNI_E_ENV,
				"ARGS: invalid pair \"%.*s\"; expected KEY=VALUE", (int)(end - s),
				s);
	*out = (struct pair){ s, eq + 1, (size_t)(eq - s), (size_t)(end - eq - 1) };
	*p = *end ? end + 1 : end;
	return 1;
}

static bool key_is(const struct pair *kv, const char *key)
{
	return strlen(key) == kv->nkey && !memcmp(key, kv->key, kv->nkey);
}

int cni_arg(const char *args, const char *key, char *buf, unsigned size, struct err *e)
{
	struct pair kv;
	int r, found = 0;

	while ((r = next_pair(&args, &kv, e)) > 0) {
		if (!key_is(&kv, key))
			continue;
		if (kv.nvalue >= size)
			return err_code(e, -EINVAL, CNI_E_ENV,
					"ARGS: value of %s is longer than %u bytes", key, size - 1);
		memcpy(buf, kv.value, kv.nvalue);
		buf[kv.nvalue] = 0;
		found = 1;
	}
	return r < 0 ? r : found;
}

int cni_args_check(const char *args, const char *const *known, struct err *e)
{
	char ignore[16] = "", unknown[256] = "";
	struct pair kv;
	int r = cni_arg(args, "IgnoreUnknown", ignore, sizeof ignore, e);

	if (r < 0)
		return r;
	if (!strcmp(ignore, "1") || str_same(ignore, "true"))
		return 0;
	while ((r = next_pair(&args, &kv, e)) > 0) {
		const char *const *k = known;

		while (*k && !key_is(&kv, *k))
			k++;
		if (!*k && !key_is(&kv, "IgnoreUnknown")) {
			size_t at = strlen(unknown);

			(void)snprintf(unknown + at, sizeof unknown - at, "%s\"%.*s=%.*s\"",
				       at ? " " : "", (int)kv.nkey, kv.key, (int)kv.nvalue,
				       kv.value);
		}
	}
	if (r == 0 && *unknown)
		return err_code(e, -EINVAL, CNI_E_ENV,
				"ARGS: unknown args [%s]; IgnoreUnknown=1 accepts them", unknown);
	return r;
}
