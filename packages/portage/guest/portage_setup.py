"""What planning and merging share: Portage's configuration, the root that builds run in, a clean environment.

Import it before Portage: it starts the Python that Portage is installed for, and sets the environment that Portage reads.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

import tool_shims
from prefix import DEFAULT_CHOST, Prefix

OWN_PREFIX = "/opt/portage"
ROOT = "/strata/root"
WORK = "/strata/tmp"
CONFIGURATION = f"{WORK}/configuration"
BROOT = f"{WORK}/broot"
DISTDIR = f"{WORK}/distfiles"
BUILD = f"{WORK}/build"
LOGS = f"{WORK}/logs"
PACKAGES = f"{WORK}/packages"

# Fixed, whatever a profile wants: what is switched on here reaches the bytes of every package.
FEATURES = (
    "-* assume-digests binpkg-docompress binpkg-dostrip binpkg-ignore-signature config-protect-if-modified fixlafiles"
    " jobserver-token multilib-strict preserve-libs protect-owned strict unknown-features-warn unmerge-orphans xattr"
)

# Files of /etc/portage that Portage also takes as folders of files.
LISTS = re.compile(r"(package|profile/package)\.[a-z_.]+|profile/use\.[a-z_.]+|categories|modules|binrepos\.conf")


@dataclass(frozen=True)
class Repository:
    name: str
    location: str
    priority: int | None


# What is made: a prefix, else a layer.
prefix: Prefix | None = None


def use_prefix(spec: dict | None) -> None:
    """Says that what is made is a prefix, and makes it run in the toolchain where it lies, as it will in the end."""
    global prefix
    if spec is None:
        return
    prefix = Prefix(**spec)
    if prefix.foreign:
        return
    if os.path.lexists(prefix.path):
        fail(f"the toolchain has a {prefix.path} of its own", "choose another `path:`, or another toolchain")
    os.makedirs(os.path.dirname(prefix.path), exist_ok=True)
    os.symlink(f"{ROOT}{prefix.path}", prefix.path)


def eroot() -> str:
    """Where packages are merged (PMS, EROOT)."""
    return ROOT if prefix is None else f"{ROOT}{prefix.path}"


def database() -> str:
    """The folder of the package database."""
    return f"{eroot()}/var/db/pkg"


def fail(message: str, hint: str, details: Iterable[str] = ()) -> NoReturn:
    """Ends the action with a mistake of the user, told to the caller."""
    report = {"message": message, "hint": hint, "details": list(details)}
    sys.stderr.flush()
    print("::strata-error:: " + json.dumps(report), flush=True)
    sys.exit(1)


def progress(**values: object) -> None:
    print("::strata:: " + json.dumps(values), flush=True)


def own_portage() -> bool:
    """Whether Portage is ours, in a toolchain that is not Gentoo; else it is the toolchain's own, as in a stage3."""
    return os.path.isdir(OWN_PREFIX)


def become_portage() -> None:
    """Continues in the Python environment that Portage is installed in, with nothing of the caller's environment."""
    python = f"{OWN_PREFIX}/bin/python3"
    if own_portage() and sys.prefix != OWN_PREFIX:
        os.execv(python, [python, "-B", *sys.argv])


def environment(chost: str = DEFAULT_CHOST) -> dict[str, str]:
    """Everything that Portage and ebuilds find in their environment: any other variable would leak into builds."""
    variables = {
        "PATH": "/strata/in/shims:/strata/tmp/shims:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PREROOTPATH": "/strata/in/shims:/strata/tmp/shims",
        "HOME": "/tmp",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "NOCOLOR": "true",
        "EPREFIX": "" if prefix is None else prefix.path,
        "ROOT": ROOT,
        "SYSROOT": ROOT,
        "PORTAGE_CONFIGROOT": CONFIGURATION,
        "EMERGE_LOG_DIR": LOGS,
        "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", "0"),
        "KCONFIG_NOTIMESTAMP": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if own_portage():
        variables["PORTAGE_OVERRIDE_EPREFIX"] = BROOT
        variables["PATH"] = f"{variables['PATH']}:{OWN_PREFIX}/bin"
    return variables


def write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def is_list(relative: str) -> bool:
    top = relative.split("/")
    return any(LISTS.fullmatch("/".join(top[:depth])) for depth in (1, 2))


