# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's requests on recurring jobs as objects, and on which volumes have them."""

from __future__ import annotations

import typing as t

from longhorn_qa_lab.longhorn import checks, fields, recurring, views, world
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.parts import ApiFault, Doing, Part


class RecurringJobs(Part):
    """Recurring jobs, from 1.2 on. Where webhooks check objects, the manager leaves that to them."""

    def recurring_jobs(self, base: str) -> list[Object]:
        return [self._job_view(job, base) for job in self._w.all(world.RECURRING_JOBS)]

    def recurring_job(self, name: str, base: str) -> Object:
        return self._job_view(self._job(name), base)

    def create_recurring_job(self, body: Object, base: str) -> Object:
        job = recurring.new(_spec(body), self._c.release)
        name = job["metadata"]["name"]
        with Doing(f"failed to create recurring job {name}: unable to create recurring job {name}"):
            self._require(job)
            made = self._w.create(world.RECURRING_JOBS, job)
        self._c.log.info(f"Created new recurring job {name}")
        return self._job_view(made, base)

    def update_recurring_job(self, name: str, body: Object, base: str) -> Object:
        self._job(name)
        wanted = recurring.new({**_spec(body), "name": name}, self._c.release)

        def change(job: Object) -> None:
            job["spec"] = wanted["spec"]

        with Doing(f"unable to update recurring job {name}"):
            self._require(wanted)
            made = self._w.update(world.RECURRING_JOBS, name, change)
        self._c.log.info(f"Updated recurring job {name}")
        return self._job_view(made, base)

    def delete_recurring_job(self, name: str) -> None:
        self._job(name)
        with Doing(f"failed to delete recurring job {name}"):
            self._w.delete(world.RECURRING_JOBS, name)
        self._c.log.info(f"Deleted recurring job {name}")

    @property
    def _has_job_objects(self) -> bool:
        return self._c.release.recurring_jobs == "objects"

    def _require(self, job: Object) -> None:
        if not self._c.release.webhooks:
            recurring.require(job, self._c.release, max_retain=self._c.max_retain())

    def _job(self, name: str) -> Object:
        found = self._w.find(world.RECURRING_JOBS, name)
        if found is None:
            raise ApiFault(
                f"failed to get recurring job policy '{name}': recurringjobs.longhorn.io \"{name}\" not found"
            )
        return found

    def _job_view(self, job: Object, base: str) -> Object:
        return views.recurring_job(job, base=base)

    # --- a volume's jobs ---

    def act_on_volume_jobs(self, volume: str, action: str, body: Object, base: str) -> Object:
        """recurringJobAdd, recurringJobDelete or recurringJobList of a volume."""
        if action != "recurringJobList":
            self._change_volume_jobs(volume, action, body)
        found = self._w.find(world.VOLUMES, volume) or {"metadata": {}}
        entries = recurring.of_volume(found["metadata"].get("labels"))
        listed = [views.volume_recurring_job(name, is_group=is_group) for name, is_group in entries]
        return views.collection(listed, kind="volumeRecurringJob", url=f"{base}/volumes/{volume}")

    def _change_volume_jobs(self, volume: str, action: str, body: Object) -> None:
        name, is_group = str(body.get("name") or ""), bool(body.get("isGroup"))
        key = recurring.label(name, is_group=is_group)

        def add(found: Object) -> None:
            found["metadata"].setdefault("labels", {})[key] = recurring.ENABLED

        def remove(found: Object) -> None:
            (found["metadata"].get("labels") or {}).pop(key, None)

        with Doing(f"failed to {'add' if action == 'recurringJobAdd' else 'delete'} volume recurring jobs"):
            if not name:
                raise checks.Refused("a recurring job or a group must have a name")
            self._w.update(world.VOLUMES, volume, add if action == "recurringJobAdd" else remove)


def _spec(body: Object) -> Object:
    return {field.name: body[field.name] for field in fields.SPECS["RecurringJob"] if field.name in body}


ACTIONS: t.Final = ("recurringJobAdd", "recurringJobDelete", "recurringJobList")
