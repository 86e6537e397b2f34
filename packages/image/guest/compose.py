"""Adds trees and scripts to a layer, takes out what it excludes, and packs what changed as a delta. Runs in a toolchain."""

import contextlib
import heapq
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import IO, NoReturn

sys.path.insert(0, "/strata/in/bin")

import pack  # noqa: E402
from rootpath import TooManyLinks, inside  # noqa: E402

ROOT = "/strata/root"
UPPER = "/strata/upper"
LAST_LINES = 12
# what a script has left running may hold its output open
SECONDS_FOR_OUTPUT = 3

LookUp = Callable[[str | int], int]


def fail(message: str, hint: str, details: list[str] | None = None) -> NoReturn:
    print("::strata-error:: " + json.dumps({"message": message, "hint": hint, "details": details or []}), flush=True)
    sys.exit(1)


def progress(**values: object) -> None:
    print("::strata:: " + json.dumps(values), flush=True)


def located(path: str, follow_last: bool = True) -> str:
    try:
        return inside(ROOT, path, follow_last)
    except TooManyLinks:
        fail(f"{path} has too many symlinks", "see the symlinks of the parent layers")


def ids(file: str, kind: str) -> LookUp:
    """The numbers of the names in passwd(5) or group(5) of the layer."""
    known: dict[str, int] = {}
    try:
        with open(located(f"/etc/{file}"), encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                fields = line.split(":")
                if len(fields) > 2 and fields[2].isdigit():
                    known.setdefault(fields[0], int(fields[2]))
    except (FileNotFoundError, NotADirectoryError):
        pass

    def look_up(name: str | int) -> int:
        if isinstance(name, int):
            return name
        if name not in known:
            fail(f"the layer has no {kind} {name} in its /etc/{file}", f"add it to /etc/{file} first, or give its number")
        return known[name]

    return look_up


def rule_for(relative: str, tree: dict) -> dict:
    """What the tree's rules say of a path; the last one that matches wins, field by field."""
    chosen: dict = {}
    for rule in tree.get("rules", []):
        if re.fullmatch(pack.glob_pattern(rule["match"]), relative, re.DOTALL):
            chosen |= {name: rule[name] for name in ("user", "group", "mode") if name in rule}
    return chosen


class Tree:
    """A tree on its way into the layer."""

    def __init__(self, index: int, tree: dict) -> None:
        self.source = f"/strata/in/trees/{index}"
        self.tree = tree
        self.given: list[tuple[str, dict]] = []

    def add(self) -> None:
        self.add_directory(self.tree["target"], {})
        for entry in self.tree["entries"]:
            path = f"{self.tree['target'].rstrip('/')}/{entry['path']}"
            rule = rule_for(entry["path"], self.tree)
            if entry["type"] == "directory":
                self.add_directory(path, rule)
            else:
                self.add_file(path, entry, rule)
        self.give()

    def add_directory(self, path: str, rule: dict) -> None:
        """A folder that the layer has keeps what no rule changes."""
        here = located(path)
        if os.path.isdir(here):
            self.given.append((here, rule))
            return
        if os.path.lexists(here):
            fail(f"{path} is no folder in the layer below, and one in the tree", "give one of the two another name")
        try:
            os.makedirs(here)
        except NotADirectoryError:
            fail(f"{path} lies below what is no folder in the layer below", "give the tree another target")
        mode = self.tree.get("directoryMode", "0755")
        self.given.append((here, {"user": 0, "group": 0, **self.owner(), "mode": mode, **rule}))

    def add_file(self, path: str, entry: dict, rule: dict) -> None:
        here = located(path, follow_last=False)
        if os.path.isdir(here) and not os.path.islink(here):
            fail(f"{path} is a folder in the layer below, and none in the tree", "give one of the two another name")
        if os.path.lexists(here):
            os.unlink(here)
        fields = {"user": 0, "group": 0, **self.owner()}
        if entry["type"] == "symlink":
            os.symlink(entry["target"], here)
        else:
            shutil.copyfile(f"{self.source}/{entry['path']}", here)
            fields["mode"] = self.tree.get("mode", "0755" if entry["executable"] else "0644")
        self.given.append((here, {**fields, **rule}))

    def owner(self) -> dict:
        return {name: self.tree[name] for name in ("user", "group") if name in self.tree}

    def give(self) -> None:
        """Gives owners and modes in the end: the tree itself may bring the users that its rules name."""
        user_id, group_id = ids("passwd", "user"), ids("group", "group")
        for here, fields in self.given:
            user = user_id(fields["user"]) if "user" in fields else -1
            group = group_id(fields["group"]) if "group" in fields else -1
            if (user, group) != (-1, -1):
                status = os.lstat(here)
                os.chown(here, user, group, follow_symlinks=False)
                if not stat.S_ISLNK(status.st_mode) and "mode" not in fields:
                    # chown(2) takes set-uid bits away
                    os.chmod(here, stat.S_IMODE(status.st_mode))
            if "mode" in fields and not os.path.islink(here):
                os.chmod(here, int(fields["mode"], 8))


def add_trees(trees: list[dict]) -> None:
    for index, tree in enumerate(trees):
        progress(phase="tree", subject=tree["target"], done=index, total=len(trees), unit="steps")
        Tree(index, tree).add()


def pass_on(output: IO[str], last: deque[str]) -> None:
    for line in output:
        print(line, end="" if line.endswith("\n") else "\n", flush=True)
        last.append(line.rstrip("\n"))


def run(name: str, command: list[str], environment: dict[str, str]) -> None:
    last: deque[str] = deque(maxlen=LAST_LINES)
    # without `with`: closing a pipe that the thread below still reads from waits for ever
    script = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert script.stdout is not None
    reader = threading.Thread(target=pass_on, args=(script.stdout, last), daemon=True)
    reader.start()
    status = script.wait()
    reader.join(SECONDS_FOR_OUTPUT)
    if reader.is_alive():
        fail(f"the script {name} left a process running", "let the script end what it starts", list(last))
    if status != 0:
        outcome = f"with status {status}" if status > 0 else f"by signal {-status}"
        fail(f"the script {name} ended {outcome}", "mend the script", list(last))


def run_in_toolchain(name: str, path: str) -> None:
    # a shell, since it also runs what has no `#!` line
    command = ["sh", "-c", 'exec "$0"', path] if os.access(path, os.X_OK) else ["sh", path]
    run(name, command, {**os.environ, "ROOT": ROOT})


def run_in_layer(name: str, path: str) -> None:
    mounts = {"/proc": located("/proc"), "/dev": located("/dev")}
    made = [target for target in mounts.values() if not os.path.isdir(target)]
    for target in made:
        os.makedirs(target)
    inner = f"{ROOT}/.strata-script"
    shutil.copyfile(path, inner)
    os.chmod(inner, 0o755)
    script = 'root=$1; shift; while [ $# -gt 0 ]; do mount --rbind "$1" "$2"; shift 2; done; exec chroot "$root" /.strata-script'
    words = [word for mount in mounts.items() for word in mount]
    command = ["unshare", "--mount", "sh", "-ec", script, "sh", ROOT, *words]
    run(name, command, {**os.environ, "ROOT": "/"})
    with contextlib.suppress(FileNotFoundError):  # a script may delete itself
        os.unlink(inner)
    for target in made:
        os.rmdir(target)


def run_scripts(scripts: list[dict]) -> None:
    for index, script in enumerate(scripts):
        name = script["name"]
        progress(phase="script", subject=name, done=index, total=len(scripts), unit="steps")
        (run_in_layer if script["chroot"] else run_in_toolchain)(name, f"/strata/in/scripts/{index}/{name}")


def exclude(globs: list[str]) -> None:
    pattern = pack.matcher(globs)
    if pattern is None:
        return
    for current, folders, names in os.walk(ROOT):
        prefix = "" if current == ROOT else current.removeprefix(f"{ROOT}/") + "/"
        for name in [*folders, *names]:
            if pattern.fullmatch(f"{prefix}{name}") is None:
                continue
            path = os.path.join(current, name)
            if name in folders:
                folders.remove(name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)


class Devices:
    """The device nodes of a layer, and what it does to those of its parents, which no overlay shows."""

    def __init__(self, spec: dict) -> None:
        self.excluded = pack.matcher(spec["exclude"])
        self.own = [self.placed(device) for device in spec["devices"]]
        own = {device["path"] for device in self.own}
        self.parents = [device["path"] for device in spec["parentDevices"] if device["path"] not in own]

    def placed(self, device: dict) -> dict:
        """The device where its path leads: a tar cannot have anything below a symlink."""
        here = located(device["path"], follow_last=False)
        try:
            os.makedirs(os.path.dirname(here), exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            fail(f"{device['path']} under `devices:` lies below what is no folder", "give the device another path")
        return {**device, "path": here.removeprefix(ROOT)}

    def gone(self) -> list[str]:
        return [path for path in self.parents if self.is_excluded(path) or self.is_replaced(path)]

    def is_excluded(self, path: str) -> bool:
        return self.excluded is not None and self.excluded.fullmatch(path.lstrip("/")) is not None

    def is_replaced(self, path: str) -> bool:
        """Whether something else lies there now, or the folder of the parent layer is not there any more."""
        here = located(path, follow_last=False)
        folder = os.path.dirname(here)
        if not os.path.isdir(folder) or os.path.lexists(in_upper(here)):
            return True
        while folder != ROOT:
            if os.path.isdir(in_upper(folder)) and pack.is_opaque(in_upper(folder)):
                return True
            folder = os.path.dirname(folder)
        return False

    def whiteouts(self) -> list[pack.Entry]:
        """Deletions for who reads the tar: what is only excluded has left no trace in the overlay."""
        paths = [path for path in self.parents if self.is_excluded(path) and not self.is_replaced(path)]
        marks = [f"{os.path.dirname(path)}/{pack.WHITEOUT}{os.path.basename(path)}" for path in paths]
        return sorted((pack.Entry(mark.lstrip("/"), None) for mark in marks), key=pack.in_order)


def in_upper(here: str) -> str:
    return UPPER + here.removeprefix(ROOT)


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    os.umask(0o022)
    add_trees(spec["trees"])
    run_scripts(spec["scripts"])
    exclude(spec["exclude"])
    devices = Devices(spec)
    progress(phase="pack")
    entries = heapq.merge(pack.delta_entries(UPPER), devices.whiteouts(), key=pack.in_order)
    gone = devices.gone()
    notes = {"dev.strata.devices-gone": json.dumps(gone, separators=(",", ":"))} if gone else {}
    pack.pack_layer(entries, "layer.tar.zst", devices.own, notes)


main()