def lay_out_configuration(folders: list[str], repositories: list[Repository], profile: str) -> None:
    """Makes PORTAGE_CONFIGROOT of the folders of a layer and its parents, the lowest parent's first.

    Lists are added to each other; of all other files, the layer's own wins; make.conf files follow each other.
    """
    etc = f"{CONFIGURATION}/etc/portage"
    make_conf = ['CFLAGS="-O2 -pipe"\nCXXFLAGS="${CFLAGS}"\n']
    for index, folder in enumerate(folders):
        for current, _, names in sorted(os.walk(folder)):
            for name in sorted(names):
                source = os.path.join(current, name)
                relative = os.path.relpath(source, folder)
                if relative == "make.conf" or relative.startswith("make.conf/"):
                    with open(source, encoding="utf-8") as file:
                        make_conf.append(file.read() + "\n")
                    continue
                target = f"{etc}/{relative}"
                if is_list(relative):
                    list_name, _, rest = relative.partition("/")
                    if list_name == "profile":
                        second, _, rest = rest.partition("/")
                        list_name = f"profile/{second}"
                    target = f"{etc}/{list_name}/{index:02}-{rest.replace('/', '-') or 'file'}"
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(source, target, follow_symlinks=True)
                shutil.copymode(source, target)
    make_conf.append(own_settings())
    write(f"{etc}/make.conf", "".join(make_conf))
    if prefix is not None:
        prefix.write_profile(f"{etc}/profile")
    os.symlink(profile, f"{etc}/make.profile")
    write_repositories(etc, repositories)


def own_settings() -> str:
    return f"""
FEATURES="{FEATURES}"
DISTDIR="{DISTDIR}"
PKGDIR="{PACKAGES}"
BINPKG_FORMAT="gpkg"
BINPKG_COMPRESS="zstd"
BINPKG_COMPRESS_FLAGS="-1"
PORTAGE_TMPDIR="{BUILD}"
PORTAGE_LOGDIR=""
GENTOO_MIRRORS=""
FETCHCOMMAND="false \\${{FILE}}"
RESUMECOMMAND="false \\${{FILE}}"
CONFIG_PROTECT="-*"
PORTAGE_USERNAME="root"
PORTAGE_GRPNAME="root"
PORTAGE_ELOG_SYSTEM=""
PORTAGE_ELOG_CLASSES=""
EMERGE_DEFAULT_OPTS=""
PORTDIR=""
"""


def profile_folder(repositories: list[Repository], profile: str) -> str:
    """Where a profile lies that is given as `repository:path`."""
    name, _, path = profile.partition(":")
    location = next((entry.location for entry in repositories if entry.name == name), None)
    if location is None or not os.path.isdir(f"{location}/profiles/{path}"):
        known = ", ".join(entry.name for entry in repositories)
        fail(f"there is no profile {profile}", f"a profile is `repository:path`, of one of {known}")
    return f"{location}/profiles/{path}"


def write_repositories(etc: str, repositories: list[Repository]) -> None:
    main = repositories[0].name
    lines = [f"[DEFAULT]\nmain-repo = {main}\n"]
    for repository in repositories:
        lines.append(f"[{repository.name}]\nlocation = {repository.location}\nauto-sync = no\nvolatile = no\n")
        if repository.priority is not None:
            lines.append(f"priority = {repository.priority}\n")
    write(f"{etc}/repos.conf/strata.conf", "\n".join(lines))


def lay_out_broot(repositories: list[Repository], profile: str) -> None:
    """Makes the root that builds run in known to Portage, where it is not Gentoo (see `debian_packages.py`)."""
    if not own_portage():
        return
    etc = f"{BROOT}/etc/portage"
    for name in ("make.globals", "sets", "binrepos.conf"):
        source = f"{OWN_PREFIX}/share/portage/config/{name}"
        target = f"{BROOT}/share/portage/config/{name}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.exists(source):
            os.symlink(source, target)
    write(f"{BROOT}/share/portage/config/repos.conf", "")
    write(f"{etc}/make.conf", own_settings())
    os.symlink(profile, f"{etc}/make.profile")
    write_repositories(etc, repositories)
    if prefix is not None:
        # the profile of a prefix may leave to the board what the toolchain is, too
        toolchain = Prefix("", "amd64", DEFAULT_CHOST, "host")
        write(f"{etc}/profile/make.defaults", toolchain.make_defaults())
    for name in ("usr", "bin", "sbin", "lib", "lib64"):
        os.symlink(f"/{name}", f"{BROOT}/{name}")
    gnuconfig = f"{WORK}/gnuconfig"
    if os.path.isdir("/usr/share/misc") and not os.path.exists("/usr/share/gnuconfig"):
        os.makedirs(gnuconfig)
        for name in ("config.guess", "config.sub"):
            if os.path.exists(f"/usr/share/misc/{name}"):
                shutil.copy(f"/usr/share/misc/{name}", gnuconfig)
        os.symlink(gnuconfig, "/usr/share/gnuconfig")


