"""Enters a user namespace with 65,536 ids and, in it, becomes bubblewrap by exec, or runs another command.

Usage: launch.py SPEC.json PARENT_PID

The chain from the caller to bubblewrap is unbroken: no process in between could outlive a SIGKILL of the caller.
Runs with the machine's own Python, 3.9 or newer.
"""

import contextlib
import errno
import json
import os
import resource
import select
import shutil
import signal
import stat
import sys
from typing import NoReturn

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from calls import watch_calls  # noqa: E402
from machine import (  # noqa: E402
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    EXIT_MACHINE,
    MS_REC_PRIVATE,
    PR_SET_PDEATHSIG,
    REPORT_FD,
    check,
    fail,
    libc,
    mount,
)
from namespace import die_with_parent, enter_user_namespace, explain_no_namespace  # noqa: E402
from network import bring_up_loopback, watch_names  # noqa: E402
from overlay import keeps_attributes, mount_part_of_tree, overlay  # noqa: E402

# what programs expect, and less than the hard limit of any machine
OPEN_FILES = 16384
STACK_SIZE = 8 << 20


def mount_toolchain(spec: dict, mounts: str) -> None:
    changes = mounts
    if not keeps_attributes(f"{mounts}/empty"):
        changes = os.path.join(os.path.dirname(mounts), "toolchain")
        os.mkdir(changes, 0o755)
    for name in ("root-upper", "root-work"):
        os.mkdir(f"{changes}/{name}", 0o755)
    overlay(spec["toolchain"], f"{changes}/root-upper", f"{changes}/root-work", f"{mounts}/root")
    for name, text in spec["etc"].items():
        if name not in ("passwd", "group") or not os.path.lexists(f"{mounts}/root/etc/{name}"):
            write_etc(f"{mounts}/root/etc", name, text)


def write_etc(folder: str, name: str, text: str) -> None:
    """Writes a file below /etc of the toolchain, without following a link out of it."""
    if not os.path.lexists(folder):
        os.mkdir(folder, 0o755)
    if not stat.S_ISDIR(os.lstat(folder).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, f"/etc of the toolchain is no folder: {folder}")
    path = f"{folder}/{name}"
    if os.path.lexists(path):
        os.unlink(path)
    with open(path, "x", encoding="utf-8") as file:
        file.write(text)


def mount_rootfs(rootfs: dict, mounts: str) -> None:
    if not keeps_attributes(rootfs["upper"]):
        fail(
            f"the file system of {rootfs['upper']} keeps no extended attributes",
            "set STRATA_STORE to a folder on another file system (ext4, xfs, btrfs)",
        )
    overlay(rootfs["lower"] or [f"{mounts}/empty"], rootfs["upper"], rootfs["work"], f"{mounts}/rootfs")


def leave_nothing_of_the_caller() -> None:
    """Limits, signals, modes and open files of the calling process may not reach what is built."""
    os.umask(0o022)
    libc.personality(0)
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2:
            with contextlib.suppress(OSError):  # the one that lists them is closed again
                os.set_inheritable(descriptor, False)
    # Python ignores these, and what is ignored stays ignored in all that is executed
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        limit(kind, None, None)
    limit(resource.RLIMIT_CORE, 0, 0)
    limit(resource.RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES)
    limit(resource.RLIMIT_STACK, STACK_SIZE, None)


def limit(kind: int, soft: "int | None", hard: "int | None") -> None:
    """Sets a limit of the process, as far as its own hard limit allows; None is as much as that."""
    _, most = resource.getrlimit(kind)

    def allowed(wanted: "int | None") -> int:
        if wanted is None or most != resource.RLIM_INFINITY and wanted > most:
            return most
        return wanted

    resource.setrlimit(kind, (allowed(soft), allowed(hard)))


def run_tool(argv: "list[str]") -> NoReturn:
    """Runs a tool of the machine as the first process of its own process namespace: none below can outlive it."""
    alive, ours = os.pipe()
    check(libc.unshare(CLONE_NEWPID), "unshare")
    child = os.fork()
    if child == 0:
        os.close(ours)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if select.select([alive], [], [], 0)[0]:
            os._exit(EXIT_MACHINE)
        os.set_inheritable(REPORT_FD, True)
        try:
            os.execvp(argv[0], argv)
        except FileNotFoundError:
            fail(f"{argv[0]} is missing on this machine", f"install the Debian package {argv[0]}")
    _, status = os.waitpid(child, 0)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def become_sandbox(spec: dict) -> NoReturn:
    mounts = spec["mounts"]
    mount("tmpfs", mounts, "tmpfs", 0, "mode=755")
    for name in ("empty", "root", "rootfs"):
        os.mkdir(f"{mounts}/{name}", 0o755)
    os.chdir(spec["trees"])
    mount_toolchain(spec, mounts)
    if "rootfs" in spec:
        mount_rootfs(spec["rootfs"], mounts)
    for part in spec["parts"]:
        mount_part_of_tree(part["folder"], part["hidden"], f"{mounts}/{part['name']}")
    os.chdir("/")
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        fail("bwrap is missing on this machine", "install the Debian package bubblewrap")
    arguments = os.memfd_create("bwrap-arguments", 0)
    os.set_inheritable(arguments, True)
    with open(arguments, "wb", closefd=False) as file:
        file.write(b"".join(os.fsencode(word) + b"\0" for word in spec["bwrap"]))
    os.lseek(arguments, 0, os.SEEK_SET)
    if spec["ownNetwork"]:
        bring_up_loopback()
        watch_names(spec["refusedNames"])
    if "missedPaths" in spec:
        watch_calls(spec["missedPaths"])
    os.execve(bwrap, ["bwrap", "--args", str(arguments), "--", *spec["argv"]], {})


def main() -> None:
    parent = int(sys.argv[2])
    die_with_parent(parent)
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    leave_nothing_of_the_caller()
    own_network = CLONE_NEWNET if spec.get("ownNetwork") else 0
    enter_user_namespace(CLONE_NEWNS | own_network, parent, spec["keepGroups"])
    try:
        mount("none", "/", "none", MS_REC_PRIVATE, "")
    except PermissionError as error:
        # AppArmor lets a user make a namespace, and takes away what it is good for
        explain_no_namespace(error.errno)
    if "mounts" not in spec:
        run_tool(spec["argv"])
    try:
        become_sandbox(spec)
    except OSError as error:
        hint = "free some space there" if error.errno == errno.ENOSPC else "see whether the store is on a local file system"
        fail(f"the sandbox cannot be set up: {error}", hint)


main()
