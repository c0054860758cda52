# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's control of recurring jobs: their CronJobs, and from 1.2 on the labels by which volumes have them."""

from __future__ import annotations

import typing as t

from longhorn_qa_lab.kube import ApiError
from longhorn_qa_lab.longhorn import cron_jobs, names, recurring, settings, world
from longhorn_qa_lab.longhorn.context import Context
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.releases import Span

_COUNTED: t.Final = Span(since=(1, 7, 0))


class RecurringJobs:
    """Looked after by the control loop."""

    def __init__(self, context: Context) -> None:
        self._c = context
        self._w = context.cluster

    # --- up to 1.1: a volume has its jobs itself ---

    def sync_volume(self, volume: Object) -> None:
        """A CronJob for each of a volume's own jobs, and from 1.2 on the label of those that have none."""
        if self._c.release.recurring_jobs == "objects":
            self._join_default_group(volume)
            return
        name = volume["metadata"]["name"]
        there = {cron["metadata"]["name"]: cron for cron in self._w.all(world.CRON_JOBS, volume=name)}
        jobs = self._runnable(volume)
        target = self._c.backup_target() if any(job["task"] == "backup" for job in jobs) else cron_jobs.BackupTarget()
        for job in jobs:
            wanted = cron_jobs.of_volume(volume=volume, job=job, place=self._place(), target=target)
            known = there.pop(wanted["metadata"]["name"], None)
            if job["task"] == "backup" and self._c.release.target_in_command and not target.url:
                raise ApiError(
                    500, "failed to create cronjob for recurring job: cannot backup: backup target is not set"
                )
            self._apply(known, cron_jobs.with_bugs(wanted, self._c.bugs.of(name)))
        for surplus in there:
            self._w.delete(world.CRON_JOBS, surplus)

    def _runnable(self, volume: Object) -> list[Object]:
        """The volume's jobs, where detached volumes keep theirs."""
        attached = (volume.get("status") or {}).get("state") == "attached"
        kept = (
            self._c.release.cron_jobs.detached == "suspended" or self._c.setting(settings.RUN_WHILE_DETACHED) == "true"
        )
        if not attached and not kept:
            return []
        return t.cast("list[Object]", volume["spec"].get("recurringJobs") or [])

    def forget_volume(self, name: str) -> None:
        """The CronJobs of a volume that goes."""
        for cron in self._w.all(world.CRON_JOBS, volume=name):
            self._w.delete(world.CRON_JOBS, cron["metadata"]["name"])

    # --- from 1.2 on: jobs are objects ---

    def _join_default_group(self, volume: Object) -> None:
        """A volume without any job or group belongs to the default group."""
        if recurring.of_volume(volume["metadata"].get("labels")):
            return

        def change(found: Object) -> None:
            labels = found["metadata"].setdefault("labels", {})
            if not recurring.of_volume(labels):
                labels[recurring.label(recurring.DEFAULT_GROUP, is_group=True)] = recurring.ENABLED

        self._w.update(world.VOLUMES, volume["metadata"]["name"], change)

    def sync(self, job: Object) -> None:
        """One RecurringJob: its status and CronJob; when it goes, its labels go first."""
        name = job["metadata"]["name"]
        if job["metadata"].get("deletionTimestamp"):
            self._take_labels_off(name)
            self._w.release(world.RECURRING_JOBS, job)
            return
        old = job.get("status") or {}
        counted = {"executionCount": old.get("executionCount", 0)} if self._c.release.has(_COUNTED) else {}
        job = self._w.replace_status(world.RECURRING_JOBS, job, {**old, **counted, "ownerID": self._c.node})
        wanted = cron_jobs.of_object(job, self._place())
        found = frozenset(bug for volume in self._volumes_of(job) for bug in self._c.bugs.of(volume))
        self._apply(self._w.find(world.CRON_JOBS, name), cron_jobs.with_bugs(wanted, found))

    def _volumes_of(self, job: Object) -> list[str]:
        entries = {(job["metadata"]["name"], False), *((group, True) for group in job["spec"].get("groups") or ())}
        return [
            volume["metadata"]["name"]
            for volume in self._w.all(world.VOLUMES)
            if not entries.isdisjoint(recurring.of_volume(volume["metadata"].get("labels")))
        ]

    def _take_labels_off(self, job: str) -> None:
        key = names.job_label(job)

        def change(found: Object) -> None:
            (found["metadata"].get("labels") or {}).pop(key, None)

        for volume in self._w.all(world.VOLUMES):
            if key in (volume["metadata"].get("labels") or {}):
                self._w.update(world.VOLUMES, volume["metadata"]["name"], change)

    # --- both ---

    def _place(self) -> cron_jobs.Place:
        place = cron_jobs.Place(
            release=self._c.release,
            manager_image=self._c.manager_image,
            service_account=self._c.service_account,
        )
        if place.rules.history != "settings":
            return place
        limits = [int(self._c.setting(name) or 1) for name in (settings.SUCCESSFUL_JOBS, settings.FAILED_JOBS)]
        return cron_jobs.Place(place.release, place.manager_image, place.service_account, *limits)

    def _apply(self, there: Object | None, wanted: Object) -> None:
        if there is None:
            self._w.create(world.CRON_JOBS, wanted)
        elif cron_jobs.differs(there, wanted):
            metadata, spec = wanted["metadata"], wanted["spec"]
            marks = {"labels": metadata["labels"], "annotations": metadata.get("annotations")}
            changed = {**there, "metadata": {**there["metadata"], **marks}, "spec": {**there["spec"], **spec}}
            self._w.replace(world.CRON_JOBS, changed)
