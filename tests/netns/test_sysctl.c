// SPDX-License-Identifier: GPL-2.0-or-later
/* Sysctls of network namespaces, and names that would lead elsewhere. */
#include "tests/lib/lab.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <unistd.h>

#include "netlib/net/netns.h"
#include "netlib/net/sysctl.h"

static int ns_fd = -1;

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	return netns_open(LAB_NETNS("c1"), &ns_fd, NULL);
}

static int teardown(void **state)
{
	(void)state;
	(void)close(ns_fd);
	lab_netns_del("c1");
	return 0;
}

static void each_namespace_has_values_of_its_own(void **state)
{
	static const char name[] = "net/ipv4/ip_forward";
	char value[SYSCTL_VALUE_MAX];

	(void)state;
	assert_int_equal(sysctl_write(name, "1", NULL), 0);
	assert_int_equal(sysctl_write_in(ns_fd, name, "0", NULL), 0);
	assert_int_equal(sysctl_read(name, value, NULL), 0);
	assert_string_equal(value, "1");
	assert_int_equal(sysctl_read_in(ns_fd, name, value, NULL), 0);
	assert_string_equal(value, "0");
	assert_int_equal(sysctl_read_in(-1, name, value, NULL), 0);
	assert_string_equal(value, "1");
	assert_int_equal(sysctl_write_in(-1, name, "0", NULL), 0);
	assert_int_equal(sysctl_read(name, value, NULL), 0);
	assert_string_equal(value, "0");
}

static void a_value_may_have_several_words(void **state)
{
	char value[SYSCTL_VALUE_MAX];

	(void)state;
	assert_int_equal(sysctl_write_in(ns_fd, "net/ipv4/ip_local_port_range", "2000 3000", NULL),
			 0);
	assert_int_equal(sysctl_read_in(ns_fd, "net/ipv4/ip_local_port_range", value, NULL), 0);
	assert_string_equal(value, "2000\t3000");
}

static void an_interface_may_have_dots_in_its_name(void **state)
{
	char value[SYSCTL_VALUE_MAX];

	(void)state;
	lab_sh_in("c1", "ip link add eth..0 type bridge; ip link add ..a type bridge");
	assert_int_equal(sysctl_write_in(ns_fd, "net/ipv6/conf/eth..0/accept_ra", "0", NULL), 0);
	assert_int_equal(sysctl_read_in(ns_fd, "net/ipv6/conf/eth..0/accept_ra", value, NULL), 0);
	assert_string_equal(value, "0");
	assert_int_equal(sysctl_read_in(ns_fd, "net/ipv6/conf/..a/accept_ra", value, NULL), 0);
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const names[] = {
		"kernel/hostname",
		"/net/ipv4/ip_forward",
		"net",
		"",
		"../proc/version",
		"net/../kernel/hostname",
		"net/ipv4/..",
		"net/..",
		"net/ipv4/../../kernel/hostname",
		"Net/ipv4/ip_forward",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char value[SYSCTL_VALUE_MAX], want[160];
		struct err e = ERR_INIT;

		row_int(i, names[i], sysctl_read(names[i], value, &e), -EINVAL);
		(void)snprintf(want, sizeof want,
			       "sysctl %s: expected a name below net/ without \"..\"", names[i]);
		row_text(i, names[i], e.text, want);
		row_int(i, names[i], sysctl_write(names[i], "1", &e), -EINVAL);
	}
	char long_name[400] = "net/";
	memset(long_name + 4, 'x', sizeof long_name - 5);
	assert_int_equal(sysctl_write(long_name, "1", NULL), -EINVAL);
}

static void what_the_kernel_refuses_says_what_was_written_where(void **state)
{
	char value[SYSCTL_VALUE_MAX];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(sysctl_read("net/ipv4/no_such", value, &e), -ENOENT);
	assert_string_equal(e.text, "read sysctl net/ipv4/no_such: No such file or directory");
	assert_int_equal(sysctl_write("net/ipv6/conf/gone0/accept_ra", "0", &e), -ENOENT);
	assert_string_equal(
		e.text,
		"write \"0\" to sysctl net/ipv6/conf/gone0/accept_ra: No such file or directory");
	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "yes", &e), -EINVAL);
	assert_string_equal(e.text,
			    "write \"yes\" to sysctl net/ipv4/ip_forward: Invalid argument");
	assert_int_equal(sysctl_read("net/ipv4", value, &e), -EISDIR);
}

#define IN_LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_LAB(each_namespace_has_values_of_its_own),
		IN_LAB(a_value_may_have_several_words),
		IN_LAB(an_interface_may_have_dots_in_its_name),
		IN_LAB(names_that_lead_elsewhere_are_refused),
		IN_LAB(what_the_kernel_refuses_says_what_was_written_where),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
