// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The JSON reader and printer: what was accepted is printed as JSON, and reads back as the same
 * document.
 */
#include <string.h>

#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/jsonpos.h"
#include "netlib/base/str.h"
#include "tests/fuzz/fuzz.h"

struct thing {
	const char *s;
	bool b, given;
	uint8_t u8;
	uint32_t u32;
	int64_t i64;
	struct thing *list;
	const char **strs;
	size_t nlist, nstrs;
	struct json_object *raw;
};

static const struct field leaf[] = { FIELD_STR("s", struct thing, s),
				     FIELD_BOOL("b", struct thing, b), FIELD_END };
static const struct field fields[] = { FIELD_STR("s", struct thing, s),
				       FIELD_BOOL("b", struct thing, b),
				       FIELD_INT("u8", struct thing, u8, 0, 255),
				       FIELD_U32("u32", struct thing, u32, 1, 65535),
				       FIELD_INT("i64", struct thing, i64, INT64_MIN + 1,
						 INT64_MAX - 1),
				       FIELD_ARRAY("list", struct thing, list, nlist, leaf),
				       FIELD_STRS("strs", struct thing, strs, nstrs),
				       FIELD_RAW("raw", struct thing, raw),
				       FIELD_GIVEN("raw", struct thing, given),
				       FIELD_END };

static void reads_back(struct json_object *root)
{
	for (int sorted = 0; sorted < 2; sorted++)
		for (int indent = 0; indent <= 4; indent += 4) {
			struct str a = STR_INIT, b = STR_INIT;
			struct doc d = DOC_INIT;
			struct err e = ERR_INIT;

			json_print(&a, root, indent, sorted);
			/* escapes make a text longer: that may be the only objection */
			if (a.len <= DOC_BYTES_MAX) {
				PROMISE(doc_parse(&d, a.p, a.len, &e) == 0);
				json_print(&b, d.root, indent, sorted);
				PROMISE(a.len == b.len && !memcmp(a.p, b.p, a.len));
			}
			str_free(&a);
			str_free(&b);
			doc_free(&d);
		}
}

static void is_found(const char *pointer, struct json_pos at, void *size)
{
	PROMISE(*pointer == '/' && at.line >= 1 && at.column >= 1);
	PROMISE(at.line <= (uintptr_t)size && at.column <= (uintptr_t)size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct doc d = DOC_INIT;
	struct thing t = { 0 };
	struct err e = ERR_INIT;
	struct json_pos pos;
	int r = doc_parse(&d, (const char *)data, size, &e);

	PROMISE(r == 0 ? !e.no : e.code == 6 && *e.text && !d.root);
	if (r == 0) {
		reads_back(d.root);
		r = decode(&d, d.root, fields, &t, "", &e);
		PROMISE(r == 0 ? !e.no : e.code == 7 && *e.text);
		PROMISE(r < 0 || t.u32 == 0 || t.u32 <= 65535);
		(void)json_get(d.root, "s");
		json_each_twice((const char *)data, size, is_found, (void *)(uintptr_t)size);
	}
	(void)json_locate((const char *)data, size, "/list/0/s", true, &pos);
	doc_free(&d);
	return 0;
}
