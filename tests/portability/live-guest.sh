#!/bin/busybox sh
# shellcheck shell=dash disable=SC2016,SC2086  # an inner shell expands; words that have no blanks, or that shall be split
# SPDX-License-Identifier: GPL-2.0-or-later
# /init of a machine that has a kernel, busybox, ip, nft and our programs in /ng (portable_live.py).  The sensor works on a router
# of namespaces; what was done and what it said goes to the host as a tar file in base64, between two lines, to be compared there.
#
#   lan 10.77.1.2 --- rtr 10.77.1.1, 198.51.100.1 --- wan 198.51.100.2, 203.0.113.1 --- far 203.0.113.2, 20.0.0.1
#       fd00:77:1::2      fd00:77:1::1, 2001:db8:2::1     2001:db8:2::2, 2001:db8:3::1      2001:db8:3::2, 2a01:4f8:2::1
/bin/busybox mkdir -p /proc /sys /dev /run /tmp /etc /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs run /run
/bin/busybox --install -s /bin
export PATH=/sbin:/bin:/ng
exec </dev/null 2>&1
echo "kernel $(uname -srm)"
out=/tmp/out result=PASS
mkdir -p $out
mount -t securityfs sec /sys/kernel/security 2>/dev/null
printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' >/etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\n' >/etc/group
check() {
	name=$1
	shift
	if "$@" >/tmp/said 2>&1; then
		echo "ok $name"
	else
		result=FAIL
		echo "FAIL $name | $(tail -n 3 /tmp/said | tr '\n' '|')"
	fi
}
# Until it succeeds, for a minute of the machine's.
soon() {
	end=$(($(cut -d. -f1 /proc/uptime) + 60))
	while [ "$(cut -d. -f1 /proc/uptime)" -lt $end ]; do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.2
	done
	"$@"
}
not() { ! "$@"; }
while read -r m; do check "module $m" modprobe "$m"; done </etc/modules
in_ns() {
	ns=$1
	shift
	/sbin/ip netns exec "$ns" "$@"
}

for ns in lan rtr wan far; do
	/sbin/ip netns add $ns
	in_ns $ns sh -c 'cd /proc/sys/net && for f in all default; do echo 0 >ipv6/conf/$f/accept_dad; done
		echo 1 >ipv4/ip_forward; echo 1 >ipv6/conf/all/forwarding; echo 0 >ipv4/icmp_ratelimit; echo 0 >ipv6/icmp/ratelimit'
	/sbin/ip -n $ns link set lo up
done
# wire NS NAME ADDRESSES... = NS NAME ADDRESSES...
wire() {
	/sbin/ip link add "$2" netns "$1" type veth peer name "$6" netns "$5"
	for end in "$1 $2 $3 $4" "$5 $6 $7 $8"; do
		set -- $end
		/sbin/ip -n "$1" addr add "$3" dev "$2"
		/sbin/ip -n "$1" addr add "$4" dev "$2" nodad
		/sbin/ip -n "$1" link set "$2" up
	done
}
wire lan eth0 10.77.1.2/24 fd00:77:1::2/64 rtr lan0 10.77.1.1/24 fd00:77:1::1/64
wire rtr wan0 198.51.100.1/24 2001:db8:2::1/64 wan eth0 198.51.100.2/24 2001:db8:2::2/64
wire wan eth1 203.0.113.1/24 2001:db8:3::1/64 far eth0 203.0.113.2/24 2001:db8:3::2/64
/sbin/ip -n far addr add 20.0.0.1/32 dev lo
/sbin/ip -n far addr add 2a01:4f8:2::1/128 dev lo
for route in "lan 10.77.1.1 fd00:77:1::1" "rtr 198.51.100.2 2001:db8:2::2" "wan 203.0.113.2 2001:db8:3::2" \
	"far 203.0.113.1 2001:db8:3::1"; do
	set -- $route
	/sbin/ip -n "$1" route add default via "$2"
	/sbin/ip -n "$1" route add default via "$3"
done
/sbin/ip -n wan route add fd00:77:1::/64 via 2001:db8:2::1
in_ns far nft 'add table inet silent; add chain inet silent in { type filter hook input priority 0; }; add rule inet silent in tcp dport 5 drop'
cat >/tmp/fw.nft <<'R'
table inet fw {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ct status dnat accept
		iifname "lan0" accept
		iifname "wan0" tcp dport 22 accept
	}
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iifname != "wan0" accept
		meta l4proto { 1, 58 } accept
	}
}
table ip nat {
	chain out { type nat hook postrouting priority srcnat; oifname "wan0" masquerade; }
	chain in { type nat hook prerouting priority dstnat; iifname "wan0" tcp dport 8022 dnat to 10.77.1.2:22; }
}
R
check "the firewall" in_ns rtr nft -f /tmp/fw.nft

in_ns far live-peer serve 80 443 >/tmp/far &
in_ns lan live-peer serve 22 >/tmp/lan &
check "servers" soon grep -qs serving /tmp/far
check "a server in the lan" soon grep -qs serving /tmp/lan

