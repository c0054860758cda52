# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots and backups in the right number, from every source there is."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from tests.unit.plugins.module_utils._judge import made

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._module import invocations, job_artifact_assert

Scene = t.Any
Make = t.Any
DEFAULTS = {
    "namespace": "n", "history": None, "volume": "v", "job": "", "kind": "snapshot", "min": 1, "max": 1,
    "per": "invocation",
}  # fmt: skip


def artefacts(**params: t.Any) -> dict[str, t.Any]:
    client = params.pop("client", None)
    return job_artifact_assert.run({**DEFAULTS, **params}, client=client)


def test_live_snapshots_of_both_sources(make: Make) -> None:
    cluster = make.cluster(engines=[make.engine("c-1-a")])
    cluster.manager = {"data": [{"name": "c-1-b", "labels": {"RecurringJob": "c-1"}}, {"name": "x", "labels": {}}]}
    result = artefacts(client=cluster, job="c-1", per="total", min=2, max=2)
    assert [item["name"] for item in result["artefacts"]] == ["c-1-a", "c-1-b"]


def test_a_manager_that_does_not_answer_is_an_error(make: Make) -> None:
    cluster = make.cluster(engines=[make.engine("c-1-a")])
    cluster.problem = errors.ApiFailure("could not answer", status=503)
    with pytest.raises(errors.ApiFailure):
        artefacts(client=cluster, job="c-1", per="total")


def refusing(cluster: t.Any) -> t.Any:
    """As the manager answers for a volume without a running engine."""
    cluster.problem = errors.ApiFailure("the service could not do it", seen="500 engine is not running", status=500)
    return cluster


def test_the_engine_tells_the_snapshots_of_a_detached_volume(make: Make) -> None:
    cluster = refusing(make.cluster(engines=[make.engine("c-1-a")]))
    assert artefacts(client=cluster, job="c-1", per="total")["sources"] == ["engine"]


def test_a_detached_volume_whose_engine_tells_nothing_proves_nothing(make: Make) -> None:
    silent = {**make.engine(), "status": {"currentState": "stopped"}}
    with pytest.raises(errors.Inconclusive, match="neither the volume's engine nor Longhorn's manager"):
        artefacts(client=refusing(make.cluster(engines=[silent])), job="c-1", per="total", min=0, max=0)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        pytest.param(
            {"per": "invocation", "job": "c-1"}, errors.BadInput, "which invocation made what", id="per invocation"
        ),
        pytest.param({"per": "total"}, errors.BadInput, "recurring job's name", id="no job"),
        pytest.param({"per": "total", "job": "c-1"}, errors.NotFound, "the volume has no engine", id="no volume"),
    ],
)
def test_what_a_live_cluster_cannot_say(
    make: Make, params: dict[str, t.Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        artefacts(client=make.cluster(), **params)


def test_artefacts_of_each_invocation(make: Make, scene: Scene) -> None:
    scene.writer.object("engines", "ADDED", {**make.engine("c-1-old"), "kind": "Engine"}, via="list")
    scene.writer.listed("engines", "9")
    scene.invocation("v-c-29000001", b"")
    late = make.engine("c-1-old", "c-1-new")
    late["metadata"]["resourceVersion"] = "999999"
    scene.writer.object("engines", "MODIFIED", late)
    folder = scene.done()
    with pytest.raises((errors.Inconclusive, errors.NotAsExpected)) as caught:
        artefacts(history=folder, max=5, min=2)
    assert [item["name"] for item in caught.value.evidence["artefacts"]] == ["c-1-new"]


@pytest.mark.parametrize(
    ("kind", "spoiled", "message"),
    [
        pytest.param("snapshot", "gap", "engines: watch expired", id="a gap"),
        pytest.param(
            "snapshot", "engine log", "one-snapshot-per-invocation: no instance-manager-e log", id="no engine log"
        ),
        pytest.param("backup", "end", "it was still running when the record ended", id="a Job that still ran"),
    ],
)
def test_what_was_not_seen_proves_nothing(
    monkeypatch: pytest.MonkeyPatch, kind: str, spoiled: str, message: str
) -> None:
    asked = {"history": "h", "volume": made.FAULTY, "kind": kind, "per": "total", "max": 3}
    monkeypatch.setattr(invocations, "read", lambda _folder: recorded())
    assert artefacts(**asked, min=3)["total"] == 3
    monkeypatch.setattr(invocations, "read", lambda _folder: recorded(spoiled))
    with pytest.raises(errors.Inconclusive, match=message):
        artefacts(**asked, min=0)


def recorded(spoiled: str = "") -> model.History:
    """Three backups, and a history that has a part of it only."""
    whole = made.Run("v1.0.1", "backup").history()
    at = whole.records[-1].at
    records: list[t.Any] = [*whole.records, model.End(number=0, at=at, reason="invocations")]
    if spoiled == "gap":
        records.insert(-1, model.Gap(number=0, at=at, kind="engines", reason="watch expired"))
    elif spoiled == "engine log":
        records = [item for item in records if getattr(item, "pod_uid", "") != "uid-im"]
    elif spoiled == "end":
        records.remove([item for item in records if getattr(item, "kind", "") == "jobs"][-1])
    return replace(whole, records=[replace(item, number=number) for number, item in enumerate(records, start=1)])


def test_a_volume_the_history_is_not_about(scene: Scene) -> None:
    scene.invocation("v-c-29000001", b"")
    with pytest.raises(errors.NotFound, match="not about this volume; seen v"):
        artefacts(history=scene.done(), volume="w")
