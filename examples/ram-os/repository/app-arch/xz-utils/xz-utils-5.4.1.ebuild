# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Utilities and library for LZMA compressed files"
HOMEPAGE="https://tukaani.org/xz/"
SRC_URI="https://tukaani.org/xz/xz-${PV}.tar.xz"
S="${WORKDIR}/xz-${PV}"

LICENSE="public-domain LGPL-2.1+ GPL-2+"
SLOT="0"
KEYWORDS="amd64"
IUSE="doc static-libs"

DEPEND="virtual/libc"
RDEPEND="${DEPEND}"

src_configure() {
	econf \
		--disable-nls \
		$(use_enable doc) \
		$(use_enable static-libs static)
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
