# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

inherit remake

DESCRIPTION="A program with Autotools, Python, patches, and a library that it is bound to"
HOMEPAGE="https://example.org/"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"
IUSE="+extra"

DEPEND="
	virtual/libc
	>=dev-libs/numbers-1:=[extra?]
"
RDEPEND="${DEPEND}"
BDEPEND+="
	app-alternatives/yacc
	|| ( dev-lang/python:3.14 dev-lang/python:3.13 dev-lang/python:3.12 )
	virtual/pkgconfig
"

PATCHES=( "${FILESDIR}/counter-1-greeting.patch" )

src_unpack() {
	cp -r "${FILESDIR}/counter" "${S}" || die
}

src_prepare() {
	default
	remake
}

src_configure() {
	local slot python
	for slot in 3.14 3.13 3.12; do
		has_version -b "dev-lang/python:${slot}" && python=python${slot} && break
	done
	[[ -n ${python} ]] || die "python is not known"
	"${python}" -c 'print("#define MADE_BY \"python\"")' > made-by.h || die
	econf $(use_enable extra)
}
