/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CLI_CLI_H
#define NARU_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/opt.h"

struct err;
struct json_object;

/*
 * One file per verb: runner/cli/NAME.c defines verb_NAME (a table of options, an example or two,
 * one function) and main.c lists it. Verbs print their results on stdout; errors go up and main
 * prints them, once.
 */
extern const struct verb verb_run, verb_ps, verb_stop, verb_rm, verb_inspect, verb_logs, verb_exec;
extern const struct verb verb_import, verb_images;
extern const struct verb verb_cni;
extern const struct verb verb_gc, verb_version, verb_completion;

/* All of them, in the order of the overview; NULL-terminated (main.c). */
extern const struct verb *const verbs[];
extern const char *const verb_group_names[GROUPS];

/* -o json|text and --json, for every verb that prints. */
enum out_format { OUT_TEXT, OUT_JSON };
int out_format_parse(const char *text, void *out_format_member, struct err *e);
int out_format_json(const char *nothing, void *out_format_member, struct err *e);
#define OPT_OUTPUT(T, m) \
	OPT_FN('o', "output", T, m, out_format_parse, "FORMAT", "text or json"), \
		OPT_FN(0, "json", T, m, out_format_json, NULL, "the same as -o json")

/*
 * What a verb did with each of its words: a line for each at once, or all of them as one JSON array
 * in the end.
 */
struct out_done {
	enum out_format format;
	struct json_object *list;
};
#define cleanup_done __attribute__((cleanup(out_done_clear)))
void out_done_add(struct out_done *d, const char *word, const char *id, const char *name);
int out_done_end(struct out_done *d, struct err *e);
void out_done_clear(struct out_done *d);
/* {"id": .., "name": ..}; name is left out when it is empty */
struct json_object *out_container(const char *id, const char *name);

/* Prints v as Go's MarshalIndent does (four blanks a level), newline at the end. */
int out_json(struct json_object *v, struct err *e);
/* Writes text to stdout, whole. */
int out_text(const char *text, size_t len, struct err *e);

/*
 * A table for people: cells are copied; columns as wide as their widest cell, two blanks between;
 * headings in capitals.
 */
struct out_table {
	size_t columns;
	char **cells;
	size_t n;
};
#define cleanup_table __attribute__((cleanup(out_table_clear)))
void out_table_add(struct out_table *t,
		   const char *cell); /* row by row; the first row is the heading */
int out_table_print(const struct out_table *t, struct err *e);
void out_table_clear(struct out_table *t);

bool out_colour(int fd); /* a terminal, and NO_COLOR is unset or empty */
/* "3 minutes", "2 hours": the age of something, as docker says it. buf holds 32 bytes. */
const char *out_age(int64_t seconds, char *buf);

#endif
