"""Merges the packages of a plan into ROOT by emerge, normalises what came of it, and packs it as a layer."""

import json
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, "/strata/in/bin")

import portage_setup as setup  # noqa: E402

setup.become_portage()

import normalise  # noqa: E402
import pack  # noqa: E402

SNAPSHOT = "/strata/in/snapshot"
PHASES = {
    "Unpacking source": "unpack",
    "Preparing source": "prepare",
    "Configuring source": "configure",
    "Compiling source": "compile",
    "Test phase": "test",
    "Install ": "install",
}


def check_parents(plan: dict) -> None:
    """The plan was made from the parents' plans; what they really hold has to be the same."""
    there = setup.installed_packages()
    if there != plan["installed"]:
        only_planned = [f"planned, not there: {name}" for name in plan["installed"] if name not in there]
        only_there = [f"there, not planned: {name}" for name in there if name not in plan["installed"]]
        setup.fail(
            "the parents hold other packages than their plans say",
            "a script or `exclude` of a parent layer removed or added packages: leave var/db/pkg as it is",
            only_planned + only_there,
        )


def link_distfiles() -> None:
    if os.path.isdir("/strata/in/distfiles"):
        for name in os.listdir("/strata/in/distfiles"):
            os.symlink(f"/strata/in/distfiles/{name}", f"{setup.DISTDIR}/{name}")


def build_log(package: str) -> list[str]:
    """The last lines of a package's own log, without what Portage adds about how to report it."""
    try:
        with open(f"{setup.BUILD}/portage/{package}/temp/build.log", encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return []
    end = next((index for index, line in enumerate(lines) if line.startswith(" * ERROR:")), len(lines))
    # with several jobs the mistake is often far above the end
    mistakes = [line for line in lines[: max(0, end - 12)] if re.search(r"\b(?:fatal )?error:|\*\*\* ", line)][-6:]
    said = [line for line in lines[end : end + 3] if line.strip(" *")]
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in mistakes + lines[max(0, end - 12) : end] + said]


def merge(packages: list[str]) -> None:
    jobs = os.environ.get("STRATA_JOBS", "1")
    setup.take_environment()
    environment = {**os.environ, "MAKEOPTS": f"-j{jobs}"}
    emerge = [sys.executable, "-B", f"{setup.OWN_PREFIX}/lib/portage/bin/emerge"] if setup.own_portage() else ["emerge"]
    command = [
        *emerge,
        "--oneshot",
        "--nodeps",
        "--jobs=1",
        "--quiet-build=n",
        "--color=n",
        "--verbose-conflicts",
        *[f"={package}" for package in packages],
    ]
    current, phase = packages[0], "start"
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace",
    ) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.kill())
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if started := re.match(r">>> Emerging \((\d+) of (\d+)\) (\S+?)::", line):
                current, phase = started.group(3), "start"
                done, total = int(started.group(1)) - 1, int(started.group(2))
                setup.progress(phase="setup", subject=current, done=done, total=total, unit="packages")
                continue
            for words, name in PHASES.items():
                if line.startswith(f">>> {words}"):
                    phase = name
                    setup.progress(phase=name, subject=current, done=packages.index(current), total=len(packages), unit="packages")
        status = process.wait()
    if status != 0:
        setup.fail(f"{current} failed in its {phase} phase", "see its log", build_log(current))
    there = setup.installed_packages()
    missing = [package for package in packages if package not in there]
    if missing:
        setup.fail("emerge did not merge what was planned", "see its log", [f"missing: {name}" for name in missing])


def cache_libraries() -> None:
    """Writes ld.so.cache: Portage would do it with an ldconfig of ROOT's own, which a small ROOT does not have."""
    if os.path.exists(f"{setup.ROOT}/etc/ld.so.conf") and not os.path.exists(f"{setup.ROOT}/sbin/ldconfig"):
        subprocess.run(["ldconfig", "-X", "-r", setup.ROOT], check=True)


def sizes(packages: list[str]) -> list[dict]:
    result = []
    for package in packages:
        size = files = 0
        with open(f"{setup.ROOT}/var/db/pkg/{package}/CONTENTS", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                if line.startswith("obj "):
                    path = f"{setup.ROOT}{line.split(' ', 1)[1].rsplit(' ', 2)[0]}"
                    files += 1
                    size += os.lstat(path).st_size if os.path.lexists(path) else 0
        result.append({"cpv": package, "size": size, "files": files})
    return result


def main() -> None:
    with open("/strata/in/plan.json", encoding="utf-8") as file:
        plan = json.load(file)
    packages = [package["cpv"] for package in plan["packages"]]
    repositories = [
        setup.Repository(entry["name"], f"{SNAPSHOT}/repositories/{entry['name']}", entry["priority"])
        for entry in plan["repositories"]
    ]
    check_parents(plan)
    setup.prepare([f"{SNAPSHOT}/configuration"], repositories, plan["profile"], plan["settings"]["CHOST"])
    link_distfiles()
    merge(packages)
    world = f"{setup.ROOT}/var/lib/portage/world"
    atoms = set(plan["atoms"])
    if os.path.exists(world):
        with open(world, encoding="utf-8") as file:
            atoms.update(file.read().split())
    setup.write(world, "".join(f"{atom}\n" for atom in sorted(atoms)))
    cache_libraries()
    setup.progress(phase="pack", done=len(packages), total=len(packages), unit="packages")
    normalise.normalise(setup.ROOT, packages)
    setup.write("/strata/out/packages.json", json.dumps(sizes(packages), indent=1) + "\n")
    pack.pack_layer(pack.delta_entries("/strata/upper"), "layer.tar.zst", [])


main()