def lay_out_shims(chost: str) -> None:
    folder = f"{WORK}/shims"
    os.makedirs(folder)
    if prefix is None:
        if own_portage():
            tool_shims.for_layer(folder, chost)
        return
    problem = tool_shims.for_prefix(folder, prefix)
    if problem is not None:
        packages = f"crossbuild-essential-{prefix.arch}" if prefix.foreign else "gcc and g++"
        fail(problem, f"add {packages} to the toolchain's packages")


def lay_out(repositories: list[Repository], profile: str, chost: str) -> None:
    os.umask(0o022)
    for folder in (CONFIGURATION, DISTDIR, BUILD, LOGS, PACKAGES):
        os.makedirs(folder, exist_ok=True)
    lay_out_shims(chost)
    lay_out_broot(repositories, profile)


def prepare(folders: list[str], repositories: list[Repository], profile: str, chost: str = DEFAULT_CHOST) -> None:
    """Sets Portage up with the whole configuration of a layer and its parents, and a profile `repository:path`."""
    path = profile_folder(repositories, profile)
    lay_out(repositories, path, chost)
    lay_out_configuration(folders, repositories, path)


def prepare_whole(spec: dict) -> list[Repository]:
    """Sets Portage up with whole repositories and the whole configuration, as the parameters of a plan name them."""
    use_prefix(spec.get("prefix"))
    repositories = []
    for entry in spec["repositories"]:
        location = f"/strata/in/repositories/{entry['name']}"
        repositories.append(Repository(repository_name(location, entry["name"]), location, entry.get("priority")))
    folders = [f"/strata/in/configuration/{index}" for index in range(spec["configurations"])]
    prepare(folders, repositories, profile_of(spec, repositories), chost())
    return repositories


def profile_of(spec: dict, repositories: list[Repository]) -> str:
    """The profile of a plan as `repository:path`, with the name that the repository gives itself."""
    repository, _, path = spec["profile"].partition(":")
    known = {entry["name"]: named.name for entry, named in zip(spec["repositories"], repositories, strict=True)}
    # without a path of its own a profile would be looked for in folders that are not there
    return f"{known.get(repository, repository)}:{path}"


def chost() -> str:
    """The machine that packages are for where no plan says it."""
    return DEFAULT_CHOST if prefix is None else prefix.chost


def prepare_reduced(folder: str, chost: str) -> None:
    """Sets Portage up with what `reduced.py` left in a folder."""
    names = sorted(os.listdir(f"{folder}/repositories"))
    with open(f"{folder}/repositories.json", encoding="utf-8") as file:
        entries = json.load(file)
    repositories = [Repository(name, f"{folder}/repositories/{name}", priority) for name, priority in entries]
    assert sorted(entry.name for entry in repositories) == names
    lay_out(repositories, f"{folder}/profile", chost)
    if os.path.isdir(f"{folder}/broot"):
        shutil.copytree(f"{folder}/broot", f"{BROOT}/var/db/pkg")
    etc = f"{CONFIGURATION}/etc/portage"
    shutil.copytree(f"{folder}/configuration", etc)
    with open(f"{etc}/make.conf", "a", encoding="utf-8") as file:
        file.write(own_settings())
    os.symlink(f"{folder}/profile", f"{etc}/make.profile")
    write_repositories(etc, repositories)


def link_distfiles() -> None:
    """Lays what was fetched out as DISTDIR (make.conf(5))."""
    if os.path.isdir("/strata/in/distfiles"):
        for name in os.listdir("/strata/in/distfiles"):
            os.symlink(f"/strata/in/distfiles/{name}", f"{DISTDIR}/{name}")


def take_environment(chost: str = DEFAULT_CHOST) -> None:
    variables = environment(chost)
    os.environ.clear()
    os.environ.update(variables)


def repository_name(location: str, fallback: str) -> str:
    """The name that a repository gives itself (PMS, Repository layout: profiles/repo_name)."""
    try:
        with open(f"{location}/profiles/repo_name", encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return fallback


def emerge() -> list[str]:
    """The command line that starts Portage's emerge."""
    if own_portage():
        return [sys.executable, "-B", f"{OWN_PREFIX}/lib/portage/bin/emerge"]
    return ["emerge"]


def run_emerge(words: list[str], on_line: Callable[[str], None]) -> int:
    """Runs emerge, passes on what it prints, and gives back its exit status; ends it when this process is to end."""
    with subprocess.Popen(
        [*emerge(), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.kill())
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            on_line(line)
        return process.wait()


def installed_packages() -> list[str]:
    """The packages in the database of ROOT, as `category/name-version`."""
    folder = database()
    if not os.path.isdir(folder):
        return []
    return sorted(
        f"{category}/{package}"
        for category in os.listdir(folder)
        for package in os.listdir(f"{folder}/{category}")
        if not package.startswith("-MERGING-")
    )

