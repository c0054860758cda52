# SPDX-License-Identifier: GPL-3.0-or-later
"""JMESPath as the asserts use it: what is true, what does not fit, and what is no expression at all."""

from __future__ import annotations

import builtins
import importlib
import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._module import conditions

VOLUME = {"status": {"state": "attached", "conditions": [{"type": "Ready", "status": "True"}], "count": 0, "none": []}}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        pytest.param("status.state == 'attached'", True, id="equal"),
        pytest.param("status.state == 'detached'", False, id="not equal"),
        pytest.param("status.conditions[?type=='Ready'].status | [0] == 'True'", True, id="a condition of the object"),
        pytest.param("status.state", True, id="text"),
        pytest.param("status.count", True, id="zero is true in JMESPath"),
        pytest.param("status.none", False, id="an empty list"),
        pytest.param("status.missing", False, id="nothing"),
        pytest.param("!(status.missing)", True, id="not nothing"),
    ],
)
def test_what_holds(text: str, *, holds: bool) -> None:
    assert conditions.Condition.of(text, option="condition").of_object(VOLUME).holds is holds


def test_an_expression_that_does_not_fit_the_object_yet_does_not_hold_and_says_why() -> None:
    outcome = conditions.Condition.of("length(status.missing) > `0`", option="condition").of_object(VOLUME)
    assert (outcome.holds, outcome.value) == (False, None)
    assert "length()" in outcome.problem
    assert "\n" not in outcome.problem


def test_a_comparison_of_text_with_a_number_does_not_hold() -> None:
    outcome = conditions.Condition.of("status.state > `1`", option="condition").of_object(VOLUME)
    assert (outcome.holds, "not supported" in outcome.problem) == (False, True)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("status.state = 'attached'", id="one equals sign"),
        pytest.param("status[", id="cut"),
        pytest.param("size(status)", id="unknown function"),
        pytest.param("length()", id="too few arguments"),
    ],
)
def test_what_is_no_expression_is_bad_input(text: str) -> None:
    with pytest.raises(errors.BadInput, match=r"^option fail_when: not a JMESPath expression") as caught:
        conditions.Condition.of(text, option="fail_when")
    assert "\n" not in str(caught.value)


def test_without_the_library_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: t.Any, **kwargs: t.Any) -> t.Any:
        if name.partition(".")[0] == "jmespath":
            raise ImportError("no such thing", name="jmespath")
        return real(name, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(builtins, "__import__", without)
        importlib.reload(conditions)
        with pytest.raises(errors.MissingLibrary, match=r"jmespath cannot be imported.*pip install"):
            conditions.Condition.of("a", option="condition")
    importlib.reload(conditions)
    assert conditions.Condition.of("a", option="condition").of_object({"a": 1}).holds
