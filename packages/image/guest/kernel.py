"""Makes a kernel: takes Debian's out of its package, or builds one from source. Runs in a toolchain.

Leaves `vmlinuz`, `config`, `kernel.json` and `modules.tar.zst` (a layer of /usr/lib/modules).
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time
from typing import NoReturn

sys.path.insert(0, "/strata/in/bin")

import pack  # noqa: E402

WORK = "/strata/tmp"
OUT = "/strata/out"
TREE = f"{WORK}/modules"
BOOT_IMAGE = "arch/x86/boot/bzImage"
ARCHIVE = b"!<arch>\n"

# options of the kernel by the compression that they can read
SQUASHFS = {"gzip": "SQUASHFS_ZLIB", "lz4": "SQUASHFS_LZ4", "xz": "SQUASHFS_XZ", "zstd": "SQUASHFS_ZSTD"}
INITRAMFS = {"gzip": "RD_GZIP", "lz4": "RD_LZ4", "xz": "RD_XZ", "zstd": "RD_ZSTD"}

# what an image that runs from RAM cannot do without, and a virtual machine that boots it; of several, one
NEEDED = (
    ("BINFMT_ELF",),
    ("BINFMT_SCRIPT",),
    ("BLK_DEV_INITRD",),
    ("BLK_DEV_LOOP",),
    ("DEVTMPFS",),
    ("OVERLAY_FS",),
    ("PROC_FS",),
    ("SQUASHFS",),
    tuple(SQUASHFS[name] for name in ("zstd", "xz", "gzip", "lz4")),
    ("SYSFS",),
    ("TMPFS",),
    ("VIRTIO_BLK",),
    ("VIRTIO_PCI",),
)

# Debian's packages of what a build starts, where they are not named like the command
PACKAGES = {"depmod": "kmod", "dpkg-deb": "dpkg", "ar": "binutils", "xz": "xz-utils"}


def fail(message: str, hint: str) -> NoReturn:
    print("::strata-error:: " + json.dumps({"message": message, "hint": hint}), flush=True)
    sys.exit(1)


def progress(phase: str, **more: object) -> None:
    print("::strata:: " + json.dumps({"phase": phase, **more}), flush=True)


def require(*commands: str) -> None:
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        packages = " ".join(dict.fromkeys(PACKAGES.get(command, command) for command in missing))
        fail(f"{', '.join(missing)} missing in the toolchain", f"add to the toolchain's Debian packages: {packages}")


def run(*command: str, folder: str = WORK, environment: dict[str, str] | None = None) -> None:
    """Runs a command whose own last lines say enough where it fails."""
    sys.stdout.flush()
    status = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
    if status != 0:
        sys.exit(f"{command[0]} failed with status {status}")


def enabled_options(config: str) -> set[str]:
    with open(config, encoding="utf-8") as file:
        return set(re.findall(r"^CONFIG_(\w+)=[ym]$", file.read(), re.MULTILINE))


def check_config(enabled: set[str]) -> None:
    missing = [" or ".join(f"CONFIG_{name}" for name in names) for names in NEEDED if enabled.isdisjoint(names)]
    if missing:
        fail(f"the kernel's config lacks {', '.join(missing)}", "add them to the config as =y or =m, with what they depend on")


def write_outputs(vmlinuz: str, config: str, version: str) -> None:
    shutil.copyfile(vmlinuz, f"{OUT}/vmlinuz")
    shutil.copyfile(config, f"{OUT}/config")
    folder = f"{TREE}/usr/lib/modules/{version}"
    os.makedirs(folder, exist_ok=True)
    for leftover in ("build", "source"):
        if os.path.islink(f"{folder}/{leftover}"):
            os.unlink(f"{folder}/{leftover}")
    if os.path.exists(f"{folder}/modules.order"):
        # depmod looks below /lib; the link goes again, since in a layer it would stand in a root's way
        os.symlink("usr/lib", f"{TREE}/lib")
        run("depmod", "--basedir", TREE, version)
        os.unlink(f"{TREE}/lib")
    enabled = enabled_options(config)
    description = {
        "version": version,
        "initramfs": sorted(name for name, option in INITRAMFS.items() if option in enabled),
        "squashfs": sorted(name for name, option in SQUASHFS.items() if option in enabled),
    }
    with open(f"{OUT}/kernel.json", "w", encoding="utf-8") as file:
        json.dump(description, file, sort_keys=True)
    progress("pack")
    pack.pack_layer(pack.tree_entries(TREE, None), "modules.tar.zst", [])


def extract_package(package: str, folder: str) -> None:
    """Extracts a Debian package (deb(5): an ar archive with a tar of the files in it), with dpkg or without."""
    progress("unpack")
    os.makedirs(folder)
    with open(package, "rb") as file:
        if file.read(8) != ARCHIVE:
            fail("this is no Debian package", "correct the lock file, or write it anew with strata update")
    if shutil.which("dpkg-deb") is not None:
        run("dpkg-deb", "--extract", package, folder)
        return
    require("ar", "tar")
    members = subprocess.run(["ar", "t", package], capture_output=True, text=True, check=False).stdout.split()
    data = next((name for name in members if name.startswith("data.tar")), None)
    if data is None:
        fail("this is no Debian package", "correct the lock file, or write it anew with strata update")
    run("ar", "x", package, data)
    run("tar", "--extract", "--file", f"{WORK}/{data}", "--directory", folder)


def prebuilt() -> None:
    deb = f"{WORK}/deb"
    extract_package("/strata/in/kernel.deb", deb)
    configs = sorted(glob.glob(f"{deb}/boot/config-*"))
    versions = [os.path.basename(path).removeprefix("config-") for path in configs]
    if len(configs) != 1 or not os.path.exists(f"{deb}/boot/vmlinuz-{versions[0]}"):
        fail("the package holds no kernel", "name the package of the kernel itself, not a meta package")
    (config,), (version,) = configs, versions
    check_config(enabled_options(config))
    modules = next((path for path in (f"{deb}/usr/lib/modules", f"{deb}/lib/modules") if os.path.isdir(path)), None)
    os.makedirs(f"{TREE}/usr/lib")
    if modules is not None:
        os.rename(modules, f"{TREE}/usr/lib/modules")
    write_outputs(f"{deb}/boot/vmlinuz-{version}", config, version)


def source_folder() -> str:
    source = "/strata/in/source"
    with open(source, "rb") as file:
        is_package = file.read(8) == ARCHIVE
    if is_package:
        extract_package(source, f"{WORK}/deb")
        tarballs = glob.glob(f"{WORK}/deb/usr/src/linux-source-*.tar.*")
        if len(tarballs) != 1:
            fail("the package holds no kernel's source", "name a package such as linux-source-6.12, not a meta package")
        (source,) = tarballs
    progress("unpack")
    folder = f"{WORK}/source"
    os.makedirs(folder)
    run("tar", "--extract", "--file", source, "--directory", folder, "--strip-components=1")
    if is_package:
        shutil.rmtree(f"{WORK}/deb")
    if not os.path.exists(f"{folder}/scripts/kconfig/merge_config.sh"):
        fail("the source is not a kernel's", "name a tarball whose one folder is the kernel's source tree")
    return folder


class Source:
    """A kernel's source tree, and how its makefile is called: the same bytes whoever calls it, where and when."""

    def __init__(self, folder: str, jobs: str) -> None:
        self.folder = folder
        self.jobs = jobs
        built = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))
        self.environment = {
            **os.environ,
            "KBUILD_BUILD_TIMESTAMP": time.strftime("%a %b %e %H:%M:%S UTC %Y", built),
            "KBUILD_BUILD_USER": "strata",
            "KBUILD_BUILD_HOST": "strata",
            "KBUILD_BUILD_VERSION": "1",
            "LOCALVERSION": "",
        }

    def make(self, *words: str) -> None:
        run("make", *words, folder=self.folder, environment=self.environment)

    def answer(self, target: str) -> str:
        command = ["make", "--silent", target]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()

    def configure(self, base: str, fragment: str) -> None:
        progress("configure")
        self.make(base)
        merge = ("sh", "scripts/kconfig/merge_config.sh", "-m", ".config", fragment)
        run(*merge, folder=self.folder, environment=self.environment)
        self.make("olddefconfig")
        with open(fragment, encoding="utf-8") as file:
            wanted = set(re.findall(r"^CONFIG_(\w+)=[ym]$", file.read(), re.MULTILINE))
        for name in sorted(wanted - enabled_options(self.config)):
            print(f"strata: the kernel does not take CONFIG_{name}: unknown, or what it depends on is off", flush=True)

    def compile(self, *targets: str) -> None:
        require("gcc", "ld", "bc", "perl")
        command = ["make", f"-j{self.jobs}", *targets]
        done, shown = 0, 0.0
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                sys.stdout.write(line)
                compiled = re.match(r"  (?:CC|AS)(?: \[M\])? +(\S+)", line)
                if compiled is not None:
                    done += 1
                    if time.monotonic() - shown > 1:
                        shown = time.monotonic()
                        progress("compile", subject=compiled.group(1), done=done, unit="files")
        sys.stdout.flush()
        if process.returncode != 0:
            sys.exit(f"make failed with status {process.returncode}")

    @property
    def config(self) -> str:
        return f"{self.folder}/.config"


