"""Packs the merged layers as a squashfs, and reports what takes how much room in it. Runs in a toolchain."""

import contextlib
import fcntl
import json
import os
import stat
import subprocess
import sys
import tarfile
import threading
from typing import IO, NoReturn

sys.path.insert(0, "/strata/in/bin")

import pack  # noqa: E402

ROOT = "/strata/root"
OUTPUT = "/strata/out/root.squashfs"
NAMES = "/strata/tmp/names"
LARGEST = 20


def fail(message: str, hint: str, details: list[str] | None = None) -> NoReturn:
    print("::strata-error:: " + json.dumps({"message": message, "hint": hint, "details": details or []}), flush=True)
    sys.exit(1)


def squashfs_command(compression: dict, output: str) -> list[str]:
    extra = ",".join(compression["extra"])
    return [
        "tar2sqfs",
        "--quiet",
        "--no-skip",
        "--force",
        *["--compressor", compression["algorithm"]],
        *(["--comp-extra", extra] if extra else []),
        *["--block-size", compression["blockSize"]],
        *["--num-jobs", str(os.cpu_count() or 1)],
        *["--defaults", f"mtime={pack.EPOCH}"],
        output,
    ]


def tar_command() -> list[str]:
    return [
        "tar",
        "--create",
        *["--directory", ROOT],
        "--null",
        "--no-recursion",
        # a name may begin with a dash
        "--verbatim-files-from",
        *["--files-from", NAMES],
        "--format=posix",
        "--pax-option=delete=atime,delete=ctime",
        f"--mtime=@{pack.EPOCH}",
        "--numeric-owner",
        "--xattrs",
        # what a machine's own kernel adds (labels of SELinux or IMA, properties of btrfs) is none of the layers' content
        "--xattrs-include=user.*",
        "--xattrs-include=security.capability",
        "--xattrs-exclude=user.overlay.*",
    ]


def write_devices(devices: list[dict], target: IO[bytes]) -> None:
    """The declared device nodes, as the beginning of an archive."""
    for device in sorted(devices, key=lambda device: os.fsencode(device["path"])):
        info = pack.tar_info(pack.Entry(device["path"].lstrip("/"), None, device), pack.HardLinks())
        target.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))


def write_names(entries: list[pack.Entry]) -> None:
    with open(NAMES, "wb") as names:
        names.write(b"".join(os.fsencode(entry.path) + b"\0" for entry in entries))


def write_squashfs(entries: list[pack.Entry], spec: dict, output: str = OUTPUT) -> None:
    """Python orders and chooses the files, and the toolchain's tar, several times as fast, reads them."""
    write_names(entries)
    try:
        process = subprocess.Popen(squashfs_command(spec["compression"], output), stdin=subprocess.PIPE)
    except FileNotFoundError:
        fail("tar2sqfs is missing in the toolchain", "add the Debian package squashfs-tools-ng to the toolchain's packages")
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # a user may have used up what the kernel grants
        fcntl.fcntl(process.stdin, fcntl.F_SETPIPE_SZ, pack.BUFFER)
    with contextlib.suppress(BrokenPipeError):  # tar2sqfs has said why it ended, and its status tells
        write_devices(spec["devices"], process.stdin)
        process.stdin.flush()
    # without end marks of its own, the beginning is one archive with what follows
    archive = subprocess.run(tar_command(), stdout=process.stdin, check=False)
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    if process.wait() != 0:
        sys.exit(f"squashfs: tar2sqfs failed with status {process.returncode}")
    if archive.returncode != 0:
        sys.exit(f"squashfs: tar failed with status {archive.returncode}")


def chosen_entries(spec: dict) -> list[pack.Entry]:
    named = {device["path"].lstrip("/") for device in spec["devices"]}
    entries = pack.tree_entries(ROOT, pack.matcher(spec["exclude"]))
    return [entry for entry in entries if entry.path not in named]


def chosen_devices(spec: dict) -> list[dict]:
    pattern = pack.matcher(spec["exclude"])
    return [
        device for device in spec["devices"] if pattern is None or pattern.fullmatch(device["path"].lstrip("/")) is None
    ]


class Links:
    """Where the folders of the root really are, as packages name files by other paths (/lib for /usr/lib)."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def real(self, path: str) -> str:
        folder, _, name = path.rpartition("/")
        if folder not in self.known:
            self.known[folder] = os.path.realpath(f"{ROOT}{folder}").removeprefix(ROOT)
        return f"{self.known[folder]}/{name}"


def sizes_of(entries: list[pack.Entry]) -> dict[str, int]:
    """Sizes of regular files in bytes; a file with several names counts once, under its first."""
    sizes: dict[str, int] = {}
    counted: set[tuple[int, int]] = set()
    for entry in entries:
        status = os.lstat(f"{ROOT}/{entry.path}")
        if not stat.S_ISREG(status.st_mode):
            continue
        identity = (status.st_dev, status.st_ino)
        sizes[f"/{entry.path}"] = 0 if status.st_nlink > 1 and identity in counted else status.st_size
        counted.add(identity)
    return sizes


def contents_of(package: str) -> list[str] | None:
    """The regular files of a package (PMS leaves the database to Portage: `obj PATH MD5 MTIME`); None of what is none."""
    try:
        with open(f"{package}/CONTENTS", encoding="utf-8", errors="surrogateescape") as file:
            return [line[4:].rsplit(" ", 2)[0] for line in file if line.startswith("obj ")]
    except (FileNotFoundError, NotADirectoryError):
        return None


def report(entries: list[pack.Entry]) -> dict:
    """Sizes in bytes, before compression."""
    sizes = sizes_of(entries)
    links = Links()
    packages: dict[str, int] = {}
    owned: set[str] = set()
    database = f"{ROOT}/var/db/pkg"
    for category in sorted(os.listdir(database)) if os.path.isdir(database) else []:
        for name in sorted(os.listdir(f"{database}/{category}")) if os.path.isdir(f"{database}/{category}") else []:
            contents = contents_of(f"{database}/{category}/{name}")
            if contents is not None:
                paths = {links.real(path) for path in contents}
                packages[f"{category}/{name}"] = sum(sizes.get(path, 0) for path in paths)
                owned |= paths
    largest = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:LARGEST]
    return {
        "files": len(sizes),
        "bytes": sum(sizes.values()),
        "packages": packages,
        "unowned": sum(size for path, size in sizes.items() if path not in owned),
        "largest": [{"path": path, "bytes": size} for path, size in largest],
    }


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    entries = chosen_entries(spec)
    print("::strata:: " + json.dumps({"phase": "squashfs", "total": len(entries), "unit": "files"}), flush=True)
    result: dict = {}
    reporting = threading.Thread(target=lambda: result.update(report(entries)))
    reporting.start()
    write_squashfs(entries, {**spec, "devices": chosen_devices(spec)})
    reporting.join()
    result["layers"] = spec["layers"]
    result["squashfs"] = os.path.getsize(OUTPUT)
    with open("/strata/out/report.json", "w", encoding="utf-8") as file:
        json.dump(result, file, sort_keys=True, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
