# SPDX-License-Identifier: GPL-3.0-or-later
"""The times of a cron expression, by the library that knows how; the judge is handed this function."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta, timezone

croniter: t.Any
try:
    from croniter import croniter
except ImportError:
    croniter = None

MAX_TICKS = 100_000

_DAY = timedelta(days=1)
_FAR_TOO_MANY = 20 * MAX_TICKS  # if all days were as the first: a time that is centuries away is found out at once


def ticks(expression: str, since: datetime, until: datetime) -> tuple[datetime, ...]:
    """The schedule's times from ``since`` to ``until``, both included, or ValueError."""
    if croniter is None:
        raise ValueError("the Python library croniter is not installed")
    if not croniter.is_valid(expression):
        raise ValueError("it is not a cron expression of five fields")
    try:
        return _between(expression, since, until)
    except OverflowError as error:
        raise ValueError(f"a calendar has no times between {since} and {until}: {error}") from error


def _between(expression: str, since: datetime, until: datetime) -> tuple[datetime, ...]:
    found: list[datetime] = []
    iterator = croniter(expression, since.astimezone(timezone.utc) - timedelta(seconds=1))
    days = (until - since) / _DAY
    first_day = True
    while len(found) < MAX_TICKS:
        tick: datetime = iterator.get_next(datetime)
        if tick > until:
            return tuple(found)
        if first_day and tick - since > _DAY:
            first_day = False
            if len(found) * days > _FAR_TOO_MANY:
                break
        found.append(tick)
    raise ValueError(f"it has more than {MAX_TICKS} times between {since} and {until}")
