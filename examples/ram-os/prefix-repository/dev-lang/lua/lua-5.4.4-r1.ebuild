# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Powerful light-weight programming language designed for extending applications"
HOMEPAGE="https://www.lua.org/"
SRC_URI="https://www.lua.org/ftp/${P}.tar.gz"

LICENSE="MIT"
SLOT="5.4"
KEYWORDS="amd64 arm64"

DEPEND="virtual/libc"
RDEPEND="${DEPEND}"

src_prepare() {
	default
	# where modules are looked for is compiled in
	sed -i \
		-e "/#define LUA_ROOT/s:/usr/local/:${EPREFIX}/usr/:" \
		-e "/#define LUA_CDIR/s:\"lib/:\"$(get_libdir)/:" \
		src/luaconf.h || die
}

src_compile() {
	emake -C src \
		CC="${CHOST}-gcc" AR="${CHOST}-ar rcu" RANLIB="${CHOST}-ranlib" \
		MYCFLAGS="${CFLAGS} -fPIC -DLUA_USE_LINUX" MYLDFLAGS="${LDFLAGS} -Wl,-E" MYLIBS="-ldl" \
		lua luac
}

src_install() {
	dobin src/lua src/luac
	doheader src/{lua,luaconf,lualib,lauxlib}.h
	dolib.a src/liblua.a
	doman doc/lua.1 doc/luac.1
}
