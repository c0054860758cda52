# SPDX-License-Identifier: GPL-3.0-or-later
"""How often something has to occur: the part that all assertion modules have in common.

An assertion that looked at everything fails or succeeds. When a part could not be looked at, it still fails if too much
was found, and still succeeds if enough was found and more is allowed; otherwise it is inconclusive, never a success.
"""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, Inconclusive, NotAsExpected
from ansible_collections.longhorn.qa.plugins.module_utils._module.argspec import Spec

TOTAL = "total"


def spec(*, least: int = 1, most: int | None = None, per: str = TOTAL) -> Spec:
    """The options ``min``, ``max`` and ``per``."""
    options: Spec = {
        "min": {"type": "int", "default": least},
        "max": {"type": "int"},
        "per": {"type": "str", "choices": ["invocation", TOTAL], "default": per},
    }
    if most is not None:
        options["max"]["default"] = most
    return options


@dataclass(frozen=True)
class Bounds:
    """At least, at most (None: any number), for each invocation or over all."""

    least: int
    most: int | None
    per: str

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Bounds:
        """From the options, or BadInput."""
        least, most = params["min"], params["max"]
        if least < 0 or (most is not None and most < least):
            seen = f"min {least}" + ("" if most is None else f", max {most}")
            raise BadInput("no number can be that", subject="min, max", expected="0 <= min <= max", seen=seen)
        return cls(least, most, params["per"])

    def __str__(self) -> str:
        if self.most is None:
            number = f"at least {self.least}"
        else:
            number = f"exactly {self.least}" if self.most == self.least else f"{self.least} to {self.most}"
        return f"{number} {'for each invocation' if self.per == 'invocation' else 'in total'}"


@dataclass(frozen=True)
class Found:
    """What an assertion found: matches by invocation, and what it could not look at, by invocation ("": of all).

    Of invocations that are excused, too little may have been found.
    """

    counts: Mapping[str, int]
    unseen: Sequence[tuple[str, str]] = ()
    excused: Collection[str] = ()
    left_out: str = ""  # of which invocations nothing was asked, and why


def decide(bounds: Bounds, found: Found, *, subject: str, evidence: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The module's result, or NotAsExpected or Inconclusive with the same evidence."""
    told = {
        "counts": dict(found.counts),
        "total": sum(found.counts.values()),
        "expected": str(bounds),
        "unseen": [f"{name}: {reason}" if name else reason for name, reason in found.unseen],
        **evidence,
    }
    counts = dict(found.counts) if bounds.per == "invocation" else {TOTAL: told["total"]}
    if not found.counts:
        raise Inconclusive(
            "there was no invocation to look at", subject=subject, expected=str(bounds), evidence=told,
            seen=found.left_out, advice="Has the CronJob run at all? An empty set proves nothing.",
        )  # fmt: skip
    wrong, open_ = _sorted_out(bounds, counts, found)
    if wrong:
        raise NotAsExpected(
            "the number of matches is not as expected", subject=subject, expected=str(bounds),
            seen="; ".join(wrong), evidence=told,
        )  # fmt: skip
    if open_:
        raise Inconclusive(
            "it cannot be decided, because not everything could be looked at", subject=subject, expected=str(bounds),
            seen="; ".join(open_), evidence=told, advice="Record the run with job_record, so that nothing is lost.",
        )  # fmt: skip
    return {"changed": False, **told}


def _sorted_out(bounds: Bounds, counts: Mapping[str, int], found: Found) -> tuple[list[str], list[str]]:
    wrong, open_ = [], []
    for name, count in counts.items():
        missing = [reason for about, reason in found.unseen if about in ("", name) or name == TOTAL]
        excused = name in found.excused or (name == TOTAL and found.excused)
        least = 0 if excused else bounds.least
        if bounds.most is not None and count > bounds.most:
            wrong.append(f"{name}: {count}")
        elif missing and (count < least or bounds.most is not None):
            open_.append(f"{name}: {count} seen, but {missing[0]}")
        elif count < least:
            wrong.append(f"{name}: {count}")
    return wrong, open_
