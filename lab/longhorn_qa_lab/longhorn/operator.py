# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's control loop: looks at the whole picture, asks for decisions, writes the differences.

One thread, one pass over everything per wake-up: a lab has few volumes, and a pass without differences costs no
request. Conflicts are left to the next pass.
"""

from __future__ import annotations

import copy
import dataclasses
import time
import typing as t

from longhorn_qa_lab.longhorn import decide, engine, faults, logs, names, settings, workloads, world
from longhorn_qa_lab.longhorn.decide import Note, Object
from longhorn_qa_lab.longhorn.disk import Disk, NoSuchVolume
from longhorn_qa_lab.longhorn.kube import ApiError, Unreachable
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

    def setting(self, name: str) -> str:
        found = self.cluster.find(world.SETTINGS, name)
        return str(found["value"]) if found else ""

    def backup_target(self) -> decide.BackupTarget:
        secret_name = self.setting(settings.BACKUP_SECRET)
        secret = self.cluster.secret(secret_name) if secret_name else None
        keys = tuple((secret or {}).get("data") or ())
        return decide.BackupTarget(url=self.setting(settings.BACKUP_TARGET), secret=secret_name, keys=keys)


class Operator:
    """The loop and its passes."""

    def __init__(self, context: Context, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._c = context
        self._w = context.cluster
        self._clock = clock
        self._refreshed: dict[str, float] = {}
        self._said: dict[str, str] = {}

    def prepare(self) -> None:
        """What a manager makes at its start: settings, its node, the default engine image, instance managers."""
        for definition in settings.DEFINITIONS.values():
            if self._w.find(world.SETTINGS, definition.name) is None:
                self._create_setting(definition.name, definition.default)
        for name, value in (
            (settings.DEFAULT_ENGINE_IMAGE, self._c.engine_image),
            (settings.DEFAULT_INSTANCE_MANAGER_IMAGE, self._c.instance_manager_image),
            ("crd-api-version", names.API_VERSION),
        ):
            if self._c.setting(name) != value:
                set_value(self._c, name, value)
                self._c.log.debug(f"Updated setting {name} to {value}")
        node = self._w.find(world.NODES, self._c.node) or self._w.create(world.NODES, _node(self._c.node))
        self._create_instance_managers(node)
        create_engine_image(self._c, self._c.engine_image)

    def run(self, stopping: t.Callable[[], bool]) -> None:
        """Passes until told to stop."""
        tick = min(0.5, self._c.release.engine_refresh * self._c.poll_scale)
        while not stopping():
            self._w.wait_change(tick)
            self.step()
            time.sleep(0.02)

    def step(self) -> None:
        """One pass; trouble with one object never keeps the others waiting."""
        self._guarded("configuration", self._read_plan)
        for image in self._w.all(world.ENGINE_IMAGES):
            self._guarded(f"engine image {image['metadata']['name']}", self._engine_image, image)
        for manager in self._w.all(world.INSTANCE_MANAGERS):
            self._guarded(f"instance manager {manager['metadata']['name']}", self._instance_manager, manager)
        for volume in self._w.all(world.VOLUMES):
            self._guarded(f"volume {volume['metadata']['name']}", self._volume, volume)
        for part in (world.REPLICAS, world.ENGINES):
            for document in self._w.all(part):
                self._guarded(f"{part.plural} {document['metadata']['name']}", self._part, part, document)
        self._guarded("node", self._node_status)

    def _guarded(self, what: str, work: t.Callable[..., None], *arguments: t.Any) -> None:
        try:
            work(*arguments)
            self._said.pop(what, None)
        except (ApiError, Unreachable, NoSuchVolume) as error:
            if isinstance(error, ApiError) and error.status in (404, 409):
                self._w.touch()
                return
            if self._said.get(what) != str(error):
                self._said[what] = str(error)
                self._c.log.warning(f"Error syncing Longhorn {what}: {error}")

    # --- set-up ---

    def _create_setting(self, name: str, value: str) -> None:
        metadata = {"name": name, "namespace": names.NAMESPACE}
        self._w.create(
            world.SETTINGS,
            {
                "apiVersion": names.API_VERSION,
                "kind": "Setting",
                "metadata": metadata,
                "value": value,
            },
        )

    def _create_instance_managers(self, node: Object) -> None:
        there = {manager["spec"]["type"] for manager in self._w.all(world.INSTANCE_MANAGERS)}
        for kind in ("engine", "replica"):
            if kind in there:
                continue
            manager = workloads.instance_manager(kind=kind, node=node, image=self._c.instance_manager_image)
            self._c.log.debug(
                f"Prepare to create default instance manager {manager['metadata']['name']}, node: {self._c.node}, "
                f"default instance manager image: {self._c.instance_manager_image}, type: {kind}"
            )
            self._w.create(world.INSTANCE_MANAGERS, manager)

    def _read_plan(self) -> None:
        """Take a changed fault plan; a bad one is reported once and the old one stays."""
        found = self._w.find(world.CONFIG_MAPS, faults.CONFIG_MAP)
        text = ((found or {}).get("data") or {}).get(faults.PLAN_KEY, "")
        if text == self._c.plan_text:
            return
        self._c.plan_text = text
        try:
            self._c.plan = faults.parse(text)
        except faults.BadFaultPlan as error:
            self._c.log.error(str(error))
            return
        write_config(self._c)

    # --- engine images and instance managers ---

    def _engine_image(self, image: Object) -> None:
        name = image["metadata"]["name"]
        daemon_set = self._w.find(world.DAEMON_SETS, names.engine_image_daemon_set(name))
        if image["metadata"].get("deletionTimestamp"):
            if daemon_set is not None:
                self._w.delete(world.DAEMON_SETS, daemon_set["metadata"]["name"])
            self._w.release(world.ENGINE_IMAGES, image)
            return
        if daemon_set is None:
            wanted = workloads.engine_image_daemon_set(image, service_account=self._c.service_account)
            daemon_set = self._w.create(world.DAEMON_SETS, wanted)
            self._c.log.info(
                f"Created daemon set {wanted['metadata']['name']} for engine image {name} ({image['spec']['image']})"
            )
        counts = daemon_set.get("status") or {}
        users = self._users(image["spec"]["image"])
        before = (image.get("status") or {}).get("state", "")
        status = decide.engine_image_status(
            image=image,
            ready_pods=counts.get("numberReady", 0),
            wanted_pods=counts.get("desiredNumberScheduled", 0),
            behaviour=self._c.plan.of(image["spec"]["image"]),
            release=self._c.release,
            users=users,
            node=self._c.node,
            now=logs.stamp(logs.now()),
        )
        image = self._w.replace_status(world.ENGINE_IMAGES, image, status)
        if status["state"] == "ready" and before != "ready":
            ready = status["conditions"]["ready"]
            self._event(image, Note("EngineImage", "ready", ready["message"]), "longhorn-engine-image-controller")
        self._expire(image, status)

    def _expire(self, image: Object, status: Object) -> None:
        """An image nobody has used for an hour is removed, unless it is the default."""
        since = status["noRefSince"]
        if not since or image["spec"]["image"] == self._c.setting(settings.DEFAULT_ENGINE_IMAGE):
            return
        age = logs.now().timestamp() - time_of(since)
        if age > self._c.release.unused_image_minutes * 60:
            self._c.log.info(f"Delete unreferred engine image {image['metadata']['name']} ({image['spec']['image']})")
            self._w.delete(world.ENGINE_IMAGES, image["metadata"]["name"])

    def _users(self, reference: str) -> int:
        return sum(
            reference in (volume["spec"]["engineImage"], (volume.get("status") or {}).get("currentImage"))
            for volume in self._w.all(world.VOLUMES)
        )

    def _instance_manager(self, manager: Object) -> None:
        name = manager["metadata"]["name"]
        if manager["metadata"].get("deletionTimestamp"):
            self._w.release(world.INSTANCE_MANAGERS, manager)
            return
        pod = self._w.find(world.PODS, name)
        if pod is None:
            made = workloads.instance_manager_pod(manager, service_account=self._c.service_account)
            pod = self._w.create(world.PODS, made)
            self._c.log.info(f"Created instance manager pod {name} for instance manager {name}")
        pod_status = pod.get("status") or {}
        running = pod_status.get("phase") == "Running" and bool(pod_status.get("podIP"))
        old = manager.get("status") or {}
        self._w.replace_status(
            world.INSTANCE_MANAGERS,
            manager,
            {
                "apiMinVersion": 1,
                "apiVersion": 1,
                "currentState": "running" if running else "starting",
                "instances": (old.get("instances") or {}) if running else {},
                "ip": pod_status.get("podIP", ""),
                "ownerID": self._c.node,
            },
        )

    # --- volumes ---

    def _volume(self, volume: Object) -> None:
        name = volume["metadata"]["name"]
        engines = self._w.all(world.ENGINES, volume=name)
        replicas = self._w.all(world.REPLICAS, volume=name)
        if volume["metadata"].get("deletionTimestamp"):
            self._delete_volume(volume, engines, replicas)
            return
        if not volume.get("status"):
            self._c.log.debug(f"Volume controller {self._c.node} picked up {name}")
            volume = self._w.replace_status(
                world.VOLUMES, volume, {**decide.NEW_VOLUME_STATUS, "ownerID": self._c.node}
            )
        if not engines:
            engines = [self._w.create(world.ENGINES, workloads.volume_engine(volume))]
        while len(replicas) < volume["spec"]["numberOfReplicas"]:
            made = workloads.volume_replica(volume, engines[0]["metadata"]["name"])
            replicas.append(self._w.create(world.REPLICAS, made))
        view = decide.VolumeView(
            volume=volume,
            engine=engines[0],
            replicas=replicas,
            node=self._c.node,
            images={image["spec"]["image"]: image.get("status") or {} for image in self._w.all(world.ENGINE_IMAGES)},
        )
        plan = decide.plan_volume(view, now=logs.stamp(logs.now()))
        for replica in replicas:
            self._w.replace_spec(world.REPLICAS, replica, plan.replica_specs[replica["metadata"]["name"]])
        self._w.replace_spec(world.ENGINES, engines[0], plan.engine_spec)
        volume = self._w.replace_status(world.VOLUMES, volume, plan.status)
        for note in plan.notes:
            self._event(volume, note, "longhorn-volume-controller")
        if plan.warning and self._said.get(f"upgrade {name}") != plan.warning:
            self._said[f"upgrade {name}"] = plan.warning
            self._c.log.warning(plan.warning)
        self._cron_jobs(volume)

    def _cron_jobs(self, volume: Object) -> None:
        name = volume["metadata"]["name"]
        there = {cron["metadata"]["name"]: cron for cron in self._w.all(world.CRON_JOBS, volume=name)}
        jobs = volume["spec"].get("recurringJobs") or []
        target = self._c.backup_target() if any(job["task"] == "backup" for job in jobs) else decide.BackupTarget()
        for job in jobs:
            wanted = decide.cron_job(
                volume=volume,
                job=job,
                release=self._c.release,
                manager_image=self._c.manager_image,
                service_account=self._c.service_account,
                target=target,
            )
            known = there.pop(wanted["metadata"]["name"], None)
            if job["task"] == "backup" and self._c.release.target_in_command and not target.url:
                raise ApiError(
                    500, "failed to create cronjob for recurring job: cannot backup: backup target is not set"
                )
            if known is None:
                self._w.create(world.CRON_JOBS, wanted)
            elif decide.cron_job_differs(known, wanted):
                self._w.replace(world.CRON_JOBS, {**known, "spec": {**known["spec"], **wanted["spec"]}})
        for surplus in there:
            self._w.delete(world.CRON_JOBS, surplus)

    def _delete_volume(self, volume: Object, engines: list[Object], replicas: list[Object]) -> None:
        name = volume["metadata"]["name"]
        self._w.replace_status(world.VOLUMES, volume, {**(volume.get("status") or {}), "state": "deleting"})
        for cron in self._w.all(world.CRON_JOBS, volume=name):
            self._w.delete(world.CRON_JOBS, cron["metadata"]["name"])
        for kind, parts in ((world.ENGINES, engines), (world.REPLICAS, replicas)):
            for part in parts:
                if not part["metadata"].get("deletionTimestamp"):
                    self._w.delete(kind, part["metadata"]["name"])
        if not engines and not replicas:
            self._c.disk.remove(name)
            known = self._w.find(world.VOLUMES, name)
            if known is not None:
                self._w.release(world.VOLUMES, known)

    # --- engines and replicas ---

    def _part(self, kind: world.Kind, document: Object) -> None:
        """Start, stop or refresh one instance."""
        manager = self._manager_of("engine" if kind is world.ENGINES else "replica")
        name = document["metadata"]["name"]
        status = document.get("status") or {}
        if document["metadata"].get("deletionTimestamp"):
            self._stop(kind, document, manager)
            self._w.release(kind, document)
            return
        wanted = document["spec"]["desireState"]
        if wanted == "running" and status.get("currentState") != "running":
            self._start(kind, document, manager)
        elif wanted == "stopped" and status.get("currentState") != "stopped":
            self._stop(kind, document, manager)
            self._w.replace_status(kind, document, _stopped(kind, self._c.node))
        elif kind is world.ENGINES and wanted == "running":
            self._refresh(name, document)

    def _manager_of(self, kind: str) -> Object | None:
        for manager in self._w.all(world.INSTANCE_MANAGERS):
            if manager["spec"]["type"] == kind and (manager.get("status") or {}).get("currentState") == "running":
                return manager
        return None

    def _start(self, kind: world.Kind, document: Object, manager: Object | None) -> None:
        image = document["spec"]["engineImage"]
        state = (self._w.find(world.ENGINE_IMAGES, names.engine_image(image)) or {}).get("status") or {}
        if manager is None or state.get("state") != "ready":
            return
        name = document["metadata"]["name"]
        manager = self._w.find(world.INSTANCE_MANAGERS, manager["metadata"]["name"]) or manager
        width = 1 if kind is world.ENGINES else 15
        instances = copy.deepcopy((manager["status"].get("instances")) or {})
        port = _free_port(instances, width)
        instances[name] = _instance(name, port, width)
        self._w.replace_status(world.INSTANCE_MANAGERS, manager, {**manager["status"], "instances": instances})
        status: Object = {
            **(_stopped(kind, self._c.node)),
            "currentState": "running",
            "currentImage": image,
            "started": True,
            "instanceManagerName": manager["metadata"]["name"],
            "ip": manager["status"]["ip"],
            "port": port,
        }
        if kind is world.ENGINES:
            self._start_engine(document, status)
        else:
            self._start_replica(document)
        document = self._w.replace_status(kind, document, status)
        note = Note(document["kind"], "Start", f"Starts {name}")
        self._event(document, note, f"longhorn-{document['kind'].lower()}-controller")

    def _start_replica(self, document: Object) -> None:
        spec = document["spec"]
        created = logs.stamp(logs.now())
        state = engine.new_state(volume=spec["volumeName"], size=int(spec["volumeSize"]), created=created)
        with self._c.disk.change(spec["volumeName"], state):
            pass
        text = logs.line("info", f"Creating volume /host{spec['dataPath']}, size {spec['volumeSize']}/512", logs.now())
        self._c.disk.append_log("replica", f"[{document['metadata']['name']}] {text}")

    def _start_engine(self, document: Object, status: Object) -> None:
        spec, name = document["spec"], document["metadata"]["name"]
        addresses = dict(spec["replicaAddressMap"])
        with self._c.disk.change(spec["volumeName"]) as state:
            state["engine"] = {"name": name, "address": f"{status['ip']}:{status['port']}", "replicas": addresses}
        listed = " ".join(f'"tcp://{address}"' for address in addresses.values())
        for who, message in (
            ("longhorn-instance-manager", f"Process Manager: prepare to create process {name}"),
            ("longhorn-instance-manager", f"Process Manager: created process {name}"),
            (name, f"Starting with replicas [{listed}]"),
            (name, f"Listening on gRPC Controller server: 0.0.0.0:{status['port']}"),
            ("longhorn-instance-manager", f"Process {name} has started at localhost:{status['port']}"),
        ):
            self._c.disk.append_log("engine", f"[{who}] {logs.line('info', message, logs.now())}")
        status |= {
            "currentReplicaAddressMap": addresses,
            "currentSize": spec["volumeSize"],
            "replicaModeMap": dict.fromkeys(addresses, "RW"),
        }
        self._take_from_disk(spec["volumeName"], status)
        self._refreshed[name] = self._clock()

    def _stop(self, kind: world.Kind, document: Object, manager: Object | None) -> None:
        name = document["metadata"]["name"]
        if manager is not None and name in (manager["status"].get("instances") or {}):
            instances = {key: value for key, value in manager["status"]["instances"].items() if key != name}
            self._w.replace_status(world.INSTANCE_MANAGERS, manager, {**manager["status"], "instances": instances})
        if kind is not world.ENGINES:
            return
        try:
            with self._c.disk.change(document["spec"]["volumeName"]) as state:
                if state["engine"] and state["engine"]["name"] == name:
                    state |= {"engine": None, "backups": {}, "purge": {"state": "", "progress": 0}}
        except NoSuchVolume:
            return

    def _refresh(self, name: str, document: Object) -> None:
        """Copy the engine's own view into its object, as seldom as the real monitor does."""
        status = copy.deepcopy(document["status"])
        status["currentImage"] = document["spec"]["engineImage"]
        if self._clock() - self._refreshed.get(name, 0.0) >= self._c.release.engine_refresh * self._c.poll_scale:
            self._refreshed[name] = self._clock()
            self._take_from_disk(document["spec"]["volumeName"], status)
        self._w.replace_status(world.ENGINES, document, status)

    def _take_from_disk(self, volume: str, status: Object) -> None:
        state = self._c.disk.read(volume)
        addresses = [f"tcp://{address}" for address in (state["engine"] or {}).get("replicas", {}).values()]
        status |= {
            "snapshots": engine.snapshot_infos(state),
            "backupStatus": {name: _backup_status(entry) for name, entry in state["backups"].items()},
            "purgeStatus": {
                address: {
                    "error": "",
                    "isPurging": False,
                    "progress": state["purge"]["progress"],
                    "state": state["purge"]["state"],
                }
                for address in addresses
            },
            "restoreStatus": {
                address: {"backupURL": "", "isRestoring": False, "lastRestored": "", "state": ""}
                for address in addresses
            },
            "rebuildStatus": {},
        }

    # --- node ---

    def _node_status(self) -> None:
        node = self._w.find(world.NODES, self._c.node)
        if node is None:
            return
        now = logs.stamp(logs.now())
        replicas = {
            replica["metadata"]["name"]: int(replica["spec"]["volumeSize"])
            for replica in self._w.all(world.REPLICAS)
            if replica["spec"]["nodeID"] == self._c.node
        }
        old = node.get("status") or {}
        self._w.replace_status(world.NODES, node, node_status(self._c.node, old=old, replicas=replicas, now=now))

    def _event(self, about: Object, note: Note, component: str) -> None:
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
        self._w.post_event(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "involvedObject": reference,
                "type": note.type,
                "reason": note.reason,
                "message": note.message,
                "source": {"component": component, "host": self._c.node},
                "metadata": {"name": f"{metadata['name']}.{names.random_id(16)}", "namespace": names.NAMESPACE},
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
            }
        )


