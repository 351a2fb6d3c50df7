// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/conf.h"
#include "tests/unit/unit.h"

#include <errno.h>

#include "netlib/base/str.h"

static int parse(struct cni_conf *c, const char *text, struct err *e)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	return cni_conf_parse(c, copy, strlen(copy), e);
}

static void the_common_keys_are_read(void **state)
{
	static const char text[] =
		"{\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"type\":\"bridge\",\"ipam\":{\"type\":\"host-local\"},"
		"\"dns\":{\"nameservers\":[\"10.0.0.53\"],\"domain\":\"d\"},\"args\":{\"cni\":{\"ips\":[]}},"
		"\"runtimeConfig\":{\"mac\":\"x\"},\"prevResult\":{},\"capabilities\":{\"mac\":true},"
		"\"cni.dev/valid-attachments\":[{\"containerID\":\"c1\",\"ifname\":\"eth0\"},{\"containerID\":\"c2\"}]}";
	cleanup_conf struct cni_conf c = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	if (parse(&c, text, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(c.text, text); /* as it came, for delegates */
	assert_int_equal(c.len, strlen(text));
	assert_string_equal(c.name, "net");
	assert_string_equal(c.type, "bridge");
	assert_string_equal(c.version_text, "1.1.0");
	assert_string_equal(c.version_said, "1.1.0");
	assert_string_equal(c.ipam_type, "host-local");
	assert_string_equal(c.dns_conf.nameservers[0], "10.0.0.53");
	assert_true(json_is_object(c.args_cni) && json_is_object(c.runtime) &&
		    json_is_object(c.prev));
	assert_int_equal(c.nvalid, 2);
	assert_string_equal(c.valid[0].ifname, "eth0");
	assert_null(c.valid[1].ifname);
}

static void what_is_not_given_stays_empty(void **state)
{
	static const char *const texts[] = {
		"{\"name\":\"n\"}",
		"{\"name\":\"n\",\"ipam\":{}}",
		"{\"name\":\"n\",\"ipam\":{\"type\":\"\"}}",
		"{\"name\":\"n\",\"ipam\":null,\"dns\":null,\"args\":null,\"runtimeConfig\":null,\"prevResult\":null,\"cniVersion\":null}",
		"{\"NAME\":\"n\",\"Future\":5}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		cleanup_conf struct cni_conf c = { 0 };
		struct err e = ERR_INIT;

		if (parse(&c, texts[i], &e) < 0)
			row_fail(i, e.text);
		assert_string_equal(c.name, "n");
		assert_null(c.ipam_type);
		assert_null(c.version_text);
		assert_null(c.prev);
		assert_null(c.runtime);
		assert_int_equal(c.nvalid, 0);
		assert_true(cni_dns_empty(&c.dns_conf));
	}
}

static void the_older_key_for_attachments_counts_when_the_newer_is_missing(void **state)
{
	static const char both[] =
		"{\"name\":\"n\",\"cni.dev/attachments\":[{\"containerID\":\"old\"}],"
		"\"cni.dev/valid-attachments\":[{\"containerID\":\"new\"}]}";
	static const char old[] =
		"{\"name\":\"n\",\"cni.dev/attachments\":[{\"containerID\":\"old\"}]}";
	cleanup_conf struct cni_conf a = { 0 }, b = { 0 };

	(void)state;
	assert_int_equal(parse(&a, both, NULL), 0);
	assert_string_equal(a.valid[0].container, "new");
	assert_int_equal(parse(&b, old, NULL), 0);
	assert_string_equal(b.valid[0].container, "old");
}

static void errors_come_in_the_references_order_and_codes(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *error, *details, *said;
	} cases[] = {
		{ "", 6, "invalid JSON at offset 0: the document ends too early", "", "" },
		{ "{\"cniVersion\":\"1.0.0\"", 6,
		  "invalid JSON at offset 21: the document ends too early", "", "" },
		{ "[]", 6, "the configuration on stdin is not a JSON object", "", "" },
		{ "null", 6, "the configuration on stdin is not a JSON object", "", "" },
		{ "5", 6, "the configuration on stdin is not a JSON object", "", "" },
		{ "{}", 7, "missing network name", "", "" },
		{ "{\"cniVersion\":\"0.4.0\"}", 7, "missing network name", "", "0.4.0" },
		{ "{\"name\":\"\"}", 7, "missing network name", "", "" },
		{ "{\"name\":null}", 7, "missing network name", "", "" },
		{ "{\"name\":\"a/b\",\"cniVersion\":\"9.9.9\"}", 7,
		  "invalid characters found in network name", "a/b", "9.9.9" },
		{ "{\"name\":\"../x\"}", 7, "invalid characters found in network name", "../x",
		  "" },
		{ "{\"name\":\".a\"}", 7, "invalid characters found in network name", ".a", "" },
		{ "{\"name\":5}", 7, "/name: expected string, got integer 5", "", "" },
		{ "{\"cniVersion\":1.0,\"name\":\"n\"}", 7,
		  "/cniVersion: expected string, got number 1.0", "", "" },
		{ "{\"name\":\"n\",\"type\":[]}", 7, "/type: expected string, got array", "", "" },
		{ "{\"name\":\"n\",\"ipam\":\"host-local\"}", 7,
		  "/ipam: expected object, got string \"host-local\"", "", "" },
		{ "{\"name\":\"n\",\"ipam\":{\"type\":5}}", 7,
		  "/ipam/type: expected string, got integer 5", "", "" },
		{ "{\"name\":\"n\",\"dns\":{\"search\":\"x\"}}", 7,
		  "/dns/search: expected array of strings, got string \"x\"", "", "" },
		{ "{\"name\":\"n\",\"dns\":5}", 7, "/dns: expected object, got integer 5", "", "" },
		{ "{\"name\":\"n\",\"args\":5}", 7, "/args: expected object, got integer 5", "",
		  "" },
		{ "{\"name\":\"n\",\"runtimeConfig\":[]}", 7, "/runtimeConfig: expected object", "",
		  "" },
		{ "{\"name\":\"n\",\"cni.dev/valid-attachments\":{}}", 7,
		  "/cni.dev~1valid-attachments: expected array of objects, got object", "", "" },
		{ "{\"name\":\"n\",\"cni.dev/valid-attachments\":[{\"ifname\":1}]}", 7,
		  "/cni.dev~1valid-attachments/0/ifname: expected string, got integer 1", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_conf struct cni_conf c = { 0 };
		struct err e = ERR_INIT;

		row_int(i, cases[i].text, parse(&c, cases[i].text, &e), -EINVAL);
		row_text(i, cases[i].text, e.text, cases[i].error);
		row_int(i, cases[i].text, e.code, cases[i].code);
		row_text(i, cases[i].text, e.details, cases[i].details);
		row_text(i, "the version said", c.version_said, cases[i].said);
		assert_null(c.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_common_keys_are_read),
		cmocka_unit_test(what_is_not_given_stays_empty),
		cmocka_unit_test(the_older_key_for_attachments_counts_when_the_newer_is_missing),
		cmocka_unit_test(errors_come_in_the_references_order_and_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
