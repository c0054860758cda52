# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: plain and JSON values, when two are the same, and when one is in force."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import setting
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.setting import Setting


def test_a_setting_is_read_from_beside_its_spec() -> None:
    document = {"metadata": {"name": "n"}, "value": "v", "status": {"applied": False}}
    assert Setting.from_object(document) == Setting("n", "v", applied=False)
    assert Setting.from_object({"metadata": {"name": "n"}}) == Setting("n", "", applied=None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(True, "true", id="boolean"),
        pytest.param(False, "false", id="boolean-no"),
        pytest.param(3, "3", id="number"),
        pytest.param(None, "", id="nothing"),
        pytest.param("plain", "plain", id="text"),
        pytest.param({"v2": "2", "v1": "1"}, '{"v1":"1","v2":"2"}', id="dictionary"),
        pytest.param(["a"], '["a"]', id="list"),
    ],
)
def test_values_of_playbooks_as_text(value: t.Any, text: str) -> None:
    assert setting.text(value) == text


@pytest.mark.parametrize(
    ("stored", "wanted", "same"),
    [
        pytest.param("3", "3", True, id="equal"),
        pytest.param("3", "2", False, id="other"),
        pytest.param('{"v1":"3","v2":"3"}', '{"v2": "3", "v1": "3"}', True, id="json-written-otherwise"),
        pytest.param('{"v1":"3","v2":"3"}', "3", True, id="plain-for-every-data-engine"),
        pytest.param('{"v1":"3","v2":"2"}', "3", False, id="plain-and-one-differs"),
        pytest.param('{"v1":true}', "true", True, id="boolean-in-json"),
        pytest.param("{}", "", False, id="empty-object-is-not-nothing"),
        pytest.param("true", "True", False, id="case-counts"),
        pytest.param("1", "1.0", False, id="numbers-are-text"),
        pytest.param("", "", True, id="both-empty"),
    ],
)
def test_when_two_values_are_the_same(stored: str, wanted: str, same: bool) -> None:
    assert setting.same(stored, wanted) is same


def test_a_plan_sets_what_differs_and_nothing_else() -> None:
    plan = setting.plan(Setting("n", "a"), "b")
    assert [step.arguments for step in plan.steps] == [{"value": "b"}]
    assert plan.diff == {"before": {"name": "n", "value": "a"}, "after": {"name": "n", "value": "b"}}
    assert not setting.plan(Setting("n", "a"), "a").changed
    assert "to nothing instead of a" in setting.plan(Setting("n", "a"), "").messages[0]


@pytest.mark.parametrize(
    ("found", "state"),
    [
        pytest.param(None, "pending", id="gone"),
        pytest.param(Setting("n", "a"), "pending", id="old-value"),
        pytest.param(Setting("n", "b"), "done", id="not-told-whether-applied"),
        pytest.param(Setting("n", "b", applied=False), "pending", id="not-applied-yet"),
        pytest.param(Setting("n", "b", applied=True), "done", id="applied"),
    ],
)
def test_when_a_setting_is_in_force(found: Setting | None, state: str) -> None:
    assert setting.settled(found, "b").state == state


def test_similar_names_are_offered() -> None:
    assert setting.similar("disable-snapshot-purges", ["disable-snapshot-purge", "backup-target"]) == [
        "disable-snapshot-purge"
    ]
    assert setting.similar("xyz", ["backup-target"]) == []
