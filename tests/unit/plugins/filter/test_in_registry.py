# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that moves an image reference to a private registry."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.longhorn.qa.plugins.filter import in_registry as module

FILTER = module.FilterModule().filters()["in_registry"]


def test_the_host_is_replaced() -> None:
    assert FILTER("quay.io/a/b:c", "r.example") == "r.example/a/b:c"


def test_without_a_registry_nothing_changes() -> None:
    assert FILTER("quay.io/a/b:c") == "quay.io/a/b:c"


@pytest.mark.parametrize(
    ("reference", "registry", "told"),
    [
        pytest.param(None, "r", "the image reference must be a string, not NoneType", id="no reference"),
        pytest.param("a", 5, "the registry must be a string, not int", id="a number as registry"),
    ],
)
def test_bad_input_names_what_is_wrong(reference: t.Any, registry: t.Any, told: str) -> None:
    with pytest.raises(AnsibleFilterError, match=told):
        FILTER(reference, registry)
