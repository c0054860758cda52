# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that are taken away as soon as their container has ended: their log is whole, or a record says it is not."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tests.faults import truth
from tests.faults.scene import Scene
from tests.faults.workload import expected_text

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from longhorn_qa_lab.lab import Running

_SOON = 0.2


def test_pods_deleted_200_ms_after_their_end(lab: Running, tmp_path: Path) -> None:
    scene = Scene(lab, tmp_path, "deleted")
    del scene.workloads[1:]  # whose first attempt says something else
    ended = threading.Event()
    reaper = threading.Thread(target=_reap, args=(scene, ended), daemon=True)
    reaper.start()
    try:
        with scene.record(invocations=3) as recording:
            answer = recording.result(within=150)
    finally:
        ended.set()
        reaper.join(10)
    history = recording.read()
    logs = [record for record in history.records if isinstance(record, model.Log) and record.state == "closed"]
    told = [record for record in history.records if isinstance(record, model.Gap) and record.kind == "logs"]
    whole = expected_text(scene.workloads[0].words)
    kept = [history.logs[record.path] for record in logs]
    print(f"\n{answer['ended']}: {len(logs)} logs, {sum(text == whole for text in kept)} whole, {len(told)} told")
    assert answer["ended"] == "invocations"
    assert len(logs) == 3
    for record, text in zip(logs, kept, strict=True):
        assert whole.startswith(text)
        assert record.complete == (not truth.told_of(history, pod=record.pod, attempt=record.attempt))
        if record.complete:
            assert text == whole, record.pod


def _reap(scene: Scene, ended: threading.Event) -> None:
    """Deletes every pod of the run, at once and for good, a moment after its container has ended."""
    namespace, gone = scene.workloads[0].namespace, set()
    while not ended.is_set():
        for pod in scene.client.list(kinds.PODS, namespace=namespace).items:
            name = pod["metadata"]["name"]
            if pod["status"].get("phase") in ("Succeeded", "Failed") and name not in gone:
                gone.add(name)
                time.sleep(_SOON)
                scene.client.delete(kinds.PODS, name, namespace=namespace)
        ended.wait(0.05)
