# SPDX-License-Identifier: GPL-3.0-or-later
"""One kind's watch over everything that can happen to it: nothing missed, or a gap that says what."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors, kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Listing, connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.feed import Feed, Streams
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import Backoff

Clock = t.Any


def thing(name: str, version: int) -> dict[str, t.Any]:
    return {"metadata": {"name": name, "uid": name, "resourceVersion": str(version)}}


def event(kind: str, name: str, version: int) -> dict[str, t.Any]:
    return {"type": kind, "object": thing(name, version)}


class Script:
    """A client that lists and watches by a script; at its end the feed is stopped."""

    def __init__(self, streams: Streams, *steps: t.Any) -> None:
        self.steps = list(steps)
        self.asked: list[str] = []
        self._streams = streams

    def _next(self) -> t.Any:
        if not self.steps:
            self._streams.stop()
            raise errors.Unreachable("the script is over")
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    def list(self, kind: kinds.Kind, *, namespace: str, retry: bool) -> Listing:
        self.asked.append("list")
        assert retry is False, "the feed has its own patience"
        return t.cast(Listing, self._next())

    def watch(
        self, kind: kinds.Kind, *, namespace: str, resource_version: str, silence: float, seconds: int = 0
    ) -> t.Any:
        self.asked.append(f"watch {resource_version}" + (f" for {seconds} s" if seconds else ""))
        return Watched(self._next())


class Watched:
    def __init__(self, events: list[t.Any]) -> None:
        self._events = events

    def events(self) -> t.Iterator[dict[str, t.Any]]:
        for item in self._events:
            if callable(item):
                item = item()
                if item is None:
                    continue
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self) -> None:
        pass


class Told:
    """What the feed tells, in order."""

    def __init__(self) -> None:
        self.all: list[t.Any] = []

    def listed(self, kind: str, listing: Listing) -> None:
        self.all.append(("listed", [item["metadata"]["name"] for item in listing.items]))

    def changed(self, kind: str, change: str, document: dict[str, t.Any]) -> None:
        self.all.append((change, document["metadata"]["name"]))

    def missed(self, kind: str, reason: str, *, since: datetime | None, until: datetime | None) -> None:
        self.all.append(("missed", reason, since is not None, until is not None))

    def noted(self, text: str) -> None:
        self.all.append(("noted", text))


def ran(clock: Clock, *steps: t.Any, budget: float = 300.0) -> tuple[list[t.Any], list[str]]:
    streams, told = Streams(), Told()
    client = Script(streams, *steps)
    backoff = Backoff(clock=clock, jitter=lambda: 1.0, budget=budget)
    Feed(kinds.JOBS, "n", t.cast(t.Any, client), told, clock, streams, backoff).run()
    return told.all, client.asked


def test_a_broken_watch_is_taken_up_where_it_was(clock: Clock) -> None:
    told, asked = ran(
        clock,
        Listing((thing("a", 1),), "5"),
        [event("ADDED", "b", 6), errors.Unreachable("connection reset")],
        [event("MODIFIED", "b", 7)],
        [],
    )
    assert told == [("listed", ["a"]), ("ADDED", "b"), ("MODIFIED", "b")]
    assert asked[:4] == ["list", "watch 5", "watch 6", "watch 7"]


def test_a_watch_that_is_refused_with_half_an_answer_is_asked_for_again(clock: Clock, api: t.Any) -> None:
    """As every watch of a recording: whatever else its client raises would end the recording."""
    listed = {"apiVersion": "batch/v1", "kind": "JobList", "metadata": {"resourceVersion": "5"}, "items": []}
    changed = json.dumps(event("ADDED", "b", 6)).encode() + b"\n"
    replies = [(200, listed, {}), (503, {"message": "later"}, {"Content-Length": "1000"}), (200, changed, {})]
    streams, told = Streams(), Told()
    told.changed = lambda *seen: (told.all.append(seen[1]), streams.stop())  # type: ignore[method-assign]
    api.answers(*[api.reply(status, body, headers) for status, body, headers in replies])
    client = connect(api.params, clock=clock)
    Feed(kinds.JOBS, "n", client, told, clock, streams, Backoff(clock=clock)).run()
    assert told.all == [("listed", []), "ADDED"]


def test_bookmarks_move_the_version_and_are_not_told(clock: Clock) -> None:
    told, asked = ran(clock, Listing((), "5"), [event("BOOKMARK", "", 99)], [])
    assert told == [("listed", [])]
    assert asked[2] == "watch 99"


def test_an_expired_version_is_listed_anew_with_a_gap(clock: Clock) -> None:
    told, asked = ran(
        clock,
        Listing((), "5"),
        [errors.Expired("gone", seen="too old resource version: 5 (70)")],
        Listing((thing("c", 80),), "80"),
        [],
    )
    assert told[1] == ("missed", "watch expired: too old resource version: 5 (70)", True, True)
    assert told[2] == ("listed", ["c"])
    assert asked[:4] == ["list", "watch 5", "list", "watch 80"]


def test_a_gap_lasts_until_the_list_succeeded(clock: Clock) -> None:
    told, _unused = ran(
        clock, Listing((), "5"), [errors.Expired("gone")], errors.Unreachable("away"), Listing((), "80"), []
    )
    assert [item[0] for item in told] == ["listed", "missed", "listed"]


def test_a_server_that_forgets_everything_at_once_is_not_hammered(clock: Clock) -> None:
    expired = [errors.Expired("gone", seen="too old")]
    told, asked = ran(clock, *[Listing((), "5"), expired] * 50, budget=100.0)
    assert clock.naps[:5] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert asked[:4] == ["list", "watch 5", "list", "watch 5"], "the first time it is listed anew at once"
    assert len(asked) < 40
    assert told[-1] == ("missed", "gone; seen too old.", True, False)


def test_a_watch_that_works_makes_the_next_expiry_a_first_one(clock: Clock) -> None:
    expired = errors.Expired("gone")
    _told, asked = ran(clock, *[Listing((), "5"), [event("ADDED", "b", 6), expired]] * 5)
    assert asked.count("list") == 6
    assert clock.naps == []


def test_an_outage_that_ends_in_a_gap_is_no_note_too(clock: Clock) -> None:
    away = [errors.Unreachable("refused")] * 4
    told, _asked = ran(
        clock, Listing((), "5"), *away, [errors.Expired("gone")], *away, Listing((), "9"), [event("ADDED", "b", 10)]
    )
    assert [item[0] for item in told] == ["listed", "missed", "listed", "ADDED"]


def test_an_outage_that_lost_nothing_is_a_note(clock: Clock) -> None:
    away = [errors.Unreachable("refused")] * 4
    told, _unused = ran(clock, Listing((), "5"), *away, [event("ADDED", "b", 6)])
    assert told[1] == ("noted", "the watch of jobs was interrupted for 8 s and taken up where it was")
    assert told[2] == ("ADDED", "b")


def test_a_watch_that_worked_for_a_while_makes_the_next_failure_a_first_one(clock: Clock) -> None:
    def worked() -> t.Any:
        clock.elapsed += 30
        return errors.Unreachable("reset")

    ran(clock, Listing((), "5"), *[[worked] for _unused in range(4)])
    assert clock.naps[:4] == [0.5] * 4


def test_the_server_may_ask_for_patience(clock: Clock) -> None:
    ran(clock, errors.ApiFailure("busy", status=429, retry_after=12.0), Listing((), "5"), [])
    assert clock.naps[0] == 12.0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(
            errors.Forbidden("no", verb="watch", resource="jobs.batch"),
            "verb watch on jobs.batch is not granted", id="a missing permission is named",
        ),
        pytest.param(
            errors.NotFound("does not exist"), "the server has no jobs of batch/v1", id="a kind that is not served"
        ),
    ],
)  # fmt: skip
def test_what_cannot_mend_is_a_gap_for_good(clock: Clock, error: Exception, reason: str) -> None:
    told, asked = ran(clock, Listing((), "5"), error)
    assert told[1] == ("missed", reason, True, False)
    assert len(asked) == 2


def test_patience_ends_with_its_budget(clock: Clock) -> None:
    told, asked = ran(clock, *[errors.Unreachable("refused")] * 1000, budget=60.0)
    assert told[-1][0] == "missed"
    assert "refused" in told[-1][1]
    assert told[-1][2:] == (False, False)
    assert 5 < len(asked) < 20


def test_a_server_that_hangs_up_at_once_is_not_hammered(clock: Clock) -> None:
    ran(clock, Listing((), "5"), [], [], [])
    assert clock.naps[:3] == [1.0, 1.0, 1.0]


def test_streams_are_closed_by_stop_also_those_that_come_late() -> None:
    closed: list[str] = []

    class Stream:
        def __init__(self, name: str) -> None:
            self._name = name

        def close(self) -> None:
            closed.append(self._name)

    streams = Streams()
    streams.add(Stream("early"))
    streams.stop()
    streams.add(Stream("late"))
    assert closed == ["early", "late"]


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(errors.NotFound("the server could not find the requested resource"), id="404"),
        pytest.param(errors.Forbidden("not granted", verb="watch", resource="jobs"), id="403"),
    ],
)
def test_a_server_that_has_just_begun_is_given_time(clock: Clock, refusal: Exception) -> None:
    told, asked = ran(clock, Listing((), "5"), [], refusal, refusal, [event("ADDED", "b", 6)], [])
    assert told[:2] == [("listed", []), ("ADDED", "b")]
    assert asked[:5] == ["list", *["watch 5"] * 4]


def test_a_permission_that_was_taken_away_for_good_is_a_gap(clock: Clock) -> None:
    refusal = errors.Forbidden("not granted", verb="watch", resource="jobs")
    told, _asked = ran(clock, Listing((), "5"), [], *[refusal] * 99)
    assert told[-1] == ("missed", "verb watch on jobs is not granted", True, False)


class Confirmed:
    """A feed that is asked for a proof while its first watch is silent; then come these streams."""

    def __init__(self, clock: Clock, *streams: t.Any) -> None:
        self.seen: list[bool] = []
        self._clock = clock
        stop, self.told = Streams(), Told()
        self.client = Script(
            stop, Listing((), "5"), [self._asks], *([self.look, *steps, self.look] for steps in streams), [self.look]
        )
        backoff = Backoff(clock=clock, jitter=lambda: 1.0)
        self.feed = Feed(kinds.JOBS, "n", t.cast(t.Any, self.client), self.told, clock, stop, backoff)
        self.feed.run()

    def _asks(self) -> Exception:
        assert self.feed.confirmed
        self.feed.confirm()
        assert not self.feed.confirmed
        return errors.Unreachable("closed")

    def look(self) -> None:
        self.seen.append(self.feed.confirmed)


def test_a_proof_is_a_short_watch_that_the_server_has_ended(clock: Clock) -> None:
    proof = Confirmed(clock, [event("ADDED", "b", 6), lambda: clock.sleep(1.0)])
    assert proof.client.asked[:4] == ["list", "watch 5", "watch 5 for 1 s", "watch 6"]
    assert proof.seen == [False, False, True]
    assert ("ADDED", "b") in proof.told.all


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param([errors.Unreachable("silent for too long")], id="silent"),
        pytest.param([], id="ended too soon, by something in between"),
    ],
)
def test_what_is_no_proof_is_followed_by_another_try(clock: Clock, stream: list[t.Any]) -> None:
    proof = Confirmed(clock, stream, [lambda: clock.sleep(1.0)])
    assert proof.client.asked[2:5] == ["watch 5 for 1 s", "watch 5 for 1 s", "watch 5"]
    assert proof.seen[-2:] == [False, True]


def test_a_feed_that_has_given_up_need_not_be_waited_for(clock: Clock) -> None:
    streams = Streams()
    client = Script(streams, errors.NotFound("no such kind"))
    feed = Feed(kinds.JOBS, "n", t.cast(t.Any, client), Told(), clock, streams, Backoff(clock=clock))
    feed.confirm()
    assert not feed.confirmed
    feed.run()
    assert feed.confirmed
