"""Enters a user namespace with 65,536 ids and, in it, becomes bubblewrap (or another command) by exec.

Usage: launch.py SPEC.json PARENT_PID

The chain from the caller to bubblewrap is unbroken: no process in between could outlive a SIGKILL of the caller.
Runs with the machine's own Python, 3.9 or newer.
"""

import ctypes
import errno
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
from typing import NoReturn

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_REC_PRIVATE = 0x4000 | 0x40000
PR_SET_PDEATHSIG = 1
ID_COUNT = 65536
EXIT_MACHINE = 125

libc = ctypes.CDLL(None, use_errno=True)


def fail(message: str, hint: str) -> NoReturn:
    """Reports something that the user of this machine can mend, in the form that the caller looks for."""
    print("::strata-error:: " + json.dumps({"message": message, "hint": hint}), flush=True)
    os._exit(EXIT_MACHINE)


def check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    check(
        libc.mount(source.encode(), os.fsencode(target), kind.encode(), flags, os.fsencode(options)),
        f"mount {kind} on {target}",
    )


def die_with_parent(parent: int) -> None:
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(EXIT_MACHINE)


def subordinate(file: str, user: str, uid: int) -> "tuple[int, int]":
    """The first range of at least 65,535 ids that subuid(5) gives to a user."""
    largest = 0
    try:
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                fields = line.strip().split(":")
                if len(fields) == 3 and fields[0] in (user, str(uid)):
                    largest = max(largest, int(fields[2]))
                    if int(fields[2]) >= ID_COUNT - 1:
                        return int(fields[1]), int(fields[2])
    except FileNotFoundError:
        pass
    fail(
        f"{user} has {largest or 'no'} subordinate ids in {file}, and 65536 are needed",
        f"give them, as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
    )


def map_ids(pid: int) -> None:
    """Writes the id maps of a process that has just entered its namespace; called from outside of it."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
                file.write(f"0 0 {ID_COUNT}")
        return
    user = pwd.getpwuid(uid).pw_name
    for tool, file, own in (("newuidmap", "/etc/subuid", uid), ("newgidmap", "/etc/subgid", gid)):
        if shutil.which(tool) is None:
            fail(f"{tool} is missing on this machine", "install the Debian package uidmap")
        first, _ = subordinate(file, user, uid)
        done = subprocess.run(
            [tool, str(pid), "0", str(own), "1", "1", str(first), str(ID_COUNT - 1)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            fail(f"{tool} refused: {done.stderr.strip()}", f"see {file} and the Debian package uidmap")


def enter_user_namespace(flags: int, parent: int) -> None:
    ready_read, ready_write = os.pipe()
    this = os.getpid()
    helper = os.fork()
    if helper == 0:
        os.close(ready_write)
        if os.read(ready_read, 1) != b"r":
            os._exit(1)
        try:
            map_ids(this)
        except OSError as error:
            fail(f"the user namespace cannot have {ID_COUNT} ids: {error}", "run as a user who may map that many ids")
        os._exit(0)
    os.close(ready_read)
    if libc.unshare(CLONE_NEWUSER | flags) != 0:
        number = ctypes.get_errno()
        os.close(ready_write)
        os.waitpid(helper, 0)
        explain_no_namespace(number)
    os.write(ready_write, b"r")
    os.close(ready_write)
    _, status = os.waitpid(helper, 0)
    if status != 0:
        os._exit(EXIT_MACHINE)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    # changing ids clears the signal
    die_with_parent(parent)


def sysctl(name: str) -> str:
    try:
        with open("/proc/sys/" + name.replace(".", "/"), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def explain_no_namespace(number: int) -> NoReturn:
    for name, bad, good in (
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("user.max_user_namespaces", "0", "10000"),
    ):
        if sysctl(name) == bad:
            fail(f"the kernel forbids user namespaces ({name}={bad})", f"allow them, as root: sysctl -w {name}={good}")
    fail(f"the kernel refuses a user namespace: {os.strerror(number)}", "inside a container, allow user namespaces in it")


def overlay(lower: "list[str]", upper: str, work: str, target: str) -> None:
    # the top comes first; the folders are named relative to the current one, since all options share one page
    options = f"lowerdir={':'.join(reversed(lower))},upperdir={upper},workdir={work},userxattr"
    try:
        mount("overlay", target, "overlay", 0, options)
    except OSError as error:
        if error.errno == errno.EINVAL and not supports_upper(upper):
            fail(
                f"{upper} lies on a file system that cannot hold an overlay's changes (overlayfs itself, as in a container)",
                "set STRATA_STORE to a folder on a volume (ext4, xfs, btrfs, tmpfs)",
            )
        raise


def supports_upper(folder: str) -> bool:
    best, kind = "", ""
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        for line in lines:
            left, _, right = line.partition(" - ")
            point = left.split(" ")[4]
            if (folder == point or folder.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
                best, kind = point, right.split(" ")[0]
    return kind != "overlay"


def main() -> None:
    parent = int(sys.argv[2])
    die_with_parent(parent)
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    os.umask(0o022)
    enter_user_namespace(CLONE_NEWNS, parent)
    mount("none", "/", "none", MS_REC_PRIVATE, "")
    if "mounts" not in spec:
        os.execvp(spec["argv"][0], spec["argv"])
    mounts = spec["mounts"]
    mount("tmpfs", mounts, "tmpfs", 0, "mode=755")
    for name in ("empty", "root", "root-upper", "root-work", "rootfs"):
        os.mkdir(f"{mounts}/{name}", 0o755)
    os.chdir(spec["trees"])
    overlay(spec["toolchain"], f"{mounts}/root-upper", f"{mounts}/root-work", f"{mounts}/root")
    rootfs = spec.get("rootfs")
    if rootfs is not None:
        overlay(rootfs["lower"] or [f"{mounts}/empty"], rootfs["upper"], rootfs["work"], f"{mounts}/rootfs")
    os.chdir("/")
    arguments = os.memfd_create("bwrap-arguments", 0)
    os.write(arguments, b"\0".join(os.fsencode(word) for word in spec["bwrap"]) + b"\0")
    os.lseek(arguments, 0, os.SEEK_SET)
    os.set_inheritable(arguments, True)
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        fail("bwrap is missing on this machine", "install the Debian package bubblewrap")
    os.execve(bwrap, ["bwrap", "--args", str(arguments), "--", *spec["argv"]], {})


main()
