"""Lists what a layer or a squashfs holds, as an archive says it: nothing is unpacked. Runs in a toolchain.

The list has one entry for each name in the archive. Files of package databases come with those of their lines that tell
which packages there are and what belongs to them.
"""

import hashlib
import json
import re
import subprocess
import sys
import tarfile
from typing import IO

sys.path.insert(0, "/strata/in/bin")

import pack  # noqa: E402

SOURCE = "/strata/in/source"
OUTPUT = "/strata/out/files.json"
COMMANDS = {
    "layer": ["zstd", "--quiet", "--decompress", "--stdout", SOURCE],
    "squashfs": ["sqfs2tar", SOURCE],
}
KINDS = {
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "symlink",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
    tarfile.FIFOTYPE: "fifo",
}
ATTRIBUTE = "SCHILY.xattr."
# Portage's database has a folder for each package (PMS leaves it to the package manager), dpkg's one file for all
PORTAGE_FACT = re.compile("var/db/pkg/[^/]+/[^/]+/(CONTENTS|IUSE|SLOT|USE|repository)")
DPKG_STATUS = "var/lib/dpkg/status"
DPKG_FILES = re.compile(r"var/lib/dpkg/info/[^/]+\.list")


def owned(line: str) -> list[str]:
    """The path that a line of CONTENTS names: `obj PATH MD5 TIME`, `sym PATH -> TARGET TIME`, `dir PATH`."""
    kind, _, rest = line.partition(" ")
    if kind == "obj":
        return [rest.rsplit(" ", 2)[0]]
    if kind == "sym":
        return [rest.partition(" -> ")[0]]
    return [rest] if kind in ("dir", "fif", "dev") else []


def installed(status: str) -> list[str]:
    """The packages that dpkg has installed: `NAME VERSION`."""
    packages = []
    for stanza in status.split("\n\n"):
        fields = dict(re.findall("^([A-Za-z-]+): (.*)$", stanza, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            packages.append(f"{fields['Package']} {fields['Version']}")
    return packages


def facts(path: str, content: bytes) -> list[str]:
    text = content.decode("utf-8", "surrogateescape")
    if path == DPKG_STATUS:
        return installed(text)
    lines = text.splitlines()
    return [found for line in lines for found in owned(line)] if path.endswith("/CONTENTS") else lines


def has_facts(path: str) -> bool:
    return path == DPKG_STATUS or any(pattern.fullmatch(path) is not None for pattern in (PORTAGE_FACT, DPKG_FILES))


def regular(path: str, info: tarfile.TarInfo, content: IO[bytes]) -> dict:
    digest = hashlib.sha256()
    kept = [] if has_facts(path) else None
    while part := content.read(pack.BUFFER):
        digest.update(part)
        if kept is not None:
            kept.append(part)
    lines = {} if kept is None else {"lines": facts(path, b"".join(kept))}
    return {"type": "file", "size": info.size, "digest": f"sha256:{digest.hexdigest()}", **lines}


def attributes(info: tarfile.TarInfo) -> dict[str, str]:
    """Extended attributes, their values in hexadecimal digits."""
    return {
        name.removeprefix(ATTRIBUTE): value.encode("utf-8", "surrogateescape").hex()
        for name, value in sorted(info.pax_headers.items())
        if name.startswith(ATTRIBUTE)
    }


def entry(tar: tarfile.TarFile, info: tarfile.TarInfo, path: str, files: dict[str, dict]) -> dict:
    folder, _, name = path.rpartition("/")
    if name == pack.OPAQUE:
        return {"path": folder, "type": "opaque"}
    if name.startswith(pack.WHITEOUT):
        return {"path": f"{folder}/{name.removeprefix(pack.WHITEOUT)}".lstrip("/"), "type": "whiteout"}
    if info.islnk():
        first = info.linkname.removeprefix("./").strip("/")
        return {**files[first], "path": path, "sameAs": first}
    own: dict = {"path": path, "mode": info.mode & 0o7777, "user": info.uid, "group": info.gid}
    content = tar.extractfile(info) if info.isreg() else None
    if content is not None:
        own |= regular(path, info, content)
    else:
        own |= {"type": KINDS[info.type]}
    if info.issym():
        own |= {"target": info.linkname, "mode": 0o777}
    if info.ischr() or info.isblk():
        own |= {"device": f"{info.devmajor}:{info.devminor}"}
    found = attributes(info)
    return {**own, "attributes": found} if found else own


def entries(stream: IO[bytes]) -> list[dict]:
    found: list[dict] = []
    # a later name of a file, or of a symlink, says the first one only
    files: dict[str, dict] = {}
    with tarfile.open(fileobj=stream, mode="r|", bufsize=pack.BUFFER, errors="surrogateescape") as tar:
        for info in tar:
            tar.members = []  # it would keep all of them in memory
            path = info.name.removeprefix("./").strip("/")
            if path in ("", "."):
                continue
            made = entry(tar, info, path, files)
            if not info.isdir():
                files[path] = made
            found.append(made)
    return found


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        kind = json.load(file)["kind"]
    command = COMMANDS[kind]
    try:
        reader = subprocess.Popen(command, stdout=subprocess.PIPE)
    except FileNotFoundError:
        pack.fail(f"{command[0]} is missing in the toolchain", "add the package that has it to the toolchain's packages")
    assert reader.stdout is not None
    complaint = None
    with reader:
        try:
            found = entries(reader.stdout)
        except (tarfile.TarError, EOFError) as error:
            complaint = str(error)
        # an archive ends before its padding does: who writes it would die of a closed pipe
        while reader.stdout.read(pack.BUFFER):
            pass
    if complaint is not None or reader.returncode != 0:
        reason = complaint or f"{command[0]} failed with status {reader.returncode}"
        pack.fail(f"the {kind} cannot be read: {reason}", "its file in the store may be damaged: build it again after `strata store clear`")
    with open(OUTPUT, "w", encoding="ascii") as file:
        json.dump({"entries": found}, file, sort_keys=True, separators=(",", ":"))


main()
