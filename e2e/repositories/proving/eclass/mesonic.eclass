# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

# Builds with Meson, whose settings come from files, not from the environment.

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI} is not supported" ;;
esac

if [[ -z ${_MESONIC_ECLASS} ]]; then
_MESONIC_ECLASS=1

BDEPEND="
	>=dev-build/meson-1.2.3
	app-alternatives/ninja
	dev-build/meson-format-array
"

mesonic_array() {
	meson-format-array "$@" || die
}

mesonic_native_file() {
	local file="${T}/meson.${CHOST}.ini"
	cat > "${file}" <<-EOF || die "no native file"
	[binaries]
	ar = $(mesonic_array "${CHOST}-ar")
	c = $(mesonic_array "${CHOST}-gcc")
	nm = $(mesonic_array "${CHOST}-nm")
	pkg-config = '${CHOST}-pkg-config'
	strip = $(mesonic_array "${CHOST}-strip")

	[built-in options]
	c_args = $(mesonic_array "${CFLAGS} ${CPPFLAGS}")
	c_link_args = $(mesonic_array "${CFLAGS} ${LDFLAGS}")

	[properties]
	pkg_config_libdir = '${EPREFIX}/usr/$(get_libdir)/pkgconfig'
	EOF
	echo "${file}"
}

mesonic_src_configure() {
	has_version -b ">=dev-build/meson-1.2.3" || die "meson is not known"
	has_version -b "app-alternatives/ninja[reference]" || die "ninja is not known"
	has_version -b "dev-build/no-such-tool" && die "a tool is known that is not there"
	(
		export -n {C,CPP,CXX,LD}FLAGS PKG_CONFIG_{LIBDIR,PATH}
		meson setup \
			--prefix "${EPREFIX}/usr" --libdir "$(get_libdir)" --wrap-mode nodownload \
			--native-file "$(mesonic_native_file)" -Dbuildtype=plain -Db_lto=false \
			"${emesonargs[@]}" "${S}" "${WORKDIR}/build"
	) || die
}

mesonic_src_compile() {
	ninja -v -C "${WORKDIR}/build" || die
}

mesonic_src_install() {
	meson install -C "${WORKDIR}/build" --destdir "${D}" --no-rebuild || die
}

fi

EXPORT_FUNCTIONS src_configure src_compile src_install
