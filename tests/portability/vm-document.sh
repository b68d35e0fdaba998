# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced inside the machine by the commands of docs/DEBIAN.md: a router without the packages, an administrator who may use sudo,
# a desk on the other side of a link.  What stands in /root/command is run by `admin` or `desk`.
dpkg -P net-gazer net-gazer-collector >/dev/null 2>&1
systemctl enable --now nftables
useradd -d /home/admin -s /bin/bash admin
chown -R admin: /home/admin
echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin
ip netns add desk
ip link add router0 type veth peer name desk0 netns desk
ip addr add 192.0.2.9/29 dev router0
ip link set router0 up
ip -n desk addr add 192.0.2.10/29 dev desk0
ip -n desk link set desk0 up
ip -n desk link set lo up
runuser -u admin -- sh -ec 'mkdir -m 700 /home/admin/.ssh && cd /home/admin/.ssh && ssh-keygen -q -t ed25519 -N "" -f id_ed25519
	cp id_ed25519.pub authorized_keys; echo "StrictHostKeyChecking accept-new" >config'
mkdir -p /run/sshd
/usr/sbin/sshd
printf 'a good long password\n' >/root/password

# The words of the line that `enroll` printed take their places; what becomes ready in a while is tried again.
admin() {
	local again='' in=/dev/null status
	grep -Eq '^(curl|systemctl is-active|sudo net-gazerctl)' /root/command && again=soon
	grep -q 'user add' /root/command && in=/root/password
	if grep -q ' CODE ' /root/command; then
		# shellcheck disable=SC2046  # words
		set -- $(cat /root/enrolled)
		[ "$1 $2 $3 $5 $7" = "net-gazer enroll https://collector.lan:8443 --pin --write" ] || { cat /root/enrolled; return 1; }
		sed -i "s,CODE,$4,; s,PIN,$6," /root/command
	fi
	install -m 644 /root/command /home/admin/command
	$again runuser -l admin -c 'bash -e ~/command' <$in >/root/said 2>&1
	status=$?
	grep -q 'collector enroll' /root/command && grep '^net-gazer enroll' /root/said >/root/enrolled
	cat /root/said
	return $status
}
# In the background, until the page came through it.
desk() {
	ip netns exec desk runuser -l admin -c "exec $(cat /root/command)" >/root/said.desk 2>&1 </dev/null &
	local tunnel=$! status=0
	soon sh -c 'ip netns exec desk curl -sf http://127.0.0.1:8080/ | grep -q app.js' || status=1
	kill $tunnel
	cat /root/said.desk
	return $status
}
# On this machine, whatever the collector's name.
collector() { curl -sf --cacert /etc/net-gazer/collector.pem --resolve collector.lan:8443:127.0.0.1 "https://collector.lan:8443$1"; }
# A connection from the desk is reported under that name.
reported_as() {
	ip netns exec desk curl -sk -o /dev/null --max-time 20 https://192.0.2.9:8443/
	collector '/api/conns?limit=50' | grep '"dst_ip":"192.0.2.9","dst_port":8443' | grep -q "\"sensor\":\"$1\""
}
