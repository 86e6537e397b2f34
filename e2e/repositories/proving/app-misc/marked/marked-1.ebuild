# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="A program with a file capability, and a note with a tag"
HOMEPAGE="https://example.org/"
S="${WORKDIR}"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"

src_install() {
	newbin - pinger <<<"#!/bin/sh"
	insinto /usr/share/marked
	newins - note <<<"tagged"
	python3 - "${ED}" <<-'END' || die
		import os, struct, sys
		capability = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
		os.setxattr(f"{sys.argv[1]}/usr/bin/pinger", "security.capability", capability)
		os.setxattr(f"{sys.argv[1]}/usr/share/marked/note", "user.tag", bytes(range(256)))
	END
}
