"""Adds trees and scripts to a layer, takes out what it excludes, and packs what changed as a delta. Runs in a toolchain."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from typing import NoReturn

sys.path.insert(0, "/strata/in/bin")

import pack  # noqa: E402

ROOT = "/strata/root"


def fail(message: str, hint: str, details: list[str] | None = None) -> NoReturn:
    print("::strata-error:: " + json.dumps({"message": message, "hint": hint, "details": details or []}), flush=True)
    sys.exit(1)


def progress(**values: object) -> None:
    print("::strata:: " + json.dumps(values), flush=True)


def inside(path: str) -> str:
    """Where a path of the layer lies here: symlinks are followed as they would be with the layer as root."""
    current = ""
    rest = [part for part in path.split("/") if part]
    links = 0
    while rest:
        part = rest.pop(0)
        if part == "..":
            current = current.rpartition("/")[0]
            continue
        if part == ".":
            continue
        here = f"{ROOT}{current}/{part}"
        # the last part is where something goes: a symlink to a folder is followed, one to a file is replaced
        if os.path.islink(here) and (rest or os.path.isdir(inside_target(current, os.readlink(here)))):
            links += 1
            if links > 40:
                fail(f"{path} has too many symlinks", "see the symlinks of the parent layers")
            target = os.readlink(here)
            if target.startswith("/"):
                current = ""
            rest = [piece for piece in target.split("/") if piece] + rest
            continue
        current = f"{current}/{part}"
    return f"{ROOT}{current}"


def inside_target(folder: str, target: str) -> str:
    base = "/" if target.startswith("/") else f"{folder}/"
    return f"{ROOT}{os.path.normpath(base + target)}"


def ids(file: str, kind: str) -> "callable[[str | int], int]":
    known: dict[str, int] = {}
    try:
        with open(f"{ROOT}/etc/{file}", encoding="utf-8") as lines:
            for line in lines:
                fields = line.split(":")
                if len(fields) > 2 and fields[2].isdigit():
                    known[fields[0]] = int(fields[2])
    except FileNotFoundError:
        pass

    def look_up(name: str | int) -> int:
        if isinstance(name, int):
            return name
        if name not in known:
            fail(f"the layer has no {kind} {name}", f"add it to the layer's /etc/{file} first, or give its number")
        return known[name]

    return look_up


def rules_for(relative: str, tree: dict) -> dict:
    chosen = {name: tree[name] for name in ("user", "group", "mode") if name in tree}
    for rule in tree.get("rules", []):
        if re.fullmatch(pack.glob_pattern(rule["match"]), relative):
            chosen = {**chosen, **{name: rule[name] for name in ("user", "group", "mode") if name in rule}, "rule": True}
    return chosen


def add_tree(index: int, tree: dict, user_id: "callable", group_id: "callable") -> None:
    source = f"/strata/in/trees/{index}"
    for entry in tree["entries"]:
        relative = entry["path"]
        chosen = rules_for(relative, tree)
        target = inside(f"{tree['target']}/{relative}")
        new = not os.path.lexists(target)
        if entry["type"] == "directory":
            mode = chosen.get("mode") if chosen.get("rule") else tree.get("directoryMode")
            if not new and os.path.isdir(target) and not chosen.get("rule"):
                continue
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if not new:
                if os.path.isdir(target) and not os.path.islink(target):
                    fail(f"{tree['target']}/{relative} is a folder in the layer below", "give the file another name")
                os.unlink(target)
            mode = chosen.get("mode")
            if entry["type"] == "symlink":
                os.symlink(entry["target"], target)
            else:
                shutil.copyfile(f"{source}/{relative}", target)
        owner = user_id(chosen.get("user", 0)), group_id(chosen.get("group", 0))
        os.chown(target, *owner, follow_symlinks=False)
        if entry["type"] != "symlink":
            default = 0o755 if entry["type"] == "directory" or entry.get("executable") else 0o644
            os.chmod(target, int(mode, 8) if mode else default)


def add_trees(trees: list[dict]) -> None:
    for index, tree in enumerate(trees):
        progress(phase="tree", subject=tree["target"], done=index, total=len(trees), unit="steps")
        os.makedirs(inside(tree["target"]), exist_ok=True)
        # a tree may bring the users that the next one names
        add_tree(index, tree, ids("passwd", "user"), ids("group", "group"))


def run_script(name: str, chroot: bool) -> None:
    progress(phase="script", subject=name)
    path = f"/strata/in/scripts/{name}"
    environment = {**os.environ, "ROOT": ROOT}
    if not chroot:
        command = ["sh", "-c", 'exec "$0"', path] if os.access(path, os.X_OK) else ["sh", path]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False)
    else:
        inner = ".strata-script"
        shutil.copyfile(path, f"{ROOT}/{inner}")
        os.chmod(f"{ROOT}/{inner}", 0o755)
        environment["ROOT"] = "/"
        mounts = [("/proc", f"{ROOT}/proc"), ("/dev", f"{ROOT}/dev")]
        made = [target for _, target in mounts if not os.path.isdir(target)]
        for target in made:
            os.makedirs(target)
        lines = [f"mount --rbind {source} {target}" for source, target in mounts]
        script = " && ".join([*lines, f"exec chroot {ROOT} /{inner}"])
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", script], env=environment, stdin=subprocess.DEVNULL, check=False
        )
        os.unlink(f"{ROOT}/{inner}")
        for target in made:
            os.rmdir(target)
    if done.returncode != 0:
        fail(f"the script {name} failed with status {done.returncode}", "see its words in the log")


def exclude(globs: list[str]) -> None:
    pattern = pack.matcher(globs)
    if pattern is None:
        return
    for current, folders, names in os.walk(ROOT, topdown=True):
        prefix = os.path.relpath(current, ROOT)
        for name in [*folders, *names]:
            relative = name if prefix == "." else f"{prefix}/{name}"
            if pattern.fullmatch(relative):
                path = os.path.join(current, name)
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                    folders.remove(name)
                else:
                    os.unlink(path)
                    if name in folders:
                        folders.remove(name)


def refuse_devices() -> None:
    for current, _, names in os.walk("/strata/upper"):
        for name in names:
            status = os.lstat(os.path.join(current, name))
            if stat.S_ISBLK(status.st_mode) or (stat.S_ISCHR(status.st_mode) and status.st_rdev != 0):
                fail(f"{current}/{name} is a device node", "declare it under `devices:`")


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    os.umask(0o022)
    add_trees(spec["trees"])
    for script in spec["scripts"]:
        run_script(script["name"], script["chroot"])
    exclude(spec["exclude"])
    refuse_devices()
    progress(phase="pack")
    pack.pack_layer(pack.delta_entries("/strata/upper"), "layer.tar.zst", spec["devices"])


main()
