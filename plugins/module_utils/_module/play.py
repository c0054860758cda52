# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the play that runs this module is still there.

A play that is killed sends its modules no signal; one that records for an hour would go on for nobody. Two things tell:
the pipe of our output loses its reader, or an ansible process among our ancestors is gone.
"""

from __future__ import annotations

import select
from pathlib import Path, PurePath

_PROC = Path("/proc")
_DEEPEST = 20


class Play:
    """Looks at the ancestors once, and tells from then on whether they live."""

    def __init__(self, *, output: int = 1, proc: Path = _PROC) -> None:
        self._proc = proc
        self._poll = select.poll()
        self._poll.register(output, 0)  # of a pipe whose reader is gone, POLLERR is told without asking
        self._ancestors = self._ansible_ancestors()

    def over(self) -> bool:
        """Whether nobody waits for us any more."""
        if any(state & select.POLLERR for _unused, state in self._poll.poll(0)):
            return True
        return any(self._stat(pid)[1] != started for pid, started in self._ancestors)

    def _ansible_ancestors(self) -> list[tuple[str, str]]:
        """Process ids with start times, because ids are used again; empty where there is no /proc."""
        found = []
        pid = self._stat("self")[0]
        for _unused in range(_DEEPEST):
            parent, started = self._stat(pid)
            if not started:
                break
            if self._is_ansible(pid):
                found.append((pid, started))
            pid = parent
        return found

    def _stat(self, pid: str) -> tuple[str, str]:
        """Parent and start time; empty when there is no such process."""
        try:
            text = (self._proc / pid / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "", ""
        fields = text.rpartition(")")[2].split()
        return ("", "") if fields[:1] == ["Z"] else (fields[1], fields[19])

    def _is_ansible(self, pid: str) -> bool:
        """By the program's name, which is the first word, or the second behind an interpreter."""
        try:
            words = (self._proc / pid / "cmdline").read_bytes().split(b"\0")[:2]
        except OSError:
            return False
        return any(PurePath(word.decode("utf-8", "replace")).name.startswith("ansible") for word in words)
