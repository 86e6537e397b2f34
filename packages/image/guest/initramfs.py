"""Makes an initramfs: busybox, the modules that are asked for with all they depend on, and our init. Runs in a toolchain."""

import json
import lzma
import os
import re
import stat
import subprocess
import sys
from typing import NoReturn

EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])
MODULES = "/strata/in/modules/usr/lib/modules"
OUTPUT = "/strata/out/initramfs"
COMPRESS = {
    "zstd": ["zstd", "--quiet", "-T1", "--stdout"],
    # the kernel's decoders know CRC32 only, and lz4's old frames only
    "xz": ["xz", "--check=crc32", "--threads=1", "--stdout"],
    "gzip": ["gzip", "--no-name", "--stdout"],
    "lz4": ["lz4", "-l", "-c"],
    "none": ["cat"],
}


def fail(message: str, hint: str) -> NoReturn:
    print("::strata-error:: " + json.dumps({"message": message, "hint": hint}), flush=True)
    sys.exit(1)


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
            fail(f"the kernel {version} has no module {name}", "correct the name under `modules:`; see modules.dep of the kernel")
    return order


def module_content(path: str) -> bytes:
    with open(path, "rb") as file:
        content = file.read()
    if path.endswith(".xz"):
        return lzma.decompress(content)
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "--quiet", "-dc"], input=content, capture_output=True, check=True).stdout
    return content


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    with open("/strata/in/kernel.json", encoding="utf-8") as file:
        version = json.load(file)["version"]
    busybox = next((path for path in ("/usr/bin/busybox", "/bin/busybox") if os.path.exists(path)), None)
    if busybox is None:
        fail("busybox is missing in the toolchain", "add the Debian package busybox-static to the toolchain's packages")
    cpio = Cpio()
    for folder in ("bin", "dev", "etc", "modules", "proc", "run", "sys"):
        cpio.folder(folder)
    cpio.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    cpio.add("dev/null", stat.S_IFCHR | 0o666, device=(1, 3))
    with open(busybox, "rb") as file:
        cpio.add("bin/busybox", stat.S_IFREG | 0o755, file.read())
    for applet in ("sh", "mount"):
        cpio.add(f"bin/{applet}", stat.S_IFLNK | 0o777, b"busybox")
    order = module_order(version, spec["modules"])
    for index, module in enumerate(order):
        name = f"modules/{index:03}-{normal(module)}.ko"
        cpio.add(name, stat.S_IFREG | 0o644, module_content(f"{MODULES}/{version}/{module}"))
    cpio.add("etc/strata-root", stat.S_IFREG | 0o644, f"{spec['root']}\n".encode())
    with open("/strata/in/bin/init", "rb") as file:
        cpio.add("init", stat.S_IFREG | 0o755, file.read())
    compression = spec["compression"]
    command = list(COMPRESS[compression["algorithm"]])
    if "level" in compression and compression["algorithm"] != "none":
        command.append(f"-{compression['level']}")
        if compression["algorithm"] == "zstd" and compression["level"] > 19:
            command.append("--ultra")
    with open(OUTPUT, "wb") as file:
        subprocess.run(command, input=cpio.finish(), stdout=file, check=True)


main()
