# shellcheck shell=dash disable=SC1090  # the init script, whichever
# SPDX-License-Identifier: GPL-2.0-or-later
# As much of OpenWrt's rc.common, procd.sh and uci as the init script calls: `rc.sh INIT COMMAND`, run by busybox ash.  What it tells
# procd goes to $RECORD, a line each; UCI's values are files in $UCI (a list has a member a line); the log goes to $LOG.
procd_open_instance() { echo "open" >>"$RECORD"; }
procd_close_instance() { echo "close" >>"$RECORD"; }
procd_set_param() { echo "param $*" >>"$RECORD"; }
procd_add_jail() { echo "jail $*" >>"$RECORD"; }
procd_add_jail_mount() { echo "mount $*" >>"$RECORD"; }
procd_add_jail_mount_rw() { echo "mount-rw $*" >>"$RECORD"; }
procd_add_reload_trigger() { echo "trigger $*" >>"$RECORD"; }
procd_add_validation() { echo "validation $*" >>"$RECORD"; }
logger() {
	while [ $# -gt 1 ]; do shift; done
	echo "$1" >>"$LOG"
}
# chown to a user that this machine may not have.
chown() { :; }

# A word of ubox's validate_data: bool range or uinteger list(...); of the others any text will do.
allowed() {
	local type="$1" value="$2" word
	case "$type" in
	bool) case "$value" in 0|1|on|off|true|false|yes|no|enabled|disabled) ;; *) return 1 ;; esac ;;
	uinteger) case "$value" in ''|*[!0-9]*) return 1 ;; esac ;;
	range*)
		word="${type#range(}"; word="${word%)}"
		case "$value" in ''|*[!0-9]*) return 1 ;; esac
		[ "$value" -ge "${word%,*}" ] && [ "$value" -le "${word#*,}" ]
		;;
	or*) case "$type" in *"\"$value\""*) ;; *) return 1 ;; esac ;;
	hostname) case "$value" in *[!a-zA-Z0-9._-]*) return 1 ;; esac ;;
	cidr) case "$value" in */*) ;; *) return 1 ;; esac ;;
	file) [ -e "$value" ] ;;
	esac
}

uci_load_validate() {
	local section="$3" fn="$4" result=0 spec name rest type default value
	shift 4
	for spec; do
		name="${spec%%:*}"; rest="${spec#*:}"
		case "$rest" in
		*\):*) type="${rest%%):*})"; default="${rest#*):}" ;;
		*:*) type="${rest%%:*}"; default="${rest#*:}" ;;
		*) type="$rest"; default= ;;
		esac
		value="$default"
		if [ -e "$UCI/$name" ]; then
			value="$(tr '\n' ' ' <"$UCI/$name")"; value="${value% }"
			case "$type" in
			list*) for word in $value; do allowed "$(t="${type#list(}"; echo "${t%)}")" "$word" || result=1; done ;;
			*) allowed "$type" "$value" || result=1 ;;
			esac
		fi
		eval "$name=\$value"
	done
	"$fn" "$section" "$result"
}

init="$1" command="$2"
. "$init"
case "$command" in
start|reload) start_service ;;
stop) service_stopped ;;
triggers) service_triggers ;;
*) "$command" ;;
esac
