// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/cni/cache.h"

static char dir[64];

static int dir_make(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/naru-test-cache-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int dir_drop(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, dir, NULL);
}

static const char list_text[] =
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"plugins\":[{\"type\":\"a\"}]}";

static void list_parse(struct netlist *n)
{
	assert_int_equal(netlist_parse(list_text, strlen(list_text), n, NULL), 0);
}

static struct netlist_rt attachment(void)
{
	return (struct netlist_rt){
		.container = "c1", .netns = "/run/netns/x", .ifname = "eth0", .cache_dir = dir
	};
}

static char *path_of(const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof path, "%s/results/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	cleanup_free char *results = str_fmt("%s/results", dir);

	assert_int_equal(file_mkdirs(results, 0700, NULL), 0);
	cleanup_fd int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void expect_file(const char *name, const char *want)
{
	cleanup_free char *got = NULL;

	assert_int_equal(file_read_at(AT_FDCWD, path_of(name), 1 << 20, &got, NULL, NULL), 0);
	assert_string_equal(got, want);
}

/* The bytes are those that libcni writes for the same call. */
static void the_file_is_libcnis_to_the_byte(void **state)
{
	static const char result[] =
		"{\"ips\":[{\"address\":\"10.1.0.2/24\"}],\"cniVersion\":\"1.0.0\",\"dns\":{}}";
	static const char caps[] = "{\"mac\":\"02:00:00:00:00:01\",\"aliases\":[\"<a>\"]}";
	const struct netlist_arg args[] = { { "IgnoreUnknown", "1" }, { "K", "v" } };
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_doc struct doc res = DOC_INIT, cap = DOC_INIT;
	struct netlist_rt rt = attachment();
	struct stat st;

	(void)state;
	list_parse(&n);
	assert_int_equal(doc_parse(&res, result, strlen(result), NULL), 0);
	assert_int_equal(doc_parse(&cap, caps, strlen(caps), NULL), 0);
	rt.args = args;
	rt.nargs = 2;
	rt.caps = cap.root;
	assert_int_equal(cache_write(&n, &rt, res.root, NULL), 0);
	expect_file(
		"net-c1-eth0",
		"{\"kind\":\"cniCacheV1\",\"containerId\":\"c1\",\"config\":\"eyJjbmlWZXJzaW9uIjoiMS4wLjAiLCJuYW1lIjoibmV0IiwicGx1Z2lucyI"
		"6W3sidHlwZSI6ImEifV19\",\"ifName\":\"eth0\",\"networkName\":\"net\",\"netns\":\"/run/netns/x\","
		"\"cniArgs\":[[\"IgnoreUnknown\",\"1\"],[\"K\",\"v\"]],"
		"\"capabilityArgs\":{\"aliases\":[\"\\u003ca\\u003e\"],\"mac\":\"02:00:00:00:00:01\"},"
		"\"result\":{\"cniVersion\":\"1.0.0\",\"dns\":{},\"ips\":[{\"address\":\"10.1.0.2/24\"}]}}");
	assert_int_equal(stat(path_of("net-c1-eth0"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(path_of(""), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void what_is_empty_is_left_out(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_json struct json_object *empty = json_obj();
	struct netlist_rt rt = attachment();

	(void)state;
	list_parse(&n);
	rt.netns = NULL;
	rt.caps = empty;
	assert_int_equal(cache_write(&n, &rt, empty, NULL), 0);
	expect_file(
		"net-c1-eth0",
		"{\"kind\":\"cniCacheV1\",\"containerId\":\"c1\",\"config\":\"eyJjbmlWZXJzaW9uIjoiMS4wLjAiLCJuYW1lIjoibmV0IiwicGx1Z2lucyI"
		"6W3sidHlwZSI6ImEifV19\",\"ifName\":\"eth0\",\"networkName\":\"net\"}");
}

static void what_was_written_is_read_back_and_replaced_whole(void **state)
{
	static const struct netlist_arg args[] = { { "A", "1" } };
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_cache struct cache_entry c = { 0 };
	cleanup_json struct json_object *result = json_obj();
	struct netlist_rt rt = attachment();

	(void)state;
	list_parse(&n);
	json_set_str(result, "cniVersion", "1.0.0");
	assert_int_equal(cache_write(&n, &rt, result, NULL), 0);
	rt.args = args;
	rt.nargs = 1;
	assert_int_equal(cache_write(&n, &rt, result, NULL), 0);
	assert_int_equal(cache_read("net", &rt, &c, NULL), CACHE_FOUND);
	assert_string_equal(c.container, "c1");
	assert_string_equal(c.ifname, "eth0");
	assert_string_equal(c.network, "net");
	assert_string_equal(c.netns, "/run/netns/x");
	assert_int_equal(c.nargs, 1);
	assert_string_equal(c.args[0].value, "1");
	assert_string_equal(json_text(json_get(c.result, "cniVersion")), "1.0.0");
	assert_int_equal(access(path_of(".net-c1-eth0.new"), F_OK), -1);
}

static void a_bare_result_of_an_old_libcni_is_understood(void **state)
{
	cleanup_cache struct cache_entry c = { 0 };
	struct netlist_rt rt = attachment();

	(void)state;
	put("net-c1-eth0", "{\"cniVersion\":\"0.4.0\",\"ips\":[]}");
	assert_int_equal(cache_read("net", &rt, &c, NULL), CACHE_FOUND);
	assert_string_equal(json_text(json_get(c.result, "cniVersion")), "0.4.0");
	assert_string_equal(c.container, "");
}

static void a_file_that_cannot_be_used_is_told_from_none(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "", "cached result net-c1-eth0 cannot be used: the file is empty" },
		{ "{\"kind\":\"cniCac",
		  "cached result net-c1-eth0 cannot be used: invalid JSON at offset 15: the document ends too early" },
		{ "[]", "cached result net-c1-eth0 cannot be used: expected an object" },
		{ "{\"kind\":\"other\"}",
		  "cached result net-c1-eth0 cannot be used: /kind: expected \"cniCacheV1\", got \"other\"" },
		{ "{\"kind\":\"cniCacheV1\",\"result\":5}",
		  "cached result net-c1-eth0 cannot be used: /result: expected an object" },
		{ "{\"kind\":\"cniCacheV1\",\"cniArgs\":[[\"a\"]]}",
		  "cached result net-c1-eth0 cannot be used: /cniArgs: expected a list of pairs of strings" },
	};
	struct netlist_rt rt = attachment();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_cache struct cache_entry c = { 0 };
		struct err e = ERR_INIT;

		put("net-c1-eth0", cases[i].text);
		assert_int_equal(cache_read("net", &rt, &c, &e), CACHE_BROKEN);
		assert_string_equal(e.text, cases[i].error);
	}
	assert_int_equal(cache_remove("net", &rt, NULL), 0);
	cleanup_cache struct cache_entry none = { 0 };
	assert_int_equal(cache_read("net", &rt, &none, NULL), CACHE_NONE);
	assert_int_equal(cache_remove("net", &rt, NULL), 0);
}

static void a_link_or_fifo_in_its_place_is_not_followed(void **state)
{
	cleanup_cache struct cache_entry c = { 0 };
	struct netlist_rt rt = attachment();
	struct err e = ERR_INIT;

	(void)state;
	put("other", "{\"cniVersion\":\"1.0.0\"}");
	assert_int_equal(symlink("other", path_of("net-c1-eth0")), 0);
	assert_int_equal(cache_read("net", &rt, &c, &e), CACHE_BROKEN);
	assert_int_equal(unlink(path_of("net-c1-eth0")), 0);
	assert_int_equal(mkfifo(path_of("net-c1-eth0"), 0600), 0);
	assert_int_equal(cache_read("net", &rt, &c, &e), CACHE_BROKEN);
	assert_int_equal(cache_remove("net", &rt, NULL), 0);
	expect_file("other", "{\"cniVersion\":\"1.0.0\"}");
}

static void removing_takes_a_killed_writers_temporary_file_too(void **state)
{
	struct netlist_rt rt = attachment();

	(void)state;
	put("net-c1-eth0", "{}");
	put(".net-c1-eth0.new", "{\"kin");
	assert_int_equal(cache_remove("net", &rt, NULL), 0);
	assert_int_equal(access(path_of(".net-c1-eth0.new"), F_OK), -1);
}

static void names_that_make_no_file_name_are_refused(void **state)
{
	char long_name[300], out[256];
	struct err e = ERR_INIT;

	(void)state;
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = 0;
	assert_int_equal(cache_file_name("net", "", "eth0", out, &e), -EINVAL);
	assert_string_equal(
		e.text,
		"the result cache needs a network name (\"net\"), a container id (\"\") and an interface name (\"eth0\")");
	assert_int_equal(cache_file_name("net", "../x", "eth0", out, &e), -EINVAL);
	assert_int_equal(cache_file_name("net", long_name, "eth0", out, &e), -ENAMETOOLONG);
	assert_string_equal(
		e.text,
		"network name, container id and interface name have 306 bytes together; the result cache takes at "
		"most 247");
}

static int collect(const char *file, const struct cache_entry *entry, void *arg)
{
	str_addf(arg, "%s %s\n", file, entry ? entry->container : "broken");
	return 0;
}

static void each_lists_one_network(void **state)
{
	cleanup_str struct str got = STR_INIT;

	(void)state;
	assert_int_equal(cache_each(dir, "net", collect, &got, NULL), 0);
	assert_int_equal(got.len, 0);
	put("net-c2-eth0",
	    "{\"kind\":\"cniCacheV1\",\"networkName\":\"net\",\"containerId\":\"c2\",\"ifName\":\"eth0\"}");
	put("net-c1-eth0",
	    "{\"kind\":\"cniCacheV1\",\"networkName\":\"net\",\"containerId\":\"c1\",\"ifName\":\"eth0\"}");
	put("net-b-c1-eth0",
	    "{\"kind\":\"cniCacheV1\",\"networkName\":\"net-b\",\"containerId\":\"c1\",\"ifName\":\"eth0\"}");
	put("net-c3-eth0", "");
	put("web-c1-eth0", "");
	assert_int_equal(cache_each(dir, "net", collect, &got, NULL), 0);
	assert_string_equal(got.p, "net-c1-eth0 c1\nnet-c2-eth0 c2\nnet-c3-eth0 broken\n");
}

#define DIR_TEST(f) cmocka_unit_test_setup_teardown(f, dir_make, dir_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIR_TEST(the_file_is_libcnis_to_the_byte),
		DIR_TEST(what_is_empty_is_left_out),
		DIR_TEST(what_was_written_is_read_back_and_replaced_whole),
		DIR_TEST(a_bare_result_of_an_old_libcni_is_understood),
		DIR_TEST(a_file_that_cannot_be_used_is_told_from_none),
		DIR_TEST(a_link_or_fifo_in_its_place_is_not_followed),
		DIR_TEST(removing_takes_a_killed_writers_temporary_file_too),
		cmocka_unit_test(names_that_make_no_file_name_are_refused),
		DIR_TEST(each_lists_one_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
