# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Folders, users and groups that every root file system has"
HOMEPAGE="https://wiki.gentoo.org/wiki/Merge-usr"
S="${WORKDIR}"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"

src_install() {
	local folder
	for folder in bin sbin lib lib64; do
		keepdir /usr/${folder}
		dosym usr/${folder} /${folder}
	done
	keepdir /boot /dev /etc /home /mnt /opt /proc /run /srv /sys /usr/share /var/lib /var/log
	dosym ../run /var/run
	diropts -m 0700
	keepdir /root
	diropts -m 1777
	keepdir /tmp /var/tmp
	insinto /etc
	doins "${FILESDIR}"/{passwd,group,hosts,nsswitch.conf,profile}
	doenvd "${FILESDIR}"/env.d/00basic
	insopts -m 0640
	doins "${FILESDIR}"/shadow
}
