# SPDX-License-Identifier: GPL-3.0-or-later
"""One resource kind, seen without interruption: LIST, then WATCH from there, again and again.

A broken watch is taken up from the last resourceVersion, so nothing is missed. Where something may have been missed
(the server has forgotten, a permission is not there, the server stayed away too long) a gap is reported, never an empty
list. A connection that is silent may be quiet or dead; ``confirm`` finds out which.
"""

from __future__ import annotations

import threading
import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, Listing, Object, Watch
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    ApiFailure,
    Expired,
    Forbidden,
    LonghornQAError,
    NotFound,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import Backoff, Clock

_CHANGES = ("ADDED", "MODIFIED", "DELETED")
_SHORT = 1.0  # a watch that the server ends sooner, and empty, is not asked for again at once
_WORTH_A_NOTE = 3.0
_NO_MORE = 60.0  # how long a server that answered before may say that the kind or the permission is not there
_PROOF = 1  # seconds of the watch that shows by its end that nothing is held back
_PROOF_SILENCE = 10.0
SILENCE = 90.0  # seconds without a byte, bookmarks included, after which a connection is taken for dead


class Sink(t.Protocol):
    """Who wants to know what a feed sees. Called from the feed's thread."""

    def listed(self, kind: str, listing: Listing) -> None:
        """A complete list."""

    def changed(self, kind: str, change: str, document: Object) -> None:
        """One change."""

    def missed(self, kind: str, reason: str, *, since: datetime | None, until: datetime | None) -> None:
        """Changes between these moments may be unknown; ``until`` None: from now on for good."""

    def noted(self, text: str) -> None:
        """Something worth telling that lost nothing."""


