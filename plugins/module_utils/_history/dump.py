# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that other tools left behind, as records of a history.

Understood by content, whatever the files are called: ``kubectl get -o json`` lists and single objects, ``--watch``
streams, listings of a backup store; and by name, because their content cannot say it: pods' logs. What cannot be read
becomes a gap and a warning that names file and byte; the rest is kept. Pure: bytes in, records out.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ansible_collections.longhorn.qa.plugins.module_utils._history import dump_logs, logtext, model, objects
from ansible_collections.longhorn.qa.plugins.module_utils._history.documents import (
    Broken,
    looks_like_json,
    read_documents,
)
from ansible_collections.longhorn.qa.plugins.module_utils._history.times import parse_time

_MANAGERS = ("backup", "backupVolume", "engineImage", "instanceManager", "node", "setting", "snapshot", "volume")
_CHANGES = ("ADDED", "MODIFIED", "DELETED")
_BACKUP_KEY = re.compile(r"(?:^|/)backupstore/volumes/[0-9a-f]{2}/[0-9a-f]{2}/([^/]+)/backups/backup_(.+)\.cfg$")


@dataclass(frozen=True)
class Imported:
    """A dump as a history, and what a reader should know about the files."""

    history: model.History
    warnings: tuple[str, ...]


@dataclass
class _Collected:
    """What was found so far, by identity, so that a list and a stream that show the same thing show it once."""

    objects: dict[tuple[str, str, int, bool], model.ObjectSeen] = field(default_factory=dict)
    stores: list[tuple[datetime | None, tuple[model.StoredBackup, ...], str]] = field(default_factory=list)
    gaps: list[tuple[str, str, str]] = field(default_factory=list)  # kind, reason, subject
    warnings: list[str] = field(default_factory=list)
    unused: set[str] = field(
        default_factory=set
    )  # files of the manager's lists that only repeat what others say better


def import_dump(files: Mapping[str, bytes], *, subjects: model.Subjects, at: datetime) -> Imported:
    """The history that a dump's files tell. ``files`` maps paths to contents, ``at`` is the moment of importing."""
    found = _Collected()
    logs: dict[str, bytes] = {}
    for path in sorted(files):
        content = logtext.from_utf16(files[path])
        if dump_logs.is_log_name(path):
            logs[path] = content
        elif looks_like_json(content):
            _read_json(path, content, found=found, at=at)
        elif path.endswith((".json", ".jsonl")) and content.strip():
            _broken(path, Broken(offset=0, reason="not JSON"), kind=_kind_in_name(path), found=found)
    seen = sorted(found.objects.values(), key=_server_order)
    read = dump_logs.read_logs(logs, pods=[item.object for item in seen if item.kind == "pods"])
    found.warnings.extend(read.warnings)
    body: list[t.Any] = [*seen, *_logs_as_records(read, at), *_gaps(found, read, at), *_stores(found, at)]
    kinds = sorted(
        {item.kind for item in seen}
        | ({"logs"} if read.logs else set())
        | ({"store"} if any(not target for _at, _backups, target in found.stores) else set())
    )
    start = model.Start(number=1, at=at, subjects=subjects, origin="dump", kinds=tuple(kinds))
    end = model.End(number=1, at=at, reason="dump")
    records = tuple(replace(record, number=number) for number, record in enumerate([start, *body, end], start=1))
    contents = {log.path: log.content for log in read.logs}
    return Imported(history=model.History(records=records, logs=contents), warnings=tuple(found.warnings))


def backups_of_keys(keys: Iterable[Mapping[str, t.Any]]) -> tuple[model.StoredBackup, ...]:
    """The backups that a listing of a store's keys shows (``Key``, ``LastModified``), in the listing's order."""
    found = []
    for entry in keys:
        key = objects.text(entry, "Key")
        match = _BACKUP_KEY.search(key)
        if match is not None:
            modified = objects.text(entry, "LastModified")
            found.append(
                model.StoredBackup(volume=match.group(1), name=match.group(2), key=key, last_modified=modified)
            )
    return tuple(found)


