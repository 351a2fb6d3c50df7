/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_VEC_H
#define NARU_BASE_VEC_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * Growable arrays as two plain members, `T *v; size_t n;`: vec_add returns a pointer to a zeroed
 * new last element, or NULL when memory is out. The capacity is the next power of two of n, so it
 * needs no member of its own.
 */
static inline void *vec_add_raw(void **v, size_t *n, size_t size)
{
	if ((*n & (*n - 1)) == 0) { /* 0 or a power of two: full */
		size_t cap = *n ? *n * 2 : 1;
		void *p = reallocarray(*v, cap, size);

		if (!p)
			return NULL;
		*v = p;
	}
	return memset((char *)*v + (*n)++ * size, 0, size);
}

#define vec_add(v, n) ((__typeof__(*(v)))vec_add_raw((void **)(v), (n), sizeof **(v)))

#endif