class Streams:
    """The streams that are open, so that they can be ended from outside when the recording ends."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._open: set[t.Any] = set()
        self.stopped = threading.Event()

    def add(self, stream: t.Any) -> None:
        """From now on ``stop`` closes it."""
        with self._mutex:
            self._open.add(stream)
        if self.stopped.is_set():
            stream.close()

    def remove(self, stream: t.Any) -> None:
        """It has ended."""
        with self._mutex:
            self._open.discard(stream)
        stream.close()

    def stop(self) -> None:
        """Ends every stream, now and later."""
        self.stopped.set()
        with self._mutex:
            streams = list(self._open)
        for stream in streams:
            stream.close()


@dataclass
class Feed:
    """The life of one kind's watch. ``run`` is a thread's body and returns when stopped or when it had to give up."""

    kind: Kind
    namespace: str
    client: Client
    sink: Sink
    clock: Clock
    streams: Streams
    backoff: Backoff
    silence: float = SILENCE
    _version: str = field(default="", init=False)  # empty: a LIST is needed
    _alive: datetime | None = field(default=None, init=False)  # when we last knew that nothing was missed
    _worked: bool = field(default=False, init=False)  # a watch was granted once
    _away: float = field(default=0.0, init=False)  # how long no watch could be opened
    _expired: str = field(default="", init=False)  # why the next LIST ends a gap
    _forgotten: bool = field(default=False, init=False)  # a watch expired, and none has worked since
    _mutex: threading.Lock = field(default_factory=threading.Lock, init=False)
    _wanted: int = field(default=0, init=False)  # proofs that were asked for
    _proven: int = field(default=0, init=False)  # the last of them that was given
    _open: Watch | None = field(default=None, init=False)  # the stream, unless it is a proof
    _over: bool = field(default=False, init=False)

    @property
    def alive(self) -> datetime | None:
        """When the server last told something; None before its first list."""
        return self._alive

    @property
    def begun(self) -> bool:
        """Whether the kind has been listed, or never will be."""
        return self._over or self._alive is not None

    @property
    def confirmed(self) -> bool:
        """Whether all that had happened when ``confirm`` was called is told, or told to be unknown."""
        return self._over or self._proven == self._wanted

    def confirm(self) -> None:
        """Ends the watch and asks for a short one: once the server has ended that, nothing from before is held back."""
        with self._mutex:
            self._wanted += 1
            watch = self._open
        if watch is not None:
            watch.close()

    def run(self) -> None:
        """Until stopped."""
        try:
            self._until_stopped()
        finally:
            self._over = True

    def _until_stopped(self) -> None:
        while not self.streams.stopped.is_set():
            try:
                self._once()
            except Expired as error:
                self._version, self._expired = "", error.seen or "too old resource version"
                again, self._forgotten = self._forgotten, True
                if again and not self.backoff.pause():
                    self._give_up(error)
                    return
            except (Forbidden, NotFound) as error:
                if self.streams.stopped.is_set() or not self._may_come_back():
                    if not self.streams.stopped.is_set():
                        self._give_up(error)
                    return
            except ApiFailure as error:
                if self.streams.stopped.is_set():
                    return
                if not self.backoff.pause(error.retry_after):
                    self._give_up(error)
                    return

    def _may_come_back(self) -> bool:
        """A server that has just begun does not know all kinds and roles yet."""
        return self._worked and self.backoff.spent() < _NO_MORE and self.backoff.pause()

    def _once(self) -> None:
        if not self._version:
            self._list()
        started, seen = self.clock.monotonic(), self._watch()
        self._recovered()
        if not seen and self.clock.monotonic() - started < _SHORT and not self.streams.stopped.is_set():
            self.clock.sleep(_SHORT)

    def _list(self) -> None:
        listing = self.client.list(self.kind, namespace=self.namespace, retry=False)
        now = self.clock.now()
        if self._expired:
            self.sink.missed(self.kind.plural, f"watch expired: {self._expired}", since=self._alive, until=now)
            self._expired = ""
        self.sink.listed(self.kind.plural, listing)
        self._version, self._alive = listing.resource_version, now
        if not self._forgotten:  # else it is a watch that has to work
            self._recovered()

    def _watch(self) -> bool:
        proof = self._wanted if self._proven < self._wanted else 0
        short: dict[str, t.Any] = {"seconds": _PROOF, "silence": min(_PROOF_SILENCE, self.silence)} if proof else {}
        watch = self.client.watch(
            self.kind, namespace=self.namespace, resource_version=self._version, **{"silence": self.silence, **short}
        )
        self._worked, self._away = True, 0.0 if self._forgotten else self.backoff.spent()  # a gap has told it
        self.streams.add(watch)
        opened = self.clock.monotonic()
        try:
            if self._outdated(watch, proof):
                return True
            seen = self._read(watch)
            if (
                proof and self.clock.monotonic() - opened >= _PROOF / 2
            ):  # the server's end, not that of something between
                self._proven = proof
            return seen
        finally:
            self._open = None
            self.streams.remove(watch)
            if self.clock.monotonic() - opened >= _SHORT:
                self._recovered()  # it worked for a while, so the next failure is a first one

    def _outdated(self, watch: Watch, proof: int) -> bool:
        """Whether a proof was asked for while this watch was opened."""
        with self._mutex:
            self._open = None if proof else watch
            return proof != self._wanted and self._proven < self._wanted

    def _read(self, watch: Watch) -> bool:
        seen = False
        for event in watch.events():
            seen = True
            self._recovered()
            document = event.get("object") or {}
            if event.get("type") in _CHANGES:
                self.sink.changed(self.kind.plural, event["type"], document)
            self._version = str((document.get("metadata") or {}).get("resourceVersion") or self._version)
            self._alive = self.clock.now()
        return seen

    def _recovered(self) -> None:
        away, self._away, self._forgotten = self._away, 0.0, False
        if away >= _WORTH_A_NOTE:
            self.sink.noted(
                f"the watch of {self.kind.plural} was interrupted for {away:.0f} s and taken up where it was"
            )
        self.backoff.succeeded()

    def _give_up(self, error: LonghornQAError) -> None:
        self.sink.missed(self.kind.plural, _why(self.kind, error), since=self._alive, until=None)


def _why(kind: Kind, error: LonghornQAError) -> str:
    if isinstance(error, Forbidden):
        return error.lacking("watch" if "watch" in error.subject else "list", kind.plural)
    if isinstance(error, NotFound):
        return f"the server has no {kind.plural} of {kind.group_version}"
    return str(error)
