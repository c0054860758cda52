# SPDX-License-Identifier: GPL-3.0-or-later
"""Later releases of Longhorn in a lab: what only shows with real Jobs, admission, garbage collection and processes.

The numbers of every release and task are in test_longhorn_recurring_job_api.py, without a lab.
"""

from __future__ import annotations

import json
import re
import typing as t

import pytest

from longhorn_qa_lab.bringup import Options
from longhorn_qa_lab.kube import ApiError, Object
from longhorn_qa_lab.lab import running
from longhorn_qa_lab.longhorn import faults, names, releases
from longhorn_qa_lab.longhorn.trial import BUCKET, SECRET, Trial, store_manifests
from longhorn_qa_lab.progress import Progress

FAULTY, BYSTANDER = "vol", "by"
NEVER = "0 0 29 2 *"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
JOBS = f"/apis/batch/v1/namespaces/{names.NAMESPACE}/jobs"
CRON_JOBS = f"/apis/batch/v1beta1/namespaces/{names.NAMESPACE}/cronjobs"


class Later:
    """A lab with two attached volumes, and recurring jobs as objects."""

    def __init__(self, trial: Trial, release: str) -> None:
        self.trial = trial
        self.kube = trial.kube
        self.row = releases.release(release)

    def path(self, kind: str, name: str = "") -> str:
        return f"/apis/{self.row.api_version}/namespaces/{names.NAMESPACE}/{kind}" + (f"/{name}" if name else "")

    def objects(self, kind: str, volume: str) -> list[Object]:
        """Objects of a volume, oldest first."""
        label = names.VOLUME_LABEL if kind == "snapshots" else "backup-volume"
        items = t.cast("list[Object]", self.kube.list(self.path(kind))["items"])
        found = [item for item in items if (item["metadata"].get("labels") or {}).get(label) == volume]
        return sorted(found, key=lambda item: str(item["metadata"]["creationTimestamp"]))

    def store(self) -> None:
        for collection, document in store_manifests():
            self.kube.apply(collection, document)
        url = f"s3://{BUCKET}@us-east-1/"
        spec = {"backupTargetURL": url, "credentialSecret": SECRET}
        self.kube.merge(self.path("backuptargets", "default"), {"spec": spec})

        def available() -> bool:
            return bool((self.kube.get(self.path("backuptargets", "default")).get("status") or {}).get("available"))

        self.trial.until("the backup target is available", available)

    def volumes(self) -> None:
        node = self.trial.manager("GET", "/nodes")["data"][0]["name"]
        for name in (FAULTY, BYSTANDER):
            body = {"name": name, "size": str(32 << 20), "numberOfReplicas": 1, "frontend": "blockdev"}
            self.trial.manager("POST", "/volumes", body)
        for name in (FAULTY, BYSTANDER):
            self.trial.until_state(name, "detached")
            body = {"hostId": node, "disableFrontend": True, "attachmentID": "test"}
            self.trial.manager("POST", f"/volumes/{name}?action=attach", body)
        for name in (FAULTY, BYSTANDER):
            self.trial.until_state(name, "attached")

    def recurring_job(self, name: str, task: str) -> None:
        spec = {"name": name, "task": task, "cron": NEVER, "retain": 1, "concurrency": 2, "groups": [], "labels": {}}
        metadata = {"name": name, "namespace": names.NAMESPACE}
        document = {"apiVersion": self.row.api_version, "kind": "RecurringJob", "metadata": metadata, "spec": spec}
        self.kube.create(self.path("recurringjobs"), document)
        for volume in (FAULTY, BYSTANDER):
            self.kube.merge(self.path("volumes", volume), {"metadata": {"labels": {names.job_label(name): "enabled"}}})
        self.trial.until(f"CronJob {name}", lambda: self.kube.find(f"{CRON_JOBS}/{name}") is not None)

    def invoke(self, name: str, number: int) -> str:
        """One Job of the CronJob's template: how it ends."""
        job = f"{name}-{number}"
        spec = self.kube.get(f"{CRON_JOBS}/{name}")["spec"]["jobTemplate"]["spec"]
        metadata = {"name": job, "namespace": names.NAMESPACE}
        self.kube.create(JOBS, {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})
        self.trial.until(f"{job} ended", lambda: bool(self.trial.ended(job)))
        return self.trial.ended(job)

    def plan(self, *fails: str) -> None:
        """Let the default engine image fail."""
        text = json.dumps({"images": {self.row.engine_image: {"fails": list(fails)}}})
        metadata = {"name": faults.CONFIG_MAP, "namespace": names.NAMESPACE}
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {faults.PLAN_KEY: text}}
        self.kube.apply(f"/api/v1/namespaces/{names.NAMESPACE}/configmaps", document)

    def refuse(self, resource: str, label: str) -> None:
        """Have the API server refuse deletions of the faulty volume's objects."""
        nobody = {"name": "longhorn-qa-refuses", "namespace": names.NAMESPACE}
        rule = {
            "apiGroups": [names.GROUP], "apiVersions": ["*"], "operations": ["DELETE"], "resources": [resource],
        }  # fmt: skip
        webhook = {
            "name": "refuses.longhorn-qa.invalid", "clientConfig": {"service": nobody}, "rules": [rule],
            "objectSelector": {"matchLabels": {label: FAULTY}}, "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "timeoutSeconds": 2,
        }  # fmt: skip
        self.kube.apply(
            WEBHOOKS,
            {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
             "metadata": {"name": "longhorn-qa-refuses"}, "webhooks": [webhook]},
        )  # fmt: skip
        self.trial.until("deletions are refused", lambda: self._refuses(resource))

    def _refuses(self, resource: str) -> bool:
        """Whether the API server knows of it by now; a deletion that is only tried changes nothing."""
        name = self.objects(resource, FAULTY)[0]["metadata"]["name"]
        try:
            self.kube.delete(self.path(resource, name), dryRun=["All"])
        except ApiError as error:
            return "refuses.longhorn-qa.invalid" in str(error)
        return False


