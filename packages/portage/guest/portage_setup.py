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

OWN_PREFIX = "/opt/portage"
ROOT = "/strata/root"
WORK = "/strata/tmp"
CONFIGURATION = f"{WORK}/configuration"
BROOT = f"{WORK}/broot"
DISTDIR = f"{WORK}/distfiles"
BUILD = f"{WORK}/build"
LOGS = f"{WORK}/logs"
PACKAGES = f"{WORK}/packages"
DEFAULT_CHOST = "x86_64-pc-linux-gnu"

COMPILERS = ("gcc", "g++", "cpp", "cc", "c++")
PKG_CONFIG = ("pkg-config", "pkgconf")

# What ebuilds call by its name after CHOST. With link-time optimisation ar, nm and ranlib are the compiler's.
BINUTILS = (
    *("addr2line", "ar", "as", "c++filt", "elfedit", "gcc-ar", "gcc-nm", "gcc-ranlib", "gcov", "gprof", "ld", "ld.bfd"),
    *("nm", "objcopy", "objdump", "ranlib", "readelf", "size", "strings", "strip"),
)

# Of both boards, and of Gentoo's profiles for them.
LIBDIR = "lib64"
TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
LOADERS = {"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}

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


@dataclass(frozen=True)
class Prefix:
    """What is made for a path below ROOT (PMS, EPREFIX), maybe for another machine.

    `arch` as Gentoo's keywords have it; `libc` is `bundled` where the C library lies there too, else `host`.
    """

    path: str
    arch: str
    chost: str
    libc: str

    @property
    def triplet(self) -> str:
        """How Debian calls its machine."""
        return TRIPLETS[self.arch]

    @property
    def loader(self) -> str:
        """The dynamic loader that its programs name (System V ABI, PT_INTERP)."""
        system = LOADERS[self.arch]
        return f"{self.path}/usr/{LIBDIR}/{os.path.basename(system)}" if self.libc == "bundled" else system

    @property
    def foreign(self) -> bool:
        """Whether its programs are for another machine than the toolchain's."""
        return self.chost != DEFAULT_CHOST


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
    write_prefix_profile(f"{etc}/profile")
    os.symlink(profile, f"{etc}/make.profile")
    write_repositories(etc, repositories)


def write_prefix_profile(folder: str) -> None:
    """Adds a prefix's board to the user's part of the profile, and Gentoo's flags for prefixes."""
    if prefix is None:
        return
    arch, chost = prefix.arch, prefix.chost
    values = {
        "ARCH": arch,
        "ACCEPT_KEYWORDS": arch,
        "CHOST": chost,
        "ABI": arch,
        "DEFAULT_ABI": arch,
        "MULTILIB_ABIS": arch,
        f"CHOST_{arch}": chost,
        f"LIBDIR_{arch}": LIBDIR,
        "IUSE_IMPLICIT": "prefix prefix-guest prefix-stack",
    }
    if prefix.foreign:
        values["CBUILD"] = DEFAULT_CHOST
    text = "".join(f'{name}="{value}"\n' for name, value in values.items())
    path = f"{folder}/make.defaults"
    os.makedirs(folder, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"\n{text}")
    guest = "prefix-guest" if prefix.libc == "host" else "-prefix-guest"
    write(f"{folder}/use.force/99-strata", f"prefix\n{guest}\n-prefix-stack\n")


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
    """Compilers named after CHOST which look into ROOT, beside those of plain name; binutils need no help."""
    folder = f"{WORK}/shims"
    os.makedirs(folder)
    if prefix is not None:
        lay_out_prefix_shims(folder, prefix)
        return
    if not own_portage():
        return
    link_tools(folder, chost, COMPILERS, "/strata/in/shims/compiler", plain=True)
    link_tools(folder, chost, PKG_CONFIG, "/strata/in/shims/pkg-config", plain=True)
    for tool in BINUTILS:
        if os.path.exists(f"/usr/bin/{tool}"):
            os.symlink(f"/usr/bin/{tool}", f"{folder}/{chost}-{tool}")


def link_tools(folder: str, chost: str, tools: Iterable[str], target: str, plain: bool) -> None:
    for tool in tools:
        for name in (tool, f"{chost}-{tool}") if plain else (f"{chost}-{tool}",):
            os.symlink(target, f"{folder}/{name}")


def lay_out_prefix_shims(folder: str, made: Prefix) -> None:
    """Tools for a prefix: a compiler that makes programs look for loader and libraries there, whatever Makefiles say.

    For another machine only what is named after CHOST is for the prefix; else plain names are, too.
    """
    real = {name: real_compiler(made, name) for name in ("gcc", "g++", "cpp")}
    if real["gcc"] is None:
        hint = {"arm64": "add crossbuild-essential-arm64 to the toolchain's packages"}.get(made.arch, "add gcc and g++ to it")
        fail(f"the toolchain has no compiler for {made.chost}", hint)
    words = {"eprefix": made.path, "libdir": LIBDIR, "loader": made.loader}
    words |= {f"real_{name.replace('+', 'p')}": path or "" for name, path in real.items()}
    write(f"{WORK}/prefix.sh", "".join(f"{name}='{value}'\n" for name, value in words.items()))
    link_tools(folder, made.chost, COMPILERS, "/strata/in/shims/prefix-compiler", plain=not made.foreign)
    link_tools(folder, made.chost, PKG_CONFIG, "/strata/in/shims/pkg-config", plain=not made.foreign)
    for tool in BINUTILS:
        target = f"/usr/bin/{made.triplet}-{tool}"
        if not os.path.exists(target) and not made.foreign:
            target = f"/usr/bin/{tool}"
        if os.path.exists(target):
            os.symlink(target, f"{folder}/{made.chost}-{tool}")
    if made.foreign:
        for tool in (*COMPILERS, *PKG_CONFIG, *BINUTILS):
            if os.path.exists(f"/usr/bin/{tool}"):
                os.symlink(f"/usr/bin/{tool}", f"{folder}/{DEFAULT_CHOST}-{tool}")


def real_compiler(made: Prefix, name: str) -> str | None:
    """The toolchain's own compiler for a machine: Debian's, Gentoo's, or the one of plain name."""
    candidates = [f"/usr/bin/{made.triplet}-{name}", f"/usr/bin/{made.chost}-{name}"]
    if not made.foreign:
        candidates.append(f"/usr/bin/{name}")
    return next((path for path in candidates if os.path.exists(path)), None)


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

