# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Newer than the toolchain's, which has to do: nothing may build this one"
HOMEPAGE="https://example.org/"

LICENSE="MIT"
SLOT="1.18"
KEYWORDS="amd64"

pkg_setup() {
	die "the toolchain's automake was to be taken"
}
