/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_ERR_H
#define NARU_BASE_ERR_H

/*
 * An error on its way up: errno, the CNI code wanted, one sentence. Every function of the library
 * that can fail takes `struct err *e` last, returns a negative errno and leaves *e untouched on
 * success. e may be NULL when the caller does not care for the sentence.
 */
struct err {
	int no; /* positive errno; 0 = no error */
	/* CNI error code (CNI 1.1.0 section "Error"), 0 = derived from no */
	int code;
	char text[640];	   /* one sentence, no newline; cut with "..." when longer */
	char details[320]; /* optional second half: extended-ack text, remedy */
};

#define ERR_INIT { 0 }

/* "<text>: <strerror>". r is a negative errno and is returned. */
int err_set(struct err *e, int r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The whole sentence is given, nothing is appended. */
int err_say(struct err *e, int r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * As err_say with a CNI code of its own (CNI 1.1.0: 1-99 from the specification, 100 and above
 * ours).
 */
int err_code(struct err *e, int r, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * An error in a configuration document: path is a JSON pointer ("/ipam/ranges/0"). -EINVAL, CNI
 * code 7.
 */
int err_conf(struct err *e, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "<text>: " before what is there; returns -e->no (or -EIO when e is NULL or empty). */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Second half of the message; replaces what was there. */
void err_details(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What strerror says of an errno. */
const char *err_reason(int no);

/* Copies from into e unless e already holds an error: "first error wins, the rest still runs". */
void err_keep_first(struct err *e, const struct err *from);

#endif
