#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Proves that the stepper counts, kills, fails, signals and holds as it says. TAP on standard
# output; root. STEPPER and PREY name the two programs; without them BUILD (default:
# build) is searched.

root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-build}
case $build in /*) ;; *) build=$root/$build ;; esac
stepper=${STEPPER:-$build/tests/tools/stepper}
prey=${PREY:-$build/tests/tools/prey}
plugins=${CNI_REFERENCE:-/usr/lib/cni}
three="echo a > f; mv f g; rm g"
n=0
failed=0

if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP the stepper's test needs root"
	exit 0
fi
for program in "$stepper" "$prey"; do
	[ -x "$program" ] || { echo "Bail out! $program is missing: run make first"; exit 1; }
done
work=$(mktemp -d) && cd "$work" || exit 1
# the leak checker of a sanitized build is a tracer too
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
trap 'cd / && rm -rf "$work"' EXIT

# ok SENTENCE CONDITION...
ok()
{
	sentence=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n - $sentence"
	else
		echo "not ok $n - $sentence"
		echo "# failed: $*"
		sed 's/^/# /' list report err 2>/dev/null
		failed=1
	fi
}

skip()
{
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# run OPTION... -- COMMAND...: sets status, out; leaves list, report, err
run()
{
	rm -f list report err
	out=$("$stepper" --list=list --report=report "$@" 2>err)
	status=$?
}

apart() { unshare -m -n --propagation private "$@"; }
fresh() { rm -rf f g hold daemon.pid named in pidns.txt thread* from-thread first; }
said() { grep -q "\"$1\":$2[,}]" report; }
# shellcheck disable=SC2317 # called through ok
is() { [ "$1" = "$2" ]; }
shape() { cut -f 2-5 "$1" | cksum; }
prey_alive()
{
	for p in /proc/[0-9]*; do
		[ "$(cat "$p/comm" 2>/dev/null)" = prey ] && alive "${p#/proc/}" && echo "$p"
	done
}
alive() { [ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status"; }

run -- sh -c "$three"
ok "four changes are four points" said points 4
ok "and each is named" is "$(cut -f 3,5,6 list | tr '\t\n' ' ;')" \
	"crash openat f;crash write $work/f;crash renameat2 f g;crash unlinkat g;"
# shellcheck disable=SC2016 # for the inner shell
run -- sh -c 'read x; echo "$x"; echo e >&2; exit 7' <<-END
	through
	END
ok "standard input, output and the exit status pass through" is "$out $status" "through 7"
ok "standard error passes through and is no point" is \
	"$(cat err) $(cut -f 6 list)" "e standard output"
run -- sh -c 'kill -TERM $$'
ok "death by a signal is told apart" is "$status $(said signal 15 && echo told)" "143 told"
run -- ./nothing
ok "a command that is not there is named" is "$status $(cat err)" \
	"127 stepper: cannot run ./nothing: No such file or directory"

left=
for i in 1 2 3 4 5; do
	fresh
	run --kill=$i -- sh -c "$three"
	left="$left$status:$(ls -d f g 2>/dev/null)$([ -s f ] && echo +) "
done
ok "a kill at N leaves what N-1 calls did" is "$left" "137: 137:f 137:f+ 137:g 0: "
ok "a kill behind the last point never fires" said fired false

fresh
run --errno=ENOSPC@3 -- sh -c "$three"
ok "a failed call is not made" grep -q "No space left on device" err
fresh
run --errno-from=EROFS@1 -- sh -c "$three"
ok "every later call fails too" is "$(grep -c "Read-only\|rm:" err) $(ls -d f g 2>/dev/null)" "2 "
fresh
run --errno=EMFILE@1 --faults -- cat /etc/hostname
ok "a fault point can fail as well" grep -q "Too many open files" err
run --kill-one=3 -- sh -c 'echo a > f; sh -c "mv f g; true"; echo survived'
ok "killing one process lets the others go on" is "$out" survived
fresh
run --signal=SIGTERM@1 -- "$prey" handler
ok "a signal arrives before the call, which then happens once" is "$out $(wc -l < list)" "before 3"
run --signal=TERM@2 -- sh -c "$three"
ok "a signal nobody handles ends the process before the call" is "$status $(wc -c < f)" "143 0"

fresh
(
	i=0
	while [ ! -e hold ] && [ $i -lt 100 ]; do sleep 0.05; i=$((i + 1)); done
	ls -d f g > seen 2>/dev/null
	rm hold
) &
run --pause=3:hold -- sh -c "$three"
wait $!
ok "a pause shows the state before the call" is "$(cat seen) $status" "f 0"
fresh
run --pause=3:hold --pause-limit=1 -- sh -c "$three"
ok "a pause ends by itself" is "$status $(ls -d f g hold 2>/dev/null)" "124 f"
run --timeout=1 -- sleep 20
ok "a run ends by itself" is "$status $(said timeout true && echo told)" "124 told"
run --only=rm,mv -- sh -c "$three"
ok "only the programs asked for are counted" is "$(cut -f 4 list | tr '\n' ' ')" "mv rm "

run -- "$prey" tmpfile
ok "a file without a name counts from its linkat on" is "$(cut -f 5 list)" linkat
fresh
run -- "$prey" seccomp
ok "a filter of the program's own wins over ours" is "$out $(cut -f 5 list | tr '\n' ' ')" \
	"EXDEV ENOENT unlinkat write "
run -- "$prey" threads
ok "threads share the counter and an exec from one is followed" is \
	"$(wc -l < list) $(tail -n 1 list | cut -f 2,4)" "161 1	mkdir"
fresh
run -- "$prey" clone3
ok "a child in new namespaces is followed" is "$(cat pidns.txt) $(wc -l < list)" "1 4"
group=/sys/fs/cgroup/unified/naru-test-stepper-$$
[ -e /sys/fs/cgroup/cgroup.procs ] && group=/sys/fs/cgroup/naru-test-stepper-$$
if mkdir "$group" 2>/dev/null; then
	fresh
	run -- "$prey" clone3 "$group"
	ok "a child born in another cgroup is followed" is "$status $(cat pidns.txt)" "0 1"
	rmdir "$group"
else
	skip "a child born in another cgroup is followed" "no cgroup v2 to write to"
fi

fresh
run -- "$prey" daemon
read -r pid before < daemon.pid
sleep 0.3
read -r pid after < daemon.pid
ok "a daemon outlives the run and works on" [ "$after" -gt "$before" ]
ok "and is reported" said survivors 1
kill -9 "$pid"
fresh
run --kill=7 --whole-tree -- "$prey" daemon
read -r pid _ < daemon.pid
ok "a kill reaches the daemon after the command has ended" is \
	"$status $(alive "$pid" && echo alive)" "137 "
ok "no process of ours is left" is "$(prey_alive)" ""

fresh
out=$(apart "$stepper" --list=list --report=report -- "$prey" netlink 2>err)
ok "netlink changes are points, dumps and empty batches are not" is "$(cut -f 6 list)" \
"RTM_NEWLINK prey0 (bridge)
standard output
BATCH_BEGIN, NFT_NEWTABLE, BATCH_END"
out=$(apart "$stepper" --errno=EPERM@3 --report=report -- "$prey" netlink 2>err)
ok "a netlink send can fail" is "$(cat err)" "prey: batch: Operation not permitted"

for i in 1 2 3; do
	apart "$stepper" --faults --list=all$i -- "$prey" netlink > /dev/null 2>err
done
ok "fault points are the same in three runs" is "$(shape all1) $(shape all1)" \
	"$(shape all2) $(shape all3)"

cat > attach <<'END'
for dir in /run/netns /var/lib/cni; do
	mkdir -p $dir && mount -t tmpfs none $dir || exit 1
done
ip netns add c1 && ip link set lo up || exit 1
export CNI_COMMAND=ADD CNI_CONTAINERID=abc CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0
export CNI_PATH="$plugins"
exec "$@" "$plugins/bridge" <<-JSON
	{ "cniVersion": "1.0.0", "name": "n", "type": "bridge", "bridge": "cni9",
	  "isGateway": true, "ipMasq": true, "ipam": { "type": "host-local",
	    "ranges": [[{ "subnet": "10.9.0.0/24" }], [{ "subnet": "fd09::/64" }]] } }
	JSON
END
if [ -x "$plugins/bridge" ]; then
	export plugins
	for i in 1 2 3; do
		apart sh attach "$stepper" --list=go$i --report=report \
			> /dev/null 2>err
	done
	ok "the reference's bridge has at least 30 points" [ "$(wc -l < go1)" -ge 30 ]
	ok "its points are the same in three runs" is "$(shape go1) $(shape go1)" \
		"$(shape go2) $(shape go3)"
else
	skip "the reference's bridge counts the same in three runs" "no $plugins/bridge"
fi

echo "1..$n"
exit $failed
