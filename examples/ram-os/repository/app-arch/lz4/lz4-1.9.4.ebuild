# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Extremely fast compression algorithm"
HOMEPAGE="https://github.com/lz4/lz4"
SRC_URI="https://github.com/lz4/lz4/archive/v${PV}.tar.gz -> ${P}.gh.tar.gz"

LICENSE="BSD-2 GPL-2"
SLOT="0/r132"
KEYWORDS="amd64"
IUSE="static-libs"

DEPEND="virtual/libc"
RDEPEND="${DEPEND}"

lz4_make() {
	emake \
		PREFIX="${EPREFIX}/usr" \
		LIBDIR="${EPREFIX}/usr/$(get_libdir)" \
		CC="${CHOST}-gcc" AR="${CHOST}-ar" \
		BUILD_STATIC="$(usex static-libs)" \
		"$@"
}

src_compile() {
	lz4_make -C lib lib
	lz4_make -C programs lz4
}

src_install() {
	lz4_make -C lib DESTDIR="${D}" install
	lz4_make -C programs DESTDIR="${D}" install
}
