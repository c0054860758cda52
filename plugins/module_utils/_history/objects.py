# SPDX-License-Identifier: GPL-3.0-or-later
"""API objects as frozen facts: the one place that knows where a field is in Kubernetes' or Longhorn's JSON.

Histories come from any cluster and any hand, so every field may be missing or of the wrong type; then the fact has an
empty value. Only an object without a kind of its own, a name or a UID is refused.

Facts are named tuples because a large history has millions: a frozen dataclass takes several times as long to make.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from sys import intern

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import JsonObject
from ansible_collections.longhorn.qa.plugins.module_utils._history.times import parse_time

# apiVersion's group and kind of what a history holds, to the plural that names it there.
PLURALS: Mapping[tuple[str, str], str] = {
    ("batch", "CronJob"): "cronjobs",
    ("batch", "Job"): "jobs",
    ("", "Pod"): "pods",
    ("", "Event"): "events",
    ("events.k8s.io", "Event"): "events",
    ("longhorn.io", "Engine"): "engines",
    ("longhorn.io", "Volume"): "volumes",
    ("longhorn.io", "RecurringJob"): "recurringjobs",
    ("longhorn.io", "Snapshot"): "snapshots",
    ("longhorn.io", "Backup"): "backups",
}
TRIGGERED_LABEL = "longhorn.qa/triggered"
MANUAL_ANNOTATION = "cronjob.kubernetes.io/instantiate"
VOLUME_LABEL = "longhornvolume"
BACKUP_VOLUME_LABEL = "backup-volume"
JOB_LABEL = "RecurringJob"

_NO_OWNER = ("", "", "")
_NOTHING: Mapping[str, t.Any] = {}
_TICK = re.compile(r"-(\d{8,10})$")


# A Job gives up long before, and a history may be forged: whoever goes through the starts must come to an end.
MAX_RESTARTS = 100
_MAX_DIGITS = 20  # of a resourceVersion: it is an unsigned integer of 64 bits


class ObjectError(ValueError):
    """Not an object that a history can hold; the message says what is missing."""


class Meta(t.NamedTuple):
    name: str
    uid: str
    version: int  # resourceVersion, the server's own order; 0 when it is not a number
    created: datetime | None = None
    owner_kind: str = ""
    owner_name: str = ""
    owner_uid: str = ""
    generation: int = 0  # 1: the spec is as it was made


class CronJobFact(t.NamedTuple):
    meta: Meta
    schedule: str
    time_zone: str
    suspended: bool
    last_schedule: datetime | None


class JobFact(t.NamedTuple):
    meta: Meta
    by_hand: bool
    complete: bool
    failed: bool
    reason: str  # of the Failed condition
    started: datetime | None
    ended: datetime | None  # completion, or when the Failed condition came

    @property
    def over(self) -> bool:
        return self.complete or self.failed


class ContainerRun(t.NamedTuple):
    """One start of a container, as a pod's status shows it."""

    attempt: int
    started: datetime | None
    finished: datetime | None
    exit_code: int | None


class PodFact(t.NamedTuple):
    meta: Meta
    container: str
    restarts: int
    runs: tuple[ContainerRun, ...]  # those the status still tells about


class EventFact(t.NamedTuple):
    meta: Meta
    kind: str
    name: str
    uid: str
    reason: str
    message: str
    source: str
    occurrences: int
    last_seen: datetime | None


class SnapshotFact(t.NamedTuple):
    name: str
    job: str  # the RecurringJob label; empty for anybody else's snapshot
    removed: bool = False  # marked so: it waits for a purge


class BackupFact(t.NamedTuple):
    name: str
    snapshot: str
    state: str
    url: str


class EngineFact(t.NamedTuple):
    meta: Meta
    volume: str
    known: bool  # whether the engine had told anything yet
    snapshots: tuple[SnapshotFact, ...]
    backups: tuple[BackupFact, ...]
    replicas: tuple[str, ...]  # addresses


class RecurringJobFact(t.NamedTuple):
    meta: Meta
    executions: int | None  # starts of the job's process; None where the release does not count them


class ArtefactFact(t.NamedTuple):
    """Longhorn's own object of a snapshot or a backup. It stays, Terminating, until what it stands for is deleted."""

    meta: Meta
    volume: str
    job: str  # the RecurringJob label; empty for anybody else's
    asked_for: bool  # somebody made the object to have the thing made; else it mirrors one that was there
    made: datetime | None  # when the thing itself was
    deleting: datetime | None  # since when it is Terminating
    snapshot: str  # of a backup
    state: str  # of a backup
    error: str
    messages: tuple[str, ...]


Fact = t.Union[CronJobFact, JobFact, PodFact, EventFact, EngineFact, RecurringJobFact, ArtefactFact]


def plural_of(document: JsonObject) -> str | None:
    """Which kind of a history an API object is, by its own apiVersion and kind."""
    version, kind = text(document, "apiVersion"), text(document, "kind")
    group = version.rpartition("/")[0]
    return PLURALS.get((group, kind))


