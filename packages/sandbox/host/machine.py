"""What the scripts of this folder share: system calls, and how they report trouble of the machine."""

import ctypes
import json
import os
from typing import NoReturn

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_REC_PRIVATE = 0x4000 | 0x40000
PR_SET_PDEATHSIG = 1
EXIT_MACHINE = 125
REPORT_FD = 3

libc = ctypes.CDLL(None, use_errno=True)


def fail(message: str, hint: str) -> NoReturn:
    """Reports something that the user of this machine can mend, to the pipe on which the caller listens for it."""
    os.write(REPORT_FD, json.dumps({"message": message, "hint": hint}).encode())
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
