# SPDX-License-Identifier: GPL-3.0-or-later
"""Engine images: read from real objects, planned, waited for."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import engine_image, names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.engine_image import Desired, EngineImage
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import InvalidRequest

STUB, DEFAULT = "quay.io/ttpcodes/longhorn-engine:no-cleanup", "longhornio/longhorn-engine:v1.0.0-fix"
# 2020-06/04-jobs-created/engineimages.longhorn.io.json, shortened.
REAL: dict[str, t.Any] = {
    "metadata": {"name": "ei-0016307a", "namespace": "longhorn-system", "labels": {names.RUN_ID_LABEL: "a1"}},
    "spec": {"image": STUB},
    "status": {
        "cliAPIMinVersion": 3,
        "cliAPIVersion": 3,
        "conditions": {"ready": {"message": "Engine image become ready", "status": "True", "type": "ready"}},
        "controllerAPIMinVersion": 3,
        "controllerAPIVersion": 3,
        "gitCommit": "f99be10aaaffb9b41fa7782a27e61513b2ab8c52",
        "refCount": 2,
        "state": "ready",
        "version": "v1.0.0",
    },
}
READY = EngineImage.from_object(REAL)


def test_a_real_object_is_read() -> None:
    assert EngineImage(
        name="ei-0016307a", image=STUB, state="ready", ref_count=2, labels={names.RUN_ID_LABEL: "a1"},
        git_commit="f99be10aaaffb9b41fa7782a27e61513b2ab8c52", cli_api_version=3, cli_api_min_version=3,
        controller_api_version=3, controller_api_min_version=3,
    ) == READY  # fmt: skip
    assert READY.usable


def test_a_half_born_object_is_read_and_pending() -> None:
    born = EngineImage.from_object({"metadata": {"name": "ei-0016307a"}, "spec": {"image": STUB}})
    assert (born.state, born.ref_count) == ("", 0)
    assert engine_image.ready(born).state == "pending"


@pytest.mark.parametrize(
    ("existing", "state", "words"),
    [
        pytest.param(None, "pending", "does not exist", id="not-there-yet"),
        pytest.param(replace(READY, state="deploying", reason="no enough pods are ready: 0 vs 1"), "pending", "0 vs 1",
                     id="deploying"),
        pytest.param(READY, "done", "ready", id="ready"),
        pytest.param(replace(READY, state="deployed"), "done", "deployed", id="deployed-as-later-releases-say"),
        pytest.param(replace(READY, incompatible=True, cli_api_version=10), "failed", "CLI API is 10",
                     id="incompatible"),
        pytest.param(replace(READY, state="error"), "failed", "state=error", id="error"),
        pytest.param(replace(READY, deleting=True), "pending", "ready", id="being-deleted"),
    ],
)  # fmt: skip
def test_readiness(existing: EngineImage | None, state: str, words: str) -> None:
    progress = engine_image.ready(existing)
    assert progress.state == state
    assert words in progress.reason


def plan(existing: EngineImage | None, **desired: t.Any) -> list[str]:
    used_by = desired.pop("used_by", ())
    default = desired.pop("default_image", DEFAULT)
    wanted = Desired(**{"image": STUB, **desired})
    return [s.action for s in engine_image.plan(existing, wanted, default_image=default, used_by=used_by).steps]


@pytest.mark.parametrize(
    ("existing", "desired", "actions"),
    [
        pytest.param(None, {}, ["create"], id="create"),
        pytest.param(READY, {}, [], id="nothing"),
        pytest.param(replace(READY, deleting=True), {}, ["create"], id="create-again-after-deletion"),
        pytest.param(None, {"default": True}, ["create", "set_default"], id="create-as-default"),
        pytest.param(READY, {"default": True}, ["set_default"], id="make-default"),
        pytest.param(READY, {"default": True, "default_image": STUB}, [], id="is-default"),
        pytest.param(READY, {"default": False}, [], id="is-not-the-default-as-stated"),
        pytest.param(READY, {"state": "absent"}, ["delete"], id="remove"),
        pytest.param(None, {"state": "absent"}, [], id="remove-nothing"),
        pytest.param(replace(READY, deleting=True), {"state": "absent"}, [], id="already-being-removed"),
        pytest.param(READY, {"state": "absent", "run_id": "a1"}, ["delete"], id="remove-own"),
        pytest.param(READY, {"state": "absent", "run_id": "b2"}, [], id="leave-the-reused-one"),
    ],
)
def test_plans(existing: EngineImage | None, desired: dict[str, t.Any], actions: list[str]) -> None:
    assert plan(existing, **desired) == actions


@pytest.mark.parametrize(
    ("existing", "desired", "words"),
    [
        pytest.param(None, {"image": ""}, "empty", id="empty-reference"),
        pytest.param(None, {"image": "no good"}, "malformed", id="malformed-reference"),
        pytest.param(READY, {"state": "absent", "default_image": STUB}, "is the default one", id="remove-the-default"),
        pytest.param(READY, {"state": "absent", "used_by": ["v2", "v1"]}, "by volume v1, v2", id="remove-in-use"),
        pytest.param(READY, {"default": False, "default_image": STUB}, "make another image", id="undo-the-default"),
    ],
)
def test_impossible_wishes_are_refused_in_words(
    existing: EngineImage | None, desired: dict[str, t.Any], words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        plan(existing, **desired)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param(None, READY, "not registered any more", id="old-image-gone"),
        pytest.param(READY, READY, "both engine images are of commit", id="same-commit"),
        pytest.param(replace(READY, controller_api_version=5), replace(READY, git_commit="0"), "controller API 5 is",
                     id="old-controller-newer"),
        pytest.param(replace(READY, controller_api_version=2), replace(READY, git_commit="0"), "not within 3 to 3",
                     id="old-controller-too-old"),
    ],
)  # fmt: skip
def test_what_rules_out_a_live_upgrade_is_told(old: EngineImage | None, new: EngineImage, words: str) -> None:
    assert words in " ".join(engine_image.live_upgrade_problems(old, new))


def test_images_of_two_commits_and_one_controller_api_can_be_swapped_live() -> None:
    assert engine_image.live_upgrade_problems(READY, replace(READY, git_commit="another")) == []


def test_an_image_is_unused_only_without_references() -> None:
    assert engine_image.unused(READY).state == "pending"
    assert engine_image.unused(replace(READY, ref_count=0)).state == "done"
    assert engine_image.unused(None).state == engine_image.gone(None).state == "done"
    assert engine_image.gone(READY).state == "pending"


@pytest.mark.parametrize(
    ("existing", "state", "default_image", "before", "after"),
    [
        pytest.param(None, "present", DEFAULT, ("", "absent", False), (STUB, "present", False), id="made"),
        pytest.param(READY, "absent", DEFAULT, (STUB, "present", False), ("", "absent", False), id="removed"),
        pytest.param(READY, "present", STUB, (STUB, "present", True), (STUB, "present", True), id="stays-the-default"),
        pytest.param(None, "absent", DEFAULT, ("", "absent", False), ("", "absent", False), id="stays-away"),
    ],
)
def test_a_diff_shows_both_sides(
    existing: EngineImage | None, state: t.Any, default_image: str, before: tuple[t.Any, ...], after: tuple[t.Any, ...]
) -> None:
    made = engine_image.plan(existing, Desired(image=STUB, state=state), default_image=default_image)
    assert tuple(made.diff["before"][key] for key in ("image", "state", "default")) == before
    assert tuple(made.diff["after"][key] for key in ("image", "state", "default")) == after