def write_config(context: Context) -> None:
    """Leave on the disk what job processes need to know."""
    context.disk.write_config(
        {
            "release": context.release.name,
            "poll_scale": context.poll_scale,
            "plan": context.plan_text,
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
            "apiVersion": names.API_VERSION,
            "kind": "EngineImage",
            "metadata": {"name": name, "namespace": names.NAMESPACE, "finalizers": [names.FINALIZER]},
            "spec": {"image": reference.strip()},
        },
    )
    context.log.debug(f"Created engine image {name} ({reference})")
    return document


def time_of(text: str) -> float:
    import datetime as dt

    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _backup_status(entry: Object) -> Object:
    found = {key: entry[key] for key in ("backupURL", "progress", "replicaAddress", "snapshotName", "state")}
    return {**found, "error": entry["error"]} if entry["error"] else found


def _free_port(instances: t.Mapping[str, Object], width: int) -> int:
    taken = {instance["status"]["portStart"] for instance in instances.values()}
    port = 10000
    while port in taken:
        port += width
    return port


def _instance(name: str, port: int, width: int) -> Object:
    return {
        "spec": {"name": name},
        "status": {
            "endpoint": "",
            "errorMsg": "",
            "listen": "",
            "portEnd": port + width - 1,
            "portStart": port,
            "resourceVersion": 0,
            "state": "running",
            "type": "",
        },
    }


