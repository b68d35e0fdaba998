# shellcheck shell=dash disable=SC1090,SC1091,SC2034,SC2154,SC2317  # files and variables of who sources this
# SPDX-License-Identifier: GPL-2.0-or-later
# As much of OpenWrt's functions.sh, uci.sh and procd.sh as our init script calls.

reset_cb() {
	config_cb() { :; }
	option_cb() { :; }
	list_cb() { :; }
}
reset_cb

config_load() {
	local data
	package() { :; }
	config() { CONFIG_SECTION="$2"; config_cb "$1" "$2"; }
	option() { option_cb "$1" "$2"; }
	list() { list_cb "$1" "$2"; }
	data="$(/sbin/uci -S -n export "$1" 2>/dev/null)" || return
	CONFIG_SECTION=
	eval "$data"
	[ -z "$CONFIG_SECTION" ] || config_cb
}

uci_load_validate() {
	local package="$1" type="$2" section="$3" fn="$4" result assignments spec
	shift 4
	for spec; do
		eval "local ${spec%%:*}"
	done
	assignments="$(/sbin/validate_data "$package" "$type" "$section" "$@")"
	result=$?
	eval "$assignments"
	"$fn" "$section" "$result"
}

# What procd is told is a file of lines; `procd` (beside this one) does what they say.
tell() { echo "$*" >>"$told"; }
procd_open_instance() { tell instance; }
procd_close_instance() { :; }
procd_set_param() {
	local name="$1"
	shift
	tell "param $name $*"
}
procd_add_jail() { tell "jail $*"; }
procd_add_jail_mount() { tell "mount $*"; }
procd_add_jail_mount_rw() { tell "mount-rw $*"; }
procd_add_reload_trigger() { tell "trigger $*"; }
procd_add_validation() { tell "validation $*"; }

. /lib/names.sh
