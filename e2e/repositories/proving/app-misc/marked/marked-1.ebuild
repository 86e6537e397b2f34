# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="A program with a file capability, a note with a tag, and what shaped it"
HOMEPAGE="https://example.org/"
S="${WORKDIR}"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"

src_install() {
	newbin - pinger <<<"#!/bin/sh"
	insinto /usr/share/marked
	newins - note <<<"tagged"
	newins - reached <<<"${FROM_PACKAGE_ENV}${REACHED}"
	# where savedconfig.eclass looks
	doins "${PORTAGE_CONFIGROOT}/etc/portage/savedconfig/${CATEGORY}/${PN}"
	python3 - "${ED}" <<-'END' || die
		import os, struct, sys
		capability = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
		os.setxattr(f"{sys.argv[1]}/usr/bin/pinger", "security.capability", capability)
		os.setxattr(f"{sys.argv[1]}/usr/share/marked/note", "user.tag", bytes(range(256)))
	END
}

pkg_postinst() {
	echo "${REACHED}" >> "${EROOT}/usr/share/marked/reached" || die
}
