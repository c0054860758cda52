# SPDX-License-Identifier: GPL-3.0-or-later
"""A Job of a CronJob made by hand: marked, owned, and never beside an active one."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors, kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Listing
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.trigger import next_name
from ansible_collections.longhorn.qa.plugins.module_utils._module import job_trigger

OWNER = {"kind": "CronJob", "name": "v-c", "uid": "cj", "controller": True}
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}


def job(name: str, *, over: bool = True, owner: dict[str, t.Any] | None = None, ours: bool = True) -> dict[str, t.Any]:
    labels = {"longhorn.qa/triggered": "true"} if ours else {}
    metadata = {
        "name": name,
        "namespace": "n",
        "uid": f"u-{name}",
        "ownerReferences": [owner or OWNER],
        "labels": labels,
    }
    return {"metadata": metadata, "status": COMPLETE if over else {"active": 1}}


class Cluster:
    """Jobs and one CronJob; writes are kept."""

    def __init__(self, *jobs: dict[str, t.Any], cronjob: bool = True, namespace: bool = True) -> None:
        self.jobs = list(jobs)
        self.made: list[tuple[dict[str, t.Any], bool]] = []
        self._cronjob, self._namespace = cronjob, namespace

    def require_namespace(self, name: str) -> None:
        if not self._namespace:
            raise errors.NotFound("the namespace does not exist", subject=f"namespace {name}")

    def first_served(self, *candidates: kinds.Kind) -> kinds.Kind:
        return candidates[0]

    def list(self, kind: kinds.Kind, *, namespace: str) -> Listing:
        assert (kind, namespace) == (kinds.JOBS, "n")
        return Listing(tuple(self.jobs), "1")

    def find(self, kind: kinds.Kind, name: str, *, namespace: str) -> dict[str, t.Any] | None:
        if kind == kinds.JOBS:
            return next((one for one in self.jobs if one["metadata"]["name"] == name), None)
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"backoffLimit": 3}}
        found = {"apiVersion": "batch/v1", "metadata": {"name": name, "uid": "cj"}, "spec": {"jobTemplate": template}}
        return found if self._cronjob else None

    def create(self, kind: kinds.Kind, body: dict[str, t.Any], *, namespace: str, dry_run: bool) -> dict[str, t.Any]:
        self.made.append((body, dry_run))
        return {**body, "metadata": {**body["metadata"], "uid": "new", "namespace": namespace}}


def run(cluster: Cluster, *, check_mode: bool = False, name: str = "", cronjob: str = "v-c") -> dict[str, t.Any]:
    params = {"namespace": "n", "cronjob": cronjob, "name": name}
    return job_trigger.run(params, check_mode=check_mode, client=t.cast(t.Any, cluster))


def test_a_job_as_the_template_has_it_marked_and_owned() -> None:
    cluster = Cluster(job("v-c-29000000"))
    assert run(cluster)["job"] == {"name": "v-c-qa-1", "namespace": "n", "uid": "new"}
    body, dry_run = cluster.made[0]
    assert body["metadata"]["labels"] == {"a": "b", "longhorn.qa/triggered": "true"}
    assert body["metadata"]["annotations"] == {"cronjob.kubernetes.io/instantiate": "manual"}
    assert body["metadata"]["ownerReferences"][0]["uid"] == "cj"
    assert body["metadata"]["ownerReferences"][0]["controller"] is True
    assert body["spec"] == {"backoffLimit": 3}
    assert dry_run is False


def test_check_mode_asks_the_server_only() -> None:
    cluster = Cluster()
    assert run(cluster, check_mode=True)["changed"] is True
    assert [dry_run for _unused, dry_run in cluster.made] == [True]


@pytest.mark.parametrize(
    "cluster",
    [
        pytest.param(Cluster(cronjob=False), id="the CronJob is only planned"),
        pytest.param(Cluster(namespace=False), id="the namespace is only planned"),
    ],
)
def test_check_mode_before_it_all_exists(cluster: Cluster) -> None:
    result = run(cluster, check_mode=True)
    assert result["changed"] is True
    assert "does not exist" in result["warnings"][0]
    assert cluster.made == []


def test_no_name_is_no_cronjob() -> None:
    with pytest.raises(errors.BadInput, match="cronjob: it is empty"):
        run(Cluster(), cronjob="")


def test_refused_while_a_job_is_active() -> None:
    cluster = Cluster(job("v-c-29000000", over=False))
    with pytest.raises(errors.Refused, match="v-c-29000000"):
        run(cluster)
    assert cluster.made == []


def test_another_cronjobs_active_job_does_not_matter() -> None:
    cluster = Cluster(job("w-29000000", over=False, owner={**OWNER, "uid": "other"}))
    assert run(cluster)["changed"] is True


def test_the_same_name_again_changes_nothing() -> None:
    cluster = Cluster(job("once"))
    assert run(cluster, name="once") == {"changed": False, "job": {"name": "once", "namespace": "n", "uid": "u-once"}}
    assert cluster.made == []


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(job("once", ours=False), id="made by the schedule"),
        pytest.param(job("once", owner={**OWNER, "uid": "other"}), id="of another CronJob"),
    ],
)
def test_a_name_that_somebody_else_took(found: dict[str, t.Any]) -> None:
    with pytest.raises(errors.Conflict, match="not made by this module"):
        run(Cluster(found), name="once")


def test_a_cronjob_that_does_not_exist() -> None:
    with pytest.raises(errors.NotFound, match="CronJob n/v-c: the CronJob does not exist"):
        run(Cluster(cronjob=False))


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        pytest.param([], "v-c-qa-1", id="the first"),
        pytest.param(["v-c-qa-1", "v-c-qa-9", "v-c-qa-x", "other-qa-20"], "v-c-qa-10", id="above the highest"),
    ],
)
def test_names_go_up(taken: list[str], expected: str) -> None:
    assert next_name("v-c", taken) == expected


def test_a_name_that_would_be_too_long() -> None:
    with pytest.raises(errors.Refused, match="at most 63 characters"):
        next_name("v" * 60, [])
