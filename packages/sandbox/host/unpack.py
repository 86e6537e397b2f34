"""Unpacks an OCI image layer as an overlayfs lower directory.

Usage: unpack.py LAYER.tar.zst FOLDER DIFF_ID

Whiteouts become what overlayfs mounted with `userxattr` understands. Device nodes are left out: a user namespace may not
make them, and they are declared in the layer's annotations. Runs with the machine's own Python, 3.9 or newer.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import queue
import subprocess
import sys
import tarfile
import threading
from typing import IO

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import fail  # noqa: E402

BUFFER = 1 << 20
CHUNKS_AHEAD = 8
F_SETPIPE_SZ = 1031
XATTR = "SCHILY.xattr."
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"


class Hashing:
    """A stream that is read and hashed ahead of its reader, so that the disk does not wait for that."""

    def __init__(self, source: "IO[bytes]") -> None:
        self.source = source
        self.hash = hashlib.sha256()
        self.chunks: "queue.Queue[bytes | None]" = queue.Queue(CHUNKS_AHEAD)
        self.ended = False
        threading.Thread(target=self.read_ahead, daemon=True).start()

    def read_ahead(self) -> None:
        try:
            while data := self.source.read(BUFFER):
                self.hash.update(data)
                self.chunks.put(data)
        finally:
            self.chunks.put(None)

    def read(self, size: int) -> bytes:
        """Gives at most a chunk, whatever was asked for."""
        data = None if self.ended else self.chunks.get()
        self.ended = data is None
        return data or b""


class Unpacker:
    """Writes entries below a folder, and never outside of it."""

    def __init__(self, root: str) -> None:
        self.root = root
        # what is written into a folder changes its time: set in the end
        self.folder_times = {root: 0}

    def unpack(self, archive: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        path = self.inside(info.name)
        if path == self.root:
            return
        folder, name = os.path.split(path)
        self.make_folder(folder, int(info.mtime))
        if name == OPAQUE:
            os.setxattr(folder, "user.overlay.opaque", b"y")
        elif name.startswith(WHITEOUT):
            os.mknod(os.path.join(folder, name[len(WHITEOUT) :]), 0o020000, os.makedev(0, 0))
        elif info.islnk():
            os.link(self.inside(info.linkname), path, follow_symlinks=False)
        elif self.create(archive, info, path):
            set_attributes(info, path)

    def inside(self, name: str) -> str:
        path = os.path.normpath(os.path.join(self.root, name))
        folder = os.path.dirname(path)
        if path == self.root or folder in self.folder_times:
            return path
        if not path.startswith(self.root + "/") or os.path.realpath(folder) != folder:
            sys.exit(f"unpack: {name} leads out of the layer")
        return path

    def make_folder(self, folder: str, mtime: int) -> None:
        """Makes the folders that the layer itself does not describe."""
        missing = []
        while folder not in self.folder_times:
            missing.append(folder)
            folder = os.path.dirname(folder)
        for path in reversed(missing):
            os.mkdir(path, 0o755)
            self.folder_times[path] = mtime

    def create(self, archive: tarfile.TarFile, info: tarfile.TarInfo, path: str) -> bool:
        if info.isdir():
            if path not in self.folder_times:
                os.mkdir(path, 0o755)
            self.folder_times[path] = int(info.mtime)
        elif info.issym():
            os.symlink(info.linkname, path)
        elif info.isreg():
            content = archive.extractfile(info)
            assert content is not None
            with open(path, "xb", buffering=0) as file:
                while data := content.read(BUFFER):
                    write_all(file, data)
        elif info.isfifo():
            os.mkfifo(path)
        else:
            return False
        return True

    def finish(self) -> None:
        for path, mtime in self.folder_times.items():
            os.utime(path, (mtime, mtime))


def write_all(file: "IO[bytes]", data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def set_attributes(info: tarfile.TarInfo, path: str) -> None:
    # in this order: a new owner clears set-uid bits and capabilities
    os.chown(path, info.uid, info.gid, follow_symlinks=False)
    if not info.issym():
        os.chmod(path, info.mode)
    for name, value in info.pax_headers.items():
        if name.startswith(XATTR) and not name.startswith(XATTR + "trusted."):
            os.setxattr(path, name[len(XATTR) :], value.encode("utf-8", "surrogateescape"), follow_symlinks=False)
    os.utime(path, (info.mtime, info.mtime), follow_symlinks=False)


def damaged(layer: str) -> None:
    fail(
        f"{layer} is damaged: it does not hold the layer that it is named for",
        "delete that file, and run this again with --skip-nx-cache: what made it runs again",
    )


def unpack(layer: str, root: str, diff_id: str) -> None:
    unpacker = Unpacker(root)
    with subprocess.Popen(["zstd", "--quiet", "-dc", layer], stdout=subprocess.PIPE, bufsize=0) as zstd:
        assert zstd.stdout is not None
        with contextlib.suppress(OSError):  # a user may have used up what the kernel grants
            fcntl.fcntl(zstd.stdout, F_SETPIPE_SZ, BUFFER)
        source = Hashing(zstd.stdout)
        with tarfile.open(  # type: ignore[call-overload]
            fileobj=source, mode="r|", bufsize=BUFFER, encoding="utf-8", errors="surrogateescape"
        ) as archive:
            for info in archive:
                unpacker.folder_times[root] = int(info.mtime)
                unpacker.unpack(archive, info)
                archive.members = []  # it would keep all of them in memory
        while source.read(BUFFER):
            pass
        if zstd.wait() != 0 or f"sha256:{source.hash.hexdigest()}" != diff_id:
            damaged(layer)
    unpacker.finish()
    os.chmod(root, 0o755)


def main() -> None:
    layer, root, diff_id = sys.argv[1:]
    os.umask(0o022)
    try:
        unpack(layer, os.path.realpath(root), diff_id)
    except FileNotFoundError as error:
        if error.filename == "zstd":
            fail("zstd is missing on this machine", "install the Debian package zstd")
        raise
    except tarfile.TarError:
        damaged(layer)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            fail(
                f"the file system of {root} is full",
                "free some space there, run `strata store clear`, or set STRATA_STORE to a folder with more room",
            )
        if error.errno == errno.ENOTSUP:
            fail(
                f"the file system of {root} keeps no extended attributes",
                "set STRATA_STORE to a folder on another file system (ext4, xfs, btrfs)",
            )
        raise


main()
