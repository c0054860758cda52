# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a recording are checked before anything is opened, and the result is what the recorder says."""

from __future__ import annotations

import threading
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors, history_dir, kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Listing
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.recorder import Outcome, Recorder
from ansible_collections.longhorn.qa.plugins.module_utils._module import job_record

CELL = {
    "volume": "v", "task": "snapshot", "job": "c-1", "cronjob": "v-c-1-c", "cron": "*/3 * * * *", "retain": 1,
    "engine_image": "", "faults": ["snapshot-delete"],
}  # fmt: skip


def params(folder: Path, **changed: t.Any) -> dict[str, t.Any]:
    return {
        "namespace": "n", "history": str(folder / "h"), "cells": [CELL], "invocations": 3, "timeout": 900,
        "trigger": False, "run_id": "a1b2c3", "longhorn_release": "2020-06", "default_engine_faults": [], "store": None,
        **changed,
    }  # fmt: skip


class Cluster:
    """Has one CronJob, or not, and perhaps its volume and managers; nothing else may be asked for."""

    def __init__(
        self, *cronjobs: str, suspended: bool = False, volume: t.Any = None, managers: tuple[str, ...] = ()
    ) -> None:
        self._cronjobs, self._suspended, self._volume, self._managers = cronjobs, suspended, volume, managers

    def require_namespace(self, name: str) -> None:
        if name != "n":
            raise errors.NotFound("the namespace does not exist", subject=f"namespace {name}")

    def first_served(self, *candidates: kinds.Kind) -> kinds.Kind:
        return candidates[0]

    def served(self, *candidates: kinds.Kind) -> kinds.Kind | None:
        return None if candidates in kinds.OBSERVED_LATER else candidates[-1]

    def list(self, kind: kinds.Kind, *, namespace: str, labels: str = "") -> Listing:
        if kind == kinds.PODS:
            assert labels == "app=longhorn-manager"
            return Listing(tuple({"spec": {"containers": [{"image": image}]}} for image in self._managers), "1")
        if kind == kinds.VOLUMES:
            if isinstance(self._volume, Exception):
                raise self._volume
            return Listing(
                ({"metadata": {"name": CELL["volume"]}, "status": self._volume},) if self._volume else (), "1"
            )
        spec = {"suspend": self._suspended}
        return Listing(tuple({"metadata": {"name": name}, "spec": spec} for name in self._cronjobs), "1")

    def find(self, kind: kinds.Kind, name: str, *, namespace: str) -> dict[str, t.Any] | None:
        assert name not in self._cronjobs
        return None


def run(
    folder: Path, cluster: Cluster | None = None, *, check_mode: bool = False, **changed: t.Any
) -> dict[str, t.Any]:
    client = t.cast(t.Any, cluster or Cluster("v-c-1-c"))
    return job_record.run(params(folder, **changed), check_mode=check_mode, client=client)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"cells": []}, "nothing to record", id="no cells"),
        pytest.param({"cells": [CELL, CELL]}, "volume v: two cells share it", id="the same cell twice"),
        pytest.param(
            {"cells": [CELL, {**CELL, "volume": "w", "retain": 2}]},
            "cronjob v-c-1-c: two cells share it, and differ",
            id="one CronJob of two jobs",
        ),
        pytest.param({"cells": [{**CELL, "cronjob": "x"}, CELL]}, "volume v: two cells share it", id="the same volume"),
        pytest.param({"cells": [{"volume": "v"}]}, "field 'task' is missing", id="half a cell"),
        pytest.param(
            {"cells": [{**CELL, "cron": "61 * * * *"}]}, "does not parse", id="a schedule that does not parse"
        ),
        pytest.param({"invocations": 0}, "invocations: nothing would be recorded", id="no invocations"),
        pytest.param({"timeout": 0}, "timeout: nothing would be recorded", id="no time"),
        pytest.param({"longhorn_release": "1.0.1"}, "has no profile; .*seen 1.0.1", id="a release that is none"),
        pytest.param({"longhorn_release": "v0.8.1"}, "has no profile", id="a release older than all"),
        pytest.param({"timeout": 100}, "timeout of 540 s or more; seen 100 s", id="a deadline before the ticks"),
    ],
)
def test_bad_options(tmp_path: Path, changed: dict[str, t.Any], message: str) -> None:
    with pytest.raises(errors.BadInput, match=message):
        run(tmp_path, **changed)
    assert not (tmp_path / "h").exists()


