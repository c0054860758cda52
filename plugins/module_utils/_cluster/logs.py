# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows the logs of pods from the start of each container run to its end, over cuts and restarts.

The log API knows only "the container now" and "the one before it". Which run that is, is told by the pod's status; so
a follower asks for its own run by either name, and says so when its run can no longer be asked for, or when somebody
else's text came in its place. After a cut the watch may not have told yet that another run has begun: where the text
does not go on as it should, or where there was none before, the pod is asked for.

A stream that says nothing may be quiet or stalled. So when the recording ends, each log that has no end yet is read
once more to where it is.
"""

from __future__ import annotations

import copy
import threading
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    ApiFailure,
    Forbidden,
    LonghornQAError,
    NotFound,
    Refused,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.feed import SILENCE, Streams
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.history_dir import HistoryWriter
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.http import Stream
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.log_cursor import LogCursor
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import Backoff, Clock

_LONGEST_WAIT = 10.0  # for the pod status that explains the end of a stream, before the stream is asked for again
_LOOK = 0.1
_NOT_YET = 15.0  # longest refusal of a log that should be there: not started, not known (yet) to the server
_LATE = 3.0  # a stream that says nothing for so long after its container ended is not waited for
_NODE_AHEAD = 3.0  # how long a node may take to tell that another run has begun
_LASTED = 1.0  # a stream that was open for so long worked, also when it had nothing to say
_AT_THE_END = 10.0  # for the logs that are still open to be read once more

ENDED = "the container ended"
STOPPED = "the recording ended"
UNREAD = "the recording ended, and the log could not be read to where it was by then"
LACKING = "the node no longer has what it sent before"
GONE = "the pod was removed before its log was read to the end"


@dataclass
class Run:
    """What is known about a pod's container; changed by the watch, read by the followers."""

    uid: str
    pod: str
    namespace: str
    container: str
    restarts: int = 0
    started: bool = False  # the run number ``restarts`` has begun
    over: bool = False  # and ended
    deleted: bool = False

    def ended(self, attempt: int) -> bool:
        """Whether that container run is over."""
        return self.deleted or attempt < self.restarts or (attempt == self.restarts and self.over)

    def update(self, pod: Mapping[str, t.Any]) -> None:
        """From a pod as the API has it, or had it: a watch may be late."""
        status = pod.get("status") or {}
        for container in status.get("containerStatuses") or ():
            if container.get("name") != self.container:
                continue
            if int(container.get("restartCount") or 0) < self.restarts:
                return
            state = container.get("state") or {}
            # Between two runs the status counts the one that ended, and shows it as the last state.
            between = "waiting" in state and "terminated" in (container.get("lastState") or {})
            self.restarts = int(container.get("restartCount") or 0)
            self.over = "terminated" in state or between
            self.started = self.over or "running" in state
        if status.get("phase") in ("Succeeded", "Failed"):
            self.over = True


def run_of(pod: Mapping[str, t.Any]) -> Run | None:
    """What is known of the pod's only container, or None before it has a UID and a container."""
    metadata = pod.get("metadata") or {}
    containers = (pod.get("spec") or {}).get("containers") or ()
    if not metadata.get("uid") or not containers:
        return None
    run = Run(metadata["uid"], metadata.get("name", ""), metadata.get("namespace", ""), containers[0].get("name", ""))
    run.update(pod)
    return run


