# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's control loop: looks at the whole picture, asks for decisions, writes the differences.

One thread, one pass over everything per wake-up: a lab has few volumes, and a pass without differences costs no
request. Conflicts are left to the next pass.
"""

from __future__ import annotations

import datetime as dt
import functools
import time
import typing as t

from longhorn_qa_lab.kube import ApiError
from longhorn_qa_lab.longhorn import (
    attachments,
    bugs,
    decide,
    faults,
    fields,
    logs,
    names,
    settings,
    workloads,
    world,
)
from longhorn_qa_lab.longhorn.context import Context, create_engine_image, post_event, set_value, write_config
from longhorn_qa_lab.longhorn.decide import Note, Object
from longhorn_qa_lab.longhorn.instances import Instances
from longhorn_qa_lab.longhorn.recurring_controller import RecurringJobs
from longhorn_qa_lab.longhorn.releases import Release, Span

_APPLIED: t.Final = Span(since=(1, 7, 0))

Tasks = t.Callable[[], t.Iterator[tuple[str, t.Callable[[], object]]]]


class Operator:
    """The loop and its passes; what other controllers have to do comes last in each."""

    def __init__(
        self,
        context: Context,
        clock: t.Callable[[], float] = time.monotonic,
        *,
        mischief: t.Callable[[Object], None] | None = None,
        controllers: t.Sequence[Tasks] = (),
    ) -> None:
        self._c = context
        self._w = context.cluster
        self._instances = Instances(context, clock)
        self._recurring = RecurringJobs(context)
        self._mischief = mischief
        self._controllers = controllers
        self._said: dict[str, str] = {}
        self._read: dict[str, str] = {}

    def prepare(self) -> None:
        """What a manager makes at its start: settings, its node, the default engine image, instance managers."""
        for definition in settings.of(self._c.release).values():
            if self._w.find(world.SETTINGS, definition.name) is None:
                self._create_setting(definition.name, definition.default)
        for name, value in (
            (settings.DEFAULT_ENGINE_IMAGE, self._c.engine_image),
            (settings.DEFAULT_INSTANCE_MANAGER_IMAGE, self._c.instance_manager_image),
            ("crd-api-version", self._c.release.api_version),
        ):
            if self._c.setting(name) != value:
                set_value(self._c, name, value)
                self._c.log.debug(f"Updated setting {name} to {value}")
        node = self._w.find(world.NODES, self._c.node) or self._w.create(
            world.NODES, new_node(self._c.node, self._c.release)
        )
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
        self._guarded("configuration", self._read_plans)
        for image in self._w.all(world.ENGINE_IMAGES):
            self._guarded(f"engine image {image['metadata']['name']}", self._engine_image, image)
        for manager in self._w.all(world.INSTANCE_MANAGERS):
            self._guarded(f"instance manager {manager['metadata']['name']}", self._instance_manager, manager)
        for volume in self._w.all(world.VOLUMES):
            self._guarded(f"volume {volume['metadata']['name']}", self._volume, volume)
            if self._mischief is not None:
                self._guarded(f"bugs of volume {volume['metadata']['name']}", self._mischief, volume)
        for part in (world.REPLICAS, world.ENGINES):
            for document in self._w.all(part):
                self._guarded(f"{part.plural} {document['metadata']['name']}", self._instances.sync, part, document)
        self._guarded("node", self._node_status)
        for tasks in (self._settings, self._recurring_jobs, *self._controllers):
            for what, work in tasks():
                self._guarded(what, work)

    def _settings(self) -> t.Iterator[tuple[str, t.Callable[[], object]]]:
        """Every setting of the lab takes effect at once."""
        if self._c.release.has(_APPLIED):
            for setting in self._w.all(world.SETTINGS):
                work = functools.partial(self._w.replace_status, world.SETTINGS, setting, {"applied": True})
                yield f"setting {setting['metadata']['name']}", work

    def _recurring_jobs(self) -> t.Iterator[tuple[str, t.Callable[[], None]]]:
        if self._c.release.recurring_jobs == "objects":
            for job in self._w.all(world.RECURRING_JOBS):
                yield f"recurring job {job['metadata']['name']}", functools.partial(self._recurring.sync, job)

    def _guarded(self, what: str, work: t.Callable[..., object], *arguments: t.Any) -> None:
        try:
            work(*arguments)
            self._said.pop(what, None)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the other objects must not wait for it
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
                "kind": "Setting",
                "metadata": metadata,
                "value": value,
            },
        )

    def _create_instance_managers(self, node: Object) -> None:
        there = {manager["spec"]["type"] for manager in self._w.all(world.INSTANCE_MANAGERS)}
        for kind in self._c.release.instance_managers:
            if kind in there:
                continue
            manager = workloads.instance_manager(
                kind=kind, node=node, image=self._c.instance_manager_image, release=self._c.release
            )
            self._c.log.debug(
                f"Prepare to create default instance manager {manager['metadata']['name']}, node: {self._c.node}, "
                f"default instance manager image: {self._c.instance_manager_image}, type: {kind}"
            )
            self._w.create(world.INSTANCE_MANAGERS, manager)

    def _read_plans(self) -> None:
        """Take changed plans of faults and bugs; a bad one is reported once, and the one before stays."""
        found = self._w.find(world.CONFIG_MAPS, faults.CONFIG_MAP)
        data = (found or {}).get("data") or {}
        known = {faults.PLAN_KEY: self._take_faults, bugs.PLAN_KEY: self._take_bugs}
        surplus = sorted(set(data) - set(known))
        if surplus and self._read.get("surplus") != str(surplus):
            self._read["surplus"] = str(surplus)
            self._c.log.error(f"{faults.CONFIG_MAP}: unknown key {', '.join(surplus)}; known: {', '.join(known)}")
        for key, take in known.items():
            text = data.get(key, "")
            if text == self._read.get(key, ""):
                continue
            self._read[key] = text
            try:
                take(text)
            except (faults.BadFaultPlan, bugs.BadBugPlan) as error:
                self._c.log.error(f"{faults.CONFIG_MAP}/{key} is refused, the one before stays: {error}")
                continue
            write_config(self._c)

    def _take_faults(self, text: str) -> None:
        self._c.plan, self._c.plan_text = faults.parse(text), text

    def _take_bugs(self, text: str) -> None:
        plan = bugs.parse(text)
        bugs.require(plan, self._c.release)
        self._c.bugs, self._c.bugs_text = plan, text

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
            wanted = workloads.engine_image_daemon_set(
                image, service_account=self._c.service_account, release=self._c.release
            )
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
        if decide.is_usable(status) and before != status["state"]:
            ready = decide.condition_map(status["conditions"])["ready"]
            post_event(
                self._c, image, Note("EngineImage", "ready", ready["message"]), "longhorn-engine-image-controller"
            )
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
            reference in (self._c.release.image_of(volume["spec"]), (volume.get("status") or {}).get("currentImage"))
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
        status = {
            "apiMinVersion": 1,
            "apiVersion": 1,
            "currentState": "running" if running else "starting",
            "ip": pod_status.get("podIP", ""),
            "ownerID": self._c.node,
        }
        for field in workloads.instance_lists(manager):
            status[field] = (old.get(field) or {}) if running else {}
        self._w.replace_status(world.INSTANCE_MANAGERS, manager, status)

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
            new = decide.new_volume_status(self._c.release)
            volume = self._w.replace_status(world.VOLUMES, volume, {**new, "ownerID": self._c.node})
        volume = self._upgrade_by_itself(volume)
        if self._c.release.attachment == "tickets":
            volume = self._attachment(volume)
        if not engines:
            engines = [self._w.create(world.ENGINES, workloads.volume_engine(volume, self._c.release))]
        while len(replicas) < volume["spec"]["numberOfReplicas"]:
            made = workloads.volume_replica(volume, engines[0]["metadata"]["name"], self._c.release)
            replicas.append(self._w.create(world.REPLICAS, made))
        view = decide.VolumeView(
            volume=volume,
            engine=engines[0],
            replicas=replicas,
            node=self._c.node,
            images=self._c.images(),
            release=self._c.release,
        )
        plan = decide.plan_volume(view, now=logs.stamp(logs.now()))
        for replica in replicas:
            self._w.replace_spec(world.REPLICAS, replica, plan.replica_specs[replica["metadata"]["name"]])
        self._w.replace_spec(world.ENGINES, engines[0], plan.engine_spec)
        volume = self._w.replace_status(world.VOLUMES, volume, plan.status)
        for note in plan.notes:
            post_event(self._c, volume, note, "longhorn-volume-controller")
        if plan.warning and self._said.get(f"upgrade {name}") != plan.warning:
            self._said[f"upgrade {name}"] = plan.warning
            self._c.log.warning(plan.warning)
        self._recurring.sync_volume(volume)

    def _upgrade_by_itself(self, volume: Object) -> Object:
        """Where Longhorn is told to, it moves volumes to the default engine image."""
        default = self._c.setting(settings.DEFAULT_ENGINE_IMAGE)
        limited = not int(self._c.setting(settings.ENGINE_UPGRADE_LIMIT) or 0)
        if limited or self._c.release.image_of(volume["spec"]) == default:
            return volume
        self._c.log.info(f"Automatically upgrading volume {volume['metadata']['name']} to engine image {default}")
        images = self._c.release.image_fields_of(default)
        return self._w.replace_spec(world.VOLUMES, volume, {**volume["spec"], **images})

    def _attachment(self, volume: Object) -> Object:
        """Bring the volume's request in line with its tickets."""
        name = volume["metadata"]["name"]
        found = self._w.find(world.VOLUME_ATTACHMENTS, name)
        if found is None:
            found = self._w.create(world.VOLUME_ATTACHMENTS, attachments.new(volume))
        wanted = attachments.requested(found, volume, now=logs.stamp(logs.now()))
        self._w.replace_status(world.VOLUME_ATTACHMENTS, found, wanted.status)
        return self._w.replace_spec(world.VOLUMES, volume, wanted.spec)

    def _delete_volume(self, volume: Object, engines: list[Object], replicas: list[Object]) -> None:
        name = volume["metadata"]["name"]
        self._w.replace_status(world.VOLUMES, volume, {**(volume.get("status") or {}), "state": "deleting"})
        self._recurring.forget_volume(name)
        for kind, parts in ((world.ENGINES, engines), (world.REPLICAS, replicas)):
            for part in parts:
                if not part["metadata"].get("deletionTimestamp"):
                    self._w.delete(kind, part["metadata"]["name"])
        attachment = self._w.find(world.VOLUME_ATTACHMENTS, name) if self._c.release.attachment == "tickets" else None
        if attachment is not None:
            self._w.delete(world.VOLUME_ATTACHMENTS, name)
            self._w.release(world.VOLUME_ATTACHMENTS, attachment)
        if not engines and not replicas:
            self._c.disk.remove(name)
            known = self._w.find(world.VOLUMES, name)
            if known is not None:
                self._w.release(world.VOLUMES, known)

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
        self._w.replace_status(
            world.NODES, node, node_status(self._c.node, self._c.release, old=old, replicas=replicas, now=now)
        )


