# SPDX-License-Identifier: GPL-3.0-or-later
"""Each right of a mode taken away, one at a time: a message that names it or an inconclusive check, nothing else.

Somebody with exactly the rights of a mode but one runs the preflight, records an invocation, or audits, against a real
API server that decides by real roles: on the oldest release, and for what that does not ask for on the newest. The full
roles are tried on both: with them nothing is refused. That a run needs each of its rights is shown by the molecule
scenario, which counts what was asked.
"""

from __future__ import annotations

import json
import os
import typing as t
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
import yaml

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import LonghornQAError
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.history_dir import read_history
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._history import model, records
from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Cell
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import judge
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import permissions
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.fault_cells import Wish, plan_by_fault
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.permissions import Mode, Permission, When
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile
from ansible_collections.longhorn.qa.plugins.module_utils._module import (
    job_audit,
    job_record,
    longhorn_backup_target,
    longhorn_preflight,
    longhorn_recurring_job,
    longhorn_volume,
)
from ansible_collections.longhorn.qa.plugins.module_utils._module.ticks import ticks
from longhorn_qa_lab import accounts, playbook
from longhorn_qa_lab.bringup import Options
from longhorn_qa_lab.description import Description
from longhorn_qa_lab.lab import running
from longhorn_qa_lab.progress import Progress

LONGHORN, STORE = "longhorn-system", "permissions-store"
RBAC = "rbac.authorization.k8s.io/v1"
CRON = "0 0 29 2 *"
TARGET = {"url": "s3://backupbucket@us-east-1/", "credential_secret": "rights"}
WAIT = {"wait": True, "wait_timeout": 120}
# What a recording of invocations made by hand asks for; everything else of a run is the fixtures' and the clean-up's.
SEEN = ("cronjobs", "jobs", "pods", "events", "engines", "volumes", "recurringjobs", "snapshots", "backups")
RECORDING = {
    *((verb, resource, "longhorn") for verb in ("list", "watch") for resource in SEEN),
    ("get", "pods/log", "longhorn"), ("get", "cronjobs", "longhorn"), ("get", "jobs", "longhorn"),
    ("create", "jobs", "longhorn"), ("get", "secrets", "longhorn"), ("get", "services", "store"),
    ("get", "services/proxy", "store"),
}  # fmt: skip
PLACES = {"longhorn": LONGHORN, "store": STORE, "cluster": STORE}
KINDS = {"Role": Kind(RBAC, "roles"), "RoleBinding": Kind(RBAC, "rolebindings")}
KINDS |= {name: Kind(RBAC, f"{name.lower()}s", namespaced=False) for name in ("ClusterRole", "ClusterRoleBinding")}
# By release, the effects whose faults the preflight plans for, and the circumstances that these make.
EFFECTS: dict[str, tuple[str, ...]] = {"2020-06": (), "v1.12.1": ("visible", "asynchronous")}
OWN: tuple[When, ...] = (permissions.TRIGGER, permissions.STORE, permissions.OWN_STORE, permissions.OWN_NAMESPACE)
CIRCUMSTANCES: dict[str, tuple[When, ...]] = {
    "2020-06": OWN,
    "v1.12.1": (*OWN, permissions.ADMISSION, permissions.REFUSING_STORE, permissions.PROXY, permissions.BUCKET),
}


@dataclass(frozen=True)
class Cluster:
    """A lab with Longhorn, a store and a volume with a recurring job; one client for whoever asks."""

    lab: Description
    admin: Client
    release: str

    @property
    def common(self) -> dict[str, t.Any]:
        """Options of every module."""
        return {"namespace": LONGHORN, "longhorn_release": self.release, "run_id": ""}

    @property
    def cell(self) -> Cell:
        """The volume and its job, of which nobody says whether deletions fail."""
        wish = Wish(release=self.release, tasks=["backup"], run_id="rights", cron=CRON, effects=["none"])
        return replace(plan_by_fault(wish).cells[0], faults=None)

    def somebody(self, name: str, rows: t.Iterable[Permission]) -> Client:
        """A user who has these rights and no others."""
        rows = tuple(rows)
        inside = permissions.rules(row for row in rows if row.scope == "longhorn")
        outside = permissions.rules(row for row in rows if row.scope != "longhorn")
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}
        for kind, namespace, rules in (("Role", LONGHORN, inside), ("ClusterRole", "", outside)):
            place = {"name": name, **({"namespace": namespace} if namespace else {})}
            role = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
            self.admin.apply(
                KINDS[kind], {"apiVersion": RBAC, "kind": kind, "metadata": place, "rules": rules}, namespace=namespace
            )
            body = {"apiVersion": RBAC, "kind": f"{kind}Binding", "metadata": place, "roleRef": role}
            self.admin.apply(KINDS[f"{kind}Binding"], {**body, "subjects": [subject]}, namespace=namespace)
        return connect({"kubeconfig": self.lab.kubeconfig, "impersonate_user": name})