def meta_of(document: JsonObject, *, named_often: bool = False) -> Meta:
    """The object's identity, or ObjectError. Written to be fast: there is one for each record of a history.

    ``named_often``: other objects, or its own other versions, will name it too, so its names are kept once.
    """
    metadata = mapping(document, "metadata")
    get = metadata.get
    name, uid, version, created = get("name"), get("uid"), get("resourceVersion"), get("creationTimestamp")
    if not (name and uid and isinstance(name, str) and isinstance(uid, str)):
        lacking = "uid" if name and isinstance(name, str) else "name"
        raise ObjectError(f"an object without metadata.{lacking}")
    if named_often:
        name, uid = intern(name), intern(uid)
    owner_kind, owner_name, owner_uid = _owner(metadata) if "ownerReferences" in metadata else _NO_OWNER
    return Meta(
        name,
        uid,
        version_number(version) if isinstance(version, str) else 0,
        parse_time(created) if isinstance(created, str) else None,
        owner_kind,
        owner_name,
        owner_uid,
        (number(metadata, "generation") or 0) if "generation" in metadata else 0,
    )


def _owner(metadata: Mapping[str, t.Any]) -> tuple[str, str, str]:
    """Kind, name and UID of the owner that manages the object, else of the first one."""
    owners = items(metadata, "ownerReferences")
    if not owners:
        return _NO_OWNER
    owner = next((one for one in owners if one.get("controller")), owners[0]) if len(owners) > 1 else owners[0]
    return intern(text(owner, "kind")), intern(text(owner, "name")), intern(text(owner, "uid"))


def version_number(resource_version: str) -> int:
    """resourceVersions are the server's only order, and numbers in every Kubernetes there is."""
    right = resource_version.isascii() and resource_version.isdigit() and len(resource_version) <= _MAX_DIGITS
    return int(resource_version) if right else 0


def tick_of(job_name: str) -> datetime | None:
    """The scheduled time in a Job's name: unix minutes (controller v2) or unix seconds (v1)."""
    match = _TICK.search(job_name)
    if match is None:
        return None
    number = int(match.group(1))
    seconds = number if number >= 1_000_000_000 else number * 60
    return datetime.fromtimestamp(seconds, tz=timezone.utc)


def cronjob(document: JsonObject) -> CronJobFact:
    spec, status = mapping(document, "spec"), mapping(document, "status")
    return CronJobFact(
        meta=meta_of(document, named_often=True),
        schedule=text(spec, "schedule"),
        time_zone=text(spec, "timeZone"),
        suspended=spec.get("suspend") is True,
        last_schedule=moment(status, "lastScheduleTime"),
    )


def job(document: JsonObject) -> JobFact:
    metadata, status = mapping(document, "metadata"), mapping(document, "status")
    labels, annotations = mapping(metadata, "labels"), mapping(metadata, "annotations")
    conditions = {text(item, "type"): item for item in items(status, "conditions") if text(item, "status") == "True"}
    failed = conditions.get("Failed")
    complete = conditions.get("Complete")
    reason = text(failed, "reason") if failed else ""
    started = moment(status, "startTime")
    ended = moment(status, "completionTime") or moment(failed or complete or _NOTHING, "lastTransitionTime")
    by_hand = TRIGGERED_LABEL in labels or TRIGGERED_LABEL in annotations
    by_hand = by_hand or annotations.get(MANUAL_ANNOTATION) == "manual"
    meta = meta_of(document, named_often=True)
    return JobFact(meta, by_hand, complete is not None, failed is not None, reason, started, ended)


def pod(document: JsonObject) -> PodFact:
    container = _first(mapping(document, "status"), "containerStatuses")
    restarts = min(number(container, "restartCount") or 0, MAX_RESTARTS)
    runs = []
    for attempt, state in ((restarts, mapping(container, "state")), (restarts - 1, mapping(container, "lastState"))):
        run = _run(attempt, state)
        if run is not None and attempt >= 0:
            runs.append(run)
    name = text(container, "name") or text(_first(mapping(document, "spec"), "containers"), "name")
    return PodFact(meta_of(document), name, restarts, tuple(runs))


def event(document: JsonObject) -> EventFact:
    """An Event of either API; events.k8s.io names the same things differently and counts in a series."""
    involved = mapping(document, "involvedObject") or mapping(document, "regarding")
    series = mapping(document, "series")
    kind, name, uid = intern(text(involved, "kind")), intern(text(involved, "name")), intern(text(involved, "uid"))
    reason = intern(text(document, "reason"))
    message = text(document, "message") or text(document, "note")
    source = text(mapping(document, "source"), "component") or text(mapping(document, "deprecatedSource"), "component")
    source = intern(source or text(document, "reportingComponent") or text(document, "reportingController"))
    count = number(series, "count") or number(document, "count") or number(document, "deprecatedCount") or 1
    last_seen = moment(series, "lastObservedTime") or moment(document, "lastTimestamp")
    last_seen = last_seen or moment(document, "deprecatedLastTimestamp") or moment(document, "eventTime")
    return EventFact(meta_of(document), kind, name, uid, reason, message, source, count, last_seen)


