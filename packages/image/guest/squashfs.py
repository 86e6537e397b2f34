"""Packs the merged layers as a squashfs, and reports what takes how much room in it. Runs in a toolchain."""

import json
import os
import subprocess
import sys
import threading
from typing import NoReturn

sys.path.insert(0, "/strata/in/bin")

import pack  # noqa: E402

ROOT = "/strata/root"
OUTPUT = "/strata/out/root.squashfs"
LARGEST = 20


def fail(message: str, hint: str) -> NoReturn:
    print("::strata-error:: " + json.dumps({"message": message, "hint": hint}), flush=True)
    sys.exit(1)


def command(compression: dict) -> list[str]:
    options = {"level": compression.get("level")}
    extra = ",".join(f"{name}={value}" for name, value in options.items() if value is not None)
    return [
        "tar2sqfs",
        "--quiet",
        "--no-skip",
        "--force",
        *["--compressor", compression["algorithm"]],
        *(["--comp-extra", extra] if extra else []),
        *["--block-size", compression.get("blockSize", "128K")],
        *["--num-jobs", str(os.cpu_count() or 1)],
        *["--defaults", f"mtime={pack.EPOCH}"],
        OUTPUT,
    ]


def report(entries: list[pack.Entry]) -> dict:
    """Sizes in bytes, before compression."""
    sizes = {}
    for entry in entries:
        if entry.source is not None and os.path.isfile(entry.source) and not os.path.islink(entry.source):
            sizes[f"/{entry.path}"] = os.lstat(entry.source).st_size
    packages = {}
    database = f"{ROOT}/var/db/pkg"
    owned = set()
    for category in sorted(os.listdir(database)) if os.path.isdir(database) else []:
        for name in sorted(os.listdir(f"{database}/{category}")):
            total = 0
            try:
                with open(f"{database}/{category}/{name}/CONTENTS", encoding="utf-8", errors="surrogateescape") as file:
                    for line in file:
                        if line.startswith("obj "):
                            path = line.split(" ", 1)[1].rsplit(" ", 2)[0]
                            path = os.path.realpath(f"{ROOT}{os.path.dirname(path)}").removeprefix(ROOT) + "/" + os.path.basename(path)
                            total += sizes.get(path, 0)
                            owned.add(path)
            except FileNotFoundError:
                continue
            packages[f"{category}/{name}"] = total
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
    entries = list(pack.tree_entries(ROOT, pack.matcher(spec["exclude"])))
    print("::strata:: " + json.dumps({"phase": "squashfs", "total": len(entries), "unit": "files"}), flush=True)
    try:
        process = subprocess.Popen(command(spec["compression"]), stdin=subprocess.PIPE)
    except FileNotFoundError:
        fail("tar2sqfs is missing in the toolchain", "add the Debian package squashfs-tools-ng to the toolchain's packages")
    assert process.stdin is not None
    result: dict = {}
    reporting = threading.Thread(target=lambda: result.update(report(entries)))
    reporting.start()
    pack.write_tar(pack.with_devices(entries, spec["devices"]), process.stdin)
    process.stdin.close()
    if process.wait() != 0:
        sys.exit("squashfs: tar2sqfs failed")
    reporting.join()
    result["layers"] = spec["layers"]
    result["squashfs"] = os.path.getsize(OUTPUT)
    with open("/strata/out/report.json", "w", encoding="utf-8") as file:
        json.dump(result, file, sort_keys=True, indent=1)
        file.write("\n")


main()
