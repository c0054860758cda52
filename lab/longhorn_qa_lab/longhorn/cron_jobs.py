# SPDX-License-Identifier: GPL-3.0-or-later
"""The CronJob of a recurring job: one for each of a volume's own jobs, or from 1.2 on one for all volumes. Pure."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from longhorn_qa_lab.longhorn import names
from longhorn_qa_lab.longhorn.decide import Object, owner_reference
from longhorn_qa_lab.longhorn.releases import CronJobRules, Release

JOB_LABEL: t.Final = "recurring-job.longhorn.io"
_MANAGED: t.Final = {"longhorn.io/managed-by": "longhorn-manager"}
_TASK: t.Final = "longhorn.io/job-task"
_LAST_APPLIED: t.Final = "longhorn.io/last-applied-cronjob-spec"
_MANAGER_URL: t.Final = "http://longhorn-backend:9500/v1"


@dataclasses.dataclass(frozen=True)
class BackupTarget:
    """The backup target's settings, and which keys its secret has."""

    url: str = ""
    secret: str = ""
    keys: t.Collection[str] = ()


@dataclasses.dataclass(frozen=True)
class Place:
    """What all CronJobs of an installation have in common."""

    release: Release
    manager_image: str
    service_account: str
    #: How many good and bad Jobs stay, by the settings.
    successful: int = 1
    failed: int = 1

    @property
    def rules(self) -> CronJobRules:
        return self.release.cron_jobs

    def history(self) -> Object:
        if self.rules.history == "settings":
            return {"successfulJobsHistoryLimit": self.successful, "failedJobsHistoryLimit": self.failed}
        return {"successfulJobsHistoryLimit": 1} if self.rules.history == "one" else {}


_CREDENTIALS: t.Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ENDPOINTS",
    "AWS_CERT",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
_NAMESPACE: t.Final[Object] = {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}


def of_volume(*, volume: Object, job: Object, place: Place, target: BackupTarget) -> Object:
    """The CronJob of one of a volume's own jobs."""
    volume_name, status = volume["metadata"]["name"], volume.get("status") or {}
    labels = {names.VOLUME_LABEL: volume_name}
    marks = {**labels, _TASK: job["task"]} if place.rules.marked else {}
    made = _cron_job(
        name=names.cron_job(volume_name, job["name"]),
        owner=volume,
        labels={**labels, **marks, **(_MANAGED if marks else {})},
        pod_labels=marks,
        schedule=job["cron"],
        command=job_command(volume=volume_name, job=job, release=place.release, target=target),
        environment=job_environment(job=job, release=place.release, target=target),
        place=place,
    )
    if place.rules.detached == "suspended":
        made["spec"]["suspend"] = status.get("state") != "attached"
    if place.rules.pinned and status.get("currentNodeID"):
        made["spec"]["jobTemplate"]["spec"]["template"]["spec"]["nodeName"] = status["currentNodeID"]
    return made


def of_object(recurring_job: Object, place: Place) -> Object:
    """The CronJob of a RecurringJob, whose name it has."""
    name = recurring_job["metadata"]["name"]
    labels = {**_MANAGED, JOB_LABEL: name}
    return _cron_job(
        name=name,
        owner=recurring_job,
        labels=labels,
        pod_labels=labels,
        schedule=recurring_job["spec"]["cron"],
        command=["longhorn-manager", "-d", "recurring-job", name, "--manager-url", _MANAGER_URL],
        environment=[_NAMESPACE],
        place=place,
    )


def _cron_job(
    *,
    name: str,
    owner: Object,
    labels: t.Mapping[str, str],
    pod_labels: t.Mapping[str, str],
    schedule: str,
    command: list[str],
    environment: list[Object],
    place: Place,
) -> Object:
    container: Object = {
        "name": name,
        "image": place.manager_image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "env": environment,
        "volumeMounts": [{"name": "engine-binaries", "mountPath": names.BINARIES}],
    }
    if place.rules.privileged:
        container["securityContext"] = {"privileged": True}
    pod: Object = {
        "containers": [container],
        "restartPolicy": "OnFailure",
        "serviceAccountName": place.service_account,
        "volumes": [{"name": "engine-binaries", "hostPath": {"path": names.BINARIES}}],
    }
    template = {"metadata": {"name": name, **({"labels": dict(pod_labels)} if pod_labels else {})}, "spec": pod}
    spec = {
        "schedule": schedule,
        "concurrencyPolicy": "Forbid",
        **place.history(),
        "jobTemplate": {"spec": {"backoffLimit": 3, "template": template}},
    }
    metadata = {
        "name": name,
        "namespace": names.NAMESPACE,
        "labels": dict(labels),
        "ownerReferences": [owner_reference(owner)],
    }
    if place.rules.marked:
        metadata["annotations"] = {_LAST_APPLIED: json.dumps(spec, separators=(",", ":"))}
    return {"kind": "CronJob", "metadata": metadata, "spec": spec}


def with_bugs(wanted: Object, bugs: t.Collection[str]) -> Object:
    """The CronJob as the bug switches of its volume would have it; its controller is not told."""
    spec = wanted["spec"]["jobTemplate"]["spec"]
    if "second-pod" in bugs:
        spec["parallelism"] = 2
    if "failed-with-all" in bugs:
        spec["backoffLimit"] = 0
        spec["template"]["spec"]["restartPolicy"] = "Never"
    return wanted


def job_command(*, volume: str, job: Object, release: Release, target: BackupTarget) -> list[str]:
    """The job's command line; until 1.0.0 it names the backup target, later only whether to back up."""
    words = ["longhorn-manager", "-d", "snapshot", volume]
    if release.jobs_through == "api":
        words += ["--manager-url", _MANAGER_URL]
    words += ["--snapshot-name", job["name"], "--labels", f"RecurringJob={job['name']}"]
    for key, value in sorted((job.get("labels") or {}).items()):
        words += ["--labels", f"{key}={value}"]
    words += ["--retain", str(job["retain"])]
    if job["task"] == "backup":
        words += ["--backuptarget", target.url] if release.target_in_command else ["--backup"]
    return words


def job_environment(*, job: Object, release: Release, target: BackupTarget) -> list[Object]:
    """The job's environment; until 1.0.0 a backup job gets the credentials that its secret has."""
    found: list[Object] = [_NAMESPACE]
    if job["task"] == "backup" and release.target_in_command and target.secret:
        found += [
            {"name": key, "valueFrom": {"secretKeyRef": {"name": target.secret, "key": key}}}
            for key in _CREDENTIALS
            if key in target.keys
        ]
    return found


def differs(there: Object, wanted: Object) -> bool:
    """Whether a stored CronJob says something else than wanted, server defaults aside."""
    return _says(there) != _says(wanted)


def _says(cron: Object) -> tuple[t.Any, ...]:
    spec = cron["spec"]
    job = spec["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    container = pod["containers"][0]
    environment = [
        (entry["name"], (entry.get("valueFrom") or {}).get("secretKeyRef", {}).get("name"))
        for entry in container.get("env", [])
    ]
    return (
        spec["schedule"],
        bool(spec.get("suspend")),
        pod.get("nodeName", ""),
        container["command"],
        container["image"],
        environment,
        (job.get("parallelism", 1), job.get("backoffLimit"), pod.get("restartPolicy")),
        (spec.get("successfulJobsHistoryLimit", 3), spec.get("failedJobsHistoryLimit", 1)),
    )
