# SPDX-License-Identifier: GPL-3.0-or-later
"""One measured figure and how the table shows it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """What was measured, beside what was hoped for."""

    what: str
    value: float
    unit: str
    goal: float | None = None

    @property
    def missed(self) -> bool:
        return self.goal is not None and not self.value <= self.goal  # what is not a number meets no goal

    def row(self) -> str:
        goal = f"<= {self.goal:g} {self.unit}" if self.goal is not None else "-"
        met = "-" if self.goal is None else "MISSED" if self.missed else "met"
        return f"{self.what:<58} {self.value:>10.2f} {self.unit:<4} {goal:>12} {met:>7}"


class Stopwatch:
    """Seconds of a block."""

    seconds = 0.0


@contextlib.contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    watch = Stopwatch()
    begun = time.monotonic()
    yield watch
    watch.seconds = time.monotonic() - begun


def table(figures: Sequence[Figure]) -> str:
    head = f"{'figure':<58} {'measured':>10} {'':<4} {'goal':>12} {'':>7}"
    return "\n".join([head, "-" * len(head), *(figure.row() for figure in figures)])
