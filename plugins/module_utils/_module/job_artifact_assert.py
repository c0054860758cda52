# SPDX-License-Identifier: GPL-3.0-or-later
"""Asserts how many snapshots or backups a recurring job made.

A history can say which invocation made which; a live cluster only what is there now.
"""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, NotFound, Refused
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.manager_api import ManagerApi
from ansible_collections.longhorn.qa.plugins.module_utils._history import objects
from ansible_collections.longhorn.qa.plugins.module_utils._judge import judge
from ansible_collections.longhorn.qa.plugins.module_utils._judge.checks import (
    history_complete,
    one_backup_per_invocation,
    one_snapshot_per_invocation,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import releases
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.artefacts import Backup, Snapshot
from ansible_collections.longhorn.qa.plugins.module_utils._module import bounds, invocations
from ansible_collections.longhorn.qa.plugins.module_utils._module.ticks import ticks

_COUNTED_BY = {"snapshot": one_snapshot_per_invocation.ID, "backup": one_backup_per_invocation.ID}


def run(params: Mapping[str, t.Any], *, client: Client | None = None) -> dict[str, t.Any]:
    """The module: counts artefacts, and decides."""
    limits = bounds.Bounds.of(params)
    subject = f"{params['kind']}s of volume {params['volume']}"
    if params.get("history"):
        found, evidence = _recorded(params)
        return bounds.decide(limits, found, subject=subject, evidence=evidence)
    if limits.per != bounds.TOTAL:
        raise BadInput(
            "a live cluster does not tell which invocation made what", subject="per", expected="total", seen=limits.per,
            advice="Record the run with job_record and give its history.",
        )  # fmt: skip
    if not params.get("job"):
        raise BadInput("it is needed for a live cluster", subject="job", expected="the recurring job's name")
    client = client or connect(params)
    client.require_namespace(params["namespace"])
    told = (_snapshots if params["kind"] == "snapshot" else _backups)(client, params)
    artefacts = [
        {"name": name, "sources": [source for source, names in told.items() if name in names]}
        for name in sorted(set().union(*told.values()))
    ]
    silent = "neither the volume's engine nor Longhorn's manager tells of its snapshots: is it attached?"
    found = bounds.Found({params["volume"]: len(artefacts)}, [] if told else [("", silent)])
    evidence = {"artefacts": artefacts, "sources": list(told)}
    return bounds.decide(limits, found, subject=subject, evidence=evidence)


def _recorded(params: Mapping[str, t.Any]) -> tuple[bounds.Found, dict[str, t.Any]]:
    judgement = judge.judge(invocations.read(params["history"]), profiles=releases.profile, ticks=ticks)
    cell = next((one for one in judgement.cells if one.cell.volume == params["volume"]), None)
    if cell is None:
        known = ", ".join(sorted(one.cell.volume for one in judgement.cells))
        raise NotFound("the history is not about this volume", subject=f"volume {params['volume']}", seen=known)
    judged = [one for one in cell.invocations if not one.cut]
    made = {one.name: one.snapshots if params["kind"] == "snapshot" else one.backups for one in judged}
    doubts = {history_complete.ID: ("inconclusive", "fail"), _COUNTED_BY[params["kind"]]: ("inconclusive",)}
    unseen = [
        ("", f"{one.check}: {one.summary}") for one in cell.checks if one.verdict in doubts.get(one.check, ())
    ] + [(one.name, one.cut) for one in cell.invocations if one.cut]
    artefacts = [{"name": name, "invocation": job} for job, names in made.items() for name in names]
    evidence = {"artefacts": artefacts, "sources": ["history"]}
    return bounds.Found({job: len(names) for job, names in made.items()}, unseen), evidence


def _snapshots(client: Client, params: Mapping[str, t.Any]) -> dict[str, set[str]]:
    """By source, the snapshots with the job's label: of the engine's status and of the manager's list."""
    namespace, volume, job = params["namespace"], params["volume"], params["job"]
    kind = client.first_served(kinds.longhorn("engines", "v1beta2"), kinds.ENGINES)
    engines = [objects.engine(document) for document in client.list(kind, namespace=namespace).items]
    ours = [engine for engine in engines if engine.volume == volume]
    if not ours:
        raise NotFound(
            "the volume has no engine", subject=f"volume {namespace}/{volume}", advice="Does the volume exist?"
        )
    told: dict[str, set[str]] = {}
    if any(engine.known for engine in ours):
        told["engine"] = {one.name for engine in ours for one in engine.snapshots if one.job == job}
    with contextlib.suppress(NotFound, Refused):  # of a detached volume the manager has no list
        told["manager"] = _of_job(ManagerApi(client, namespace).snapshots(volume), job)
    return told


def _backups(client: Client, params: Mapping[str, t.Any]) -> dict[str, set[str]]:
    return {"manager": _of_job(ManagerApi(client, params["namespace"]).backups(params["volume"]), params["job"])}


def _of_job(found: Iterable[Snapshot | Backup], job: str) -> set[str]:
    return {one.name for one in found if one.labels.get(objects.JOB_LABEL) == job}
