#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside the machine, as the administrator whose packages are of the version before: services and their cages, the table of
# docs/DEBIAN.md row by row, upgrade, removal, another installation, purge.
# shellcheck disable=SC1091,SC2016  # it is there inside the machine; the inner shell expands
. /root/vm-lib.sh

exposure() { systemd-analyze security --no-pager "$1" | tail -1 | grep -Eo '[0-9]+\.[0-9]' | head -1 | awk "{ print; exit \$1 > $2 }"; }
works() { status '"state":"running"' && status '"rules_gone":false'; }
lacks_rules() { status '"rules_gone":true'; }
# The row of the table, in the column that is tried.
row() { check "$column / $1" "${@:2}"; }
five_reloads() {
	for _ in 1 2 3 4 5; do
		systemctl reload nftables && "$@" || return
	done
}
stop_and_start() {
	systemctl stop nftables && "$@" && systemctl start nftables
}
not_pid() { not same "$(main_pid)" "$1"; }
kill_sensor() {
	local before
	before=$(main_pid)
	kill -9 "$before" && "$@" && soon not_pid "$before" && soon works
}
restart_sensor() {
	systemctl stop net-gazer && "$@" && systemctl start net-gazer && soon works
}
saved_ruleset() {
	{ echo 'flush ruleset'; nft list ruleset; } >/root/saved.nft && nft -f /root/saved.nft
}

