# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine that is wrapped: the executable and what it says about its own version."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from longhorn_qa_lab.errors import LabError

ASK = ("version", "--client-only")

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_SECONDS = 60


@dataclass(frozen=True)
class Engine:
    """``answer`` is what it prints for ``version --client-only``, ``commit`` the gitCommit in there."""

    content: bytes
    answer: str
    version: str
    commit: str


def read_file(path: Path) -> bytes:
    """The bytes of an executable that somebody took out of an image."""
    if not path.stat().st_mode & 0o111:
        raise LabError(f"{path} is not executable, so it is no engine: chmod +x it if it is.")
    return path.read_bytes()


def understand(content: bytes, answer: str | None = None) -> Engine:
    """Asks the engine for its version, unless somebody has asked it elsewhere."""
    text = _ask(content) if answer is None else answer
    version, commit = _read(text)
    if commit.encode() not in content:
        raise LabError(
            f"The engine says that its gitCommit is {commit}, but this text is not in its file, so it cannot be given "
            "one of its own: is the file compressed, or the answer that of another engine?"
        )
    return Engine(content=content, answer=text, version=version, commit=commit)


def place(content: bytes, folder: Path) -> Path:
    """The executable under its own name, in a folder made for it."""
    folder.mkdir(parents=True)
    path = folder / "longhorn"
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def call(program: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Runs it and keeps what it says; an engine that this machine cannot run is said to be one."""
    try:
        return subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            cwd=program.parent,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"'longhorn {' '.join(arguments)}' did not end within {_SECONDS} s: is this Longhorn's engine?"
        ) from error
    except OSError as error:
        raise LabError(
            f"This machine cannot run the engine ({error.strerror}); it was probably built for another processor. "
            "Do it on a machine that can, or hand its answer over with --version-answer, and without --self-test: "
            "docker run --rm --entrypoint longhorn IMAGE version --client-only > FILE"
        ) from error


def _ask(content: bytes) -> str:
    with tempfile.TemporaryDirectory(prefix="longhorn-qa-stub-") as folder:
        done = call(place(content, Path(folder) / "engine"), *ASK)
    if done.returncode:
        raise LabError(
            f"'longhorn {' '.join(ASK)}' ended with status {done.returncode} and said "
            f"{done.stderr.decode(errors='replace')!r}. Longhorn's engine answers with its version: is this one?"
        )
    return done.stdout.decode(errors="replace")


def _read(answer: str) -> tuple[str, str]:
    try:
        client = json.loads(answer)["clientVersion"]
        version, commit = str(client["version"]), str(client["gitCommit"])
    except (ValueError, TypeError, KeyError) as error:
        raise LabError(
            f"The answer to 'longhorn {' '.join(ASK)}' was expected to be JSON with clientVersion.version and "
            f"clientVersion.gitCommit, but it is {answer[:200]!r}: is this Longhorn's engine?"
        ) from error
    if not _COMMIT.fullmatch(commit):
        raise LabError(
            f"The engine says that its gitCommit is {commit!r}, which is none. Longhorn tells engines apart by it, so "
            "this one cannot be wrapped: take one that was built as the releases are."
        )
    return version, commit
