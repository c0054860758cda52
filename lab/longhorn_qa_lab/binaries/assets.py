# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that the user brought along: run where they are, never copied or changed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from longhorn_qa_lab.binaries import store
from longhorn_qa_lab.binaries.catalog import EXTRAS, PROGRAMS, Binaries
from longhorn_qa_lab.errors import Damaged, LabError

_SUMS = "SHA256SUMS"


def load(folder: Path) -> Binaries:
    """A wrong assets folder is an error, not a reason to look elsewhere: the user asked for it."""
    if not folder.is_dir():
        raise LabError(f"The assets folder {folder} does not exist: correct LONGHORN_QA_ASSETS or unset it.")
    missing = [name for name in PROGRAMS if not (folder / name).is_file()]
    if missing:
        raise LabError(f"The assets folder {folder} lacks {', '.join(missing)}: it needs {', '.join(PROGRAMS)}.")
    closed = [name for name in PROGRAMS if not os.access(folder / name, os.X_OK)]
    if closed:
        raise LabError(f"In the assets folder {folder} these are not executable: {', '.join(closed)}. Run chmod +x.")
    try:
        published = store.load(folder)
        if published:
            return published
        _check_sum_file(folder)
    except Damaged as error:
        raise LabError(f"The assets folder {folder} does not match its checksums: {error}. Fetch it again.") from error
    found = {name: folder / name for name in (*PROGRAMS, *EXTRAS) if (folder / name).is_file()}
    return Binaries(folder, "assets", _version(folder / "kube-apiserver"), found)


def _check_sum_file(folder: Path) -> None:
    """The usual two-column file, when there is one; it may name files that are not ours."""
    sums = folder / _SUMS
    if not sums.is_file():
        return
    pairs = (line.split(None, 1) for line in sums.read_text(encoding="utf-8").splitlines() if line.strip())
    known = {name.strip().lstrip("*"): digest for digest, name in (pair for pair in pairs if len(pair) == 2)}
    store.check_sums(folder, {name: digest for name, digest in known.items() if name in PROGRAMS})


def _version(apiserver: Path) -> str:
    try:
        answer = subprocess.run(
            [apiserver, "--version"], capture_output=True, text=True, timeout=20, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise LabError(f"{apiserver} does not run on this machine: {error}") from error
    return answer.stdout.strip().rpartition(" ")[2] or "unknown"
