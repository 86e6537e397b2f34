"""A package database for a toolchain made of Debian's packages, so that Portage and eclasses know what is there.

`package.provided` satisfies a resolve, and `has_version -b` ignores it; database entries satisfy both. Only what is
listed here and installed is known, so that a build dependency that the toolchain lacks is an error and not luck.
"""

import os
import re
import subprocess

# Debian package -> Gentoo package, and how its slot follows from its version
PACKAGES = {
    "autoconf": ("dev-build/autoconf", r"\d+\.\d+"),
    "autoconf-archive": ("dev-build/autoconf-archive", None),
    "automake": ("dev-build/automake", r"\d+\.\d+"),
    "autotools-dev": ("sys-devel/gnuconfig", None),
    "bash": ("app-shells/bash", None),
    "bc": ("sys-devel/bc", None),
    "binutils": ("sys-devel/binutils", r"\d+\.\d+"),
    "bison": ("sys-devel/bison", None),
    "bzip2": ("app-arch/bzip2", None),
    "cmake": ("dev-build/cmake", None),
    "coreutils": ("sys-apps/coreutils", None),
    "cpio": ("app-alternatives/cpio", None),
    "debugedit": ("dev-util/debugedit", None),
    "diffutils": ("sys-apps/diffutils", None),
    "file": ("sys-apps/file", None),
    "findutils": ("sys-apps/findutils", None),
    "flex": ("sys-devel/flex", None),
    "g++": ("sys-devel/gcc", r"\d+"),
    "gawk": ("sys-apps/gawk", None),
    "gettext": ("sys-devel/gettext", None),
    "gperf": ("dev-util/gperf", None),
    "grep": ("sys-apps/grep", None),
    "gzip": ("app-arch/gzip", None),
    "kmod": ("sys-apps/kmod", None),
    "libc6-dev": ("sys-libs/glibc", None),
    "libtool": ("dev-build/libtool", "2"),
    "lz4": ("app-arch/lz4", None),
    "m4": ("sys-devel/m4", None),
    "make": ("dev-build/make", None),
    "meson": ("dev-build/meson", None),
    "ninja-build": ("dev-build/ninja", None),
    "patch": ("sys-devel/patch", None),
    "pax-utils": ("app-misc/pax-utils", None),
    "perl": ("dev-lang/perl", None),
    "pkgconf": ("dev-util/pkgconf", None),
    "python3": ("dev-lang/python", r"\d+\.\d+"),
    "rsync": ("net-misc/rsync", None),
    "sed": ("sys-apps/sed", None),
    "tar": ("app-arch/tar", None),
    "unzip": ("app-arch/unzip", None),
    "wget": ("net-misc/wget", None),
    "xz-utils": ("app-arch/xz-utils", None),
    "zstd": ("app-arch/zstd", None),
}

# Gentoo packages without a version of their own in Debian
ALSO = {
    "pkgconf": ("virtual/pkgconfig-3",),
    "ninja-build": ("app-alternatives/ninja-1",),
    "automake": ("app-portage/elt-patches-20250306",),
    "bison": ("app-alternatives/yacc-1",),
    "flex": ("app-alternatives/lex-1",),
    "tar": ("app-alternatives/tar-1",),
    "gawk": ("app-alternatives/awk-1",),
    "gzip": ("app-alternatives/gzip-1",),
    "bzip2": ("app-alternatives/bzip2-1",),
    "meson": ("dev-build/meson-format-array-0",),
    "libc6-dev": ("virtual/libc-1", "sys-kernel/linux-headers-6.12", "virtual/os-headers-0"),
}


def upstream_version(version: str) -> str:
    """The upstream part of a Debian version, as a Gentoo version."""
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return match.group(1) if match else "0"


def write_entry(database: str, name: str, slot: str, iuse: str) -> None:
    folder = f"{database}/{name}"
    os.makedirs(folder, exist_ok=True)
    category, _, package = name.partition("/")
    use = " ".join(flag.lstrip("+-") for flag in iuse.split())
    values = {
        "CATEGORY": category,
        "PF": package,
        "SLOT": slot,
        "EAPI": "8",
        "KEYWORDS": "amd64 arm64",
        "IUSE": iuse,
        "USE": use,
        "repository": "debian",
        "COUNTER": "0",
        "BUILD_TIME": "0",
        "CONTENTS": "",
    }
    for field, value in values.items():
        with open(f"{folder}/{field}", "w", encoding="utf-8") as file:
            file.write(f"{value}\n" if value else "")


def write_database(database: str, iuse_of: "callable[[str], str]") -> None:
    """Writes an entry for every known package that is installed.

    :param iuse_of: all USE flags that the repositories' ebuilds of a package have: the toolchain's is taken to have
        been built with every one of them
    """
    listed = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${db:Status-Abbrev}\n"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in listed.splitlines():
        name, version, status = line.split()[:3]
        if name not in PACKAGES or not status.startswith("ii"):
            continue
        gentoo, slot_pattern = PACKAGES[name]
        upstream = upstream_version(version)
        match = re.match(slot_pattern, upstream) if slot_pattern else None
        write_entry(database, f"{gentoo}-{upstream}", match.group(0) if match else slot_pattern or "0", iuse_of(gentoo))
        for other in ALSO.get(name, ()):
            write_entry(database, other, "0", "")
