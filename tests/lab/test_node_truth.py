# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual node against a real kubelet: the statuses it would write are those that were recorded.

The recordings under tests/recordings hold every status a real kubelet gave to the pods of recurring jobs. Each recorded
pod's story (created, started, ended, with its times and ids) is told to the node's state machine, which has to come to
the same documents. Addresses and the QoS class, which the API server computes, are not the node's to get right.
"""

from __future__ import annotations

import json
import re
import typing as t
from datetime import datetime
from pathlib import Path

import pytest

from longhorn_qa_lab.node import pods
from longhorn_qa_lab.node.model import parse_time, read_pod
from longhorn_qa_lab.node.pods import Exit, PodState
from longhorn_qa_lab.node.status import status_document

Body = dict[str, t.Any]
RECORDINGS = Path(__file__).parent.parent / "recordings"
FILES = sorted(RECORDINGS.glob("*/watch-pods.json"))
_DOCUMENT = re.compile(r"\S")
NOT_OURS = ("hostIP", "podIP", "podIPs", "qosClass")


def _events(path: Path) -> t.Iterator[Body]:
    text, decoder, at = path.read_text(), json.JSONDecoder(), 0
    while found := _DOCUMENT.search(text, at):
        event, at = decoder.raw_decode(text, found.start())
        yield event.get("object", event)


def _stories(path: Path) -> dict[str, list[Body]]:
    """The recorded objects of each job pod, one per status a kubelet wrote."""
    stories: dict[str, list[Body]] = {}
    for item in _events(path):
        owners = item["metadata"].get("ownerReferences") or [{}]
        if owners[0].get("kind") != "Job" or "containerStatuses" not in item["status"]:
            continue
        story = stories.setdefault(item["metadata"]["name"], [])
        if not story or story[-1]["status"] != item["status"]:
            story.append(item)
    return stories


def _since(document: Body) -> datetime:
    """When a status was written, as its own conditions tell."""
    return max(parse_time(item["lastTransitionTime"]) for item in document["status"]["conditions"])


def _tell(state: PodState, container: Body) -> PodState:
    """Let happen what the recorded container status says has happened."""
    name = container["name"]
    state = pods.pulled(state, name, image_id=container["imageID"], shown_image=container["image"])
    ended = container["state"].get("terminated")
    begun = ended or container["state"].get("running")
    if not begun:
        return state
    if not isinstance(state.container(name).state, pods.Running):
        begun_at = parse_time(begun["startedAt"])
        state = pods.started(state, name, container_id=container["containerID"], now=begun_at, ready=True)
    if ended:
        state = pods.exited(state, name, Exit(code=ended["exitCode"]), now=parse_time(ended["finishedAt"]))
    return state


def _ours(status: Body) -> Body:
    return {key: value for key, value in status.items() if key not in NOT_OURS}


def test_there_are_recordings_to_compare_with() -> None:
    assert sum(len(_stories(path)) for path in FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_statuses_are_those_of_a_real_kubelet(path: Path) -> None:
    for name, story in _stories(path).items():
        state = pods.begin(read_pod(story[0]), now=parse_time(story[0]["status"]["startTime"]))
        conditions: t.Sequence[Body] = ()
        for recorded in story:
            state = _tell(state, recorded["status"]["containerStatuses"][0])
            written = status_document(state, previous=conditions, host_ip="", now=_since(recorded))
            conditions = written["conditions"]
            assert _ours(written) == _ours(recorded["status"]), name
