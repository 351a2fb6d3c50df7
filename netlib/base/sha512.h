/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_SHA512_H
#define NARU_BASE_SHA512_H

#include <stddef.h>

#define SHA512_SIZE 64

/*
 * SHA-512 (FIPS 180-4) of a short text, for names; what is large goes through a cryptographic
 * library.
 */
void sha512(const void *data, size_t len, unsigned char out[SHA512_SIZE]);

#endif
