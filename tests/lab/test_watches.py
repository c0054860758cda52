# SPDX-License-Identifier: GPL-3.0-or-later
"""What a recording asks of the API server, by the server's own notes: one WATCH per kind, however many volumes.

Before a recording ends, each watch is replaced by a short one whose end proves that nothing was held back; until the
last kind has proved it, the others watch on. So up to three follow one another. That they do not overlap is the
feed's doing, one thread for each kind; the server's notes are not asked for it here.
"""

from __future__ import annotations

import json
import os
import typing as t
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, connect
from ansible_collections.longhorn.qa.plugins.module_utils._module import job_record
from longhorn_qa_lab import paths
from longhorn_qa_lab.bringup import Options
from longhorn_qa_lab.lab import Running, running
from longhorn_qa_lab.progress import Progress

KINDS = ("cronjobs", "engines", "events", "jobs", "pods", "volumes")
INVOCATIONS = 2


@pytest.fixture(scope="module")
def noted(lab_root: str) -> Iterator[Running]:
    """A lab whose API server writes down every request; with Longhorn, so that it has all the kinds."""
    with running(Options(name=f"noted-{os.getpid()}", release="2020-06", requests=True), Progress()) as started:
        yield started


def cronjob(name: str) -> dict[str, t.Any]:
    container = {"name": "c", "image": "longhorn-qa/lab:1", "command": ["lab", "print", name]}
    pod = {"restartPolicy": "Never", "containers": [container]}
    job = {"spec": {"template": {"spec": pod}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {"schedule": "0 0 29 2 *", "jobTemplate": job},
    }


def cell(name: str) -> dict[str, t.Any]:
    return {"volume": name, "task": "snapshot", "job": "c", "cronjob": name, "cron": "0 0 29 2 *", "retain": 1}


def record(lab: Running, folder: Path, *, volumes: int) -> dict[str, t.Any]:
    """A whole recording of so many volumes, in a namespace and under a name of its own."""
    namespace, names = f"watched-{volumes}", [f"v{number}" for number in range(volumes)]
    admin = connect({"kubeconfig": str(lab.kubeconfig)})
    admin.create(kinds.NAMESPACES, {"metadata": {"name": namespace}})
    for name in names:
        admin.create(kinds.CRONJOBS, cronjob(name), namespace=namespace)
    params: dict[str, t.Any] = {
        "kubeconfig": str(lab.kubeconfig),
        "impersonate_user": namespace,
        "impersonate_groups": ["system:masters"],
        "namespace": namespace,
        "history": str(folder / namespace),
        "cells": [cell(name) for name in names],
        "invocations": INVOCATIONS,
        "timeout": 200,
        "trigger": True,
    }
    return job_record.run(params, check_mode=False)


def requests_of(lab: Running, user: str) -> list[dict[str, t.Any]]:
    """Each request once, whatever the number of its stages."""
    path = paths.lab_paths(lab.description.name).requests
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    ours = [event for event in events if (event.get("impersonatedUser") or {}).get("username") == user]
    return list({event["auditID"]: event for event in ours}.values())


def counted(requests: list[dict[str, t.Any]], verb: str) -> Counter[str]:
    return Counter(item["objectRef"]["resource"] for item in requests if item["verb"] == verb)


@pytest.mark.parametrize("volumes", [pytest.param(1, id="one volume"), pytest.param(6, id="six volumes")])
def test_one_watch_per_kind_however_many_volumes(noted: Running, tmp_path: Path, volumes: int) -> None:
    result = record(noted, tmp_path, volumes=volumes)
    assert (result["ended"], result["gaps"]) == ("invocations", 0)
    assert sum(result["invocations"].values()) == volumes * INVOCATIONS
    requests = requests_of(noted, f"watched-{volumes}")
    watches = [item for item in requests if item["verb"] == "watch"]
    proofs = [item for item in watches if "timeoutSeconds=1&" in f"{item['requestURI']}&"]
    proving = min(item["requestReceivedTimestamp"] for item in proofs)
    recording = [item for item in watches if item["requestReceivedTimestamp"] < proving]
    assert counted(recording, "watch") == counted(proofs, "watch") == Counter(KINDS)
    assert set(counted(watches, "watch").values()) <= {2, 3}
    # Nothing was lost, so no watch began anew with a list. Before the recording it is looked at once whether there is
    # anything to record, and before a Job is made by hand, whether another one is active.
    before = Counter(("cronjobs", "volumes"))
    by_hand = Counter({"jobs": counted(requests, "create")["jobs"]})
    assert counted(requests, "list") == Counter(KINDS) + before + by_hand
    assert by_hand["jobs"] == volumes * INVOCATIONS


def test_the_servers_notes_can_tell_more_than_one(noted: Running) -> None:
    """The referee itself: a second watch of a kind would be counted."""
    client: Client = connect(
        {"kubeconfig": str(noted.kubeconfig), "impersonate_user": "twice", "impersonate_groups": ["system:masters"]}
    )
    version = client.list(kinds.PODS, namespace="default").resource_version
    for _time in range(2):
        watch = client.watch(kinds.PODS, namespace="default", resource_version=version, seconds=1)
        assert [item for item in watch.events() if item["type"] not in ("BOOKMARK",)] == []
    assert counted(requests_of(noted, "twice"), "watch") == Counter({"pods": 2})