def lab(release: str) -> t.Iterator[Later]:
    name = "later-" + release.replace(".", "")
    with running(Options(name=name, release=release, poll_scale=0.05, time_scale=0.1), Progress()) as started:
        trial = Trial(started.kubeconfig, patience=180.0)
        with trial.kube:
            made = Later(trial, release)
            made.volumes()
            yield made


@pytest.fixture(scope="module")
def v144(lab_root: str) -> t.Iterator[Later]:
    yield from lab("v1.4.4")


@pytest.fixture(scope="module")
def v1121(lab_root: str) -> t.Iterator[Later]:
    yield from lab("v1.12.1")


def test_a_job_of_1_4_4_is_retried_for_a_snapshot_that_stays(v144: Later) -> None:
    v144.plan("snapshot-delete-rpc")
    v144.recurring_job("nightly", "snapshot")
    assert [v144.invoke("nightly", number) for number in (1, 2)] == ["Complete", "Failed"]
    assert len(v144.trial.snapshots(FAULTY)) == 2, "made before the deletion failed; the retries make none"
    v144.trial.until("an object for each", lambda: len(v144.objects("snapshots", FAULTY)) == 2)
    events = v144.trial.items("events")
    told = [event for event in events if event["involvedObject"]["kind"] == "RecurringJob"]
    assert {(event["reason"], event["type"], event["source"]["component"]) for event in told} == {
        ("FailedDeleting", "Warning", "longhorn-recurring-job")
    }
    assert "BackoffLimitExceeded" in {e["reason"] for e in events if e["involvedObject"]["name"] == "nightly-2"}


def test_objects_of_a_deleted_volume_go_with_it(v144: Later) -> None:
    v144.trial.manager("DELETE", f"/volumes/{FAULTY}")
    v144.trial.until("the volume is gone", lambda: v144.kube.find(v144.path("volumes", FAULTY)) is None)
    v144.trial.until("its snapshots are gone", lambda: v144.objects("snapshots", FAULTY) == [])


def test_a_job_of_1_12_1_is_complete_although_it_failed(v1121: Later) -> None:
    v1121.recurring_job("nightly", "snapshot")
    assert v1121.invoke("nightly", 1) == "Complete"
    v1121.refuse("snapshots", names.VOLUME_LABEL)
    assert [v1121.invoke("nightly", number) for number in (2, 3)] == ["Complete", "Complete"]
    assert len(v1121.objects("snapshots", FAULTY)) == 2, "the third Job makes none, because none can be deleted"
    assert len(v1121.trial.snapshots(BYSTANDER)) == 1
    lines = v1121.trial.job_log("nightly-3")
    shape = (
        r'time="[0-9-]{10}T[0-9:]{8}\.\d{1,9}Z" level=error msg="Failed to run volume job" '
        r'func=recurringjob\.startVolumeJob file="volume\.go:\d+" concurrent=2 error="Bad response statusCode \[500\]'
        r".*failed calling webhook .*refuses\.longhorn-qa\.invalid.*action=snapshotCRDelete\]\" executionCount=3 .*"
        r" volumeName=vol"
    )
    assert [line for line in lines if re.fullmatch(shape, line)], lines
    assert v1121.kube.get(v1121.path("recurringjobs", "nightly"))["status"]["executionCount"] == 3
    v1121.kube.delete(f"{WEBHOOKS}/longhorn-qa-refuses")
    v1121.trial.until("deletions are taken again", lambda: not v1121._refuses("snapshots"))
    assert v1121.invoke("nightly", 4) == "Complete"
    v1121.trial.until("recovered", lambda: len(v1121.trial.snapshots(FAULTY)) == 1)


def test_backups_of_1_12_1_that_cannot_be_deleted_stay_terminating(v1121: Later) -> None:
    v1121.store()
    v1121.plan("backup-delete")
    v1121.recurring_job("weekly", "backup")
    assert [v1121.invoke("weekly", number) for number in (1, 2)] == ["Complete", "Complete"]
    first, second = v1121.objects("backups", FAULTY)
    assert (second["status"]["state"], "deletionTimestamp" in second["metadata"]) == ("Completed", False)
    assert first["metadata"]["deletionTimestamp"]

    def failed() -> bool:
        status = v1121.kube.get(v1121.path("backups", first["metadata"]["name"]))["status"]
        return "stubbed backup deletion for testing" in str((status["messages"] or {}).get("error", ""))

    v1121.trial.until("the deletion has failed", failed)
    assert len([key for key in v1121.trial.store_keys() if f"/{FAULTY}/backups/" in key]) == 2
    assert [line for line in v1121.trial.manager_log() if "Failed to delete backup in the backupstore, " in line]
    v1121.plan()
    gone = v1121.path("backups", first["metadata"]["name"])
    v1121.trial.until("the first backup is gone", lambda: v1121.kube.find(gone) is None)
    v1121.trial.until("no lock is left", lambda: not [key for key in v1121.trial.store_keys() if "/locks/" in key])
