"""Makes a folder of Debian packages a repository for apt: writes its `Packages` and `Release`.

Usage: index_debs.py FOLDER SUITE

The packages lie in FOLDER/pool. Reads the control file of a package by itself (deb(5): an ar archive with a tar in it),
since a machine without dpkg may make the first root of all. Python 3.9 or newer.
"""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile


def control_of(path: str) -> str:
    """The control file of a package."""
    with open(path, "rb") as archive:
        if archive.read(8) != b"!<arch>\n":
            sys.exit(f"{path} is no Debian package")
        while header := archive.read(60):
            name, size = header[:16].decode().strip().rstrip("/"), int(header[48:58])
            content = archive.read(size + size % 2)[:size]
            if name.startswith("control.tar"):
                if name.endswith(".zst"):
                    content = subprocess.run(["zstd", "-dc"], input=content, capture_output=True, check=True).stdout
                with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                    member = tar.extractfile("./control")
                    assert member is not None
                    return member.read().decode().strip()
    sys.exit(f"{path} has no control file")


def main() -> None:
    folder, suite = sys.argv[1:]
    stanzas = []
    for name in sorted(os.listdir(f"{folder}/pool")):
        path = f"{folder}/pool/{name}"
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        stanzas.append(f"{control_of(path)}\nFilename: ./pool/{name}\nSize: {os.path.getsize(path)}\nSHA256: {digest}\n")
    packages = "\n".join(stanzas).encode()
    with open(f"{folder}/Packages", "wb") as file:
        file.write(packages)
    with open(f"{folder}/Release", "w", encoding="utf-8") as file:
        # mmdebstrap selects packages by both names
        file.write(f"Origin: strata\nSuite: {suite}\nCodename: {suite}\nArchitectures: amd64\nSHA256:\n")
        file.write(f" {hashlib.sha256(packages).hexdigest()} {len(packages)} Packages\n")
    for name in ("Packages", "Release"):
        os.chmod(f"{folder}/{name}", 0o644)


if __name__ == "__main__":
    if shutil.which("zstd") is None:
        sys.exit("zstd is missing")
    main()
