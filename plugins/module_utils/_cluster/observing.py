# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a set of objects by watch: one LIST, then one WATCH, and every change is looked at when it comes.

A stream that breaks is followed by a new LIST, so what is looked at is always the complete set.
"""

from __future__ import annotations

import math
import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, Object
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    ApiFailure,
    Expired,
    Forbidden,
    Unauthorized,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import (
    SYSTEM,
    Clock,
    Wanted,
    terminal,
    timed_out,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress

Check = Callable[[Sequence[Object]], Progress]


@dataclass(frozen=True)
class Selection:
    """Which objects."""

    kind: Kind
    namespace: str
    labels: str = ""
    fields: str = ""


def look(client: Client, selection: Selection) -> tuple[Object, ...]:
    """The objects as they are now."""
    return client.list(
        selection.kind, namespace=selection.namespace, labels=selection.labels, fields=selection.fields
    ).items


def watch_for(client: Client, selection: Selection, *, check: Check, wanted: Wanted, clock: Clock = SYSTEM) -> None:
    """Returns when ``check`` says done; TerminalState when it says failed, WaitTimeout when it says neither in time."""
    _Wait(client, selection, check, wanted, clock).run()


@dataclass
class _Wait:
    client: Client
    selection: Selection
    check: Check
    wanted: Wanted
    clock: Clock
    _started: float = field(default=0.0, init=False)
    _looks: int = field(default=0, init=False)
    _seen: str = field(default="nothing yet", init=False)
    _objects: dict[str, Object] = field(default_factory=dict, init=False)

    def run(self) -> None:
        self._started = self.clock.monotonic()
        cause: ApiFailure | None = None
        while True:
            try:
                if self._until_the_stream_ends():
                    return
                cause = None
            except (Unauthorized, Forbidden):
                raise
            except Expired:
                continue  # the next LIST is complete again
            except ApiFailure as error:
                cause = error
            if self._left() <= 0:
                seen = str(cause) if cause and not self._looks else self._seen
                raise timed_out(self.wanted, seen, self._waited(), attempts=self._looks) from cause
            self.clock.sleep(min(self.wanted.interval, self._left()))

    def _until_the_stream_ends(self) -> bool:
        selection = self.selection
        listing = self.client.list(
            selection.kind, namespace=selection.namespace, labels=selection.labels, fields=selection.fields
        )
        self._objects = {_key(item): item for item in listing.items}
        if self._reached():
            return True
        if self._left() <= 0:
            return False
        watch = self.client.watch(
            selection.kind, namespace=selection.namespace, resource_version=listing.resource_version,
            labels=selection.labels, fields=selection.fields,
            seconds=max(1, math.ceil(self._left())), silence=max(0.1, self._left()),
        )  # fmt: skip
        try:
            return any(self._changed(event) for event in watch.events())
        finally:
            watch.close()

    def _changed(self, event: Object) -> bool:
        document: Object = event.get("object") or {}
        if event.get("type") == "DELETED":
            self._objects.pop(_key(document), None)
        elif event.get("type") in ("ADDED", "MODIFIED"):
            self._objects[_key(document)] = document
        return self._reached()

    def _reached(self) -> bool:
        self._looks += 1
        progress = self.check(tuple(self._objects.values()))
        self._seen = progress.reason
        if progress.state == "failed":
            raise terminal(self.wanted, progress.reason, self._waited())
        return progress.state == "done"

    def _waited(self) -> float:
        return self.clock.monotonic() - self._started

    def _left(self) -> float:
        return self.wanted.timeout - self._waited()


def _key(document: Object) -> str:
    metadata: dict[str, t.Any] = document.get("metadata") or {}
    return str(metadata.get("uid") or f"{metadata.get('namespace')}/{metadata.get('name')}")
