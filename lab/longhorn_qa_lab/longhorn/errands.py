# SPDX-License-Identifier: GPL-3.0-or-later
"""Work of the manager that takes its time: done beside the control loop, which asks later how it went."""

from __future__ import annotations

import dataclasses
import threading
import typing as t

Spawn = t.Callable[[t.Callable[[], None]], None]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How an errand went."""

    value: t.Any = None
    error: Exception | None = None


def in_a_thread(work: t.Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True, name="errand").start()


class Errands:
    """At most one errand at a time for each key; what it came to is kept until somebody takes it."""

    def __init__(self, touch: t.Callable[[], None], spawn: Spawn = in_a_thread) -> None:
        self._touch = touch
        self._spawn = spawn
        self._lock = threading.Lock()
        self._running: set[t.Hashable] = set()
        self._over: dict[t.Hashable, Outcome] = {}

    def once(self, key: t.Hashable, work: t.Callable[[], t.Any]) -> Outcome | None:
        """What an errand came to; it is begun unless it is on its way, and then there is nothing to tell yet."""
        outcome = self.take(key)
        if outcome is not None:
            return outcome
        self.start(key, work)
        return self.take(key)

    def start(self, key: t.Hashable, work: t.Callable[[], t.Any]) -> None:
        """Begin an errand, unless one with this key is running."""
        with self._lock:
            if key in self._running:
                return
            self._running.add(key)

        def run() -> None:
            try:
                outcome = Outcome(value=work())
            except Exception as error:  # noqa: BLE001 -- whoever takes the outcome decides
                outcome = Outcome(error=error)
            with self._lock:
                self._running.discard(key)
                self._over[key] = outcome
            self._touch()

        self._spawn(run)

    def is_running(self, key: t.Hashable) -> bool:
        with self._lock:
            return key in self._running

    def take(self, key: t.Hashable) -> Outcome | None:
        """What an errand came to; None while there is nothing to tell. Told once."""
        with self._lock:
            return self._over.pop(key, None)
