# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server dies again and again; etcd dies and forgets: nothing is lost in silence."""

from __future__ import annotations

import time
from pathlib import Path

from tests.faults.scene import Scene

from longhorn_qa_lab.lab import Running

_DEATHS = 10
_INVOCATIONS = 4


def test_the_api_server_is_killed_ten_times(lab: Running, tmp_path: Path) -> None:
    scene = Scene(lab, tmp_path, "kills")
    with scene.record(invocations=_INVOCATIONS) as recording:
        recording.begun()
        for number in range(_DEATHS):
            time.sleep(1.0 + number % 4)  # at another moment of the invocations each time
            assert recording.running, f"the recording was over after {number} deaths"
            scene.control_plane.restart("kube-apiserver", away=0.2 * (number % 3))
            scene.control_plane.await_ready()
        scene.settle(recording, invocations=_INVOCATIONS, within=240)
    assert scene.control_plane.deaths == ["kube-apiserver"] * _DEATHS


def test_etcd_is_killed_and_forgets(lab: Running, tmp_path: Path) -> None:
    scene = Scene(lab, tmp_path, "etcd")
    with scene.record(invocations=2) as recording:
        recording.begun()
        for _number in range(2):
            time.sleep(4)
            scene.control_plane.kill("kube-apiserver")  # its memory of changes goes with it
            scene.control_plane.restart("etcd", away=0.5)
            scene.control_plane.start("kube-apiserver")
            scene.control_plane.await_ready()
            assert scene.control_plane.compact() > 0
        account = scene.settle(recording, invocations=2, within=150)
    assert account.gaps >= 3
