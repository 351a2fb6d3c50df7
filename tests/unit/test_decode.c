// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/jsonlex.h"
#include "netlib/base/str.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

/* ---- the document */

struct text_case {
	const char *text;
	size_t len;
	const char *want; /* what is printed again, or the error after "invalid JSON at offset " */
};
#define T(t, w) { t, sizeof(t) - 1, w }

/* Copied to the exact length, so that a sanitizer sees a read beyond it. */
static int parse(struct doc *d, const char *text, size_t len, struct err *e)
{
	cleanup_free char *exact = malloc(len ? len : 1);

	assert_non_null(exact);
	memcpy(exact, text, len);
	return doc_parse(d, exact, len, e);
}

static void what_is_json_is_accepted(void **state)
{
	static const struct text_case cases[] = {
		T("{}", "{}"),
		T(" \t\r\n{ } \n", "{}"),
		T("[]", "[]"),
		T("5", "5"),
		T("true", "true"),
		T("\"x\"", "\"x\""),
		T("null", "null"),
		T("-0", "0"),
		T("[0,-1,10,1.5,1e3,-1E+2,0.0,2e-7]", "[0,-1,10,1.5,1e3,-1E+2,0.0,2e-7]"),
		T("{\"a\":[true,false,null]}", "{\"a\":[true,false,null]}"),
		T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\""),
		T("\"\\u00e4\\u20AC\\ud83d\\ude00\"", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""),
		T("\"\xc3\xa4\xf4\x8f\xbf\xbf\x7f\"", "\"\xc3\xa4\xf4\x8f\xbf\xbf\x7f\""),
		T("{\"\":1}", "{\"\":1}"),
		T("{\"a\":1,\"a\":2}", "{\"a\":2}"),
		T("\"\\\\u0000\"", "\"\\\\u0000\""),
		T("9223372036854775806", "9223372036854775806"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_doc struct doc d = DOC_INIT;
		cleanup_str struct str s = STR_INIT;
		struct err e = ERR_INIT;

		if (parse(&d, cases[i].text, cases[i].len, &e) < 0)
			row_fail(i, e.text);
		json_print(&s, d.root, 0, false);
		row_text(i, cases[i].text, s.p, cases[i].want);
	}
}

