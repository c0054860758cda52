# SPDX-License-Identifier: GPL-3.0-or-later
"""The CronJob that stands for one of a volume's recurring jobs. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from longhorn_qa_lab.longhorn import names
from longhorn_qa_lab.longhorn.decide import Object, owner_reference
from longhorn_qa_lab.longhorn.releases import Release


@dataclasses.dataclass(frozen=True)
class BackupTarget:
    """The backup target's settings, and which keys its secret has."""

    url: str = ""
    secret: str = ""
    keys: t.Collection[str] = ()


_CREDENTIALS: t.Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ENDPOINTS",
    "AWS_CERT",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)


def cron_job(
    *, volume: Object, job: Object, release: Release, manager_image: str, service_account: str, target: BackupTarget
) -> Object:
    """The CronJob of one of a volume's recurring jobs."""
    volume_name = volume["metadata"]["name"]
    name = names.cron_job(volume_name, job["name"])
    attached = (volume.get("status") or {}).get("state") == "attached"
    node = (volume.get("status") or {}).get("currentNodeID", "")
    container = {
        "name": name,
        "image": manager_image,
        "imagePullPolicy": "IfNotPresent",
        "command": job_command(volume=volume_name, job=job, release=release, target=target),
        "env": job_environment(job=job, release=release, target=target),
        "securityContext": {"privileged": True},
        "volumeMounts": [{"name": "engine-binaries", "mountPath": names.BINARIES}],
    }
    pod: Object = {
        "containers": [container],
        "restartPolicy": "OnFailure",
        "serviceAccountName": service_account,
        "volumes": [{"name": "engine-binaries", "hostPath": {"path": names.BINARIES}}],
    }
    if node:
        pod["nodeName"] = node
    return {
        "kind": "CronJob",
        "metadata": {
            "name": name,
            "namespace": names.NAMESPACE,
            "labels": {names.VOLUME_LABEL: volume_name},
            "ownerReferences": [owner_reference(volume)],
        },
        "spec": {
            "schedule": job["cron"],
            "concurrencyPolicy": "Forbid",
            "suspend": not attached,
            "jobTemplate": {"spec": {"backoffLimit": 3, "template": {"metadata": {"name": name}, "spec": pod}}},
        },
    }


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
        words += ["--manager-url", "http://longhorn-backend:9500/v1"]
    words += ["--snapshot-name", job["name"], "--labels", f"RecurringJob={job['name']}"]
    for key, value in sorted((job.get("labels") or {}).items()):
        words += ["--labels", f"{key}={value}"]
    words += ["--retain", str(job["retain"])]
    if job["task"] == "backup":
        words += ["--backuptarget", target.url] if release.target_in_command else ["--backup"]
    return words


def job_environment(*, job: Object, release: Release, target: BackupTarget) -> list[Object]:
    """The job's environment; until 1.0.0 a backup job gets the credentials that its secret has."""
    found: list[Object] = [{"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}]
    if job["task"] == "backup" and release.target_in_command and target.secret:
        found += [
            {"name": key, "valueFrom": {"secretKeyRef": {"name": target.secret, "key": key}}}
            for key in _CREDENTIALS
            if key in target.keys
        ]
    return found


def cron_job_differs(there: Object, wanted: Object) -> bool:
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
    )
