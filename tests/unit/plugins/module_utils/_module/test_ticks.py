# SPDX-License-Identifier: GPL-3.0-or-later
"""Ticks of a schedule between two moments, both included."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._module.ticks import ticks

START = datetime(2026, 11, 23, 3, 9, tzinfo=timezone.utc)


def test_every_three_minutes() -> None:
    found = ticks("*/3 * * * *", START, START + timedelta(minutes=6))
    assert [tick.minute for tick in found] == [9, 12, 15]
    assert all(tick.tzinfo is not None for tick in found)


def test_both_ends_are_included() -> None:
    assert ticks("* * * * *", START, START) == (START,)


def test_times_in_another_zone_are_the_same_moments() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    assert ticks("0 * * * *", START.astimezone(zone), (START + timedelta(hours=1)).astimezone(zone)) == (
        datetime(2026, 11, 23, 4, tzinfo=timezone.utc),
    )


@pytest.mark.parametrize("expression", ["", "* * *", "61 * * * *", "nonsense"], ids=["empty", "three", "61", "word"])
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="cron expression"):
        ticks(expression, START, START)


def test_endless_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        ticks("* * * * *", START, START + timedelta(days=3650))


@pytest.mark.parametrize(
    "moment",
    [datetime.min.replace(tzinfo=timezone.utc), datetime.max.replace(microsecond=0, tzinfo=timezone.utc)],
    ids=["the first", "the last"],
)
def test_moments_at_the_edge_of_the_calendar_are_refused(moment: datetime) -> None:
    """A forged history may have any."""
    with pytest.raises(ValueError, match="a calendar has no times between"):
        ticks("* * * * *", moment, moment)
