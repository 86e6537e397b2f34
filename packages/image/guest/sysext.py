"""Makes a system or configuration extension of merged layers: checks them, adds what systemd reads, packs. Runs in a toolchain."""

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import NoReturn

sys.path.insert(0, "/strata/in/bin")

import pack  # noqa: E402
import squashfs  # noqa: E402
from rootpath import TooManyLinks, inside  # noqa: E402

ROOT = "/strata/root"
BASE = "/strata/in/base"
CONTENT = "/strata/in/content"
OUT = "/strata/out"
TAR = "/strata/tmp/extension.tar"
SHOWN = 10
# e_machine of the ELF header (System V ABI, and its supplements for processors)
MACHINES = {"x86-64": 62, "x86": 3, "arm64": 183, "arm": 40, "riscv64": 243}
# programs for the kernel's own machine, which is the same everywhere
BPF = 247
UNITS = {"sysext": "/usr/lib/systemd/system", "confext": "/etc/systemd/system"}
RELEASES = {"sysext": "/usr/lib/extension-release.d", "confext": "/etc/extension-release.d"}
# systemd-sysext(8)
PLACES = {"sysext": ("usr", "opt"), "confext": ("etc",)}


def fail(message: str, hint: str, details: list[str] | None = None) -> NoReturn:
    print("::strata-error:: " + json.dumps({"message": message, "hint": hint, "details": details or []}), flush=True)
    sys.exit(1)


def shown(paths: list[str]) -> list[str]:
    more = len(paths) - SHOWN
    return [*paths[:SHOWN], *([f"and {more} more"] if more > 0 else [])]


def is_folder(path: str) -> bool:
    return stat.S_ISDIR(os.lstat(f"{ROOT}/{path}").st_mode)


def in_place(path: str, places: tuple[str, ...]) -> bool:
    return path.partition("/")[0] in places


def check_places(spec: dict, paths: list[str]) -> list[str]:
    """Refuses what an extension cannot bring; gives back the paths that it does bring.

    A folder elsewhere whose content is excluded is left out with it; one that was empty before is content itself.
    """
    places = PLACES[spec["type"]]
    wrong = []
    for path in paths:
        # a symlink in the place of /usr itself would take the system's away
        if in_place(path, places) and ("/" in path or is_folder(path)):
            continue
        if not in_place(path, places) and is_folder(path) and os.listdir(f"{ROOT}/{path}"):
            continue
        wrong.append(f"/{path}")
    wrong += [device["path"] for device in spec["devices"]]
    if wrong:
        allowed = " and ".join(f"/{place}" for place in places)
        fail(
            f"the extension has content outside of {allowed}",
            "leave it out under `exclude:`, or do not put it there",
            shown(sorted(wrong)),
        )
    kept = [path for path in paths if in_place(path, places)]
    if not any(not is_folder(path) for path in kept):
        fail("the extension has no files", "see `from:` and `exclude:`, and whether all of it belongs to `base:`")
    return kept


def machine_of(path: str) -> int | None:
    """The machine of an ELF file; None of every other file."""
    with open(f"{ROOT}/{path}", "rb") as file:
        header = file.read(20)
    if len(header) < 20 or header[:4] != b"\x7fELF":
        return None
    return int.from_bytes(header[18:20], "little" if header[5] == 1 else "big")


def check_architecture(architecture: str, paths: list[str]) -> None:
    names = {number: name for name, number in MACHINES.items()}
    wanted = MACHINES.get(architecture)
    wrong = []
    for path in paths:
        if not stat.S_ISREG(os.lstat(f"{ROOT}/{path}").st_mode):
            continue
        machine = machine_of(path)
        if machine not in (None, BPF, wanted):
            wrong.append(f"/{path}: {names.get(machine, f'machine {machine}')}")
    if wrong:
        what = "for any architecture, and has programs for one" if wanted is None else f"for {architecture}, and has programs for others"
        fail(f"the extension is {what}", "see `architecture:`, or leave them out under `exclude:`", shown(wrong))


def layers_in(folder: str) -> list[str]:
    """The layers that are bound below a folder, from the lowest to the uppermost."""
    return [f"{folder}/{number}" for number in range(len(os.listdir(folder)) if os.path.isdir(folder) else 0)]


def in_base(path: str) -> int | None:
    """The type (S_IFMT) of what the base has at a path; None where it has nothing."""
    for layer in reversed(layers_in(BASE)):
        here = layer
        hides = False
        for part in path.split("/"):
            here = f"{here}/{part}"
            try:
                status = os.lstat(here)
            except (FileNotFoundError, NotADirectoryError):
                break
            if pack.is_whiteout(status):
                return None
            if not stat.S_ISDIR(status.st_mode):
                # what lies below something that is no folder is not there
                return stat.S_IFMT(status.st_mode) if here == f"{layer}/{path}" else stat.S_IFLNK
            hides = hides or pack.is_opaque(here)
        else:
            return stat.S_IFDIR
        if hides:
            return None
    return None


def below_in_base(folder: str) -> Iterator[str]:
    """The paths that the base has below a folder."""
    for layer in layers_in(BASE):
        for here, folders, files in os.walk(f"{layer}/{folder}"):
            for name in (*folders, *files):
                path = os.path.relpath(f"{here}/{name}", layer)
                if in_base(path) is not None:
                    yield path


def deleted_from_base() -> set[str]:
    """The paths of the base that a layer of the content takes away, by whiteouts or by folders that hide those below them."""
    deleted: set[str] = set()
    for layer in layers_in(CONTENT):
        for path in pack.walk(layer, None, is_delta=True):
            folder, name = os.path.split(path)
            if name == pack.OPAQUE:
                deleted.update(below_in_base(folder))
            elif name.startswith(pack.WHITEOUT):
                gone = os.path.join(folder, name.removeprefix(pack.WHITEOUT))
                deleted.update([gone] if in_base(gone) is not None else [], below_in_base(gone))
    # what a layer further up has put there instead is looked at by itself
    return {path for path in deleted if not os.path.lexists(f"{ROOT}/{path}")}