def _stopped(kind: world.Kind, node: str) -> Object:
    shared: Object = {
        "currentImage": "",
        "currentState": "stopped",
        "instanceManagerName": "",
        "ip": "",
        "logFetched": False,
        "ownerID": node,
        "port": 0,
        "started": False,
    }
    if kind is world.REPLICAS:
        return shared
    return {
        **shared,
        "backupStatus": None,
        "currentReplicaAddressMap": {},
        "currentSize": "0",
        "endpoint": "",
        "isExpanding": False,
        "lastExpansionError": "",
        "lastExpansionFailedAt": "",
        "lastRestoredBackup": "",
        "purgeStatus": None,
        "rebuildStatus": None,
        "replicaModeMap": None,
        "restoreStatus": None,
        "snapshots": None,
        "snapshotsError": "",
    }


def _node(name: str) -> Object:
    disk = {"allowScheduling": True, "path": "/var/lib/longhorn/", "storageReserved": 32 << 30, "tags": None}
    return {
        "apiVersion": names.API_VERSION,
        "kind": "Node",
        "metadata": {"name": name, "namespace": names.NAMESPACE, "finalizers": [names.FINALIZER]},
        "spec": {"allowScheduling": True, "disks": {decide.disk_name(name): disk}, "name": name, "tags": []},
    }


