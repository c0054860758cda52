# SPDX-License-Identifier: GPL-3.0-or-later
"""The fast cut: one recording of two invocations through a bad wire, while the control plane is killed under it."""

from __future__ import annotations

import time
from pathlib import Path

from tests.faults.scene import Scene
from tests.faults.wire import Wire

from longhorn_qa_lab.lab import Running


def test_kills_cuts_and_a_compaction(lab: Running, tmp_path: Path) -> None:
    scene = Scene(lab, tmp_path, "fast")
    with Wire(lab.description.ports.api, seed=3) as wire:
        with scene.record(access=scene.kubeconfig(wire.address), invocations=2) as recording:
            recording.begun()
            wire.cut_between(3000, 90000)
            wire.break_all()
            time.sleep(2)
            scene.control_plane.restart("kube-apiserver", away=0.3)
            scene.control_plane.await_ready()
            time.sleep(3)
            scene.control_plane.restart("etcd", away=0.3)
            scene.control_plane.await_ready()
            scene.control_plane.compact()
            scene.control_plane.restart("kube-apiserver", away=0.3)
            scene.control_plane.await_ready()
            account = scene.settle(recording, invocations=2, within=300)
        print(f"  {wire.cuts} of {wire.connections} connections cut")
        assert wire.cuts >= 1
    assert scene.control_plane.deaths == ["kube-apiserver", "etcd", "kube-apiserver"]
    assert account.gaps >= 3  # the server forgot what was between, for jobs, pods and events at least