def engine(document: JsonObject) -> EngineFact:
    spec, status = mapping(document, "spec"), mapping(document, "status")
    volume = text(spec, "volumeName") or text(mapping(mapping(document, "metadata"), "labels"), VOLUME_LABEL)
    known = isinstance(status.get("snapshots"), dict)
    snapshots = [
        _snapshot_fact(name, text(mapping(entry, "labels"), JOB_LABEL), entry.get("removed") is True)
        for name, entry in _entries(status, "snapshots")
        if name != "volume-head"
    ]
    backups = [
        BackupFact(name, text(entry, "snapshotName"), text(entry, "state"), text(entry, "backupURL"))
        for name, entry in _entries(status, "backupStatus")
    ]
    replicas = tuple(str(value) for value in mapping(status, "currentReplicaAddressMap").values())
    meta = meta_of(document, named_often=True)
    return EngineFact(meta, intern(volume), known, tuple(snapshots), tuple(backups), replicas)


@lru_cache(maxsize=4096)  # an engine shows all its snapshots again in each of its versions
def _snapshot_fact(name: str, job: str, removed: bool) -> SnapshotFact:
    return SnapshotFact(name, intern(job), removed)


def recurring_job(document: JsonObject) -> RecurringJobFact:
    """Of either version, v1beta1 or v1beta2."""
    return RecurringJobFact(
        meta=meta_of(document),
        executions=number(mapping(document, "status"), "executionCount"),
    )


def snapshot(document: JsonObject) -> ArtefactFact:
    """A Snapshot object, of Longhorn's own group."""
    spec, status = mapping(document, "spec"), mapping(document, "status")
    labels = mapping(mapping(document, "metadata"), "labels")
    return ArtefactFact(
        meta=meta_of(document),
        volume=text(spec, "volume") or text(labels, VOLUME_LABEL),
        job=_job_of(spec, status),
        asked_for=spec.get("createSnapshot") is True,
        made=moment(status, "creationTime"),
        deleting=moment(mapping(document, "metadata"), "deletionTimestamp"),
        snapshot="",
        state="",
        error=text(status, "error"),
        messages=(),
    )


def backup(document: JsonObject) -> ArtefactFact:
    """A Backup object of either version, v1beta1 or v1beta2."""
    spec, status = mapping(document, "spec"), mapping(document, "status")
    labels = mapping(mapping(document, "metadata"), "labels")
    return ArtefactFact(
        meta=meta_of(document),
        volume=text(labels, BACKUP_VOLUME_LABEL) or text(status, "volumeName"),
        job=_job_of(spec, status),
        asked_for=bool(text(spec, "snapshotName")),
        made=moment(status, "backupCreatedAt"),
        deleting=moment(mapping(document, "metadata"), "deletionTimestamp"),
        snapshot=text(spec, "snapshotName") or text(status, "snapshotName"),
        state=text(status, "state"),
        error=text(status, "error"),
        messages=tuple(str(value) for value in mapping(status, "messages").values()),
    )


def _job_of(spec: Mapping[str, t.Any], status: Mapping[str, t.Any]) -> str:
    """What was asked for, or what was found: an object that mirrors something has no labels of its own."""
    return text(mapping(spec, "labels"), JOB_LABEL) or text(mapping(status, "labels"), JOB_LABEL)


def mapping(document: Mapping[str, t.Any], key: str) -> Mapping[str, t.Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else _NOTHING


def items(document: Mapping[str, t.Any], key: str) -> list[Mapping[str, t.Any]]:
    value = document.get(key)
    if not value or not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, dict)]


def _first(document: Mapping[str, t.Any], key: str) -> Mapping[str, t.Any]:
    return next(iter(items(document, key)), _NOTHING)


def text(document: Mapping[str, t.Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def number(document: Mapping[str, t.Any], key: str) -> int | None:
    value = document.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def moment(document: Mapping[str, t.Any], key: str) -> datetime | None:
    value = document.get(key)
    return parse_time(value) if value and isinstance(value, str) else None


def _entries(document: Mapping[str, t.Any], key: str) -> list[tuple[str, Mapping[str, t.Any]]]:
    return [(str(name), entry) for name, entry in mapping(document, key).items() if isinstance(entry, dict)]


def _run(attempt: int, state: Mapping[str, t.Any]) -> ContainerRun | None:
    running, ended = mapping(state, "running"), mapping(state, "terminated")
    if not running and not ended:
        return None
    return ContainerRun(
        attempt=attempt,
        started=moment(running or ended, "startedAt"),
        finished=moment(ended, "finishedAt"),
        exit_code=number(ended, "exitCode"),
    )
