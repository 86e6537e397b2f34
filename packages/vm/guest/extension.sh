#!/bin/sh
# Merges an extension into the running system, or unmerges it and sees that nothing is left. Runs in the machine, as root.
#
# extension.sh merge|unmerge sysext|confext NAME [SERVICE...]; the extension's files lie beside it.

here=${0%/*} what=$1 type=$2 name=$3
shift 3
case $type in
sysext) since=248 folder=/etc/extensions places='/usr /opt' release=/usr/lib/extension-release.d ;;
confext) since=254 folder=/var/lib/confexts places=/etc release=/etc/extension-release.d ;;
esac
tool=systemd-$type
seconds=30

# every path, and where symlinks lead: what is merged adds some, and nothing else does
paths() {
	find $places -xdev -ls 2> /dev/null | awk '{ line = $3; for (i = 11; i <= NF; i++) line = line " " $i; print line }' | sort
}

running() {
	for service; do
		systemctl --quiet is-active "$service" || return 1
	done
}

merge() {
	command -v "$tool" > /dev/null || {
		echo "the system has no $tool: it came with systemd $since"
		exit 1
	}
	if [ -e "$here/certificate" ]; then
		mkdir -p /run/verity.d
		cp "$here/certificate" /run/verity.d/strata-test.crt
	fi
	paths > "$here/before"
	mkdir -p "$folder"
	for suffix in raw verity roothash roothash.p7s; do
		[ ! -e "$here/$name.$suffix" ] || cp "$here/$name.$suffix" "$folder/"
	done
	said=$("$tool" refresh 2>&1)
	if [ $? -ne 0 ] || [ ! -e "$release/extension-release.$name" ]; then
		# why it passes over an extension, it tells with debugging only, among much else
		echo "$said"
		SYSTEMD_LOG_LEVEL=debug "$tool" refresh 2>&1 |
			grep -E "^Extension |[Ss]ignature|[Rr]oot hash|key not available|[Ff]ailed" |
			grep -vxF -e "$said" |
			grep -vE " matches |ignoring|Failed to (read|unmount) |^\(sd-merge\)"
		exit 1
	fi
	echo "$said"
	[ $# -gt 0 ] || return 0
	systemctl daemon-reload && systemctl start --no-block multi-user.target
	while ! running "$@"; do
		seconds=$((seconds - 1))
		[ $seconds -gt 0 ] || {
			echo "not all of $* run"
			systemctl --no-pager --full status "$@"
			exit 1
		}
		sleep 1
	done
}

unmerge() {
	"$tool" unmerge || exit
	rm -f "$folder/$name".*
	if [ $# -gt 0 ]; then
		systemctl daemon-reload
		for service; do
			! systemctl --quiet is-active "$service" || systemctl stop "$service" || exit
			! systemctl --quiet is-active "$service" || {
				echo "$service runs again after it was stopped"
				exit 1
			}
		done
	fi
	awk -v type="$type" '$1 == type || $3 == type { print "still mounted: " $2; left = 1 } END { exit left }' /proc/mounts || exit
	paths > "$here/after"
	cmp -s "$here/before" "$here/after" || {
		echo "what is there differs from before:"
		diff "$here/before" "$here/after" | grep '^[<>]' | head -n 20
		exit 1
	}
}

"$what" "$@"