@pytest.fixture(scope="module", name="clusters")
def _clusters(lab_root: str) -> Iterator[t.Callable[[str], Cluster]]:
    """The cluster of a release, which stays until the last test."""
    del lab_root
    with ExitStack() as labs:
        yield cache(lambda release: labs.enter_context(_made(release)))


@pytest.fixture(name="cluster", params=EFFECTS)
def _cluster(clusters: t.Callable[[str], Cluster], request: pytest.FixtureRequest) -> Cluster:
    return clusters(request.param)


@contextmanager
def _made(release: str) -> Iterator[Cluster]:
    options = Options(name=f"permissions-{release.replace('.', '-')}-{os.getpid()}", release=release)
    with running(options, Progress()) as lab:
        admin = connect({"kubeconfig": str(lab.kubeconfig)})
        cluster = Cluster(lab.description, admin, release)
        _store(admin)
        _have(longhorn_backup_target, cluster, **TARGET, state="present")
        cell = cluster.cell
        _have(longhorn_volume, cluster, name=cell.volume, state="attached", size="64Mi", number_of_replicas=1)
        job = {"name": cell.job, "task": "backup", "cron": cell.cron, "retain": 1, "concurrency": 1}
        _have(longhorn_recurring_job, cluster, volume=cell.volume, **job, state="present")
        yield cluster


def _have(module: t.Any, cluster: Cluster, **params: t.Any) -> None:
    module.run({**cluster.common, **WAIT, **params}, check_mode=False, client=cluster.admin)


def _store(admin: Client) -> None:
    """A store in a namespace of its own, as the role backup_store makes one."""
    endpoint = f"http://store.{STORE}:9000"
    data = {"AWS_ACCESS_KEY_ID": "rights", "AWS_SECRET_ACCESS_KEY": "rights-only", "AWS_ENDPOINTS": endpoint}
    admin.create(kinds.NAMESPACES, {"metadata": {"name": STORE}})
    for namespace in (LONGHORN, STORE):
        secret = {"metadata": {"name": "rights"}, "stringData": data}
        admin.create(kinds.SECRETS, secret, namespace=namespace)
    ports = [{"name": "s3", "port": 9000, "targetPort": "s3"}]
    service = {"metadata": {"name": "store"}, "spec": {"selector": {"app": "store"}, "ports": ports}}
    admin.create(kinds.SERVICES, service, namespace=STORE)
    admin.create(kinds.DEPLOYMENTS, yaml.safe_load(_DEPLOYMENT), namespace=STORE)


_DEPLOYMENT = """
metadata: {name: store}
spec:
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      containers:
        - name: minio
          image: minio/minio
          command: [/bin/sh, -c]
          args: [mkdir -p /storage/backupbucket && exec minio server --address :9000 /storage]
          ports: [{name: s3, containerPort: 9000}]
          readinessProbe: {tcpSocket: {port: s3}, periodSeconds: 1}
"""


def tried(mode: Mode) -> dict[Permission, str]:
    """What is taken away, each with the first of the releases that asks for it."""
    return {
        row: release
        for release in reversed(CIRCUMSTANCES)
        for row in permissions.needed(mode, *CIRCUMSTANCES[release], release=release)
    }


def rows(mode: Mode, keep: t.Callable[[Permission], bool] = lambda _row: True) -> t.Any:
    """A test for each of them."""
    kept = ((release, row) for row, release in tried(mode).items() if keep(row))
    found = [pytest.param(release, row, id=f"{release} {row.told(PLACES[row.scope])}") for release, row in kept]
    return pytest.mark.parametrize(("cluster", "row"), found, indirect=["cluster"])


def without(mode: Mode, row: Permission) -> list[Permission]:
    """The mode's rights but this one, which the store's rights, good for every namespace, must not give either."""
    same = (row.verb, row.group, row.target)
    return [
        one
        for one in permissions.granted(mode)
        if one != row
        and (row.scope != "longhorn" or one.scope == "longhorn" or (one.verb, one.group, one.target) != same)
    ]


def name_of(mode: Mode, row: Permission) -> str:
    return "-".join([mode, "without", row.verb, row.target.replace("/", "-"), row.scope])


def asked_by_preflight(cluster: Cluster, client: Client, fault: str = "auto") -> dict[str, t.Any]:
    plan = {
        "engine_images": [{"image": ""}], "registry": "", "tasks": ["snapshot", "backup"], "fault": fault,
        "effects": EFFECTS[cluster.release], "bystander": True, "retain": 1, "prefix": "qa",
    }  # fmt: skip
    params = {
        **cluster.common, "run_id": "planned", "plan": plan, "cron": CRON, "invocations": 2, "timeout": 0,
        "trigger": True, "default_engine_faults": [], "store_namespace": STORE,
    }  # fmt: skip
    return longhorn_preflight.run(params, check_mode=False, client=client)


