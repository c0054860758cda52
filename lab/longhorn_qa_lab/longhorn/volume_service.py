# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's requests on volumes, and on the snapshots of their engines."""

from __future__ import annotations

import typing as t

from longhorn_qa_lab.longhorn import checks, logs, names, settings, views, world
from longhorn_qa_lab.longhorn.backup_service import Backups
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.parts import ApiFault, Doing, Gone


class Volumes(Backups):
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
        with Doing(f"unable to create volume: unable to create volume {name}"):
            checks.volume_name(name, self._c.release)
            spec = self._new_spec(body)
            made = self._w.create(
                world.VOLUMES,
                {
                    "kind": "Volume",
                    "spec": spec,
                    "metadata": {
                        "name": name,
                        "namespace": names.NAMESPACE,
                        "finalizers": [names.FINALIZER],
                        "labels": {names.VOLUME_LABEL: name},
                    },
                },
            )
        self._c.log.debug(
            f"Created volume {name}: {{Size:{spec['size']} Frontend:{spec['frontend']} FromBackup:{spec['fromBackup']} "
            f"NumberOfReplicas:{spec['numberOfReplicas']} StaleReplicaTimeout:{spec['staleReplicaTimeout']} NodeID: "
            f"EngineImage:{spec['engineImage']} RecurringJobs:{spec['recurringJobs'] or []} BaseImage: Standby:false "
            "DiskSelector:[] NodeSelector:[] DisableFrontend:false}"
        )
        return self._view(made, base)

    def _new_spec(self, body: Object) -> Object:
        """A new volume's spec: what was asked for, and Longhorn's defaults."""
        replicas = int(body.get("numberOfReplicas") or self._c.setting("default-replica-count") or 3)
        if not 1 <= replicas <= 20:
            raise checks.Refused(f"number of replicas should be between 1 to 20, got {replicas}")
        frontend = body.get("frontend") or "blockdev"
        if frontend not in ("blockdev", "iscsi"):
            raise checks.Refused(f"invalid frontend type {frontend}")
        return {
            "Standby": False,
            "baseImage": "",
            "disableFrontend": False,
            "diskSelector": body.get("diskSelector"),
            "engineImage": self._c.setting(settings.DEFAULT_ENGINE_IMAGE),
            "fromBackup": body.get("fromBackup", ""),
            "frontend": frontend,
            "nodeID": "",
            "nodeSelector": body.get("nodeSelector"),
            "numberOfReplicas": replicas,
            "recurringJobs": checks.recurring_jobs(body.get("recurringJobs") or [], self._c.release) or None,
            "size": str(checks.size(str(body.get("size", "")))),
            "staleReplicaTimeout": int(body.get("staleReplicaTimeout") or 0),
        }

    def delete_volume(self, name: str) -> None:
        if self._w.find(world.VOLUMES, name) is None:
            raise Gone
        with Doing(f"unable to delete volume: unable to delete volume {name}"):
            self._w.delete(world.VOLUMES, name)
        self._c.log.debug(f"Deleted volume {name}")

    def act(self, name: str, action: str, body: Object, base: str) -> Object:
        """A volume's action."""
        found: t.Callable[[str, Object], None] | None = {
            "attach": self._attach,
            "detach": self._detach,
            "engineUpgrade": self._upgrade,
            "recurringUpdate": self._recurring,
            "snapshotDelete": self._delete_snapshot,
            "snapshotPurge": self._purge,
            "snapshotBackup": self._back_up,
        }.get(action)
        if self._w.find(world.VOLUMES, name) is None:
            raise Gone
        if action == "snapshotCreate":
            return self._create_snapshot(name, body, base)
        if action == "snapshotList":
            return self._list_snapshots(name, base)
        if action == "snapshotGet":
            return self._get_snapshot(name, body, base)
        if found is None:
            raise ApiFault(f"the lab's manager does not know the action {action} of volumes", 404)
        found(name, body)
        return self.volume(name, base)

    def _view(self, document: Object, base: str) -> Object:
        name = document["metadata"]["name"]
        return views.volume(
            document,
            engines=self._w.all(world.ENGINES, volume=name),
            replicas=self._w.all(world.REPLICAS, volume=name),
            base=base,
            now=logs.now(),
        )

    def _attach(self, name: str, body: Object) -> None:
        node = str(body.get("hostId", ""))

        def change(volume: Object) -> None:
            state = (volume.get("status") or {}).get("state", "")
            if state != "detached":
                raise checks.Refused(f"invalid state to attach {name}: {state}")
            if self._w.find(world.NODES, node) is None:
                raise checks.Refused(f"cannot find node {node}")
            volume["spec"] |= {"nodeID": node, "disableFrontend": bool(body.get("disableFrontend"))}

        with Doing(f"unable to attach volume {name} to {node}"):
            self._w.update(world.VOLUMES, name, change)
        self._c.log.debug(
            f"Volume {name} attachment to {node} with disableFrontend "
            f"{str(bool(body.get('disableFrontend'))).lower()} requested"
        )

    def _detach(self, name: str, _body: Object) -> None:
        def change(volume: Object) -> None:
            state = (volume.get("status") or {}).get("state", "")
            if state not in ("attached", "attaching"):
                raise checks.Refused(f"invalid state to detach {name}: {state}")
            volume["spec"] |= {"nodeID": "", "disableFrontend": False}

        with Doing(f"unable to detach volume {name}"):
            self._w.update(world.VOLUMES, name, change)
        self._c.log.debug(f"Detaching volume {name} from {self._c.node}")

    def _upgrade(self, name: str, body: Object) -> None:
        image = str(body.get("image", ""))

        def change(volume: Object) -> None:
            current = volume["spec"]["engineImage"]
            status = volume.get("status") or {}
            if current == image:
                raise checks.Refused(f"upgrading in process for volume {name} engine image from {current} to {image}")
            running = status.get("currentImage")
            if running != current:
                raise checks.Refused(f"upgrading in process for volume {name} engine image from {running} to {current}")
            self._require_ready(image)
            volume["spec"]["engineImage"] = image

        with Doing(f"cannot upgrade engine for volume {name} using image {image}"):
            self._w.update(world.VOLUMES, name, change)
        self._c.log.debug(f"Upgrading volume {name} engine image to {image}")

    def _require_ready(self, image: str) -> None:
        name = names.engine_image(image)
        found = self._w.find(world.ENGINE_IMAGES, name)
        if found is None:
            raise checks.Refused(f'unable to get engine image {image}: engineimage.longhorn.io "{name}" not found')
        state = (found.get("status") or {}).get("state", "")
        if state != "ready":
            raise checks.Refused(f"engine image {name} ({image}) is not ready, it's {state}")

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
        with Doing("fail to create snapshot"):
            name = self._engine(volume).create_snapshot(str(body.get("name") or names.random_id(32)), labels)
            info = self._engine(volume).snapshots()[name]
        self._c.log.debug(f"Created snapshot {name} with labels {logs.go_map(labels)} for volume {volume}")
        return views.snapshot(info, base=base)

    def _list_snapshots(self, volume: str, base: str) -> Object:
        with Doing("fail to list snapshot"):
            found = self._engine(volume).snapshots()
        return views.collection(
            [views.snapshot(info, base=base) for info in found.values()],
            kind="snapshot",
            url=f"{base}/volumes/{volume}",
        )

    def _get_snapshot(self, volume: str, body: Object, base: str) -> Object:
        with Doing("fail to get snapshot"):
            found = self._engine(volume).snapshots()
            name = str(body.get("name", ""))
            if name not in found:
                raise checks.Refused(f"cannot find snapshot '{name}' for volume '{volume}'")
        return views.snapshot(found[name], base=base)

    def _delete_snapshot(self, volume: str, body: Object) -> None:
        name = str(body.get("name", ""))
        with Doing("fail to delete snapshot"):
            self._engine(volume).delete_snapshot(name)
        self._c.log.debug(f"Deleted snapshot {name} for volume {volume}")

    def _purge(self, volume: str, _body: Object) -> None:
        with Doing("fail to purge snapshot"):
            self._engine(volume).purge()
        self._c.log.debug(f"Volume {volume} snapshot purge started")
        self._c.log.debug(f"Started snapshot purge for volume {volume}")
