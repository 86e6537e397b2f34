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
from typing import NoReturn

sys.path.insert(0, "/strata/in/bin")

import pack  # noqa: E402

WORK = "/strata/tmp"
OUT = "/strata/out"
TREE = f"{WORK}/modules"

# what an image that runs from RAM cannot do without; `a|b`: one of them
NEEDED = ("BLK_DEV_INITRD", "BLK_DEV_LOOP", "DEVTMPFS", "OVERLAY_FS", "SQUASHFS", "SQUASHFS_ZSTD", "TMPFS", "VIRTIO_BLK", "VIRTIO_PCI")


def fail(message: str, hint: str) -> NoReturn:
    print("::strata-error:: " + json.dumps({"message": message, "hint": hint}), flush=True)
    sys.exit(1)


def progress(phase: str) -> None:
    print("::strata:: " + json.dumps({"phase": phase}), flush=True)


def check_config(text: str) -> None:
    enabled = set(re.findall(r"^CONFIG_(\w+)=[ym]$", text, re.MULTILINE))
    missing = [name for name in NEEDED if name not in enabled]
    if missing:
        fail(f"the kernel's config lacks {', '.join(f'CONFIG_{name}' for name in missing)}", "add them to the config as =y or =m")


def write_outputs(vmlinuz: str, config: str, version: str) -> None:
    shutil.copyfile(vmlinuz, f"{OUT}/vmlinuz")
    shutil.copyfile(config, f"{OUT}/config")
    os.makedirs(f"{TREE}/usr/lib/modules/{version}", exist_ok=True)
    for leftover in ("build", "source"):
        path = f"{TREE}/usr/lib/modules/{version}/{leftover}"
        if os.path.islink(path):
            os.unlink(path)
    if not os.path.exists(f"{TREE}/lib"):
        os.symlink("usr/lib", f"{TREE}/lib")
    if os.path.exists(f"{TREE}/usr/lib/modules/{version}/modules.order"):
        subprocess.run(["depmod", "--basedir", TREE, version], check=True)
    os.unlink(f"{TREE}/lib")
    with open(f"{OUT}/kernel.json", "w", encoding="utf-8") as file:
        json.dump({"version": version}, file)
    progress("pack")
    pack.pack_layer(pack.tree_entries(TREE, None), "modules.tar.zst", [])


def prebuilt() -> None:
    progress("unpack")
    subprocess.run(["dpkg-deb", "--extract", "/strata/in/kernel.deb", f"{WORK}/deb"], check=True)
    (config,) = glob.glob(f"{WORK}/deb/boot/config-*") or [None]
    if config is None:
        fail("the package holds no kernel", "name the package of the kernel itself, not a meta package")
    version = os.path.basename(config).removeprefix("config-")
    with open(config, encoding="utf-8") as file:
        check_config(file.read())
    modules = next(path for path in (f"{WORK}/deb/usr/lib/modules", f"{WORK}/deb/lib/modules") if os.path.isdir(path))
    os.makedirs(f"{TREE}/usr/lib")
    os.rename(modules, f"{TREE}/usr/lib/modules")
    write_outputs(f"{WORK}/deb/boot/vmlinuz-{version}", config, version)


def source_folder() -> str:
    source = "/strata/in/source"
    with open(source, "rb") as file:
        is_package = file.read(8) == b"!<arch>\n"
    if is_package:
        subprocess.run(["dpkg-deb", "--extract", source, f"{WORK}/deb"], check=True)
        source = next(iter(glob.glob(f"{WORK}/deb/usr/src/linux-source-*.tar.*")))
    os.makedirs(f"{WORK}/source")
    subprocess.run(["tar", "--extract", "--file", source, "--directory", f"{WORK}/source", "--strip-components=1"], check=True)
    return f"{WORK}/source"


def from_source(base: str) -> None:
    progress("unpack")
    folder = source_folder()
    environment = {
        **os.environ,
        "KBUILD_BUILD_TIMESTAMP": "@" + os.environ["SOURCE_DATE_EPOCH"],
        "KBUILD_BUILD_USER": "strata",
        "KBUILD_BUILD_HOST": "strata",
        "KBUILD_BUILD_VERSION": "1",
        "LOCALVERSION": "",
    }
    jobs = f"-j{os.environ.get('STRATA_JOBS', '1')}"

    def make(*targets: str) -> None:
        subprocess.run(["make", "-C", folder, *targets], env=environment, stdin=subprocess.DEVNULL, check=True)

    progress("configure")
    if base == "tinyconfig":
        make("tinyconfig")
    else:
        make(base)
    subprocess.run(
        ["scripts/kconfig/merge_config.sh", "-m", ".config", "/strata/in/config"], cwd=folder, env=environment, check=True
    )
    make("olddefconfig")
    with open(f"{folder}/.config", encoding="utf-8") as file:
        check_config(file.read())
    progress("compile")
    make(jobs, "bzImage")
    with open(f"{folder}/.config", encoding="utf-8") as file:
        has_modules = "CONFIG_MODULES=y" in file.read()
    version = subprocess.run(
        ["make", "-s", "-C", folder, "kernelrelease"], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    if has_modules:
        make(jobs, "modules")
        make("modules_install", f"INSTALL_MOD_PATH={TREE}/usr", "INSTALL_MOD_STRIP=1", "DEPMOD=true")
    write_outputs(f"{folder}/arch/x86/boot/bzImage", f"{folder}/.config", version)


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    os.umask(0o022)
    if spec["from"] == "package":
        prebuilt()
    else:
        from_source(spec["base"])


main()
