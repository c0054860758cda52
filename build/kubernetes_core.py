# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs kubernetes.core into collections/, also where Ansible Galaxy cannot be reached.

The usual way is one line: ``ansible-galaxy collection install -r requirements.yml -p collections``. Where only a Python
package index can be reached, the same files are in the wheel of the ``ansible`` package; they are read out of it,
compared with the collection's own list of checksums, packed as Galaxy would have them, and installed offline. The
tarball is kept in the user's cache, so that the next checkout needs no network at all.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Set
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.prefix) / "bin"
INSTALLED = ROOT / "collections/ansible_collections/kubernetes/core/MANIFEST.json"
PREFIX = "ansible_collections/kubernetes/core/"
ESSENTIAL = ("meta/", "plugins/", "requirements")


class UnusableError(Exception):
    """The wheel does not hold what it should."""


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "longhorn-qa" / "collections"


def galaxy_install(*what: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "ansible-galaxy"), "collection", "install", "-p", "collections", *what]
    # A warning about the search path is right in general and noise here: every target of the Makefile sets the path.
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    return subprocess.run(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def download_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    # The wheel is only read, never run, so it does not matter that it is meant for a newer Python.
    command += ["--python-version", "3.12", "--require-hashes", "-r", str(ROOT / "constraints/kubernetes-core.txt")]
    command += ["--dest", str(folder)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnusableError(done.stderr.strip())
    return next(folder.glob("ansible-*.whl"))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_collection(wheel: Path) -> dict[str, bytes]:
    """The collection's files out of the wheel, each compared with the checksum that the collection states.

    The wheel leaves out files that only the collection's developers need, so both lists are written anew without them.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        manifest = json.loads(archive.read(PREFIX + "MANIFEST.json"))
        listing = archive.read(PREFIX + "FILES.json")
        if sha256(listing) != manifest["file_manifest_file"]["chksum_sha256"]:
            raise UnusableError(f"{wheel.name}: FILES.json of kubernetes.core is not the one that MANIFEST.json names")
        entries = [entry for entry in json.loads(listing)["files"] if wanted(entry, names)]
        files = {entry["name"]: archive.read(PREFIX + entry["name"]) for entry in entries if entry["ftype"] == "file"}
    for entry in entries:
        name = entry["name"]
        if name in files and sha256(files[name]) != entry["chksum_sha256"]:
            raise UnusableError(f"{wheel.name}: {name} of kubernetes.core has another checksum than FILES.json states")
    files["FILES.json"] = json.dumps({"files": entries, "format": 1}, indent=1).encode()
    manifest["file_manifest_file"]["chksum_sha256"] = sha256(files["FILES.json"])
    return {"MANIFEST.json": json.dumps(manifest, indent=1).encode(), **files}


def wanted(entry: Mapping[str, str], names: Set[str]) -> bool:
    name = entry["name"]
    if entry["ftype"] != "file":
        return name == "." or any(other.startswith(f"{PREFIX}{name}/") for other in names)
    if PREFIX + name in names:
        return True
    if name.startswith(ESSENTIAL):
        raise UnusableError(f"the wheel lacks {name} of kubernetes.core")
    return False


def pack(files: dict[str, bytes], target: Path) -> None:
    partial = target.with_suffix(".partial")
    with tarfile.open(partial, "w:gz") as tarball:
        for folder in sorted({str(parent) for name in files for parent in Path(name).parents} - {"."}):
            member = tarfile.TarInfo(folder)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tarball.addfile(member)
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mode = 0o644
            tarball.addfile(member, io.BytesIO(data))
    partial.replace(target)


def tarball_from_wheel() -> Path:
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        files = read_collection(download_wheel(Path(scratch)))
    version = json.loads(files["MANIFEST.json"])["collection_info"]["version"]
    target = folder / f"kubernetes-core-{version}.tar.gz"
    pack(files, target)
    return target


def say(what: str) -> None:
    print(f"setup: {what}", file=sys.stderr)


def main() -> int:
    if INSTALLED.exists():
        return 0
    for tarball in sorted(cache_folder().glob("kubernetes-core-*.tar.gz"), reverse=True):
        if galaxy_install("--offline", str(tarball)).returncode == 0:
            return 0
    if galaxy_install("--timeout", "10", "-r", "requirements.yml").returncode == 0:
        return 0
    say("Ansible Galaxy cannot be reached; taking kubernetes.core from the Python package index")
    try:
        done = galaxy_install("--offline", str(tarball_from_wheel()))
    except (UnusableError, OSError) as error:
        say(f"kubernetes.core could not be installed: {error}")
        return 1
    if done.returncode:
        say(f"kubernetes.core could not be installed: {done.stderr.strip()}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
