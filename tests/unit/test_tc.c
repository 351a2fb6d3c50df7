// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/tc.h"
#include "tests/unit/unit.h"

static void a_burst_is_counted_in_ticks_as_tc_counts_it(void **state)
{
	static const struct {
		uint64_t rate, burst; /* bytes */
		uint32_t ticks;
	} cases[] = {
		{ 1000000, 100000, 1562500 },  { 1, 1, 15625000 },
		{ 125000000000, 1, 0 },	       { 3, 1, 5208328 }, /* by way of whole microseconds */
		{ 1, 275, 4294967295 }, /* what does not fit is the most that does */
		{ 1, 4294967294, 4294967295 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tc_rate r = tc_rate(cases[i].rate, cases[i].burst);

		assert_int_equal(r.bytes_ps, cases[i].rate);
		assert_int_equal(r.buffer, cases[i].ticks);
	}
}

static void what_may_wait_is_what_passes_in_the_latency_and_the_burst(void **state)
{
	(void)state;
	assert_int_equal(tc_limit(1000000, 25, 100000), 125000);
	assert_int_equal(tc_limit(1, 25, 1), 1);
	assert_int_equal(tc_limit(125000000000, 25, 1), 3125000001);
	assert_int_equal(tc_limit(125000000000, 25, 4294967294), UINT32_MAX);
	assert_int_equal(tc_limit(UINT64_MAX / 8, 25, UINT64_MAX), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_counted_in_ticks_as_tc_counts_it),
		cmocka_unit_test(what_may_wait_is_what_passes_in_the_latency_and_the_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
