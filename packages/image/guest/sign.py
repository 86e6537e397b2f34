"""Signs the root hash of an extension, as systemd and the kernel check it (systemd.exec(5), RootHashSignature=). Runs in a toolchain."""

import json
import subprocess
import sys
from typing import NoReturn

KEY = "/strata/in/key.pem"
CERTIFICATE = "/strata/in/certificate.pem"
ROOT_HASH = "/strata/in/roothash"


def fail(message: str, hint: str, details: list[str] | None = None) -> NoReturn:
    print("::strata-error:: " + json.dumps({"message": message, "hint": hint, "details": details or []}), flush=True)
    sys.exit(1)


def openssl(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["openssl", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
    except FileNotFoundError:
        fail("openssl is missing in the toolchain", "add the Debian package openssl to the toolchain's packages")


def public_key(what: str, hint: str, *words: str) -> str:
    result = openssl(*words)
    if result.returncode != 0:
        fail(what, hint, result.stderr.splitlines()[-3:])
    return result.stdout


def main() -> None:
    with open("/strata/in/spec.json", encoding="utf-8") as file:
        output = json.load(file)["output"]
    # an empty passphrase, so that it does not ask for one
    of_key = public_key(
        "the key is no private key in PEM, or a passphrase protects it",
        "name one without a passphrase as `key:` under `verity:`",
        *("pkey", "-in", KEY, "-passin", "pass:", "-pubout"),
    )
    of_certificate = public_key(
        "the certificate is none in PEM",
        "name the key's certificate as `certificate:` under `verity:`",
        *("x509", "-in", CERTIFICATE, "-noout", "-pubkey"),
    )
    if of_key != of_certificate:
        fail("the key does not fit its certificate", "name the two that belong together under `verity:`")
    if openssl("rsa", "-in", KEY, "-passin", "pass:", "-noout").returncode != 0:
        fail("the key is no RSA key: only those sign the same bytes the same way each time", "make one by `openssl req -x509 -newkey rsa:4096 -nodes`")
    signed = openssl(
        *("smime", "-sign", "-binary", "-nocerts", "-noattr"),
        *("-in", ROOT_HASH, "-inkey", KEY, "-signer", CERTIFICATE),
        *("-outform", "der", "-out", output),
    )
    if signed.returncode != 0:
        fail("openssl cannot sign the root hash", "see the words of openssl", signed.stderr.splitlines()[-5:])


main()