def _read_json(path: str, content: bytes, *, found: _Collected, at: datetime) -> None:
    kind, foreign = "", 0
    for document in read_documents(content):
        if isinstance(document, Broken):
            _broken(path, document, kind=kind or _kind_in_name(path), found=found)
            continue
        taken = _take(document.value, path=path, offset=document.offset, found=found, at=at)
        kind = taken or kind
        foreign += taken is None
    if foreign:
        found.warnings.append(f"{path}: {foreign} JSON document(s) that are nothing a history knows; left out")


def _take(value: t.Any, *, path: str, offset: int, found: _Collected, at: datetime) -> str | None:
    """Records what a document holds; its kind ("" for one that is known and not needed), None for a foreign one."""
    if isinstance(value, list):
        return _take_list(value, path=path, offset=offset, found=found, at=at)
    if not isinstance(value, dict):
        return None
    change = value.get("type")
    if change == "BOOKMARK" and isinstance(value.get("object"), dict):
        return ""
    if change == "ERROR" and isinstance(value.get("object"), dict):
        reason = objects.text(value["object"], "message") or "the watch ended with an error"
        found.gaps.append((_kind_in_name(path) or "dump", f"{path}, byte {offset}: {reason}", ""))
        return ""
    if change in _CHANGES and isinstance(value.get("object"), dict):
        return _object(value["object"], change=change, via="watch", path=path, offset=offset, found=found, at=at)
    listed = _take_listing(value, path=path, offset=offset, found=found)
    if listed is not None:
        return listed
    if isinstance(value.get("items"), list) and objects.text(value, "kind").endswith("List"):
        return _items(value, path=path, offset=offset, found=found, at=at)
    return _object(value, change="ADDED", via="list", path=path, offset=offset, found=found, at=at)


def _take_listing(value: dict[str, t.Any], *, path: str, offset: int, found: _Collected) -> str | None:
    """A list of the manager or of a store, alone or with the moment it was made; None for anything else."""
    if isinstance(value.get("list"), list) and "volume" in value:
        return _managers(value["list"], at=parse_time(objects.text(value, "t")), path=path, found=found)
    if value.get("type") == "collection" and isinstance(value.get("data"), list):
        return _managers(value["data"], at=None, path=path, found=found)
    if value.get("type") == "error" and "code" in value:
        found.warnings.append(f"{path}, byte {offset}: the manager answered: {objects.text(value, 'message')[:200]}")
        return ""
    if isinstance(value.get("objects"), list) and "t" in value:
        moment = parse_time(objects.text(value, "t"))
        found.stores.append((moment, backups_of_keys(objects.items(value, "objects")), ""))
        return "store"
    return None


def _take_list(value: list[t.Any], *, path: str, offset: int, found: _Collected, at: datetime) -> str | None:
    entries = [item for item in value if isinstance(item, dict)]
    if entries and all("Key" in item for item in entries):
        found.stores.append((None, backups_of_keys(entries), ""))
        return "store"
    if entries and all(objects.text(item, "type") in _MANAGERS and "links" in item for item in entries):
        return _managers(entries, at=None, path=path, found=found)
    kinds = [_take(item, path=path, offset=offset, found=found, at=at) for item in entries]
    return next((kind for kind in kinds if kind is not None), None)


def _managers(entries: list[t.Any], *, at: datetime | None, path: str, found: _Collected) -> str:
    """A list of Longhorn's manager. Backups are taken: the manager reads them from the store, which others may not.

    Its other lists have no resourceVersion, so nothing can be ordered by them; the objects themselves say the same.
    """
    own = [item for item in entries if isinstance(item, dict)]
    backups = tuple(
        model.StoredBackup(
            volume=objects.text(item, "volumeName"),
            name=objects.text(item, "name"),
            key=objects.text(item, "url"),
            last_modified=objects.text(item, "created"),
            snapshot=objects.text(item, "snapshotName"),
            labels={str(name): str(value) for name, value in objects.mapping(item, "labels").items()},
            created=objects.text(item, "snapshotCreated"),
        )
        for item in own
        if objects.text(item, "type") == "backup" and objects.text(item, "name") and objects.text(item, "volumeName")
    )
    if backups:
        found.stores.append((at, backups, model.MANAGER_LIST))
    elif own and path not in found.unused:
        found.unused.add(path)
        found.warnings.append(f"{path}: lists of the manager that tell no order; the watched objects are used instead")
    return ""


