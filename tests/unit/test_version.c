// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/version.h"
#include "tests/unit/unit.h"

#include <errno.h>

static void all_seven_are_known(void **state)
{
	(void)state;
	for (int i = 0; i < CNI_VERSIONS; i++) {
		enum cni_version v = CNI_VERSIONS;

		assert_int_equal(cni_version_parse(cni_version_names[i], CNI_V_0_1_0, &v, NULL), 0);
		assert_int_equal(v, i);
	}
}

static void none_and_empty_are_the_oldest(void **state)
{
	enum cni_version v = CNI_VERSIONS;

	(void)state;
	assert_int_equal(cni_version_parse(NULL, CNI_V_0_1_0, &v, NULL), 0);
	assert_int_equal(v, CNI_V_0_1_0);
	assert_int_equal(cni_version_parse("", CNI_V_0_1_0, &v, NULL), 0);
	assert_int_equal(v, CNI_V_0_1_0);
}

static void others_are_refused_with_what_is_supported(void **state)
{
	static const struct {
		const char *text;
		enum cni_version min;
		int code;
		const char *error, *details;
	} cases[] = {
		{ "1.2.0", CNI_V_0_1_0, 1, "incompatible CNI versions",
		  "config is \"1.2.0\", plugin supports [\"0.1.0\" \"0.2.0\" \"0.3.0\" "
		  "\"0.3.1\" \"0.4.0\" \"1.0.0\" \"1.1.0\"]" },
		{ "0.3.1", CNI_V_0_4_0, 1, "incompatible CNI versions",
		  "config is \"0.3.1\", plugin supports [\"0.4.0\" \"1.0.0\" \"1.1.0\"]" },
		{ NULL, CNI_V_1_1_0, 1, "incompatible CNI versions",
		  "config is \"0.1.0\", plugin supports [\"1.1.0\"]" },
		{ "1", CNI_V_1_1_0, 1, "incompatible CNI versions",
		  "config is \"1\", plugin supports [\"1.1.0\"]" },
		{ "1.1", CNI_V_1_1_0, 1, "incompatible CNI versions",
		  "config is \"1.1\", plugin supports [\"1.1.0\"]" },
		{ "x", CNI_V_0_1_0, 6,
		  "failed to parse cniVersion \"x\": expected numbers like 1.0.0", "" },
		{ "1.0.0.0", CNI_V_0_1_0, 6,
		  "failed to parse cniVersion \"1.0.0.0\": expected numbers like 1.0.0", "" },
		{ "1.", CNI_V_0_1_0, 6,
		  "failed to parse cniVersion \"1.\": expected numbers like 1.0.0", "" },
		{ ".1", CNI_V_0_1_0, 6,
		  "failed to parse cniVersion \".1\": expected numbers like 1.0.0", "" },
		{ "1..0", CNI_V_0_1_0, 6,
		  "failed to parse cniVersion \"1..0\": expected numbers like 1.0.0", "" },
		{ "v1.0.0", CNI_V_0_1_0, 6,
		  "failed to parse cniVersion \"v1.0.0\": expected numbers like 1.0.0", "" },
		{ "1.0.0-rc1", CNI_V_0_1_0, 6,
		  "failed to parse cniVersion \"1.0.0-rc1\": expected numbers like 1.0.0", "" },
		{ " 1.0.0", CNI_V_0_1_0, 6,
		  "failed to parse cniVersion \" 1.0.0\": expected numbers like 1.0.0", "" },
		{ "-1", CNI_V_0_1_0, 6,
		  "failed to parse cniVersion \"-1\": expected numbers like 1.0.0", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum cni_version v = CNI_VERSIONS;
		struct err e = ERR_INIT;
		const char *what = cases[i].text ? cases[i].text : "none";

		row_int(i, what, cni_version_parse(cases[i].text, cases[i].min, &v, &e),
			cases[i].code == 1 ? -EPROTONOSUPPORT : -EINVAL);
		row_int(i, what, e.code, cases[i].code);
		row_text(i, what, e.text, cases[i].error);
		row_text(i, what, e.details, cases[i].details);
		row_int(i, what, v, CNI_VERSIONS);
	}
}

static void results_come_in_three_families(void **state)
{
	static const char *const family[CNI_VERSIONS] = { "a", "a", "b", "b", "b", "c", "c" };

	(void)state;
	for (int a = 0; a < CNI_VERSIONS; a++)
		for (int b = 0; b < CNI_VERSIONS; b++)
			assert_int_equal(!!cni_version_same_family((enum cni_version)a,
								   (enum cni_version)b),
					 !strcmp(family[a], family[b]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_seven_are_known),
		cmocka_unit_test(none_and_empty_are_the_oldest),
		cmocka_unit_test(others_are_refused_with_what_is_supported),
		cmocka_unit_test(results_come_in_three_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
