"""Makes a Debian root from pinned packages, offline, and packs it as a layer. Runs in the seed."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

sys.path.insert(0, "/strata/in/bin")

import pack  # noqa: E402

WORK = "/strata/tmp"
ROOT = f"{WORK}/root"
REPOSITORY = f"{WORK}/repository"

# what differs between two runs, or only tells how the root was made
LEFTOVERS = (
    "/dev/**",
    "/etc/apt/sources.list",
    "/etc/apt/apt.conf.d/99mmdebstrap",
    "/etc/hostname",
    "/etc/machine-id",
    "/etc/resolv.conf",
    "/proc/**",
    "/run/**",
    "/sys/**",
    "/tmp/**",
    "/var/cache/apt/**",
    "/var/cache/debconf/*-old",
    "/var/cache/ldconfig/**",
    "/var/lib/apt/lists/**",
    "/var/lib/dpkg/*-old",
    "/var/log/**",
    "/usr/share/doc/**",
    "/usr/share/info/**",
    "/usr/share/locale/**",
    "/usr/share/man/**",
)


def progress(phase: str) -> None:
    print("::strata:: " + json.dumps({"phase": phase}), flush=True)


def bootstrap(suite: str, packages: list[str]) -> None:
    os.makedirs(REPOSITORY)
    shutil.copytree("/strata/in/debs", f"{REPOSITORY}/pool")
    subprocess.run(["python3", "/strata/in/bin/index_debs.py", REPOSITORY, suite], check=True)
    subprocess.run(
        [
            "mmdebstrap",
            "--mode=root",
            "--variant=apt",
            f"--include={','.join(packages)}",
            "--skip=check/empty,cleanup/apt",
            "--aptopt=APT::Sandbox::User \"root\"",
            suite,
            ROOT,
            f"deb [trusted=yes] copy://{REPOSITORY} ./",
        ],
        env={**os.environ, "TMPDIR": WORK, "DEBIAN_FRONTEND": "noninteractive"},
        check=True,
    )


def install_portage(wheel: str) -> None:
    """Lays a wheel out as `pip install` into a virtual environment at /opt/portage would, and nothing else there."""
    target = f"{ROOT}/opt/portage"
    python = os.path.basename(os.path.realpath(f"{ROOT}/usr/bin/python3"))
    packages = f"{target}/lib/{python}/site-packages"
    os.makedirs(f"{target}/bin")
    os.symlink("/usr/bin/python3", f"{target}/bin/python3")
    os.symlink("python3", f"{target}/bin/python")
    with open(f"{target}/pyvenv.cfg", "w", encoding="utf-8") as file:
        file.write("home = /usr/bin\ninclude-system-site-packages = false\n")
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            top, _, rest = member.filename.partition("/")
            path = f"{packages}/{member.filename}"
            if top.endswith(".data"):
                kind, _, name = rest.partition("/")
                base = {"scripts": f"{target}/bin", "data": target}.get(kind, packages)
                path = f"{base}/{name}"
            if member.is_dir():
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            content = archive.read(member)
            if content.startswith(b"#!python"):
                content = b"#!/opt/portage/bin/python3" + content[content.index(b"\n") :]
            with open(path, "wb") as file:
                file.write(content)
            mode = (member.external_attr >> 16) & 0o777
            executable = mode & 0o111 or content.startswith(b"#!") or path.startswith(f"{target}/bin/")
            os.chmod(path, 0o755 if executable else 0o644)
    if not os.path.exists(f"{ROOT}/usr/bin/gtar"):
        os.symlink("tar", f"{ROOT}/usr/bin/gtar")


def compile_python() -> None:
    """Compiles anew what Debian compiled, and Portage, which starts in half the time then.

    Debian's caches hold the times of their sources, these hold hashes of them (PEP 552): the same bytes everywhere, and
    never taken for a source that a later layer changed. A fixed seed, since sets of strings are written in hash order.
    """
    folders = []
    for current, names, _ in os.walk(ROOT):
        if "__pycache__" in names:
            shutil.rmtree(f"{current}/__pycache__")
            names.remove("__pycache__")
            folders.append(current)
        elif current.startswith(f"{ROOT}/opt/portage/lib/"):
            folders.append(current)
    if not folders:
        return
    words = ["-qq", "-l", "-i", "-", "--invalidation-mode", "checked-hash"]
    # its status tells of sources that cannot be compiled, as some packages have them: those have no cache then
    subprocess.run(
        ["chroot", ROOT, "python3", "-m", "compileall", *words],
        input="".join(f"{folder.removeprefix(ROOT)}\n" for folder in sorted(folders)),
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"},
        text=True,
        check=False,
    )


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    os.umask(0o022)
    progress("bootstrap")
    bootstrap(spec["suite"], spec["packages"])
    for wheel in spec["wheels"]:
        if not wheel.startswith("portage-"):
            sys.exit(f"{wheel}: only Portage's wheel can be installed")
        install_portage(f"/strata/in/wheels/{wheel}")
    progress("compile")
    compile_python()
    progress("pack")
    exclude = pack.matcher(LEFTOVERS)
    pack.pack_layer(pack.tree_entries(ROOT, exclude), "layer.tar.zst", [])


main()
