"""Plans a layer: asks Portage what it would merge, and writes down everything of the repositories that shapes it.

Leaves `plan.json` (canonical) and `snapshot.tar.zst`: for each package, just what of the repositories and of the
configuration reaches its build, shell text in canonical form; and the same for merging them. Runs in a toolchain.
"""

import hashlib
import io
import json
import os
import re
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout

sys.path.insert(0, "/strata/in/bin")

import portage_setup as setup  # noqa: E402

setup.become_portage()

import assumed  # noqa: E402
import canonical  # noqa: E402
import closure  # noqa: E402
import debian_packages  # noqa: E402
import pack  # noqa: E402
import reduced  # noqa: E402

SNAPSHOT = f"{setup.WORK}/snapshot"
RECORDED = ("DEPEND", "RDEPEND", "BDEPEND", "PDEPEND", "IDEPEND")


def digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def write_stub(package: dict) -> None:
    """A database entry of a package that is planned, and so known, but not there."""
    values = {
        "CATEGORY": package["category"],
        "PF": package["pf"],
        "SLOT": package["slot"],
        "EAPI": package["eapi"],
        "KEYWORDS": package["keywords"],
        "IUSE": package["iuse"],
        "USE": " ".join(package["use"]),
        "repository": package["repository"],
        "COUNTER": "0",
        "BUILD_TIME": "0",
        "CONTENTS": "",
        **package["dependencies"],
    }
    for field, value in values.items():
        setup.write(f"{setup.database()}/{package['category']}/{package['pf']}/{field}", f"{value}\n" if value else "")


def write_parents(plans: list[dict]) -> None:
    world = set()
    for plan in plans:
        for package in plan["packages"]:
            for replaced in package["replaces"]:
                shutil.rmtree(f"{setup.database()}/{replaced}", ignore_errors=True)
            write_stub(package)
        world.update(plan["atoms"])
    if world:
        # without its parents' atoms a child breaks them silently: Portage would not see what needs a rebuild
        setup.write(f"{setup.eroot()}/var/lib/portage/world", "".join(f"{atom}\n" for atom in sorted(world)))


def resolve(atoms: list[str]) -> "depgraph":
    """Portage's own answer. Ends the action with Portage's words where it refuses."""
    import portage.output
    from _emerge.actions import load_emerge_config
    from _emerge.create_depgraph_params import create_depgraph_params
    from _emerge.depgraph import backtrack_depgraph
    from _emerge.stdout_spinner import stdout_spinner

    options = {
        "--oneshot": True,
        "--pretend": True,
        "--quiet": True,
        "--noreplace": True,
        "--changed-use": True,
        "--color": "n",
        "--autounmask": "n",
        "--complete-graph-if-new-ver": "y",
        "--complete-graph-if-new-use": "y",
        "--root-deps": None,
    }
    options = {name: value for name, value in options.items() if value is not None}
    portage.output.nocolor()
    words = io.StringIO()
    with redirect_stdout(words), redirect_stderr(words):
        config = load_emerge_config(action=None, args=[], opts=options)
        spinner = stdout_spinner()
        parameters = create_depgraph_params(options, None)
        success, graph, _ = backtrack_depgraph(
            config.target_config.settings, config.trees, options, parameters, None, atoms, spinner
        )
        if not success:
            graph.display_problems()
    if not success:
        rejected(words.getvalue(), atoms)
    return graph


def missing_hint(atom: str) -> str:
    from portage.dep import dep_getkey

    tools = debian_packages.debian_names(dep_getkey(atom)) if setup.own_portage() else []
    if tools:
        return f"name the repository that has it, or, where it is needed to build, add {' or '.join(tools)} to the toolchain"
    return "correct the atom, or name the repository that has it"


