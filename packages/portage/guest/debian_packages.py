"""A package database for a toolchain made of Debian's packages, so that Portage and eclasses know what is there.

`package.provided` satisfies a resolve, and `has_version -b` ignores it; database entries satisfy both. Only what is
listed here and installed is known, so that a build dependency that the toolchain lacks is an error and not luck.
"""

import os
import re
import subprocess
from dataclasses import dataclass

# Debian package -> Gentoo package, and how its slot follows from its version
PACKAGES = {
    "asciidoc": ("app-text/asciidoc", None),
    "autoconf": ("dev-build/autoconf", r"\d+\.\d+"),
    "autoconf-archive": ("dev-build/autoconf-archive", None),
    "automake": ("dev-build/automake", r"\d+\.\d+"),
    "autotools-dev": ("sys-devel/gnuconfig", None),
    "bash": ("app-shells/bash", None),
    "bc": ("sys-devel/bc", None),
    "binutils": ("sys-devel/binutils", r"\d+\.\d+"),
    "bison": ("sys-devel/bison", None),
    "bzip2": ("app-arch/bzip2", "0/1"),
    "clang": ("llvm-core/clang", r"\d+"),
    "cmake": ("dev-build/cmake", None),
    "coreutils": ("sys-apps/coreutils", None),
    "cpio": ("app-arch/cpio", None),
    "curl": ("net-misc/curl", None),
    "debugedit": ("dev-util/debugedit", None),
    "device-tree-compiler": ("sys-apps/dtc", None),
    "diffutils": ("sys-apps/diffutils", None),
    "docbook-xsl": ("app-text/docbook-xsl-stylesheets", None),
    "doxygen": ("app-text/doxygen", None),
    "ed": ("sys-apps/ed", None),
    "file": ("sys-apps/file", None),
    "findutils": ("sys-apps/findutils", None),
    "flex": ("sys-devel/flex", None),
    "g++": ("sys-devel/gcc", r"\d+"),
    "gawk": ("sys-apps/gawk", None),
    "gettext": ("sys-devel/gettext", None),
    "git": ("dev-vcs/git", None),
    "golang-go": ("dev-lang/go", r"\d+\.\d+"),
    "gperf": ("dev-util/gperf", None),
    "grep": ("sys-apps/grep", None),
    "groff-base": ("sys-apps/groff", None),
    "gtk-doc-tools": ("dev-util/gtk-doc", None),
    "gzip": ("app-arch/gzip", None),
    "help2man": ("sys-apps/help2man", None),
    "intltool": ("dev-util/intltool", None),
    "kmod": ("sys-apps/kmod", None),
    "less": ("sys-apps/less", None),
    "libc6-dev": ("sys-libs/glibc", "2.2"),
    "libtool": ("dev-build/libtool", "2"),
    "lz4": ("app-arch/lz4", None),
    "lzip": ("app-arch/lzip", None),
    "m4": ("sys-devel/m4", None),
    "make": ("dev-build/make", None),
    "meson": ("dev-build/meson", None),
    "nasm": ("dev-lang/nasm", None),
    "ninja-build": ("dev-build/ninja", None),
    "patch": ("sys-devel/patch", None),
    "patchelf": ("dev-util/patchelf", None),
    "pax-utils": ("app-misc/pax-utils", None),
    "perl": ("dev-lang/perl", r"0/\d+\.\d+"),
    "pkgconf": ("dev-util/pkgconf", None),
    "procps": ("sys-process/procps", None),
    "python3": ("dev-lang/python", r"\d+\.\d+"),
    "re2c": ("dev-util/re2c", None),
    "rsync": ("net-misc/rsync", None),
    "scdoc": ("app-text/scdoc", None),
    "sed": ("sys-apps/sed", None),
    "squashfs-tools": ("sys-fs/squashfs-tools", None),
    "swig": ("dev-lang/swig", None),
    "tar": ("app-arch/tar", None),
    "texinfo": ("sys-apps/texinfo", None),
    "unzip": ("app-arch/unzip", None),
    "util-linux": ("sys-apps/util-linux", None),
    "wget": ("net-misc/wget", None),
    "xmlto": ("app-text/xmlto", None),
    "xsltproc": ("dev-libs/libxslt", None),
    "xz-utils": ("app-arch/xz-utils", None),
    "yasm": ("dev-lang/yasm", None),
    "zip": ("app-arch/zip", None),
    "zstd": ("app-arch/zstd", None),
}

# Gentoo packages without a version of their own in Debian; of flags that exclude each other, the one that holds
ALSO = {
    "automake": (("app-portage/elt-patches-20991231", ""),),
    "bc": (("app-alternatives/bc-1", "gnu"),),
    "bison": (("app-alternatives/yacc-1", "bison"),),
    "bzip2": (("app-alternatives/bzip2-1", "reference"),),
    "coreutils": (("sys-apps/which-2.23", ""),),
    "cpio": (("app-alternatives/cpio-1", "gnu"),),
    "flex": (("app-alternatives/lex-1", "flex"),),
    "gawk": (("app-alternatives/awk-1", "gawk"),),
    "gtk-doc-tools": (("dev-build/gtk-doc-am-1", ""),),
    "gzip": (("app-alternatives/gzip-1", "reference"),),
    "libc6-dev": (("virtual/libc-1", ""), ("sys-kernel/linux-headers-6.12", ""), ("virtual/os-headers-0", "")),
    "meson": (("dev-build/meson-format-array-0", ""),),
    "ninja-build": (("app-alternatives/ninja-1", "reference"),),
    "pkgconf": (("virtual/pkgconfig-3", ""),),
    "tar": (("app-alternatives/tar-1", "gnu"),),
}