check "the sensor runs" soon systemctl is-active net-gazer
check "the collector runs" soon systemctl is-active net-gazer-collector
check "own rules are there" soon rules
check "the sensor is a user" sh -c '[ "$(stat -c %U "/proc/$(systemctl show -P MainPID net-gazer)")" = net-gazer ]'
check "the version before is installed" sh -c 'dpkg-query -W -f "\${Version}" net-gazer | grep "~"'
check "a handshake gets to the collector" sh /root/handshake
check "cages are closed" sh -c 'net-gazerctl status --json | python3 -c "import json, sys; t = json.load(sys.stdin); sys.exit(not all(
	all(p[\"sandbox\"].values()) for p in t[\"processes\"] if \"sandbox\" in p and p[\"name\"] != \"prober\"))"'
check "exposure of the sensor" exposure net-gazer.service 1.8
check "exposure of the collector" exposure net-gazer-collector.service 1.5
check "a member of the group may ask" sh -c 'useradd -G net-gazer member && runuser -u member -- net-gazerctl status'
check "a stranger may not" not sh -c 'useradd stranger && runuser -u stranger -- net-gazerctl status'
check "the page is served" sh -c 'curl -sf http://127.0.0.1:8080/ | grep -q "app.js" && curl -sf http://127.0.0.1:8080/app.js | grep -q function'

cp /etc/nftables.conf /root/nftables.conf
systemctl enable --now nftables
check "a firewall" firewall

column=own
pid=$(main_pid) table=$(handle)
check "the table has a number" not same "$table" none
untouched() { rules && same "$(handle)" "$table" && same "$(main_pid)" "$pid"; }
row "systemctl reload nftables, five times" five_reloads untouched
row "systemctl restart nftables" sh -c 'systemctl restart nftables'
check "own, after a restart" untouched
row "systemctl stop nftables, then start" stop_and_start untouched
row "nft flush ruleset" nft flush ruleset
check "own, after a flush" untouched
systemctl reload nftables
row "somebody empties a chain of ours" not nft flush chain inet net_gazer forward
check "own, after somebody's try" untouched
row "a saved nft list ruleset is loaded" not saved_ruleset
check "the firewall stays as it was" firewall
check "own, after a saved ruleset" untouched
check "the sensor reloads" systemctl reload net-gazer
check "reloaded" soon status '"reloads":1'
check "still the same process" same "$(main_pid)" "$pid"
check "a handshake after all that" sh /root/handshake
row "the sensor is killed" kill_sensor true
check "own, after a kill" soon rules
check "it was another table" not same "$(handle)" "$table"
row "systemctl stop net-gazer, then start" restart_sensor not rules
check "own, after a start" rules
cp /usr/share/net-gazer/net-gazer.nft /root/good.nft
echo 'table inet net_gazer { broken' >/usr/share/net-gazer/net-gazer.nft
row "a rule file that is broken" restart_sensor true
cp /root/good.nft /usr/share/net-gazer/net-gazer.nft
sed -i 's/^#rules-owner = yes/rules-owner = no/' /etc/net-gazer/net-gazer.conf
systemctl restart net-gazer
check "own without the owner flag" soon rules
check "a saved ruleset without the owner flag" saved_ruleset
check "own, after that" soon works
sed -i 's/^rules-owner = no/#rules-owner = yes/' /etc/net-gazer/net-gazer.conf

column=helper
systemctl stop net-gazer
sed -i 's/^rules = own$/rules = include/' /etc/net-gazer/net-gazer.conf
systemctl enable --now net-gazer-nft
systemctl start net-gazer
check "include mode runs" soon works
pid=$(main_pid)
row "systemctl reload nftables, five times" five_reloads soon rules
row "systemctl restart nftables" systemctl restart nftables
check "included, after a restart" soon rules
row "systemctl stop nftables, then start" stop_and_start soon lacks_rules
check "included, after a start" soon works
row "nft flush ruleset" sh -c 'nft flush ruleset && systemctl reload net-gazer-nft'
check "included, after a flush" soon works
row "somebody empties a chain of ours" nft flush chain inet net_gazer forward
check "status says what is missing" soon lacks_rules
systemctl reload nftables
check "included, after somebody's try" soon works
row "a saved nft list ruleset is loaded" saved_ruleset
check "included, after a saved ruleset" soon works
check "the same process all along" same "$(main_pid)" "$pid"
check "a handshake in include mode" sh /root/handshake
row "the sensor is killed" kill_sensor rules
row "systemctl stop net-gazer, then start" restart_sensor rules
cp /root/good.nft /etc/net-gazer/net-gazer.nft
echo 'table inet net_gazer { broken' >>/etc/net-gazer/net-gazer.nft
echo RULES=/etc/net-gazer/net-gazer.nft >/etc/default/net-gazer-nft
systemctl restart net-gazer-nft
row "a rule file that is broken" sh -c 'systemctl restart nftables'
check "the firewall without ours" firewall
check "status says that they are gone" soon lacks_rules
cp /root/good.nft /etc/net-gazer/net-gazer.nft
check "a file that was mended" systemctl restart net-gazer-nft
check "included, after that" soon works
systemctl disable --now net-gazer-nft
check "the helper takes its rules away" not rules
check "and status says so" soon lacks_rules

column=line
echo 'include "/etc/net-gazer/*.nft"' >>/etc/nftables.conf
systemctl reload nftables
check "rules of nftables.conf" soon works
pid=$(main_pid)
row "systemctl reload nftables, five times" five_reloads rules
row "systemctl restart nftables" systemctl restart nftables
check "a line, after a restart" rules
row "systemctl stop nftables, then start" stop_and_start soon lacks_rules
check "a line, after a start" rules
row "nft flush ruleset" sh -c 'nft flush ruleset && systemctl reload nftables'
check "a line, after a flush" rules
row "somebody empties a chain of ours" nft flush chain inet net_gazer forward
check "status says it here too" soon lacks_rules
systemctl reload nftables
check "a line, after somebody's try" soon works
row "a saved nft list ruleset is loaded" saved_ruleset
check "a line, after a saved ruleset" soon works
check "the same process again" same "$(main_pid)" "$pid"
check "a handshake with a line" sh /root/handshake
row "the sensor is killed" kill_sensor rules
row "systemctl stop net-gazer, then start" restart_sensor rules
echo 'table inet net_gazer { broken' >>/etc/net-gazer/net-gazer.nft
row "a rule file that is broken" not systemctl reload nftables
check "the firewall is as it was" firewall
check "and so are ours" rules
check "a restart is what costs it" not systemctl restart nftables
check "no firewall then" not firewall
rm /etc/net-gazer/net-gazer.nft
check "a file that is missing costs nothing" systemctl restart nftables
check "the firewall with a pattern that matches nothing" firewall
cp /root/nftables.conf /etc/nftables.conf
rm /etc/default/net-gazer-nft
systemctl reload nftables

# Nothing was started again but after a kill, nothing tried what it may not.
check "no call was forbidden" not sh -c 'journalctl -k --no-pager | grep "type=1326"'
check "the collector was never started again" same "$(systemctl show -P NRestarts net-gazer-collector)" 0

# Upgrade, in include mode with the helper.
systemctl enable --now net-gazer-nft
check "included, before the upgrade" soon works
cp /etc/net-gazer/net-gazer.conf /root/mine.conf
stored() { curl -sf http://127.0.0.1:8080/health | tr -d ' \n' | grep -Eo '"rows":[0-9]+' | cut -d: -f2; }
pids="$(main_pid) $(systemctl show -P MainPID net-gazer-collector)"
rows=$(stored)
upgrade() { DEBIAN_FRONTEND=noninteractive apt-get install -y -o Dpkg::Options::=--force-confold /home/admin/net-gazer_*.deb /home/admin/net-gazer-collector_*.deb; }
check "upgrade without a question" upgrade
check "the new version" sh -c 'dpkg-query -W -f "\${Version}\n" net-gazer net-gazer-collector | grep -vq "~"'
check "the administrator's configuration stays" cmp /root/mine.conf /etc/net-gazer/net-gazer.conf
check "the new one lies beside it" grep -q '^rules = own' /etc/net-gazer/net-gazer.conf.dpkg-dist
check "what nobody changed is the new one" not grep -q 'of the version before' /etc/net-gazer/net-gazer-collector.conf
check "the helper runs on" systemctl is-active net-gazer-nft
check "included, after the upgrade" soon works
check "other processes" sh -c "for p in $pids; do [ ! -e /proc/\$p/exe ] || exit 1; done"
check "reports survived the upgrade" soon sh -c "curl -sf http://127.0.0.1:8080/health | tr -d ' \n' | grep -Eo '\"rows\":[0-9]+' | cut -d: -f2 | awk '{ exit !(\$1 >= ${rows:-0} && \$1 > 0) }'"
check "a handshake after the upgrade" sh /root/handshake

check "remove" apt-get remove -y net-gazer net-gazer-collector
check "no process is left" not pgrep -x 'net-gazer|analyzer|forwarder|net-gazer-coll|geo'
check "no rule is left" not nft list table inet net_gazer
check "the firewall is left" firewall
check "configuration and reports stay" ls /etc/net-gazer/net-gazer.conf /var/lib/net-gazer-collector/net-gazer.db
check "install again" apt-get install -y /home/admin/net-gazer_*.deb /home/admin/net-gazer-collector_*.deb
check "with the configuration that it had" cmp /root/mine.conf /etc/net-gazer/net-gazer.conf
check "with its helper" soon works
check "with its reports" soon sh -c "curl -sf http://127.0.0.1:8080/health | tr -d ' \n' | grep -Eo '\"rows\":[0-9]+' | cut -d: -f2 | awk '{ exit !(\$1 >= ${rows:-0}) }'"
# Removal with a line in nftables.conf that somebody forgot.
systemctl disable --now net-gazer-nft
echo 'include "/usr/share/net-gazer/*.nft"' >>/etc/nftables.conf
systemctl reload nftables
check "a line, once more" soon works
check "purge" apt-get purge -y net-gazer net-gazer-collector
check "the table is gone too" not nft list table inet net_gazer
check "a forgotten line costs nothing" systemctl restart nftables
check "the firewall at the end" firewall
cp /root/nftables.conf /etc/nftables.conf
check "nothing is left" nothing_left
check "but the users" id net-gazer net-gazer-collector
journalctl --no-pager -o short-monotonic -u net-gazer -u net-gazer-collector -u net-gazer-nft | tail -n 60
