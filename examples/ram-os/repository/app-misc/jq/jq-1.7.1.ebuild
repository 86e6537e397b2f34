# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Lightweight and flexible command-line JSON processor"
HOMEPAGE="https://jqlang.github.io/jq/"
SRC_URI="https://github.com/jqlang/jq/archive/refs/tags/${P}.tar.gz -> ${P}.gh.tar.gz"
S="${WORKDIR}/jq-${P}"

LICENSE="MIT CC-BY-3.0"
SLOT="0"
KEYWORDS="amd64"
IUSE="+oniguruma static-libs"

DEPEND="
	virtual/libc
	oniguruma? ( dev-libs/oniguruma:= )
"
RDEPEND="${DEPEND}"
BDEPEND="
	dev-build/autoconf
	dev-build/automake
	dev-build/libtool
	sys-devel/bison
	sys-devel/flex
"

PATCHES=( "${FILESDIR}/${P}-version.patch" )

src_prepare() {
	default
	autoreconf --force --install || die
}

src_configure() {
	econf \
		--disable-docs \
		--disable-maintainer-mode \
		--disable-valgrind \
		$(use_enable static-libs static) \
		$(use_with oniguruma oniguruma yes)
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
