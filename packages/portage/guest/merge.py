"""Merges binary packages into ROOT by emerge, normalises what came of it, and packs it as a layer."""

import json
import os
import subprocess
import sys

sys.path.insert(0, "/strata/in/bin")

import portage_setup as setup  # noqa: E402

setup.become_portage()

import assumed  # noqa: E402
import emerge_packages  # noqa: E402
import normalise  # noqa: E402
import pack  # noqa: E402


def cache_libraries() -> None:
    """Writes ld.so.cache: Portage would do it with an ldconfig of ROOT's own, which a small ROOT does not have."""
    if os.path.exists(f"{setup.ROOT}/etc/ld.so.conf") and not os.path.exists(f"{setup.ROOT}/sbin/ldconfig"):
        subprocess.run(["ldconfig", "-X", "-r", setup.ROOT], check=True)


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    packages = spec["packages"]
    setup.use_prefix(spec.get("prefix"))
    assumed.check(spec["installed"])
    setup.prepare_reduced("/strata/in/snapshot", spec["chost"])
    emerge_packages.link_packages(packages)
    setup.take_environment(spec["chost"])
    # none, where the layers below have all that this one asks for
    if packages:
        emerge_packages.merge(packages)
    emerge_packages.add_to_world(spec["atoms"])
    # programs of a prefix find their libraries by the paths that they hold
    if setup.prefix is None:
        cache_libraries()
    setup.progress(phase="pack", done=len(packages), total=len(packages), unit="packages")
    normalise.normalise(setup.eroot(), packages)
    setup.write("/strata/out/packages.json", json.dumps(emerge_packages.sizes(packages), indent=1) + "\n")
    pack.pack_layer(pack.delta_entries("/strata/upper"), "layer.tar.zst", [])


main()
