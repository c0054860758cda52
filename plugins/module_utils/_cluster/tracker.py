# SPDX-License-Identifier: GPL-3.0-or-later
"""Which invocations a recording has seen, and whether each is over as far as the recording goes.

It only answers "may we stop?" and "what is ours?"; what the invocations mean is the judge's business.
"""

from __future__ import annotations

import re
import threading
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.trigger import finished
from ansible_collections.longhorn.qa.plugins.module_utils._history import objects
from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Cell
from ansible_collections.longhorn.qa.plugins.module_utils._history.times import parse_time

_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_SAW = re.compile(r"Saw completed job: (?P<job>[^,]+), status: \w+")
MANAGER = "longhorn-manager"
_ENGINE_MANAGER = re.compile(r"instance-manager-e-.+")
_OF_JOB = ("job-name", "batch.kubernetes.io/job-name")

Document = Mapping[str, t.Any]


def metadata(document: Document) -> Document:
    """The object's metadata, also of half an object."""
    return document.get("metadata") or {}


def owner_named(document: Document, kind: str) -> str:
    """The name of the object's controller of this kind, or empty."""
    owners = metadata(document).get("ownerReferences") or ()
    return next((str(o.get("name", "")) for o in owners if o.get("kind") == kind and o.get("controller")), "")


def job_of_pod(pod: Document) -> str:
    """The name of the Job that the pod belongs to, or empty."""
    labels = metadata(pod).get("labels") or {}
    return owner_named(pod, "Job") or next((str(labels[name]) for name in _OF_JOB if name in labels), "")


def is_daemon(pod: Document) -> bool:
    """Whether it is one of Longhorn's own pods whose log is evidence."""
    labels = metadata(pod).get("labels") or {}
    if labels.get("longhorn.io/component") == "instance-manager":
        return _ENGINE_MANAGER.fullmatch(str(metadata(pod).get("name", ""))) is not None
    return labels.get("app") == MANAGER


def tick_of(job: Document, cronjob: str) -> datetime | None:
    """The moment a Job was scheduled for, as the server wrote it down; None for one that was made by hand."""
    stated = (metadata(job).get("annotations") or {}).get(_SCHEDULED)
    if stated:
        return parse_time(str(stated))
    suffix = str(metadata(job).get("name", "")).removeprefix(f"{cronjob}-")
    if re.fullmatch(r"\d{8}", suffix):
        return datetime.fromtimestamp(int(suffix) * 60, UTC)
    return datetime.fromtimestamp(int(suffix), UTC) if re.fullmatch(r"\d{10}", suffix) else None


def volume_of(document: Document) -> str:
    """The volume that an engine, a snapshot or a backup is of."""
    spec, labels = document.get("spec") or {}, metadata(document).get("labels") or {}
    labelled = labels.get(objects.VOLUME_LABEL) or labels.get(objects.BACKUP_VOLUME_LABEL, "")
    return str(spec.get("volumeName") or spec.get("volume") or labelled)


