"""Sees whether KVM really runs a guest: boots a kernel without a root and waits for its panic. Runs in a toolchain.

Ends with 0 where the guest came to its panic, and with 3 where it did not.
"""

import json
import os
import select
import subprocess
import sys
import time

RAN = 0
STALLED = 3


def boot(command: list[str], seconds: float) -> int:
    deadline = time.monotonic() + seconds
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        console = b""
        while (remaining := deadline - time.monotonic()) > 0 and b"Kernel panic" not in console:
            if select.select([process.stdout], [], [], remaining)[0]:
                data = os.read(process.stdout.fileno(), 65536)
                if not data:
                    break
                console += data
        process.kill()
    return RAN if b"Kernel panic" in console else STALLED


with open("/strata/in/spec.json", encoding="utf-8") as file:
    spec = json.load(file)
sys.exit(boot(spec["command"], spec["seconds"]))