def rejected(words: str, atoms: list[str]) -> None:
    lines = [line.rstrip() for line in words.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("Calculating dependencies", "... done"))]
    missing = re.search(r'there are no ebuilds to satisfy "([^"]+)"', words)
    masked = re.search(r'All ebuilds that could satisfy "([^"]+)"', words)
    if missing:
        setup.fail(f"no repository has {missing.group(1)}", missing_hint(missing.group(1)), lines)
    if masked:
        hint = "unmask it in `portageConfig` (package.accept_keywords, package.unmask, package.license)"
        setup.fail(f"{masked.group(1)} is masked", hint, lines)
    if re.search(r"USE|REQUIRED_USE|use flag", words):
        hint = "set the flags in `portageConfig` (package.use) so that all packages agree"
        setup.fail("Portage finds USE flags that do not fit", hint, lines)
    setup.fail(f"Portage cannot plan {', '.join(atoms)}", "see Portage's words", lines)


def bind_slots(text: str, use: list[str], eapi: str, known: dict[str, list[tuple[str, str]]]) -> str:
    """A dependency with its `:=` bound to the slot that it is built against (PMS, Slot Dependencies).

    Without it a child could replace a library under its parents' packages, and Portage would not see it.

    :param known: slots and sub-slots of the planned and the parents' packages, by `category/name`
    """
    from portage.dep import Atom, paren_enclose, use_reduce

    def bind(node: object) -> object:
        if isinstance(node, list):
            return [bind(inner) for inner in node]
        if isinstance(node, Atom) and node.slot_operator == "=" and not node.blocker:
            fitting = [slots for slots in known.get(node.cp, []) if node.slot in (None, slots[0])]
            if fitting:
                slot, sub_slot = fitting[-1]
                return str(node.with_slot(f"{slot}/{sub_slot}="))
        return str(node)

    return paren_enclose(bind(use_reduce(text, uselist=use, eapi=eapi, token_class=Atom)))


def known_slots(parents: list[dict], packages: list[dict]) -> dict[str, list[tuple[str, str]]]:
    known: dict[str, list[tuple[str, str]]] = {}
    for package in [*(inner for plan in parents for inner in plan["packages"]), *packages]:
        slot, _, sub_slot = package["slot"].partition("/")
        known.setdefault(f"{package['category']}/{package['pn']}", []).append((slot, sub_slot or slot))
    return known


def describe(graph: "depgraph", package: "Package", replaced: list[str]) -> dict:
    import portage
    from portage.versions import catsplit

    trees = graph._frozen_config.trees
    ebuilds = trees[package.root]["porttree"].dbapi
    settings = graph._frozen_config.pkgsettings[package.root]
    settings.setcpv(package)
    path = ebuilds.findname(package.cpv, myrepo=package.repo)
    location = ebuilds.repositories[package.repo].location
    folder = os.path.dirname(path)
    category, pf = catsplit(package.cpv)
    use = sorted(package.use.enabled)
    wanted = ebuilds.getFetchMap(package.cpv, useflags=use, mytree=location)
    manifest = ebuilds.repositories[package.repo].load_manifest(folder, settings["DISTDIR"]).fhashdict.get("DIST", {})
    distfiles = []
    for name, uris in sorted(wanted.items()):
        if name not in manifest:
            hint = f"write it: ebuild {os.path.basename(path)} manifest"
            setup.fail(f"the Manifest of {package.cp} does not have {name}", hint)
        hashes = {kind: value for kind, value in sorted(manifest[name].items()) if kind != "size"}
        distfiles.append({"name": name, "size": manifest[name]["size"], "hashes": hashes, "uris": list(uris)})
    slot = package.slot if package.sub_slot == package.slot else f"{package.slot}/{package.sub_slot}"
    return {
        "cpv": package.cpv,
        "category": category,
        "pf": pf,
        "pn": catsplit(package.cp)[1],
        "slot": slot,
        "repository": package.repo,
        "eapi": package.eapi,
        "keywords": package._metadata["KEYWORDS"],
        "iuse": package._metadata["IUSE"],
        "use": use,
        "dependencies": {field: package._metadata[field] for field in RECORDED},
        "distfiles": distfiles,
        "replaces": replaced,
        "inherited": sorted(package._metadata["INHERITED"].split()),
        "bashrcs": list(settings._pbashrc),
        "path": path,
        "package": package,
        "restrict": sorted(portage.dep.use_reduce(package._metadata["RESTRICT"], uselist=use, flat=True)),
    }


