#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The option table, --help, the completions and the man pages say the same.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
man=$here/../../doc/man
NARU_BIN=${NARU_BIN:-${BUILD:-$here/../../build}/bin}
naru=$NARU_BIN/naru
n=0 failed=0

ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() {
	n=$((n + 1)) failed=1
	echo "not ok $n - $1"
	while read -r line; do echo "# $line"; done <<< "$2"
}
same() { # name, expected, found
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "$(diff <(echo "$2") <(echo "$3") || true)"; fi
}

verbs() { "$naru" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p'; }
# "-a --all" for each option, sorted
help_options() {
	"$naru" "$1" --help | sed -n '/^Options:/,$p' | sed -n 's/^  \(-.\)\?,\? *\(--[a-z-]*\)\?.*/\1 \2/p' | sed 's/^ *//; /^$/d' | sort
}
man_options() {
	sed -n '/^\.Sh OPTIONS/,/^\.Sh [^O]/s/^\.It Fl //p' "$man/naru-$1.1" | sed 's/ Ar .*//; s/^-/--/; s/^\(.\)$/-\1/
		s/^\([a-zA-Z]\)\( , Fl -\(.*\)\)$/-\1 --\3/' | sort
}

for verb in $(verbs); do
	same "the page of $verb has the options of its help" "$(help_options "$verb")" "$(man_options "$verb")"
	lines=$("$naru" "$verb" --help | wc -l) wide=$("$naru" "$verb" --help | awk 'length > 80' | wc -l)
	if [ "$lines" -le 30 ] && [ "$wide" = 0 ]; then
		ok "the help of $verb fits a screen"
	else
		not_ok "the help of $verb fits a screen" "$lines lines, $wide of them too wide"
	fi
	for word in $(help_options "$verb" | grep -o -- '--[a-z-]*'); do
		"$naru" completion bash | grep -q -- "^		$verb) .*$word\b" ||
			not_ok "bash completes $verb $word" "it does not"
	done
done
same "naru(1) names every command" "$(verbs | sort)" "$(sed -n 's/^\.It Xr naru-\([a-z]*\) 1/\1/p' "$man/naru.1" | sort)"
if bash -n <("$naru" completion bash); then ok "the bash completion is a script"; else not_ok "the bash completion is a script" ''; fi
echo "1..$n"
exit $failed
