#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside the machine: LAN, router and server as namespaces; a flow table on the router takes established connections
# out of its hooks.  Counters there go blind, handshakes are all reported.  Then the same beside an nft `queue`.
# shellcheck disable=SC1091  # it is there inside the machine
. /root/vm-lib.sh
systemctl stop net-gazer net-gazer-collector
N=20 BYTES=2000000
for ns in lan rtr srv; do ip netns add $ns; ip -n $ns link set lo up; done
ip link add l0 netns lan type veth peer name r0 netns rtr
ip link add r1 netns rtr type veth peer name s0 netns srv
ip -n lan addr add 192.168.1.2/24 dev l0
ip -n rtr addr add 192.168.1.1/24 dev r0
ip -n rtr addr add 192.0.2.1/24 dev r1
ip -n srv addr add 192.0.2.2/24 dev s0
for l in "lan l0" "rtr r0" "rtr r1" "srv s0"; do ip -n "${l% *}" link set "${l#* }" up; done
ip -n lan route add default via 192.168.1.1
ip netns exec rtr sysctl -qw net.ipv4.ip_forward=1
cat >/root/net.py <<'P'
import socket, sys
if sys.argv[1] == "serve":
    s = socket.create_server(("192.0.2.2", 8000), backlog=64)
    while True:
        c, _ = s.accept()
        with c:
            c.sendall(b"x" * int(sys.argv[2]))
else:
    for _ in range(int(sys.argv[2])):
        with socket.create_connection(("192.0.2.2", 8000), timeout=60) as c:
            while c.recv(1 << 16):
                pass
P
ip netns exec srv python3 /root/net.py serve $BYTES &
server=$!
mkdir -p /root/ng
printf 'rules = own\noutput = "/root/ng/reports"\nruntime-dir = "/root/ng"\nsensor = "vm"\n' >/root/ng/conf
# Of the sensor that runs now.
reports() { grep -Ec '"type":"conn".*"dst_port":8000.*"state":"(answered|established)"' /root/ng/reports; }
halves() { grep -c '"type":"conn".*"dst_port":8000.*"state":"established".*"rtt_src_us":' /root/ng/reports; }
both_halves() { [ "$(halves)" = "$1" ]; }
counted() { [ "$(reports)" = "$1" ]; }
# counter NAME: its bytes
bytes() { ip netns exec rtr nft -j list counter inet t "$1" | grep -Eo '"bytes": ?[0-9]+' | grep -Eo '[0-9]+'; }
packets() { ip netns exec rtr nft -j list counter inet t "$1" | grep -Eo '"packets": ?[0-9]+' | grep -Eo '[0-9]+'; }
fresh() {
	[ -z "$sensor" ] || { kill "$sensor"; wait "$sensor"; }
	rm -f /root/ng/reports
	ip netns exec rtr nft flush ruleset
	ip netns exec rtr nft -f - || echo "FAIL rules of $1"
	ip netns exec rtr net-gazer -c /root/ng/conf 2>>/root/ng/log &
	sensor=$!
	soon sh -c "ip netns exec rtr nft list table inet net_gazer | grep -q 'log group'"
}
table() {
	cat <<R
table inet t {
	counter forwarded { }
	$1
	chain nat { type nat hook postrouting priority 100; oifname r1 masquerade; }
	chain forward {
		type filter hook forward priority 0;
		counter name forwarded
		$2
	}
}
R
}
sensor=
fresh plain < <(table "" "")
check "downloads" ip netns exec lan python3 /root/net.py get $N
check "all handshakes without a flow table" soon counted $N
plain=$(bytes forwarded)
fresh offload < <(table "flowtable f { hook ingress priority 0; devices = { r0, r1 }; }" "meta l4proto tcp flow add @f")
check "downloads through the flow table" ip netns exec lan python3 /root/net.py get $N
check "all handshakes with a flow table" soon counted $N
blind=$(bytes forwarded)
echo "bytes in the forward hook: $plain without, $blind with a flow table; $(reports) of $N handshakes reported with it"
check "the counter went blind" sh -c "[ $((blind * 4)) -lt $plain ]"
ip netns exec rtr nft list flowtables
# Nobody listens: bypass lets them pass.
fresh queue < <(table "counter queued { }" "tcp dport 8000 tcp flags syn counter name queued queue flags bypass to 7")
check "downloads past nft queue" ip netns exec lan python3 /root/net.py get $N
check "all handshakes beside nft queue" soon counted $N
check "packets were queued" sh -c "[ $(packets queued) -ge $N ]"
# Where conntrack counts packets: the ACKs too, which come before a flow table takes the connection.
ip netns exec rtr sysctl -qw net.netfilter.nf_conntrack_acct=1
fresh halves < <(table "" "")
check "downloads where conntrack counts" ip netns exec lan python3 /root/net.py get $N
check "both halves of all" soon both_halves $N
fresh halves < <(table "flowtable f { hook ingress priority 0; devices = { r0, r1 }; }" "meta l4proto tcp flow add @f")
check "downloads where conntrack counts, through the flow table" ip netns exec lan python3 /root/net.py get $N
check "both halves of all, with a flow table" soon both_halves $N
kill $server $sensor
wait $sensor
check "it ends well" [ $? = 0 ]
check "and takes its rules along" not ip netns exec rtr nft list table inet net_gazer
cat /root/ng/log
for ns in lan rtr srv; do ip netns del $ns; done
systemctl start net-gazer net-gazer-collector
