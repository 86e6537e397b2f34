"""Shell text without its comments: bash's own print of what it parsed.

Two texts with one canonical form do the same. The form is used only where printing it again gives the same text, so that
a mistake of bash's printer cannot go unnoticed.
"""

import re
import subprocess

PRINT = r"""
shopt -s extglob
for file in "$@"; do
    IFS= read -r -d '' text < "$file"
    if eval "strata_text() {
$text
}" 2> /dev/null; then
        declare -f strata_text
    fi
    printf '\0'
    unset -f strata_text
done
"""


def _print(paths: list[str]) -> list[str]:
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", PRINT, "canonical", *paths], capture_output=True, text=True, check=True
    )
    return done.stdout.split("\0")[:-1]


def _body(printed: str) -> str:
    """The lines of the function that bash printed, without the function around them."""
    lines = printed.rstrip("\n").split("\n")
    return "\n".join(lines[2:-1]) + "\n" if len(lines) > 3 else ""


def canonical_forms(paths: list[str], scratch: str) -> dict[str, str]:
    """The canonical text of each file; the raw text where there is none."""
    raw = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            raw[path] = file.read()
    first = [_body(printed) for printed in _print(paths)]
    again = []
    for index, text in enumerate(first):
        copy = f"{scratch}/{index}"
        with open(copy, "w", encoding="utf-8") as file:
            file.write(text)
        again.append(copy)
    second = [_body(printed) for printed in _print(again)]
    forms = {}
    for path, once, twice in zip(paths, first, second, strict=True):
        if once == "" or once != twice:
            forms[path] = raw[path]
            continue
        # Portage reads the EAPI of an ebuild from its first line that is no comment (PMS, EAPI); a semicolon hides it
        eapi = re.search(r"^[ \t]*EAPI=(['\"]?)([A-Za-z0-9+_.-]*)\1[ \t]*(?:#.*)?$", raw[path], re.MULTILINE)
        head = f"EAPI={eapi.group(2)}\n" if eapi and path.endswith(".ebuild") else ""
        forms[path] = head + once
    return forms
