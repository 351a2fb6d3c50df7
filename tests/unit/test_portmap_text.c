// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/ip/port.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <netinet/in.h>

static void a_mapping_is_read_and_printed(void **state)
{
	static const struct {
		const char *text, *printed; /* NULL: refused */
	} cases[] = {
		{ "8080:80", "8080:80/tcp" },
		{ "8080:80/udp", "8080:80/udp" },
		{ "8080:80/SCTP", "8080:80/sctp" },
		{ "127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp" },
		{ "0.0.0.0:1:1", "0.0.0.0:1:1/tcp" },
		{ "[::1]:8080:80/tcp", "[::1]:8080:80/tcp" },
		{ "[2001:DB8::1]:65535:65535/udp", "[2001:db8::1]:65535:65535/udp" },
		{ "8080-8090:80-90", "8080-8090:80-90/tcp" },
		{ "1-65535:1-65535", "1-65535:1-65535/tcp" },
		{ "80-80:8080", "80:8080/tcp" },
		{ "[10.0.0.1]:80:80", "10.0.0.1:80:80/tcp" },
		{ "::ffff:10.0.0.1:80:80", NULL },
		{ "", NULL },
		{ "80", NULL },
		{ "80/tcp", NULL },
		{ ":80", NULL },
		{ "80:", NULL },
		{ "::80", NULL },
		{ "0:80", NULL },
		{ "80:0", NULL },
		{ "65536:80", NULL },
		{ "80:65536", NULL },
		{ "80:80/icmp", NULL },
		{ "80:80/", NULL },
		{ "8080-8090:80", NULL },
		{ "8080:80-90", NULL },
		{ "8090-8080:80-90", NULL },
		{ "8080-:80", NULL },
		{ "-80:80", NULL },
		{ "a:80", NULL },
		{ "80:b", NULL },
		{ " 80:80", NULL },
		{ "80:80 ", NULL },
		{ "::1:8080:80", NULL },
		{ "[]:80:80", NULL },
		{ "[::1:80:80", NULL },
		{ "::1]:80:80", NULL },
		{ "1.2.3:80:80", NULL },
		{ "host:80:80", NULL },
		{ "80:80/tcp/udp", NULL },
		{ "99999999999999999999:80", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct port_map m = { 0 };
		struct err e = ERR_INIT;
		char text[PORT_TEXT_MAX];

		row_int(i, cases[i].text, port_map_parse(cases[i].text, &m, &e),
			cases[i].printed ? 0 : -EINVAL);
		if (cases[i].printed)
			row_text(i, cases[i].text, port_map_text(&m, text), cases[i].printed);
		else
			row_int(i, "untouched", m.host_port, 0);
	}
}

static void a_refusal_shows_what_was_given_and_what_is_expected(void **state)
{
	struct port_map m;
	struct err e = ERR_INIT;
	char long_text[300];

	(void)state;
	assert_int_equal(port_map_parse("80", &m, &e), -EINVAL);
	assert_string_equal(
		e.text,
		"-p 80: expected [IP:]HOSTPORT[-LAST]:CONTAINERPORT[-LAST][/tcp|udp|sctp], ports 1..65535 and "
		"both ranges of one length");
	memset(long_text, '8', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = 0;
	assert_int_equal(port_map_parse(long_text, &m, &e), -EINVAL);
	assert_int_equal(port_map_parse("80", &m, NULL), -EINVAL);
}

static void the_longest_mapping_fits_its_buffer(void **state)
{
	struct port_map m = {
		.proto = IPPROTO_SCTP, .host_port = 10000, .container_port = 10000, .count = 50000
	};
	char text[PORT_TEXT_MAX];

	(void)state;
	assert_int_equal(ip_parse("2001:db8:1111:2222:3333:4444:5555:6666", &m.host_ip), 0);
	assert_string_equal(
		port_map_text(&m, text),
		"[2001:db8:1111:2222:3333:4444:5555:6666]:10000-59999:10000-59999/sctp");
}

static void protocols_have_names(void **state)
{
	uint8_t p = 0;

	(void)state;
	assert_string_equal(proto_name(IPPROTO_TCP), "tcp");
	assert_string_equal(proto_name(IPPROTO_UDP), "udp");
	assert_string_equal(proto_name(IPPROTO_SCTP), "sctp");
	assert_string_equal(proto_name(1), "?");
	assert_int_equal(proto_parse("Udp", &p), 0);
	assert_int_equal(p, IPPROTO_UDP);
	assert_int_equal(proto_parse("", &p), -EINVAL);
	assert_int_equal(proto_parse("tcp ", &p), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mapping_is_read_and_printed),
		cmocka_unit_test(a_refusal_shows_what_was_given_and_what_is_expected),
		cmocka_unit_test(the_longest_mapping_fits_its_buffer),
		cmocka_unit_test(protocols_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