def tool_hint(name: str) -> str:
    """What to do where the toolchain lacks a package (`category/name`)."""
    if not setup.own_portage():
        return "take a toolchain that has it"
    known = " or ".join(debian_packages.debian_names(name))
    if not known:
        return "none of Debian's packages stands for it: take a toolchain that has it, as a stage3 does"
    return f"add {known} to the toolchain's packages"


def needed(graph: "depgraph") -> list[dict]:
    merged = [item for item in graph.altlist() if getattr(item, "operation", None) == "merge"]
    for package in merged:
        if package.root.rstrip("/") != setup.eroot():
            setup.fail(f"{package.cpv} is needed to build, and the toolchain does not have it", tool_hint(package.cp))
    result = []
    installed = graph._frozen_config.trees[merged[0].root]["vartree"].dbapi if merged else None
    for package in merged:
        replaced = [str(other) for other in installed.match(package.slot_atom)]
        result.append(describe(graph, package, sorted(replaced)))
    return result


def snapshot(
    packages: list[dict], repositories: list[setup.Repository], settings: reduced.Settings, tools: "dbapi"
) -> dict[str, str]:
    """Fills SNAPSHOT: a folder for each package with all that its build reads, and one for merging them all.

    :returns: the digest of each ebuild's and eclass's canonical text, by its path
    """
    sources: dict[str, list[str]] = {}
    categories: dict[str, set[str]] = {}
    for package in packages:
        folder = f"{SNAPSHOT}/packages/{package['cpv']}"
        categories.setdefault(package["repository"], set()).add(package["category"])
        reduced.write_repositories(folder, repositories, {package["repository"]: {package["category"]}})
        reduced.write_build_tools(folder, package["package"], tools)
        settings.write(folder, merging=False)
        reduced.write_lists(folder, [package["package"]], {package["cpv"]: package["use"]})
        reduced.write_bashrcs(folder, {package["cpv"]: package["bashrcs"]})
        reduced.write_user_files(folder, package["package"], ("patches", "env", "savedconfig"))
        target = f"{folder}/repositories/{package['repository']}/{package['category']}/{package['pn']}"
        os.makedirs(target)
        ebuild = os.path.basename(package["path"])
        sources.setdefault(package["path"], []).append(f"{target}/{ebuild}")
        files = f"{os.path.dirname(package['path'])}/files"
        if os.path.isdir(files):
            shutil.copytree(files, f"{target}/files", symlinks=True)
        setup.write(f"{target}/Manifest", "".join(manifest_line(distfile) for distfile in package["distfiles"]))
        for name, (path, repository_name) in package["eclass_paths"].items():
            eclass = f"{folder}/repositories/{repository_name}/eclass/{name}.eclass"
            sources.setdefault(path, []).append(eclass)
    merging = f"{SNAPSHOT}/merge"
    reduced.write_repositories(merging, repositories, categories)
    settings.write(merging, merging=True)
    known = [package["package"] for package in packages]
    reduced.write_lists(merging, known, {package["cpv"]: package["use"] for package in packages})
    reduced.write_bashrcs(merging, {package["cpv"]: package["bashrcs"] for package in packages})
    for package in known:
        reduced.write_user_files(merging, package, ("env",))
    return write_canonical(sources)


def manifest_line(distfile: dict) -> str:
    hashes = " ".join(f"{kind} {value}" for kind, value in distfile["hashes"].items())
    return f"DIST {distfile['name']} {distfile['size']} {hashes}\n"


def write_canonical(sources: dict[str, list[str]]) -> dict[str, str]:
    scratch = f"{setup.WORK}/canonical"
    os.makedirs(scratch)
    digests = {}
    for path, text in canonical.canonical_forms(sorted(sources), scratch).items():
        first, *others = sources[path]
        setup.write(first, text)
        for other in others:
            os.makedirs(os.path.dirname(other), exist_ok=True)
            os.link(first, other)
        digests[path] = hashlib.sha256(text.encode()).hexdigest()
    return digests


def files_below(folder: str) -> dict[str, str]:
    found = {}
    for current, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(current, name)
            kept = digest(path) if not os.path.islink(path) else "link:" + os.readlink(path)
            found[os.path.relpath(path, folder)] = kept
    return dict(sorted(found.items()))