def from_source(base: str) -> None:
    require("make", "flex", "bison", "gcc", "tar", "xz")
    source = Source(source_folder(), os.environ.get("STRATA_JOBS", "1"))
    source.configure(base, "/strata/in/config")
    enabled = enabled_options(source.config)
    check_config(enabled)
    if "OBJTOOL" in enabled and not os.path.exists("/usr/include/gelf.h"):
        fail("this kernel needs libelf to be built", "add the Debian package libelf-dev to the toolchain's packages")
    has_modules = "MODULES" in enabled
    if has_modules:
        require("depmod")
    source.compile("bzImage", *(["modules"] if has_modules else []))
    version = source.answer("kernelrelease")
    if has_modules:
        source.make("modules_install", f"INSTALL_MOD_PATH={TREE}/usr", "INSTALL_MOD_STRIP=1", "DEPMOD=true")
    else:
        # so that whoever asks for a module finds that it is built in
        folder = f"{TREE}/usr/lib/modules/{version}"
        os.makedirs(folder)
        shutil.copyfile(f"{source.folder}/modules.builtin", f"{folder}/modules.builtin")
    write_outputs(f"{source.folder}/{BOOT_IMAGE}", source.config, version)


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    os.umask(0o022)
    if spec["from"] == "package":
        prebuilt()
    else:
        from_source(spec["base"])


main()
