# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="What programs of a prefix are compiled and linked with"

SLOT="0"
KEYWORDS="amd64 arm64"

RDEPEND="sys-libs/prefix-libc-dev"
