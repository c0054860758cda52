# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod's state as the status document of the API, in the kubelet's own shapes."""

from __future__ import annotations

import typing as t
from datetime import datetime

from longhorn_qa_lab.node import pods
from longhorn_qa_lab.node.model import Document, format_time
from longhorn_qa_lab.node.pods import Container, PodState, Running, Terminated, Waiting

RUNTIME = "containerd"


def status_document(
    state: PodState, *, previous: t.Sequence[Document], host_ip: str, now: datetime
) -> dict[str, t.Any]:
    """The status to patch; previous conditions keep their transition times and the scheduler's ones stay."""
    address = {"podIP": state.pod_ip, "podIPs": [{"ip": state.pod_ip}]} if state.pod_ip else {}
    document = {
        "phase": pods.phase(state),
        "conditions": _conditions(state, previous=previous, now=now),
        "hostIP": host_ip,
        "startTime": format_time(state.started_at),
        "containerStatuses": [_container(container) for container in state.main],
        **address,
    }
    if state.init:
        document["initContainerStatuses"] = [_container(container) for container in state.init]
    return document


def _conditions(state: PodState, *, previous: t.Sequence[Document], now: datetime) -> list[dict[str, t.Any]]:
    fresh = {"Initialized": _initialized(state), "Ready": _ready(state), "ContainersReady": _ready(state)}
    old = {condition["type"]: condition for condition in previous}
    conditions = [_condition(kind, *values, old=old.get(kind), now=now) for kind, values in fresh.items()]
    scheduled = old.get("PodScheduled") or _condition("PodScheduled", True, "", "", old=None, now=now)
    others = [dict(condition) for kind, condition in old.items() if kind not in fresh and kind != "PodScheduled"]
    return [*conditions, dict(scheduled), *others]


def _condition(
    kind: str, holds: bool, reason: str, message: str, *, old: Document | None, now: datetime
) -> dict[str, t.Any]:
    status = "True" if holds else "False"
    since = old["lastTransitionTime"] if old and old["status"] == status else format_time(now)
    condition = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since}
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition


def _initialized(state: PodState) -> tuple[bool, str, str]:
    if pods.phase(state) == "Succeeded":
        return True, "PodCompleted", ""
    if pods.initialized(state):
        return True, "", ""
    names = " ".join(container.name for container in state.init if not container.ready)
    return False, "ContainersNotInitialized", f"containers with incomplete status: [{names}]"


def _ready(state: PodState) -> tuple[bool, str, str]:
    if pods.phase(state) == "Succeeded":
        return False, "PodCompleted", ""
    unready = [container.name for container in state.main if not container.ready]
    if unready:
        return False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return True, "", ""


def _container(container: Container) -> dict[str, t.Any]:
    document: dict[str, t.Any] = {
        "name": container.name,
        "image": container.shown_image or container.image,
        "imageID": container.image_id,
        "ready": container.ready,
        "restartCount": container.restarts,
        "started": isinstance(container.state, Running),
        "state": _state(container.state),
        "lastState": _state(container.last) if container.last else {},
    }
    shown = container.state if not isinstance(container.state, Waiting) else container.last
    if shown and shown.container_id:
        document["containerID"] = _id(shown.container_id)
    return document


def _state(state: Waiting | Running | Terminated) -> dict[str, t.Any]:
    if isinstance(state, Waiting):
        waiting = {"reason": state.reason, "message": state.message}
        return {"waiting": {key: value for key, value in waiting.items() if value}}
    if isinstance(state, Running):
        return {"running": {"startedAt": format_time(state.started_at)}}
    terminated: dict[str, t.Any] = {
        "exitCode": state.exit_code,
        "reason": state.reason,
        "startedAt": format_time(state.started_at),
        "finishedAt": format_time(state.finished_at),
    }
    if state.container_id:
        terminated["containerID"] = _id(state.container_id)
    if state.message:
        terminated["message"] = state.message
    return {"terminated": terminated}


def _id(container_id: str) -> str:
    return container_id if "://" in container_id else f"{RUNTIME}://{container_id}"
