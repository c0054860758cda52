# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manager wants, given what there is: pure functions from documents to documents.

The operator compares the answers with the cluster and writes the differences; nothing here knows time or network.
"""

from __future__ import annotations

import copy
import dataclasses
import typing as t

from longhorn_qa_lab.longhorn import faults
from longhorn_qa_lab.longhorn.releases import Release, Span

Object = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Note:
    """A Kubernetes Event to be written for an object."""

    kind: str
    reason: str
    message: str
    type: str = "Normal"


def condition(kind: str, *, status: bool, at: str, reason: str = "", message: str = "") -> Object:
    return {
        "lastProbeTime": "",
        "lastTransitionTime": at,
        "message": message,
        "reason": reason,
        "status": "True" if status else "False",
        "type": kind,
    }


Conditions = t.Union[t.Mapping[str, Object], t.Sequence[Object], None]
Shape = t.Literal["map", "list"]


def condition_map(conditions: Conditions) -> dict[str, Object]:
    """Conditions by type, whatever their shape."""
    if isinstance(conditions, t.Mapping):
        return dict(conditions)
    return {found["type"]: found for found in conditions or ()}


def with_condition(conditions: Conditions, wanted: Object, shape: Shape = "map") -> t.Any:
    """The conditions with one of them set; its time moves only when its status does."""
    found = condition_map(conditions)
    old = found.get(wanted["type"])
    if old is not None and old["status"] == wanted["status"]:
        wanted = {**wanted, "lastTransitionTime": old["lastTransitionTime"]}
    found[wanted["type"]] = wanted
    return found if shape == "map" else list(found.values())


# --- engine images -------------------------------------------------------------------------------------------------


def engine_image_status(
    *,
    image: Object,
    ready_pods: int,
    wanted_pods: int,
    behaviour: faults.ImageFaults,
    release: Release,
    users: int,
    node: str,
    now: str,
) -> Object:
    """deploying until the DaemonSet's pods are ready, then usable, or incompatible by the binary's own word."""
    reference = image["spec"]["image"]
    old = image.get("status") or {}
    status: Object = {
        **_NO_VERSION,
        "conditions": old.get("conditions"),
        "noRefSince": old.get("noRefSince", ""),
        "ownerID": node,
        "refCount": users,
        "state": "deploying",
    }
    wanted = max(1, wanted_pods)
    deployed = behaviour.deploys and ready_pods >= wanted
    if release.deployed == "deployed":
        status["nodeDeploymentMap"] = {node: deployed}
    if release.incompatible == "flag":
        status["incompatible"] = False
    if not deployed:
        seen = 0 if not behaviour.deploys else ready_pods
        text = f"no enough pods are ready: {seen} vs {wanted}"
        status["conditions"] = with_condition(
            status["conditions"],
            condition("ready", status=False, at=now, reason="daemonSet", message=text),
            release.conditions,
        )
        return status
    status |= engine_version(reference, behaviour, release)
    ours = release.versions
    accepted = status["cliAPIVersion"] >= ours.accepts_cli and status["cliAPIMinVersion"] <= ours.cli
    name = f"{image['metadata']['name']} ({reference})"
    text = f"Engine image {name} become ready" if accepted else _incompatible(name, status, ours.accepts_cli)
    status["state"] = release.deployed
    if not accepted:
        status |= {"incompatible": True} if release.incompatible == "flag" else {"state": "incompatible"}
    status["conditions"] = with_condition(
        status["conditions"],
        condition("ready", status=accepted, at=now, reason="" if accepted else "binary", message=text),
        release.conditions,
    )
    status["noRefSince"] = "" if users else (status["noRefSince"] or now)
    return status


def is_usable(image: Object | None) -> bool:
    """Whether an engine image's status says that volumes can use it."""
    return image is not None and image.get("state") in ("ready", "deployed") and not image.get("incompatible", False)


def _incompatible(name: str, status: Object, accepts: int) -> str:
    told = f"{status['cliAPIVersion']}, minimum {status['cliAPIMinVersion']}"
    return f"engine image {name} is incompatible: its CLI API is {told}; the manager needs {accepts}"


_NO_VERSION: t.Final[Object] = {
    "version": "",
    "gitCommit": "",
    "buildDate": "",
    "cliAPIVersion": 0,
    "cliAPIMinVersion": 0,
    "controllerAPIVersion": 0,
    "controllerAPIMinVersion": 0,
    "dataFormatVersion": 0,
    "dataFormatMinVersion": 0,
}


