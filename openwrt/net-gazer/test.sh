#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Run by the feed's CI on a machine with the package: test.sh PACKAGE VERSION.
set -e
case "$1" in
net-gazer)
	net-gazer --version | grep -F "$2"
	net-gazerctl --version | grep -F "$2"
	net-gazer -n | grep -F "configuration OK"
	;;
net-gazer-forward)
	net-gazer enroll --help | grep -F "net-gazer enroll URL CODE"
	;;
net-gazer-plugin-traceroute | net-gazer-plugin-packets)
	net-gazer -n --plugins "${1#net-gazer-plugin-}" | grep -F "configuration OK"
	;;
esac
