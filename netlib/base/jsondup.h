/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_JSONDUP_H
#define NARU_BASE_JSONDUP_H

#include <stddef.h>

/*
 * A key that stands twice in the object that is a member of the document's root: of two equal keys
 * a parsed document keeps the last only, so this looks at the text, which must be valid JSON. Keys
 * are compared as they are spelled. 1 with the key (cut to size) in dup, 0 when all differ or there
 * is no such member, -ENOMEM.
 */
int json_duplicate(const char *text, size_t len, const char *member, char *dup, size_t size);

#endif
