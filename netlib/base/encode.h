/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_ENCODE_H
#define NARU_BASE_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

struct json_object;
struct str;

/*
 * JSON out. Documents are built as trees whose keys keep the order of the calls, then printed. A
 * failed allocation shows as a missing member; json_print notices nothing, so callers that must
 * know check json_obj / json_arr for NULL.
 */
#define cleanup_json __attribute__((cleanup(json_put_p)))

struct json_object *json_obj(void);
struct json_object *json_arr(void);
struct json_object *json_new_str(const char *s);
struct json_object *json_new_int(int64_t n);
struct json_object *json_new_bool(bool b);
/* one more owner; for putting a borrowed value into a tree */
struct json_object *json_ref(struct json_object *v);
void json_put(struct json_object *v);
void json_put_p(struct json_object **v);

/* The tree takes v over. NULL and, for json_set_str, NULL text add nothing. */
void json_set(struct json_object *o, const char *key, struct json_object *v);
void json_set_str(struct json_object *o, const char *key, const char *text);
void json_set_int(struct json_object *o, const char *key, int64_t n);
void json_set_bool(struct json_object *o, const char *key, bool b);
void json_set_null(struct json_object *o, const char *key);
void json_del(struct json_object *o, const char *key);
void json_append(struct json_object *array, struct json_object *v);

/*
 * Prints v: indent 0 = one line without blanks, else that many spaces a level, as Go's
 * MarshalIndent prints. No trailing newline. sorted: keys in byte order at every level (what Go
 * does with maps). Escapes <, > and & as Go does.
 */
void json_print(struct str *s, struct json_object *v, int indent, bool sorted);

#endif
