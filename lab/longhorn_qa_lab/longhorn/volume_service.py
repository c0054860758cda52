# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's requests on volumes, and on the snapshots of their engines."""

from __future__ import annotations

import typing as t

from longhorn_qa_lab.longhorn import (
    attachments,
    checks,
    decide,
    logs,
    names,
    recurring,
    recurring_service,
    settings,
    views,
    volumes,
    world,
)
from longhorn_qa_lab.longhorn.backup_object_service import BackupObjects
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.parts import ApiFault, Doing, Gone
from longhorn_qa_lab.longhorn.recurring_service import RecurringJobs
from longhorn_qa_lab.longhorn.releases import Span
from longhorn_qa_lab.longhorn.snapshot_service import SnapshotObjects

_NOT_ASKED_FOR: t.Final = frozenset(("nodeID", "disableFrontend", "lastAttachedBy", "migrationNodeID"))


_SNAPSHOT_OBJECTS: t.Final = Span(since=(1, 4, 0))
_TRIMS: t.Final = Span(since=(1, 4, 0))


class Volumes(BackupObjects, SnapshotObjects, RecurringJobs):
    """Volumes, their actions and snapshots; a snapshot may become a backup."""

    def volumes(self, base: str) -> list[Object]:
        return [self._view(document, base) for document in self._w.all(world.VOLUMES)]

    def volume(self, name: str, base: str) -> Object:
        found = self._w.find(world.VOLUMES, name)
        if found is None:
            raise Gone
        return self._view(found, base)

    def create_volume(self, body: Object, base: str) -> Object:
        name = str(body.get("name", ""))
        release = self._c.release
        with Doing(f"unable to create volume: unable to create volume {name}"):
            if release.recurring_jobs == "in volumes":
                jobs = checks.recurring_jobs(body.get("recurringJobs") or [], release) or None
                body = {**body, "recurringJobs": jobs}
            spec = {key: value for key, value in body.items() if key not in _NOT_ASKED_FOR}
            spec |= {"frontend": body.get("frontend") or "blockdev", "Standby": bool(body.get("standby"))}
            labels = recurring.selected(body.get("recurringJobSelector") or ())
            wanted: Object = {"kind": "Volume", "metadata": {"name": name, "labels": labels}, "spec": spec}
            wanted = volumes.complete(wanted, release, image=self._default_image(), replicas=self._c.replica_count())
            volumes.require(wanted, release)
            made = self._w.create(world.VOLUMES, wanted)
        told = " ".join(f"{key[0].upper()}{key[1:]}:{logs.go(value)}" for key, value in made["spec"].items())
        self._c.log.debug(f"Created volume {name}: {{{told}}}")
        return self._view(made, base)

    def _default_image(self) -> str:
        return self._c.setting(settings.DEFAULT_ENGINE_IMAGE)

    def delete_volume(self, name: str) -> None:
        if self._w.find(world.VOLUMES, name) is None:
            raise Gone
        with Doing(f"unable to delete volume: unable to delete volume {name}"):
            self._w.delete(world.VOLUMES, name)
        self._c.log.debug(f"Deleted volume {name}")

    def act(self, name: str, action: str, body: Object, base: str) -> Object:
        """A volume's action."""
        if self._w.find(world.VOLUMES, name) is None:
            raise Gone
        answering: dict[str, t.Callable[[str, Object, str], Object]] = {
            "snapshotCreate": self._create_snapshot,
            "snapshotList": self._list_snapshots,
            "snapshotGet": self._get_snapshot,
        }
        if action in answering:
            return answering[action](name, body, base)
        if action in recurring_service.ACTIONS and self._has_job_objects:
            return self.act_on_volume_jobs(name, action, body, base)
        doing: dict[str, t.Callable[[str, Object], None]] = {
            "attach": self._attach,
            "detach": self._detach,
            "engineUpgrade": self._upgrade,
            "snapshotDelete": self._delete_snapshot,
            "snapshotPurge": self._purge,
            "snapshotBackup": self._back_up,
        }
        if not self._has_job_objects:
            doing["recurringUpdate"] = self._recurring
        if self._c.release.has(_TRIMS):
            doing["trimFilesystem"] = self._trim
        if action.startswith("snapshotCR") and self._c.release.has(_SNAPSHOT_OBJECTS):
            return self.act_on_snapshot_objects(name, action, body, base)
        if action not in doing:
            raise ApiFault(f"the lab's manager does not know the action {action} of volumes", 404)
        doing[action](name, body)
        return self.volume(name, base)

    def _view(self, document: Object, base: str) -> Object:
        name = document["metadata"]["name"]
        shown = views.volume(
            document,
            engines=self._w.all(world.ENGINES, volume=name),
            replicas=self._w.all(world.REPLICAS, volume=name),
            release=self._c.release,
            base=base,
            now=logs.now(),
        )
        return shown | self._backup_fields(name)

    def _attach(self, name: str, body: Object) -> None:
        node = str(body.get("hostId", ""))
        with Doing(f"unable to attach volume {name} to {node}"):
            if self._w.find(world.NODES, node) is None:
                raise checks.Refused(f"cannot find node {node}")
            self._require_deployed_for_attachment(name)
            (self._attach_by_ticket if self._has_tickets else self._attach_by_node)(name, node, body)
        self._c.log.debug(
            f"Volume {name} attachment to {node} with disableFrontend "
            f"{str(bool(body.get('disableFrontend'))).lower()} requested"
        )

    @property
    def _has_tickets(self) -> bool:
        return self._c.release.attachment == "tickets"

    def _attach_by_node(self, name: str, node: str, body: Object) -> None:
        def change(volume: Object) -> None:
            state = (volume.get("status") or {}).get("state", "")
            if state != "detached":
                raise checks.Refused(f"invalid state to attach {name}: {state}")
            volume["spec"] |= {"nodeID": node, "disableFrontend": bool(body.get("disableFrontend"))}
            if "lastAttachedBy" in volume["spec"]:
                volume["spec"]["lastAttachedBy"] = str(body.get("attachedBy") or "")

        self._w.update(world.VOLUMES, name, change)

    def _attach_by_ticket(self, name: str, node: str, body: Object) -> None:
        identity = str(body.get("attachmentID") or "")
        ticket = attachments.ticket(
            identity=identity,
            kind=str(body.get("attacherType") or "longhorn-api"),
            node=node,
            disable_frontend=str(bool(body.get("disableFrontend"))).lower(),
            attached_by=str(body.get("attachedBy") or ""),
        )

        def change(attachment: Object) -> None:
            attachment["spec"].setdefault("attachmentTickets", {})[identity] = ticket

        self._w.update(world.VOLUME_ATTACHMENTS, name, change)

    def _detach(self, name: str, body: Object) -> None:
        with Doing(f"unable to detach volume {name}"):
            (self._detach_by_ticket if self._has_tickets else self._detach_by_node)(name, body)
        self._c.log.debug(f"Detaching volume {name} from {self._c.node}")

    def _detach_by_node(self, name: str, _body: Object) -> None:
        def change(volume: Object) -> None:
            state = (volume.get("status") or {}).get("state", "")
            if state not in ("attached", "attaching"):
                raise checks.Refused(f"invalid state to detach {name}: {state}")
            volume["spec"] |= {"nodeID": "", "disableFrontend": False}
            if "lastAttachedBy" in volume["spec"]:
                volume["spec"]["lastAttachedBy"] = ""

        self._w.update(world.VOLUMES, name, change)

    def _detach_by_ticket(self, name: str, body: Object) -> None:
        def change(attachment: Object) -> None:
            tickets = attachment["spec"].get("attachmentTickets") or {}
            tickets = {} if body.get("forceDetach") else tickets
            tickets.pop(str(body.get("attachmentID") or ""), None)
            attachment["spec"]["attachmentTickets"] = tickets

        self._w.update(world.VOLUME_ATTACHMENTS, name, change)

    def _require_deployed_for_attachment(self, name: str) -> None:
        volume = self._w.find(world.VOLUMES, name)
        image = self._c.release.image_of(volume["spec"]) if volume else ""
        if self._c.release.deployed == "deployed" and not self._is_deployed(image):
            raise checks.Refused(
                f"cannot attach volume {name} because the engine image {image} is not deployed on at least one of the "
                "the replicas' nodes or the node that the volume is going to attach to"
            )

    def _is_deployed(self, image: str) -> bool:
        return bool((self._c.images().get(image, {}).get("nodeDeploymentMap") or {}).get(self._c.node))

    def _upgrade(self, name: str, body: Object) -> None:
        image, release = str(body.get("image", "")), self._c.release

        def change(volume: Object) -> None:
            current = release.image_of(volume["spec"])
            status = volume.get("status") or {}
            if current == image:
                raise checks.Refused(f"upgrading in process for volume {name} engine image from {current} to {image}")
            running = status.get("currentImage")
            if running != current:
                raise checks.Refused(f"upgrading in process for volume {name} engine image from {running} to {current}")
            self._require_ready(name, image)
            volume["spec"] |= release.image_fields_of(image)

        with Doing(f"cannot upgrade engine for volume {name} using image {image}"):
            self._require_no_automatic_upgrade(image)
            self._w.update(world.VOLUMES, name, change)
        self._c.log.debug(f"Upgrading volume {name} engine image to {image}")

    def _require_no_automatic_upgrade(self, image: str) -> None:
        """Where Longhorn itself moves volumes to the default image, nobody else may move them elsewhere."""
        default = self._default_image()
        if image != default and int(self._c.setting(settings.ENGINE_UPGRADE_LIMIT) or 0) > 0:
            raise checks.Refused(
                f"updrading to {image} is not allowed. Only allow to upgrade to the default engine image {default} "
                "because the setting `Concurrent Automatic Engine Upgrade Per Node Limit` is greater than 0"
            )

    def _require_ready(self, volume: str, image: str) -> None:
        name = names.engine_image(image)
        found = self._w.find(world.ENGINE_IMAGES, name)
        if found is None:
            raise checks.Refused(f'unable to get engine image {image}: engineimage.longhorn.io "{name}" not found')
        status = found.get("status") or {}
        if self._c.release.deployed == "deployed" and not self._is_deployed(image):
            raise checks.Refused(
                f"cannot upgrade engine image for volume {volume} because the engine image {image} is not deployed on "
                "the replicas' nodes or the node that the volume is attached to"
            )
        volumes.require_compatible(image, status)
        if not decide.is_usable(status):
            raise checks.Refused(f"engine image {name} ({image}) is not ready, it's {status.get('state', '')}")

    def _recurring(self, name: str, body: Object) -> None:
        with Doing(f"unable to update volume recurring jobs for {name}"):
            jobs = checks.recurring_jobs(body.get("jobs") or [], self._c.release)

            def change(volume: Object) -> None:
                volume["spec"]["recurringJobs"] = jobs

            self._w.update(world.VOLUMES, name, change)
        told = " ".join(
            f"{{Name:{job['name']} Task:{job['task']} Cron:{job['cron']} Retain:{job['retain']} "
            f"Labels:{logs.go_map(job['labels'] or {})}}}"
            for job in jobs
        )
        self._c.log.debug(f"Updated volume {name} recurring jobs to [{told}]")

    def _create_snapshot(self, volume: str, body: Object, base: str) -> Object:
        labels = body.get("labels") or {}
        with Doing(f"{self._fail} to create snapshot"):
            name = self._engine(volume).create_snapshot(str(body.get("name") or names.random_id(32)), labels)
            info = self._engine(volume).snapshots()[name]
        self._c.log.debug(f"Created snapshot {name} with labels {logs.go_map(labels)} for volume {volume}")
        return views.snapshot(info, base=base)

    def _list_snapshots(self, volume: str, _body: Object, base: str) -> Object:
        with Doing(f"{self._fail} to list snapshot"):
            found = self._engine(volume).snapshots()
        return views.collection(
            [views.snapshot(info, base=base) for info in found.values()],
            kind="snapshot",
            url=f"{base}/volumes/{volume}",
        )

    def _get_snapshot(self, volume: str, body: Object, base: str) -> Object:
        with Doing(f"{self._fail} to get snapshot"):
            found = self._engine(volume).snapshots()
            name = str(body.get("name", ""))
            if name not in found:
                raise checks.Refused(f"cannot find snapshot '{name}' for volume '{volume}'")
        return views.snapshot(found[name], base=base)

    def _delete_snapshot(self, volume: str, body: Object) -> None:
        name = str(body.get("name", ""))
        with Doing(f"{self._fail} to delete snapshot"):
            self._engine(volume).delete_snapshot(name)
        self._c.log.debug(f"Deleted snapshot {name} for volume {volume}")

    def _trim(self, volume: str, _body: Object) -> None:
        """Nothing of the lab's volumes can be trimmed, because nothing in them is ever given back."""
        with Doing(f"{self._fail} to trim filesystem"):
            self._engine(volume)
        self._c.log.info(f"Trimmed filesystem of volume {volume}")

    def _purge(self, volume: str, _body: Object) -> None:
        with Doing(f"{self._fail} to purge snapshot"):
            if self._c.setting(settings.DISABLE_PURGE) == "true":
                raise checks.Refused(f"cannot purge snapshots while {settings.DISABLE_PURGE} setting is true")
            self._engine(volume).purge()
        self._c.log.debug(f"Volume {volume} snapshot purge started")
        self._c.log.debug(f"Started snapshot purge for volume {volume}")
