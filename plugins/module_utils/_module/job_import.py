# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a history out of other tools' files: what the module of this name does."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.history_dir import (
    HistoryWriter,
    open_for_writing,
    require_none,
)
from ansible_collections.longhorn.qa.plugins.module_utils._history import model, objects
from ansible_collections.longhorn.qa.plugins.module_utils._history.dump import Imported, import_dump
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.found import cells_of
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import release_of
from ansible_collections.longhorn.qa.plugins.module_utils._module import cell_options, dump_files, release_option

_COMMAND_RELEASES = re.compile(r"(?:^|/)longhorn-manager(?::|@|$)")


def run(params: Mapping[str, t.Any], *, check_mode: bool = False, now: datetime | None = None) -> dict[str, t.Any]:
    """The module: read the dump, find out what it is about, write the history."""
    dump, history = Path(params["dump"]), Path(params["history"])
    require_none(history)
    stated = cell_options.stated(params.get("expect"), option="expect")
    release = release_option.stated(params)
    files = dump_files.read(dump)
    moment = now or datetime.now(tz=timezone.utc)
    first = import_dump(files.contents, subjects=model.Subjects(release=""), at=moment)
    first = replace(first, warnings=(*files.warnings, *first.warnings))
    warnings = list(first.warnings)
    found = [record for record in first.history.records if isinstance(record, model.ObjectSeen)]
    if not found:
        raise BadInput(
            "nothing in it is a Kubernetes object",
            subject=str(dump),
            expected="`kubectl get -o json` lists or watch streams of cronjobs, jobs, pods, events, engines",
            seen=f"{len(files.contents)} files" + (f", first problem: {warnings[0]}" if warnings else ""),
            advice="Name the folder that holds the dump.",
        )
    subjects = model.Subjects(
        release=release or _release(found),
        namespace=params.get("namespace") or "longhorn-system",
        cells=stated or _cells(found),
        default_engine_faults=tuple(params.get("default_engine_faults") or ()),
    )
    result = {
        "changed": True,
        "history": str(history),
        "records": len(first.history.records),
        "release": subjects.release,
        "cells": [cell.volume for cell in subjects.cells],
        "import_warnings": warnings,
    }
    if not check_mode:
        _write(history, first, subjects)
    return result


def _release(found: Iterable[model.ObjectSeen]) -> str:
    """What the recurring jobs' own image says: they run longhorn-manager."""
    for record in found:
        if record.kind == "cronjobs":
            spec = objects.mapping(record.object, "spec")
            template = objects.mapping(objects.mapping(spec, "jobTemplate"), "spec")
            pod = objects.mapping(objects.mapping(template, "template"), "spec")
            for container in objects.items(pod, "containers"):
                image = objects.text(container, "image")
                release = release_of(image) if _COMMAND_RELEASES.search(image) else ""
                if release_option.known(release):
                    return release
    return ""


def _cells(found: Iterable[model.ObjectSeen]) -> tuple[model.Cell, ...]:
    """The recurring jobs that the dump shows."""
    documents: dict[str, list[model.JsonObject]] = {"volumes": [], "cronjobs": [], "recurringjobs": []}
    for record in found:
        documents.get(record.kind, []).append(record.object)
    return cells_of(
        volumes=documents["volumes"], cronjobs=documents["cronjobs"], recurring_jobs=documents["recurringjobs"]
    )


def _write(folder: Path, imported: Imported, subjects: model.Subjects) -> None:
    records = imported.history.records
    kinds = next(record.kinds for record in records if isinstance(record, model.Start))
    with open_for_writing(folder, subjects, kinds=kinds, origin="dump") as writer:
        opened: dict[str, model.Log] = {}
        for record in records:
            _copy(writer, record, imported.history.logs, opened)
        for warning in imported.warnings:
            writer.note(warning)
        writer.end("dump")


def _copy(writer: HistoryWriter, record: model.Record, logs: Mapping[str, bytes], opened: dict[str, model.Log]) -> None:
    if isinstance(record, model.ObjectSeen):
        writer.object(record.kind, record.change, record.object, via=record.via)
    elif isinstance(record, model.Store):
        writer.store(record.target, record.backups, record.error, deleted=record.deleted)
    elif isinstance(record, model.Gap):
        writer.gap(record.kind, record.reason, subject=record.subject)
    elif isinstance(record, model.Log) and record.state == "opened":
        folder = record.path.split("/")[1]
        opened[record.path] = writer.log_opened(folder, record.pod, record.container, record.attempt)
    elif isinstance(record, model.Log):
        file = writer.log_file(opened[record.path])
        try:
            file.append(logs[record.path])
        finally:
            file.close()
        writer.log_closed(opened[record.path], size=record.bytes, complete=record.complete, reason=record.reason)
