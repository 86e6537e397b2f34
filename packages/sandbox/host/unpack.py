"""Unpacks an OCI image layer as an overlayfs lower directory.

Usage: unpack.py LAYER.tar.zst FOLDER DIFF_ID

Whiteouts become what overlayfs mounted with `userxattr` understands. Device nodes are left out: a user namespace may not
make them, and they are declared in the layer's annotations. Runs with the machine's own Python, 3.9 or newer.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
from typing import IO

BUFFER = 1 << 20
XATTR = "SCHILY.xattr."


class Hashing:
    """A stream whose reader gets what it reads hashed."""

    def __init__(self, source: "IO[bytes]") -> None:
        self.source = source
        self.hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self.source.read(size)
        self.hash.update(data)
        return data


def extract(archive: tarfile.TarFile, info: tarfile.TarInfo, root: str) -> "str | None":
    """Extracts one entry, and returns its path where its attributes have to be set."""
    path = os.path.normpath(os.path.join(root, info.name))
    if not path.startswith(root + "/") or os.path.realpath(os.path.dirname(path)) != os.path.dirname(path):
        sys.exit(f"unpack: {info.name} leads out of the layer")
    folder, name = os.path.split(path)
    os.makedirs(folder, 0o755, exist_ok=True)
    if name == ".wh..wh..opq":
        os.setxattr(folder, "user.overlay.opaque", b"y")
        return None
    if name.startswith(".wh."):
        os.mknod(os.path.join(folder, name[4:]), 0o020000, os.makedev(0, 0))
        return None
    if info.isdir():
        os.makedirs(path, 0o755, exist_ok=True)
    elif info.issym():
        os.symlink(info.linkname, path)
    elif info.islnk():
        os.link(os.path.join(root, info.linkname), path, follow_symlinks=False)
        return None
    elif info.isreg():
        content = archive.extractfile(info)
        assert content is not None
        with open(path, "xb", buffering=0) as file:
            while data := content.read(BUFFER):
                file.write(data)
    elif info.isfifo():
        os.mkfifo(path)
    else:
        return None
    return path


def set_attributes(info: tarfile.TarInfo, path: str) -> None:
    os.chown(path, info.uid, info.gid, follow_symlinks=False)
    if not info.issym():
        os.chmod(path, info.mode)
    for name, value in info.pax_headers.items():
        if name.startswith(XATTR) and not name.startswith(XATTR + "trusted."):
            os.setxattr(path, name[len(XATTR) :], value.encode("utf-8", "surrogateescape"), follow_symlinks=False)
    os.utime(path, (info.mtime, info.mtime), follow_symlinks=False)


def main() -> None:
    layer, root, diff_id = sys.argv[1:]
    root = os.path.realpath(root)
    os.umask(0o022)
    with subprocess.Popen(["zstd", "--quiet", "-dc", layer], stdout=subprocess.PIPE, bufsize=BUFFER) as zstd:
        assert zstd.stdout is not None
        source = Hashing(zstd.stdout)
        folders = []
        with tarfile.open(fileobj=source, mode="r|", bufsize=BUFFER) as archive:  # type: ignore[call-overload]
            for info in archive:
                path = extract(archive, info, root)
                archive.members = []  # type: ignore[attr-defined]
                if path is not None:
                    set_attributes(info, path)
                    if info.isdir():
                        folders.append((path, info.mtime))
        while source.read(BUFFER):
            pass
        if zstd.wait() != 0:
            sys.exit("unpack: zstd failed")
    for path, mtime in reversed(folders):
        os.utime(path, (mtime, mtime))
    if f"sha256:{source.hash.hexdigest()}" != diff_id:
        sys.exit(f"unpack: {layer} holds another tar than {diff_id}")


main()
