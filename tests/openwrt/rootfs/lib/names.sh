# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's busybox prefers its own commands of these names.
logger() { /usr/bin/logger "$@"; }
logread() { /sbin/logread "$@"; }
