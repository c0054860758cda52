# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes down what a cluster and its backup store still remember: what the module of this name does."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    Forbidden,
    LonghornQAError,
    NotFound,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.history_dir import open_for_writing, require_none
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.longhorn import LonghornObjects
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.remembered import (
    Remembered,
    Stored,
    Writing,
    look,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock
from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Cell, Subjects
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.backup_target import BackupTarget
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.found import cells_of, cells_of_backups
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import UnknownRelease, choose_release
from ansible_collections.longhorn.qa.plugins.module_utils._module import cell_options, release_option, store_options


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module: one look, one history. In check mode the look is taken and nothing is written."""
    folder = Path(params["history"])
    require_none(folder)
    release_option.stated(params)
    client = client or connect(params)
    audit = _Audit(params, client)
    audit.require_namespace()
    found = look(client, params["namespace"])
    cells = audit.cells(found)
    stored = audit.stored(sorted({cell.volume for cell in cells} | set(params.get("volumes") or ())))
    if stored is not None and not params.get("expect"):
        cells = (*cells, *cells_of_backups((*stored.backups, *stored.deleted), known=cells))
    audit.require_something(found, cells, stored)
    subjects = Subjects(
        release=audit.release(), namespace=params["namespace"], cells=cells,
        default_engine_faults=tuple(params.get("default_engine_faults") or ()),
    )  # fmt: skip
    result = {
        "changed": True, "history": str(folder), "release": subjects.release, "cells": [cell.volume for cell in cells],
        "unknown": audit.unknown(found, stored), "audit_warnings": audit.warnings, "records": 0, "gaps": 0,
    }  # fmt: skip
    if check_mode:
        return result
    watched = (*found.kinds, "logs", *(("store",) if stored else ()))
    with open_for_writing(folder, subjects, kinds=watched, origin="dump", clock=clock) as writer:
        Writing(client, params["namespace"], writer).write(found, cells, stored)
        for warning in audit.warnings:
            writer.note(warning)
        writer.end("dump")
        return {**result, "records": writer.count, "gaps": writer.gaps}


class _Audit:
    """What is looked for, from options and from what the cluster says of itself."""

    def __init__(self, params: Mapping[str, t.Any], client: Client) -> None:
        self._params = params
        self._client = client
        self._namespace = params["namespace"]
        self._objects = LonghornObjects(client, self._namespace)
        self.warnings: list[str] = []

    def require_namespace(self) -> None:
        """Whether it exists, or that nobody can tell."""
        if not self._client.require_namespace(self._namespace):
            told = "verb get on namespaces is not granted, so empty lists may be those of a namespace that is not there"
            self.warnings.append(f"namespace {self._namespace}: {told}")

    def cells(self, found: Remembered) -> tuple[Cell, ...]:
        """The stated ones, else the recurring jobs that are there; of the named volumes only, when some are named."""
        stated = cell_options.stated(self._params.get("expect"), option="expect")
        cells = stated or cells_of(
            volumes=found.of("volumes"), cronjobs=found.of("cronjobs"), recurring_jobs=found.of("recurringjobs")
        )
        wanted = set(self._params.get("volumes") or ())
        return tuple(cell for cell in cells if not wanted or cell.volume in wanted)

    def release(self) -> str:
        """As stated, or as the manager's image says; without one, only the contract is judged."""
        stated = self._params.get("longhorn_release") or ""
        try:
            image = "" if stated else self._objects.manager_image()
            return choose_release(stated=stated, manager_image=image)
        except (LonghornQAError, UnknownRelease) as error:
            self.warnings.append(f"the release is not known, so only what holds for all of them is judged: {error}")
            return ""

    def stored(self, volumes: list[str]) -> Stored | None:
        """The store's word on these volumes; None when Longhorn has no backup target."""
        try:
            store = dict(self._params.get("store") or {})
            if not store.get("url"):
                store = {**store, **self._target()}
        except LonghornQAError as error:
            return Stored("", error=str(error))
        source = store_options.source(store, client=self._client, namespace=self._namespace)
        if source is None:
            self.warnings.append("Longhorn has no backup target, so no store was looked at")
            return None
        try:
            found = source.backups(volumes)
        except LonghornQAError as error:
            return Stored(source.target, error=str(error))
        try:
            return Stored(source.target, found, deleted=source.deleted(volumes))
        except LonghornQAError as error:
            self.warnings.append(f"what was deleted from the store is not known: {error}")
            return Stored(source.target, found)

    def _target(self) -> dict[str, str]:
        """The backup target that is set in Longhorn: in its settings, or since 1.8 in an object of its own.

        Of several targets the default one, which recurring jobs use.
        """
        settings = self._objects.settings()
        if names.BACKUP_TARGET_SETTING in settings or not self._objects.shape.backup_objects:
            return {
                "url": settings.get(names.BACKUP_TARGET_SETTING, ""),
                "credential_secret": settings.get(names.BACKUP_SECRET_SETTING, ""),
            }
        targets = {one.target.name: one.target for one in self._objects.backup_targets()}
        default = targets.get(names.DEFAULT_BACKUP_TARGET, BackupTarget())
        return {"url": default.url, "credential_secret": default.credential_secret}

    def require_something(self, found: Remembered, cells: tuple[Cell, ...], stored: Stored | None) -> None:
        """Nothing found must mean that nothing is there; what may not be read is said instead."""
        if cells:
            return
        denied = [found.unknown[kind] for kind in ("volumes", "cronjobs", "recurringjobs") if kind in found.unknown]
        if denied:
            raise Forbidden(
                "the recurring jobs cannot be found", subject=f"namespace {self._namespace}", seen="; ".join(denied),
                advice="Grant it (rbac/audit.yml has all that is needed), or state the cells by the option expect.",
            )  # fmt: skip
        store = f"; store: {stored.error}" if stored is not None and stored.error else ""
        raise NotFound(
            "there is no recurring job to judge", subject=f"namespace {self._namespace}",
            expected="a volume with a recurring job, or a backup of one in the store",
            seen=f"{len(found.of('volumes'))} volumes{store}",
            advice="Name volumes that are gone by the option volumes, to look for their backups in the store.",
        )  # fmt: skip

    def unknown(self, found: Remembered, stored: Stored | None) -> list[str]:
        """What could not be read, for the reader."""
        lines = [f"{kind}: {reason}" for kind, reason in found.unknown.items()]
        return lines + ([f"store: {stored.error}"] if stored is not None and stored.error else [])
