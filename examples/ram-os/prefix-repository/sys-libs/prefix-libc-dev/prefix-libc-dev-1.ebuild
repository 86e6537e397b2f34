# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

inherit prefix-toolchain

DESCRIPTION="Headers and start files of the toolchain's C library: needed to build, never to run"
HOMEPAGE="https://www.gnu.org/software/libc/"
S="${WORKDIR}"

LICENSE="LGPL-2.1+ GPL-2"
SLOT="0"
KEYWORDS="amd64 arm64"

RESTRICT="strip"

RDEPEND="!prefix-guest? ( sys-libs/prefix-libc )"

src_install() {
	local triplet=$(prefix-toolchain_triplet) folder=$(prefix-toolchain_libdir) file
	local lib="/usr/$(get_libdir)"
	# the system's library is linked with, and is not taken along
	use prefix-guest && prefix-toolchain_dolibs $(prefix-toolchain_libc_libs)
	insinto "${lib}"
	doins "${folder}"/{crt1,Scrt1,crti,crtn}.o
	doins "${folder}"/{libc_nonshared,libdl,libpthread,librt,libutil,libanl}.a
	# these are linker scripts, whose paths the linker looks up below its --sysroot, which is EROOT
	for file in libc.so libm.so; do
		if head -c 4 "${folder}/${file}" | grep -q ELF; then
			dosym "${file}.6" "${lib}/${file}"
		else
			sed -e "s:/[^ ]*/\([^/ ]*\):${lib}/\1:g" "${folder}/${file}" > "${T}/${file}" || die
			doins "${T}/${file}"
		fi
	done
	dosym libresolv.so.2 "${lib}/libresolv.so"
	dodir /usr/include
	if [[ -d /usr/${triplet}/include ]]; then
		cp -rL "/usr/${triplet}/include/." "${ED}/usr/include/" || die
	else
		# followed, since the kernel's headers are symlinks that lead out of the folder
		local headers
		mapfile -t headers < <(dpkg-query --listfiles libc6-dev linux-libc-dev | grep -E "^/usr/include/[^/]+$" | sort -u)
		cp -rL "${headers[@]}" "${ED}/usr/include/" || die
	fi
}
