# SPDX-License-Identifier: GPL-3.0-or-later
"""Longhorn 1.0.0 in a lab: the bug itself, and what a person may do to volumes, images and settings.

The other releases are watched by the truth check; this lab is for what no recording shows.
"""

from __future__ import annotations

import json
import typing as t

import pytest

from longhorn_qa_lab.bringup import Options
from longhorn_qa_lab.kube import ApiError
from longhorn_qa_lab.lab import running
from longhorn_qa_lab.longhorn import faults, names
from longhorn_qa_lab.longhorn.trial import STUBS, Cell, Trial
from longhorn_qa_lab.progress import Progress

SNAPSHOTS = Cell(volume="bug-snap", image=STUBS["nc"], task="snapshot", job="c-snap")
BACKUPS = Cell(volume="bug-back", image=STUBS["ncb"], task="backup", job="c-back")
CONTROL = Cell(volume="bug-none", image=STUBS["ncb"], task="snapshot", job="c-none")
CELLS = (SNAPSHOTS, BACKUPS, CONTROL)
NEVER = "0 0 29 2 *"


@pytest.fixture(scope="module")
def trial(lab_root: str) -> t.Iterator[Trial]:
    with running(Options(name="longhorn-v100", release="v1.0.0", poll_scale=0.2), Progress()) as started:
        trial = Trial(started.kubeconfig, patience=180.0)
        with trial.kube:
            yield trial


@pytest.fixture(scope="module")
def failed(trial: Trial) -> Trial:
    """Two invocations of the bug: the first is good, the clean-up of the second is not."""
    trial.store()
    for image in (STUBS["nc"], STUBS["ncb"]):
        trial.engine_image(image)
    trial.prepare(CELLS)
    trial.add_jobs(CELLS, cron=NEVER)
    trial.invoke(CELLS, "1")
    trial.invoke(CELLS, "2")
    return trial


def test_a_failed_clean_up_fails_the_job_of_1_0_0(failed: Trial) -> None:
    assert [failed.ended(f"{cell.cron_job}-1") for cell in CELLS] == ["Complete"] * 3
    assert [failed.ended(f"{cell.cron_job}-2") for cell in CELLS] == ["Failed", "Failed", "Complete"]


def test_each_attempt_of_1_0_0_makes_one_more(failed: Trial) -> None:
    snapshots = len(failed.snapshots(SNAPSHOTS.volume))
    assert 4 <= snapshots <= 5, "one of the first run, three or four attempts of the second"
    assert 4 <= len(failed.backups(BACKUPS.volume)) <= 5
    assert len(failed.snapshots(CONTROL.volume)) == 1


def test_the_back_off_and_its_end_are_told_as_kubernetes_tells_them(failed: Trial) -> None:
    wanted = {("Pod", "BackOff"), ("Job", "BackoffLimitExceeded"), ("Job", "SuccessfulDelete")}

    def told() -> set[tuple[str, str]]:
        return {
            (event["involvedObject"]["kind"], event["reason"])
            for event in failed.items("events")
            if event["involvedObject"]["name"].startswith(f"{SNAPSHOTS.cron_job}-2")
        }

    failed.until(f"events {wanted}", lambda: wanted <= told())
    failed.until("the failed pod is gone", lambda: failed.pods_of(f"{SNAPSHOTS.cron_job}-2") == [])


def test_an_attached_volume_changes_its_engine_image_live(failed: Trial) -> None:
    default = failed.manager("GET", "/settings/default-engine-image")["value"]
    failed.manager("POST", f"/volumes/{CONTROL.volume}?action=engineUpgrade", {"image": default})
    failed.until("the engine runs the new image", lambda: _current(failed, CONTROL.volume) == default)
    assert failed.volume(CONTROL.volume)["state"] == "attached"


def _current(trial: Trial, volume: str) -> str:
    return str(trial.volume(volume)["controllers"][0]["currentImage"])


