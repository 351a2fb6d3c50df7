/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * A target: never crashes, never reads beyond size, keeps the promises of what it calls.
 * libFuzzer's name.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise that was broken ends the program, so that the fuzzer keeps the input. */
#define PROMISE(what) \
	do { \
		if (!(what)) { \
			(void)fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #what); \
			abort(); \
		} \
	} while (0)

#endif
