// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "netlib/base/sha512.h"

static void hex(const unsigned char *sum, char out[2 * SHA512_SIZE + 1])
{
	for (size_t i = 0; i < SHA512_SIZE; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

static void the_published_vectors_come_out(void **state)
{
	static const struct {
		const char *text, *sum;
	} cases[] = {
		{ "", "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
		      "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" },
		{ "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
		  "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		  "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
		  "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		unsigned char sum[SHA512_SIZE];
		char text[2 * SHA512_SIZE + 1];

		sha512(cases[i].text, strlen(cases[i].text), sum);
		hex(sum, text);
		assert_string_equal(text, cases[i].sum);
	}
}

static void every_length_around_the_block_agrees_with_libcrypto(void **state)
{
	unsigned char data[600], ours[SHA512_SIZE], theirs[SHA512_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 131 + 7);
	for (size_t n = 0; n <= sizeof data; n++) {
		sha512(data, n, ours);
		assert_int_equal(EVP_Digest(data, n, theirs, NULL, EVP_sha512(), NULL), 1);
		assert_memory_equal(ours, theirs, SHA512_SIZE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_vectors_come_out),
		cmocka_unit_test(every_length_around_the_block_agrees_with_libcrypto),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
