// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/ip/mac.h"
#include "tests/unit/unit.h"

#include <errno.h>

static void addresses_are_six_pairs_of_hex_digits(void **state)
{
	static const struct {
		const char *text, *printed; /* NULL: refused */
	} cases[] = {
		{ "02:11:22:33:44:55", "02:11:22:33:44:55" },
		{ "AA:bb:CC:dd:EE:ff", "aa:bb:cc:dd:ee:ff" },
		{ "02-11-22-33-44-55", "02:11:22:33:44:55" },
		{ "00:00:00:00:00:00", "00:00:00:00:00:00" },
		{ "", NULL },
		{ "02:11:22:33:44", NULL },
		{ "02:11:22:33:44:5", NULL },
		{ "02:11:22:33:44:55:66", NULL },
		{ "02:11:22:33:44:5g", NULL },
		{ "02 11 22 33 44 55", NULL },
		{ "2:11:22:33:44:555", NULL },
		{ "0211.2233.4455", NULL },
		{ "02:11:22:33:44:55 ", NULL },
		{ "::::::::::::::::::", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mac m = { 0 };
		char text[MAC_TEXT_MAX];

		row_int(i, cases[i].text, mac_parse(cases[i].text, &m),
			cases[i].printed ? 0 : -EINVAL);
		row_text(i, cases[i].text, mac_text(&m, text),
			 cases[i].printed ? cases[i].printed : "");
	}
}

static void comparing_and_zero(void **state)
{
	struct mac a = { .set = true, .b = { 2, 0, 0, 0, 0, 1 } }, b = a, zero = { .set = true };

	(void)state;
	assert_true(mac_eq(&a, &b));
	b.b[5] = 2;
	assert_false(mac_eq(&a, &b));
	assert_true(mac_is_zero(&zero));
	assert_false(mac_is_zero(&a));
}

static void a_derived_address_is_stable_local_and_unicast(void **state)
{
	char text[MAC_TEXT_MAX], name[16];
	struct mac m = mac_derive("net/c1");

	(void)state;
	/* containers that live across an update keep theirs */
	assert_string_equal(mac_text(&m, text), "ba:a1:6e:2f:85:2a");
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof name, "c%d", i);
		m = mac_derive(name);
		assert_true(m.set);
		assert_int_equal(m.b[0] & 3, 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_six_pairs_of_hex_digits),
		cmocka_unit_test(comparing_and_zero),
		cmocka_unit_test(a_derived_address_is_stable_local_and_unicast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
