#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside the machine, as the administrator who has just installed the packages.
# shellcheck disable=SC1091,SC2016  # it is there inside the machine; the inner shell expands
. /root/vm-lib.sh
ip link set lo up

rules() { nft list table inet net_gazer | grep -q 'log group'; }
status() { net-gazerctl status --json | python3 -c "import json,sys; t=json.load(sys.stdin); sys.exit(not ($1))"; }
exposure() { systemd-analyze security --no-pager "$1" | tail -1 | grep -Eo '[0-9]+\.[0-9]' | head -1 | awk "{ print; exit \$1 > $2 }"; }
main_pid() { systemctl show -P MainPID net-gazer; }
same_pid() { [ "$(main_pid)" = "$1" ]; }

check "the sensor runs" soon systemctl is-active net-gazer
check "the collector runs" soon systemctl is-active net-gazer-collector
check "own rules are there" soon rules
check "the sensor is a user" sh -c '[ "$(stat -c %U "/proc/$(systemctl show -P MainPID net-gazer)")" = net-gazer ]'
check "a handshake gets to the collector" sh /root/handshake
check "cages are closed" soon status 'all(all(p["sandbox"].values()) for p in t["processes"] if "sandbox" in p and p["name"] != "prober")'
check "exposure of the sensor" exposure net-gazer.service 1.8
check "exposure of the collector" exposure net-gazer-collector.service 1.5
check "a member of the group may ask" sh -c 'useradd -G net-gazer member && runuser -u member -- net-gazerctl status'
check "a stranger may not" not sh -c 'useradd stranger && runuser -u stranger -- net-gazerctl status'

pid=$(main_pid)
systemctl enable --now nftables
for i in 1 2 3 4 5; do
	systemctl reload nftables
	check "own rules after reload $i" soon rules
done
systemctl restart nftables
check "own rules after restart" soon rules
systemctl stop nftables
check "own rules without nftables" soon rules
systemctl start nftables
check "the same process all along" same_pid "$pid"
check "the sensor reloads" systemctl reload net-gazer
check "reloaded" soon status 't["reloads"] == 1 and t["state"] == "running"'
check "still the same process" same_pid "$pid"
check "a handshake after all that" sh /root/handshake

# include mode, rules by the helper unit
sed -i 's/^rules = own$/rules = include/' /etc/net-gazer/net-gazer.conf
systemctl stop net-gazer
systemctl enable --now net-gazer-nft
systemctl start net-gazer
check "include mode runs" soon status 't["rules"] == "include" and not t["rules_gone"]'
for i in 1 2 3 4 5; do
	systemctl reload nftables
	check "included rules after reload $i" soon rules
done
systemctl restart nftables
check "included rules after restart" soon rules
systemctl stop nftables
systemctl start nftables
check "included rules after stop and start" soon rules
check "it knows that they are back" soon status 'not t["rules_gone"]'
check "a handshake in include mode" sh /root/handshake
systemctl stop net-gazer-nft
check "the helper takes its rules away" not rules
check "it says that they are gone" soon status 't["rules_gone"]'
# and by a line in /etc/nftables.conf
systemctl disable net-gazer-nft
echo 'include "/usr/share/net-gazer/net-gazer.nft"' >>/etc/nftables.conf
systemctl reload nftables
check "rules by nftables.conf" soon rules
check "a handshake with them" sh /root/handshake
systemctl restart nftables
check "and after a restart" soon rules

# a crash, an upgrade, a removal
kill -9 "$(main_pid)"
check "systemd starts it again" soon status 't["state"] == "running"'
cp /etc/net-gazer/net-gazer.conf /root/mine.conf
check "upgrade" dpkg --force-confold -i /root/net-gazer_*.deb /root/net-gazer-collector_*.deb
check "the administrator's configuration stays" cmp /root/mine.conf /etc/net-gazer/net-gazer.conf
check "runs after the upgrade" soon status 't["state"] == "running"'
check "reports survived the upgrade" soon sh -c "curl -s 'http://127.0.0.1:8080/api/conns?limit=1' | grep -q dst_ip"
sed -i 's/^rules = include$/rules = own/' /etc/net-gazer/net-gazer.conf
sed -i '/net-gazer.nft/d' /etc/nftables.conf
systemctl reload nftables
systemctl restart net-gazer
check "own rules once more" soon rules
check "no call was forbidden" not sh -c 'journalctl -k --no-pager | grep "type=1326"'
check "nothing was started again but after the kill" [ "$(systemctl show -P NRestarts net-gazer)$(systemctl show -P NRestarts net-gazer-collector)" = 00 ]
check "remove" dpkg -r net-gazer net-gazer-collector
check "no process is left" not pgrep -x 'net-gazer|analyzer|forwarder|net-gazer-coll'
check "no rule is left" not nft list table inet net_gazer
check "purge" dpkg -P net-gazer net-gazer-collector
check "nothing is left" not sh -c 'ls -d /etc/net-gazer /var/lib/net-gazer /var/lib/net-gazer-collector /run/net-gazer'
journalctl --no-pager -o cat -u net-gazer -u net-gazer-collector -u net-gazer-nft | tail -n 60
echo "ok end"
