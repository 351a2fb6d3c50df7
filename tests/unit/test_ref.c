// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "runner/image/ref.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void names_are_completed_and_shortened(void **state)
{
	static const struct {
		const char *text, *full, *shown;
	} cases[] = {
		{ "busybox", "docker.io/library/busybox:latest", "busybox:latest" },
		{ "busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36" },
		{ "library/busybox", "docker.io/library/busybox:latest", "busybox:latest" },
		{ "me/app:v2", "docker.io/me/app:v2", "me/app:v2" },
		{ "docker.io/me/app", "docker.io/me/app:latest", "me/app:latest" },
		{ "index.docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest" },
		{ "localhost/app", "localhost/app:latest", "localhost/app:latest" },
		{ "host:5000/app", "host:5000/app:latest", "host:5000/app:latest" },
		{ "r.example.org/a/b/c:T_1.x-y", "r.example.org/a/b/c:T_1.x-y",
		  "r.example.org/a/b/c:T_1.x-y" },
		{ "UPPER/app", "UPPER/app:latest", "UPPER/app:latest" },
		{ "a-b__c.d---e", "docker.io/library/a-b__c.d---e:latest", "a-b__c.d---e:latest" },
		{ "busybox@" DIGEST, "docker.io/library/busybox@" DIGEST, "busybox@" DIGEST },
		{ "busybox:1@" DIGEST, "docker.io/library/busybox:1@" DIGEST, "busybox:1@" DIGEST },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char full[REF_TEXT_MAX], shown[REF_TEXT_MAX];
		struct image_ref r;

		assert_int_equal(image_ref_parse(cases[i].text, &r, NULL), 0);
		image_ref_full(&r, full);
		image_ref_short(&r, shown);
		assert_string_equal(full, cases[i].full);
		assert_string_equal(shown, cases[i].shown);
	}
}

static void a_wrong_name_is_quoted_with_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "", "the image name is empty; expected NAME[:TAG]" },
		{ "Busybox", "image name \"Busybox\": the repository must be in lower case" },
		{ "a//b", "image name \"a//b\": a part between slashes is empty" },
		{ "/a", "image name \"/a\": a part between slashes is empty" },
		{ "a/", "image name \"a/\": a part between slashes is empty" },
		{ "a:", "image name \"a:\": the tag after ':' is empty" },
		{ "a:-x",
		  "image name \"a:-x\": a tag has letters, digits, '_', '.' and '-', and begins with none of the last two" },
		{ "a b",
		  "image name \"a b\": expected lower case letters, digits, '.', '_', '-' and '/'" },
		{ "../x", "image name \"../x\": the host part is no host name" },
		{ "a..b", "image name \"a..b\": '.', '_' and '-' do not stand side by side" },
		{ "-a",
		  "image name \"-a\": '.', '_' and '-' may only stand between letters and digits" },
		{ "a-",
		  "image name \"a-\": '.', '_' and '-' may only stand between letters and digits" },
		{ "host:x/a", "image name \"host:x/a\": the port of the host is no number" },
		{ "host:/a", "image name \"host:/a\": the port of the host is missing" },
		{ "a@sha256:12",
		  "image name \"a@sha256:12\": expected @sha256: and 64 hexadecimal digits as the digest" },
		{ "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		  "image name \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\": 64 hexadecimal digits are an image "
		  "id, no name" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		struct image_ref r;

		assert_true(image_ref_parse(cases[i].text, &r, &e) < 0);
		assert_string_equal(e.text, cases[i].error);
	}
}

static void lengths_have_limits(void **state)
{
	char name[400], tag[200];
	struct image_ref r;
	struct err e = ERR_INIT;

	(void)state;
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = 0;
	assert_true(image_ref_parse(name, &r, &e) < 0);
	assert_non_null(strstr(e.text, "the repository is longer than 255 characters"));
	memset(tag, 't', sizeof tag - 1);
	tag[sizeof tag - 1] = 0;
	tag[0] = 'a';
	tag[1] = ':';
	assert_true(image_ref_parse(tag, &r, &e) < 0);
	assert_non_null(strstr(e.text, "the tag is longer than 128 characters"));
	tag[2 + 128] = 0;
	assert_int_equal(image_ref_parse(tag, &r, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_completed_and_shortened),
		cmocka_unit_test(a_wrong_name_is_quoted_with_what_is_wrong),
		cmocka_unit_test(lengths_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
