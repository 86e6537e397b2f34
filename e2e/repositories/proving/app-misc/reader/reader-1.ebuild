# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="A program with CMake, and flags that depend on each other"
HOMEPAGE="https://example.org/"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"
IUSE="braille speech"
REQUIRED_USE="?? ( braille speech )"

DEPEND="
	virtual/libc
	dev-libs/numbers:=
"
RDEPEND="${DEPEND}"
BDEPEND="
	app-alternatives/ninja
	>=dev-build/cmake-3.28.5
	virtual/pkgconfig
"

src_unpack() {
	cp -r "${FILESDIR}/reader" "${S}" || die
}

src_configure() {
	# what is linked is looked for in ROOT and nowhere else
	cat > "${T}/toolchain.cmake" <<-EOF || die
		set(CMAKE_AR $(type -P "${CHOST}-ar") CACHE FILEPATH "Archive manager" FORCE)
		set(CMAKE_C_COMPILER "${CHOST}-gcc")
		set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
		set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
		set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
		set(CMAKE_SYSROOT "${ESYSROOT}")
		set(CMAKE_SYSTEM_PROCESSOR "${CHOST%%-*}")
	EOF
	cmake -G Ninja -S . -B "${WORKDIR}/build" \
		-DCMAKE_INSTALL_PREFIX="${EPREFIX}/usr" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
		-DCMAKE_TOOLCHAIN_FILE="${T}/toolchain.cmake" || die
}

src_compile() {
	ninja -v -C "${WORKDIR}/build" || die
}

src_install() {
	DESTDIR="${D}" ninja -C "${WORKDIR}/build" install || die
}
