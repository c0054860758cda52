# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's Events: written in order, equal ones counted up instead of repeated."""

from __future__ import annotations

import asyncio
import time
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime

from longhorn_qa_lab.node.api import Api, ApiError, Json
from longhorn_qa_lab.node.model import PodSpec, format_time

COMPONENT = "kubelet"

# As often as a kubelet tries; it waits ten seconds in between.
TRIES = 12
PAUSE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Happening:
    """Something worth an Event."""

    namespace: str
    involved: tuple[tuple[str, str], ...]
    type: str
    reason: str
    message: str


def about_pod(pod: PodSpec, *, reason: str, message: str, container: str = "", warning: bool = False) -> Happening:
    """An Event of a pod, or of one container in it."""
    involved = [("apiVersion", "v1"), ("kind", "Pod"), ("name", pod.name), ("namespace", pod.namespace)]
    involved.append(("uid", pod.uid))
    if container:
        involved.append(("fieldPath", f"spec.containers{{{container}}}"))
    return Happening(
        namespace=pod.namespace,
        involved=tuple(involved),
        type="Warning" if warning else "Normal",
        reason=reason,
        message=message,
    )


def about_node(name: str, *, reason: str, message: str) -> Happening:
    """An Event of the node; nodes are in no namespace, their events in the default one."""
    involved = (("kind", "Node"), ("name", name), ("uid", name))
    return Happening(namespace="default", involved=involved, type="Normal", reason=reason, message=message)


@dataclass
class _Written:
    name: str
    count: int


class Recorder:
    """Writes Events in the background, so that no container waits for one."""

    def __init__(self, api: Api, *, host: str) -> None:
        self._api = api
        self._host = host
        self._queue: asyncio.Queue[tuple[Happening, datetime]] = asyncio.Queue()
        self._written: dict[Happening, _Written] = {}

    def emit(self, happening: Happening) -> None:
        """Remember to write it."""
        self._queue.put_nowait((happening, datetime.now(UTC)))

    async def run(self) -> t.NoReturn:
        """Write until cancelled."""
        while True:
            await self._write_patiently(*await self._queue.get())

    async def _write_patiently(self, happening: Happening, moment: datetime) -> None:
        """A lost Event is part of Kubernetes, and a stuck writer is not; but a kubelet does not give up at once."""
        # One name for all tries: what the server took without an answer getting through is not written twice.
        name = f"{dict(happening.involved)['name']}.{time.time_ns():x}"
        for _ in range(TRIES):
            try:
                await self._write(happening, moment, name)
            except ApiError as error:
                if 0 < error.code < 500:
                    return
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return

    async def _write(self, happening: Happening, moment: datetime, name: str) -> None:
        folder = f"/api/v1/namespaces/{happening.namespace}/events"
        known = self._written.get(happening)
        if known:
            again = {"count": known.count + 1, "lastTimestamp": format_time(moment)}
            await self._api.patch(f"{folder}/{known.name}", again)
            known.count += 1
            return
        await self._api.create(folder, self._document(happening, name=name, moment=moment))
        self._written[happening] = _Written(name=name, count=1)

    def _document(self, happening: Happening, *, name: str, moment: datetime) -> Json:
        stamp = format_time(moment)
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": happening.namespace},
            "involvedObject": dict(happening.involved),
            "type": happening.type,
            "reason": happening.reason,
            "message": happening.message,
            "source": {"component": COMPONENT, "host": self._host},
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
        }

    def forget(self, uid: str) -> None:
        """A pod is gone: its Events will not be repeated."""
        self._written = {key: value for key, value in self._written.items() if dict(key.involved)["uid"] != uid}
