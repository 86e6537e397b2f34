"""Runs programs in a root that has nothing but a prefix; those for another machine by qemu-user of the toolchain."""

import os
import re
import shutil
import subprocess

import elf

QEMU = {"arm64": "/usr/bin/qemu-aarch64"}


class CannotRun(Exception):
    """The toolchain has nothing that runs programs for the machine."""


def emulator(arch: str) -> str:
    """The emulator for a machine: one that needs no libraries of its own, since there are none in the root."""
    for path in (QEMU.get(arch, ""), f"{QEMU.get(arch, '')}-static"):
        if os.path.exists(path):
            read = elf.read(os.path.realpath(path))
            if read is not None and read.interpreter is None:
                return path
    raise CannotRun(f"the toolchain has no statically linked qemu-user for {arch}")


def run(
    root: str, arch: str | None, words: list[str], environment: dict[str, str], text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs a command with `root` as its root.

    :param arch: the machine that the program is for, where it is not this one
    """
    descriptors: tuple[int, ...] = ()
    executable = words[0]
    argv = words
    if arch is not None:
        path = emulator(arch)
        # the emulator lies outside of the root, and is started by what refers to it from before
        descriptor = os.open(path, os.O_RDONLY)
        descriptors = (descriptor,)
        executable = f"/proc/self/fd/{descriptor}"
        argv = [path, words[0], *words[1:]]

    def enter() -> None:
        os.chroot(root)
        os.chdir("/")
        if descriptors:
            os.execve(descriptors[0], argv, environment)

    try:
        return subprocess.run(
            argv,
            executable=executable,
            preexec_fn=enter,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            pass_fds=descriptors,
            check=False,
            timeout=600,
        )
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def add_host_libraries(root: str, triplet: str, loader: str, names: re.Pattern[str]) -> None:
    """Puts the toolchain's C library where the one of a system would be."""
    for folder in (f"/usr/lib/{triplet}", f"/usr/{triplet}/lib", "/usr/lib64", "/lib64"):
        libraries = [name for name in sorted(os.listdir(folder)) if names.fullmatch(name)] if os.path.isdir(folder) else []
        if any(name.startswith("libc.so") for name in libraries):
            break
    else:
        raise CannotRun("the toolchain has no C library for the prefix")
    target = f"/usr/lib/{triplet}" if triplet in folder else folder
    os.makedirs(root + target, exist_ok=True)
    os.makedirs(os.path.dirname(root + loader), exist_ok=True)
    for name in libraries:
        shutil.copy(f"{folder}/{name}", f"{root}{target}/{name}")
        if name == os.path.basename(loader):
            shutil.copy(f"{folder}/{name}", root + loader)