def test_jobs_of_a_detached_volume_are_suspended(failed: Trial) -> None:
    failed.manager("POST", f"/volumes/{CONTROL.volume}?action=detach", {})
    failed.until_state(CONTROL.volume, "detached")
    failed.until("suspended", lambda: (failed.object("cronjobs", CONTROL.cron_job) or {})["spec"]["suspend"])
    assert failed.volume(CONTROL.volume)["robustness"] == "unknown"
    message = failed.refusal("POST", f"/volumes/{CONTROL.volume}?action=detach", {})
    assert message == f"unable to detach volume {CONTROL.volume}: invalid state to detach {CONTROL.volume}: detached"


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        pytest.param("POST", "/volumes", {"name": "a_%", "size": "1Gi"}, "invalid name a_%", id="a bad name"),
        pytest.param("POST", "/volumes", {"name": "x" * 41, "size": "1Gi"}, "must be less than 40", id="a long name"),
        pytest.param("POST", "/volumes", {"name": "v-1", "size": "lots"}, "error parse size lots", id="no size"),
        pytest.param("POST", "/volumes", {"name": "bug-snap", "size": "1Gi"}, "already exists", id="a taken name"),
        pytest.param("POST", "/engineimages", {"image": ""}, "invalid image name", id="no image"),
        pytest.param("POST", "/engineimages", {"image": STUBS["nc"]}, "already exists", id="an image that is there"),
        pytest.param("POST", "/volumes/bug-snap?action=engineUpgrade", {"image": "longhorn-engine:none"},
                     "unable to get engine image longhorn-engine:none", id="an image that is not"),
        pytest.param("POST", "/volumes/bug-snap?action=attach", {"hostId": "lab-node"},
                     "invalid state to attach bug-snap: attached", id="attached already"),
        pytest.param("DELETE", f"/engineimages/{names.engine_image(STUBS['nc'])}", None,
                     "unable to delete the engine image while being used", id="an image in use"),
        pytest.param("PUT", "/settings/nothing", {"value": "1"}, "setting nothing is not supported", id="no setting"),
        pytest.param("PUT", "/settings/default-replica-count", {"value": "x"}, "value x is not", id="no number"),
    ],
)  # fmt: skip
def test_what_the_manager_refuses(
    failed: Trial, method: str, path: str, body: dict[str, t.Any] | None, words: str
) -> None:
    assert words in failed.refusal(method, path, body)


def test_an_image_that_is_too_old_is_incompatible_and_one_may_never_deploy(trial: Trial) -> None:
    old, stuck = "quay.io/example/longhorn-engine:old", "quay.io/example/longhorn-engine:stuck"
    plan = json.dumps({"images": {old: {"cliAPIVersion": 2}, stuck: {"deploys": False}}})
    path = f"/api/v1/namespaces/{names.NAMESPACE}/configmaps/{faults.CONFIG_MAP}"
    trial.kube.merge(path, {"data": {faults.PLAN_KEY: plan}})
    for image in (old, stuck):
        trial.manager("POST", "/engineimages", {"image": image})
    place = f"/engineimages/{names.engine_image(old)}"
    trial.until("incompatible", lambda: trial.manager("GET", place)["state"] == "incompatible")
    assert trial.manager("GET", f"/engineimages/{names.engine_image(stuck)}")["state"] == "deploying"
    trial.kube.merge(path, {"data": None})
    for image in (old, stuck):
        trial.manager("DELETE", f"/engineimages/{names.engine_image(image)}")
    gone = {names.engine_image(image) for image in (old, stuck)}
    trial.until("both are gone", lambda: not gone & {item["metadata"]["name"] for item in trial.items("engineimages")})


def test_a_deleted_volume_leaves_nothing_but_its_backups(failed: Trial) -> None:
    failed.manager("DELETE", f"/volumes/{BACKUPS.volume}")
    failed.until("the volume is gone", lambda: failed.object("volumes", BACKUPS.volume) is None)
    for kind in ("engines", "replicas", "cronjobs"):
        left = [item["metadata"]["name"] for item in failed.items(kind)]
        assert [name for name in left if name.startswith(BACKUPS.volume)] == []
    with pytest.raises(ApiError) as caught:
        failed.volume(BACKUPS.volume)
    assert caught.value.status == 404
    assert failed.backups(BACKUPS.volume)
    failed.manager("DELETE", f"/backupvolumes/{BACKUPS.volume}")
    assert [key for key in failed.store_keys() if BACKUPS.volume in key] == []
