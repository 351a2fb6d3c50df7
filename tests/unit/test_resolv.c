// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ipam/resolv.h"
#include "netlib/cni/result.h"

static void resolv_conf_is_read_as_the_reference_reads_it(void **state)
{
	char text[] =
		"# comment\n; comment\nnameserver 192.0.2.1 ignored\n  nameserver\t192.0.2.2\r\nnameserver\n"
		"search a.example b.example\nsearch c.example\ndomain one.example\ndomain two.example\n"
		"options ndots:2 rotate\nsortlist 10.0.0.0\nnoise\n\n";
	struct cni_dns d = { 0 };

	(void)state;
	assert_int_equal(resolv_parse(text, &d), 0);
	assert_int_equal(d.nnameservers, 2);
	assert_string_equal(d.nameservers[1], "192.0.2.2");
	assert_int_equal(d.nsearch, 3);
	assert_string_equal(d.search[2], "c.example");
	assert_string_equal(d.domain, "two.example");
	assert_int_equal(d.noptions, 2);
	assert_string_equal(d.options[1], "rotate");
	cni_dns_clear(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolv_conf_is_read_as_the_reference_reads_it),
	};

	return cmocka_run_group_tests_name("resolv", tests, NULL, NULL);
}
