# SPDX-License-Identifier: GPL-3.0-or-later
"""A log file of a running container: appended by the node, read by any number of followers on the same event loop."""

from __future__ import annotations

import asyncio
from pathlib import Path


class LogFile:
    """The file of one attempt; a follower waits on `news` once it has read everything."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.closed = False
        self.news = asyncio.Event()
        self._file = path.open("ab", buffering=0)

    def append(self, entries: bytes) -> None:
        """Add complete entries."""
        if entries and not self.closed:
            self._file.write(entries)
            self._tell()

    def close(self) -> None:
        """Nothing more will come."""
        if not self.closed:
            self.closed = True
            self._file.close()
            self._tell()

    def _tell(self) -> None:
        old, self.news = self.news, asyncio.Event()
        old.set()
