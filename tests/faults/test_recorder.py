# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorder itself is killed and started again; a second one beside it is refused."""

from __future__ import annotations

import time
from pathlib import Path

from tests.faults.control_plane import until
from tests.faults.recording import Recording
from tests.faults.scene import Scene

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from longhorn_qa_lab.lab import Running

_DEATHS = 3
_INVOCATIONS = 4


def test_the_recorder_is_killed_and_goes_on(lab: Running, tmp_path: Path) -> None:
    scene = Scene(lab, tmp_path, "killed")
    for number in range(_DEATHS):
        with scene.record(invocations=_INVOCATIONS) as recording:
            _begun(recording, starts=number + 1)
            time.sleep(3.0 + number)  # at another moment of the invocations each time
            recording.kill()
    with scene.record(invocations=_INVOCATIONS) as recording:
        _begun(recording, starts=_DEATHS + 1)
        _refused_beside(scene, recording, tmp_path / "beside")
        account = scene.settle(recording, invocations=_INVOCATIONS, within=150)
    history = recording.read()
    told = [r for r in history.records if isinstance(r, model.Gap) and r.reason == "nobody was recording"]
    assert len(told) >= _DEATHS * len({"cronjobs", "jobs", "pods", "events"})
    assert account.gaps >= len(told)


def _begun(recording: Recording, *, starts: int) -> None:
    path = recording.history / "history.jsonl"
    until(lambda: path.is_file() and path.read_bytes().count(b'"record":"start"') == starts, f"start {starts}")


def _refused_beside(scene: Scene, recording: Recording, folder: Path) -> None:
    folder.mkdir()
    lines = recording.lines()
    access = {"kubeconfig": str(scene.lab.kubeconfig)}
    options = {"namespace": scene.namespace, "invocations": 1, "history": str(recording.history)}
    with Recording(folder, scene.cells, access=access, **options) as second:
        answer = second.answer(within=30)
    assert answer["failed"]
    assert "another recorder is writing this history" in answer["msg"]
    assert recording.lines() >= lines
    assert recording.running
