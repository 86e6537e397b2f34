"""Mounts overlays in a user namespace (kernel: Documentation/filesystems/overlayfs)."""

import errno
import os
import stat

from machine import fail, mount

# the options of a mount have one page
OPTIONS_SIZE = 4095


def keeps_attributes(folder: str) -> bool:
    """Whether overlayfs can mark what is in a folder (tmpfs keeps user attributes since Linux 6.6)."""
    try:
        os.setxattr(folder, "user.strata", b"1")
        os.removexattr(folder, "user.strata")
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return False
        raise
    return True


def option_path(path: str) -> str:
    """A path as an option of an overlay: relative, since all options share one page, and escaped."""
    relative = os.path.relpath(os.path.realpath(path))
    return "".join("\\" + character if character in "\\:," else character for character in relative)


def overlay(lower: "list[str]", upper: str, work: str, target: str) -> None:
    # the top comes first; an index would need attributes that a user may not set, whatever the kernel's default is
    options = (
        f"lowerdir={':'.join(option_path(path) for path in reversed(lower))},"
        f"upperdir={option_path(upper)},workdir={option_path(work)},userxattr,index=off"
    )
    if len(os.fsencode(options)) > OPTIONS_SIZE:
        fail(f"an overlay of {len(lower)} layers is more than the kernel takes", "put fewer layers on each other")
    try:
        mount("overlay", target, "overlay", 0, options)
    except OSError as error:
        if error.errno == errno.EINVAL and not supports_upper(upper):
            fail(
                f"{upper} lies on a file system that cannot hold an overlay's changes (overlayfs itself, as in a container)",
                "set STRATA_STORE to a folder on a volume (ext4, xfs, btrfs, tmpfs)",
            )
        raise


def supports_upper(folder: str) -> bool:
    best, kind = "", ""
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        for line in lines:
            left, _, right = line.partition(" - ")
            point = left.split(" ")[4]
            if (folder == point or folder.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
                best, kind = point, right.split(" ")[0]
    return kind != "overlay"


def mount_part_of_tree(folder: str, hidden: "list[str]", target: str) -> None:
    """Mounts a folder without what does not belong to its tree, which whiteouts hide.

    `hidden` are relative paths, whose characters stand for bytes.
    """
    mask = f"{target}-mask"
    os.mkdir(target, 0o755)
    os.mkdir(mask, 0o755)
    for path in hidden:
        whiteout = os.path.join(os.fsencode(mask), path.encode("latin-1"))
        os.makedirs(os.path.dirname(whiteout), 0o755, exist_ok=True)
        os.mknod(whiteout, stat.S_IFCHR, os.makedev(0, 0))
    mount("overlay", target, "overlay", 0, f"lowerdir={option_path(mask)}:{option_path(folder)},userxattr")
