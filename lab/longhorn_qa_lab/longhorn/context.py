# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manager's control loop and its API share, and the few writes both of them do."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from longhorn_qa_lab.longhorn import cron_jobs, faults, logs, names, settings, world
from longhorn_qa_lab.longhorn.bugs import NONE as NO_BUGS
from longhorn_qa_lab.longhorn.bugs import BugPlan
from longhorn_qa_lab.longhorn.decide import Note, Object
from longhorn_qa_lab.longhorn.disk import Disk
from longhorn_qa_lab.longhorn.logs import Log
from longhorn_qa_lab.longhorn.releases import Release
from longhorn_qa_lab.longhorn.world import World

CONFIG: t.Final = "longhorn-qa-lab"


@dataclasses.dataclass
class Context:
    """What the manager's parts share."""

    release: Release
    node: str
    pod_ip: str
    manager_image: str
    service_account: str
    engine_image: str
    instance_manager_image: str
    poll_scale: float
    plan: faults.FaultPlan
    plan_text: str
    cluster: World
    disk: Disk
    log: Log
    bugs: BugPlan = NO_BUGS
    bugs_text: str = ""

    def setting(self, name: str) -> str:
        found = self.cluster.find(world.SETTINGS, name)
        return str(found["value"]) if found else ""

    def replica_count(self) -> int:
        """The default number of replicas, which from 1.10 on is given per data engine."""
        text = self.setting(settings.DEFAULT_REPLICA_COUNT)
        return int(json.loads(text)["v1"] if text.startswith("{") else text or 3)

    def max_retain(self) -> int:
        """How many artefacts a recurring job may keep: the release's limit, or the setting's."""
        return self.release.job_rules.max_retain or int(self.setting(settings.MAX_RETENTION))

    def images(self) -> dict[str, Object]:
        """The status of every engine image, by its reference."""
        return {image["spec"]["image"]: image.get("status") or {} for image in self.cluster.all(world.ENGINE_IMAGES)}

    def backup_target(self) -> cron_jobs.BackupTarget:
        secret_name = self.setting(settings.BACKUP_SECRET)
        secret = self.cluster.secret(secret_name) if secret_name else None
        keys = tuple((secret or {}).get("data") or ())
        return cron_jobs.BackupTarget(url=self.setting(settings.BACKUP_TARGET), secret=secret_name, keys=keys)


def write_config(context: Context) -> None:
    """Leave on the disk what job processes need to know."""
    context.disk.write_config(
        {
            "release": context.release.name,
            "poll_scale": context.poll_scale,
            "plan": context.plan_text,
            "bugs": context.bugs_text,
        }
    )


def set_value(context: Context, name: str, value: str) -> Object:
    """Change a setting."""

    def change(document: Object) -> None:
        document["value"] = value

    return context.cluster.update(world.SETTINGS, name, change)


def create_engine_image(context: Context, reference: str) -> Object:
    """The object of an image, unless it is there."""
    name = names.engine_image(reference)
    found = context.cluster.find(world.ENGINE_IMAGES, name)
    if found is not None:
        return found
    document = context.cluster.create(
        world.ENGINE_IMAGES,
        {
            "kind": "EngineImage",
            "metadata": {"name": name, "namespace": names.NAMESPACE, "finalizers": [names.FINALIZER]},
            "spec": {"image": reference.strip()},
        },
    )
    context.log.debug(f"Created engine image {name} ({reference})")
    return document


def post_event(context: Context, about: Object, note: Note, component: str) -> None:
    """Tell Kubernetes."""
    metadata = about["metadata"]
    now = logs.stamp(logs.now())
    reference = {
        "apiVersion": about["apiVersion"],
        "kind": note.kind,
        "namespace": names.NAMESPACE,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "resourceVersion": metadata["resourceVersion"],
    }
    context.cluster.post_event(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "involvedObject": reference,
            "type": note.type,
            "reason": note.reason,
            "message": note.message,
            "source": {"component": component, "host": context.node},
            "metadata": {"name": f"{metadata['name']}.{names.random_id(16)}", "namespace": names.NAMESPACE},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
    )
