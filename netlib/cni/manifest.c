// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/manifest.h"

#include <stdio.h>
#include <string.h>

#include "netlib/base/decode.h"
#include "netlib/base/sha512.h"

bool manifest_lists(struct json_object *manifest, const char *key, const char *name)
{
	struct json_object *v = json_get(manifest, key);

	for (size_t i = 0; json_is_array(v) && i < json_len(v); i++) {
		struct json_object *o = json_at(v, i);
		const char *text =
			json_is_object(o) ? json_text(json_get(o, "file")) : json_text(o);

		if (text && !strcmp(text, name))
			return true;
	}
	return false;
}

struct json_object *manifest_list(struct json_object *manifest, const char *key)
{
	struct json_object *v = json_get(manifest, key);

	return json_is_array(v) ? v : NULL;
}

void manifest_sum(const char *text, size_t len, char out[MANIFEST_SUM_MAX])
{
	unsigned char sum[SHA512_SIZE];

	sha512(text, len, sum);
	for (size_t i = 0; i < SHA512_SIZE; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

struct json_object *manifest_conf(struct json_object *manifest, const char *name)
{
	struct json_object *v = manifest_list(manifest, "conf");

	for (size_t i = 0; v && i < json_len(v); i++) {
		const char *file = json_text(json_get(json_at(v, i), "file"));

		if (file && !strcmp(file, name))
			return json_at(v, i);
	}
	return NULL;
}

bool manifest_wrote(struct json_object *entry, const char *text, size_t len)
{
	const char *sum = json_text(json_get(entry, "sha512")),
		   *was = json_text(json_get(entry, "was"));
	char is[MANIFEST_SUM_MAX];

	manifest_sum(text, len, is);
	return (sum && !strcmp(is, sum)) || (was && !strcmp(is, was));
}

const char *manifest_before(struct json_object *entry, const char *sum)
{
	const char *last = json_text(json_get(entry, "sha512"));

	return last && strcmp(last, sum) ? last : json_text(json_get(entry, "was"));
}
