#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# TAP: what tests/run makes of programs that behave and of those that do not.
set -u
run=$(cd "$(dirname "$0")/.." && pwd)/run
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
n=0

# program NAME TEXT: a shell script
program() {
	printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod +x "$1"
}

# expect SENTENCE STATUS LAST-LINE WORDS ARGUMENT...: WORDS must stand somewhere in the output
expect() {
	local sentence=$1 status=$2 last=$3 words=$4 out got

	shift 4
	out=$("$run" "$@" 2>&1)
	got=$?
	n=$((n + 1))
	if [ $got -eq "$status" ] && [ "${out##*$'\n'}" = "$last" ] &&
		[[ $out == *"$words"* ]]; then
		echo "ok $n - $sentence"
	else
		echo "not ok $n - $sentence"
		printf 'status %d, expected %d, "%s", "%s"\n%s\n' \
			"$got" "$status" "$last" "$words" "$out" | sed 's/^/# /'
	fi
}

program good 'echo 1..2; echo ok 1 - a; echo ok 2 - b'
program some 'echo 1..3; echo ok 1; echo "not ok 2 # SKIP b"; echo "ok 3 # skip no kernel"'
program bad 'echo 1..2; echo ok 1 - a; echo not ok 2 - b; echo "# 1 != 2"; exit 1'
program none 'echo "1..0 # SKIP needs root"'
program mute 'echo hello'
program short 'echo 1..3; echo ok 1 - a'
# shellcheck disable=SC2016
program crash 'echo 1..1; echo ok 1 - a; kill -SEGV $$'
program late 'echo 1..1; echo ok 1 - a; exit 3'
program slow 'echo 1..1; sleep 1235 & sleep 1236'
program leaves 'echo 1..1; sleep 1237 & echo ok 1 - a'
program asan 'echo 1..1; echo ok 1 - a; echo "==1==ERROR: AddressSanitizer: overflow" >&2'
program bail 'echo 1..1; echo ok 1 - a; echo "Bail out! no disk"'
program two 'echo 1..1; echo ok 1 - a; echo 1..1; echo ok 1 - b'

echo 1..17
expect passed_tests_are_counted 0 "2 passed, 0 failed, 0 skipped" good good
expect skips_of_either_form_are_no_failures 0 "1 passed, 0 failed, 2 skipped" some some
expect a_failed_test_shows_the_output 1 "1 passed, 1 failed, 0 skipped" "| # 1 != 2" bad
expect a_program_may_skip_itself 0 "2 passed, 0 failed, 1 skipped" "needs root" good none
expect nothing_run_is_a_failure 1 "0 passed, 0 failed, 0 skipped" ""
expect only_skips_are_a_failure 1 "0 passed, 0 failed, 1 skipped" "" none
expect no_plan_is_a_failure 1 "0 passed, 1 failed, 0 skipped" "without a plan" mute
expect missing_tests_are_a_failure 1 "1 passed, 1 failed, 0 skipped" "after 1 of 3 tests" short
expect a_crash_is_a_failure 1 "1 passed, 1 failed, 0 skipped" "ended by signal 11" crash
expect a_status_is_a_failure 1 "1 passed, 1 failed, 0 skipped" "ended with status 3" late
expect a_time_limit_is_a_failure 1 "0 passed, 1 failed, 0 skipped" "took longer than 1 s" -t 1 slow
expect survivors_are_ended_and_not_waited_for 0 "1 passed, 0 failed, 0 skipped" "" leaves
expect a_sanitizers_report_is_a_failure 1 "1 passed, 1 failed, 0 skipped" "a sanitizer reports" asan
expect bailing_out_is_a_failure 1 "1 passed, 1 failed, 0 skipped" "no disk" bail
expect a_missing_program_is_a_failure 1 "0 passed, 1 failed, 0 skipped" "without a plan" nowhere
expect several_groups_add_up 0 "2 passed, 0 failed, 0 skipped" "" two

out=$("$run" -j 3 good bad some two 2>&1)
if [ "$(printf '%s\n' "$out" | grep -o '^[a-z][a-z]* ' | tr -d '\n')" = "good bad some two " ] &&
	[ "${out##*$'\n'}" = "6 passed, 1 failed, 2 skipped" ] &&
	! grep -aqs -e '^sleep.123[567].$' /proc/[0-9]*/cmdline; then
	echo "ok 17 - parallel_runs_report_in_order_and_leave_no_process"
else
	echo "not ok 17 - parallel_runs_report_in_order_and_leave_no_process"
	printf '%s\n' "$out" | sed 's/^/# /'
fi
