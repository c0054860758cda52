# SPDX-License-Identifier: GPL-3.0-or-later
"""Artefacts and the logs of Longhorn's own pods: of them too nothing is lost in silence."""

from __future__ import annotations

import time
from pathlib import Path

from tests.faults.front import Front
from tests.faults.longhorn_scene import LonghornScene
from tests.faults.wire import Wire

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from longhorn_qa_lab.lab import Running

_DEATHS = 4
_INVOCATIONS = 2
_LONGER = 3  # than the deaths
_SILENCE = 5


def test_the_api_server_is_killed_under_longhorn(longhorn: Running, tmp_path: Path) -> None:
    scene = LonghornScene(longhorn, tmp_path, "lh-kills")
    with scene.record(invocations=_LONGER) as recording:
        recording.begun()
        for number in range(_DEATHS):
            time.sleep(1.0 + number)  # at another moment of the invocations each time
            assert recording.running, f"the recording was over after {number} deaths"
            scene.control_plane.restart("kube-apiserver", away=0.2 * (number % 3))
            scene.control_plane.await_ready()
        scene.settle(recording, invocations=_LONGER, within=240)
    assert scene.control_plane.deaths == ["kube-apiserver"] * _DEATHS


def test_the_recorder_is_killed_under_longhorn(longhorn: Running, tmp_path: Path) -> None:
    """The second recording reads the services' logs from where the first one began, and finds what is there already."""
    scene = LonghornScene(longhorn, tmp_path, "lh-killed")
    with scene.record(invocations=_INVOCATIONS) as recording:
        recording.begun()
        time.sleep(6)
        recording.kill()
    with scene.record(invocations=_INVOCATIONS) as recording:
        account = scene.settle(recording, invocations=_INVOCATIONS, within=150)
    told = {record.kind for record in recording.read().records if isinstance(record, model.Gap)}
    assert "logs" not in told, "what was said meanwhile is still there"
    assert {"snapshots", "backups", "engines", "jobs"} <= told
    assert account.admitted == []


def test_bursts_of_refusals_under_longhorn(longhorn: Running, tmp_path: Path) -> None:
    """The first of them while the recording begins, of the lists of snapshots only."""
    scene = LonghornScene(longhorn, tmp_path, "lh-bursts")
    with Front(longhorn) as front:
        front.refuse_lists("snapshots", 4)
        with scene.record(access={"host": front.address, "api_key": "any"}, invocations=_INVOCATIONS) as recording:
            recording.begun()
            for status, retry_after in ((429, "2"), (503, ""), (500, ""), (504, "1")):
                time.sleep(2)
                front.burst(status, 12, retry_after=retry_after)
            account = scene.settle(recording, invocations=_INVOCATIONS, within=150)
        print(f"  refused: {front.refused}, answered: {front.answered}")
        assert set(front.refused) >= {429, 500, 503}
    lists = [record.kind for record in recording.read().records if isinstance(record, model.ListDone)]
    assert lists.index("snapshots") < lists.index("jobs"), "a Job could count whose snapshots nobody watched"
    assert (account.gaps, account.admitted) == (0, [])


def test_connections_go_silent_under_longhorn(longhorn: Running, tmp_path: Path) -> None:
    """The last time for good, so that what the services' logs say at the end comes by no stream."""
    scene = LonghornScene(longhorn, tmp_path, "lh-silence")
    with Wire(longhorn.description.ports.api) as wire:
        access = scene.kubeconfig(wire.address)
        with scene.record(access=access, invocations=_INVOCATIONS, progress_deadline=_SILENCE) as recording:
            recording.begun()
            while recording.running:
                time.sleep(4)
                wire.stall()
            account = scene.settle(recording, invocations=_INVOCATIONS, within=150)
    assert (account.gaps, account.admitted) == (0, [])
