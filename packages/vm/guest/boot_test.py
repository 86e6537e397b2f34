"""Boots a machine in QEMU and goes through the steps of a test on its serial console. Runs in a toolchain.

Leaves `result.json`. The console goes to the standard output.
"""

import codecs
import json
import os
import re
import select
import subprocess
import sys
import tarfile
import time
from typing import NoReturn

SHOWN = 25
PARCEL = "/strata/in/parcel"
# the kernel's last words, or those of the init of an initramfs of ours
FATAL = re.compile(r"Kernel panic - not syncing.*|^strata: error: .*", re.MULTILINE)
FATAL_GRACE = 0.5
# control sequences (ECMA-48): CSI, OSC, and those of two characters
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78])|\r|\x00|\x07")
HALF_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[()])?$")
KERNEL_LINE = re.compile(r"\[ *\d+\.\d{6}\]")
# a line that is typed: line editors of small shells take 1,023 bytes, and each is echoed by an emulated processor
TYPED = 400


def report(message: str, hint: str, details: list[str]) -> NoReturn:
    print("::strata-error:: " + json.dumps({"message": message, "hint": hint, "details": details}), flush=True)
    sys.exit(1)


def is_pattern(text: str) -> bool:
    return len(text) > 2 and text.startswith("/") and text.endswith("/")


def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        report(f"/{pattern}/ is no regular expression of Python: {error}", "correct it in the steps of the test", [])


def matches(expected: str, actual: str) -> bool:
    if is_pattern(expected):
        return compiled(expected[1:-1]).search(actual) is not None
    return actual.strip() == expected.strip()


def expectation(text: str) -> re.Pattern[str]:
    return compiled(text[1:-1], re.MULTILINE) if is_pattern(text) else re.compile(re.escape(text))