static const struct text_case no_json[] = {
	T("", "0: the document ends too early"),
	T("  ", "2: the document ends too early"),
	T("{", "1: the document ends too early"),
	T("{\"a\":", "5: the document ends too early"),
	T("{\"a\":tr", "7: the document ends too early"),
	T("{\"a\":\"x", "7: the document ends too early"),
	T("{\"a\":\"x\\", "8: the document ends too early"),
	T("[1", "2: the document ends too early"),
	T("{\"a\":1,}", "7: unexpected character"),
	T("[1,]", "3: unexpected character"),
	T("[,]", "1: unexpected character"),
	T("{,}", "1: quoted object property name expected"),
	T("[1 2]", "3: array value separator ',' expected"),
	T("{\"a\" 1}", "5: object property name separator ':' expected"),
	T("{\"a\":1 \"b\":2}", "7: object value separator ',' expected"),
	T("]", "0: unexpected character"),
	T("{\"a\"}", "4: object property name separator ':' expected"),
	T("{} {}", "3: unexpected character"),
	T("{}x", "2: unexpected character 'x'"),
	T("{}\v", "2: unexpected byte 0x0b"),
	T("[\f]", "1: unexpected byte 0x0c"),
	T("{}\xc2\xa0", "2: unexpected byte 0xc2"),
	T("{/**/}", "1: unexpected character '/'"),
	T("#\n{}", "0: unexpected character '#'"),
	T("{'a':1}", "1: unexpected character '''"),
	T("{a:1}", "1: unexpected character 'a'"),
	T("[NaN]", "1: unexpected character 'N'"),
	T("[nan]", "1: unexpected character 'n'"),
	T("[Infinity]", "1: unexpected character 'I'"),
	T("[-Infinity]", "2: malformed number"),
	T("[True]", "1: unexpected character 'T'"),
	T("[NULL]", "1: unexpected character 'N'"),
	T("[truefalse]", "5: array value separator ',' expected"),
	T("[undefined]", "1: unexpected character 'u'"),
	T("[nullx]", "5: unexpected character 'x'"),
	T("[01]", "2: malformed number"),
	T("[-01]", "3: malformed number"),
	T("[1.]", "3: malformed number"),
	T("[.5]", "1: unexpected character '.'"),
	T("[+1]", "1: unexpected character '+'"),
	T("[-]", "2: malformed number"),
	T("[1e]", "3: malformed number"),
	T("[1e+]", "4: malformed number"),
	T("[1.e1]", "3: malformed number"),
	T("[0x10]", "2: unexpected character 'x'"),
	T("[1.2.3]", "4: unexpected character '.'"),
	T("[--1]", "2: malformed number"),
	T("[\"\\q\"]", "3: invalid string sequence"),
	T("[\"\\u12\"]", "6: invalid string sequence"),
	T("[\"\\u00zz\"]", "6: invalid string sequence"),
	T("\"a\0b\"", "2: NUL byte"),
	T("{}\0", "2: NUL byte"),
	T("\0", "0: NUL byte"),
	T("{\"a\":\"x\\u0000y\"}", "7: \\u0000 is not accepted in strings"),
	T("{\"a\\u0000b\":1}", "3: \\u0000 is not accepted in strings"),
	T("\"\\\\\\u0000\"", "3: \\u0000 is not accepted in strings"),
	T("\"a\nb\"", "2: control character 0x0a in a string; expected \\u000a"),
	T("\"\x1f\"", "1: control character 0x1f in a string; expected \\u001f"),
	T("\"\\ud800\"", "1: \\ud800 is the first half of a surrogate pair without the second"),
	T("\"\\ud800x\\udc00\"",
	  "1: \\ud800 is the first half of a surrogate pair without the second"),
	T("\"\\ud800\\ud800\"",
	  "1: \\ud800 is the first half of a surrogate pair without the second"),
	T("\"\\uDC00\"", "1: \\udc00 is the second half of a surrogate pair without the first"),
	T("\"\xff\"", "1: invalid UTF-8 in a string"),
	T("\"\xc3\"", "1: invalid UTF-8 in a string"),
	T("\"ab\xc0\x80\"", "3: invalid UTF-8 in a string"),
	T("\"\xed\xa0\x80\"", "1: invalid UTF-8 in a string"),
	T("\"\xf4\x90\x80\x80\"", "1: invalid UTF-8 in a string"),
	T("{\"\xe2\x82\":1}", "2: invalid UTF-8 in a string"),
	T("\xef\xbb\xbf{}", "0: byte order mark; expected plain UTF-8"),
	T("\xff\xfe{", "0: unexpected byte 0xff"),
};

static void what_is_no_json_is_refused_with_its_offset(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(no_json); i++) {
		cleanup_doc struct doc d = DOC_INIT;
		struct err e = ERR_INIT;

		row_int(i, no_json[i].text, parse(&d, no_json[i].text, no_json[i].len, &e),
			-EINVAL);
		row_int(i, no_json[i].text, e.code, 6);
		if (strncmp(e.text, "invalid JSON at offset ", 23))
			row_fail(i, e.text);
		row_text(i, no_json[i].text, e.text + 23, no_json[i].want);
		assert_null(d.root);
	}
}

static char *nested(unsigned depth, size_t *len)
{
	char *s = malloc(2 * depth + 1);

	assert_non_null(s);
	memset(s, '[', depth);
	memset(s + depth, ']', depth);
	s[2 * depth] = 0;
	*len = 2 * depth;
	return s;
}

