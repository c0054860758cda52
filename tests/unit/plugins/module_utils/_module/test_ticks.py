# SPDX-License-Identifier: GPL-3.0-or-later
"""Ticks of a schedule between two moments, both included."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._module import ticks as module
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


@pytest.mark.parametrize("expression", ["* * * * *", "*/5 * * * *", "0 3 * * *"])
def test_a_time_that_is_centuries_away_is_found_out_at_once(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One forged moment would cost every volume of a history many seconds."""
    asked = []

    class Counted(module.croniter):  # type: ignore[misc, name-defined]
        def get_next(self, *arguments: object) -> object:
            asked.append(arguments)
            return super().get_next(*arguments)

    monkeypatch.setattr(module, "croniter", Counted)
    with pytest.raises(ValueError, match="more than"):
        ticks(expression, START, datetime(9999, 12, 30, tzinfo=timezone.utc))
    assert len(asked) < 2000


def test_years_of_a_common_schedule_are_listed() -> None:
    found = ticks("0 * * * *", START, START + timedelta(days=3650))
    assert len(found) == 3650 * 24