class Console:
    """The serial console of a machine: what it printed, and who types."""

    def __init__(self, process: subprocess.Popen[bytes], timeout: int) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.process = process
        self.input = process.stdin.fileno()
        self.output = process.stdout.fileno()
        self.timeout = timeout
        self.deadline = time.monotonic() + timeout
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.undecided = ""
        self.text = ""
        self.seen = 0
        self.logged = 0
        self.fatal_from = 0
        self.step = ""
        self.kernel_is_quiet = False

    def fail(self, message: str, end: int | None = None) -> NoReturn:
        """Ends the test.

        :param end: where on the console the last line to show ends
        """
        self.process.kill()
        print(self.text[self.logged :], flush=True)
        lines = [line for line in self.text[:end].split("\n") if line.strip()]
        report(f"{self.step}: {message}", "see the console's last lines; the whole console is in the log", lines[-SHOWN:])

    def take(self, data: bytes) -> None:
        """Adds what came, without what only steers a terminal, and logs it by whole lines."""
        raw = self.undecided + self.decoder.decode(data)
        half = HALF_ESCAPE.search(raw)
        self.undecided = "" if half is None else half.group(0)
        self.text += ESCAPES.sub("", raw[: len(raw) - len(self.undecided)])
        end = self.text.rfind("\n") + 1
        if end > self.logged:
            sys.stdout.write(self.text[self.logged : end])
            sys.stdout.flush()
            self.logged = end

    def read(self) -> None:
        """Takes in what came, or fails at the deadline or the end of the machine."""
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            self.fail(f"the time limit is over ({self.timeout} s)")
        if not select.select([self.output], [], [], min(remaining, 1))[0]:
            return
        data = os.read(self.output, 65536)
        if not data:
            status = self.process.wait()
            self.fail("the machine stopped" + ("" if status == 0 else f" (QEMU: status {status})"))
        self.take(data)

    def stop_if_fatal(self) -> None:
        if FATAL.search(self.text, self.fatal_from) is None:
            # the line that is being printed may become one
            self.fatal_from = self.text.rfind("\n") + 1
            return
        grace = time.monotonic() + FATAL_GRACE
        while time.monotonic() < grace and select.select([self.output], [], [], 0.1)[0]:
            data = os.read(self.output, 65536)
            if not data:
                break
            self.take(data)
        fatal = FATAL.search(self.text, self.fatal_from)
        assert fatal is not None
        # what led to a panic stands before it, and is worth more than the kernel's registers after it
        self.fail(fatal.group(0).removeprefix("strata: error: "), fatal.end())

    def wait_for(self, pattern: re.Pattern[str], patience: float | None = None) -> re.Match[str] | None:
        """Waits until something new on the console matches, and takes it as seen.

        :param patience: seconds after which to give None instead of waiting for the time limit
        """
        until = None if patience is None else time.monotonic() + patience
        while True:
            if match := pattern.search(self.text, self.seen):
                self.seen = match.end()
                return match
            self.stop_if_fatal()
            if until is not None and time.monotonic() > until:
                return None
            self.read()

    def wait_surely(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = self.wait_for(pattern)
        assert match is not None
        return match

    def type(self, line: str) -> None:
        try:
            os.write(self.input, f"{line}\n".encode())
        except BrokenPipeError:
            self.fail("the machine stopped")

    def wait_for_shell(self, number: int) -> None:
        """Waits until a shell answers: what is typed while somebody logs in is thrown away.

        The kernel is told to keep to itself what is no emergency: it would print into the output of commands.
        """
        answer = re.compile(rf"^strata-shell-{number}-(\d+)\n", re.MULTILINE)
        while True:
            # the shell puts in the status, so that the echo of what is typed never looks like an answer; no quotes:
            # when the beginning of the line is thrown away, the rest would leave one open, for all lines after it
            self.type(f"dmesg -n 1 2> /dev/null; echo strata-shell-{number}-$?")
            if match := self.wait_for(answer, patience=1.5):
                self.kernel_is_quiet = self.kernel_is_quiet or match.group(1) == "0"
                return

    def run(self, number: int, command: str) -> tuple[str, int]:
        """Runs a command in the shell at the console. Gives back what it printed, and its exit status."""
        self.wait_for_shell(number)
        encoded = encode(command)
        pieces = [encoded[start : start + TYPED] for start in range(0, len(encoded), TYPED)]
        self.type("strata_run=")
        for piece in pieces:
            self.type(f"strata_run=\"$strata_run\"'{piece}'")
        begin, end = f"strata-begin-{number}", f"strata-end-{number}"
        self.type(f"printf '\\n%s-%s\\n' {begin} x; eval \"$(printf \"$strata_run\")\"; printf '\\n%s-%s\\n' {end} $?")
        start = self.wait_surely(re.compile(rf"^{begin}-x\n", re.MULTILINE)).end()
        match = self.wait_surely(re.compile(rf"^{end}-(\d+)\n", re.MULTILINE))
        lines = self.text[start : match.start()].split("\n")
        if not self.kernel_is_quiet:
            lines = [line for line in lines if KERNEL_LINE.match(line) is None]
        return "\n".join(lines).strip(), int(match.group(1))


def encode(command: str) -> str:
    """A format of printf(1) that prints a command: a terminal would act on tabs, newlines and some other bytes."""
    plain = re.compile(rb"[A-Za-z0-9 _./:,=+@$(){}|<>&;*?#~\"\[\]^]")
    return "".join(
        chr(byte) if plain.fullmatch(bytes([byte])) else f"\\{byte:03o}" for byte in command.encode()
    )


def do_step(console: Console, number: int, step: dict) -> None:
    if "expect" in step:
        console.wait_for(expectation(step["expect"]))
    elif "send" in step:
        console.type(step["send"])
    else:
        output, status = console.run(number, step["run"])
        if status != step.get("status", 0) and "refusal" in step:
            console.process.kill()
            lines = [line for line in output.split("\n") if line.strip()]
            report(step["refusal"]["message"], step["refusal"]["hint"], lines[-SHOWN:])
        if status != step.get("status", 0):
            console.fail(f"the exit status is {status}, not {step.get('status', 0)}")
        if "output" in step and not matches(step["output"], output):
            console.fail(f"it printed {output!r}, not {step['output']!r}")


def write_parcel(path: str) -> None:
    with tarfile.open(path, "w") as archive:
        for name in sorted(os.listdir(PARCEL)):
            info = archive.gettarinfo(f"{PARCEL}/{name}", name)
            info.mode, info.uid, info.gid, info.uname, info.gname = 0o644, 0, 0, "", ""
            with open(f"{PARCEL}/{name}", "rb") as content:
                archive.addfile(info, content)


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        spec = json.load(file)
    if "parcel" in spec:
        write_parcel(spec["parcel"])
    accelerator = os.environ["STRATA_ACCELERATOR"]
    command = [word.replace("@accelerator@", accelerator) for word in spec["command"]]
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        report(f"{command[0]} is missing in the toolchain", "add the Debian package qemu-system-x86 to it", [])
    console = Console(process, spec["timeout"])
    steps = spec["steps"]
    for number, step in enumerate(steps, 1):
        kind = next(name for name in ("expect", "run", "send") if name in step)
        what = step.get("title", step[kind])
        console.step = f"step {number} ({kind}: {what})"
        progress = {"phase": "boot test", "subject": what, "done": number - 1, "total": len(steps), "unit": "steps"}
        print("::strata:: " + json.dumps(progress), flush=True)
        do_step(console, number, step)
    process.kill()
    process.wait()
    print(console.text[console.logged :], flush=True)
    with open("/strata/out/result.json", "w", encoding="utf-8") as file:
        json.dump({"steps": [{**step, "passed": True} for step in steps]}, file, sort_keys=True, indent=1)
        file.write("\n")


main()