static void sixty_four_levels_are_the_limit(void **state)
{
	static const unsigned too_deep[] = { 65, 66, 1000, 30000 };
	size_t len;

	(void)state;
	cleanup_free char *ok = nested(64, &len);
	cleanup_doc struct doc d = DOC_INIT;
	assert_int_equal(doc_parse(&d, ok, len, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(too_deep); i++) {
		cleanup_free char *text = nested(too_deep[i], &len);
		cleanup_doc struct doc no = DOC_INIT;
		struct err e = ERR_INIT;

		row_int(i, "depth", doc_parse(&no, text, len, &e), -EINVAL);
		row_int(i, "code", e.code, 6);
		row_text(i, "depth", e.text, "invalid JSON at offset 64: nesting too deep");
	}
}

static void a_document_of_too_many_values_is_refused(void **state)
{
	cleanup_str struct str ok = STR_INIT, much = STR_INIT;
	cleanup_doc struct doc d = DOC_INIT;
	struct err e = ERR_INIT;

	(void)state;
	str_add(&ok, "[0");
	for (int i = 3; i <= JSON_VALUES_MAX; i++)
		str_add(&ok, ",0");
	str_add_n(&much, ok.p, ok.len);
	str_add(&ok, "]");
	str_add(&much, ",0]");
	assert_int_equal(doc_parse(&d, ok.p, ok.len, &e), 0);
	assert_int_equal(doc_parse(&d, much.p, much.len, &e), -EINVAL);
	assert_string_equal(e.text, "invalid JSON at offset 65534: more than 32768 values");
	assert_int_equal(e.code, 6);
}

static void one_mebibyte_is_the_limit(void **state)
{
	cleanup_free char *text = malloc(DOC_BYTES_MAX + 2);
	cleanup_doc struct doc d = DOC_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', DOC_BYTES_MAX + 1);
	text[0] = text[DOC_BYTES_MAX - 1] = '"';
	text[DOC_BYTES_MAX + 1] = 0;
	assert_int_equal(doc_parse(&d, text, DOC_BYTES_MAX, &e), 0);
	assert_int_equal(doc_parse(&d, text, DOC_BYTES_MAX + 1, &e), -EFBIG);
	assert_string_equal(e.text, "JSON document of 1048577 bytes; at most 1048576 are accepted");
	assert_int_equal(e.code, 6);
	assert_non_null(d.root); /* a failure leaves the document alone */
}

/* ---- tables */

struct inner {
	const char *name;
	uint32_t n;
};
static const struct field inner_fields[] = { FIELD_STR("name", struct inner, name),
					     FIELD_U32("minID", struct inner, n, 1, 4094),
					     FIELD_END };

struct outer {
	const char *s;
	bool b, given;
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	int64_t i64;
	struct inner o;
	struct inner *list;
	const char **strs;
	size_t nlist, nstrs;
	struct json_object *raw;
	int text, fn;
};

static int take_even(const char *s, void *member)
{
	uint64_t n;

	if (str_u64(s, 1000, &n) < 0 || n % 2)
		return -EINVAL;
	*(int *)member = (int)n;
	return 0;
}

static int take_fn(struct doc *d, struct json_object *v, void *member, const char *path,
		   struct err *e)
{
	(void)d;
	if (!json_is_object(v))
		return err_conf(e, path, "no object");
	*(int *)member = 7;
	return 0;
}

static const struct field outer_fields[] = {
	FIELD_STR("str", struct outer, s),
	FIELD_BOOL("bool", struct outer, b),
	FIELD_INT("u8", struct outer, u8, 0, 255),
	FIELD_INT("u16", struct outer, u16, 1, 65535),
	FIELD_U32("u32", struct outer, u32, 0, UINT32_MAX),
	FIELD_INT("i64", struct outer, i64, -5, INT64_MAX - 1),
	FIELD_OBJ("obj", struct outer, o, inner_fields),
	FIELD_ARRAY("vlanTrunk", struct outer, list, nlist, inner_fields),
	FIELD_STRS("strs", struct outer, strs, nstrs),
	FIELD_RAW("raw", struct outer, raw),
	FIELD_GIVEN("raw", struct outer, given),
	FIELD_TEXT("text", struct outer, text, take_even, "an even number"),
	FIELD_FN("fn", struct outer, fn, take_fn),
	FIELD_END,
};

static int read_outer(struct doc *d, const char *text, struct outer *o, struct err *e)
{
	int r = doc_parse(d, text, strlen(text), e);

	return r < 0 ? r : decode(d, d->root, outer_fields, o, "", e);
}

static void each_type_lands_in_its_member(void **state)
{
	static const char text[] =
		"{\"str\":\"x\",\"bool\":true,\"u8\":255,\"u16\":65535,\"u32\":4294967295,\"i64\":-5,"
		"\"obj\":{\"name\":\"n\",\"minID\":1},\"vlanTrunk\":[{\"minID\":2},{\"minID\":4094}],\"strs\":[\"a\",\"b\"],"
		"\"raw\":[1],\"text\":\"42\",\"fn\":{},\"unknown\":{\"kept\":\"out\"}}";
	cleanup_doc struct doc d = DOC_INIT;
	struct outer o = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	if (read_outer(&d, text, &o, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(o.s, "x");
	assert_true(o.b && o.given);
	assert_int_equal(o.u8, 255);
	assert_int_equal(o.u16, 65535);
	assert_int_equal(o.u32, UINT32_MAX);
	assert_int_equal(o.i64, -5);
	assert_string_equal(o.o.name, "n");
	assert_int_equal(o.o.n, 1);
	assert_int_equal(o.nlist, 2);
	assert_int_equal(o.list[1].n, 4094);
	assert_int_equal(o.nstrs, 2);
	assert_string_equal(o.strs[1], "b");
	assert_true(json_is_array(o.raw));
	assert_int_equal(o.text, 42);
	assert_int_equal(o.fn, 7);
}

/* The values every key is tried with, and how an error names them. */
static const struct {
	const char *json, *got;
	enum { STRING, TRUTH, WHOLE, FRACTION, ARRAY, OBJECT, KINDS } kind;
} values[] = {
	{ "\"\"", "string \"\"", STRING },
	{ "\"5\"", "string \"5\"", STRING },
	{ "\"true\"", "string \"true\"", STRING },
	{ "true", "true", TRUTH },
	{ "false", "false", TRUTH },
	{ "5", "integer 5", WHOLE },
	{ "-1", "integer -1", WHOLE },
	{ "1.5", "number 1.5", FRACTION },
	{ "1e3", "number 1e3", FRACTION },
	{ "5.0", "number 5.0", FRACTION },
	{ "[]", "array", ARRAY },
	{ "[5]", "array", ARRAY },
	{ "{}", "object", OBJECT },
};

static void every_key_refuses_every_wrong_type_and_says_so(void **state)
{
	static const struct {
		const char *key, *expected;
		unsigned accepts; /* bits by kind */
	} keys[] = {
		{ "str", "string", 1 << STRING },
		{ "bool", "true or false", 1 << TRUTH },
		{ "u8", "integer 0..255", 1 << WHOLE },
		{ "u16", "integer 1..65535", 1 << WHOLE },
		{ "u32", "integer 0..4294967295", 1 << WHOLE },
		{ "i64", "integer -5..9223372036854775806", 1 << WHOLE },
		{ "obj", "object", 1 << OBJECT },
		{ "vlanTrunk", "array of objects", 1 << ARRAY },
		{ "strs", "array of strings", 1 << ARRAY },
		{ "text", "an even number", 1 << STRING },
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(keys); k++)
		for (size_t v = 0; v < ARRAY_LEN(values); v++) {
			cleanup_doc struct doc d = DOC_INIT;
			struct outer o = { 0 };
			struct err e = ERR_INIT;
			char text[64], want[128];

			if (keys[k].accepts & 1U << values[v].kind)
				continue;
			(void)snprintf(text, sizeof text, "{\"%s\":%s}", keys[k].key,
				       values[v].json);
			(void)snprintf(want, sizeof want, "/%s: expected %s, got %s", keys[k].key,
				       keys[k].expected, values[v].got);
			row_int(v, text, read_outer(&d, text, &o, &e), -EINVAL);
			row_text(v, text, e.text, want);
			row_int(v, text, e.code, 7);
		}
}

static void an_error_has_the_path_of_its_value(void **state)
{
	static const struct {
		const char *json, *error;
	} cases[] = {
		{ "{\"vlanTrunk\":[{\"minID\":1},{\"minID\":4095}]}",
		  "/vlanTrunk/1/minID: expected integer 1..4094, got 4095" },
		{ "{\"vlanTrunk\":[{},5]}", "/vlanTrunk/1: expected object, got integer 5" },
		{ "{\"vlanTrunk\":[null]}", "/vlanTrunk/0: expected object, got null" },
		{ "{\"strs\":[\"a\",5]}", "/strs/1: expected string, got integer 5" },
		{ "{\"strs\":[null]}", "/strs/0: expected string, got null" },
		{ "{\"obj\":{\"name\":{}}}", "/obj/name: expected string, got object" },
		{ "{\"OBJ\":{\"MINID\":\"x\"}}",
		  "/obj/minID: expected integer 1..4094, got string \"x\"" },
		{ "{\"u8\":256}", "/u8: expected integer 0..255, got 256" },
		{ "{\"u8\":-1}", "/u8: expected integer 0..255, got -1" },
		{ "{\"u16\":0}", "/u16: expected integer 1..65535, got 0" },
		{ "{\"u32\":4294967296}", "/u32: expected integer 0..4294967295, got 4294967296" },
		{ "{\"u32\":18446744073709551616}",
		  "/u32: expected integer 0..4294967295, got integer 18446744073709551615" },
		{ "{\"u32\":999999999999999999999999999999}",
		  "/u32: expected integer 0..4294967295, got integer 18446744073709551615" },
		{ "{\"i64\":-999999999999999999999999999999}",
		  "/i64: expected integer -5..9223372036854775806, got integer -9223372036854775808" },
		{ "{\"u32\":1e999}", "/u32: expected integer 0..4294967295, got number 1e999" },
		{ "{\"text\":\"43\"}", "/text: expected an even number, got string \"43\"" },
		{ "{\"fn\":5}", "/fn: no object" },
		{ "[]", "/: expected object, got array" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_doc struct doc d = DOC_INIT;
		struct outer o = { 0 };
		struct err e = ERR_INIT;

		row_int(i, cases[i].json, read_outer(&d, cases[i].json, &o, &e), -EINVAL);
		row_text(i, cases[i].json, e.text, cases[i].error);
	}
}

static void null_and_the_empty_address_leave_the_default(void **state)
{
	cleanup_doc struct doc d = DOC_INIT;
	struct outer o = { .s = "default", .b = true, .u32 = 1500, .text = 8 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(
		read_outer(
			&d,
			"{\"str\":null,\"bool\":null,\"u32\":null,\"obj\":null,\"vlanTrunk\":null,\"strs\":null,"
			"\"raw\":null,\"text\":\"\",\"fn\":null}",
			&o, &e),
		0);
	assert_string_equal(o.s, "default");
	assert_true(o.b);
	assert_false(o.given);
	assert_int_equal(o.u32, 1500);
	assert_int_equal(o.text, 8);
	assert_null(o.raw);
}

static void keys_match_as_gos_do(void **state)
{
	static const struct {
		const char *json, *str;
	} cases[] = {
		{ "{\"str\":\"a\"}", "a" },
		{ "{\"STR\":\"a\"}", "a" },
		{ "{\"sTr\":\"a\",\"u8\":1}", "a" },
		{ "{\"str\":\"a\",\"str\":\"b\"}", "b" },
		{ "{\"str\":\"a\",\"STR\":\"b\"}", "b" },
		{ "{\"STR\":\"a\",\"str\":\"b\"}", "b" },
		{ "{\"str\":\"a\",\"STR\":null}", "a" },
		{ "{\"str\":null}", NULL },
		{ "{\"st\":\"a\",\"str \":\"b\"}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_doc struct doc d = DOC_INIT;
		struct outer o = { 0 };
		struct err e = ERR_INIT;
		const char *want = cases[i].str ? cases[i].str : "(none)";

		row_int(i, cases[i].json, read_outer(&d, cases[i].json, &o, &e), 0);
		row_text(i, cases[i].json, o.s ? o.s : "(none)", want);
		/* reading without a table finds the same */
		const char *got = json_text(json_get(d.root, "str"));
		row_text(i, cases[i].json, got ? got : "(none)", want);
	}
}

static void a_key_with_a_field_of_its_own_spelling_goes_there(void **state)
{
	struct two {
		const char *lower, *upper;
	} t = { 0 };
	static const struct field fields[] = { FIELD_STR("mac", struct two, lower),
					       FIELD_STR("MAC", struct two, upper), FIELD_END };
	static const char text[] = "{\"MAC\":\"u\",\"mac\":\"l\"}";
	cleanup_doc struct doc d = DOC_INIT;

	(void)state;
	assert_int_equal(doc_parse(&d, text, strlen(text), NULL), 0);
	assert_int_equal(decode(&d, d.root, fields, &t, "", NULL), 0);
	assert_string_equal(t.lower, "l");
	assert_string_equal(t.upper, "u");
}

static void arrays_end_at_4096_elements(void **state)
{
	static const struct {
		const char *key, *element;
	} kinds[] = { { "vlanTrunk", "{}" }, { "strs", "\"\"" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (size_t n = DOC_ELEMENTS_MAX; n <= DOC_ELEMENTS_MAX + 1; n++) {
			cleanup_doc struct doc d = DOC_INIT;
			cleanup_str struct str s = STR_INIT;
			struct outer o = { 0 };
			struct err e = ERR_INIT;
			char want[80];

			str_addf(&s, "{\"%s\":[", kinds[i].key);
			for (size_t k = 0; k < n; k++)
				str_addf(&s, "%s%s", k ? "," : "", kinds[i].element);
			str_add(&s, "]}");
			row_int(i, kinds[i].key, read_outer(&d, s.p, &o, &e),
				n > DOC_ELEMENTS_MAX ? -EINVAL : 0);
			(void)snprintf(want, sizeof want,
				       "/%s: expected at most 4096 elements, got 4097",
				       kinds[i].key);
			if (n > DOC_ELEMENTS_MAX)
				row_text(i, kinds[i].key, e.text, want);
		}
}

static int count_keys(const char *key, struct json_object *v, void *arg)
{
	str_addf(arg, "%s%s ", key, v ? "" : "(null)");
	return strcmp(key, "stop") ? 0 : 5;
}

static void reading_without_a_table_converts_nothing(void **state)
{
	static const char text[] =
		"{\"i\":5,\"s\":\"5\",\"d\":5.0,\"t\":true,\"n\":null,\"stop\":[],\"after\":1}";
	cleanup_doc struct doc d = DOC_INIT;
	cleanup_str struct str keys = STR_INIT;
	int64_t n = 0;

	(void)state;
	assert_int_equal(doc_parse(&d, text, strlen(text), NULL), 0);
	assert_int_equal(json_int(json_get(d.root, "i"), &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(json_int(json_get(d.root, "s"), &n), -EINVAL);
	assert_int_equal(json_int(json_get(d.root, "d"), &n), -EINVAL);
	assert_int_equal(json_int(NULL, &n), -EINVAL);
	assert_null(json_text(json_get(d.root, "i")));
	assert_null(json_get(d.root, "n"));
	assert_null(json_get(NULL, "n"));
	assert_true(json_true(json_get(d.root, "t")));
	assert_false(json_true(json_get(d.root, "i")));
	assert_int_equal(json_len(json_get(d.root, "stop")), 0);
	assert_int_equal(json_len(d.root), 0);
	assert_int_equal(json_each(d.root, count_keys, &keys), 5);
	assert_string_equal(keys.p, "i s d t n(null) stop ");
	assert_int_equal(json_each(NULL, count_keys, &keys), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_json_is_accepted),
		cmocka_unit_test(what_is_no_json_is_refused_with_its_offset),
		cmocka_unit_test(sixty_four_levels_are_the_limit),
		cmocka_unit_test(a_document_of_too_many_values_is_refused),
		cmocka_unit_test(one_mebibyte_is_the_limit),
		cmocka_unit_test(each_type_lands_in_its_member),
		cmocka_unit_test(every_key_refuses_every_wrong_type_and_says_so),
		cmocka_unit_test(an_error_has_the_path_of_its_value),
		cmocka_unit_test(null_and_the_empty_address_leave_the_default),
		cmocka_unit_test(keys_match_as_gos_do),
		cmocka_unit_test(a_key_with_a_field_of_its_own_spelling_goes_there),
		cmocka_unit_test(arrays_end_at_4096_elements),
		cmocka_unit_test(reading_without_a_table_converts_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
