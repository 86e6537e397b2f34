"""Lays out the programs that builds find first: compilers that look into ROOT, under the names that ebuilds call them by."""

import os
from collections.abc import Iterable

from prefix import DEFAULT_CHOST, LIBDIR, Prefix

# Read by `shims/prefix-compiler` and `shims/pkg-config`.
SETTINGS = "/strata/tmp/prefix.sh"

COMPILERS = ("gcc", "g++", "cpp", "cc", "c++")
PKG_CONFIG = ("pkg-config", "pkgconf")

# What ebuilds call by its name after CHOST. With link-time optimisation ar, nm and ranlib are the compiler's.
BINUTILS = (
    *("addr2line", "ar", "as", "c++filt", "elfedit", "gcc-ar", "gcc-nm", "gcc-ranlib", "gcov", "gprof", "ld", "ld.bfd"),
    *("nm", "objcopy", "objdump", "ranlib", "readelf", "size", "strings", "strip"),
)


def for_layer(folder: str, chost: str) -> None:
    """Compilers named after CHOST which look into ROOT, beside those of plain name; binutils need no help."""
    link_tools(folder, chost, COMPILERS, "/strata/in/shims/compiler", plain=True)
    link_tools(folder, chost, PKG_CONFIG, "/strata/in/shims/pkg-config", plain=True)
    for tool in BINUTILS:
        if os.path.exists(f"/usr/bin/{tool}"):
            os.symlink(f"/usr/bin/{tool}", f"{folder}/{chost}-{tool}")


def link_tools(folder: str, chost: str, tools: Iterable[str], target: str, plain: bool) -> None:
    for tool in tools:
        for name in (tool, f"{chost}-{tool}") if plain else (f"{chost}-{tool}",):
            os.symlink(target, f"{folder}/{name}")


def for_prefix(folder: str, made: Prefix) -> str | None:
    """Tools for a prefix: a compiler that makes programs look for loader and libraries there, whatever Makefiles say.

    For another machine only what is named after CHOST is for the prefix; else plain names are, too.

    :returns: what is wrong with the toolchain, if anything is
    """
    real = {name: real_compiler(made, name) for name in ("gcc", "g++", "cpp")}
    if real["gcc"] is None:
        return f"the toolchain has no compiler for {made.chost}"
    words = {"eprefix": made.path, "libdir": LIBDIR, "loader": made.loader}
    words |= {f"real_{name.replace('+', 'p')}": path or "" for name, path in real.items()}
    with open(SETTINGS, "w", encoding="utf-8") as file:
        file.writelines(f"{name}='{value}'\n" for name, value in words.items())
    link_tools(folder, made.chost, COMPILERS, "/strata/in/shims/prefix-compiler", plain=not made.foreign)
    link_tools(folder, made.chost, PKG_CONFIG, "/strata/in/shims/pkg-config", plain=not made.foreign)
    for tool in BINUTILS:
        target = f"/usr/bin/{made.triplet}-{tool}"
        if not os.path.exists(target) and not made.foreign:
            target = f"/usr/bin/{tool}"
        if os.path.exists(target):
            os.symlink(target, f"{folder}/{made.chost}-{tool}")
    if made.foreign:
        for tool in (*COMPILERS, *PKG_CONFIG, *BINUTILS):
            if os.path.exists(f"/usr/bin/{tool}"):
                os.symlink(f"/usr/bin/{tool}", f"{folder}/{DEFAULT_CHOST}-{tool}")
    return None


def real_compiler(made: Prefix, name: str) -> str | None:
    """The toolchain's own compiler for a machine: Debian's, Gentoo's, or the one of plain name."""
    candidates = [f"/usr/bin/{made.triplet}-{name}", f"/usr/bin/{made.chost}-{name}"]
    if not made.foreign:
        candidates.append(f"/usr/bin/{name}")
    return next((path for path in candidates if os.path.exists(path)), None)
