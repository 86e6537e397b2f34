"""What a plan assumes about the packages that the layers below hold, and whether they are so when it is carried out.

A plan is made from its parents' plans, not from their bytes: a script or a tree of a parent may have changed what Portage
will find there.
"""

import hashlib
import os
import re
from collections.abc import Mapping

import portage_setup as setup

FIELDS = {
    "slot": "slot",
    "use": "USE flags",
    "repository": "repository",
    "ebuild": "the ebuild",
    "bound": "libraries' sub-slots",
}


def read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def read_digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return ""


def describe(cpv: str, ebuild: str | None) -> dict:
    folder = f"{setup.database()}/{cpv}"
    slot, _, sub_slot = read(f"{folder}/SLOT").partition("/")
    dependencies = f"{read(f'{folder}/RDEPEND')} {read(f'{folder}/PDEPEND')}"
    return {
        "cpv": cpv,
        "slot": slot if sub_slot in ("", slot) else f"{slot}/{sub_slot}",
        "use": sorted(read(f"{folder}/USE").split()),
        "repository": read(f"{folder}/repository"),
        "ebuild": ebuild or read_digest(f"{folder}/{cpv.partition('/')[2]}.ebuild"),
        # PMS, Slot Dependencies: `:slot/sub-slot=` is what a package was built against
        "bound": sorted(set(re.findall(r"[^\s()|]+:[\w+.-]+/[\w+.-]+=", dependencies))),
    }


def installed(ebuilds: Mapping[str, str]) -> list[dict]:
    """What the package database of ROOT says about each package.

    :param ebuilds: digests of the ebuilds of packages that are only planned, by `category/name-version`
    """
    return [describe(cpv, ebuilds.get(cpv)) for cpv in setup.installed_packages()]


def differences(planned: list[dict], there: list[dict]) -> list[str]:
    found = {package["cpv"]: package for package in there}
    lines = []
    for package in planned:
        cpv = package["cpv"]
        other = found.pop(cpv, None)
        if other is None:
            lines.append(f"{cpv}: planned, and not there")
            continue
        for field, words in FIELDS.items():
            if package[field] != other[field]:
                lines.append(f"{cpv}: {words} planned: {shown(package[field])}; there: {shown(other[field])}")
    return lines + [f"{cpv}: there, and not planned" for cpv in found]


def shown(value: str | list[str]) -> str:
    text = value if isinstance(value, str) else " ".join(value)
    return text[:64] or "none"


def check(planned: list[dict]) -> None:
    """Ends the action where ROOT's package database is not as the plan took it to be."""
    lines = differences(planned, installed({}))
    if lines:
        setup.fail(
            "the layers below hold other packages than their plans say",
            "a script, a tree or `exclude` of a layer below changed var/db/pkg: leave it to Portage",
            lines,
        )