@dataclass
class LogKeeper:
    """Starts a follower for every container run that is worth it, and knows which of them are still open."""

    client: Client
    writer: HistoryWriter
    clock: Clock
    streams: Streams
    backoff: t.Callable[[], Backoff]
    failed: t.Callable[[BaseException], None]
    finished: set[tuple[str, int]] = field(default_factory=set)  # read to their end by an earlier recording
    silence: float = SILENCE  # a log may be silent for longer; the connection is made anew then, which costs nothing
    concluding: threading.Event = field(default_factory=threading.Event, init=False)
    _runs: dict[str, Run] = field(default_factory=dict, init=False)
    _followers: dict[tuple[str, int], Follower] = field(default_factory=dict, init=False)
    _mutex: threading.Lock = field(default_factory=threading.Lock, init=False)

    def pod_seen(self, pod: Mapping[str, t.Any], *, deleted: bool = False, old: bool = False, since: str = "") -> None:
        """A pod whose log is wanted, as the watch told it.

        ``old``: it was there before the recording, so its earlier runs are nobody's business; ``since``: nor are its
        earlier lines.
        """
        fresh = run_of(pod)
        if fresh is None:
            return
        with self._mutex:
            run = self._runs.setdefault(fresh.uid, fresh)
            run.update(pod)
            run.deleted = run.deleted or deleted
            first = run.restarts if old and not self._known(run) else 0
            last = run.restarts if run.started else run.restarts - 1
            new = [n for n in range(first, last + 1) if (run.uid, n) not in self._followers and self._wanted(run, n)]
            for attempt in new:
                self._start(run, attempt, since=since)

    def only(self, pod_uids: t.Container[str]) -> None:
        """These are all pods that there are; of the others the end was not told."""
        with self._mutex:
            for uid, run in self._runs.items():
                run.deleted = run.deleted or uid not in pod_uids

    def look(self, run: Run) -> None:
        """What the API says of the pod now; NotFound when it is gone."""
        listing = self.client.list(
            kinds.PODS, namespace=run.namespace, fields=f"metadata.name={run.pod}", retry=False
        )  # a watch has the right to list
        pod = next((item for item in listing.items if (item.get("metadata") or {}).get("uid") == run.uid), None)
        if pod is None:
            raise NotFound("does not exist", subject=f"pod {run.namespace}/{run.pod}")
        with self._mutex:
            run.update(pod)

    def hurry(self) -> None:
        """Ends streams that stall although their containers have ended; they are read again at once."""
        for follower in self._unclosed():
            follower.hurry()

    def conclude(self) -> None:
        """The recording ends: what is still open is read once more. What that fails for, for too long, is a gap."""
        self.concluding.set()
        for follower in self._unclosed():
            follower.conclude()
        deadline = self.clock.monotonic() + _AT_THE_END
        while self._unclosed() and self.clock.monotonic() < deadline:
            self.clock.sleep(_LOOK)
        for follower in self._unclosed():
            follower.close(UNREAD)

    def _unclosed(self) -> list[Follower]:
        with self._mutex:
            return [follower for follower in self._followers.values() if not follower.closed]

    def open(self, pod_uids: t.Container[str]) -> int:
        """How many container runs of these pods are still being read."""
        with self._mutex:
            return sum(
                1 for (uid, _attempt), follower in self._followers.items() if uid in pod_uids and not follower.closed
            )

    def stop(self, seconds: float) -> None:
        """Ends every stream, and waits for the followers."""
        self.streams.stop()
        self.join(seconds)

    def join(self, seconds: float) -> None:
        """Waits for the followers."""
        for follower in list(self._followers.values()):
            if follower.thread is not None:
                follower.thread.join(seconds)

    def _known(self, run: Run) -> bool:
        return any(uid == run.uid for uid, _attempt in self._followers)

    def _wanted(self, run: Run, attempt: int) -> bool:
        """Numbers only grow, and once one run of a pod is followed its older ones were as well."""
        newest = max((n for uid, n in self._followers if uid == run.uid), default=-1)
        return attempt > newest and (run.uid, attempt) not in self.finished

    def _start(self, run: Run, attempt: int, *, since: str) -> None:
        follower = Follower(self, run, attempt, since)
        self._followers[run.uid, attempt] = follower
        follower.thread = threading.Thread(target=follower.run, name=f"log {run.pod} {attempt}", daemon=True)
        follower.thread.start()

    def same_text(self, run: Run, attempt: int, identity: tuple[bytes, int] | None) -> list[int]:
        """Other runs of the pod that begin with the very same line, down to its timestamp."""
        with self._mutex:
            others = [(n, f) for (uid, n), f in self._followers.items() if uid == run.uid and n != attempt]
        return [n for n, other in others if identity is not None and other.cursor.first == identity]


