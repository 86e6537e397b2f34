# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Utilities for rescue and embedded systems"
HOMEPAGE="https://www.busybox.net/"
SRC_URI="https://www.busybox.net/downloads/${P}.tar.bz2"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
IUSE="debug"

DEPEND="virtual/libc"
RDEPEND="${DEPEND}"

# the names of the build's own options stand as they do in busybox's configuration
busybox_option() {
	local state=${1} name=CONFIG_${2}
	sed -i -e "/^# ${name} is not set$/d" -e "/^${name}=/d" .config || die
	if [[ ${state} == y ]]; then
		echo "${name}=y" >> .config || die
	else
		echo "# ${name} is not set" >> .config || die
	fi
}

src_configure() {
	emake ARCH=x86 defconfig
	local option
	# tc needs kernel headers older than Linux 6.8; the others need an ageing interface of the C library
	# app-arch/xz-utils has these programs
	for option in UNXZ XZCAT XZ UNLZMA LZCAT LZMA; do
		busybox_option n ${option}
	done
	for option in TC SUID_APPLET_CONFIG FEATURE_HAVE_RPC FEATURE_INETD_RPC FEATURE_MOUNT_NFS; do
		busybox_option n ${option}
	done
	use debug && busybox_option y DEBUG
	yes "" | emake ARCH=x86 oldconfig > /dev/null
}

src_compile() {
	emake ARCH=x86 V=1 SKIP_STRIP=y CC="${CHOST}-gcc" AR="${CHOST}-ar" HOSTCC="${BUILD_CC:-gcc}" CFLAGS_busybox=
}

src_install() {
	into /usr
	dobin busybox
	local applet
	while read -r applet; do
		[[ ${applet##*/} == busybox || ${applet} == linuxrc ]] && continue
		case ${applet} in
			usr/*) dosym -r /usr/bin/busybox "/${applet}" ;;
			*) dosym -r /usr/bin/busybox "/usr/${applet}" ;;
		esac
	done < <(./busybox --list-full)
}