# peer connect|knock NS ADDRESS PORT TIMES: written down.
peer() {
	check "$1 $phase $2 $(echo "$3" | tr : .) $4" sh -c "/sbin/ip netns exec $2 live-peer $1 $3 $4 $5 >>$out/$phase/done"
}
traces() {
	where=$1
	shift
	for dst in 20.0.0.1 2a01:4f8:2::1; do
		for method in tcp udp icmp; do
			check "trace from $where by $method to $(echo $dst | tr : .)" sh -c "/sbin/ip netns exec $where net-gazerctl trace $dst --$method --json $* >>$out/trace-$where"
		done
	done
}
weigh() {
	for p in /proc/[0-9]*; do
		exe=$(readlink "$p/exe") || continue
		case $exe in
		/ng/live-peer) ;;
		/ng/*) echo "$phase $1 ${exe#/ng/} $(awk '/^Pss:/ { print $2 }' "$p/smaps_rollup")" >>$out/pss ;;
		esac
	done
}
# Reports of $1 so many.
told() { [ "$(grep -c "\"type\":\"$1\"" "$out/$phase/reports")" -ge "$2" ]; }
knocks() { [ "$(grep '"type":"attempt"' "$out/$phase/reports" | sed 's/.*"count":\([0-9]*\).*/\1/' | awk '{ n += $1 } END { print n + 0 }')" -ge "$1" ]; }
ready() { in_ns rtr nft list table inet net_gazer | grep -q 'log group' && [ "$(in_ns rtr cat /proc/net/netfilter/nfnetlink_log | wc -l)" -ge 3 ]; }
idle() { [ "$(in_ns rtr cat /proc/net/netfilter/nfnetlink_log | wc -l)" = 0 ]; }

# As the sensor's service would: until it is told to end.
begin() {
	phase=$1
	mkdir -p $out/"$phase" /run/ng
	{
		printf 'rules = %s\nsensor = "guest"\nuser = "nobody"\nruntime-dir = "/run/ng"\nlibexec-dir = "/ng"\nplugin-dir = "/ng/plugins"\n' "$phase"
		printf 'output = "%s"\nplugins = {"handshake", "attempts", "traceroute"}\nsyn-timeout = 2\nverbose = 3\n' "$out/$phase/reports"
		printf 'trace-rate = 1000\nprobe-rate = 1000\nattempts {\nwindow = 5\n}\n'
	} >/etc/ng.conf
	check "configuration $phase" net-gazer -n -c /etc/ng.conf
	# Not by in_ns: that would be the pid of a shell.
	/sbin/ip netns exec rtr net-gazer -c /etc/ng.conf 2>$out/"$phase"/log &
	sensor=$!
	check "rules and groups $phase" soon ready
	ready || cat $out/"$phase"/log
	check "status $phase" soon sh -c "/sbin/ip netns exec rtr net-gazerctl status --json -c /run/ng >$out/$phase/status-resting"
	check "a prober $phase" soon grep -q 'prober (pid [0-9]*) is ready' $out/"$phase"/log
	weigh resting
}
finish() {
	weigh later
	check "status at the end $phase" sh -c "/sbin/ip netns exec rtr net-gazerctl status --json -c /run/ng >$out/$phase/status"
	kill $sensor
	wait $sensor
	code=$?
	check "it ends well $phase" [ $code = 0 ]
	check "no group is left $phase" idle
}

traces lan --own --libexec-dir /ng
begin own
for a in 20.0.0.1 2a01:4f8:2::1; do
	peer connect lan $a 80 20
	peer connect lan $a 443 5
	peer connect lan $a 9 5
	peer knock lan $a 5 1
done
peer connect far 198.51.100.1 8022 1
peer connect far fd00:77:1::2 22 1
for p in 23 1001 1002 1003 1004 1005; do
	peer knock wan 198.51.100.1 $p 1
	peer knock wan fd00:77:1::2 $p 1
done
# 20 + 5 + 5 + 1 in both families, and what came in; knocks: those, and two that were let in.
check "connections own" soon told conn 64
check "knocks own" soon knocks 14
check "paths own" soon told trace 2
traces rtr -c /run/ng
finish
check "no rule is left own" not in_ns rtr nft list table inet net_gazer

check "rules of the administrator" in_ns rtr nft -f /ng/net-gazer.nft
begin include
peer connect lan 20.0.0.1 80 10
peer connect lan 2a01:4f8:2::1 80 10
check "connections before the reload" soon told conn 20
check "paths include" soon told trace 2
kill -HUP $sensor
check "it reloads" soon grep -q 'configuration reloaded' $out/include/log
peer connect lan 20.0.0.1 443 5
check "connections include" soon told conn 25
finish
check "the rules stay" in_ns rtr nft list table inet net_gazer
dmesg | grep 'type=1326\|User process fault' >$out/kernel
check "nobody was killed" not grep -q . $out/kernel
echo "RESULT=$result"
echo "BEGIN"
tar -C $out -cf - . | gzip | base64
echo "END"
sync
poweroff -f
