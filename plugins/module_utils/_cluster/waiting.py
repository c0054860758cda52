# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting, in one place: the only file that sleeps.

A readiness predicate answers with a state *and its reason*, so that a time-out can say what was seen last; a state that
cannot become right any more ends the wait at once. Deadlines use the monotonic clock, which is injected.
"""

from __future__ import annotations

import random
import threading
import time
import typing as t
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    ApiFailure,
    Forbidden,
    TerminalState,
    Unauthorized,
    WaitTimeout,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress

T = t.TypeVar("T")


class Clock(t.Protocol):
    """What a waiter needs of time."""

    def now(self) -> datetime:
        """The wall clock, aware UTC; for records, never for durations."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""


class SystemClock:
    """The machine's clock. ``interrupted``, once set, ends every sleep that goes on or begins."""

    def __init__(self, interrupted: threading.Event | None = None) -> None:
        self._interrupted = interrupted or threading.Event()

    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let that much time pass, or less when interrupted."""
        self._interrupted.wait(seconds)


SYSTEM = SystemClock()


@dataclass(frozen=True)
class Wanted:
    """What is waited for, in words, and for how long."""

    subject: str  # "Volume longhorn-system/test-1"
    expected: str  # "state attached and robustness healthy"
    timeout: float
    interval: float = 1.0
    advice: str = ""


def wait_for(read: Callable[[], T], check: Callable[[T], Progress], *, wanted: Wanted, clock: Clock = SYSTEM) -> T:
    """Reads until ``check`` says done; returns what was read then.

    ``check`` must accept whatever ``read`` returns, also None for an object that is gone. A failing API is waited out
    too, except for refused credentials and missing permissions.
    """
    started = clock.monotonic()
    attempts, seen, cause = 0, "nothing yet", None
    while True:
        attempts += 1
        try:
            value = read()
        except (Unauthorized, Forbidden):
            raise
        except ApiFailure as error:
            seen, cause = str(error), error
        else:
            progress = check(value)
            seen, cause = progress.reason, None
            if progress.state == "done":
                return value
            if progress.state == "failed":
                raise terminal(wanted, seen, clock.monotonic() - started)
        left = started + wanted.timeout - clock.monotonic()
        if left <= 0:
            raise timed_out(wanted, seen, clock.monotonic() - started, attempts=attempts) from cause
        clock.sleep(min(wanted.interval, left))


def terminal(wanted: Wanted, seen: str, after: float) -> TerminalState:
    """The error of a wait that can never end well."""
    return TerminalState(
        "cannot reach the wanted state any more",
        subject=wanted.subject, expected=wanted.expected, seen=seen, after=after, advice=wanted.advice,
    )  # fmt: skip


def timed_out(wanted: Wanted, seen: str, after: float, *, attempts: int) -> WaitTimeout:
    """The error of a wait that was too short."""
    return WaitTimeout(
        "did not reach the wanted state in time",
        subject=wanted.subject, expected=wanted.expected, seen=f"{seen} (after {attempts} looks)", after=after,
        advice=wanted.advice or "Look at the object's events and conditions, or raise wait_timeout.",
    )  # fmt: skip


@dataclass
class Backoff:
    """Growing pauses with jitter between attempts, within a budget of seconds since the last success."""

    clock: Clock = SYSTEM
    first: float = 0.5
    longest: float = 15.0
    budget: float = 300.0
    jitter: Callable[[], float] = random.random
    _failures: int = field(default=0, init=False)
    _since: float | None = field(default=None, init=False)

    def succeeded(self) -> None:
        """The next failure is a first one again."""
        self._failures, self._since = 0, None

    def spent(self) -> float:
        """Seconds since the first failure after the last success."""
        return 0.0 if self._since is None else self.clock.monotonic() - self._since

    def pause(self, at_least: float | None = None) -> bool:
        """Sleeps before the next attempt (``at_least``: what the server asked for); False when the budget is spent."""
        now = self.clock.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since >= self.budget:
            return False
        delay = min(self.longest, self.first * 2.0 ** min(self._failures, 16)) * (0.5 + 0.5 * self.jitter())
        self._failures += 1
        self.clock.sleep(max(delay, at_least or 0.0))
        return True
