"""Enters a user namespace with 65,536 ids: the same view of owners for root and for an ordinary user."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
from typing import NoReturn

from machine import CLONE_NEWUSER, EXIT_MACHINE, PR_SET_PDEATHSIG, fail, libc

ID_COUNT = 65536


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
        f"{user} has {largest or 'no'} subordinate ids in {file}, and {ID_COUNT - 1} are needed",
        f"give them: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
    )


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def map_ids(pid: int) -> None:
    """Writes the id maps of a process that has just entered its namespace; called from outside of it.

    Inside, 0 is the user, who owns the files of the workspace; the other ids are the user's subordinate ones.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
                file.write(f"0 0 {ID_COUNT}")
        return
    user = user_name(uid)
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


def enter_user_namespace(flags: int, parent: int, keep_groups: bool) -> None:
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
    if not keep_groups:
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
            fail(f"the kernel forbids user namespaces ({name}={bad})", f"allow them: sudo sysctl -w {name}={good}")
    fail(f"the kernel refuses a user namespace: {os.strerror(number)}", "inside a container, allow user namespaces in it")
