# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the scripts that run inside the machine: `check NAME COMMAND...` says ok or FAIL.
exec 2>&1
check() {
	name=$1
	shift
	if out=$("$@" 2>&1); then
		echo "ok $name"
	else
		echo "FAIL $name: $(echo "$out" | tail -n 3 | tr '\n' '|')"
	fi
}
# Until it succeeds, 60 times half a second.
soon() {
	for _ in $(seq 60); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.5
	done
	"$@"
}
not() {
	! "$@"
}
