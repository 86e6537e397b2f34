# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="The C library of the toolchain that builds this layer, taken from there as it is"
HOMEPAGE="https://www.gnu.org/software/libc/"
S="${WORKDIR}"

LICENSE="LGPL-2.1+ GPL-2"
SLOT="0"
KEYWORDS="amd64"

# Nothing is compiled: what a program needs to run and to be compiled is copied from the root in which this ebuild
# runs. That root is pinned and is part of the key of every build, so a new C library there is a new package here.
RESTRICT="strip"

RDEPEND="sys-apps/baselayout"

toolchain_libc_files() {
	local triplet=${1}
	echo /usr/lib/"${triplet}"/{ld-linux-x86-64.so.2,libc.so.6,libm.so.6,libmvec.so.1,libresolv.so.2}
	echo /usr/lib/"${triplet}"/{libdl.so.2,libpthread.so.0,librt.so.1,libutil.so.1,libanl.so.1}
	echo /usr/lib/"${triplet}"/{libnss_files.so.2,libnss_dns.so.2,libgcc_s.so.1}
}

src_install() {
	local triplet=x86_64-linux-gnu file
	local lib="/usr/$(get_libdir)"
	insinto "${lib}"
	insopts -m 0755
	for file in $(toolchain_libc_files ${triplet}); do
		newins "$(readlink -f "${file}")" "${file##*/}"
	done
	insopts -m 0644
	doins /usr/lib/${triplet}/{crt1,Scrt1,crti,crtn}.o
	doins /usr/lib/${triplet}/{libc_nonshared,libdl,libpthread,librt,libutil,libanl}.a
	for file in libc.so libm.so; do
		sed -e "s:/[^ ]*/${triplet}/:${lib}/:g" /usr/lib/${triplet}/${file} > "${T}/${file}" || die
		doins "${T}/${file}"
	done
	dosym libresolv.so.2 "${lib}/libresolv.so"
	# followed, since the kernel's headers are symlinks that lead out of the folder
	dodir /usr/include
	local headers
	mapfile -t headers < <(dpkg-query --listfiles libc6-dev linux-libc-dev | grep -E "^/usr/include/[^/]+$" | sort -u)
	cp -rL "${headers[@]}" "${ED}/usr/include/" || die
}