def time_of(text: str) -> float:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def new_node(name: str, release: Release) -> Object:
    disk = {"allowScheduling": True, "path": "/var/lib/longhorn/", "storageReserved": 32 << 30, "tags": None}
    disks = {decide.disk_name(name): disk}
    return {
        "kind": "Node",
        "metadata": {"name": name, "namespace": names.NAMESPACE, "finalizers": [names.FINALIZER]},
        "spec": fields.new("Node", release, disks=disks, name=name, tags=[]),
    }


def node_status(name: str, release: Release, *, old: Object, replicas: t.Mapping[str, int], now: str) -> Object:
    """The node as Longhorn reports it; only what is scheduled on its disk ever changes."""
    disk = decide.disk_name(name)
    conditions = old.get("conditions")
    for wanted in (
        decide.condition("MountPropagation", status=True, at=now),
        decide.condition("Ready", status=True, at=now, message=f"Node {name} is ready"),
        decide.condition("Schedulable", status=True, at=now),
    ):
        conditions = decide.with_condition(conditions, wanted, release.conditions)
    disk_conditions = (old.get("diskStatus") or {}).get(disk, {}).get("conditions")
    for kind, word in (("Ready", "ready"), ("Schedulable", "schedulable")):
        text = f"Disk {disk}(/var/lib/longhorn/) on node {name} is {word}"
        told = decide.condition(kind, status=True, at=now, message=text)
        disk_conditions = decide.with_condition(disk_conditions, told, release.conditions)
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
