# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes the API server refuse: scoped to the volumes, and to nothing else."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import admission
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.admission import Refusal

BOTH = Refusal("a1", ("snapshot-delete", "backup-delete"), ("v", "a"), "longhorn-system")


def rule(document: t.Any) -> t.Any:
    return document["webhooks"][0]["rules"][0]


@pytest.mark.parametrize(
    ("place", "plural", "label"),
    [
        pytest.param(0, "snapshots", "longhornvolume", id="snapshots"),
        pytest.param(1, "backups", "backup-volume", id="backups"),
    ],
)
def test_a_webhook_is_about_deletions_of_these_volumes_only(place: int, plural: str, label: str) -> None:
    document = admission.webhooks(BOTH)[place]
    (hook,) = document["webhooks"]
    assert document["metadata"] == {"name": f"longhorn-qa-refuses-a1-{plural}", "labels": {"longhorn.qa/run-id": "a1"}}
    assert (rule(document)["operations"], rule(document)["resources"]) == (["DELETE"], [plural])
    assert rule(document)["apiGroups"] == ["longhorn.io"]
    assert hook["objectSelector"] == {"matchExpressions": [{"key": label, "operator": "In", "values": ["a", "v"]}]}
    assert hook["failurePolicy"] == "Fail"
    assert hook["clientConfig"]["service"]["name"] == admission.NOBODY


def test_a_policy_denies_the_same_and_its_binding_names_it() -> None:
    for (policy, binding), hook in zip(
        admission.policies(BOTH, api_version="x/v1"), admission.webhooks(BOTH), strict=True
    ):
        spec = policy["spec"]
        assert spec["matchConstraints"]["resourceRules"] == [{k: v for k, v in rule(hook).items() if k != "scope"}]
        assert spec["matchConstraints"]["objectSelector"] == hook["webhooks"][0]["objectSelector"]
        assert spec["validations"][0]["expression"] == "false"
        assert binding["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}
        assert {policy["apiVersion"], binding["apiVersion"]} == {"x/v1"}


def test_the_words_of_a_refusal_are_none_that_longhorn_takes_for_already_deleted() -> None:
    """Errors with "cannot find" count as success there (facts 5.1)."""
    for policy, _binding in admission.policies(BOTH, api_version="x/v1"):
        assert "cannot find" not in policy["spec"]["validations"][0]["message"]
    assert "cannot find" not in admission.NOBODY


def test_without_a_run_nothing_is_labelled() -> None:
    (document,) = admission.webhooks(Refusal("", ("backup-delete",), ("v",), "n"))
    assert document["metadata"] == {"name": "longhorn-qa-refuses-backups"}
