# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

inherit mesonic

DESCRIPTION="A library that others are built against"
HOMEPAGE="https://example.org/"

LICENSE="MIT"
SLOT="0/${PV}"
KEYWORDS="amd64"
IUSE="+extra"

DEPEND="virtual/libc"
RDEPEND="${DEPEND}"

src_unpack() {
	cp -r "${FILESDIR}/numbers" "${S}" || die
}

src_configure() {
	local emesonargs=( -Dversion=${PV} -Dextra=$(usex extra true false) )
	mesonic_src_configure
}
