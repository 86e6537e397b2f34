# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="The C library of a prefix: its own, or with the flag prefix-guest that of the system it runs on"

SLOT="0"
KEYWORDS="amd64 arm64"

DEPEND="virtual/os-headers"
RDEPEND="
	sys-libs/prefix-gcc-runtime
	!prefix-guest? ( sys-libs/prefix-libc )
"
