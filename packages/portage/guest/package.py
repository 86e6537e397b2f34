"""Builds one package by emerge, in a ROOT of what it declares, and leaves it as a binary package and as a layer."""

import json
import os
import re
import sys

sys.path.insert(0, "/strata/in/bin")

import portage_setup as setup  # noqa: E402

setup.become_portage()

import binary_package  # noqa: E402
import normalise  # noqa: E402
import pack  # noqa: E402

JOBSERVER = "/strata/jobserver"
PHASES = {
    "Unpacking source": "unpack",
    "Preparing source": "prepare",
    "Configuring source": "configure",
    "Compiling source": "compile",
    "Test phase": "test",
    "Install ": "install",
}


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


def write_build_settings() -> None:
    """Says how many jobs make and ninja start, and what form Portage leaves the package in; none of it is saved with it."""
    jobs = os.environ.get("STRATA_JOBS", "1")
    settings = {"MAKEOPTS": f"-j{jobs}", "NINJAOPTS": f"-j{jobs}", "BINPKG_FORMAT": "xpak"}
    if os.path.exists(JOBSERVER):
        # a -j on make's own command line would leave the pool; in make.conf, Portage takes a token for itself too
        settings["MAKEOPTS"] = f"--jobserver-auth=fifo:{JOBSERVER}"
        settings["MAKEFLAGS"] = f"-j{jobs} --jobserver-auth=fifo:{JOBSERVER}"
    with open(f"{setup.CONFIGURATION}/etc/portage/make.conf", "a", encoding="utf-8") as file:
        file.writelines(f"{name}='{value}'\n" for name, value in settings.items())


def build(package: str) -> None:
    words = ["--buildpkgonly", "--oneshot", "--nodeps", "--jobs=1", "--quiet-build=n", "--color=n", f"={package}"]
    phase = "setup"
    setup.progress(phase=phase)

    def follow(line: str) -> None:
        nonlocal phase
        for begin, name in PHASES.items():
            if line.startswith(f">>> {begin}"):
                phase = name
                setup.progress(phase=name)

    if setup.run_emerge(words, follow) != 0:
        check_prefix(package, f"{setup.BUILD}/portage/{package}/image")
        setup.fail(f"{package} failed in its {phase} phase", "see its log", build_log(package))


def check_prefix(package: str, image: str) -> None:
    """Ends the action where a package for a prefix installs files outside of it."""
    if setup.prefix is None or not os.path.isdir(image):
        return
    path = setup.prefix.path
    outside = [f"/{entry.path}" for entry in pack.tree_entries(image, None) if is_outside(entry, path)]
    if outside:
        shown = outside[:20] + ([f"and {len(outside) - 20} more"] if len(outside) > 20 else [])
        hint = f"let its ebuild install below ${{ED}}, and configure it with ${{EPREFIX}}: see the log of {package}"
        setup.fail(f"{package} does not honour EPREFIX: it installs outside of {path}", hint, shown)


def is_outside(entry: pack.Entry, path: str) -> bool:
    name = f"/{entry.path}"
    above = path.startswith(f"{name}/") and os.path.isdir(entry.source or "")
    return not above and name != path and not name.startswith(f"{path}/")


def check_use(package: str, wanted: list[str]) -> None:
    """The reduced configuration has to give what the plan says."""
    import portage

    config = portage.config(clone=portage.settings)
    config.setcpv(package, mydb=portage.portdb)
    found = sorted(config.get("PORTAGE_USE", "").split())
    if found != wanted:
        print(f"planned USE: {' '.join(wanted)}\nfound USE: {' '.join(found)}", flush=True)
        raise SystemExit(f"the reduced configuration of {package} gives other USE flags than its plan")


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    package = spec["cpv"]
    setup.use_prefix(spec.get("prefix"))
    setup.prepare_reduced("/strata/in/snapshot", spec["chost"])
    setup.link_distfiles()
    write_build_settings()
    setup.take_environment(spec["chost"])
    check_use(package, spec["use"])
    build(package)
    setup.progress(phase="pack")
    category, _, pf = package.partition("/")
    built = f"{setup.WORK}/built"
    binary_package.unpack_xpak(f"{setup.PACKAGES}/{category}/{pf}.tbz2", built)
    normalise.normalise_database(f"{built}/metadata", os.environ["SOURCE_DATE_EPOCH"])
    normalise.remove_caches(f"{built}/image")
    check_prefix(package, f"{built}/image")
    binary_package.write(built, pf, "/strata/out/package.gpkg.tar", setup.WORK)
    database = f"{built}/image{setup.database().removeprefix(setup.ROOT)}/{category}/{pf}"
    paths = [entry.source for entry in pack.tree_entries(f"{built}/image", None)]
    size = sum(os.path.getsize(path) for path in paths if os.path.isfile(path) and not os.path.islink(path))
    os.makedirs(os.path.dirname(database), exist_ok=True)
    os.rename(f"{built}/metadata", database)
    pack.pack_layer(pack.tree_entries(f"{built}/image", None), "layer.tar.zst", [], {"dev.strata.size": str(size)})


main()
