# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache of program sets: complete or absent, never half; every byte checked before it is run."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import shutil
import tempfile
import time
import typing as t
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from longhorn_qa_lab.binaries.catalog import EXTRAS, PROGRAMS, Binaries
from longhorn_qa_lab.errors import Damaged, LabError
from longhorn_qa_lab.progress import Progress

MANIFEST = "manifest.json"
_SCHEMA = 1
_WORK = "work-"


def sha256(path: Path) -> str:
    """The file's checksum in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load(folder: Path) -> Binaries | None:
    """The set in this folder, checked; None when there is none; Damaged when it is not what was put there."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return None
    try:
        document = json.loads(manifest.read_text(encoding="utf-8"))
        sums: Mapping[str, str] = dict(document["sha256"])
        source, kubernetes = str(document["source"]), str(document["kubernetes"])
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{manifest} is not a readable manifest") from error
    missing = [name for name in PROGRAMS if name not in sums]
    if missing:
        raise Damaged(f"{manifest} names no {', '.join(missing)}")
    check_sums(folder, sums)
    return Binaries(folder, source, kubernetes, {name: folder / name for name in sums})


def check_sums(folder: Path, sums: Mapping[str, str]) -> None:
    """Compares every file with its checksum."""

    def differs(item: tuple[str, str]) -> str | None:
        name, expected = item
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        seen = sha256(path)
        return None if seen == expected.lower() else f"{path} has SHA-256 {seen}, expected {expected}"

    with ThreadPoolExecutor(4) as pool:
        wrong = [text for text in pool.map(differs, sums.items()) if text]
    if wrong:
        raise Damaged("; ".join(wrong))


@contextlib.contextmanager
def locked(root: Path, progress: Progress) -> Iterator[None]:
    """One build or download at a time per cache; others wait and say so."""
    with no_space_left(root):
        root.mkdir(parents=True, exist_ok=True)
        stream = (root / "lock").open("a", encoding="utf-8")
    with stream:
        _wait_for_lock(stream, progress)
        for stale in root.glob(f"{_WORK}*"):  # left by a killed predecessor, for the lock is ours
            shutil.rmtree(stale, ignore_errors=True)
        yield


def _wait_for_lock(stream: t.IO[str], progress: Progress) -> None:
    told = 0.0
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if progress.elapsed >= told:
                progress("another process is preparing the same binaries: waiting for it")
                told = progress.elapsed + 15
            time.sleep(0.2)
        else:
            return


@contextlib.contextmanager
def workspace(root: Path) -> Iterator[Path]:
    """A folder beside the sets, gone afterwards whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix=_WORK, dir=root))
    try:
        with no_space_left(root):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def no_space_left(folder: Path) -> Iterator[None]:
    """Turns the system's word for a full disk into advice."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LabError(
                f"The disk that holds {folder} is full: free some space, or point elsewhere with XDG_CACHE_HOME "
                "(binaries) or LONGHORN_QA_LAB_DIR (labs)."
            ) from error
        raise


def publish(made: Path, target: Path, *, source: str, kubernetes: str) -> Binaries:
    """Moves a finished set to its place in one step, after writing down its checksums."""
    names = [name for name in (*PROGRAMS, *EXTRAS) if (made / name).is_file()]
    for name in names:
        (made / name).chmod(0o755)
    document = {
        "schema": _SCHEMA,
        "source": source,
        "kubernetes": kubernetes,
        "sha256": {name: sha256(made / name) for name in names},
    }
    (made / MANIFEST).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if target.exists():
        shutil.rmtree(target)
    made.replace(target)
    loaded = load(target)
    if loaded is None:
        raise Damaged(f"{target} vanished while it was published")
    return loaded
