# SPDX-License-Identifier: GPL-3.0-or-later
"""What a recording asks of the API server, by the server's own notes: one WATCH per kind, however many volumes.

Before a recording ends, each watch is replaced by a short one whose end proves that nothing was held back; until the
last kind has proved it, the others watch on. So some follow one another, but never are two of a kind open at once.
"""

from __future__ import annotations

import itertools
import json
import os
import typing as t
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
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
NOTICED = timedelta(seconds=1)  # until the server knows that a watch was left


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


def only_watches(requests: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    return [item for item in requests if item["verb"] == "watch"]


def open_at_once(watches: list[dict[str, t.Any]]) -> list[str]:
    """Kinds with a watch that began before the one before it had ended, but for what a server is late to notice."""
    found = []
    for kind in KINDS:
        spans = sorted(
            (datetime.fromisoformat(item["requestReceivedTimestamp"]), datetime.fromisoformat(item["stageTimestamp"]))
            for item in watches
            if item["objectRef"]["resource"] == kind
        )
        found += [kind for (_, end), (begin, _) in itertools.pairwise(spans) if begin < end - NOTICED]
    return found


def counted(requests: list[dict[str, t.Any]], verb: str) -> Counter[str]:
    return Counter(item["objectRef"]["resource"] for item in requests if item["verb"] == verb)


@pytest.mark.parametrize("volumes", [pytest.param(1, id="one volume"), pytest.param(6, id="six volumes")])
def test_one_watch_per_kind_however_many_volumes(noted: Running, tmp_path: Path, volumes: int) -> None:
    result = record(noted, tmp_path, volumes=volumes)
    assert (result["ended"], result["gaps"]) == ("invocations", 0)
    assert sum(result["invocations"].values()) == volumes * INVOCATIONS
    requests = requests_of(noted, f"watched-{volumes}")
    watches = only_watches(requests)
    proofs = [item for item in watches if "timeoutSeconds=1&" in f"{item['requestURI']}&"]
    proving = min(item["requestReceivedTimestamp"] for item in proofs)
    recording = [item for item in watches if item["requestReceivedTimestamp"] < proving]
    assert counted(recording, "watch") == Counter(KINDS)
    assert set(counted(proofs, "watch")) == set(KINDS)
    assert open_at_once(watches) == []
    # Nothing was lost, so no watch began anew with a list. Before the recording it is looked at once whether there is
    # anything to record, and which release the manager's pods are of; before a Job is made by hand, whether another one
    # is active.
    before = Counter(("cronjobs", "volumes", "pods"))
    by_hand = Counter({"jobs": counted(requests, "create")["jobs"]})
    assert counted(requests, "list") == Counter(KINDS) + before + by_hand
    assert by_hand["jobs"] == volumes * INVOCATIONS


def test_the_servers_notes_can_tell_more_than_one(noted: Running) -> None:
    """The referee itself: a second watch of a kind would be counted, and noticed while the first one is open."""
    client: Client = connect(
        {"kubeconfig": str(noted.kubeconfig), "impersonate_user": "twice", "impersonate_groups": ["system:masters"]}
    )
    version = client.list(kinds.PODS, namespace="default").resource_version

    def watched(seconds: int) -> None:
        watch = client.watch(kinds.PODS, namespace="default", resource_version=version, seconds=seconds)
        assert [item for item in watch.events() if item["type"] not in ("BOOKMARK",)] == []

    watched(1)
    watched(1)
    one_after_the_other = requests_of(noted, "twice")
    assert counted(one_after_the_other, "watch") == Counter({"pods": 2})
    assert open_at_once(only_watches(one_after_the_other)) == []
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(watched, (4, 4)))
    assert open_at_once(only_watches(requests_of(noted, "twice"))) == ["pods"]
