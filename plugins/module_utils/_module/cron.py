# SPDX-License-Identifier: GPL-3.0-or-later
"""Cron lines, judged as Kubernetes and Longhorn do: five fields or a macro. The calculation is croniter's."""

from __future__ import annotations

import itertools
import re
import typing as t
from datetime import datetime, timedelta, timezone

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import MissingLibrary

croniter: t.Any
try:
    from croniter import croniter
except ImportError:
    croniter = None

_MACROS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_NAMES = {
    3: {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"},
    4: {"sun", "mon", "tue", "wed", "thu", "fri", "sat"},
}  # by field
_SAMPLE = 200  # ticks looked at for the shortest interval
_START = datetime(2024, 1, 1, tzinfo=timezone.utc)  # any moment will do: only differences count


def problems(line: str) -> list[str]:
    """What is wrong with a cron line, if anything."""
    if not line.strip():
        return ["the cron line is empty"]
    if line.startswith("@"):
        return [] if line in _MACROS else [f"cron {line!r} is not known; use five fields or {', '.join(_MACROS)}"]
    if len(line.split()) != 5:
        return [f"cron {line!r} has {len(line.split())} fields; expected 5: minute, hour, day, month, weekday"]
    foreign = _foreign(line)
    if foreign:
        return [f"cron {line!r} has {foreign!r}, which Kubernetes does not know"]
    try:
        _library()(line, _START).get_next(datetime)  # a line that parses may never come due
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"cron {line!r} does not parse, or never comes due: {error}"]
    return []


def _foreign(line: str) -> str:
    """What only croniter understands: the last or nearest day, the n-th weekday, random and hashed values."""
    for place, field in enumerate(line.split()):
        if not _NAMES.get(place, set()).issuperset(re.findall(r"[a-z]+|#", field.lower())):
            return field
    return ""


def shortest_interval(line: str) -> timedelta:
    """The shortest time between two ticks of a valid line."""
    ticks = _library()(line, _START)
    moments: list[datetime] = [ticks.get_next(datetime) for _tick in range(_SAMPLE)]
    return min(later - earlier for earlier, later in itertools.pairwise(moments))


def _library() -> t.Any:
    if croniter is None:
        raise MissingLibrary(
            "the Python library croniter is needed to understand cron lines",
            advice="Install it where the module runs: pip install croniter.",
        )
    return croniter
