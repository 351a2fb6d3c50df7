/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_DECODE_H
#define NARU_BASE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct json_object;

/* Limits of every document that comes from outside. */
#define DOC_BYTES_MAX (1024 * 1024)
#define DOC_DEPTH_MAX 64
#define DOC_ELEMENTS_MAX 4096 /* of one array */

/*
 * A parsed JSON document and everything decoded from it. Strings in decoded structs borrow from the
 * document, arrays are owned by it: keep the doc as long as the structs. Not to be copied.
 */
struct doc {
	struct json_object *root;
	struct doc_block *blocks; /* arrays allocated while decoding */
};

#define DOC_INIT { 0 }
#define cleanup_doc __attribute__((cleanup(doc_free)))

/*
 * Strict JSON: no comments, no trailing commas or garbage, UTF-8 valid, no NUL inside strings.
 * Errors have CNI code 6 and an offset.
 */
int doc_parse(struct doc *d, const char *text, size_t len, struct err *e);
void doc_free(struct doc *d);
/* zeroed; freed with the document; NULL when memory is out */
void *doc_alloc(struct doc *d, size_t n, size_t size);

/*
 * What a JSON object may hold, as a table. Keys match as Go's encoding/json matches them (exact
 * spelling preferred, else ignoring case; the last one in the document wins; null leaves the
 * default). Unknown keys are accepted. Types are strict. Errors: "/vlanTrunk/1/minID: expected
 * integer 1..4094, got 4095", -EINVAL, CNI code 7.
 */
enum field_type {
	FIELD_T_STR,
	FIELD_T_BOOL,
	FIELD_T_INT,
	FIELD_T_OBJ,
	FIELD_T_ARRAY,
	FIELD_T_STRS,
	FIELD_T_RAW,
	FIELD_T_GIVEN,
	FIELD_T_TEXT,
	FIELD_T_FN
};

struct field {
	const char *key;
	enum field_type type;
	size_t off, count_off; /* of the member and, for arrays, of its size_t count */
	size_t size;	       /* of an int member or an array element */
	int64_t min, max;
	const struct field *sub;
	const char *expect; /* FIELD_TEXT: what a value looks like, for the error */
	int (*text)(const char *s, void *member);
	int (*fn)(struct doc *d, struct json_object *v, void *member, const char *path,
		  struct err *e);
};

#define FIELD_END { 0 }
#define FIELD_STR(k, T, m) { .key = (k), .type = FIELD_T_STR, .off = offsetof(T, m) }
#define FIELD_BOOL(k, T, m) { .key = (k), .type = FIELD_T_BOOL, .off = offsetof(T, m) }
/* any integer member; its size is taken from the member, the limits must fit into it */
#define FIELD_INT(k, T, m, lo, hi) \
	{ .key = (k), \
	  .type = FIELD_T_INT, \
	  .off = offsetof(T, m), \
	  .size = sizeof(((T *)0)->m), \
	  .min = (lo), \
	  .max = (hi) }
#define FIELD_U32(k, T, m, lo, hi) FIELD_INT(k, T, m, lo, hi)
#define FIELD_OBJ(k, T, m, table) \
	{ .key = (k), .type = FIELD_T_OBJ, .off = offsetof(T, m), .sub = (table) }
/* m is a pointer to structs, nm its size_t count */
#define FIELD_ARRAY(k, T, m, nm, table) \
	{ .key = (k), \
	  .type = FIELD_T_ARRAY, \
	  .off = offsetof(T, m), \
	  .count_off = offsetof(T, nm), \
	  .size = sizeof(*((T *)0)->m), \
	  .sub = (table) }
/* m is const char **, nm its size_t count */
#define FIELD_STRS(k, T, m, nm) \
	{ .key = (k), .type = FIELD_T_STRS, .off = offsetof(T, m), .count_off = offsetof(T, nm) }
/* m is struct json_object *, borrowed, any type */
#define FIELD_RAW(k, T, m) { .key = (k), .type = FIELD_T_RAW, .off = offsetof(T, m) }
/*
 * m is bool: true when the key is there and not null (may stand beside another row for the same
 * key)
 */
#define FIELD_GIVEN(k, T, m) { .key = (k), .type = FIELD_T_GIVEN, .off = offsetof(T, m) }
/*
 * a string with a parser: text() returns 0 or negative; "" leaves the default, as the Go plugins do
 * for addresses
 */
#define FIELD_TEXT(k, T, m, parser, what) \
	{ .key = (k), \
	  .type = FIELD_T_TEXT, \
	  .off = offsetof(T, m), \
	  .text = (parser), \
	  .expect = (what) }
#define FIELD_FN(k, T, m, function) \
	{ .key = (k), .type = FIELD_T_FN, .off = offsetof(T, m), .fn = (function) }

/* Decodes object o into *base. path is the JSON pointer of o ("" for the root). */
int decode(struct doc *d, struct json_object *o, const struct field *fields, void *base,
	   const char *path, struct err *e);

/* Decodes an array of objects into a doc-owned array. */
int decode_array(struct doc *d, struct json_object *v, const struct field *fields, size_t size,
		 void **out, size_t *n, const char *path, struct err *e);

/*
 * Reading without a table. json_get matches as a table with this one key does; NULL for absent and
 * for null.
 */
struct json_object *json_get(struct json_object *o, const char *key);
const char *json_text(struct json_object *v); /* NULL unless a string */
bool json_is_array(struct json_object *v);
bool json_is_object(struct json_object *v);
size_t json_len(struct json_object *array);
struct json_object *json_at(struct json_object *array, size_t i);
int json_int(struct json_object *v, int64_t *out); /* -EINVAL unless an integer */
bool json_true(struct json_object *v);
/* Calls fn for each key of o in document order; stops at the first non-zero and returns it. */
int json_each(struct json_object *o, int (*fn)(const char *key, struct json_object *v, void *arg),
	      void *arg);
/* "string \"x\"", "integer 5", "object"...: for error texts. */
void json_describe(struct json_object *v, char *buf, size_t size);

#endif
