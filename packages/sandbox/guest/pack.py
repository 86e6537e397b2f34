"""Packs a tree, or the changes that an overlay took, as one deterministic tar: an OCI image layer.

Runs in a toolchain. What it writes depends on the content of the files, their owners, modes and extended attributes
only: entries are sorted by the bytes of their paths, times are SOURCE_DATE_EPOCH, owners are numbers.
"""

import argparse
import contextlib
import errno
import fcntl
import hashlib
import heapq
import json
import os
import re
import stat
import struct
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, NoReturn

EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
OUT = os.environ.get("STRATA_OUT", "/strata/out")
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
DEVICE_TYPES = {"char": tarfile.CHRTYPE, "block": tarfile.BLKTYPE, "fifo": tarfile.FIFOTYPE}
BUFFER = 1 << 20


def fail(message: str, hint: str) -> NoReturn:
    """Ends the action with a mistake that a user can mend, in the form that Strata looks for."""
    print("::strata-error:: " + json.dumps({"message": message, "hint": hint}), file=sys.stderr, flush=True)
    sys.exit(1)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to pack: `path` without a leading slash, `source` where it lies (None for what exists only in the tar)."""

    path: str
    source: str | None
    device: dict | None = None


class Hashing:
    """A stream that passes on what it is given, and knows its digest and size."""

    def __init__(self, target: IO[bytes]) -> None:
        self.target = target
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        self.size += len(data)
        rest = memoryview(data)
        while rest:  # a pipe without a buffer may take a part only
            rest = rest[self.target.write(rest) :]
        return len(data)


def glob_pattern(glob: str) -> str:
    """A regular expression for an absolute glob: `*` and `?` stay within a name, `**` crosses names."""
    pattern = ""
    rest = glob.lstrip("/")
    while rest:
        if rest.startswith("**/"):
            pattern, rest = pattern + "(?:[^/]+/)*", rest[3:]
        elif rest == "**":
            pattern, rest = pattern + ".+", ""
        elif rest[0] == "*":
            pattern, rest = pattern + "[^/]*", rest[1:]
        elif rest[0] == "?":
            pattern, rest = pattern + "[^/]", rest[1:]
        elif rest[0] == "{" and "}" in rest:
            inside, _, rest = rest[1:].partition("}")
            pattern += "(?:" + "|".join(glob_pattern(part) for part in inside.split(",")) + ")"
        elif rest[0] == "[" and "]" in rest[2:]:
            end = rest.index("]", 2)
            inside = rest[1:end].replace("\\", "\\\\")
            pattern, rest = pattern + "[" + ("^" + inside[1:] if inside[0] == "!" else inside) + "]", rest[end + 1 :]
        else:
            pattern, rest = pattern + re.escape(rest[0]), rest[1:]
    return pattern


def matcher(globs: Iterable[str]) -> re.Pattern[str] | None:
    """Matches a path without its leading slash that one of the globs names, or that lies below one."""
    patterns = [glob_pattern(glob) for glob in globs]
    return re.compile(f"(?:{'|'.join(patterns)})(?:/.*)?", re.DOTALL) if patterns else None


def is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(folder: str) -> bool:
    """Whether a folder of an upper directory hides what lies below it in the overlay."""
    return xattr(folder, "user.overlay.opaque") == b"y"


def is_plain(entry: os.DirEntry[str]) -> bool:
    """What the folder itself says is a file, a folder or a symlink: asked first, since it needs no stat(2)."""
    return entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False) or entry.is_symlink()


def names_in(root: str, prefix: str, is_delta: bool) -> list[bytes]:
    """The names in a folder as a layer has them, sorted.

    A folder stands there twice, as itself and with a slash where what lies in it belongs: "a", "a-b", "a/c".
    """
    names = []
    with os.scandir(os.path.join(root, prefix)) as entries:
        for entry in entries:
            name = os.fsencode(entry.name)
            if entry.name.startswith(WHITEOUT):
                fail(
                    f"/{prefix}{entry.name} cannot be in a layer: names that begin with {WHITEOUT} mean deletions",
                    "rename the file",
                )
            if is_delta and not is_plain(entry) and is_whiteout(entry.stat(follow_symlinks=False)):
                names.append(os.fsencode(WHITEOUT) + name)
                continue
            names.append(name)
            if entry.is_dir(follow_symlinks=False):
                names.append(name + b"/")
    if is_delta and prefix and is_opaque(os.path.join(root, prefix)):
        names.append(os.fsencode(OPAQUE))
    return sorted(names)


def walk(root: str, exclude: re.Pattern[str] | None, is_delta: bool) -> Iterator[str]:
    """The paths in a tree, in the order of their bytes, with no more in memory than the names of the folders on the way."""
    folders = [("", iter(names_in(root, "", is_delta)))]
    while folders:
        prefix, names = folders[-1]
        name = next(names, None)
        if name is None:
            folders.pop()
            continue
        path = prefix + os.fsdecode(name)
        if exclude is not None and exclude.fullmatch(path.rstrip("/")) is not None:
            continue
        if path.endswith("/"):
            folders.append((path, iter(names_in(root, path, is_delta))))
        else:
            yield path


def tree_entries(root: str, exclude: re.Pattern[str] | None) -> Iterator[Entry]:
    for path in walk(root, exclude, is_delta=False):
        yield Entry(path, os.path.join(root, path))


def delta_entries(upper: str) -> Iterator[Entry]:
    """What overlayfs left in an upper directory, with OCI's whiteouts (kernel: Documentation/filesystems/overlayfs)."""
    for path in walk(upper, None, is_delta=True):
        is_mark = os.path.basename(path).startswith(WHITEOUT)
        yield Entry(path, None if is_mark else os.path.join(upper, path))


