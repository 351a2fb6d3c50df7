/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_OPT_H
#define NARU_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct str;

/*
 * Command lines by table. One table per verb feeds the parser, --help, the shell completions and
 * the man page test. Pure: nothing is printed, nothing outside the given struct is changed. Strings
 * in it borrow from argv.
 */
enum opt_type { OPT_T_END, OPT_T_FLAG, OPT_T_TEXT, OPT_T_LIST, OPT_T_FN, OPT_T_REFUSED };

struct opt {
	enum opt_type type;
	char letter;	  /* 0: no short form */
	const char *name; /* without "--"; NULL: no long form */
	const char *arg;  /* what --help calls the value; NULL: takes none */
	const char *help; /* one line; for OPT_REFUSED the reason as half a sentence */
	size_t off, count_off;
	int (*fn)(const char *text, void *member,
		  struct err *e); /* the error says what is wrong with the value */
};

#define OPT_END { .type = OPT_T_END }
/* m is bool; "--name=false" clears it, as docker has it */
#define OPT_FLAG(l, n, T, m, h) \
	{ .type = OPT_T_FLAG, .letter = (l), .name = (n), .help = (h), .off = offsetof(T, m) }
/* m is const char *; the last one given wins */
#define OPT_TEXT(l, n, T, m, a, h) \
	{ .type = OPT_T_TEXT, \
	  .letter = (l), \
	  .name = (n), \
	  .arg = (a), \
	  .help = (h), \
	  .off = offsetof(T, m) }
/* m is const char **, nm its size_t count; freed by the owner of the struct */
#define OPT_LIST(l, n, T, m, nm, a, h) \
	{ .type = OPT_T_LIST, \
	  .letter = (l), \
	  .name = (n), \
	  .arg = (a), \
	  .help = (h), \
	  .off = offsetof(T, m), \
	  .count_off = offsetof(T, nm) }
/* a value with a parser of its own */
#define OPT_FN(l, n, T, m, f, a, h) \
	{ .type = OPT_T_FN, \
	  .letter = (l), \
	  .name = (n), \
	  .arg = (a), \
	  .help = (h), \
	  .off = offsetof(T, m), \
	  .fn = (f) }
/*
 * docker has it and this verb does not: named, never shown. a: as docker, whether a value follows
 */
#define OPT_REFUSED(l, n, a, why) \
	{ .type = OPT_T_REFUSED, .letter = (l), .name = (n), .arg = (a), .help = (why) }

enum verb_group { GROUP_CONTAINERS, GROUP_IMAGES, GROUP_NETWORKS, GROUP_SYSTEM, GROUPS };

/* The words after the options; they borrow from argv. */
struct operands {
	char **v; /* NULL-terminated */
	size_t n;
};

struct verb {
	const char *name;
	enum verb_group group;
	const char *about;	/* one line, imperative, no period */
	const char *synopsis;	/* "[OPTION]... IMAGE [COMMAND [ARG]...]" */
	const struct opt *opts; /* may be NULL */
	const char *examples;	/* lines, each with a newline; may be NULL */
	/* what the first operand may be, for --help and completion; NULL-terminated, may be NULL */
	const char *const *words;
	bool command;	 /* what follows the first operand is a command's, options included */
	size_t min, max; /* operands; max 0 with min 0: none; SIZE_MAX: any number */
	int failure; /* exit code when naru itself fails: 125 for verbs that hand one on, else 1 */
	const char *(*missing)(size_t have); /* names the missing operand; NULL: "an operand" */
	size_t size; /* of the verb's option struct, zeroed before parsing */
	/* exit code, or negative with *e set */
	int (*run)(void *opts, const struct operands *args, struct err *e);
	int (*raw)(int argc,
		   char **argv); /* instead of run: parses by itself; argv[0] is the verb */
};

#define OPT_HELP 1 /* a positive outcome: --help was asked for */

/*
 * Parses argv[1..] into *base. args->v points into argv, which is reordered so that operands stand
 * together. Returns 0, OPT_HELP, or -EINVAL with the whole sentence and the next step in
 * err.details.
 */
int opt_parse(const struct verb *v, int argc, char **argv, void *base, struct operands *args,
	      struct err *e);

/* Frees what OPT_LIST members grew. */
void opt_clear(const struct verb *v, void *base);

/* The text of `naru VERB --help`: fits a screen of 80 columns. */
void opt_help(const struct verb *v, struct str *out);

/* Edits (insert, remove, replace, swap of neighbours) from a to b, counted up to 3. */
unsigned opt_distance(const char *a, const char *b);

/*
 * The word that was meant: the nearest of words (NULL-terminated) within two edits (one for words
 * up to five letters) or the only one it is a beginning of. NULL when nothing is near.
 */
const char *opt_nearest(const char *word, const char *const *words);

/* Values. Each returns 0, or -EINVAL with half a sentence naming what was expected and given. */
int opt_size(const char *text, void *int64_member,
	     struct err *e); /* "64m", "1g", "1048576": bytes, > 0 */
int opt_cpus(const char *text, void *int64_member,
	     struct err *e); /* "1.5": billionths of a processor */
int opt_count(const char *text, void *int64_member,
	      struct err *e); /* whole number, 0 or more; -1 */

#endif