class Follower:
    """One container run's log. ``run`` is a thread's body."""

    def __init__(self, keeper: LogKeeper, run: Run, attempt: int, since: str) -> None:
        self.cursor = LogCursor()
        self.closed = False
        self.thread: threading.Thread | None = None
        self._keeper = keeper
        self._run = run
        self._attempt = attempt
        self._since = since
        self._stream: Stream | None = None
        self._asked = False
        self._late_at = 0.0
        self._ends = 0  # of streams in a row that brought nothing new
        self._backoff = keeper.backoff()
        self._patience = keeper.backoff()
        self._patience.budget = _NOT_YET
        self._record = keeper.writer.log_opened(run.uid, run.pod, run.container, attempt)
        self._file = keeper.writer.log_file(self._record)
        self._mutex = threading.Lock()  # of the file and its last record: the end of the recording may close it too

    def run(self) -> None:
        """Reads until the container run is over and everything of it is kept, or until that is impossible."""
        try:
            self.close(self._read_all())
        except Exception as error:  # noqa: BLE001 - a log that is lost without a word would be the worst outcome
            if not self._keeper.streams.stopped.is_set():
                self._keeper.failed(error)
        finally:
            self._file.close()
            self.closed = True

    def close(self, reason: str) -> None:
        """The last record of the log, once; whatever is read later does not belong to it."""
        writer, run = self._keeper.writer, self._run
        with self._mutex:
            if self.closed:
                return
            self._file.close()
            complete = reason == ENDED
            if not complete and reason != STOPPED:
                what = f"attempt {self._attempt}: {reason}"
                writer.gap("logs", what, until=self._keeper.clock.now(), subject=run.pod)
            reason = f"{reason}; read from {self._since} on" if self._since else reason
            writer.log_closed(self._record, size=self._file.size, complete=complete, reason=reason)
            self.closed = True

    def conclude(self) -> None:
        """Ends the stream, so that the log is asked for once more."""
        stream = self._stream
        if stream is not None:
            stream.close()

    def hurry(self) -> None:
        """Ends a stream that says nothing although its container has ended."""
        stream, now = self._stream, self._keeper.clock.monotonic()
        if stream is None or not self._run.ended(self._attempt):
            self._late_at = now + _LATE
        elif now >= self._late_at:
            stream.close()

    def _read_all(self) -> str:
        """Why reading ended; ``ENDED`` when nothing is missing, ``STOPPED`` when nothing is until now.

        The end of a stream does not prove the end of the log: when the node's side of it breaks, the API server ends
        it as if all had been said. So what was read is asked for once more, at once, and again when the container is
        known to have ended. An answer without what is known proves nothing.
        """
        while not self._done():
            reason = self._impossible() or self._once()
            if reason:
                return reason
        return UNREAD

    def _once(self) -> str:
        """One request; why reading ends with it, or empty."""
        over, last = self._run.ended(self._attempt), self._keeper.concluding.is_set()
        try:
            news = self._read(follow=not over and not last)
        except (NotFound, Forbidden, Refused) as error:  # not yet, not any more, or a server that has just begun
            if self._run.deleted and not isinstance(error, Forbidden):
                return self._verified() if self._ends > 1 else GONE
            return "" if self._patience.pause() else _refusal(error)
        except ApiFailure as error:
            ours = self._done() or (self._keeper.concluding.is_set() and not last)  # who ended it
            return "" if ours or self._backoff.pause(error.retry_after) else str(error)
        self._patience.succeeded()
        return "" if news is None else self._answered(news=news, over=over, last=last)

    def _answered(self, *, news: bool, over: bool, last: bool) -> str:
        """What the end of a stream means; empty: it is asked for again."""
        if over:
            return self._verified() if self.cursor.repeated or self._ends > 1 else LACKING
        if not (news or self.cursor.repeated):
            return "" if self._backoff.pause() else LACKING
        self._backoff.succeeded()
        if last:
            return self._wrong() or STOPPED
        self._ends = 1 if news else self._ends + 1
        self._await_end()
        return ""

    def _done(self) -> bool:
        return self.closed or self._keeper.streams.stopped.is_set()

    def _read(self, *, follow: bool) -> bool | None:
        """One stream; whether it brought anything new, or None when it was another run's."""
        run, keeper = self._run, self._keeper
        since, size, previous = self.cursor.since or self._since, self._file.size, self._attempt < run.restarts
        before = copy.deepcopy(self.cursor)
        doubtful, self._asked = self._asked and not before.since, True
        self.cursor.reconnect()
        stream = keeper.client.logs(
            run.pod, namespace=run.namespace, container=run.container, timestamps=True, follow=follow,
            previous=previous, since_time=since, silence=keeper.silence,
        )  # fmt: skip
        keeper.streams.add(stream)
        opened = keeper.clock.monotonic()
        self._late_at, self._stream = opened + _LATE, stream
        if follow and keeper.concluding.is_set():
            stream.close()
        try:
            for chunk in stream.chunks():
                text = self.cursor.feed(chunk)
                if (doubtful or self.cursor.conflict != before.conflict) and self._is_of_another_run(before, previous):
                    return None
                doubtful = False
                self._keep(text)
                self._late_at = keeper.clock.monotonic() + _LATE
                self._backoff.succeeded()  # it goes on: the next cut is a first one
        finally:
            self._stream = None
            keeper.streams.remove(stream)
            if keeper.clock.monotonic() - opened >= _LASTED:
                self._backoff.succeeded()
        return self._file.size > size

    def _keep(self, text: bytes) -> None:
        with self._mutex:
            if not self.closed:
                self._file.append(text)

    def _is_of_another_run(self, before: LogCursor, previous: bool) -> bool:
        """Whether the run has another name by now; then the text is not taken, and the cursor is as ``before``."""
        now, self.cursor = self.cursor, before  # also when the pod cannot be asked for
        deadline = self._keeper.clock.monotonic() + (_NODE_AHEAD if now.conflict else 0.0)
        while True:
            self._keeper.look(self._run)
            if previous != (self._attempt < self._run.restarts) or self._impossible():
                return True
            if self._keeper.clock.monotonic() >= deadline or self._done():
                self.cursor = now
                return False
            self._keeper.clock.sleep(_LOOK)

    def _impossible(self) -> str:
        if self._attempt < self._run.restarts - 1:
            return "the container restarted again before its log was read to the end; only the last run before is kept"
        return ""

    def _await_end(self) -> None:
        """The stream ended: after the first time it is asked for again at once, then the pod's status is waited for."""
        clock = self._keeper.clock
        patience = 0.0 if self._ends < 2 else min(_LONGEST_WAIT, 2.0 ** min(self._ends - 2, 16))
        deadline = clock.monotonic() + patience
        while not self._run.ended(self._attempt) and clock.monotonic() < deadline:
            if self._done() or self._keeper.concluding.is_set():
                return
            clock.sleep(_LOOK)

    def _wrong(self) -> str:
        """What came in place of the log, or beside it."""
        if self.cursor.foreign:
            return f"the node answered with an error instead of the log: {self.cursor.foreign}"
        if self.cursor.conflict:
            return f"the log could not be taken up where it was cut: {self.cursor.conflict}"
        if self._file.differs:
            return "the log is not the one that an earlier recording kept under this name"
        return ""

    def _verified(self) -> str:
        self._keep(self.cursor.finish())
        wrong = self._wrong()
        if wrong:
            return wrong
        twins = self._keeper.same_text(self._run, self._attempt, self.cursor.first)
        for twin in (n for n in twins if n < self._attempt):
            reason = f"attempt {twin}: the text is that of attempt {self._attempt}"
            self._keeper.writer.gap("logs", reason, subject=self._run.pod)
        if any(n > self._attempt for n in twins):
            return "the text is that of a later run of the same container"
        return ENDED


def _refusal(error: LonghornQAError) -> str:
    if isinstance(error, Forbidden):
        return error.lacking("get", "pods/log")
    return GONE if isinstance(error, NotFound) else str(error)