def xattr(path: str, name: str) -> bytes | None:
    try:
        return os.getxattr(path, name, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return None
        raise


def capability_without_rootid(value: bytes) -> bytes:
    """VFS_CAP_REVISION_3 holds the root id of the namespace that set it; revision 2 is the same without it."""
    (magic,) = struct.unpack_from("<I", value)
    if magic & 0xFF000000 == 0x03000000:
        return struct.pack("<I", 0x02000000 | magic & 1) + value[4:20]
    return value


def pax_headers(path: str) -> dict[str, str]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise
    headers = {}
    for name in sorted(names):
        if name in ("user.overlay.redirect", "user.overlay.metacopy"):
            sys.exit(f"pack: {path} has {name}: its content lies elsewhere in the overlay")
        # what a machine's own kernel adds (labels of SELinux or IMA, properties of btrfs) is none of the layer's content
        if not name.startswith(("user.", "system.posix_acl_")) and name != "security.capability":
            continue
        if name.startswith("user.overlay."):
            continue
        if "=" in name:
            sys.exit(f"pack: {path} has an attribute whose name a tar cannot hold: {name}")
        value = os.getxattr(path, name, follow_symlinks=False)
        if name == "security.capability":
            value = capability_without_rootid(value)
        headers[f"SCHILY.xattr.{name}"] = value.decode("utf-8", "surrogateescape")
    return headers


class HardLinks:
    """Names of files that have several. Knows a file until it has met all its names, and nothing of files with one."""

    def __init__(self) -> None:
        self.known: dict[tuple[int, int], tuple[str, int]] = {}

    def first_name(self, status: os.stat_result, path: str) -> str:
        """The name under which a file was met first: this one, if it is new."""
        if status.st_nlink == 1:
            return path
        identity = (status.st_dev, status.st_ino)
        first, left = self.known.pop(identity, (path, status.st_nlink))
        if left > 1:
            self.known[identity] = (first, left - 1)
        return first


def tar_info(entry: Entry, links: HardLinks) -> tarfile.TarInfo:
    info = tarfile.TarInfo(entry.path)
    info.mtime = EPOCH
    if entry.device is not None:
        device = entry.device
        info.type = DEVICE_TYPES[device["type"]]
        info.mode = int(device["mode"], 8)
        info.uid, info.gid = device.get("uid", 0), device.get("gid", 0)
        info.devmajor, info.devminor = device.get("major", 0), device.get("minor", 0)
        return info
    if entry.source is None:
        info.mode = 0o644
        return info
    status = os.lstat(entry.source)
    info.mode = stat.S_IMODE(status.st_mode)
    info.uid, info.gid = status.st_uid, status.st_gid
    if stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(status.st_mode):
        info.type = tarfile.SYMTYPE
        info.linkname = os.readlink(entry.source)
        info.mode = 0o777
    elif stat.S_ISREG(status.st_mode):
        first = links.first_name(status, entry.path)
        if first != entry.path:
            info.type = tarfile.LNKTYPE
            info.linkname = first
            return info
        info.size = status.st_size
    elif stat.S_ISFIFO(status.st_mode):
        info.type = tarfile.FIFOTYPE
    else:
        fail(f"/{entry.path} is a device node, which cannot be taken from a disk", "declare it under `devices:`")
    info.pax_headers = pax_headers(entry.source)
    return info


def write_tar(entries: Iterable[Entry], target: IO[bytes] | Hashing) -> None:
    """Writes entries, which come in the order of their paths' bytes."""
    links = HardLinks()
    archive = tarfile.open(  # type: ignore[call-overload]
        fileobj=target,
        mode="w|",
        format=tarfile.PAX_FORMAT,
        encoding="utf-8",
        errors="surrogateescape",
        bufsize=BUFFER,
        copybufsize=BUFFER,
    )
    before = b""
    for entry in entries:
        path = os.fsencode(entry.path)
        if path <= before:
            raise ValueError(f"{entry.path} does not come in order")
        before = path
        if entry.source is not None and stat.S_ISSOCK(os.lstat(entry.source).st_mode):
            continue
        info = tar_info(entry, links)
        if info.isreg() and info.size > 0 and entry.source is not None:
            with open(entry.source, "rb") as content:
                archive.addfile(info, content)
                if content.read(1):
                    sys.exit(f"pack: /{entry.path} grew while it was packed")
        else:
            archive.addfile(info)
        archive.members = []  # it would keep all of them in memory
    archive.close()


def in_order(entry: Entry) -> bytes:
    return os.fsencode(entry.path)


def with_devices(entries: Iterable[Entry], devices: list[dict]) -> Iterator[Entry]:
    """The entries, and the declared devices instead of what lies at their paths; all in the order of their paths' bytes."""
    named = {device["path"].lstrip("/"): device for device in devices}
    if len(named) != len(devices):
        fail("a device node is declared twice", "declare each path under `devices:` once")
    rest = (entry for entry in entries if entry.path not in named)
    nodes = (Entry(path, None, device) for path, device in named.items())
    return heapq.merge(rest, sorted(nodes, key=in_order), key=in_order)


def pack_layer(entries: Iterable[Entry], name: str, devices: list[dict], annotations: dict[str, str] | None = None) -> str:
    """Writes an OCI layer as output `name` of the action, with its annotations; returns its diff id."""
    path = os.path.join(OUT, name)
    # a fixed number of workers: what zstd writes depends on whether it has any, and this machine's cores may not matter
    command = ["zstd", "--quiet", "-3", "-T2", "--force", "-o", path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0) as compressor:
        assert compressor.stdin is not None
        with contextlib.suppress(OSError):  # a user may have used up what the kernel grants
            fcntl.fcntl(compressor.stdin, fcntl.F_SETPIPE_SZ, BUFFER)
        target = Hashing(compressor.stdin)
        try:
            write_tar(with_devices(entries, devices), target)
            compressor.stdin.close()
        except BrokenPipeError:
            pass  # zstd has said why it ended, and its status tells
        if compressor.wait() != 0:
            sys.exit(f"pack: zstd failed with status {compressor.returncode}")
    notes = {
        **(annotations or {}),
        "dev.strata.diff-id": f"sha256:{target.hash.hexdigest()}",
        "dev.strata.uncompressed-size": str(target.size),
    }
    if devices:
        ordered = sorted(devices, key=lambda device: device["path"])
        notes["dev.strata.devices"] = json.dumps(ordered, sort_keys=True, separators=(",", ":"))
    with open(f"{path}.annotations.json", "w", encoding="utf-8") as file:
        json.dump(notes, file, sort_keys=True)
    return notes["dev.strata.diff-id"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    delta = commands.add_parser("delta")
    delta.add_argument("--upper", required=True)
    tree = commands.add_parser("tree")
    tree.add_argument("--root", required=True)
    tree.add_argument("--exclude", action="append", default=[])
    tree.add_argument("--stdout", action="store_true")
    for command in (delta, tree):
        command.add_argument("--output", default="layer.tar.zst")
        command.add_argument("--devices")
    options = parser.parse_args()
    devices: list[dict] = []
    if options.devices is not None:
        with open(options.devices, encoding="utf-8") as file:
            devices = json.load(file)
    if options.command == "delta":
        pack_layer(delta_entries(options.upper), options.output, devices)
        return
    entries = tree_entries(options.root, matcher(options.exclude))
    if options.stdout:
        write_tar(with_devices(entries, devices), sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        pack_layer(entries, options.output, devices)


if __name__ == "__main__":
    main()
