# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions: a map or a list, types in any case."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.conditions import condition, unmet

NO = {"type": "Scheduled", "status": "False", "reason": "ReplicaSchedulingFailure", "message": "no disk has room"}
YES = {"type": "Ready", "status": "True", "message": ""}


@pytest.mark.parametrize(
    "conditions",
    [
        pytest.param({"scheduled": {**NO, "type": "scheduled"}, "ready": YES}, id="map-up-to-1.2"),
        pytest.param([YES, {**NO, "type": "scheduled"}], id="list-of-1.3"),
        pytest.param([YES, NO], id="list-since-1.4"),
    ],
)
def test_a_condition_is_found_in_every_shape(conditions: t.Any) -> None:
    assert condition(conditions, "scheduled")["status"] == "False"
    assert unmet(conditions, "scheduled") == "no disk has room"
    assert unmet(conditions, "ready") == ""


@pytest.mark.parametrize(
    "conditions", [pytest.param(None, id="none"), pytest.param({}, id="map"), pytest.param([], id="list")]
)
def test_without_conditions_nothing_is_said(conditions: t.Any) -> None:
    assert condition(conditions, "ready") == {}
    assert unmet(conditions, "ready") == ""


def test_a_reason_stands_in_for_a_missing_message() -> None:
    assert unmet([{"type": "ready", "status": "Unknown", "reason": "Probing"}], "Ready") == "Probing"
