"""Sees whether KVM really runs a guest: boots a kernel without a root and waits for its panic. Runs in a toolchain."""

import json
import os
import select
import subprocess
import sys
import time

with open("/strata/in/spec.json", encoding="utf-8") as file:
    spec = json.load(file)
deadline = time.monotonic() + spec["seconds"]
process = subprocess.Popen(spec["command"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
assert process.stdout is not None
text = b""
while time.monotonic() < deadline:
    if select.select([process.stdout], [], [], 0.2)[0]:
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            break
        text += data
        if b"Kernel panic" in text:
            process.kill()
            sys.exit(0)
process.kill()
sys.exit(3)
