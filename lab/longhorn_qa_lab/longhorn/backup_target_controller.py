# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's controller of BackupTarget objects, from 1.2 on: whether each can be reached.

Until 1.7 the settings are copied into the only one. From 1.8 on the objects are what people change, and a ConfigMap
says what the default one is as long as it has no URL.
"""

from __future__ import annotations

import functools
import time
import typing as t
from pathlib import Path

from longhorn_qa_lab.longhorn import backup_target, decide, errands, logs, settings, targets, world
from longhorn_qa_lab.longhorn.context import Context
from longhorn_qa_lab.longhorn.decide import Object

_CONFIG: t.Final = "longhorn-default-resource"
_CONFIG_KEY: t.Final = "default-resource.yaml"
_LOOK: t.Final = 30.0
_LOOK_AGAIN: t.Final = 5.0


class BackupTargets:
    """Looked after by the control loop."""

    def __init__(
        self,
        context: Context,
        egress: Path | None,
        clock: t.Callable[[], float] = time.monotonic,
        spawn: errands.Spawn = errands.in_a_thread,
    ) -> None:
        self._c = context
        self._w = context.cluster
        self._egress = egress
        self._clock = clock
        self._errands = errands.Errands(self._w.touch, spawn)
        self._looked: dict[str, tuple[t.Any, float]] = {}

    def tasks(self) -> t.Iterator[tuple[str, t.Callable[[], None]]]:
        """The default target first, then a look at each."""
        if not self._c.release.has(world.BACKUP_TARGETS.span):
            return
        yield "default backup target", self._prepare
        for target in self._w.all(world.BACKUP_TARGETS):
            yield f"backup target {target['metadata']['name']}", functools.partial(self._sync, target)

    def _prepare(self) -> None:
        there = self._w.find(world.BACKUP_TARGETS, backup_target.DEFAULT)
        wanted = self._wanted()
        if there is None:
            self._w.create(world.BACKUP_TARGETS, backup_target.new(backup_target.DEFAULT, self._c.release, **wanted))
        elif self._c.release.backup_target == "mirrored" or (
            not there["spec"].get("backupTargetURL") and wanted["backupTargetURL"]
        ):
            self._w.replace_spec(world.BACKUP_TARGETS, there, {**there["spec"], **wanted})

    def _wanted(self) -> dict[str, str]:
        """The default target, by the settings or by the ConfigMap."""
        names = (settings.BACKUP_TARGET, settings.BACKUP_SECRET, settings.POLL_INTERVAL)
        if self._c.release.backup_target == "mirrored":
            url, secret, seconds = (self._c.setting(name) for name in names)
        else:
            found = (self._w.find(world.CONFIG_MAPS, _CONFIG) or {}).get("data") or {}
            lines = (line.partition(":") for line in str(found.get(_CONFIG_KEY, "")).splitlines())
            given = {key.strip(): value.strip().strip("\"'") for key, _, value in lines}
            url, secret, seconds = (given.get(name, "") for name in names)
        interval = backup_target.poll_interval(seconds or "300")
        return {"backupTargetURL": url, "credentialSecret": secret, "pollInterval": interval}

    def _sync(self, target: Object) -> None:
        name = target["metadata"]["name"]
        if target["metadata"].get("deletionTimestamp"):
            self._looked.pop(name, None)
            self._w.release(world.BACKUP_TARGETS, target)
            return
        spec = target["spec"]
        url, secret = str(spec.get("backupTargetURL") or ""), str(spec.get("credentialSecret") or "")
        if not url:
            self._looked.pop(name, None)
            self._tell(target, "backup target URL is empty")
            return
        occasion = (url, secret, spec.get("syncRequestedAt"))
        before, due = self._looked.get(name, (None, 0.0))
        if occasion != before or self._clock() >= due:
            pause = _LOOK if (target.get("status") or {}).get("available") else _LOOK_AGAIN
            self._looked[name] = (occasion, self._clock() + pause * self._c.poll_scale)
            self._errands.start((name, occasion), lambda: targets.access(self._c, self._egress, name).store().volumes())
        outcome = self._errands.take((name, occasion))
        if outcome is not None:
            self._tell(target, "" if outcome.error is None else str(outcome.error))

    def _tell(self, target: Object, trouble: str) -> None:
        """Write down whether the target can be reached, and why not."""
        old, now = target.get("status") or {}, logs.stamp(logs.now())
        told = decide.condition(
            "Unavailable", status=bool(trouble), at=now, reason="Unavailable" if trouble else "", message=trouble
        )
        status = {
            **old,
            "available": not trouble,
            "conditions": decide.with_condition(old.get("conditions"), told, self._c.release.conditions),
            "ownerID": self._c.node,
        }
        looked = str(old.get("lastSyncedAt") or "")
        if status != old or not looked or str(target["spec"].get("syncRequestedAt") or "") > looked:
            status["lastSyncedAt"] = now
        self._w.replace_status(world.BACKUP_TARGETS, target, status)
