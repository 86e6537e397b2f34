# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

inherit prefix-toolchain

DESCRIPTION="The run-time libraries of the toolchain's compiler, for programs of a prefix"
HOMEPAGE="https://gcc.gnu.org/"
S="${WORKDIR}"

LICENSE="GPL-3+-with-GCC-exception"
SLOT="0"
KEYWORDS="amd64 arm64"
IUSE="cxx"

RESTRICT="strip"

src_install() {
	prefix-toolchain_dolibs libgcc_s.so.1
	# C++ programs need it, and it is twice the size of the C library
	use cxx && prefix-toolchain_dolibs libstdc++.so.6
}
