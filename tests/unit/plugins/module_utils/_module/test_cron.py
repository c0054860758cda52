# SPDX-License-Identifier: GPL-3.0-or-later
"""Cron lines as Kubernetes takes them, and how long it is from tick to tick."""

from __future__ import annotations

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import MissingLibrary
from ansible_collections.longhorn.qa.plugins.module_utils._module import cron


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        pytest.param("* * * * *", 60, id="every-minute"),
        pytest.param("*/3 * * * *", 180, id="as-the-page-has-it"),
        pytest.param("0,5 * * * *", 300, id="uneven-takes-the-shortest"),
        pytest.param("@hourly", 3600, id="macro"),
        pytest.param("0 0 * JAN,jul Mon-fri", 86400, id="names"),
        pytest.param("0 0 29 2 *", 365 * 4 * 86400 + 86400, id="leap-days"),
    ],
)
def test_the_shortest_time_between_two_ticks(line: str, seconds: int) -> None:
    assert cron.problems(line) == []
    assert cron.shortest_interval(line).total_seconds() == seconds


@pytest.mark.parametrize("line", ["", "* * * *", "* * * * * *", "a b c d e", "60 * * * *", "@sometimes", "*/0 * * * *"])
def test_what_kubernetes_would_not_take_is_refused(line: str) -> None:
    assert len(cron.problems(line)) == 1


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        pytest.param("0 0 L * *", "'L'", id="last day"),
        pytest.param("0 0 15W * *", "'15W'", id="nearest weekday"),
        pytest.param("0 0 * * 5#2", "'5#2'", id="n-th weekday"),
        pytest.param("R * * * *", "'R'", id="random"),
        pytest.param("0 0 mon * *", "'mon'", id="weekday in the wrong field"),
    ],
)
def test_what_only_the_library_understands_is_refused(line: str, seen: str) -> None:
    assert cron.problems(line) == [f"cron {line!r} has {seen}, which Kubernetes does not know"]


def test_a_line_that_never_comes_due_is_refused() -> None:
    assert "never comes due" in cron.problems("0 0 30 2 *")[0]


def test_without_the_library_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cron, "croniter", None)
    with pytest.raises(MissingLibrary, match="croniter"):
        cron.problems("* * * * *")
