# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manager's API does: requests on volumes, snapshots, backups, images and settings.

Every failure is an ApiFault with the text Longhorn answers; HTTP is somebody else's business.
"""

from __future__ import annotations

import copy
import threading
import time
import typing as t
from pathlib import Path

from longhorn_qa_lab.longhorn import backupstore, checks, engine, logs, names, operator, settings, views, world
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.kube import ApiError, Unreachable
from longhorn_qa_lab.longhorn.operator import Context
from longhorn_qa_lab.longhorn.s3_client import Credentials, StoreError, Target

_REASONS: t.Final = (checks.Refused, ApiError, Unreachable, engine.CommandError, StoreError, LookupError)


class ApiFault(Exception):
    """An answer that is an error."""

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


class Gone(ApiFault):
    """Nothing there: an empty answer with status 404."""

    def __init__(self) -> None:
        super().__init__("", 404)


class _Doing:
    """Prefixes the reason of a failure with what was being done."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, _REASONS):
            raise ApiFault(f"{self._what}: {error}") from error


class Service:
    """All requests, on one context."""

    def __init__(self, context: Context, *, egress: Path | None) -> None:
        self._c = context
        self._w = context.cluster
        self._egress = egress

    # --- volumes ---

    def volumes(self, base: str) -> list[Object]:
        return [self._view(document, base) for document in self._w.all(world.VOLUMES)]

    def volume(self, name: str, base: str) -> Object:
        found = self._w.find(world.VOLUMES, name)
        if found is None:
            raise Gone
        return self._view(found, base)

    def create_volume(self, body: Object, base: str) -> Object:
        name = str(body.get("name", ""))
        with _Doing(f"unable to create volume: unable to create volume {name}"):
            checks.volume_name(name, self._c.release)
            spec = self._new_spec(body)
            made = self._w.create(
                world.VOLUMES,
                {
                    "apiVersion": names.API_VERSION,
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
        with _Doing(f"unable to delete volume: unable to delete volume {name}"):
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

        with _Doing(f"unable to attach volume {name} to {node}"):
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

        with _Doing(f"unable to detach volume {name}"):
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

        with _Doing(f"cannot upgrade engine for volume {name} using image {image}"):
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
        with _Doing(f"unable to update volume recurring jobs for {name}"):
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

    # --- snapshots ---

    def _engine(self, volume: str) -> engine.Engine:
        engines = self._w.all(world.ENGINES, volume=volume)
        if len(engines) != 1:
            raise checks.Refused(f"cannot find suitable engine for volume {volume}")
        status = engines[0].get("status") or {}
        if status.get("currentState") != "running":
            raise checks.Refused(f"cannot find the engine of volume {volume}: it is not running, no IP available")
        return engine.Engine(self._c.disk, self._binary(status["currentImage"]), volume)

    def _binary(self, image: str) -> engine.Binary:
        return engine.Binary(image=image, plan=self._c.plan)

    def _create_snapshot(self, volume: str, body: Object, base: str) -> Object:
        labels = body.get("labels") or {}
        with _Doing("fail to create snapshot"):
            name = self._engine(volume).create_snapshot(str(body.get("name") or names.random_id(32)), labels)
            info = self._engine(volume).snapshots()[name]
        self._c.log.debug(f"Created snapshot {name} with labels {logs.go_map(labels)} for volume {volume}")
        return views.snapshot(info, base=base)

    def _list_snapshots(self, volume: str, base: str) -> Object:
        with _Doing("fail to list snapshot"):
            found = self._engine(volume).snapshots()
        return views.collection(
            [views.snapshot(info, base=base) for info in found.values()],
            kind="snapshot",
            url=f"{base}/volumes/{volume}",
        )

    def _get_snapshot(self, volume: str, body: Object, base: str) -> Object:
        with _Doing("fail to get snapshot"):
            found = self._engine(volume).snapshots()
            name = str(body.get("name", ""))
            if name not in found:
                raise checks.Refused(f"cannot find snapshot '{name}' for volume '{volume}'")
        return views.snapshot(found[name], base=base)

    def _delete_snapshot(self, volume: str, body: Object) -> None:
        name = str(body.get("name", ""))
        with _Doing("fail to delete snapshot"):
            self._engine(volume).delete_snapshot(name)
        self._c.log.debug(f"Deleted snapshot {name} for volume {volume}")

    def _purge(self, volume: str, _body: Object) -> None:
        with _Doing("fail to purge snapshot"):
            self._engine(volume).purge()
        self._c.log.debug(f"Volume {volume} snapshot purge started")
        self._c.log.debug(f"Started snapshot purge for volume {volume}")

    # --- backups ---

    def _back_up(self, volume: str, body: Object) -> None:
        snapshot, labels = str(body.get("name", "")), body.get("labels") or {}
        with _Doing("fail to backup snapshot"):
            target, credentials = self._target()
            runner = self._engine(volume)
        try:
            backup = runner.start_backup(
                snapshot=snapshot, target=target, labels=labels, credentials=credentials, egress=self._egress
            )
        except _REASONS as error:
            # Longhorn starts backups behind the answer: the caller never learns of this.
            self._c.log.error(
                f"Failed to backup snapshot {snapshot} with label {logs.go_map(labels)} for volume {volume}: {error}"
            )
            return
        self._c.log.debug(f"Backup {backup} created for volume {volume} snapshot {snapshot}")
        self._c.log.debug(f"Backup snapshot {snapshot} with label {logs.go_map(labels)} for volume {volume}")
        threading.Thread(target=self._after_backup, args=(volume, backup), daemon=True).start()

    def _after_backup(self, volume: str, backup: str) -> None:
        """When the backup is there, it becomes the volume's last one."""
        for _ in range(600):
            time.sleep(2.0 * self._c.poll_scale)
            state = self._c.disk.read(volume)["backups"].get(backup, {}).get("state")
            if state != "in_progress":
                break
        try:
            store = self._store()
            config = store.volume(volume)
        except _REASONS as error:
            self._c.log.warning(f"Failed to update volume LastBackup for {volume}: {error}")
            return
        if config is not None:
            self._note_last_backup(config)

    def _note_last_backup(self, config: Object) -> None:
        name, last = config["Name"], config["LastBackupName"]
        volume = self._w.find(world.VOLUMES, name)
        if volume is None or (volume.get("status") or {}).get("lastBackup") == last:
            return
        for _ in range(5):
            volume = self._w.find(world.VOLUMES, name)
            if volume is None:
                return
            status = {**copy.deepcopy(volume["status"]), "lastBackup": last, "lastBackupAt": config["LastBackupAt"]}
            try:
                self._w.replace_status(world.VOLUMES, volume, status)
            except ApiError:
                time.sleep(0.1)
                continue
            self._c.log.debug(f"Volume {name} LastBackup updated to {last} at {config['LastBackupAt']}")
            return

    def _target(self) -> tuple[str, Credentials]:
        url = self._c.setting(settings.BACKUP_TARGET)
        if not url:
            raise checks.Refused(f"setting {settings.BACKUP_TARGET} is empty")
        secret_name = self._c.setting(settings.BACKUP_SECRET)
        if not secret_name:
            raise checks.Refused("cannot backup: unable to get settings backup-target-credential-secret")
        secret = self._w.secret(secret_name)
        if secret is None:
            raise checks.Refused(f'cannot backup: secret "{secret_name}" not found')
        import base64

        values = {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}
        return Target.parse(url).url, Credentials.from_mapping(values)

    def _store(self) -> backupstore.BackupStore:
        url, credentials = self._target()
        return engine.open_store(Target.parse(url), credentials, self._egress)

    def backup_volumes(self, base: str) -> list[Object]:
        """All volumes in the store. Looking also teaches the volumes their last backup, as in Longhorn."""
        with _Doing("error listing backups"):
            found = self._store().volumes()
        for config in found:
            self._note_last_backup(config)
        return [views.backup_volume(config, base=base) for config in found]

    def backup_volume(self, name: str, base: str) -> Object:
        with _Doing(f"error get backup volume '{name}'"):
            config = self._store().volume(name)
        if config is None:
            raise Gone
        return views.backup_volume(config, base=base)

    def delete_backup_volume(self, name: str) -> None:
        with _Doing(f"error deleting backup volume '{name}'"):
            self._store().delete_volume(name)
        self._c.log.debug(f"Deleted backup volume {name}")

    def act_on_backups(self, volume: str, action: str, body: Object, base: str) -> Object:
        if action == "backupList":
            return self._list_backups(volume, base)
        name = str(body.get("name", ""))
        if action == "backupGet":
            found = [b for b in self._list_backups(volume, base)["data"] if b["name"] == name]
            if not found:
                raise ApiFault(f"error get backup '{name}' of volume '{volume}': cannot find {name} in backupstore")
            return t.cast(Object, found[0])
        if action == "backupDelete":
            self._delete_backup(volume, name)
            return {"actions": {}, "links": {"self": f"{base}/backupvolumes/{volume}"}, "type": "empty"}
        raise ApiFault(f"the lab's manager does not know the action {action} of backup volumes", 404)

    def _list_backups(self, volume: str, base: str) -> Object:
        with _Doing(f"error listing backups for volume '{volume}'"):
            store = self._store()
            config = store.volume(volume)
            found = store.backups(volume) if config else []
            target = self._target()[0]
        return views.collection(
            [
                views.backup(
                    b, volume_config=config or {}, url=backupstore.backup_url(target, volume, b["Name"]), base=base
                )
                for b in found
            ],
            kind="backup",
            url=f"{base}/backupvolumes/{volume}",
        )

    def _delete_backup(self, volume: str, name: str) -> None:
        """Accept at once; the work is done behind the answer with the default engine image's binary."""
        with _Doing(f"error deleting backup '{name}' of volume '{volume}'"):
            target, credentials = self._target()
        url = backupstore.backup_url(target, volume, name)
        binary = self._binary(self._c.setting(settings.DEFAULT_ENGINE_IMAGE))
        self._c.log.debug(f"Removed backup {name} of volume {volume}")
        work = threading.Thread(target=self._remove, args=(binary, url, credentials), daemon=True)
        work.start()
        if self._c.release.backup_deletion == "volume-image":
            work.join()

    def _remove(self, binary: engine.Binary, url: str, credentials: Credentials) -> None:
        self._c.log.info(f"Start Deleting backup {url}")
        try:
            engine.remove_backup(binary, url, credentials=credentials, egress=self._egress)
        except _REASONS as error:
            self._c.log.error(str(error))
            return
        self._c.log.info(f"Complete deleting backup {url}")

    # --- engine images ---

    def engine_images(self, base: str) -> list[Object]:
        return [self._image_view(document, base) for document in self._w.all(world.ENGINE_IMAGES)]

    def engine_image(self, name: str, base: str) -> Object:
        found = self._w.find(world.ENGINE_IMAGES, name)
        if found is None:
            raise ApiFault(f"error getting engine image '{name}': engineimage.longhorn.io \"{name}\" not found")
        return self._image_view(found, base)

    def create_engine_image(self, body: Object, base: str) -> Object:
        image = str(body.get("image", "")).strip()
        with _Doing(f"unable to create engine image {image}"):
            if not image or " " in image:
                raise checks.Refused(f"invalid image name '{image}'")
            if self._w.find(world.ENGINE_IMAGES, names.engine_image(image)) is not None:
                raise checks.Refused(f'engineimages.longhorn.io "{names.engine_image(image)}" already exists')
            return self._image_view(operator.create_engine_image(self._c, image), base)

    def delete_engine_image(self, name: str) -> None:
        with _Doing("unable to delete engine image"):
            found = self._w.find(world.ENGINE_IMAGES, name)
            if found is None:
                raise checks.Refused(f'engineimage.longhorn.io "{name}" not found')
            if found["spec"]["image"] == self._c.setting(settings.DEFAULT_ENGINE_IMAGE):
                raise checks.Refused("unable to delete the default engine image")
            if (found.get("status") or {}).get("refCount"):
                raise checks.Refused("unable to delete the engine image while being used")
            self._w.delete(world.ENGINE_IMAGES, name)
        self._c.log.debug(f"Deleted engine image {name}")

    def _image_view(self, document: Object, base: str) -> Object:
        return views.engine_image(
            document, default=self._c.setting(settings.DEFAULT_ENGINE_IMAGE), base=base, now=logs.now()
        )

    # --- settings, nodes, instance managers ---

    def settings(self, base: str) -> list[Object]:
        known = [
            document for document in self._w.all(world.SETTINGS) if document["metadata"]["name"] in settings.DEFINITIONS
        ]
        known.sort(key=lambda document: str(document["metadata"]["name"]))
        return [views.setting(document, base=base, now=logs.now()) for document in known]

    def setting(self, name: str, base: str) -> Object:
        found = self._w.find(world.SETTINGS, name)
        if found is None or name not in settings.DEFINITIONS:
            raise ApiFault(f"invalid setting {name}: setting {name} is not supported")
        return views.setting(found, base=base, now=logs.now())

    def update_setting(self, name: str, body: Object, base: str) -> Object:
        """A setting marked read-only is changed all the same: Longhorn 1.0 only hides it in its own page."""
        value = str(body.get("value") or "").strip()
        with _Doing("fail to set settings with invalid " + name):
            definition = settings.DEFINITIONS.get(name)
            if definition is None:
                raise checks.Refused(f"setting {name} is not supported")
            reason = definition.refusal(value)
            if reason:
                raise checks.Refused(reason)
            document = operator.set_value(self._c, name, value)
        self._c.log.debug(f"Updated setting {name} to {value}")
        return views.setting(document, base=base, now=logs.now())

    def nodes(self, base: str) -> list[Object]:
        return [
            views.node(document, address=self._c.pod_ip, base=base, now=logs.now())
            for document in self._w.all(world.NODES)
        ]

    def instance_managers(self, base: str) -> list[Object]:
        return [views.instance_manager(document, base=base) for document in self._w.all(world.INSTANCE_MANAGERS)]