def engine_version(image: str, behaviour: faults.ImageFaults, release: Release) -> Object:
    """What an image's binary answers to ``version --client-only``."""
    ours = release.versions
    controller = behaviour.controller_version
    return {
        "version": release.engine_version,
        "gitCommit": faults.git_commit(image),
        "buildDate": "2020-06-08T00:00:00+00:00",
        "cliAPIVersion": ours.cli if behaviour.cli_version is None else behaviour.cli_version,
        "cliAPIMinVersion": ours.cli_min if behaviour.cli_min_version is None else behaviour.cli_min_version,
        "controllerAPIVersion": ours.controller if controller is None else controller,
        "controllerAPIMinVersion": ours.controller_min if controller is None else controller,
        "dataFormatVersion": 1,
        "dataFormatMinVersion": 1,
    }


# --- volumes -------------------------------------------------------------------------------------------------------

_NEW_VOLUME_STATUS: t.Final[Object] = {
    "actualSize": 0,
    "conditions": None,
    "currentImage": "",
    "currentNodeID": "",
    "expansionRequired": False,
    "frontendDisabled": False,
    "isStandby": False,
    "kubernetesStatus": {
        "lastPVCRefAt": "",
        "lastPodRefAt": "",
        "namespace": "",
        "pvName": "",
        "pvStatus": "",
        "pvcName": "",
        "workloadsStatus": None,
    },
    "lastBackup": "",
    "lastBackupAt": "",
    "ownerID": "",
    "pendingNodeID": "",
    "restoreInitiated": False,
    "robustness": "",
    "state": "",
}
_1_0: t.Final = Span(before=(1, 1, 0))


def new_volume_status(release: Release) -> Object:
    if release.has(_1_0):
        return {**_NEW_VOLUME_STATUS, "initialRestorationRequired": False, "remountRequired": False}
    return {**_NEW_VOLUME_STATUS, "restoreRequired": False, "remountRequestedAt": "", "lastDegradedAt": ""}


@dataclasses.dataclass(frozen=True)
class VolumeView:
    """A volume and everything its next step depends on."""

    volume: Object
    engine: Object
    replicas: t.Sequence[Object]
    #: Image reference -> status of its EngineImage.
    images: t.Mapping[str, Object]
    node: str
    release: Release


@dataclasses.dataclass(frozen=True)
class VolumePlan:
    """What a volume's next step changes."""

    status: Object
    engine_spec: Object
    replica_specs: t.Mapping[str, Object]
    notes: tuple[Note, ...] = ()
    warning: str = ""


def plan_volume(view: VolumeView, *, now: str) -> VolumePlan:
    """One step of a volume's life cycle: schedule, upgrade, attach or detach."""
    spec = view.volume["spec"]
    release = view.release
    status = {**new_volume_status(release), **(view.volume.get("status") or {}), "ownerID": view.node}
    replicas = {replica["metadata"]["name"]: _schedule(replica, view) for replica in view.replicas}
    scheduled = all(wanted["nodeID"] for wanted in replicas.values())
    reason = "" if scheduled else "ReplicaSchedulingFailure"
    for told in (
        condition(condition_type("restore", release), status=False, at=now),
        condition(condition_type("scheduled", release), status=scheduled, at=now, reason=reason),
    ):
        status["conditions"] = with_condition(status["conditions"], told, release.conditions)
    status["currentImage"] = status["currentImage"] or release.image_of(spec)
    warning = _upgrade(view, status)
    images = release.image_fields_of(status["currentImage"])
    engine = {**copy.deepcopy(view.engine["spec"]), **images}
    for wanted in replicas.values():
        wanted |= images
    if spec["nodeID"]:
        notes = _attach(view, status, engine, replicas, now=now)
    else:
        notes = _detach(view, status, engine, replicas)
    return VolumePlan(status, engine, replicas, notes, warning)


def condition_type(name: str, release: Release) -> str:
    """A volume's condition, which 1.4 has begun to write with a capital."""
    return name if release.condition_words == "scheduled" else name.title()


def _schedule(replica: Object, view: VolumeView) -> Object:
    """A replica's place. Replicas of one volume never share a node, so one node takes one of them."""
    spec: Object = copy.deepcopy(replica["spec"])
    placed = any(other["spec"]["nodeID"] for other in view.replicas)
    if not spec["nodeID"] and not placed and replica is view.replicas[0]:
        volume = view.volume["metadata"]["name"]
        folder = f"{volume}-{faults.git_commit(replica['metadata']['name'])[:8]}"
        spec |= {"nodeID": view.node, "diskID": disk_name(view.node)}
        if view.release.has(_1_0):
            spec["dataPath"] = f"/var/lib/longhorn/replicas/{folder}"
        else:
            spec |= {"diskPath": "/var/lib/longhorn/", "dataDirectoryName": folder}
    return spec


