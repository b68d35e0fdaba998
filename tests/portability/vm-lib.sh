# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the scripts that run inside the machine: `check NAME COMMAND...` says ok or FAIL.
exec 2>&1
check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		echo "ok $name"
	else
		echo "FAIL $name | $(echo "$out" | tail -n 4 | tr '\n' '|')"
	fi
}
# Until it succeeds, for two minutes: this machine has a slow processor, of which it may get a part only.
soon() {
	local end=$((SECONDS + 120))
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { "$@"; return; }
		sleep 0.2
	done
}
not() {
	! "$@"
}
rules() { nft list table inet net_gazer | grep -q 'log.* group 100 '; }
# status PATTERN: of net-gazerctl's JSON.
status() { net-gazerctl status --json | tr -d ' \n' | grep -Eq "$1"; }
# The table's number: another one after it was made again.
handle() { nft -a list table inet net_gazer | grep -Eo '^table .* # handle [0-9]+' || echo none; }
same() { [ "$1" = "$2" ]; }
main_pid() { systemctl show -P MainPID net-gazer; }
# Debian's nftables.conf.
firewall() { nft list chain inet filter forward; }
nothing_left() {
	local left
	left=$(find / -xdev \( -path '*net-gazer*' -o -path '*net_gazer*' -o -user net-gazer -o -user net-gazer-collector \) \
		-not -path '/home/admin/*' -not -path '/root/*'; find /run -name '*net-gazer*')
	echo "$left"
	[ -z "$left" ]
}