def node_status(name: str, *, old: Object, replicas: t.Mapping[str, int], now: str) -> Object:
    """The node as Longhorn reports it; only what is scheduled on its disk ever changes."""
    disk = decide.disk_name(name)
    conditions = old.get("conditions")
    for wanted in (
        decide.condition("MountPropagation", status=True, at=now),
        decide.condition("Ready", status=True, at=now, message=f"Node {name} is ready"),
        decide.condition("Schedulable", status=True, at=now),
    ):
        conditions = decide.with_condition(conditions, wanted)
    disk_conditions = (old.get("diskStatus") or {}).get(disk, {}).get("conditions")
    for kind, word in (("Ready", "ready"), ("Schedulable", "schedulable")):
        text = f"Disk {disk}(/var/lib/longhorn/) on node {name} is {word}"
        disk_conditions = decide.with_condition(
            disk_conditions, decide.condition(kind, status=True, at=now, message=text)
        )
    return {
        "conditions": conditions,
        "region": "",
        "zone": "",
        "diskStatus": {
            disk: {
                "conditions": disk_conditions,
                "diskUUID": faults.git_commit(f"disk {name}")[:32],
                "scheduledReplica": dict(replicas),
                "storageAvailable": 200 << 30,
                "storageMaximum": 250 << 30,
                "storageScheduled": sum(replicas.values()),
            }
        },
    }
