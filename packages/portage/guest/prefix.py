"""What is made for a path below ROOT, maybe for another machine: a prefix (Package Manager Specification, EPREFIX)."""

import os
from dataclasses import dataclass

DEFAULT_CHOST = "x86_64-pc-linux-gnu"

# Of both boards, and of Gentoo's profiles for them.
LIBDIR = "lib64"
TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
LOADERS = {"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}


@dataclass(frozen=True)
class Prefix:
    """What is made for a path below ROOT (PMS, EPREFIX), maybe for another machine.

    `arch` as Gentoo's keywords have it; `libc` is `bundled` where the C library lies there too, else `host`.
    """

    path: str
    arch: str
    chost: str
    libc: str

    @property
    def triplet(self) -> str:
        """How Debian calls its machine."""
        return TRIPLETS[self.arch]

    @property
    def loader(self) -> str:
        """The dynamic loader that its programs name (System V ABI, PT_INTERP)."""
        system = LOADERS[self.arch]
        return f"{self.path}/usr/{LIBDIR}/{os.path.basename(system)}" if self.libc == "bundled" else system

    @property
    def foreign(self) -> bool:
        """Whether its programs are for another machine than the toolchain's."""
        return self.chost != DEFAULT_CHOST

    def settings(self) -> dict[str, str]:
        """What the board says, as a profile's make.defaults says it."""
        values = {
            "ARCH": self.arch,
            "ACCEPT_KEYWORDS": self.arch,
            "CHOST": self.chost,
            "ABI": self.arch,
            "DEFAULT_ABI": self.arch,
            "MULTILIB_ABIS": self.arch,
            f"CHOST_{self.arch}": self.chost,
            f"LIBDIR_{self.arch}": LIBDIR,
            "IUSE_IMPLICIT": "prefix prefix-guest prefix-stack",
        }
        return {**values, "CBUILD": DEFAULT_CHOST} if self.foreign else values

    def make_defaults(self) -> str:
        return "".join(f'{name}="{value}"\n' for name, value in self.settings().items())

    def write_profile(self, folder: str) -> None:
        """Adds the board to the user's part of the profile, and Gentoo's flags for prefixes."""
        os.makedirs(f"{folder}/use.force", exist_ok=True)
        with open(f"{folder}/make.defaults", "a", encoding="utf-8") as file:
            file.write(f"\n{self.make_defaults()}")
        guest = "prefix-guest" if self.libc == "host" else "-prefix-guest"
        with open(f"{folder}/use.force/99-strata", "w", encoding="utf-8") as file:
            file.write(f"prefix\n{guest}\n-prefix-stack\n")
