"""Merges binary packages into ROOT by emerge, in the order of a plan."""

import os
import re
import shutil
from collections import deque

import binary_package
import portage_setup as setup


def link_packages(packages: list[str]) -> None:
    """Lays the binary packages out as a PKGDIR (make.conf(5)); Portage indexes it itself."""
    for package in packages:
        source, target = f"/strata/in/packages/{package}.gpkg.tar", f"{setup.PACKAGES}/{package}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if binary_package.has_attributes(source):
            binary_package.write_xpak(source, f"{target}.tbz2", setup.WORK)
        else:
            # Portage takes regular files only
            shutil.copyfile(source, f"{target}.gpkg.tar")


def phase_log(package: str) -> list[str]:
    """The last lines that a package's preinst or postinst printed."""
    try:
        with open(f"{setup.BUILD}/portage/{package}/temp/build.log", encoding="utf-8", errors="replace") as file:
            return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in file.read().splitlines()[-12:]]
    except FileNotFoundError:
        return []


def merge(packages: list[str]) -> None:
    words = [
        "--oneshot",
        "--nodeps",
        "--usepkgonly",
        # they were built with the user's patches, and their keys say so
        "--binpkg-respect-user-patches=n",
        "--jobs=1",
        "--color=n",
        "--verbose-conflicts",
        *[f"={package}" for package in packages],
    ]
    current = None
    last: deque[str] = deque(maxlen=20)

    def follow(line: str) -> None:
        nonlocal current
        last.append(line.rstrip())
        if started := re.match(r">>> Emerging binary \((\d+) of (\d+)\) (\S+?)::", line):
            current = started.group(3)
            done, total = int(started.group(1)) - 1, int(started.group(2))
            setup.progress(phase="merge", subject=current, done=done, total=total, unit="packages")

    status = setup.run_emerge(words, follow)
    if status != 0 and current is None:
        setup.fail("emerge refuses to merge the packages", "see its log", [line for line in last if line])
    if status != 0:
        setup.fail(f"{current} cannot be merged", "see its log", phase_log(current))
    there = setup.installed_packages()
    missing = [package for package in packages if package not in there]
    if missing:
        setup.fail("emerge did not merge what was planned", "see its log", [f"missing: {name}" for name in missing])


def add_to_world(atoms: list[str]) -> None:
    """Records what was asked for, beside what the layers below asked for."""
    world = f"{setup.eroot()}/var/lib/portage/world"
    known = set(atoms)
    if os.path.exists(world):
        with open(world, encoding="utf-8") as file:
            known.update(file.read().split())
    setup.write(world, "".join(f"{atom}\n" for atom in sorted(known)))


def sizes(packages: list[str]) -> list[dict]:
    result = []
    for package in packages:
        size = files = 0
        with open(f"{setup.database()}/{package}/CONTENTS", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                if line.startswith("obj "):
                    path = f"{setup.ROOT}{line.split(' ', 1)[1].rsplit(' ', 2)[0]}"
                    files += 1
                    size += os.lstat(path).st_size if os.path.lexists(path) else 0
        result.append({"cpv": package, "size": size, "files": files})
    return result
