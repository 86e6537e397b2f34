"""Bare emerge of packages into one ROOT, in the same toolchain and with the same settings as Strata's own builds."""

import json
import os
import subprocess
import sys

sys.path.insert(0, "/strata/in/bin")

import portage_setup as setup  # noqa: E402

setup.become_portage()

import debian_packages  # noqa: E402

with open("/strata/in/spec.json", encoding="utf-8") as file:
    spec = json.load(file)
repositories = [setup.Repository("main", "/strata/in/repository", None)]
setup.prepare(["/strata/in/configuration"], repositories, spec["profile"])
known = debian_packages.Ebuilds([named.location for named in repositories])
debian_packages.write_database(f"{setup.BROOT}/var/db/pkg", known)
setup.link_distfiles()
options = os.environ["BENCH_OPTIONS"].split()
jobs = os.environ["STRATA_JOBS"]
setup.take_environment()
packages = [f"={package}" for package in spec["packages"]]
command = [*setup.emerge(), "--oneshot", "--quiet-build=y", "--color=n", *options, *packages]
environment = {**os.environ, "MAKEOPTS": f"-j{jobs}"}
subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=True)
with open("/strata/out/done", "w", encoding="utf-8") as file:
    file.write(str(len(packages)))
