# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Virtual for the C library"

SLOT="0"
KEYWORDS="amd64"

RDEPEND="sys-libs/toolchain-libc"