def disk_name(node: str) -> str:
    return f"default-disk-{faults.git_commit(node)[:16]}"


def _upgrade(view: VolumeView, status: Object) -> str:
    """Switch the engine image where that is allowed; otherwise why not, for the log."""
    wanted = view.release.image_of(view.volume["spec"])
    if wanted == status["currentImage"]:
        return ""
    if status["state"] in ("", "detached"):
        status["currentImage"] = wanted
        return ""
    refusal = live_upgrade_refusal(view, status)
    if not refusal:
        status["currentImage"] = wanted
    return refusal


def live_upgrade_refusal(view: VolumeView, status: Object) -> str:
    """Why an attached volume cannot change its engine image now; empty when it can."""
    name = view.volume["metadata"]["name"]
    old_image, new_image = status["currentImage"], view.release.image_of(view.volume["spec"])
    old, new = view.images.get(old_image), view.images.get(new_image)
    if status["state"] != "attached" or status["robustness"] != "healthy":
        return f"cannot do live upgrade for a unhealthy volume {name}"
    if new is None or not is_usable(new):
        return f"new engine image {new_image} is not ready, delay upgrade for volume {name}"
    if old is None or not is_usable(old):
        return f"current engine image {old_image} is not ready, delay upgrade for volume {name}"
    if old["gitCommit"] == new["gitCommit"]:
        return f"Engine image {old_image} and {new_image} are identical, delay upgrade until detach for {name}"
    if not new["controllerAPIMinVersion"] <= old["controllerAPIVersion"] <= new["controllerAPIVersion"]:
        return (
            f"Unable to live upgrade from {old_image} to {new_image}: the old controller version "
            f"{old['controllerAPIVersion']} is not compatible with the new controller version "
            f"{new['controllerAPIVersion']} and the new controller minimal version {new['controllerAPIMinVersion']}"
        )
    return ""


def _attach(
    view: VolumeView, status: Object, engine: Object, replicas: t.Mapping[str, Object], *, now: str
) -> tuple[Note, ...]:
    spec = view.volume["spec"]
    name = view.volume["metadata"]["name"]
    status |= {"currentNodeID": spec["nodeID"], "frontendDisabled": spec["disableFrontend"]}
    placed = [name for name, wanted in replicas.items() if wanted["nodeID"]]
    for replica in placed:
        replicas[replica]["desireState"] = "running"
    running = {
        replica["metadata"]["name"]: f"{replica['status']['ip']}:{replica['status']['port']}"
        for replica in view.replicas
        if (replica.get("status") or {}).get("currentState") == "running"
    }
    if len(running) < len(placed) or not placed:
        status["state"] = "attaching" if status["state"] != "attached" else status["state"]
        status["robustness"] = status["robustness"] if placed else "faulted"
        return ()
    engine |= {
        "desireState": "running",
        "nodeID": spec["nodeID"],
        "disableFrontend": spec["disableFrontend"],
        "replicaAddressMap": running,
    }
    if (view.engine.get("status") or {}).get("currentState") != "running":
        status["state"] = "attaching"
        return ()
    status["robustness"] = "healthy" if len(running) >= spec["numberOfReplicas"] else "degraded"
    for replica in running:
        replicas[replica]["healthyAt"] = replicas[replica]["healthyAt"] or now
    if status["state"] == "attached":
        return ()
    status["state"] = "attached"
    return (Note("Volume", "Attached", f"volume {name} has been attached to {spec['nodeID']}"),)


def _detach(view: VolumeView, status: Object, engine: Object, replicas: t.Mapping[str, Object]) -> tuple[Note, ...]:
    engine |= {"desireState": "stopped"}
    stopped = (view.engine.get("status") or {}).get("currentState") in ("stopped", "error")
    if stopped:
        engine |= {"nodeID": "", "replicaAddressMap": {}, "disableFrontend": False}
        for wanted in replicas.values():
            wanted["desireState"] = "stopped"
        stopped = all((replica.get("status") or {}).get("currentState") == "stopped" for replica in view.replicas)
    status["robustness"] = "unknown"
    if not stopped:
        status["state"] = "detaching"
        return ()
    was = status["state"]
    status |= {"state": "detached", "currentNodeID": "", "frontendDisabled": False}
    if was == "detached":
        return ()
    name = view.volume["metadata"]["name"]
    return (Note("Volume", "Detached", f"volume {name} has been detached"),)


def owner_reference(owner: Object, **extra: t.Any) -> Object:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        **extra,
    }