# Eclasses accept nothing but the newest slots of these. Debian's read the same input, so it stands for newer ones too.
STANDS_FOR_NEWER = frozenset({"dev-build/autoconf", "dev-build/automake"})

# Debian's packages carry fixes, and eclasses ask for revisions: each counts as the last one of its version.
REVISION = "-r99"


@dataclass(frozen=True)
class Entry:
    """A package as the database describes it: `category/name-version`, slot, all flags and the enabled ones."""

    cpv: str
    slot: str
    iuse: str
    use: str


class Ebuilds:
    """What ebuilds of some repositories say about packages, read without Portage."""

    def __init__(self, locations: list[str]) -> None:
        self.locations = locations

    def _files(self, name: str) -> list[str]:
        folders = [f"{location}/{name}" for location in self.locations]
        found = [f"{folder}/{entry}" for folder in folders if os.path.isdir(folder) for entry in os.listdir(folder)]
        return sorted(path for path in found if path.endswith(".ebuild"))

    def flags(self, name: str) -> str:
        """All USE flags of a package's ebuilds."""
        flags: set[str] = set()
        for path in self._files(name):
            with open(path, encoding="utf-8") as file:
                for value in re.findall(r'^[ \t]*IUSE\+?="([^"]*)"', file.read(), re.MULTILINE):
                    flags.update(flag.lstrip("+-") for flag in value.split() if re.fullmatch(r"[+-]?[\w@-]+", flag))
        return " ".join(sorted(flags))

    def versions(self, name: str) -> list[str]:
        """The versions of a package, without those that follow a development branch (9999)."""
        package = re.escape(name.partition("/")[2])
        found = (re.fullmatch(rf"{package}-(\d+(?:\.\d+)*)(?:-r\d+)?\.ebuild", os.path.basename(path)) for path in self._files(name))
        return [match.group(1) for match in found if match and "9999" not in match.group(1)]


def upstream_version(version: str) -> str:
    """The upstream part of a Debian version, as a Gentoo version."""
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return match.group(1) if match else "0"


def slot_of(version: str, pattern: str | None) -> str:
    """The slot (and sub-slot) of a version: a fixed one, or a part of the version."""
    if pattern is None:
        return "0"
    prefix, _, part = pattern.rpartition("/")
    match = re.match(part, version)
    return f"{prefix}/{match.group(0)}" if match and prefix else match.group(0) if match else pattern


def as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def newer_slots(name: str, version: str, pattern: str, ebuilds: Ebuilds) -> dict[str, str]:
    """The newest version of each slot that is newer than Debian's."""
    newest: dict[str, str] = {}
    for other in sorted(ebuilds.versions(name), key=as_numbers):
        if as_numbers(other) > as_numbers(version) and slot_of(other, pattern) != slot_of(version, pattern):
            newest[slot_of(other, pattern)] = other
    return newest


def entries_of(name: str, version: str, ebuilds: Ebuilds) -> list[Entry]:
    """What one of Debian's packages is to Portage."""
    gentoo, pattern = PACKAGES[name]
    flags = ebuilds.flags(gentoo)
    upstream = upstream_version(version)
    # taken to have been built with every flag: what Debian packs apart is not looked at
    entries = [Entry(f"{gentoo}-{upstream}{REVISION}", slot_of(upstream, pattern), flags, flags)]
    if gentoo in STANDS_FOR_NEWER and pattern is not None:
        for slot, newer in newer_slots(gentoo, upstream, pattern, ebuilds).items():
            entries.append(Entry(f"{gentoo}-{newer}{REVISION}", slot, flags, flags))
    for other, use in ALSO.get(name, ()):
        all_flags = {*ebuilds.flags(other.rpartition("-")[0]).split(), *use.split()}
        entries.append(Entry(other, "0", " ".join(sorted(all_flags)), use))
    return entries


def write_entry(database: str, entry: Entry) -> None:
    category, _, package = entry.cpv.partition("/")
    values = {
        "CATEGORY": category,
        "PF": package,
        "SLOT": entry.slot,
        "EAPI": "8",
        "KEYWORDS": "amd64 arm64",
        "IUSE": entry.iuse,
        "USE": entry.use,
        "repository": "debian",
        "COUNTER": "0",
        "BUILD_TIME": "0",
        "CONTENTS": "",
    }
    folder = f"{database}/{entry.cpv}"
    os.makedirs(folder, exist_ok=True)
    for field, value in values.items():
        with open(f"{folder}/{field}", "w", encoding="utf-8") as file:
            file.write(f"{value}\n" if value else "")


def write_database(database: str, ebuilds: Ebuilds) -> None:
    """Writes an entry for every known package that is installed."""
    listed = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${db:Status-Abbrev}\n"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in listed.splitlines():
        name, version, status = line.split()[:3]
        if name in PACKAGES and status.startswith("ii"):
            for entry in entries_of(name, version, ebuilds):
                write_entry(database, entry)


def debian_names(gentoo: str) -> list[str]:
    """The Debian packages that would make a package (`category/name`) known to Portage."""
    also = [name for name, others in ALSO.items() if gentoo in {cpv.rpartition("-")[0] for cpv, _ in others}]
    return sorted({*(name for name, (other, _) in PACKAGES.items() if other == gentoo), *also})
