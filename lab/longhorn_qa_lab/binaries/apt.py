# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages without touching the system: apt with a state of its own, unpacked into a folder.

The machine's own sources say where its Debian archive is and which keys sign it; the suite is always the one whose
sources are known to build.
"""

from __future__ import annotations

import errno
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from longhorn_qa_lab.errors import LabError, Missing, Unavailable
from longhorn_qa_lab.processes import die_with_parent

SUITE = "bookworm"
_TOOLS = ("apt-get", "dpkg-deb", "tar")
_SECONDS = 600
_LAST_LINES = 8


@dataclass(frozen=True)
class Source:
    """One archive of the machine's sources."""

    uri: str
    suites: tuple[str, ...]
    options: Mapping[str, str]

    def is_debian_archive(self) -> bool:
        return self.uri.rstrip("/").rpartition("/")[2] == "debian" and any(
            not suite.endswith("-security") for suite in self.suites
        )


def check_tools() -> None:
    """What unpacking needs, checked before anything is fetched."""
    absent = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if absent:
        raise Missing(
            f"Building the control plane needs {', '.join(absent)}, which this machine lacks: use a Debian machine, or "
            "put the programs into a folder and name it in LONGHORN_QA_ASSETS."
        )


class Apt:
    """apt-get with private lists, cache and sources."""

    def __init__(self, folder: Path, etc: Path = Path("/etc/apt")) -> None:
        self._folder = folder
        self._config = folder / "apt.conf"
        for path in ("lists/partial", "cache/archives/partial", "empty"):
            (folder / path).mkdir(parents=True)
        sources = folder / "lab.sources"
        sources.write_text(private_sources(read_sources(etc)), encoding="utf-8")
        settings = {
            "Dir::State::Lists": folder / "lists",
            "Dir::Cache": folder / "cache",
            "Dir::Etc::SourceList": sources,
            "Dir::Etc::SourceParts": folder / "empty",
            "Debug::NoLocking": "true",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        hooks = "".join(
            f"#clear APT::Update::{hook};\n" for hook in ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")
        )
        self._config.write_text(
            hooks + "".join(f'{name} "{value}";\n' for name, value in settings.items()), encoding="utf-8"
        )

    def update(self) -> None:
        self._run("update", "-qq")

    def download(self, packages: Sequence[str], into: Path) -> None:
        into.mkdir(parents=True, exist_ok=True)
        self._run("download", "-qq", *packages, cwd=into)

    def download_missing(self, packages: Sequence[str], into: Path) -> None:
        """These packages and those of what they need that the machine does not have installed."""
        (into / "partial").mkdir(parents=True, exist_ok=True)
        options = ("--yes", "--download-only", "--no-install-recommends", "-o", f"Dir::Cache::Archives={into}/")
        self._run("install", "-qq", *options, *packages)

    def download_source(self, package: str, into: Path) -> None:
        into.mkdir(parents=True, exist_ok=True)
        self._run("source", "-qq", "--download-only", "--only-source", package, cwd=into)

    def _run(self, *arguments: str, cwd: Path | None = None) -> None:
        command = ["apt-get", "-c", str(self._config), *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=cwd or self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                preexec_fn=die_with_parent,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"apt-get {arguments[0]} did not end within {_SECONDS} s") from error
        if done.returncode != 0:
            check_for_full_disk(done.stdout.splitlines())
            told = " / ".join(done.stdout.strip().splitlines()[-_LAST_LINES:])
            raise Unavailable(f"apt-get {arguments[0]} failed with status {done.returncode}: {told}")


def unpack(packages: Iterable[Path], into: Path) -> None:
    """Lays binary packages' files into a folder; no maintainer script runs."""
    into.mkdir(parents=True, exist_ok=True)
    for package in packages:
        call(["dpkg-deb", "-x", str(package), str(into)])


def call(command: Sequence[str]) -> None:
    """Runs one tool; its last words become the error."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        preexec_fn=die_with_parent,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()[-_LAST_LINES:]
        check_for_full_disk(lines)
        raise LabError(f"{command[0]} failed with status {done.returncode}: {' / '.join(lines)}")


def check_for_full_disk(lines: Iterable[str]) -> None:
    """Tools put it into words; callers know the error by its number."""
    if any("no space left on device" in line.lower() for line in lines):
        raise OSError(errno.ENOSPC, "No space left on device")


def read_sources(etc: Path) -> list[Source]:
    """All binary archives the machine is set up with, in both formats apt knows."""
    found: list[Source] = []
    lists = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]
    for path in lists:
        if path.is_file():
            found += _one_line_sources(path.read_text(encoding="utf-8", errors="replace"))
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        found += _stanza_sources(path.read_text(encoding="utf-8", errors="replace"))
    return found


def private_sources(sources: Sequence[Source]) -> str:
    """A sources file with the one suite, binaries and sources, from the machine's own Debian archive."""
    archive = next((source for source in sources if source.is_debian_archive()), None)
    if archive is None:
        raise Missing(
            "Building the control plane needs a Debian archive, and apt's sources on this machine name none: add one, "
            "or put the programs into a folder and name it in LONGHORN_QA_ASSETS."
        )
    fields = {
        "Types": "deb deb-src",
        "URIs": archive.uri,
        "Suites": SUITE,
        "Components": "main",
        **archive.options,
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def _one_line_sources(text: str) -> Iterable[Source]:
    for line in text.splitlines():
        words = line.partition("#")[0].strip()
        if not words.startswith("deb ") and not words.startswith("deb\t"):
            continue
        rest = words[3:].strip()
        options: dict[str, str] = {}
        if rest.startswith("["):
            inside, _, rest = rest[1:].partition("]")
            pairs = (pair.partition("=") for pair in inside.split())
            options = {_STANZA_NAMES[name]: value for name, _, value in pairs if name in _STANZA_NAMES}
        uri, *suite = rest.split()[:2]
        yield Source(uri, tuple(suite), options)


_STANZA_NAMES = {"signed-by": "Signed-By", "trusted": "Trusted"}


def _stanza_sources(text: str) -> Iterable[Source]:
    for stanza in _stanzas(text):
        if "deb" not in stanza.get("types", "").split() or stanza.get("enabled", "yes").lower() == "no":
            continue
        options = {title: stanza[name] for name, title in _STANZA_NAMES.items() if name in stanza}
        for uri in stanza.get("uris", "").split():
            yield Source(uri, tuple(stanza.get("suites", "").split()), options)


def _stanzas(text: str) -> Iterable[dict[str, str]]:
    """Paragraphs of fields; a key may be written out over several lines."""
    stanza: dict[str, str] = {}
    field = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if stanza:
                yield stanza
            stanza = {}
        elif line[0].isspace():
            stanza[field] = stanza.get(field, "") + "\n" + line
        else:
            name, _, value = line.partition(":")
            field = name.strip().lower()
            stanza[field] = value.strip()