class Ours:
    """Which objects belong to the run; the others are not recorded."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self.cells: dict[str, tuple[Cell, ...]] = {}  # by CronJob, which since 1.2 works for several volumes
        for cell in cells:
            self.cells[cell.cronjob] = (*self.cells.get(cell.cronjob, ()), cell)
        self._volumes = {cell.volume for together in self.cells.values() for cell in together}
        self._prefixes = tuple(f"{name}-" for name in self.cells)

    def wants(self, kind: str, document: Document) -> bool:
        """Whether a recording keeps this object."""
        name = str(metadata(document).get("name", ""))
        if kind in ("cronjobs", "recurringjobs"):
            return name in self.cells
        if kind == "jobs":
            return owner_named(document, "CronJob") in self.cells or name.startswith(self._prefixes)
        if kind == "pods":
            return is_daemon(document) or job_of_pod(document).startswith(self._prefixes)
        if kind == "events":
            return self._about_us(document.get("involvedObject") or document.get("regarding") or {})
        if kind == "volumes":
            return name in self._volumes
        return volume_of(document) in self._volumes

    def _about_us(self, about: Document) -> bool:
        name = str(about.get("name", ""))
        if name in self.cells or name in self._volumes or name.startswith(self._prefixes):
            return True
        return about.get("kind") not in ("CronJob", "Job", "Pod") and name.startswith(
            tuple(f"{v}-" for v in self._volumes)
        )


@dataclass
class Invocation:
    """One Job of one of our CronJobs."""

    uid: str
    name: str
    cronjob: str
    counts: bool  # it began after the recording did
    over_since: float | None = None  # monotonic
    told: bool = False  # the CronJob's event says that it completed
    pods: set[str] = field(default_factory=set)
    stored: bool = False  # the store was listed after it


@dataclass
class Tracker:
    """Fed by the watches, asked by the main loop. Safe to use from several threads."""

    cronjobs: t.Collection[str]
    started: datetime  # the server's clock when the recording began
    monotonic: t.Callable[[], float]
    settle: float  # seconds after the Job's end in which other sources catch up
    grace: float  # longest wait for the event that says so
    invocations: dict[str, Invocation] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)  # names of Jobs that an event says are completed
    _pods: dict[str, set[str]] = field(default_factory=dict)  # UIDs of pods, by the name of their Job
    _mutex: threading.RLock = field(default_factory=threading.RLock)

    def job(self, document: Document, *, deleted: bool = False, baseline: bool = False) -> None:
        """A Job as the watch told it."""
        cronjob = owner_named(document, "CronJob")
        uid = str(metadata(document).get("uid", ""))
        if cronjob not in self.cronjobs or not uid:
            return
        with self._mutex:
            known = self.invocations.get(uid)
            if known is None:
                tick = tick_of(document, cronjob)
                counts = not baseline and (tick is None or tick >= self.started)
                # The CronJob controller does not take up Jobs made by hand, so nothing will tell of them.
                name = str(metadata(document).get("name", ""))
                told = name in self._told or objects.TRIGGERED_LABEL in (metadata(document).get("labels") or {})
                known = Invocation(uid, name, cronjob, counts, told=told, pods=self._pods.setdefault(name, set()))
                self.invocations[uid] = known
            if known.over_since is None and (deleted or finished(document)):
                known.over_since = self.monotonic()

    def only(self, uids: t.Container[str]) -> None:
        """These are all Jobs that there are; of the others the end was not told."""
        with self._mutex:
            for known in self.invocations.values():
                if known.over_since is None and known.uid not in uids:
                    known.over_since = self.monotonic()

    def pod(self, document: Document) -> None:
        """A pod of a Job, which may come later: its log has to be read before the invocation is settled."""
        with self._mutex:
            self._pods.setdefault(job_of_pod(document), set()).add(str(metadata(document).get("uid", "")))

    def event(self, document: Document) -> None:
        """An event: the one that says the CronJob saw the Job complete ends the wait for it."""
        match = _SAW.search(str(document.get("message") or document.get("note") or ""))
        if match is None:
            return
        with self._mutex:
            self._told.add(match["job"])  # watches are independent: the Job itself may come later
            for invocation in self.invocations.values():
                if invocation.name == match["job"]:
                    invocation.told = True

    def settled(self, invocation: Invocation, open_logs: t.Callable[[set[str]], int]) -> bool:
        """Whether nothing more is to come of it."""
        if invocation.over_since is None or open_logs(invocation.pods):
            return False
        since = self.monotonic() - invocation.over_since
        return since >= (self.settle if invocation.told else max(self.settle, self.grace))

    def counted(self, cronjob: str) -> list[Invocation]:
        """The invocations of this recording, in the order they were seen."""
        with self._mutex:
            return [one for one in self.invocations.values() if one.cronjob == cronjob and one.counts]

    def running(self, cronjob: str) -> bool:
        """Whether a Job of the CronJob is active, older ones included."""
        with self._mutex:
            return any(one.cronjob == cronjob and one.over_since is None for one in self.invocations.values())
