"""Boots a machine in QEMU and goes through the steps of a test on its serial console. Runs in a toolchain.

Leaves `result.json`. The console goes to the standard output.
"""

import json
import os
import re
import select
import subprocess
import sys
import time
from typing import NoReturn

SHOWN = 25
PANIC = re.compile(r"Kernel panic - not syncing|^strata: .*(?:did not appear|does not fit|holds no squashfs|has no )", re.MULTILINE)
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>])|\r|\x00")


class Console:
    """The serial console of a machine: what it printed, and who types."""

    def __init__(self, process: subprocess.Popen, deadline: float) -> None:
        self.process = process
        self.deadline = deadline
        self.text = ""
        self.seen = 0
        self.step = ""
        self.partial = ""

    def fail(self, message: str, end: int | None = None) -> NoReturn:
        """Ends the test.

        :param end: where on the console the last line to show ends
        """
        self.process.kill()
        lines = [line for line in self.text[:end].split("\n") if line.strip()]
        report = {
            "message": f"{self.step}: {message}",
            "hint": "see the console's last lines; the whole console is in the log",
            "details": lines[-SHOWN:],
        }
        sys.stdout.flush()
        print("\n::strata-error:: " + json.dumps(report), flush=True)
        sys.exit(1)

    def read(self) -> None:
        """Takes in what came, or fails at the deadline or the end of the machine."""
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            self.fail("the time limit is over")
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], min(remaining, 1))
        if not ready:
            return
        data = os.read(self.process.stdout.fileno(), 65536)
        if not data:
            self.fail("the machine stopped")
        text = ESCAPES.sub("", data.decode("utf-8", "replace"))
        self.text += text
        # whole lines only, so that what Strata adds to the log stands on lines of its own
        *lines, self.partial = (self.partial + text).split("\n")
        for line in lines:
            print(line, flush=True)
        if panic := PANIC.search(self.text):
            grace = time.monotonic() + 0.5
            while time.monotonic() < grace and select.select([self.process.stdout], [], [], 0.1)[0]:
                more = os.read(self.process.stdout.fileno(), 65536)
                if not more:
                    break
                self.text += ESCAPES.sub("", more.decode("utf-8", "replace"))
            # what led to a panic stands before it, and is worth more than the kernel's registers after it
            end = self.text.find("\n", panic.end())
            self.fail(panic.group(0), None if end < 0 else end)

    def wait_for(self, pattern: re.Pattern[str], patience: float | None = None) -> re.Match[str] | None:
        """Waits until something new on the console matches, and takes it as seen.

        :param patience: seconds after which to give None instead of waiting for the time limit
        """
        until = None if patience is None else time.monotonic() + patience
        while True:
            if match := pattern.search(self.text, self.seen):
                self.seen = match.end()
                return match
            if until is not None and time.monotonic() > until:
                return None
            self.read()

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        try:
            os.write(self.process.stdin.fileno(), text.encode())
        except BrokenPipeError:
            self.fail("the machine stopped")


def matches(expected: str, actual: str) -> bool:
    if len(expected) > 2 and expected.startswith("/") and expected.endswith("/"):
        return re.search(expected[1:-1], actual) is not None
    return actual.strip() == expected.strip()


def expectation(text: str) -> re.Pattern[str]:
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        return re.compile(text[1:-1], re.MULTILINE)
    return re.compile(re.escape(text))


def wait_for_shell(console: Console, number: int) -> None:
    """Waits until a shell answers: what is typed while somebody logs in is thrown away."""
    answer = re.compile(rf"^strata-shell-{number}-up$", re.MULTILINE)
    while True:
        console.type(f"printf '%s-up\\n' strata-shell-{number}\n")
        if console.wait_for(answer, patience=1.5):
            return


def run_command(console: Console, number: int, command: str) -> tuple[str, int]:
    # the marker is put together by the shell, so that the echo of what is typed never looks like it
    quoted = command.replace("'", "'\\''")
    begin, end = f"strata-begin-{number}-", f"strata-end-{number}-"
    wait_for_shell(console, number)
    console.type(f"printf '\\n%s%s\\n' '{begin}' x; eval '{quoted}'; printf '\\n%s%s\\n' '{end}' $?\n")
    console.wait_for(re.compile(rf"^{begin}x\n", re.MULTILINE))
    start = console.seen
    match = console.wait_for(re.compile(rf"^{end}(\d+)\n", re.MULTILINE))
    assert match is not None
    output = console.text[start : match.start()]
    # what the kernel says meanwhile is not what the command printed
    kept = [line for line in output.split("\n") if not re.match(r"\[ *\d+\.\d{6}\]", line)]
    return "\n".join(kept).strip(), int(match.group(1))


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    accelerator = os.environ.get("STRATA_ACCELERATOR", "tcg,thread=multi")
    command = [word.replace("@accelerator@", accelerator) for word in spec["command"]]
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        report = {"message": f"{command[0]} is missing in the toolchain", "hint": "add the Debian package qemu-system-x86 to it"}
        print("::strata-error:: " + json.dumps(report), flush=True)
        sys.exit(1)
    console = Console(process, time.monotonic() + spec["timeout"])
    steps = spec["steps"]
    results = []
    for number, step in enumerate(steps, 1):
        what = step.get("expect") or step.get("run") or step.get("send")
        console.step = f"step {number} ({next(iter(step))}: {what})"
        print("::strata:: " + json.dumps({"phase": "boot test", "subject": what, "done": number - 1, "total": len(steps), "unit": "steps"}), flush=True)
        if "expect" in step:
            console.wait_for(expectation(step["expect"]))
        elif "send" in step:
            console.type(step["send"] + "\n")
        else:
            output, status = run_command(console, number, step["run"])
            if status != step.get("status", 0):
                console.fail(f"the exit status is {status}, not {step.get('status', 0)}")
            if "output" in step and not matches(step["output"], output):
                console.fail(f"it printed {output!r}, not {step['output']!r}")
        results.append({**step, "passed": True})
    process.kill()
    process.wait()
    with open("/strata/out/result.json", "w", encoding="utf-8") as file:
        json.dump({"steps": results}, file, sort_keys=True, indent=1)
        file.write("\n")


main()
