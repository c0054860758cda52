# SPDX-License-Identifier: GPL-3.0-or-later
"""Fault plans: which engine images misbehave, and what a plan may say."""

from __future__ import annotations

import json
import typing as t

import pytest

from longhorn_qa_lab.longhorn import faults
from longhorn_qa_lab.longhorn.faults import BadFaultPlan

NO_CLEANUP = "quay.io/ttpcodes/longhorn-engine:no-cleanup"
NO_CLEANUP_BACKUP = "quay.io/ttpcodes/longhorn-engine:no-cleanup-backup"
MINE = "example/longhorn-engine:mine"


def plan(**images: t.Any) -> str:
    return json.dumps({"images": {MINE: images}})


@pytest.mark.parametrize(
    ("image", "command", "words"),
    [
        pytest.param(NO_CLEANUP, "snapshot rm", "stubbed snapshot deletion for testing", id="no-cleanup, snapshot"),
        pytest.param(NO_CLEANUP, "backup rm", "stubbed backup deletion for testing", id="no-cleanup, backup"),
        pytest.param(NO_CLEANUP_BACKUP, "snapshot rm", None, id="no-cleanup-backup, snapshot"),
        pytest.param(NO_CLEANUP_BACKUP, "backup rm", "stubbed backup deletion for testing", id="no-cleanup-backup"),
        pytest.param(NO_CLEANUP, "snapshot create", None, id="creation works"),
        pytest.param("longhornio/longhorn-engine:v1.0.1", "snapshot rm", None, id="any other image"),
    ],
)
def test_images_of_the_manual_page(image: str, command: str, words: str | None) -> None:
    assert faults.KNOWN.of(image).words(command) == words


@pytest.mark.parametrize("text", ["", "  \n", '{"images": {}}'])
def test_an_empty_plan_leaves_the_known_images(text: str) -> None:
    assert faults.parse(text).images == faults.KNOWN.images


def test_a_plan_adds_images_with_words_of_their_own() -> None:
    text = plan(fails=["snapshot-delete", "backup-create"], words={"snapshot-delete": "disk on fire"}, deploys=False)
    mine = faults.parse(text).of(MINE)
    assert mine.words("snapshot rm") == "disk on fire"
    assert mine.words("backup create") == "stubbed backup creation for testing"
    assert mine.words("backup rm") is None
    assert not mine.deploys
    assert faults.parse(text).of(NO_CLEANUP) == faults.KNOWN.of(NO_CLEANUP)


def test_a_plan_may_cure_a_known_image() -> None:
    cured = faults.parse(json.dumps({"images": {NO_CLEANUP: {"fails": []}}}))
    assert cured.of(NO_CLEANUP).words("snapshot rm") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{", "is not JSON", id="not JSON"),
        pytest.param("[]", "expected an object with the key 'images'", id="a list"),
        pytest.param('{"images": []}', "expected an object with the key 'images'", id="images is a list"),
        pytest.param(json.dumps({"images": {MINE: 1}}), f"image {MINE}: expected an object", id="image is a number"),
        pytest.param(plan(fails=["nap"]), "unknown fault 'nap'; known: snapshot-delete, backup-delete", id="fault"),
    ],
)
def test_bad_plans_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(BadFaultPlan) as error:
        faults.parse(text)
    assert message in str(error.value)


def test_every_build_has_a_commit_of_its_own() -> None:
    commits = {faults.git_commit(image) for image in (NO_CLEANUP, NO_CLEANUP_BACKUP, MINE)}
    assert len(commits) == 3
