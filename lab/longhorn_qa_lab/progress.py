# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that tell a waiting person what is going on and for how long."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

Say = Callable[[str], None]


def to_stderr(text: str) -> None:
    """Progress never goes to stdout, whose last line is somebody's result."""
    print(text, file=sys.stderr, flush=True)


def silent(text: str) -> None:
    """For callers that only want the result."""


class Progress:
    """Prefixes each line with the seconds since the work began."""

    def __init__(self, say: Say = to_stderr, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._started = clock()

    @property
    def elapsed(self) -> float:
        return self._clock() - self._started

    def __call__(self, text: str) -> None:
        self._say(f"[{self.elapsed:5.1f}s] {text}")

    @contextlib.contextmanager
    def step(self, text: str, every: float = 15.0) -> Iterator[None]:
        """Announces a long step and repeats itself while it lasts, so that silence never looks like a hang."""
        self(text)
        begun = self._clock()
        done = threading.Event()

        def remind() -> None:
            while not done.wait(every):
                self(f"{text}: still at it after {self._clock() - begun:.0f}s")

        reminder = threading.Thread(target=remind, daemon=True)
        reminder.start()
        try:
            yield
        finally:
            done.set()
            reminder.join()


def as_progress(say: Progress | Say | None) -> Progress:
    """Accepts whatever a caller has."""
    if isinstance(say, Progress):
        return say
    return Progress(say or to_stderr)
