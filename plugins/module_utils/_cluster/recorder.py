# SPDX-License-Identifier: GPL-3.0-or-later
"""Records what happens to the cells of a run, until enough has happened.

One LIST and WATCH per kind, one stream per container run, listings of the store; everything is appended to one history
by one writer. Jobs are listed last, so that all that a counted Job made is watched from before it began. It decides
nothing but when to stop.
"""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, Listing, Object
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    ApiFailure,
    Forbidden,
    LonghornQAError,
    NotFound,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.feed import SILENCE, Feed, Streams
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.history_dir import HistoryWriter, read_history
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.logs import LogKeeper
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.resume import Earlier, earlier
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.tracker import (
    Invocation,
    Ours,
    Tracker,
    is_daemon,
    metadata,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.trigger import next_name, trigger
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import Backoff, Clock
from ansible_collections.longhorn.qa.plugins.module_utils._history import model

KINDS = tuple(candidates[0].plural for candidates in kinds.OBSERVED)
T = t.TypeVar("T")
Reason = t.Literal["invocations", "deadline", "interrupted"]
_LOOK = 0.2
_BEFORE = timedelta(seconds=5)  # how far before the recording the logs of Longhorn's own pods are kept
_PATIENCE = 30.0  # for the triggered Job to come by the watch
_AGAIN = 3.0  # until a Job that could not be triggered is tried again
_PROOF = 10.0  # for the watches to show that they have told everything


class StoreSource(t.Protocol):
    """Something that can list the backups of volumes in a store."""

    @property
    def target(self) -> str:
        """How the store is called, without secrets."""

    def backups(self, volumes: Iterable[str]) -> tuple[model.StoredBackup, ...]:
        """What the store has, or LonghornQAError."""


@dataclass(frozen=True)
class Plan:
    """What is to be recorded, and for how long."""

    subjects: model.Subjects
    invocations: int
    timeout: float
    trigger: bool = False  # run the next invocation as soon as the one before is over, instead of waiting for ticks
    settle: float = 6.0  # after a Job's end, for Longhorn's own refresh of its status
    grace: float = 20.0  # after a Job's end, for the event that tells it
    silence: float = SILENCE  # longest wait for a byte of a watch or a log before the connection is made anew
    later: tuple[Kind, ...] = ()  # kinds to watch besides those that every release has

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that are watched."""
        return (*KINDS, *(kind.plural for kind in self.later))


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    ended: Reason
    invocations: dict[str, int]  # by volume


@dataclass
class Recorder:
    """One recording. ``run`` blocks until it is over; ``interrupt`` ends it from a signal handler."""

    client: Client
    writer: HistoryWriter
    plan: Plan
    clock: Clock
    streams: Streams = field(default_factory=Streams)
    store: StoreSource | None = None
    backoff: Callable[[Clock], Backoff] = lambda clock: Backoff(clock=clock, longest=5.0)
    _failure: BaseException | None = field(default=None, init=False)
    _interrupted: threading.Event = field(default_factory=threading.Event, init=False)
    _listed: set[str] = field(default_factory=set, init=False)
    _lost: set[str] = field(default_factory=set, init=False)
    _earlier: Earlier | None = field(default=None, init=False)
    _resumed: datetime | None = field(default=None, init=False)
    _watches: list[Feed] = field(default_factory=list, init=False)
    _store_again: float = field(default=0.0, init=False)
    _enough_since: float = field(default=0.0, init=False)
    _triggered: dict[str, tuple[str, float]] = field(default_factory=dict, init=False)  # CronJob: Job's UID, when

    def run(self) -> Outcome:
        """Records until the invocations are done, the deadline, or an interruption."""
        self._prepare()
        self._watches = self._feeds()
        threads = [threading.Thread(target=self._feeding, args=(feed,), daemon=True) for feed in self._watches]
        self._list_store()
        for thread in threads:
            thread.start()
        try:
            reason = self._until_over()
            self._admit_silence(reason)
            self._stop_watching(threads)
            if self._failure is None:
                self._keeper.conclude()  # after the watches, so that what they told stands in the logs too
        finally:
            self._stop_watching(threads)
            self._keeper.stop(2.0)
        if self._failure is not None:
            raise self._failure
        self._tell_clock()
        self.writer.end(reason)
        return Outcome(
            reason, {cell.volume: len(self._tracker.counted(cell.cronjob)) for cell in self.plan.subjects.cells}
        )

    def _stop_watching(self, threads: list[threading.Thread]) -> None:
        self.streams.stop()
        for thread in threads:
            thread.join(2.0)

    def interrupt(self) -> None:
        """Ends the recording soon; what is recorded stays."""
        self._interrupted.set()

    # -- what the feeds tell (Sink)

    def listed(self, kind: str, listing: Listing) -> None:
        """A complete list."""
        first = kind not in self._listed
        if first and self._earlier is not None:
            self.writer.gap(kind, "it was not listed yet", since=self._resumed, until=self.clock.now())
        for document in listing.items:
            if self._ours.wants(kind, document):
                self.writer.object(kind, "ADDED", document, via="list")
                self._learn(kind, document, first=first)
        if kind == "pods" and first:
            self._close_lost_logs(listing)
        if not first:
            self._learn_ends(kind, {str(metadata(document).get("uid", "")) for document in listing.items})
        self.writer.listed(kind, listing.resource_version)
        self._listed.add(kind)

    def changed(self, kind: str, change: str, document: Object) -> None:
        """One change."""
        if self._ours.wants(kind, document):
            self.writer.object(kind, t.cast(model.Change, change), document)
            self._learn(kind, document, deleted=change == "DELETED")

    def missed(self, kind: str, reason: str, *, since: datetime | None, until: datetime | None) -> None:
        """Changes between these moments may be unknown."""
        self.writer.gap(kind, reason, since=since, until=until)
        if until is None:
            self._lost.add(kind)

    def noted(self, text: str) -> None:
        """Something worth telling that lost nothing."""
        self.writer.note(text)

    # -- inside

    def _prepare(self) -> None:
        self._ours = Ours(self.plan.subjects.cells)
        before = earlier(read_history(self.writer.folder)) if self.writer.resumed_after else None
        if before:
            self._admit_absence(before)  # before anything that takes time: the recorder may be killed again
        time = self._patiently(self.client.server_time)
        began = self.clock.now() + timedelta(seconds=time.offset if time else 0.0)
        if time:
            self.writer.clock("apiserver", time.offset)
        began = before.began if before else began
        self._since = (began - _BEFORE).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._tracker = Tracker(
            self._ours.cells, began, self.clock.monotonic, settle=self.plan.settle, grace=self.plan.grace
        )
        self._keeper = LogKeeper(
            self.client, self.writer, self.clock, Streams(), lambda: self.backoff(self.clock), self._fail,
            silence=self.plan.silence,
        )  # fmt: skip
        if before:
            self._take_up(before)

    def _admit_absence(self, before: Earlier) -> None:
        """What happened in between may be missing."""
        self._earlier, self._resumed = before, self.clock.now()
        for kind in self.plan.kinds:
            self.writer.gap(kind, "nobody was recording", since=before.stopped, until=self._resumed)

    def _take_up(self, before: Earlier) -> None:
        """What was recorded earlier counts."""
        before.teach(self._tracker)
        self._keeper.finished |= before.finished_logs

    def _close_lost_logs(self, listing: Listing) -> None:
        """Logs that an earlier recording left open, of pods that are gone now."""
        there = {str(metadata(pod).get("uid", "")) for pod in listing.items}
        for (uid, attempt), record in (self._earlier.open_logs if self._earlier else {}).items():
            if uid in there:
                continue
            reason = "the pod ended and was removed while nobody was recording"
            self.writer.gap("logs", f"attempt {attempt}: {reason}", subject=record.pod)
            path = self.writer.folder / record.path
            size = path.stat().st_size if path.is_file() else 0
            self.writer.log_closed(record, size=size, complete=False, reason=reason)

    def _feeds(self) -> list[Feed]:
        feeds = []
        for candidates in (*kinds.OBSERVED, *((kind,) for kind in self.plan.later)):
            kind = self._served(candidates)
            if kind is not None:
                namespace = self.plan.subjects.namespace
                feeds.append(
                    Feed(
                        kind, namespace, self.client, self, self.clock, self.streams, self.backoff(self.clock),
                        silence=self.plan.silence,
                    )
                )  # fmt: skip
        return feeds

    def _served(self, candidates: tuple[Kind, ...]) -> Kind | None:
        if len(candidates) == 1:
            return candidates[0]
        try:
            return self._patiently(lambda: self.client.first_served(*candidates))
        except NotFound as error:
            self.missed(candidates[0].plural, f"{error.problem}: {error.expected}", since=None, until=None)
            return None

    def _patiently(self, ask: Callable[[], T]) -> T:
        """A server that is away for a while does not end the recording before it has begun."""
        backoff = self.backoff(self.clock)
        while True:
            try:
                return ask()
            except ApiFailure as error:
                if isinstance(error, Forbidden) or self._interrupted.is_set() or not backoff.pause(error.retry_after):
                    raise

    def _feeding(self, feed: Feed) -> None:
        try:
            if feed.kind.plural == "jobs":
                self._await_the_others(feed)
            feed.run()
        except Exception as error:  # noqa: BLE001 - a watch that ends without a word would be the worst outcome
            if not self.streams.stopped.is_set():
                self._fail(error)

    def _await_the_others(self, jobs: Feed) -> None:
        """Whatever a Job that counts makes is watched from before it began: the first list of Jobs is the last one."""
        others = [feed for feed in self._watches if feed is not jobs]
        while not all(feed.begun for feed in others) and not self.streams.stopped.is_set():
            self.clock.sleep(_LOOK)

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error

    def _learn(self, kind: str, document: Object, *, deleted: bool = False, first: bool = False) -> None:
        if kind == "jobs":
            self._tracker.job(document, deleted=deleted, baseline=first and self._earlier is None)
        elif kind == "pods":
            self._learn_pod(document, deleted=deleted, first=first)
        elif kind == "events" and not deleted and not first:
            self._tracker.event(document)

    def _learn_ends(self, kind: str, there: set[str]) -> None:
        """What a later list does not show any more was deleted while nobody could see it."""
        if kind == "jobs":
            self._tracker.only(there)
        elif kind == "pods":
            self._keeper.only(there)

    def _learn_pod(self, pod: Object, *, deleted: bool, first: bool) -> None:
        daemon = is_daemon(pod)
        if not daemon:
            self._tracker.pod(pod)
            if first and self._earlier is None and (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
                return
        old = first and (daemon or self._earlier is None)
        self._keeper.pod_seen(pod, deleted=deleted, old=old, since=self._since if daemon and first else "")

    def _until_over(self) -> Reason:
        """A Job may end while the store is listed for the last time; then that was not the last time."""
        deadline = self.clock.monotonic() + self.plan.timeout
        while True:
            reason = self._until_done(deadline)
            self._list_store_at_last()
            if reason != "invocations" or self._tidy():
                return reason

    def _until_done(self, deadline: float) -> Reason:
        while self._failure is None:
            if self._interrupted.is_set():
                return "interrupted"
            if "jobs" in self._lost:
                self.writer.note("the recording ended early: without a watch of jobs no invocation can be seen")
                return "interrupted"
            if self._enough_of_all() and self._tidy() and self._confirmed() and self._enough_of_all():
                return "invocations"
            if self.clock.monotonic() >= deadline:
                return "deadline"
            self._list_store_after()
            self._keeper.hurry()
            if self.plan.trigger and set(self._listed) >= {"jobs", "pods", "cronjobs"}:
                for cronjob in self._ours.cells:
                    self._trigger_next(cronjob)
            self.clock.sleep(_LOOK)
        return "interrupted"

    def _enough_of_all(self) -> bool:
        return all(self._enough(cronjob) for cronjob in self._ours.cells)

    def _confirmed(self) -> bool:
        """Whether every watch has told all that happened until now: one of them may be stalled, and look quiet."""
        for feed in self._watches:
            feed.confirm()
        deadline = self.clock.monotonic() + _PROOF
        while not all(feed.confirmed for feed in self._watches):
            if self._failure is not None or self.clock.monotonic() >= deadline:
                return False
            self.clock.sleep(_LOOK)
        return True

    def _admit_silence(self, reason: Reason) -> None:
        """Of a watch that cannot show that it has told everything, nobody knows what it has not."""
        if reason == "invocations" or self._failure is not None or self._confirmed():
            return
        for feed in self._watches:
            if not feed.confirmed:
                what = "nothing shows that the watch had told everything when the recording ended"
                self.writer.gap(feed.kind.plural, what, since=feed.alive, until=self.clock.now())

    def _settled(self, invocation: Invocation) -> bool:
        return self._tracker.settled(invocation, self._keeper.open)

    def _enough(self, cronjob: str) -> bool:
        return sum(self._settled(one) for one in self._tracker.counted(cronjob)) >= self.plan.invocations

    def _tidy(self) -> bool:
        """Jobs beyond those wanted that are over are waited for too: of one that is judged nothing may be missing."""
        now = self.clock.monotonic()
        self._enough_since = self._enough_since or now
        over = [one for name in self._ours.cells for one in self._tracker.counted(name) if one.over_since is not None]
        return all(map(self._settled, over)) or now - self._enough_since > self.plan.settle + self.plan.grace

    def _trigger_next(self, cronjob: str) -> None:
        counted = self._tracker.counted(cronjob)
        if (
            len(counted) >= self.plan.invocations
            or self._tracker.running(cronjob)
            or not all(map(self._settled, counted))
        ):
            return
        uid, when = self._triggered.get(cronjob, ("", 0.0))
        if uid and uid not in self._tracker.invocations and self.clock.monotonic() - when < _PATIENCE:
            return
        taken = [one.name for one in self._tracker.invocations.values() if one.cronjob == cronjob]
        try:
            namespace = self.plan.subjects.namespace
            name = next_name(cronjob, taken)
            job, _made = trigger(self.client, namespace=namespace, cronjob=cronjob, name=name)
        except Forbidden:
            raise
        except LonghornQAError as error:  # a tick was faster, or the server is away
            self.writer.note(f"not triggered: {error}")
            self._triggered[cronjob] = ("not made", self.clock.monotonic() - _PATIENCE + _AGAIN)
            return
        self._triggered[cronjob] = (str(metadata(job).get("uid", "")), self.clock.monotonic())

    def _tell_clock(self) -> None:
        try:
            time = self.client.server_time()
        except LonghornQAError:
            return  # the clock at the start stands
        if time:
            self.writer.clock("apiserver", time.offset)

    def _list_store_after(self) -> None:
        """One listing for all backup Jobs that have ended since the last one."""
        over = [
            one
            for cronjob, cells in self._ours.cells.items()
            if any(cell.makes_backups for cell in cells)
            for one in self._tracker.counted(cronjob)
            if one.over_since is not None and not one.stored
        ]
        if over and self.clock.monotonic() >= self._store_again:
            known = self._list_store()
            self._store_again = self.clock.monotonic() + (0.0 if known else _AGAIN)
            for one in over:
                one.stored = known or (one.over_since or 0.0) < self.clock.monotonic() - _PATIENCE

    def _list_store_at_last(self) -> None:
        """The last listing decides most, so it is tried again when it fails."""
        deadline = self.clock.monotonic() + _PATIENCE
        while not self._list_store() and self.clock.monotonic() < deadline and not self._interrupted.is_set():
            self.clock.sleep(_AGAIN)

    def _list_store(self) -> bool:
        """Whether it is known now what the store has."""
        if self.store is None or self._failure is not None:
            return True
        volumes = [cell.volume for cell in self.plan.subjects.cells if cell.makes_backups]
        try:
            self.writer.store(self.store.target, self.store.backups(volumes))
        except LonghornQAError as error:
            self.writer.store(self.store.target, error=str(error))
            return False
        return True
