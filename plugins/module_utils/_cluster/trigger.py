# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the Job that a tick of a CronJob would make, marked as made by hand.

Kubernetes itself has no "forbid" for Jobs made by hand, so a Job that is still active is looked for first.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, Object
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, Conflict, NotFound, Refused
from ansible_collections.longhorn.qa.plugins.module_utils._history.objects import MANUAL_ANNOTATION, TRIGGERED_LABEL

_LONGEST_NAME = 63


def trigger(
    client: Client, *, namespace: str, cronjob: str, name: str = "", dry_run: bool = False
) -> tuple[Object, Object | None]:
    """The Job made, and the Job that already was there by this name instead (then nothing was made)."""
    owner = cronjob_named(client, cronjob, namespace=namespace)
    owned = [
        job for job in client.list(kinds.JOBS, namespace=namespace).items if owned_by(job, owner["metadata"]["uid"])
    ]
    if name:
        before = client.find(kinds.JOBS, name, namespace=namespace)
        if before is not None:
            return before, _ours(before, owner)
    refuse_active(owned, cronjob=f"CronJob {namespace}/{cronjob}")
    body = job_of(owner, name=name or next_name(cronjob, (job["metadata"]["name"] for job in owned)))
    return client.create(kinds.JOBS, body, namespace=namespace, dry_run=dry_run), None


def cronjob_named(client: Client, name: str, *, namespace: str) -> Object:
    """The CronJob, or NotFound."""
    if not name:  # a request without a name lists them all
        raise BadInput("it is empty", subject="cronjob", expected="the name of a CronJob")
    kind = client.first_served(kinds.CRONJOBS, kinds.CRONJOBS_V1BETA1)
    found = client.find(kind, name, namespace=namespace)
    if found is None:
        raise NotFound(
            "the CronJob does not exist",
            subject=f"CronJob {namespace}/{name}",
            advice="Longhorn makes it a few seconds after the recurring job; is the volume attached?",
        )
    return found


def _ours(job: Object, owner: Object) -> Object:
    if owned_by(job, owner["metadata"]["uid"]) and TRIGGERED_LABEL in (job["metadata"].get("labels") or {}):
        return job
    raise Conflict(
        "a Job of this name exists, and it was not made by this module from this CronJob",
        subject=f"Job {job['metadata'].get('namespace', '')}/{job['metadata']['name']}",
        advice="Choose another name.",
    )


def owned_by(document: Mapping[str, t.Any], uid: str) -> bool:
    """Whether the object's controller is the one with this UID."""
    owners = (document.get("metadata") or {}).get("ownerReferences") or ()
    return any(owner.get("uid") == uid and owner.get("controller") for owner in owners)


def finished(job: Mapping[str, t.Any]) -> bool:
    """Whether the Job is Complete or Failed."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(c.get("type") in ("Complete", "Failed") and c.get("status") == "True" for c in conditions)


def refuse_active(jobs: Iterable[Mapping[str, t.Any]], *, cronjob: str) -> None:
    """Refused while a Job of the CronJob runs, as concurrencyPolicy Forbid would have it."""
    active = sorted(job["metadata"]["name"] for job in jobs if not finished(job))
    if active:
        raise Refused(
            "a Job of it is still active; a second one beside it would break what is tested",
            subject=cronjob,
            expected="no active Job",
            seen=", ".join(active),
            advice="Wait until it has finished, or suspend the schedule.",
        )


def next_name(cronjob: str, taken: Iterable[str]) -> str:
    """``<cronjob>-qa-<n>`` with the first free number above those in use."""
    prefix = f"{cronjob}-qa-"
    numbers = [int(name[len(prefix) :]) for name in taken if name.startswith(prefix) and name[len(prefix) :].isdigit()]
    name = f"{prefix}{max(numbers, default=0) + 1}"
    if len(name) > _LONGEST_NAME:
        raise Refused(
            "the Job's name would be too long", subject=name, expected=f"at most {_LONGEST_NAME} characters",
            advice="Give a shorter one as name.",
        )  # fmt: skip
    return name


def job_of(cronjob: Mapping[str, t.Any], *, name: str) -> Object:
    """The Job that the CronJob's template describes, marked as made by hand."""
    template, metadata = cronjob["spec"]["jobTemplate"], cronjob["metadata"]
    of_template = template.get("metadata") or {}
    owner = {"apiVersion": cronjob["apiVersion"], "kind": "CronJob", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": kinds.JOBS.group_version,
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": {**(of_template.get("labels") or {}), TRIGGERED_LABEL: "true"},
            "annotations": {**(of_template.get("annotations") or {}), MANUAL_ANNOTATION: "manual"},
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
        },
        "spec": template["spec"],
    }
