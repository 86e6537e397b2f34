"""Sees the paths that a sandbox looks up in vain, by its system calls (seccomp_unotify(2)).

Each such call waits for this process, some 60 microseconds: it is for a second look at an action that has failed, never for one
that makes something.
"""

import array  # noqa: F401  (socket.send_fds imports it, which would wait for ever once calls are watched)
import ctypes
import fcntl
import json
import os
import platform
import select
import signal
import socket
import struct

from machine import PR_SET_PDEATHSIG, REPORT_FD, libc

# linux/audit.h; number of seccomp itself; calls whose first argument is a path, and those with a folder before it
MACHINES = {
    # open, stat, lstat, access, execve, chdir, readlink; openat, newfstatat, readlinkat, faccessat, statx, openat2, faccessat2
    "x86_64": (0xC000003E, 317, (2, 4, 6, 21, 59, 80, 89), (257, 262, 267, 269, 332, 437, 439)),
    # execve, chdir; openat, readlinkat, faccessat, newfstatat, statx, openat2, faccessat2
    "aarch64": (0xC00000B7, 277, (221, 49), (56, 78, 48, 79, 291, 437, 439)),
}

# linux/seccomp.h, linux/bpf_common.h
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_USER_NOTIF = 0x7FC00000
SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1
SECCOMP_IOCTL_NOTIF_RECV = 0xC0502100
SECCOMP_IOCTL_NOTIF_SEND = 0xC0182101
NOTIFICATION_SIZE = 80
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER_OFFSET, ARCHITECTURE_OFFSET = 0, 4

AT_FDCWD = -100
LONGEST_PATH = 4096
MOST_PATHS = 5000


def program(architecture: int, calls: "tuple[int, ...]") -> bytes:
    def statement(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("HBBI", code, if_true, if_false, value)

    count = len(calls)
    # programs of another architecture, such as 32-bit ones, have other numbers: they are let through
    lines = [
        statement(LOAD_WORD, ARCHITECTURE_OFFSET),
        statement(JUMP_IF_EQUAL, architecture, 0, count + 1),
        statement(LOAD_WORD, NUMBER_OFFSET),
        *(statement(JUMP_IF_EQUAL, call, count - index, 0) for index, call in enumerate(calls)),
        statement(RETURN, SECCOMP_RET_ALLOW),
        statement(RETURN, SECCOMP_RET_USER_NOTIF),
    ]
    return b"".join(lines)


def is_missing(pid: int, path: str) -> bool:
    place = f"/proc/{pid}/root{path}" if path.startswith("/") else f"/proc/{pid}/cwd/{path}"
    return not os.path.lexists(place)


class Notes:
    def __init__(self, file: str) -> None:
        self.file = file
        self.seen: "set[str]" = set()

    def take(self, pid: int, folder: int, address: int) -> None:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            # a string may end shortly before memory that cannot be read
            text = memory.read(min(LONGEST_PATH, 4096 - address % 4096))
            if b"\0" not in text:
                text += memory.read(LONGEST_PATH)
        path = os.fsdecode(text.split(b"\0", 1)[0])
        if path == "" or path in self.seen or len(self.seen) >= MOST_PATHS:
            return
        if not path.startswith("/") and folder != AT_FDCWD:
            return
        if is_missing(pid, path):
            self.seen.add(path)
            with open(self.file, "a", encoding="utf-8", errors="replace") as lines:
                lines.write(json.dumps(path) + "\n")


def answer_calls(listener: int, with_folder: "tuple[int, ...]", notes: Notes) -> None:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while True:
        ((_, events),) = poll.poll()
        if not events & select.POLLIN:
            return
        notification = bytearray(NOTIFICATION_SIZE)
        try:
            fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, notification)
        except OSError:
            continue  # who asked was killed
        identity, pid, _, call = struct.unpack_from("=QIIi", notification)
        first, second = struct.unpack_from("=QQ", notification, 32)
        try:
            if call in with_folder:
                notes.take(pid, ctypes.c_int(first & 0xFFFFFFFF).value, second)
            else:
                notes.take(pid, AT_FDCWD, first)
        except (OSError, OverflowError, ValueError):
            pass
        try:
            reply = struct.pack("=QqiI", identity, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE)
            fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, reply)
        except OSError:
            pass


def watch_calls(file: str) -> None:
    """Has a process note the paths that this one and all below it look up in vain, as JSON strings, one a line.

    It ends with them, and keeps the pipe for reports open until all is written. Where the kernel cannot do that, nothing
    is noted.
    """
    known = MACHINES.get(platform.machine())
    if known is None:
        return
    architecture, seccomp, plain, with_folder = known
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        try:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            ours.close()
            os.closerange(0, REPORT_FD)
            _, (listener, *_), _, _ = socket.recv_fds(theirs, 1, 1)
            answer_calls(listener, with_folder, Notes(file))
        finally:
            os._exit(0)
    theirs.close()
    code = ctypes.create_string_buffer(program(architecture, plain + with_folder))
    filters = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", (len(code) - 1) // 8, ctypes.addressof(code)))
    listener = libc.syscall(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, filters)
    if listener >= 0:
        # from here on every call waits for the other process, which has to have the descriptor first
        socket.send_fds(ours, [b"x"], [listener])
        os.close(listener)
    ours.close()