def recorded(cluster: Cluster, client: Client, folder: Path) -> dict[str, str]:
    """The verdicts of one recorded invocation."""
    params = {
        **cluster.common, "history": str(folder), "cells": [records.plain(cluster.cell)], "default_engine_faults": [],
        "invocations": 1, "timeout": 60, "trigger": True, "store": TARGET,
    }  # fmt: skip
    job_record.run(params, check_mode=False, client=client)
    return verdicts(folder)


def audited(cluster: Cluster, client: Client, folder: Path) -> dict[str, t.Any]:
    params = {**cluster.common, "history": str(folder), "volumes": [cluster.cell.volume]}
    return job_audit.run(params, check_mode=False, client=client)


def verdicts(folder: Path) -> dict[str, str]:
    return {check.check: check.verdict for check in judge(read_history(folder), profiles=profile, ticks=ticks).checks}


def told_by(folder: Path) -> str:
    history = read_history(folder)
    gaps = [item.reason for item in history.records if isinstance(item, model.Gap)]
    return " ".join([*gaps, *(item.error for item in history.records if isinstance(item, model.Store) and item.error)])


@pytest.mark.parametrize("mode", ["run", "audit"])
def test_each_right_of_a_mode_is_taken_away_somewhere(mode: Mode) -> None:
    assert set(tried(mode)) == set(permissions.granted(mode))


def test_what_a_recording_asks_for_is_what_the_table_has() -> None:
    rows_of_a_run = {(row.verb, row.target, row.scope) for row in permissions.granted("run")}
    assert rows_of_a_run >= RECORDING
    assert {row for row in rows_of_a_run if row[0] == "watch"} <= RECORDING


def test_with_all_rights_of_a_run_nothing_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    client = cluster.somebody("run-with-all", permissions.granted("run"))
    assert asked_by_preflight(cluster, client)["problems"] == []
    found = recorded(cluster, client, tmp_path / "h")
    assert told_by(tmp_path / "h") == ""
    assert "inconclusive" not in found.values(), found


@rows("run")
def test_the_preflight_names_each_right_that_is_missing(cluster: Cluster, row: Permission) -> None:
    client = cluster.somebody(name_of("run", row), without("run", row))
    fault = "bucket-policy" if row.when == permissions.BUCKET else "auto"
    with pytest.raises(LonghornQAError) as caught:
        asked_by_preflight(cluster, client, fault)
    told = str(caught.value)
    assert row.told(PLACES[row.scope]) in told or f"verb {row.verb} on {row.target}" in told


@rows("run", lambda row: (row.verb, row.target, row.scope) in RECORDING)
def test_a_recording_without_it_is_refused_or_inconclusive(cluster: Cluster, tmp_path: Path, row: Permission) -> None:
    client = cluster.somebody(name_of("run", row), without("run", row))
    try:
        found = recorded(cluster, client, tmp_path / "h")
    except LonghornQAError as error:
        assert row.verb in str(error)
        assert row.target.partition("/")[0] in str(error)
        return
    assert f"verb {row.verb} on {row.target}" in told_by(tmp_path / "h")
    assert "inconclusive" in found.values(), found
    assert found["history-complete"] != "pass" or found["store-agrees"] == "inconclusive", found


@rows("audit")
def test_an_audit_without_it_says_so(cluster: Cluster, tmp_path: Path, row: Permission) -> None:
    client = cluster.somebody(name_of("audit", row), without("audit", row))
    missing = f"verb {row.verb} on {row.target}"
    try:
        result = audited(cluster, client, tmp_path / "h")
    except LonghornQAError as error:  # what is to be judged cannot be found
        assert missing in str(error)
        return
    assert missing in " ".join([*result["unknown"], *result["audit_warnings"], told_by(tmp_path / "h")])
    assert "pass" not in verdicts(tmp_path / "h").values()


def test_with_all_rights_of_an_audit_nothing_is_unknown(cluster: Cluster, tmp_path: Path) -> None:
    client = cluster.somebody("audit-with-all", permissions.granted("audit"))
    result = audited(cluster, client, tmp_path / "h")
    assert (result["unknown"], result["audit_warnings"], result["gaps"]) == ([], [], 0)


def test_the_audit_playbook_works_with_its_manifest(cluster: Cluster, tmp_path: Path) -> None:
    for document in yaml.safe_load_all(Path("rbac/audit.yml").read_text()):
        kind = KINDS.get(document["kind"]) or Kind("v1", "serviceaccounts")
        namespace = document["metadata"].get("namespace", "")
        cluster.admin.apply(kind, document, namespace=namespace)
    access = accounts.write_kubeconfig(cluster.lab, LONGHORN, "longhorn-qa-audit", path=tmp_path / "kubeconfig")
    variables = {"audit_report_dir": str(tmp_path / "report"), "audit_longhorn_release": cluster.release}
    playbook.run(playbook.Call("longhorn.qa.audit", variables, tmp_path / "call", kubeconfig=access))
    assert told_by(tmp_path / "report" / "history") == ""
    document = json.loads((tmp_path / "report" / "report.json").read_text())
    assert [cell["volume"] for run in document["runs"] for cell in run["cells"]] == [cluster.cell.volume]
