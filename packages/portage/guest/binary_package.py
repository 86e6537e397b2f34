"""Reads and writes binary packages (GLEP 78, gpkg), without times, counters and whatever else differs between two builds."""

import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Iterable

import pack


def unpack(path: str, target: str) -> None:
    """Unpacks `image/` and `metadata/` of a gpkg into a folder."""
    os.makedirs(target)
    with tarfile.open(path) as container:
        for member in container:
            name = os.path.basename(member.name)
            if not name.startswith(("image.tar", "metadata.tar")):
                continue
            command = ["tar", "--extract", "--zstd", "--preserve-permissions", "--numeric-owner", "--same-owner"]
            command += ["--xattrs", "--xattrs-include=*", "--directory", target]
            content = container.extractfile(member)
            assert content is not None
            with subprocess.Popen(command, stdin=subprocess.PIPE) as reader:
                assert reader.stdin is not None
                while data := content.read(1 << 20):
                    reader.stdin.write(data)
            if reader.returncode != 0:
                raise SystemExit(f"{path} cannot be unpacked: tar ended with status {reader.returncode}")


def _compressed(entries: Iterable[pack.Entry], path: str) -> None:
    # a fixed number of workers: what zstd writes depends on whether it has any
    command = ["zstd", "--quiet", "-3", "-T2", "--force", "-o", path]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as compressor:
        assert compressor.stdin is not None
        pack.write_tar(entries, compressor.stdin)
    if compressor.returncode != 0:
        raise SystemExit(f"zstd ended with status {compressor.returncode}")


def _entries(folder: str, name: str) -> Iterable[pack.Entry]:
    if name == "image":  # GLEP 78 has no entry for the folder `metadata`
        yield pack.Entry(name, f"{folder}/{name}")
    for entry in pack.tree_entries(f"{folder}/{name}", None):
        yield pack.Entry(f"{name}/{entry.path}", entry.source)


def write(folder: str, base_name: str, path: str, scratch: str) -> None:
    """Writes a gpkg of `image/` and `metadata/` in a folder.

    :param base_name: name and version of the package: the folder that all members of a gpkg are in
    """
    parts = []
    for name in ("metadata", "image"):
        part = f"{scratch}/{name}.tar.zst"
        _compressed(_entries(folder, name), part)
        parts.append(part)
    version = f"{scratch}/gpkg-1"
    with open(version, "wb"):
        pass
    manifest = []
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as container:
        for part in (version, *parts):
            name = os.path.basename(part)
            hashes = {"BLAKE2B": hashlib.blake2b(), "SHA512": hashlib.sha512()}
            with open(part, "rb") as file:
                while data := file.read(1 << 20):
                    for value in hashes.values():
                        value.update(data)
            size = os.path.getsize(part)
            words = " ".join(f"{kind} {value.hexdigest()}" for kind, value in hashes.items())
            manifest.append(f"DATA {name} {size} {words}\n")
            with open(part, "rb") as file:
                container.addfile(_member(f"{base_name}/{name}", size), file)
        text = "".join(manifest).encode()
        container.addfile(_member(f"{base_name}/Manifest", len(text)), io.BytesIO(text))
    for part in (version, *parts):
        os.unlink(part)


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, pack.EPOCH, 0o644
    return info
