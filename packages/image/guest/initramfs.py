"""Makes an initramfs: busybox, the modules that are asked for with all they depend on, and our init. Runs in a toolchain."""

import json
import lzma
import os
import re
import shutil
import stat
import subprocess
import sys
from typing import NoReturn

EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])
MODULES = "/strata/in/modules/usr/lib/modules"
OUTPUT = "/strata/out/initramfs"
# the highest level that each takes
LEVELS = {"zstd": 22, "xz": 9, "gzip": 9, "lz4": 12}


def fail(message: str, hint: str) -> NoReturn:
    print("::strata-error:: " + json.dumps({"message": message, "hint": hint}), flush=True)
    sys.exit(1)


def compressor(algorithm: str, level: int | None, size: int) -> list[str]:
    """The command that compresses its input, of a known size in bytes, so that the kernel can read it."""
    if level is not None and level > LEVELS.get(algorithm, 22):
        fail(f"{algorithm} has no level {level}", f"choose a level from 1 to {LEVELS[algorithm]} under `compression:`")
    levels = [] if level is None else [f"-{level}"]
    return {
        # the size keeps the window, for which the kernel has to find memory, from being larger than what it holds
        "zstd": ["zstd", "--quiet", "-T1", f"--stream-size={size}", "--ultra", *levels, "--stdout"],
        # the kernel's decoders know CRC32 only, and lz4's old frames only
        "xz": ["xz", "--check=crc32", "--threads=1", *levels, "--stdout"],
        "gzip": ["gzip", "--no-name", *levels, "--stdout"],
        "lz4": ["lz4", "-l", *levels, "-c"],
        "none": ["cat"],
    }[algorithm]


def normal(name: str) -> str:
    return re.sub(r"\.ko(\.\w+)?$", "", os.path.basename(name)).replace("-", "_")


class Cpio:
    """A newc archive (kernel: Documentation/driver-api/early-userspace/buffer-format.rst), the same for the same calls."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.inode = 0
        self.folders: set[str] = set()

    def add(self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        folder = os.path.dirname(name)
        if folder and folder not in self.folders:
            self.folder(folder)
        self._entry(name, mode, content, device)

    def folder(self, name: str) -> None:
        parent = os.path.dirname(name)
        if parent and parent not in self.folders:
            self.folder(parent)
        if name not in self.folders:
            self.folders.add(name)
            self._entry(name, stat.S_IFDIR | 0o755)

    def _entry(self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        self.inode += 1
        encoded = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        mtime = 0 if name == "TRAILER!!!" else EPOCH
        fields = (self.inode, mode, 0, 0, links, mtime, len(content), 0, 0, *device, len(encoded), 0)
        self.data += b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self.pad()
        self.data += content
        self.pad()

    def pad(self) -> None:
        self.data += b"\0" * (-len(self.data) % 4)

    def finish(self) -> bytes:
        self.inode = -1
        self._entry("TRAILER!!!", 0)
        return bytes(self.data)


def module_order(version: str, wanted: list[str]) -> list[str]:
    """The files of modules and of all that they depend on, in the order in which they have to be loaded."""
    folder = f"{MODULES}/{version}"
    depends: dict[str, tuple[str, list[str]]] = {}
    built_in: set[str] = set()
    for name, target in (("modules.dep", None), ("modules.builtin", built_in)):
        path = f"{folder}/{name}"
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as file:
            for line in file:
                if target is not None:
                    target.add(normal(line.strip()))
                else:
                    module, _, needs = line.partition(":")
                    depends[normal(module)] = (module, needs.split())
    order: list[str] = []

    def visit(file: str) -> None:
        if file not in order:
            for need in depends[normal(file)][1]:
                visit(need)
            order.append(file)

    for name in wanted:
        if normal(name) in depends:
            visit(depends[normal(name)][0])
        elif normal(name) not in built_in:
            fail(f"the kernel {version} has no module {name}", "correct the name under `modules:`, or add it to the kernel's config")
    return order


def module_content(path: str) -> bytes:
    with open(path, "rb") as file:
        content = file.read()
    if path.endswith(".xz"):
        return lzma.decompress(content)
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "--quiet", "-dc"], input=content, capture_output=True, check=True).stdout
    return content


def files(version: str, wanted: list[str], root: str, busybox: str) -> Cpio:
    cpio = Cpio()
    for folder in ("bin", "dev", "etc", "modules", "proc", "run", "sys"):
        cpio.folder(folder)
    cpio.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    cpio.add("dev/null", stat.S_IFCHR | 0o666, device=(1, 3))
    with open(busybox, "rb") as file:
        program = file.read()
    # the name of the dynamic loader stands right behind an ELF file's headers
    if b"/ld-linux" in program[:4096]:
        fail("busybox in the toolchain is not static", "put the Debian package busybox-static into the toolchain instead of busybox")
    cpio.add("bin/busybox", stat.S_IFREG | 0o755, program)
    for applet in ("sh", "mount"):
        cpio.add(f"bin/{applet}", stat.S_IFLNK | 0o777, b"busybox")
    order = module_order(version, wanted)
    for module in order:
        content = module_content(f"{MODULES}/{version}/{module}")
        cpio.add(f"modules/{normal(module)}.ko", stat.S_IFREG | 0o644, content)
    names = "".join(f"{normal(module)}.ko\n" for module in order)
    cpio.add("etc/strata-modules", stat.S_IFREG | 0o644, names.encode())
    cpio.add("etc/strata-root", stat.S_IFREG | 0o644, f"{root}\n".encode())
    with open("/strata/in/bin/init", "rb") as file:
        cpio.add("init", stat.S_IFREG | 0o755, file.read())
    return cpio


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    with open("/strata/in/kernel.json", encoding="utf-8") as file:
        kernel = json.load(file)
    algorithm = spec["compression"]["algorithm"]
    if algorithm not in ("none", *kernel["initramfs"]):
        known = ", ".join([*kernel["initramfs"], "none"])
        fail(f"the kernel cannot read an initramfs compressed with {algorithm}", f"choose one of {known} under `compression:`")
    busybox = next((path for path in ("/usr/bin/busybox", "/bin/busybox") if os.path.exists(path)), None)
    if busybox is None:
        fail("busybox is missing in the toolchain", "add the Debian package busybox-static to the toolchain's packages")
    archive = files(kernel["version"], spec["modules"], spec["root"], busybox).finish()
    command = compressor(algorithm, spec["compression"].get("level"), len(archive))
    if shutil.which(command[0]) is None:
        fail(f"{command[0]} is missing in the toolchain", f"add it to the toolchain's packages, or choose another compression than {algorithm}")
    with open(OUTPUT, "wb") as file:
        if subprocess.run(command, input=archive, stdout=file, check=False).returncode != 0:
            sys.exit(f"{command[0]} failed")


main()
