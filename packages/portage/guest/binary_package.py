"""Reads and writes binary packages without times, counters and whatever else differs between two builds.

They are kept as GLEP 78 has them (gpkg). Portage itself leaves extended attributes, so file capabilities too, out of a
gpkg when it writes one and when it reads one (3.0.83: `tarfile`'s add and extract); of its older form (xpak) it has tar
do both, with attributes. So that form is what goes between Portage and here.
"""

import hashlib
import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from typing import IO

import pack


# In the header of a gpkg's image where its files have extended attributes (pax: "VENDOR.keyword").
ATTRIBUTES = "STRATA.attributes"


def _extract(stream: IO[bytes], size: int, target: str) -> None:
    """Extracts a tar that zstd compressed, of so many bytes, into a folder."""
    command = ["tar", "--extract", "--zstd", "--preserve-permissions", "--numeric-owner", "--same-owner"]
    command += ["--xattrs", "--xattrs-include=*", "--directory", target]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as reader:
        assert reader.stdin is not None
        while size > 0 and (data := stream.read(min(size, 1 << 20))):
            reader.stdin.write(data)
            size -= len(data)
    if reader.returncode != 0:
        raise SystemExit(f"a binary package cannot be unpacked: tar ended with status {reader.returncode}")


def unpack_xpak(path: str, target: str) -> None:
    """Unpacks what Portage built into `image/` and `metadata/` of a folder."""
    from portage.xpak import tbz2

    package = tbz2(path)
    package.scan()
    os.makedirs(f"{target}/image")
    with open(path, "rb") as file:
        _extract(file, os.path.getsize(path) - package.xpaksize, f"{target}/image")
    os.makedirs(f"{target}/metadata")
    package.unpackinfo(f"{target}/metadata")


def has_attributes(path: str) -> bool:
    """Whether files of a gpkg have extended attributes."""
    with tarfile.open(path) as container:
        return any(ATTRIBUTES in member.pax_headers for member in container)


def write_xpak(gpkg: str, path: str, scratch: str) -> None:
    """Writes a gpkg in the form that Portage merges with extended attributes."""
    from portage.xpak import tbz2

    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        with tarfile.open(gpkg) as container:
            for member in container:
                if os.path.basename(member.name).startswith(("image.tar", "metadata.tar")):
                    content = container.extractfile(member)
                    assert content is not None
                    _extract(content, member.size, folder)
        entries = pack.tree_entries(f"{folder}/image", None)
        with open(path, "wb") as file:
            pack.write_tar((pack.Entry(f"./{entry.path}", entry.source) for entry in entries), file)
        tbz2(path).recompose(f"{folder}/metadata")


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
    """Writes a gpkg of `image/` and `metadata/` in a folder, files with their extended attributes.

    :param base_name: name and version of the package: the folder that all members of a gpkg are in
    """
    parts = []
    for name in ("metadata", "image"):
        part = f"{scratch}/{name}.tar.zst"
        _compressed(_entries(folder, name), part)
        parts.append(part)
    sources = (entry.source for entry in pack.tree_entries(f"{folder}/image", None))
    marked = any(pack.pax_headers(source) for source in sources if source is not None)
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
                info = _member(f"{base_name}/{name}", size)
                if marked and name.startswith("image.tar"):
                    info.pax_headers = {ATTRIBUTES: "yes"}
                container.addfile(info, file)
        text = "".join(manifest).encode()
        container.addfile(_member(f"{base_name}/Manifest", len(text)), io.BytesIO(text))
    for part in (version, *parts):
        os.unlink(part)


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, pack.EPOCH, 0o644
    return info
