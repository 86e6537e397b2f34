# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

inherit prefix-toolchain

DESCRIPTION="The C library of the toolchain and its dynamic loader, for programs of a prefix"
HOMEPAGE="https://www.gnu.org/software/libc/"
S="${WORKDIR}"

LICENSE="LGPL-2.1+ GPL-2"
SLOT="0"
KEYWORDS="amd64 arm64"

RESTRICT="strip"

src_install() {
	prefix-toolchain_dolibs $(prefix-toolchain_libc_libs)
	prefix-toolchain_forget_loader "${ED}/usr/$(get_libdir)/libc.so.6"
}