def _items(document: Mapping[str, t.Any], *, path: str, offset: int, found: _Collected, at: datetime) -> str:
    """A list's items; those of a typed list from the API itself do not say what they are."""
    kind = objects.text(document, "kind").removesuffix("List")
    own = {"apiVersion": document.get("apiVersion"), "kind": kind} if kind else {}
    plural = ""
    for item in objects.items(document, "items"):
        taken = _object({**own, **item}, change="ADDED", via="list", path=path, offset=offset, found=found, at=at)
        plural = taken or plural
    return plural


def _object(
    document: Mapping[str, t.Any],
    *,
    change: model.Change,
    via: model.Via,
    path: str,
    offset: int,
    found: _Collected,
    at: datetime,
) -> str | None:
    if not objects.text(document, "kind") or not objects.text(document, "apiVersion"):
        return None
    plural = objects.plural_of(document)
    if plural is None:
        return ""
    try:
        meta = objects.meta_of(document)
    except objects.ObjectError as error:
        found.gaps.append((plural, f"{path}, byte {offset}: {error}", ""))
        found.warnings.append(f"{path}, byte {offset}: {error}; left out")
        return plural
    identity = (plural, meta.uid, meta.version, change == "DELETED")
    before = found.objects.get(identity)
    if before is None or before.via == "list":
        found.objects[identity] = model.ObjectSeen(
            number=1, at=at, kind=plural, change=change, object=_without_managed_fields(document), via=via
        )
    return plural


def _without_managed_fields(document: Mapping[str, t.Any]) -> Mapping[str, t.Any]:
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return document
    return {**document, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}


def _server_order(seen: model.ObjectSeen) -> tuple[int, str, str, bool]:
    meta = objects.meta_of(seen.object)
    return meta.version, seen.kind, meta.uid, seen.change == "DELETED"


def _broken(path: str, broken: Broken, *, kind: str, found: _Collected) -> None:
    found.gaps.append((kind or "dump", f"{path}, byte {broken.offset}: broken JSON: {broken.reason}", ""))
    found.warnings.append(f"{path}, byte {broken.offset}: broken JSON ({broken.reason}); the rest of the file is kept")


def _kind_in_name(path: str) -> str:
    """What a file that cannot be read was about, as far as its name says."""
    words = set(re.split(r"[^a-z0-9]+", path.rpartition("/")[2].lower()))
    known = [*dict.fromkeys(objects.PLURALS.values())]
    return next((kind for kind in known if kind in words), "store" if "s3" in words else "")


def _logs_as_records(read: dump_logs.Logs, at: datetime) -> list[model.Log]:
    records = []
    for log in read.logs:
        opened = model.Log(
            number=1,
            at=at,
            pod_uid=log.pod_uid,
            pod=log.pod,
            container=log.container,
            attempt=log.attempt,
            state="opened",
            path=log.path,
        )
        size, origin = len(log.content), f"imported from {log.origin}"
        records += [opened, replace(opened, state="closed", bytes=size, complete=log.complete, reason=origin)]
    return records


def _gaps(found: _Collected, read: dump_logs.Logs, at: datetime) -> list[model.Gap]:
    lost = [("logs", reason, pod) for pod, reason in read.gaps]
    return [
        model.Gap(number=1, at=at, kind=kind, reason=reason, subject=subject)
        for kind, reason, subject in [*found.gaps, *lost]
    ]


def _stores(found: _Collected, at: datetime) -> list[model.Store]:
    """Listings in their writer's order; one that does not say when it was made counts as the last."""
    timed = sorted((item for item in found.stores if item[0] is not None), key=lambda item: t.cast(datetime, item[0]))
    untimed = [item for item in found.stores if item[0] is None]
    return [
        model.Store(number=1, at=moment or at, target=target, backups=backups)
        for moment, backups, target in [*timed, *untimed]
    ]
