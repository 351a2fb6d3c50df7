/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_TEXT_H
#define TESTS_LIB_TEXT_H

#include <stdbool.h>

/*
 * Short-lived texts, so that a test reads as a sentence and frees nothing: each is valid until 512
 * more were made.
 */
const char *textf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same for JSON: an apostrophe becomes a quotation mark. */
const char *jsonf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Takes over a malloc'd text. */
const char *text_keep(char *text);

/*
 * A copy in which what the kernel or chance decides is folded: MAC addresses other than zeros are
 * "MAC", veth names with eight hex digits "vethN".
 */
const char *text_folded(const char *text);

/* A copy with every occurrence replaced. */
const char *text_replaced(const char *text, const char *what, const char *by);

#endif
