"""Finds out whether a tree needs nothing but itself to run: by the headers of its ELF files, its links, owners and modes."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import elf
import pack
import portage_setup as setup
from prefix import LIBDIR, Prefix

# Libraries of glibc (its manual, "Installation"): what `libc: host` takes from the system.
C_LIBRARY = re.compile(
    r"(?:ld-linux[\w.-]*|lib(?:c|m|mvec|dl|pthread|rt|util|resolv|anl|nsl|BrokenLocale|nss_(?:files|dns|compat)|thread_db))\.so\.\d+"
)

SYSTEM_PATH = re.compile(rb"(?<![\w.$}/-])/(?:usr|etc|var|opt|bin|sbin|lib|lib64|srv)/[\w.+/-]*\w")
SHOWN = 20


class Tree:
    """What was merged below ROOT for a prefix."""

    def __init__(self, prefix: Prefix) -> None:
        self.prefix = prefix
        self.root = setup.ROOT
        self.files: list[str] = []
        self.links: list[str] = []
        self.outside: list[str] = []
        above = {prefix.path[: match.start()] for match in re.finditer(r"/", prefix.path)} | {prefix.path}
        for entry in pack.tree_entries(self.root, None):
            path, status = f"/{entry.path}", os.lstat(entry.source or "")
            if stat.S_ISDIR(status.st_mode):
                if path not in above and not self.holds(path):
                    self.outside.append(path)
            elif not self.holds(path):
                self.outside.append(path)
            elif stat.S_ISLNK(status.st_mode):
                self.links.append(path)
            else:
                self.files.append(path)
        self.elf = {path: read for path in self.files if (read := self._read(path)) is not None}

    def _read(self, path: str) -> elf.Elf | None:
        try:
            return elf.read(self.root + path)
        except elf.Malformed:
            return None

    def holds(self, path: str) -> bool:
        """Whether a path, as it will be, lies in the prefix."""
        return os.path.normpath(path) == self.prefix.path or os.path.normpath(path).startswith(f"{self.prefix.path}/")

    def resolve(self, path: str) -> str | None:
        """Where a path leads in the end, all links followed within the prefix; None where to nothing."""
        for _ in range(40):
            head = ""
            for name in os.path.normpath(path).strip("/").split("/"):
                head, parent = f"{head}/{name}", head
                if os.path.islink(self.root + head):
                    rest = os.path.normpath(path)[len(head) :]
                    path = os.path.normpath(os.path.join(parent or "/", os.readlink(self.root + head))) + rest
                    break
            else:
                return path if os.path.lexists(self.root + path) and self.holds(path) else None
        return None


def shown(lines: list[str]) -> list[str]:
    return lines[:SHOWN] + ([f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else [])


@dataclass(frozen=True)
class Finding:
    """One kind of thing that is wrong with a prefix."""

    message: str
    hint: str
    lines: list[str]


def places(tree: Tree) -> Iterator[Finding]:
    """What lies outside of the prefix, leads out of it, or changes the user."""
    path = tree.prefix.path
    yield Finding(f"packages install files outside of {path}", "let their ebuilds honour EPREFIX", tree.outside)
    leaving = []
    for link in tree.links:
        target = os.readlink(tree.root + link)
        if not tree.holds(os.path.join(os.path.dirname(link), target)):
            leaving.append(f"{link} -> {target}")
    hint = "let the links name ${EPREFIX}, or leave them out by `masks`"
    yield Finding(f"symlinks lead out of {path}", hint, leaving)
    privileged = []
    for name in tree.files:
        mode = stat.S_IMODE(os.lstat(tree.root + name).st_mode)
        if mode & (stat.S_ISUID | stat.S_ISGID):
            privileged.append(f"{name} ({mode:04o})")
    hint = "take the bits away in the ebuild (fperms 0755), or leave the files out by `masks`"
    yield Finding(f"files in {path} are set-uid or set-gid", hint, privileged)


def check(tree: Tree) -> None:
    """Ends the action with all that is wrong with a prefix."""
    found = [finding for finding in [*places(tree), libraries(tree)] if finding.lines]
    if found:
        lines = [line for finding in found for line in shown(finding.lines)]
        messages, hints = "; ".join(one.message for one in found), "; ".join(one.hint for one in found)
        setup.fail(messages, hints, lines)


def origin_of(path: str, entry: str) -> str:
    folder = os.path.dirname(path)
    return os.path.normpath(entry.replace("${ORIGIN}", folder).replace("$ORIGIN", folder)) if entry else ""


def search_folders(tree: Tree, path: str, read: elf.Elf) -> list[str]:
    """Where the loader looks for the libraries of a file (ld.so(8)).

    RPATH is handed down to what is loaded, RUNPATH is not. A library without either is loaded by what has RPATH of ours.
    """
    if read.runpath is not None:
        return [origin_of(path, entry) for entry in read.runpath]
    own = [origin_of(path, entry) for entry in read.rpath or ()]
    return own if read.interpreter is not None else [*own, f"{tree.prefix.path}/usr/{LIBDIR}"]


def problems_of(tree: Tree, path: str, read: elf.Elf) -> Iterator[str]:
    """What keeps a program or a library from running out of the prefix alone."""
    prefix = tree.prefix
    if read.machine != elf.MACHINES[prefix.arch]:
        yield f"{path}: is for another machine than {prefix.arch}"
        return
    if read.interpreter is not None:
        if prefix.libc == "host":
            if read.interpreter != prefix.loader:
                yield f"{path}: its loader is {read.interpreter}, and the system's is {prefix.loader}"
        elif tree.resolve(read.interpreter) is None:
            yield f"{path}: its loader {read.interpreter} is not in {prefix.path}"
    for kind, entries in (("RPATH", read.rpath), ("RUNPATH", read.runpath)):
        for entry in entries or ():
            if not tree.holds(origin_of(path, entry)):
                yield f"{path}: its {kind} has {entry or 'an empty entry'}, which is not in {prefix.path}"
    folders = search_folders(tree, path, read)
    for name in read.needed:
        if prefix.libc == "host" and C_LIBRARY.fullmatch(name):
            continue
        candidates = [name] if "/" in name else [f"{folder}/{name}" for folder in folders]
        found = next((where for one in candidates if (where := tree.resolve(one)) in tree.elf), None)
        if found is None:
            yield f"{path}: its library {name} is not in {' nor '.join(folders) or 'any folder that it names'}"


def libraries(tree: Tree) -> Finding:
    """Programs and libraries that need one which is not in the prefix."""
    problems = [line for path, read in tree.elf.items() for line in problems_of(tree, path, read)]
    hint = "name the packages that have the libraries in the RDEPEND of those that need them, and link with ${CHOST}-gcc"
    return Finding(f"{tree.prefix.path} is not self-contained", hint, problems)


def programs_of(tree: Tree, owned: Iterable[str]) -> list[str]:
    """Programs among some files, in the folders that hold a user's."""
    folders = {f"{tree.prefix.path}/{name}" for name in ("bin", "sbin", "usr/bin", "usr/sbin")}
    own = set(owned)
    return [path for path, read in tree.elf.items() if path in own and os.path.dirname(path) in folders and read.machine]


def scripts_of(tree: Tree) -> list[dict]:
    """Executable scripts whose interpreter is not in the prefix."""
    found = []
    for path in tree.files:
        if path in tree.elf or not os.lstat(tree.root + path).st_mode & 0o111:
            continue
        with open(tree.root + path, "rb") as file:
            head = file.read(256)
        match = re.match(rb"#![ \t]*(\S+)", head)
        interpreter = match.group(1).decode("utf-8", "replace") if match else None
        if interpreter is not None and tree.resolve(interpreter) is None:
            found.append({"file": path, "interpreter": interpreter})
    return found


def foreign_paths(tree: Tree, ignored: re.Pattern[str]) -> list[dict]:
    """Paths of the system that files hold, and so may look for when they run.

    :param ignored: files whose paths are meant
    """
    own = os.fsencode(tree.prefix.path)
    found = []
    for path in tree.files:
        if ignored.fullmatch(path):
            continue
        with open(tree.root + path, "rb") as file:
            paths = {match.group(0) for match in SYSTEM_PATH.finditer(file.read())}
        foreign = sorted(one.decode("ascii", "replace") for one in paths if one != own and not one.startswith(own + b"/"))
        if foreign:
            found.append({"file": path, "paths": foreign[:SHOWN]})
    return found
