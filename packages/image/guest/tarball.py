"""Takes a tarball (a stage3, an ebuild repository) in as a layer. Runs in a toolchain.

Device nodes cannot be made in a user namespace: they are read from the archive and declared beside the layer.
"""

import bz2
import gzip
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zlib
from typing import NoReturn

sys.path.insert(0, "/strata/in/bin")

import pack  # noqa: E402

TARBALL = "/strata/in/tarball"
PLAIN = "/strata/tmp/plain.tar"
TREE = "/strata/tmp/tree"
LAST_LINES = 5
# a full disk is not the tarball's fault, and Strata knows these words
FULL = re.compile("No space left on device|Disk quota exceeded")
# of the user namespace that actions run in
HIGHEST_ID = 65535
ZSTD = b"\x28\xb5\x2f\xfd"
DECOMPRESSORS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
KINDS = {tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block"}
ANOTHER = "get the tarball anew, and write its digest into the definition; or name another one"


def fail(message: str, hint: str, details: list[str] | None = None) -> NoReturn:
    print("::strata-error:: " + json.dumps({"message": message, "hint": hint, "details": details or []}), flush=True)
    sys.exit(1)


def run(*command: str) -> list[str] | None:
    """Runs a command; gives back what it complained of if it failed because of the tarball."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    except FileNotFoundError:
        fail(f"{command[0]} is missing in the toolchain", f"add the package {command[0]} to the toolchain's packages")
    sys.stderr.write(done.stderr)
    sys.stderr.flush()
    if done.returncode == 0:
        return None
    if FULL.search(done.stderr):
        sys.exit(f"{command[0]} failed with status {done.returncode}")
    return done.stderr.splitlines()[-LAST_LINES:]


def plain_tar() -> str:
    """The archive without its compression: it is read twice."""
    with open(TARBALL, "rb") as file:
        beginning = file.read(6)
    if beginning.startswith(ZSTD):
        complaint = run("zstd", "--quiet", "-d", TARBALL, "-o", PLAIN)
        if complaint is not None:
            fail("the tarball cannot be decompressed", ANOTHER, complaint)
        return PLAIN
    decompressor = next((function for magic, function in DECOMPRESSORS.items() if beginning.startswith(magic)), None)
    if decompressor is None:
        return TARBALL
    try:
        with decompressor(TARBALL, "rb") as source, open(PLAIN, "wb") as target:
            shutil.copyfileobj(source, target, pack.BUFFER)
    except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        if getattr(error, "errno", None) is not None:
            raise
        fail("the tarball cannot be decompressed", ANOTHER, [str(error)])
    return PLAIN


def check(info: tarfile.TarInfo) -> None:
    names = [info.name, info.linkname] if info.islnk() else [info.name]
    for name in names:
        if ".." in name.split("/"):
            fail(f"the tarball has a name that leads out of it: {name}", "name another tarball, or pack this one anew")
    if not (0 <= info.uid <= HIGHEST_ID and 0 <= info.gid <= HIGHEST_ID):
        owner = f"{info.uid}:{info.gid}"
        fail(f"{info.name} in the tarball belongs to {owner}", f"pack the tarball anew with ids up to {HIGHEST_ID}")


def members(archive: str) -> tuple[list[tarfile.TarInfo], set[str]]:
    """The archive's device nodes, and the first parts of all its names. Ends the action where a name is no good."""
    devices, tops = [], set()
    try:
        with tarfile.open(archive, "r:") as tar:
            for info in tar:
                check(info)
                tar.members = []  # it would keep all of them in memory
                tops.add(path_of(info).partition("/")[0])
                if info.type in KINDS:
                    devices.append(info)
    except tarfile.TarError as error:
        fail("the tarball is no tar archive, or a damaged one", ANOTHER, [str(error)])
    return devices, tops - {""}


def path_of(info: tarfile.TarInfo) -> str:
    path = os.path.normpath(info.name).lstrip("/")
    return "" if path == "." else path


def device(info: tarfile.TarInfo, top: str) -> dict:
    return {
        "path": "/" + path_of(info).removeprefix(top),
        "type": KINDS[info.type],
        "major": info.devmajor,
        "minor": info.devminor,
        "mode": f"{info.mode & 0o7777:04o}",
        "uid": info.uid,
        "gid": info.gid,
    }


def extract(archive: str, devices: list[tarfile.TarInfo]) -> None:
    os.makedirs(TREE)
    complaint = run(
        "tar",
        "--extract",
        *["--file", archive],
        *["--directory", TREE],
        "--numeric-owner",
        "--preserve-permissions",
        "--same-owner",
        "--xattrs",
        # what pack.py takes into a layer; the rest no user namespace can set
        "--xattrs-include=user.*",
        "--xattrs-include=security.capability",
        "--xattrs-include=system.posix_acl_*",
        "--anchored",
        "--no-wildcards",
        *[f"--exclude={info.name}" for info in devices],
    )
    if complaint is not None:
        fail("the tarball cannot be unpacked", ANOTHER, complaint)


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    print("::strata:: " + json.dumps({"phase": "unpack"}), flush=True)
    archive = plain_tar()
    devices, tops = members(archive)
    extract(archive, devices)
    for info in devices:
        # a folder without an entry of its own
        os.makedirs(os.path.join(TREE, os.path.dirname(path_of(info))), exist_ok=True)
    top = ""
    if spec["stripTop"] and len(tops) == 1:
        (name,) = tops
        top = f"{name}/" if os.path.isdir(f"{TREE}/{name}") and not os.path.islink(f"{TREE}/{name}") else ""
    print("::strata:: " + json.dumps({"phase": "pack"}), flush=True)
    entries = pack.tree_entries(os.path.join(TREE, top).rstrip("/"), None)
    pack.pack_layer(entries, "layer.tar.zst", [device(info, top) for info in devices])


main()
