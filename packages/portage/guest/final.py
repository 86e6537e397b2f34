"""Makes the final tree of a prefix: merges what its programs need to run, looks whether that is all, and packs it."""

import json
import os
import re
import sys

sys.path.insert(0, "/strata/in/bin")

import portage_setup as setup  # noqa: E402

setup.become_portage()

import emerge_packages  # noqa: E402
import empty_root  # noqa: E402
import normalise  # noqa: E402
import pack  # noqa: E402
import self_contained  # noqa: E402


def write_masks(masks: list[str]) -> None:
    """Adds to INSTALL_MASK (make.conf(5)), which Portage takes as paths below EROOT."""
    if not masks:
        return
    before = ""
    path = f"{setup.CONFIGURATION}/etc/portage/make.conf"
    with open(path, encoding="utf-8") as file:
        found = re.search(r"^INSTALL_MASK='([^']*)'$", file.read(), re.MULTILINE)
    if found:
        before = f"{found.group(1)} "
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"INSTALL_MASK='{before}{' '.join(masks)}'\n")


def contents(package: str) -> list[str]:
    """The files of a merged package, as they will lie."""
    with open(f"{setup.database()}/{package}/CONTENTS", encoding="utf-8", errors="surrogateescape") as file:
        return [line.split(" ", 1)[1].rsplit(" ", 2)[0] for line in file if line.startswith("obj ")]


def named_packages(atoms: list[str], packages: list[str]) -> list[str]:
    from portage.dep import Atom, match_from_list

    return [cpv for cpv in packages if any(match_from_list(Atom(atom, allow_repo=True).without_repo, [cpv]) for atom in atoms)]


def check_by_loader(tree: self_contained.Tree) -> None:
    """Lets the prefix's own loader find the libraries of each program, in a root that has nothing else (ld.so(8), --list)."""
    prefix = tree.prefix
    if prefix.libc == "host":
        return
    arch = prefix.arch if prefix.foreign else None
    environment = {"LC_ALL": "C"}
    problems = []
    programs = [path for path, read in tree.elf.items() if read.interpreter is not None and read.interpreter != ""]
    for index, path in enumerate(programs):
        setup.progress(phase="check", subject=path, done=index, total=len(programs), unit="files")
        try:
            done = empty_root.run(setup.ROOT, arch, [prefix.loader, "--list", path], environment)
        except empty_root.CannotRun as error:
            print(f"not tried in an empty root: {error}", flush=True)
            return
        lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines()]
        missing = [line for line in lines if "not found" in line]
        outside = [line for line in lines if (found := re.search(r"=> (/\S+)", line)) and not tree.holds(found.group(1))]
        if done.returncode != 0 and not missing:
            missing = lines[-3:]
        problems.extend(f"{path}: {line}" for line in [*missing, *outside] if line)
    if problems:
        hint = "name the packages that have the libraries in the RDEPEND of those that need them"
        setup.fail(f"{prefix.path} is not self-contained", hint, self_contained.shown(problems))


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    packages = spec["packages"]
    setup.use_prefix(spec["prefix"])
    prefix = setup.prefix
    assert prefix is not None
    setup.prepare_reduced("/strata/in/snapshot", spec["chost"])
    write_masks(spec["masks"])
    emerge_packages.link_packages(packages)
    setup.take_environment(spec["chost"])
    emerge_packages.merge(packages)
    emerge_packages.add_to_world(spec["atoms"])
    normalise.normalise(setup.eroot(), packages)
    remove_environment(setup.eroot())
    setup.progress(phase="check")
    tree = self_contained.Tree(prefix)
    self_contained.check(tree)
    check_by_loader(tree)
    named = [path for package in named_packages(spec["atoms"], packages) for path in contents(package)]
    # Portage's records, and the C library and what belongs to it, which are to read the system's settings
    ignored = re.compile(rf"{re.escape(prefix.path)}/(?:var/.*|(?:.*/)?(?:ld-linux|lib(?:c|resolv|nss_\w+)\.so)[^/]*)")
    report = {
        "path": prefix.path,
        "size": sum(os.lstat(setup.ROOT + path).st_size for path in tree.files),
        "files": len(tree.files) + len(tree.links),
        "elf": len(tree.elf),
        "programs": self_contained.programs_of(tree, named),
        "scripts": self_contained.scripts_of(tree),
        "foreignPaths": self_contained.foreign_paths(tree, ignored),
    }
    setup.write("/strata/out/report.json", json.dumps(report, indent=1, sort_keys=True) + "\n")
    setup.progress(phase="pack")
    pack.pack_layer(pack.tree_entries(setup.ROOT, None), "layer.tar.zst", [])


def remove_environment(root: str) -> None:
    """Takes out what Portage's env-update writes for login shells and the loader of a whole system."""
    for name in ("csh.env", "environment.d", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "prelink.conf", "profile.env"):
        normalise.remove(root, f"etc/{name}")
    for folder in ("tmp", "etc", "var/tmp", "var/log", "var/cache"):
        if os.path.isdir(f"{root}/{folder}") and not os.listdir(f"{root}/{folder}"):
            os.rmdir(f"{root}/{folder}")


main()
