# SPDX-License-Identifier: GPL-3.0-or-later
"""Each right of a mode taken away, one at a time: a message that names it or an inconclusive check, nothing else.

Somebody with exactly the rights of a mode but one runs the preflight, records an invocation, or audits, against a real
API server that decides by real roles. The full roles are tried as well: with them nothing is refused. That a run needs
each of its rights is shown by the molecule scenario, which counts what was asked.
"""

from __future__ import annotations

import json
import os
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import LonghornQAError
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.history_dir import read_history
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._history import model, records
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import judge
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import permissions
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.cells import plan_cells
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.permissions import Mode, Permission
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
CELL = replace(plan_cells([{"image": ""}], ["backup"], run_id="rights", cron="0 0 29 2 *")[0], faults=None)
TARGET = {"url": "s3://backupbucket@us-east-1/", "credential_secret": "rights"}
COMMON = {"namespace": LONGHORN, "longhorn_release": "2020-06", "run_id": ""}
WAIT = {"wait": True, "wait_timeout": 120}
# What a recording of invocations made by hand asks for; everything else of a run is the fixtures' and the clean-up's.
SEEN = ("cronjobs", "jobs", "pods", "events", "engines", "volumes")
RECORDING = {
    *((verb, resource, "longhorn") for verb in ("list", "watch") for resource in SEEN),
    ("get", "pods/log", "longhorn"), ("get", "cronjobs", "longhorn"), ("get", "jobs", "longhorn"),
    ("create", "jobs", "longhorn"), ("get", "secrets", "longhorn"), ("get", "services", "store"),
    ("get", "services/proxy", "store"),
}  # fmt: skip
PLACES = {"longhorn": LONGHORN, "store": STORE, "cluster": STORE}
KINDS = {"Role": Kind(RBAC, "roles"), "RoleBinding": Kind(RBAC, "rolebindings")}
KINDS |= {name: Kind(RBAC, f"{name.lower()}s", namespaced=False) for name in ("ClusterRole", "ClusterRoleBinding")}


@dataclass(frozen=True)
class Cluster:
    """A lab with Longhorn, a store and a volume with a recurring job; one client for whoever asks."""

    lab: Description
    admin: Client

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


@pytest.fixture(scope="module", name="cluster")
def _cluster(lab_root: str) -> Iterator[Cluster]:
    del lab_root
    options = Options(name=f"permissions-{os.getpid()}", release="2020-06")
    with running(options, Progress()) as lab:
        admin = connect({"kubeconfig": str(lab.kubeconfig)})
        _store(admin)
        longhorn_backup_target.run({**COMMON, **WAIT, **TARGET, "state": "present"}, check_mode=False, client=admin)
        volume = {"name": CELL.volume, "state": "attached", "size": "64Mi", "number_of_replicas": 1}
        longhorn_volume.run({**COMMON, **WAIT, **volume}, check_mode=False, client=admin)
        job = {
            "volume": CELL.volume,
            "name": CELL.job,
            "task": "backup",
            "cron": CELL.cron,
            "retain": 1,
            "concurrency": 1,
        }
        longhorn_recurring_job.run({**COMMON, **WAIT, **job, "state": "present"}, check_mode=False, client=admin)
        yield Cluster(lab.description, admin)


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


def rows(mode: Mode, keep: t.Callable[[Permission], bool] = lambda _row: True) -> t.Any:
    """A test for each row of a mode."""
    # What only later releases and other faults need is not asked for here.
    faults = (permissions.ADMISSION, permissions.PROXY)
    asked = (row for row in permissions.granted(mode) if not row.since and row.when not in faults)
    found = [row for row in asked if keep(row)]
    return pytest.mark.parametrize("row", [pytest.param(row, id=row.told(PLACES[row.scope])) for row in found])


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


def asked_by_preflight(client: Client) -> dict[str, t.Any]:
    cells = plan_cells([{"image": ""}], ["snapshot", "backup"], run_id="planned", cron=CELL.cron)
    params = {
        **COMMON, "run_id": "planned", "cells": [records.plain(cell) for cell in cells], "cron": CELL.cron,
        "invocations": 2, "timeout": 0, "trigger": True, "default_engine_faults": [], "store_namespace": STORE,
    }  # fmt: skip
    return longhorn_preflight.run(params, check_mode=False, client=client)


