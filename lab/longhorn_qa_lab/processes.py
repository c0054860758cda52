# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of a lab: how they are told from strangers, and how they are ended.

A process id alone proves nothing, because ids are reused. A lab's process is one whose environment carries the lab's
folder (children inherit it) or whose id *and* start time were written down when it was started.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MARK = "LONGHORN_QA_LAB"

_PR_SET_PDEATHSIG = 1
_PROC = Path("/proc")
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Process:
    """One process, beyond the reuse of its id."""

    pid: int
    start: int

    def alive(self) -> bool:
        """A zombie counts as ended: it holds nothing but its entry."""
        return _start_of(self.pid) == self.start

    def signal(self, number: int) -> None:
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def identify(pid: int) -> Process | None:
    """The process that has this id now."""
    start = _start_of(pid)
    return None if start is None else Process(pid, start)


def _start_of(pid: int) -> int | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


def die_with_parent() -> None:
    """To be run in a child before it executes its program: the kernel ends it when its parent thread ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def marked(folder: Path) -> Iterator[Process]:
    """All living processes that carry this lab's mark, whoever started them."""
    mark = f"{MARK}={folder}".encode()
    for entry in _PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if mark in environment.split(b"\0") and (process := identify(int(entry.name))):
            yield process


def end(processes: Iterable[Process], *, grace: float = 5.0) -> None:
    """Asks, waits, then insists. Returns when all have ended."""
    asked = list(processes)
    for process in asked:
        process.signal(signal.SIGTERM)
    if not _ended(asked, within=grace):
        for process in asked:
            process.signal(signal.SIGKILL)
        _ended(asked, within=grace)


def _ended(processes: list[Process], *, within: float) -> bool:
    deadline = time.monotonic() + within
    while any(process.alive() for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
