"""Runs a tool of Portage's, or a shell, in the staging root of a prefix, with the whole repositories and configuration."""

import json
import os
import shutil
import sys

sys.path.insert(0, "/strata/in/bin")

import portage_setup as setup  # noqa: E402

setup.become_portage()

import debian_packages  # noqa: E402
import emerge_packages  # noqa: E402

PORTAGE_BIN = f"{setup.OWN_PREFIX}/lib/portage/bin"
SHIMS = f"{setup.WORK}/shims"


def lay_out_tools() -> None:
    """Portage's own tools by their names, where Portage is ours and lies beside the PATH."""
    if not setup.own_portage():
        return
    for name in ("emerge", "ebuild", "portageq", "quickpkg", "emaint"):
        setup.write(f"{SHIMS}/{name}", f'#!/bin/sh\nexec {sys.executable} -B {PORTAGE_BIN}/{name} "$@"\n')
        os.chmod(f"{SHIMS}/{name}", 0o755)


def command(tool: str, words: list[str]) -> list[str]:
    if tool == "shell":
        setup.write(f"{setup.WORK}/bashrc", "PS1='prefix \\w \\$ '\n")
        return ["bash", "--rcfile", f"{setup.WORK}/bashrc", *words]
    if shutil.which(tool) is None:
        print(f"error: the toolchain of the prefix has no {tool}", file=sys.stderr)
        package = "app-portage/gentoolkit" if tool == "equery" else "sys-apps/portage"
        print(f"hint: give the prefix a `toolchain:` with {package} in it, such as one from a stage3", file=sys.stderr)
        sys.exit(1)
    return [tool, *words]


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    with open("/strata/in/tool.json", encoding="utf-8") as file:
        asked = json.load(file)
    repositories = setup.prepare_whole(spec)
    if setup.own_portage():
        ebuilds = debian_packages.Ebuilds([named.location for named in repositories])
        debian_packages.write_database(f"{setup.BROOT}/var/db/pkg", ebuilds)
    lay_out_tools()
    setup.link_distfiles()
    emerge_packages.link_packages(asked["packages"])
    jobs = os.environ.get("STRATA_JOBS", "1")
    terminal = os.environ.get("TERM", "dumb")
    assert setup.prefix is not None
    setup.take_environment(setup.prefix.chost)
    os.environ.update(TERM=terminal, MAKEOPTS=f"-j{jobs}", EROOT=setup.eroot())
    os.chdir(setup.eroot() if os.path.isdir(setup.eroot()) else "/")
    words = command(asked["tool"], asked["words"])
    os.execvp(words[0], words)


main()