def recorded(client: Client, folder: Path) -> dict[str, str]:
    """The verdicts of one recorded invocation."""
    params = {
        **COMMON, "history": str(folder), "cells": [records.plain(CELL)], "default_engine_faults": [],
        "invocations": 1, "timeout": 60, "trigger": True, "store": TARGET,
    }  # fmt: skip
    job_record.run(params, check_mode=False, client=client)
    return verdicts(folder)


def verdicts(folder: Path) -> dict[str, str]:
    return {check.check: check.verdict for check in judge(read_history(folder), profiles=profile, ticks=ticks).checks}


def told_by(folder: Path) -> str:
    history = read_history(folder)
    gaps = [item.reason for item in history.records if isinstance(item, model.Gap)]
    return " ".join([*gaps, *(item.error for item in history.records if isinstance(item, model.Store) and item.error)])


def test_with_all_rights_of_a_run_nothing_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    client = cluster.somebody("run-with-all", permissions.granted("run"))
    assert asked_by_preflight(client)["problems"] == []
    found = recorded(client, tmp_path / "h")
    assert told_by(tmp_path / "h") == ""
    assert "inconclusive" not in found.values(), found


@rows("run")
def test_the_preflight_names_each_right_that_is_missing(cluster: Cluster, row: Permission) -> None:
    client = cluster.somebody(name_of("run", row), without("run", row))
    with pytest.raises(LonghornQAError) as caught:
        asked_by_preflight(client)
    assert row.why in str(caught.value) or (row.verb in str(caught.value) and row.target in str(caught.value))


@rows("run", lambda row: (row.verb, row.target, row.scope) in RECORDING)
def test_a_recording_without_it_is_refused_or_inconclusive(cluster: Cluster, tmp_path: Path, row: Permission) -> None:
    client = cluster.somebody(name_of("run", row), without("run", row))
    try:
        found = recorded(client, tmp_path / "h")
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
    params = {**COMMON, "history": str(tmp_path / "h"), "volumes": [CELL.volume]}
    result = job_audit.run(params, check_mode=False, client=client)
    told = " ".join([*result["unknown"], *result["audit_warnings"], told_by(tmp_path / "h")])
    assert f"verb {row.verb} on {row.target}" in told
    assert "pass" not in verdicts(tmp_path / "h").values()


def test_with_all_rights_of_an_audit_nothing_is_unknown(cluster: Cluster, tmp_path: Path) -> None:
    client = cluster.somebody("audit-with-all", permissions.granted("audit"))
    params = {**COMMON, "history": str(tmp_path / "h"), "volumes": [CELL.volume]}
    result = job_audit.run(params, check_mode=False, client=client)
    assert (result["unknown"], result["audit_warnings"], result["gaps"]) == ([], [], 0)


def test_the_audit_playbook_works_with_its_manifest(cluster: Cluster, tmp_path: Path) -> None:
    for document in yaml.safe_load_all(Path("rbac/audit.yml").read_text()):
        kind = KINDS.get(document["kind"]) or Kind("v1", "serviceaccounts")
        namespace = document["metadata"].get("namespace", "")
        cluster.admin.apply(kind, document, namespace=namespace)
    access = accounts.write_kubeconfig(cluster.lab, LONGHORN, "longhorn-qa-audit", path=tmp_path / "kubeconfig")
    variables = {"audit_report_dir": str(tmp_path / "report"), "audit_longhorn_release": "2020-06"}
    playbook.run(playbook.Call("longhorn.qa.audit", variables, tmp_path / "call", kubeconfig=access))
    assert told_by(tmp_path / "report" / "history") == ""
    document = json.loads((tmp_path / "report" / "report.json").read_text())
    assert [cell["volume"] for run in document["runs"] for cell in run["cells"]] == [CELL.volume]
