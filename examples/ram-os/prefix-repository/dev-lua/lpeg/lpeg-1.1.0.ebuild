# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Parsing expression grammars for Lua"
HOMEPAGE="https://www.inf.puc-rio.br/~roberto/lpeg/"
SRC_URI="https://www.inf.puc-rio.br/~roberto/${PN}/${P}.tar.gz"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64 arm64"

DEPEND="dev-lang/lua:5.4 virtual/libc"
RDEPEND="${DEPEND}"

src_compile() {
	emake CC="${CHOST}-gcc" COPT="${CFLAGS}" LUADIR="${ESYSROOT}/usr/include" DLLFLAGS="-shared -fPIC ${LDFLAGS}" lpeg.so
}

src_install() {
	exeinto /usr/$(get_libdir)/lua/5.4
	doexe lpeg.so
	insinto /usr/share/lua/5.4
	doins re.lua
}
