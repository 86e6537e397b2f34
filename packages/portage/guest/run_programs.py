"""Runs programs of a prefix in a root that has nothing else, and compares what they print with what is expected."""

import json
import os
import re
import sys
from typing import NoReturn

sys.path.insert(0, "/strata/in/bin")

import empty_root  # noqa: E402
import portage_setup as setup  # noqa: E402
import self_contained  # noqa: E402
from prefix import Prefix  # noqa: E402

FOLDERS = ("usr/bin", "bin", "usr/sbin", "sbin")
LAST_LINES = 12


def expected(text: str, output: str) -> bool:
    """Whether an output is a text, or matches a /regular expression/."""
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        return re.search(text[1:-1], output) is not None
    return text.strip() == output.strip()


def program(prefix: Prefix, name: str) -> str:
    """The path of a program, where it lies when it runs."""
    if name.startswith("/"):
        return name
    candidates = [f"{prefix.path}/{folder}/{name}" for folder in FOLDERS]
    found = next((path for path in candidates if os.path.lexists(setup.ROOT + path)), None)
    if found is None:
        setup.fail(f"there is no {name} in {prefix.path}", f"it would be one of {', '.join(candidates)}")
    return found


def fail(step: dict, message: str, output: str) -> NoReturn:
    lines = [line for line in output.splitlines() if line.strip()][-LAST_LINES:]
    setup.fail(f"{' '.join(step['run'])}: {message}", "correct the packages, or what `test` expects", lines)


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    prefix = Prefix(**spec["prefix"])
    environment = {"LC_ALL": "C", "HOME": "/", "PATH": ":".join(f"{prefix.path}/{folder}" for folder in FOLDERS)}
    printed = []
    try:
        if prefix.libc == "host":
            empty_root.add_host_libraries(setup.ROOT, prefix.triplet, prefix.loader, self_contained.C_LIBRARY)
        for index, step in enumerate(spec["steps"]):
            subject = " ".join(step["run"])
            setup.progress(phase="test", subject=subject, done=index, total=len(spec["steps"]), unit="steps")
            first, *rest = step["run"]
            arch = prefix.arch if prefix.foreign else None
            try:
                done = empty_root.run(setup.ROOT, arch, [program(prefix, first), *rest], environment, step.get("input", ""))
            except OSError as error:
                fail(step, f"cannot be started: {error.strerror}", "")
            everything = done.stdout + done.stderr
            if done.returncode != step["status"]:
                fail(step, f"the exit status is {done.returncode}, not {step['status']}", everything)
            if "output" in step and not expected(step["output"], done.stdout):
                fail(step, f"it printed {done.stdout.strip()!r}, not {step['output']!r}", everything)
            printed.append(f"$ {subject}\n{done.stdout}")
    except empty_root.CannotRun as error:
        setup.fail(str(error), f"add qemu-user to the packages of the toolchain, for {prefix.arch}")
    setup.write("/strata/out/test.txt", "".join(printed))


main()
