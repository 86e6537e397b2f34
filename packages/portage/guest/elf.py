"""Reads of ELF files what the dynamic loader goes by (System V ABI, chapters "Object Files" and "Dynamic Linking")."""

import struct
from dataclasses import dataclass

MACHINES = {"amd64": 62, "arm64": 183}

RELOCATABLE = 1
LOAD, DYNAMIC, INTERPRETER = 1, 2, 3
NEEDED, STRING_TABLE, SONAME, RPATH, RUNPATH = 1, 5, 14, 15, 29


@dataclass(frozen=True)
class Elf:
    """A program or a library. Paths of `rpath` and `runpath` are as they stand there, `$ORIGIN` included."""

    machine: int
    interpreter: str | None
    soname: str | None
    needed: tuple[str, ...]
    rpath: tuple[str, ...] | None
    runpath: tuple[str, ...] | None

    @property
    def is_dynamic(self) -> bool:
        return self.interpreter is not None or bool(self.needed)


class Malformed(Exception):
    """A file that begins as an ELF file and is none."""


@dataclass(frozen=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def read(path: str) -> Elf | None:
    """The headers of a program or a library; None where the file is neither (object files are none)."""
    with open(path, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return None
        file.seek(0)
        data = file.read()
    try:
        return _parse(data)
    except (struct.error, IndexError, ValueError) as error:
        raise Malformed(path) from error


def _parse(data: bytes) -> Elf | None:
    wide, little = data[4] == 2, data[5] == 1
    order = "<" if little else ">"
    kind, machine = struct.unpack_from(f"{order}HH", data, 16)
    if kind == RELOCATABLE:
        return None
    segments = _segments(data, order, wide)
    interpreter = next((segment for segment in segments if segment.kind == INTERPRETER), None)
    entries = _dynamic(data, order, wide, segments)
    strings = _offset(entries[STRING_TABLE][0], segments) if STRING_TABLE in entries else 0

    def text(position: int) -> str:
        start = strings + position
        return data[start : data.index(b"\0", start)].decode("utf-8", "surrogateescape")

    def paths(tag: int) -> tuple[str, ...] | None:
        return tuple(text(entries[tag][0]).split(":")) if tag in entries else None

    return Elf(
        machine=machine,
        interpreter=None
        if interpreter is None
        else data[interpreter.offset : interpreter.offset + interpreter.size].rstrip(b"\0").decode("utf-8", "surrogateescape"),
        soname=text(entries[SONAME][0]) if SONAME in entries else None,
        needed=tuple(text(position) for position in entries.get(NEEDED, ())),
        rpath=paths(RPATH),
        runpath=paths(RUNPATH),
    )


def _segments(data: bytes, order: str, wide: bool) -> list[_Segment]:
    if wide:
        (start,) = struct.unpack_from(f"{order}Q", data, 32)
        size, count = struct.unpack_from(f"{order}HH", data, 54)
    else:
        (start,) = struct.unpack_from(f"{order}I", data, 28)
        size, count = struct.unpack_from(f"{order}HH", data, 42)
    found = []
    for index in range(count):
        at = start + index * size
        if wide:
            kind, _, offset, address, _, length = struct.unpack_from(f"{order}IIQQQQ", data, at)
        else:
            kind, offset, address, _, length = struct.unpack_from(f"{order}IIIII", data, at)
        found.append(_Segment(kind, offset, address, length))
    return found


def _dynamic(data: bytes, order: str, wide: bool, segments: list[_Segment]) -> dict[int, list[int]]:
    entries: dict[int, list[int]] = {}
    step = 16 if wide else 8
    for segment in segments:
        if segment.kind != DYNAMIC:
            continue
        for at in range(segment.offset, segment.offset + segment.size, step):
            tag, value = struct.unpack_from(f"{order}{'qQ' if wide else 'iI'}", data, at)
            if tag == 0:
                break
            entries.setdefault(tag, []).append(value)
    return entries


def _offset(address: int, segments: list[_Segment]) -> int:
    """Where in the file lies what will be at an address."""
    for segment in segments:
        if segment.kind == LOAD and segment.address <= address < segment.address + segment.size:
            return segment.offset + address - segment.address
    raise ValueError(address)
