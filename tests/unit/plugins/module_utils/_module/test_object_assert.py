# SPDX-License-Identifier: GPL-3.0-or-later
"""A condition on one object or on many: held now, held later by watch, never any more, or not in time."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors, kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Listing
from ansible_collections.longhorn.qa.plugins.module_utils._module import object_assert

Event = dict[str, t.Any]
ATTACHED = "status.state == 'attached'"


def volume(name: str, state: str = "attached", **status: t.Any) -> dict[str, t.Any]:
    metadata = {"name": name, "namespace": "n", "uid": f"u-{name}", "resourceVersion": "7"}
    return {"metadata": metadata, "status": {"state": state, **status}}


def event(change: str, document: dict[str, t.Any], after: float = 1.0) -> Event:
    return {"type": change, "object": document, "after": after}


class Clock:
    def __init__(self) -> None:
        self.elapsed = 0.0

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.elapsed += seconds


class Stream:
    """A watch that lets time pass before each event, and breaks or ends when there are no more."""

    def __init__(self, cluster: Cluster, events: list[t.Any], silence: float) -> None:
        self._cluster, self._events, self._silence = cluster, events, silence

    def events(self) -> Iterator[Event]:
        for item in self._events:
            if isinstance(item, Exception):
                raise item
            self._cluster.clock.elapsed += item["after"]
            yield item
        self._cluster.clock.elapsed += self._silence
        raise errors.Unreachable("the API server was silent for too long", subject="watch")

    def close(self) -> None:
        self._cluster.closed += 1


class Cluster:
    """Lists and watches of one kind, in the order they are asked for."""

    def __init__(self, *lists: list[dict[str, t.Any]], watches: t.Sequence[list[t.Any]] = ()) -> None:
        self.clock = Clock()
        self.asked: list[tuple[str, dict[str, t.Any]]] = []
        self.closed = 0
        self.namespaces: list[str] = []
        self._lists, self._watches = list(lists), list(watches)

    def require_namespace(self, name: str) -> None:
        self.namespaces.append(name)

    def list(self, _kind: kinds.Kind, **query: t.Any) -> Listing:
        self.asked.append(("list", query))
        found = self._lists.pop(0) if len(self._lists) > 1 else self._lists[0]
        if isinstance(found, Exception):
            raise found
        return Listing(tuple(found), "100")

    def watch(self, _kind: kinds.Kind, *, silence: float, **query: t.Any) -> Stream:
        self.asked.append(("watch", query))
        return Stream(self, self._watches.pop(0) if self._watches else [], silence)


@pytest.fixture(autouse=True)
def _kind(monkeypatch: pytest.MonkeyPatch) -> None:
    def known(_client: t.Any, api_version: str, named: str) -> kinds.Kind:
        return kinds.Kind(api_version, named.lower() + "s", namespaced=named != "Node")

    monkeypatch.setattr(object_assert.discovery, "resource", known)


def run(cluster: Cluster, *, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
    params: dict[str, t.Any] = {
        "api_version": "longhorn.io/v1beta1", "kind": "Volume", "name": None, "namespace": "n", "condition": ATTACHED,
        "label_selectors": None, "field_selectors": None, "fail_when": None, "min_count": 1, "wait": True,
        "wait_timeout": 60, **options,
    }  # fmt: skip
    return object_assert.run(params, check_mode=check_mode, client=t.cast(t.Any, cluster), clock=cluster.clock)  # type: ignore[arg-type]


def test_what_holds_at_once_needs_no_watch() -> None:
    cluster = Cluster([volume("a")])
    result = run(cluster, name="a")
    assert [kind for kind, _query in cluster.asked] == ["list"]
    assert cluster.asked[0][1] == {"namespace": "n", "labels": "", "fields": "metadata.name=a"}
    assert (result["changed"], result["waited"]) == (False, 0.0)
    assert result["objects"] == [
        {
            "name": "a", "namespace": "n", "uid": "u-a", "resource_version": "7",
            "holds": True, "value": True, "problem": "",
        }
    ]  # fmt: skip


def test_a_change_is_seen_by_the_watch_from_the_list_on() -> None:
    cluster = Cluster([volume("a", "detached")], watches=[[event("MODIFIED", volume("a"), after=4.25)]])
    result = run(cluster, label_selectors=["x=1", "y"])
    assert [kind for kind, _query in cluster.asked] == ["list", "watch"]
    watch = cluster.asked[1][1]
    assert (watch["resource_version"], watch["labels"], watch["seconds"]) == ("100", "x=1,y", 60)
    assert result["waited"] == 4.2
    assert cluster.closed == 1


def test_all_objects_have_to_hold_at_the_same_time() -> None:
    changes = [
        event("MODIFIED", volume("a")),
        event("MODIFIED", volume("a", "detached")),
        event("DELETED", volume("b")),
    ]
    cluster = Cluster(
        [volume("a", "detached"), volume("b", "detached")], watches=[[*changes, event("MODIFIED", volume("a"))]]
    )
    result = run(cluster)
    assert [item["name"] for item in result["objects"]] == ["a"]
    assert result["waited"] == 4.0


def test_an_object_that_comes_later_is_waited_for() -> None:
    cluster = Cluster([], watches=[[event("BOOKMARK", {}), event("ADDED", volume("a"))]])
    assert run(cluster, name="a")["waited"] == 2.0


def test_fail_when_ends_the_wait_with_evidence() -> None:
    broken = volume("b", "detached", robustness="faulted")
    cluster = Cluster([volume("a"), volume("b", "attaching")], watches=[[event("MODIFIED", broken)]])
    with pytest.raises(errors.TerminalState, match=r"fail_when holds for b: status\.robustness == 'faulted'") as caught:
        run(cluster, fail_when="status.robustness == 'faulted'")
    assert [(item["name"], item["holds"]) for item in caught.value.evidence["objects"]] == [("a", True), ("b", False)]
    assert cluster.clock.elapsed == 1.0


def test_a_time_out_tells_what_was_seen_last_and_how_long() -> None:
    cluster = Cluster([volume("a", "detached")], watches=[[event("MODIFIED", volume("a", "attaching"))]])
    with pytest.raises(errors.WaitTimeout, match=r"Volume n/a: .*expected status.state == 'attached'") as caught:
        run(cluster, name="a", condition="status.state == 'attached' && `true`")
    assert "a gives False" in str(caught.value)
    assert caught.value.after == pytest.approx(61, abs=2)
    assert caught.value.evidence["objects"][0]["uid"] == "u-a"


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(errors.Expired("too old"), id="history gone"),
        pytest.param(errors.ApiFailure("the server ended the watch", status=500), id="server error"),
        pytest.param(errors.Unreachable("broken"), id="connection lost"),
    ],
)
def test_a_broken_watch_is_followed_by_a_new_list(end: Exception) -> None:
    cluster = Cluster([volume("a", "detached")], [volume("a")], watches=[[end]])
    assert run(cluster, name="a")["objects"][0]["holds"] is True
    assert [kind for kind, _query in cluster.asked] == ["list", "watch", "list"]


def test_a_missing_permission_is_told_at_once() -> None:
    cluster = Cluster([volume("a", "detached")], watches=[[errors.Forbidden("verb watch on volumes is not granted")]])
    with pytest.raises(errors.Forbidden):
        run(cluster, name="a")
    assert cluster.clock.elapsed == 0.0


def test_without_wait_it_looks_once() -> None:
    cluster = Cluster([volume(name, "detached") for name in "edcba"])
    with pytest.raises(errors.NotAsExpected, match=r"every Volume n/\*: .*a gives False.* and 2 more") as caught:
        run(cluster, wait=False)
    assert len(caught.value.evidence["objects"]) == 5
    assert [kind for kind, _query in cluster.asked] == ["list"]


@pytest.mark.parametrize(
    ("min_count", "there", "right"),
    [
        pytest.param(1, 0, False, id="none although one is wanted"),
        pytest.param(0, 0, True, id="none is enough"),
        pytest.param(3, 2, False, id="one too few"),
        pytest.param(2, 2, True, id="as many as wanted"),
    ],
)
def test_how_many_there_have_to_be(min_count: int, there: int, *, right: bool) -> None:
    cluster = Cluster([volume(str(number)) for number in range(there)])
    if right:
        assert len(run(cluster, wait=False, min_count=min_count)["objects"]) == there
    else:
        with pytest.raises(errors.NotAsExpected, match=r"no object|at least 3 wanted"):
            run(cluster, wait=False, min_count=min_count)


def test_check_mode_looks_once_and_warns() -> None:
    cluster = Cluster([])
    result = run(cluster, name="a", check_mode=True)
    assert (result["changed"], result["objects"]) == (False, [])
    assert "no object" in result["warnings"][0]
    assert [kind for kind, _query in cluster.asked] == ["list"]


def test_a_kind_without_namespace_is_not_looked_for_in_one() -> None:
    cluster = Cluster([volume("node-1")])
    run(cluster, kind="Node", api_version="v1", name="node-1")
    assert (cluster.namespaces, cluster.asked[0][1]["namespace"]) == ([], "")


def test_nothing_of_a_secret_is_shown() -> None:
    secret = {"metadata": {"name": "s"}, "data": {"AWS_SECRET_ACCESS_KEY": "Y2FuYXJ5"}}
    options: dict[str, t.Any] = {"kind": "Secret", "api_version": "v1", "wait": False}
    result = run(Cluster([secret]), condition="data.AWS_SECRET_ACCESS_KEY", **options)
    assert result["objects"][0]["holds"] is True
    with pytest.raises(errors.NotAsExpected) as caught:
        run(Cluster([secret]), condition="length(data.AWS_SECRET_ACCESS_KEY) > data.AWS_SECRET_ACCESS_KEY", **options)
    assert "Y2FuYXJ5" not in f"{result}{caught.value}{caught.value.evidence}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"condition": "status.state = 'x'"}, "option condition: not a JMESPath", id="condition"),
        pytest.param({"fail_when": "["}, "option fail_when: not a JMESPath", id="fail_when"),
        pytest.param({"min_count": -1}, "option min_count: a negative number", id="min_count"),
        pytest.param({"name": ""}, "option name: the name is empty", id="empty name"),
        pytest.param({"wait_timeout": 0}, "wait_timeout must be at least 1", id="no time"),
    ],
)
def test_bad_options_are_told_before_anything_is_asked(options: dict[str, t.Any], message: str) -> None:
    cluster = Cluster([])
    with pytest.raises(errors.BadInput, match=message):
        run(cluster, **options)
    assert cluster.asked == []
