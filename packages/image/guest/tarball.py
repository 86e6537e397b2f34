"""Takes a tarball (a stage3, an ebuild repository) in as a layer. Runs in a toolchain.

Device nodes cannot be made in a user namespace: they are read from the archive and declared beside the layer.
"""

import json
import os
import subprocess
import sys
import tarfile

sys.path.insert(0, "/strata/in/bin")

import pack  # noqa: E402

TARBALL = "/strata/in/tarball"
TREE = "/strata/tmp/tree"
SKIPPED = "/strata/tmp/skipped"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def plain_tar() -> str:
    """The archive without a compression that Python's tarfile does not know."""
    with open(TARBALL, "rb") as file:
        if file.read(4) != ZSTD_MAGIC:
            return TARBALL
    subprocess.run(["zstd", "--quiet", "-d", TARBALL, "-o", "/strata/tmp/plain.tar"], check=True)
    return "/strata/tmp/plain.tar"


def devices_of(archive: str) -> tuple[list[dict], list[str]]:
    kinds = {tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block"}
    devices, names = [], []
    with tarfile.open(archive) as tar:
        for info in tar:
            if info.type in kinds:
                names.append(info.name)
                devices.append(
                    {
                        "path": "/" + os.path.normpath(info.name).lstrip("./"),
                        "type": kinds[info.type],
                        "major": info.devmajor,
                        "minor": info.devminor,
                        "mode": f"{info.mode:04o}",
                        "uid": info.uid,
                        "gid": info.gid,
                    }
                )
    return devices, names


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    print("::strata:: " + json.dumps({"phase": "unpack"}), flush=True)
    archive = plain_tar()
    devices, skipped = devices_of(archive)
    with open(SKIPPED, "w", encoding="utf-8") as file:
        file.write("".join(f"{name}\n" for name in skipped))
    os.makedirs(TREE)
    subprocess.run(
        [
            "tar",
            "--extract",
            *["--file", archive],
            *["--directory", TREE],
            "--numeric-owner",
            "--preserve-permissions",
            "--same-owner",
            "--xattrs",
            "--xattrs-include=*",
            "--anchored",
            "--no-wildcards",
            *["--exclude-from", SKIPPED],
        ],
        check=True,
    )
    root = TREE
    if spec["stripTop"]:
        entries = os.listdir(TREE)
        if len(entries) == 1 and os.path.isdir(f"{TREE}/{entries[0]}"):
            root = f"{TREE}/{entries[0]}"
    print("::strata:: " + json.dumps({"phase": "pack"}), flush=True)
    pack.pack_layer(pack.tree_entries(root, None), "layer.tar.zst", devices)


main()