@pytest.mark.parametrize(
    ("cluster", "changed", "message"),
    [
        pytest.param(Cluster(), {}, "CronJob n/v-c-1-c: the CronJob does not exist", id="no CronJob"),
        pytest.param(Cluster("v-c-1-c"), {"namespace": "x"}, "namespace x", id="no namespace"),
    ],
)
def test_what_does_not_exist(tmp_path: Path, cluster: Cluster, changed: dict[str, t.Any], message: str) -> None:
    with pytest.raises(errors.NotFound, match=message):
        run(tmp_path, cluster, **changed)
    assert not (tmp_path / "h").exists()


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        pytest.param(
            Cluster("v-c-1-c", volume={"state": "detached", "robustness": "unknown"}),
            r"Volume n/v: the volume is not attached.*seen state detached.*state attached\.$",
            id="a detached volume",
        ),
        pytest.param(
            Cluster("v-c-1-c", volume={"state": "detached", "robustness": "faulted"}),
            r"Volume n/v: the volume is faulted.*robustness faulted",
            id="a faulted volume",
        ),
        pytest.param(Cluster("v-c-1-c", volume={}, suspended=True), "CronJob n/v-c-1-c: it is suspended", id="paused"),
    ],
)
def test_what_can_have_no_invocation_is_refused(tmp_path: Path, cluster: Cluster, message: str) -> None:
    with pytest.raises(errors.Refused, match=message):
        run(tmp_path, cluster)
    assert not (tmp_path / "h").exists()


@pytest.mark.parametrize(
    ("cluster", "changed"),
    [
        pytest.param(Cluster("v-c-1-c", volume={"state": "attached", "robustness": "healthy"}), {}, id="healthy"),
        pytest.param(Cluster("v-c-1-c", volume={"state": "attached", "robustness": "degraded"}), {}, id="degraded"),
        pytest.param(Cluster("v-c-1-c", volume=errors.Forbidden("get volumes")), {}, id="volumes may not be read"),
        pytest.param(Cluster("v-c-1-c", suspended=True), {"trigger": True}, id="paused but run by hand"),
    ],
)
def test_what_can_be_recorded_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: Cluster, changed: dict[str, t.Any]
) -> None:
    monkeypatch.setattr(Recorder, "run", lambda _self: Outcome("invocations", {"v": 3}))
    assert run(tmp_path, cluster, **changed)["ended"] == "invocations"


def test_check_mode_is_skipped_before_anything_exists(tmp_path: Path) -> None:
    result = run(tmp_path, Cluster(), check_mode=True)
    assert (result["changed"], result["skipped"]) == (False, True)
    assert not (tmp_path / "h").exists()


def test_a_triggered_recording_needs_no_time_for_ticks(tmp_path: Path) -> None:
    assert job_record.plan_of(params(tmp_path, trigger=True, timeout=60)).trigger


def test_the_result_is_what_was_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def recorded(recorder: Recorder) -> Outcome:
        recorder.writer.gap("pods", "lost")
        recorder.writer.end("deadline")
        return Outcome("deadline", {"v": 2})

    monkeypatch.setattr(Recorder, "run", recorded)
    assert run(tmp_path) == {
        "changed": True, "history": str(tmp_path / "h"), "invocations": {"v": 2}, "records": 3, "gaps": 1,
        "ended": "deadline",
    }  # fmt: skip
    subjects = history_dir.read_history(tmp_path / "h").subjects
    assert (subjects.release, subjects.run_id, subjects.cells[0].faults) == ("2020-06", "a1b2c3", ("snapshot-delete",))


@pytest.mark.parametrize(
    ("managers", "stated", "release"),
    [
        pytest.param(("longhornio/longhorn-manager:v1.0.1",), "", "v1.0.1", id="by its tag"),
        pytest.param(("longhornio/longhorn-manager:v1.0.1",), "2020-06", "2020-06", id="as stated"),
        pytest.param(("mirror/longhorn-manager:custom",), "", "", id="a custom build"),
        pytest.param(("longhornio/longhorn-manager:v0.8.1",), "", "", id="one that is older than all that are known"),
        pytest.param(("a:v1.0.0", "a:v1.0.1"), "", "", id="in the middle of an upgrade"),
        pytest.param((), "", "", id="no Longhorn"),
    ],
)
def test_the_history_is_of_the_release_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, managers: tuple[str, ...], stated: str, release: str
) -> None:
    monkeypatch.setattr(Recorder, "run", lambda _self: Outcome("invocations", {"v": 3}))
    run(tmp_path, Cluster("v-c-1-c", managers=managers), longhorn_release=stated)
    assert history_dir.read_history(tmp_path / "h").subjects.release == release


def test_a_recording_does_not_outlive_its_play(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_record, "_LOOK", 0.001)
    answers = iter([False, False, True])
    told: list[str] = []
    recorder = SimpleNamespace(interrupt=lambda: told.append("interrupted"))
    play = SimpleNamespace(over=lambda: next(answers))
    job_record._mind_the_play(t.cast(t.Any, recorder), threading.Event(), t.cast(t.Any, play))
    assert told == ["interrupted"]
