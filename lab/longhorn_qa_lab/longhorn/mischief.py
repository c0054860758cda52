# SPDX-License-Identifier: GPL-3.0-or-later
"""The bug switches that act from outside a job: what anybody with full rights could do to a cluster.

Kubernetes' own controllers are never touched; they meet a second Job, a status that somebody changed, or an API server
that refuses an event, and react as they do.
"""

from __future__ import annotations

import datetime as dt
import re
import time
import typing as t

from longhorn_qa_lab.kube import Kube
from longhorn_qa_lab.longhorn import engine, jobs, logs, names, world
from longhorn_qa_lab.longhorn.bugs import TURN
from longhorn_qa_lab.longhorn.context import Context
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.refusals import Refusals

_BATCH: t.Final = f"namespaces/{names.NAMESPACE}"
_EVERY_MINUTE: t.Final = "* * * * *"
_AFTERWARDS: t.Final = 1.5
_BEFORE_A_TICK: t.Final = 52
_BY_TICK: t.Final = re.compile(r"-(\d{8})")


class Mischief:
    """Looked after by the control loop, once per pass."""

    def __init__(self, context: Context, admin: Kube, refusals: Refusals) -> None:
        self._c = context
        self._admin = admin
        self._refusals = refusals
        self._over: dict[str, float] = {}
        self._done: set[tuple[str, str]] = set()

    def step(self, volume: Object) -> None:
        """Do what this volume's bugs ask for by now."""
        name = volume["metadata"]["name"]
        bugs = self._c.bugs.of(name)
        if not bugs:
            return
        for job in volume["spec"].get("recurringJobs") or []:
            cron_job = names.cron_job(name, job["name"])
            self._refusals.refuse(cron_job, bugs)
            if "tick-missed" in bugs and job["cron"] == _EVERY_MINUTE:
                self._miss_a_tick(cron_job)
            if not bugs.isdisjoint(("duplicate-late", "tick-twice")):
                self._after_jobs(name, job["name"], bugs)

    def _first(self, bug: str, subject: str) -> bool:
        if (bug, subject) in self._done:
            return False
        self._done.add((bug, subject))
        return True

    def _miss_a_tick(self, cron_job: str) -> None:
        """Pretend, shortly before a minute begins, that its tick has been served."""
        now = logs.now()
        if now.second < _BEFORE_A_TICK or not self._first("tick-missed", cron_job):
            return
        tick = now.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
        path = f"/apis/batch/v1beta1/{_BATCH}/cronjobs/{cron_job}/status"
        self._admin.merge(path, {"status": {"lastScheduleTime": logs.stamp(tick)}})

    def _after_jobs(self, volume: str, job: str, bugs: frozenset[str]) -> None:
        """What comes a moment after a Job's pod has ended well."""
        prefix = names.cron_job(volume, job)
        for pod in self._c.cluster.all(world.PODS):
            owner = str((pod["metadata"].get("labels") or {}).get("job-name", ""))
            if not owner.startswith(prefix + "-") or (pod.get("status") or {}).get("phase") != "Succeeded":
                continue
            if time.monotonic() - self._over.setdefault(owner, time.monotonic()) < _AFTERWARDS:
                self._c.cluster.touch()
                continue
            late = "duplicate-late" in bugs and self._first("duplicate-late", owner)
            if late and sum(bug == "duplicate-late" and name.startswith(prefix) for bug, name in self._done) == TURN:
                self._snapshot(volume, job)
            tick = _BY_TICK.fullmatch(owner.removeprefix(prefix))
            if "tick-twice" in bugs and tick is not None and self._first("tick-twice", prefix):
                self._second_job(prefix, int(tick[1]) * 60)

    def _snapshot(self, volume: str, job: str) -> None:
        image = self._c.cluster.all(world.ENGINES, volume=volume)[0]["status"]["currentImage"]
        running = engine.Engine(self._c.disk, engine.Binary(image=image, plan=self._c.plan), volume)
        running.create_snapshot(f"{job}-{names.random_id()}", {jobs.LABEL: job})

    def _second_job(self, cron_job: str, tick: int) -> None:
        """The Job that the older of Kubernetes' two CronJob controllers would make: it names them by the second."""
        owner = self._admin.get(f"/apis/batch/v1beta1/{_BATCH}/cronjobs/{cron_job}")
        reference = {
            "apiVersion": owner["apiVersion"],
            "kind": "CronJob",
            "name": cron_job,
            "uid": owner["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        self._admin.create(
            f"/apis/batch/v1/{_BATCH}/jobs",
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": f"{cron_job}-{tick}", "ownerReferences": [reference]},
                "spec": owner["spec"]["jobTemplate"]["spec"],
            },
        )
