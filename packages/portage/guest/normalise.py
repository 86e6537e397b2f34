"""Takes out of a ROOT what Portage leaves there and what differs between two runs of the same merge."""

import bz2
import os
import re
import shutil
import stat

# Written by Portage for itself or for the next run on the same machine; nothing in an image reads it.
CACHES = (
    "etc/portage",
    "root/.cache",
    "tmp/*",
    "var/cache/edb",
    "var/cache/ldconfig",
    "var/lib/portage/config",
    "var/lib/portage/preserved_libs_registry",
    "var/log/emerge-fetch.log",
    "var/log/emerge.log",
    "var/log/portage",
    "var/tmp/portage",
)

# Variables that Portage saves with a package and that tell about the machine, not about the package.
MACHINE = re.compile(
    r"^declare -x (?:BINPKG_FORMAT|MAKEOPTS|MAKEFLAGS|NINJAOPTS|PORTAGE_COMPRESSION_COMMAND|PORTAGE_NICENESS|PORTAGE_SCHEDULING_POLICY|EMERGE_FROM|NPROC|SANDBOX_LOG)=.*$"
)


def rewrite(path: str, content: bytes) -> None:
    status = os.lstat(path)
    os.unlink(path)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, stat.S_IMODE(status.st_mode))


def normalise_contents(text: str, epoch: str) -> str:
    """CONTENTS (PMS leaves its form to the package manager): `obj PATH MD5 MTIME`, `sym PATH -> TARGET MTIME`."""
    lines = []
    for line in text.splitlines():
        if line.startswith(("obj ", "sym ")):
            line = line.rsplit(" ", 1)[0] + f" {epoch}"
        lines.append(line)
    return "".join(f"{line}\n" for line in sorted(lines, key=lambda line: line.split(" ", 1)[1:]))


def normalise_environment(packed: bytes) -> bytes:
    lines = bz2.decompress(packed).decode("utf-8", "surrogateescape").split("\n")
    kept = [line for line in lines if not MACHINE.match(line)]
    return bz2.compress("\n".join(kept).encode("utf-8", "surrogateescape"))


def normalise_database(folder: str, epoch: str) -> None:
    for name in sorted(os.listdir(folder)):
        path = f"{folder}/{name}"
        if name in ("BUILD_ID", "metadata"):
            os.unlink(path)
        elif name == "BUILD_TIME":
            rewrite(path, f"{epoch}\n".encode())
        elif name == "COUNTER":
            rewrite(path, b"0\n")
        elif name == "CONTENTS":
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                text = normalise_contents(file.read(), epoch)
            rewrite(path, text.encode("utf-8", "surrogateescape"))
        elif name == "environment.bz2":
            with open(path, "rb") as file:
                rewrite(path, normalise_environment(file.read()))


def remove(root: str, pattern: str) -> None:
    folder, _, last = pattern.rpartition("/")
    names = os.listdir(f"{root}/{folder}") if last == "*" and os.path.isdir(f"{root}/{folder}") else [last]
    for name in names if last != "*" or os.path.isdir(f"{root}/{folder}") else []:
        path = f"{root}/{folder}/{name}"
        if os.path.islink(path) or os.path.isfile(path):
            os.unlink(path)
        elif os.path.isdir(path):
            shutil.rmtree(path)


def normalise(root: str, packages: list[str]) -> None:
    """Normalises a ROOT in which these packages (`category/name-version`) were just merged."""
    epoch = os.environ["SOURCE_DATE_EPOCH"]
    for package in packages:
        normalise_database(f"{root}/var/db/pkg/{package}", epoch)
    for name in os.listdir(f"{root}/var/db/pkg") if os.path.isdir(f"{root}/var/db/pkg") else []:
        if name.startswith(".") and name.endswith("portage_lockfile"):
            os.unlink(f"{root}/var/db/pkg/{name}")
    for pattern in CACHES:
        remove(root, pattern)
    remove_caches(root)


def remove_caches(root: str) -> None:
    """Takes out what programs leave for their own next run: compiled Python, locks."""
    for current, folders, names in os.walk(root):
        if "__pycache__" in folders:
            shutil.rmtree(f"{current}/__pycache__")
            folders.remove("__pycache__")
        for name in names:
            if name.startswith(".") and name.endswith(".portage_lockfile"):
                os.unlink(f"{current}/{name}")
