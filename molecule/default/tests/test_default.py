# SPDX-License-Identifier: GPL-3.0-or-later
"""After the procedure: the verdict is there, the fixtures that were there before still are, and nothing else is."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
from kubernetes import config
from kubernetes.dynamic import DynamicClient

RUN = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "run"
LONGHORN = "longhorn-system"
MARK = "longhorn.qa/run-id=molecule"
PLACES = [
    ("longhorn.io/v1beta1", "Volume"), ("longhorn.io/v1beta1", "EngineImage"), ("batch/v1", "Job"),
    ("v1", "Secret"), ("v1", "ConfigMap"), ("v1", "Service"), ("v1", "Namespace"), ("apps/v1", "Deployment"),
]  # fmt: skip


@pytest.fixture(scope="module", name="api")
def _api() -> DynamicClient:
    return DynamicClient(config.new_client_from_config(os.environ["K8S_AUTH_KUBECONFIG"]))


@pytest.fixture(scope="module", name="report")
def _report() -> dict[str, t.Any]:
    document: dict[str, t.Any] = json.loads((RUN / "report" / "report.json").read_text())
    return document


def find(api: DynamicClient, version: str, kind: str, **selection: str) -> list[t.Any]:
    """Objects of a kind, by the Kubernetes API."""
    return list(api.resources.get(api_version=version, kind=kind).get(**selection).items)


def test_the_verdict_is_pass_for_four_cells_also_after_the_fault(report: dict[str, t.Any]) -> None:
    assert report["verdict"] == "pass", json.dumps(report, indent=1)[:4000]
    found = {Path(run["history"]).name: len(run["cells"]) for run in report["runs"]}
    assert found == {"history": 4, "history-recovery": 4}


@pytest.mark.parametrize(
    "name", ["report/report.json", "report/junit.xml", "report/report.txt", "history/history.jsonl"]
)
def test_the_run_left_its_files(host: t.Any, name: str) -> None:
    file = host.file(str(RUN / name))
    assert file.is_file and file.size > 0


@pytest.mark.parametrize(("version", "kind"), [pytest.param(*place, id=place[1]) for place in PLACES])
def test_nothing_of_the_run_is_left(api: DynamicClient, version: str, kind: str) -> None:
    assert [item.metadata.name for item in find(api, version, kind, label_selector=MARK)] == []


def test_no_cronjob_but_the_standing_ones_is_left(api: DynamicClient) -> None:
    assert [item.metadata.name for item in find(api, "batch/v1", "CronJob", namespace=LONGHORN)] == [
        "standing-monthly-c"
    ]


def test_the_backup_target_is_the_one_from_before(api: DynamicClient) -> None:
    settings = {
        item.metadata.name: item.value for item in find(api, "longhorn.io/v1beta1", "Setting", namespace=LONGHORN)
    }
    assert settings["backup-target"] == "s3://backupbucket@us-east-1/"
    assert settings["backup-target-credential-secret"] == "longhorn-qa-store"


def test_the_standing_volume_is_attached_with_its_image(api: DynamicClient) -> None:
    (volume,) = find(api, "longhorn.io/v1beta1", "Volume", namespace=LONGHORN)
    assert (volume.metadata.name, volume.status.state) == ("standing", "attached")
    assert volume.status.currentImage == "quay.io/ttpcodes/longhorn-engine:no-cleanup-backup"
