"""Finds paths of a root file system that lies in a folder, as they would be found with that folder as the root."""

import os

MOST_LINKS = 40


class TooManyLinks(Exception):
    """The symlinks on the way to a path lead in a circle (path_resolution(7): ELOOP)."""


def inside(root: str, path: str, follow_last: bool = True) -> str:
    """Where `path` lies on this machine. Symlinks on the way never lead out of `root`, nor does `..`."""
    found: list[str] = []
    rest = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    links = 0
    while rest:
        part = rest.pop()
        if part == "..":
            del found[-1:]
            continue
        here = "/".join([root, *found, part])
        if os.path.islink(here) and (rest or follow_last):
            links += 1
            if links > MOST_LINKS:
                raise TooManyLinks(path)
            target = os.readlink(here)
            if target.startswith("/"):
                found.clear()
            rest += [piece for piece in reversed(target.split("/")) if piece not in ("", ".")]
            continue
        found.append(part)
    return "/".join([root, *found])