def staying(parents: list[dict], packages: list[dict]) -> list[dict]:
    """The parents' packages that are still there when the layer's are merged."""
    there: dict[str, dict] = {}
    for plan in [*parents, {"packages": packages}]:
        for package in plan["packages"]:
            for replaced in package["replaces"]:
                there.pop(replaced, None)
            there[package["cpv"]] = package
    return [package for cpv, package in there.items() if cpv not in {own["cpv"] for own in packages}]


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    setup.progress(phase="plan", subject=" ".join(spec["atoms"]))
    repositories = setup.prepare_whole(spec)
    profile = setup.profile_of(spec, repositories)
    parents = []
    for index in range(spec["parents"]):
        with open(f"/strata/in/parents/{index}.json", encoding="utf-8") as file:
            parents.append(json.load(file))
    os.makedirs(setup.database(), exist_ok=True)
    write_parents(parents)
    ebuilds = {package["cpv"]: package["ebuild"] for plan in parents for package in plan["packages"]}
    installed = assumed.installed(ebuilds)
    if setup.own_portage():
        known = debian_packages.Ebuilds([named.location for named in repositories])
        debian_packages.write_database(f"{setup.BROOT}/var/db/pkg", known)
    setup.take_environment(setup.chost())
    graph = resolve(spec["atoms"])
    packages = needed(graph)
    slots = known_slots(parents, packages)
    for package in packages:
        bound = {
            field: bind_slots(text, package["use"], package["eapi"], slots) if "=" in text else text
            for field, text in package["dependencies"].items()
        }
        package["dependencies"] = bound
    settings = graph._frozen_config.roots[next(iter(graph._frozen_config.roots))].settings
    for root, config in graph._frozen_config.roots.items():
        if root.rstrip("/") == setup.eroot():
            settings = config.settings
    ebuilds = graph._frozen_config.trees[settings["EROOT"]]["porttree"].dbapi
    for package in packages:
        eclasses = ebuilds.repositories[package["repository"]].eclass_db.eclasses
        names = {os.path.realpath(named.location): named.name for named in repositories}
        package["eclass_paths"] = {
            name: (eclasses[name].location, names[os.path.realpath(os.path.dirname(os.path.dirname(eclasses[name].location)))])
            for name in package["inherited"]
        }
    tools = graph._frozen_config.trees[graph._frozen_config._running_root.root]["vartree"].dbapi
    system = [atom.lstrip("*") for atom in settings.packages if atom.startswith("*")]
    digests = snapshot(packages, repositories, reduced.Settings(settings), tools)
    for package in packages:
        package["ebuild"] = digests[package.pop("path")]
        package["eclasses"] = {name: digests[path] for name, (path, _) in sorted(package.pop("eclass_paths").items())}
        package["files"] = files_below(
            f"{SNAPSHOT}/packages/{package['cpv']}/repositories/{package['repository']}"
            f"/{package['category']}/{package['pn']}/files"
        )
        package["snapshot"] = reduced.tree_digest(f"{SNAPSHOT}/packages/{package['cpv']}")
        del package["bashrcs"], package["inherited"], package["package"]
    closures = closure.Closures([*staying(parents, packages), *packages], system)
    for package in packages:
        package["needs"] = closures.of(package["cpv"])
    plan = {
        "schema": 1,
        "atoms": sorted(spec["atoms"]),
        "profile": profile,
        "repositories": [{"name": named.name, "priority": named.priority} for named in repositories],
        "settings": {name: settings.get(name, "") for name in ("ARCH", "CFLAGS", "CHOST", "CXXFLAGS", "LDFLAGS")},
        "installed": installed,
        "packages": packages,
        "merge": reduced.tree_digest(f"{SNAPSHOT}/merge"),
    }
    if setup.prefix is not None:
        plan["runtime"] = closures.to_run(spec["atoms"])
    setup.write("/strata/out/plan.json", json.dumps(plan, sort_keys=True, indent=1) + "\n")
    os.makedirs(SNAPSHOT, exist_ok=True)
    pack.pack_layer(pack.tree_entries(SNAPSHOT, None), "snapshot.tar.zst", [])


main()
