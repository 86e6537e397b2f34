# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

# Makes a package's build system anew with the newest tools that the toolchain has.

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI} is not supported" ;;
esac

if [[ -z ${_REMAKE_ECLASS} ]]; then
_REMAKE_ECLASS=1

# newest first, as version:slot
_REMAKE_AUTOMAKE=( 1.18.1:1.18 )
_REMAKE_AUTOCONF=( 2.73:2.73 2.72-r1:2.72 )

BDEPEND="
	|| ( >=dev-build/automake-1.18.1:1.18 )
	|| ( >=dev-build/autoconf-2.73:2.73 >=dev-build/autoconf-2.72-r1:2.72 )
	>=app-portage/elt-patches-20250306
	>=dev-build/libtool-2.4.7-r3
	sys-devel/gnuconfig
"

remake() {
	local tool version
	for tool in automake autoconf; do
		local -n known="_REMAKE_${tool^^}"
		for version in "${known[@]#*:}"; do
			has_version -b "=dev-build/${tool}-${version}*" && break
			version=
		done
		[[ -n ${version} ]] || die "no ${tool} of ${known[*]} is known"
		export WANT_${tool^^}="${version}"
		unset -n known
	done
	autoreconf --force --install || die
	type -P eltpatch > /dev/null || die "there is no eltpatch"
	LD="${CHOST}-ld" eltpatch || die
	cp "${BROOT}"/usr/share/gnuconfig/config.{guess,sub} . || die
}

fi
