# SPDX-License-Identifier: GPL-3.0-or-later
"""How far an object is on its way to a wanted state. What every readiness predicate returns, never a bare bool."""

from __future__ import annotations

import typing as t


class Progress(t.NamedTuple):
    """A state and the reason for it, so that a time-out can say what was seen last."""

    state: t.Literal["done", "pending", "failed"]
    reason: str  # "state=attaching robustness=unknown"


def done(reason: str = "") -> Progress:
    """The wanted state is there."""
    return Progress("done", reason)


def pending(reason: str) -> Progress:
    """Not yet."""
    return Progress("pending", reason)


def failed(reason: str) -> Progress:
    """Never again: waiting longer is useless."""
    return Progress("failed", reason)
