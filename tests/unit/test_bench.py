# SPDX-License-Identifier: GPL-3.0-or-later
"""``make bench`` ends with an error when a figure misses its goal."""

from __future__ import annotations

import pytest
from tests.bench import __main__ as bench
from tests.bench.figure import Figure


@pytest.mark.parametrize(
    ("value", "goal", "status"),
    [
        pytest.param(1.0, 1.0, 0, id="met"),
        pytest.param(1.1, 1.0, 1, id="missed"),
        pytest.param(float("nan"), 1.0, 1, id="not a number"),
        pytest.param(9.9, None, 0, id="no goal"),
    ],
)
def test_a_missed_goal_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: float, goal: float | None, status: int
) -> None:
    figures = [Figure("something quick", 0.1, "s", 1.0), Figure("the judge", value, "s", goal)]
    monkeypatch.setattr(bench, "PARTS", {"judge": lambda _progress: iter(figures)})
    assert bench.main(["judge"]) == status
    told = capsys.readouterr()
    assert ("MISSED" in told.out, told.err) == (bool(status), "bench: 1 missed: the judge\n" if status else "")