def check_deletions(exclude: re.Pattern[str] | None) -> None:
    """Refuses layers that delete what the base has: merged, it would be there again."""
    deleted = {path for path in deleted_from_base() if exclude is None or exclude.fullmatch(path) is None}
    topmost = sorted(f"/{path}" for path in deleted if os.path.dirname(path) not in deleted)
    if topmost:
        fail(
            "the layers delete what belongs to the base, and an extension cannot",
            "keep it in the layers, or name it under `exclude:` where it may stay",
            shown(topmost),
        )


def check_base(paths: list[str]) -> None:
    taken = []
    for path in paths:
        there = in_base(path)
        if there is not None and not (is_folder(path) and there == stat.S_IFDIR):
            taken.append(f"/{path}")
    if taken:
        fail("the extension has files that belong to its base", "leave them out under `exclude:`", shown(taken))


def add(path: str, text: str) -> None:
    """Adds a file, and the folders that it takes."""
    try:
        here = inside(ROOT, path)
    except TooManyLinks:
        fail(f"{path} has too many symlinks", "see the symlinks of the extension")
    if os.path.lexists(here):
        fail(f"the extension has a {path} already", "leave it out under `exclude:`: Strata writes it")
    os.makedirs(os.path.dirname(here), exist_ok=True)
    with open(here, "w", encoding="utf-8") as file:
        file.write(text)


def add_own(spec: dict) -> None:
    name, kind = spec["name"], spec["type"]
    release = "".join(f"{field}={value}\n" for field, value in spec["release"].items())
    add(f"{RELEASES[kind]}/extension-release.{name}", release)
    if spec["services"]:
        upheld = "".join(f"Upholds={service}\n" for service in spec["services"])
        add(f"{UNITS[kind]}/multi-user.target.d/10-{name}.conf", f"[Unit]\n{upheld}")


def missing_units(spec: dict) -> list[str]:
    """The units that neither the extension nor its base has. A confext may start what the OS has."""

    def is_there(unit: str) -> bool:
        name, at, rest = unit.partition("@")
        template = f"{name}@.{rest.rpartition('.')[2]}" if at else unit
        paths = [f"{UNITS['sysext']}/{file}" for file in (unit, template)]
        return any(os.path.lexists(inside(ROOT, path)) or in_base(path.lstrip("/")) is not None for path in paths)

    return [unit for unit in spec["services"] if spec["type"] == "sysext" and not is_there(unit)]


def run_tool(command: list[str], package: str) -> None:
    """Runs a tool of the toolchain's, which a Debian package has, to its end."""
    tool = command[0]
    try:
        result = subprocess.run(command, check=False)
    except FileNotFoundError:
        fail(f"{tool} is missing in the toolchain", f"add the Debian package {package} to the toolchain's packages")
    if result.returncode != 0:
        sys.exit(f"sysext: {tool} failed with status {result.returncode}")


def write_erofs(entries: list[pack.Entry], options: dict, output: str) -> None:
    squashfs.write_names(entries)
    with open(TAR, "wb") as archive:
        if subprocess.run(squashfs.tar_command(), stdout=archive, check=False).returncode != 0:
            sys.exit("sysext: tar failed")
    with open(TAR, "rb") as archive:
        content = hashlib.file_digest(archive, "sha256").digest()
    command = [
        "mkfs.erofs",
        "--quiet",
        f"-T{pack.EPOCH}",
        f"-U{uuid.UUID(bytes=content[:16], version=4)}",
        f"-z{options['compressor']}",
        f"-C{options['clusterSize']}",
        # the work is cut by their number, so it may not be that of this machine's cores
        "--workers=2",
        "--tar=f",
        output,
        TAR,
    ]
    run_tool(command, "erofs-utils")
    os.unlink(TAR)


def write_verity(name: str, data: str) -> None:
    """The hash tree and the root hash, as systemd looks for them beside the file (systemd.exec(5), RootVerity=)."""
    with open(data, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    root_hash = f"{OUT}/{name}.roothash"
    command = [
        "veritysetup",
        "format",
        f"--salt={digest.hex()}",
        f"--uuid={uuid.UUID(bytes=digest[:16], version=4)}",
        f"--root-hash-file={root_hash}",
        data,
        f"{OUT}/{name}.verity",
    ]
    run_tool(command, "cryptsetup-bin")


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    name = spec["name"]
    exclude = pack.matcher(spec["exclude"])
    check_deletions(exclude)
    paths = check_places(spec, [entry.path for entry in pack.tree_entries(ROOT, exclude)])
    check_architecture(spec["architecture"], paths)
    check_base(paths)
    missing = missing_units(spec)
    if missing:
        fail(f"the extension has no unit {missing[0]}", "correct `services:`, or put the unit into /usr/lib/systemd/system")
    add_own(spec)
    places = PLACES[spec["type"]]
    entries = [entry for entry in pack.tree_entries(ROOT, exclude) if in_place(entry.path, places)]
    print("::strata:: " + json.dumps({"phase": spec["format"], "total": len(entries), "unit": "files"}), flush=True)
    output = f"{OUT}/{name}.raw"
    if spec["format"] == "erofs":
        write_erofs(entries, spec["compression"], output)
    else:
        squashfs.write_squashfs(entries, {"compression": spec["compression"], "devices": []}, output)
    if spec["verity"]:
        write_verity(name, output)


main()
