"""Reduces repositories and configuration to what reaches one package, or the merging of several.

Portage reads the same settings from it as from the whole, and nothing else is in it: a setting that does not reach a
package is not in that package's key.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable

import portage_setup as setup

# Set for each package by package.use, package.accept_keywords and package.license, as the plan has them.
PER_PACKAGE = frozenset({"USE", "ACCEPT_KEYWORDS", "ACCEPT_LICENSE", "ACCEPT_PROPERTIES", "ACCEPT_RESTRICT"})

# How Portage itself works on this machine: always our own.
PORTAGES_OWN = frozenset(
    {
        *re.findall(r"^([A-Z_]+)=", setup.own_settings(), re.MULTILINE),
        "EMERGE_DEFAULT_OPTS",
        "GENTOO_MIRRORS",
        "MAKEFLAGS",
        "MAKEOPTS",
        "NINJAOPTS",
        "PORTAGE_ARCHLIST",
        "PORTAGE_BINHOST",
        "PORTAGE_IONICE_COMMAND",
        "PORTAGE_NICENESS",
        "PROFILE_ONLY_VARIABLES",
    }
)

# What begins like this is about how Portage works, too; of it, these reach what is built.
OF_PORTAGE = ("PORTAGE_", "EMERGE_", "FETCHCOMMAND", "RESUMECOMMAND")
REACHING = frozenset({"PORTAGE_COMPRESS", "PORTAGE_COMPRESS_EXCLUDE_SUFFIXES", "PORTAGE_COMPRESS_FLAGS"})

# Applied when a package is merged; what is built does not depend on them.
OF_MERGING = frozenset({"COLLISION_IGNORE", "CONFIG_PROTECT", "CONFIG_PROTECT_MASK", "INSTALL_MASK", "UNINSTALL_IGNORE"})


def plain_lines(path: str) -> str:
    """A list of Portage's without comments and blank lines; shell text whose strings cross lines stays as it is."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        lines = file.read().splitlines()
    if "make." in os.path.basename(path) and any(line.count('"') % 2 or line.count("'") % 2 for line in lines):
        return "".join(f"{line}\n" for line in lines)
    kept = [line.rstrip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return "".join(f"{line}\n" for line in kept)


def copy_plain(source: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(plain_lines(source))


class Settings:
    """The layer's settings as Portage has read them, and what it takes to write a part of them."""

    def __init__(self, config: "config") -> None:
        defaults, conf = config.configdict["defaults"], config.configdict["conf"]
        expanded = {
            name
            for entry in (defaults, conf)
            for name in f"{entry.get('USE_EXPAND', '')} {entry.get('USE_EXPAND_HIDDEN', '')}".split()
        }
        # what every package gets without naming it comes from the variables, not from flags
        implicit = set(f"{defaults.get('USE_EXPAND_IMPLICIT', '')} {defaults.get('USE_EXPAND_UNPREFIXED', '')}".split())
        self.dropped = PER_PACKAGE | PORTAGES_OWN | (expanded - implicit)
        self.defaults, self.conf = dict(defaults), dict(conf)

    def write(self, folder: str, merging: bool) -> None:
        """Writes profile and make.conf, without what is said for each package apart.

        :param merging: whether packages are merged with it; else they are built
        """
        dropped = self.dropped if merging else self.dropped | OF_MERGING
        for path, values in (("profile/make.defaults", self.defaults), ("configuration/make.conf", self.conf)):
            lines = [
                f"{name}={quoted(name, value)}\n"
                for name, value in sorted(values.items())
                if name not in dropped and (name in REACHING or not name.startswith(OF_PORTAGE))
            ]
            setup.write(f"{folder}/{path}", "".join(lines))
        setup.write(f"{folder}/profile/eapi", "8\n")
        if os.path.isfile(f"{etc()}/bashrc"):
            copy(f"{etc()}/bashrc", f"{folder}/configuration/bashrc")
            if os.path.isdir(f"{etc()}/bashrc.d"):
                # Portage knows nothing of it: where there is one, the bashrc reads it
                shutil.copytree(f"{etc()}/bashrc.d", f"{folder}/configuration/bashrc.d")


def etc() -> str:
    return f"{setup.CONFIGURATION}/etc/portage"


def copy(source: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(source, target)


def quoted(name: str, value: str) -> str:
    """A value for make.conf as Portage's getconfig reads it: shlex's quotes around what it would expand."""
    if "'" not in value:
        return f"'{value}'"
    if re.search(r'["\\$]', value):
        setup.fail(f"{name} has both kinds of quotes, or a quote beside $ or a backslash", "write it with one kind")
    return f'"{value}"'


def lines_for(name: str, packages: "list[Package]") -> list[tuple[str, list[str]]]:
    """The lines of a list of /etc/portage whose atom matches one of the packages: (atom, words)."""
    from portage.dep import match_from_list
    from portage.util import grabfile

    path = f"{etc()}/{name}"
    if not os.path.exists(path):
        return []
    found = []
    for line in grabfile(path, recursive=1):
        atom, *words = line.split()
        if atom_matches(atom, packages, match_from_list):
            found.append((atom, words))
    return found


def atom_matches(text: str, packages: "list[Package]", match_from_list: "Callable") -> bool:
    from portage.dep import Atom
    from portage.exception import InvalidAtom

    try:
        atom = Atom(text, allow_wildcard=True, allow_repo=True)
    except InvalidAtom:
        setup.fail(f"{text} in `portageConfig` is no atom", "write category/name, with a version as in =category/name-1.0")
    return bool(match_from_list(atom, packages))


def write_lists(folder: str, packages: "list[Package]", use: dict[str, list[str]]) -> None:
    """Writes what /etc/portage says about these packages.

    :param use: enabled flags by `category/name-version`
    """
    configuration = f"{folder}/configuration"
    texts: dict[str, list[str]] = {"package.use": [], "package.accept_keywords": [], "package.license": []}
    for package in packages:
        enabled = use[package.cpv]
        disabled = sorted(set(package.iuse.all) - set(enabled))
        flags = [*enabled, *(f"-{flag}" for flag in disabled)]
        texts["package.use"].append(f"={package.cpv} {' '.join(flags)}\n" if flags else "")
        texts["package.accept_keywords"].append(f"={package.cpv} **\n")
        texts["package.license"].append(f"={package.cpv} *\n")
    for name, lines in texts.items():
        setup.write(f"{configuration}/{name}", "".join(lines))
    environments = []
    for atom, files in lines_for("package.env", packages):
        environments.append(f"{atom} {' '.join(files)}\n")
        for name in files:
            if os.path.isfile(f"{etc()}/env/{name}"):
                copy(f"{etc()}/env/{name}", f"{configuration}/env/{name}")
    if environments:
        setup.write(f"{configuration}/package.env", "".join(environments))


def write_bashrcs(folder: str, bashrcs: dict[str, list[str]]) -> None:
    """Writes the shell snippets that profiles have for packages: profile.bashrc and package.bashrc (portage(5)).

    :param bashrcs: their paths by `category/name-version`, in the order in which Portage reads them
    """
    names: dict[str, str] = {}
    lines = []
    for cpv, paths in bashrcs.items():
        for path in (path for path in paths if os.path.isfile(path)):
            if path not in names:
                names[path] = f"{len(names)}-{os.path.basename(path)}"
                copy(path, f"{folder}/configuration/profile/bashrc/{names[path]}")
        found = [names[path] for path in paths if path in names]
        if found:
            lines.append(f"={cpv} {' '.join(found)}\n")
    if lines:
        setup.write(f"{folder}/configuration/profile/package.bashrc", "".join(lines))


def write_user_files(folder: str, package: "Package", kinds: Iterable[str]) -> None:
    """Copies what the user has for a package under its name.

    :param kinds: `patches` (PMS, eapply_user), `env` (shell snippets: portage(5)), `savedconfig` (savedconfig.eclass, which
        looks in folders of a CHOST first)
    """
    category, pf = package.category, package.pf
    name = package.cp.partition("/")[2]
    version = package.cpv.partition("/")[2]
    plain = re.sub(r"-r\d+$", "", version)
    names = {f"{base}{slot}" for base in (name, plain, version, pf, f"{plain}-r0") for slot in ("", f":{package.slot}")}
    found = [f"{kind}/{category}/{entry}" for kind in kinds for entry in sorted(names)]
    if "savedconfig" in kinds and os.path.isdir(f"{etc()}/savedconfig"):
        hosts = sorted(os.listdir(f"{etc()}/savedconfig"))
        found += [f"savedconfig/{host}/{category}/{entry}" for host in hosts for entry in sorted(names)]
    for path in found:
        source, target = f"{etc()}/{path}", f"{folder}/configuration/{path}"
        if os.path.isdir(source):
            shutil.copytree(source, target)
        elif os.path.isfile(source):
            copy(source, target)


def write_repositories(folder: str, repositories: list[setup.Repository], categories: dict[str, set[str]]) -> None:
    """Writes what makes repositories such, without their packages.

    :param categories: of the packages that will be in them, by the name of the repository
    """
    for repository in repositories:
        write_repository(folder, repository, categories.get(repository.name, set()))
    entries = [[repository.name, repository.priority] for repository in repositories]
    setup.write(f"{folder}/repositories.json", json.dumps(entries))


def write_build_tools(folder: str, package: "Package", tools: "dbapi") -> None:
    """Writes the database entries of what a package declares to be needed to build, where the toolchain is not Gentoo.

    :param tools: the toolchain's database, as Portage knows it
    """
    from portage.dep import Atom, use_reduce

    if not setup.own_portage():
        return
    flat = use_reduce(
        package._metadata["BDEPEND"], uselist=package.use.enabled, eapi=package.eapi, flat=True, token_class=Atom
    )
    for atom in flat:
        for cpv in tools.match(atom) if isinstance(atom, Atom) and not atom.blocker else []:
            target = f"{folder}/broot/{cpv}"
            if not os.path.isdir(target):
                shutil.copytree(f"{setup.BROOT}/var/db/pkg/{cpv}", target)


def write_repository(folder: str, repository: setup.Repository, categories: Iterable[str]) -> None:
    """Writes what makes a repository one (PMS, Repository layout), without its packages and lists."""
    target = f"{folder}/repositories/{repository.name}"
    setup.write(f"{target}/profiles/repo_name", f"{repository.name}\n")
    for name in ("profiles/eapi", "profiles/arch.list", "metadata/layout.conf"):
        if os.path.isfile(f"{repository.location}/{name}"):
            copy_plain(f"{repository.location}/{name}", f"{target}/{name}")
    setup.write(f"{target}/profiles/categories", "".join(f"{name}\n" for name in sorted(set(categories))))


def tree_digest(folder: str) -> str:
    """The digest of a folder's content: paths, executable bits, link targets and bytes, but no times and owners."""
    total = hashlib.sha256()
    for current, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted([*names, *(name for name in folders if os.path.islink(os.path.join(current, name)))]):
            path = os.path.join(current, name)
            relative = os.path.relpath(path, folder)
            if os.path.islink(path):
                kind, content = "link", hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest()
            else:
                kind = "program" if os.stat(path).st_mode & 0o100 else "file"
                with open(path, "rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(os.fsencode(f"{kind} {content} {relative}") + b"\0")
    return total.hexdigest()
