# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes: read from real objects, planned from every state to every other, waited for."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names, volume
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.attachment import Ticket
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.engine_image import EngineImage
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import InvalidRequest, NotOurs, Plan
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job import RecurringJob
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.volume import Desired, Volume

DEFAULT, STUB = "longhornio/longhorn-engine:v1.0.0-fix", "quay.io/ttpcodes/longhorn-engine:no-cleanup"
# 2020-06/04-jobs-created/volumes.longhorn.io.json, shortened.
REAL: dict[str, t.Any] = {
    "metadata": {"labels": {"longhornvolume": "test-d-back"}, "name": "test-d-back", "uid": "fe523449"},
    "spec": {
        "disableFrontend": True,
        "engineImage": DEFAULT,
        "frontend": "blockdev",
        "nodeID": "vm",
        "numberOfReplicas": 1,
        "recurringJobs": [{"cron": "* * * * *", "labels": None, "name": "c-dbck", "retain": 1, "task": "backup"}],
        "size": "33554432",
    },
    "status": {
        "conditions": {"scheduled": {"message": "", "reason": "", "status": "True", "type": "scheduled"}},
        "currentImage": DEFAULT,
        "currentNodeID": "vm",
        "robustness": "healthy",
        "state": "attached",
    },
}
ATTACHED = replace(Volume.from_object(REAL), name="test-1")
DETACHED = replace(ATTACHED, node="", current_node="", state="detached", robustness="unknown", disable_frontend=False)
READY = {"state": "ready", "git_commit": "1", "controller_api_version": 3, "controller_api_min_version": 3}
IMAGES = {
    DEFAULT: EngineImage("ei-20ba1daa", DEFAULT, **READY),  # type: ignore[arg-type]
    STUB: EngineImage("ei-0016307a", STUB, **{**READY, "git_commit": "2"}),  # type: ignore[arg-type]
}


def plan(
    existing: Volume | None, *, images: dict[str, EngineImage] | None = None,
    settings: dict[str, str] | None = None, **desired: t.Any,
) -> Plan:  # fmt: skip
    wanted = Desired(**{"name": "test-1", **desired})
    around = volume.Surroundings(DEFAULT, IMAGES if images is None else images, settings or {})
    return volume.plan(existing, wanted, around)


def actions(made: Plan) -> list[str]:
    return [step.action for step in made.steps]


def test_a_real_object_is_read() -> None:
    assert Volume.from_object(REAL) == Volume(
        name="test-d-back", uid="fe523449", labels={"longhornvolume": "test-d-back"}, size=33554432,
        number_of_replicas=1, frontend="blockdev", engine_image=DEFAULT, node="vm", disable_frontend=True,
        state="attached", robustness="healthy", current_image=DEFAULT, current_node="vm",
        recurring_jobs=(RecurringJob("c-dbck", "backup", "* * * * *", 1),),
    )  # fmt: skip


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"engineImage": "a:1"}, id="up-to-1.5"),
        pytest.param({"image": "a:1", "engineImage": "a:1"}, id="1.6-to-1.8"),
        pytest.param({"image": "a:1"}, id="since-1.9"),
    ],
)
def test_the_engine_image_has_two_names(spec: dict[str, str]) -> None:
    assert Volume.from_object({"metadata": {"name": "test-1"}, "spec": spec}).engine_image == "a:1"


def test_why_a_replica_has_no_place_is_read_from_both_shapes() -> None:
    told = {"type": "Scheduled", "status": "False", "message": "no disk has room"}
    for conditions in ([told], {"scheduled": told}):
        seen = Volume.from_object({"metadata": {"name": "test-1"}, "status": {"conditions": conditions}}).seen
        assert "no disk has room" in seen


def test_a_half_born_object_is_read_and_pending() -> None:
    born = Volume.from_object({"metadata": {"name": "test-1"}, "spec": {"size": "33554432"}})
    assert born.state == ""
    assert volume.settled(born, desired=Desired("test-1")).state == "pending"


CHANGES = [
    pytest.param(None, {"size": 1}, ["create"], id="create"),
    pytest.param(None, {"size": 1, "state": "detached"}, ["create"], id="create-detached"),
    pytest.param(None, {"size": 1, "state": "attached"}, ["create", "attach"], id="create-and-attach"),
    pytest.param(None, {"size": 1, "state": "attached", "engine_image": STUB}, ["create", "upgrade", "attach"],
                 id="create-upgrade-attach-in-one-go"),
    pytest.param(None, {"size": 1, "engine_image": DEFAULT}, ["create"], id="create-with-the-default-image-named"),
    pytest.param(None, {"state": "absent"}, [], id="delete-nothing"),
    pytest.param(ATTACHED, {}, [], id="present-leaves-attached"),
    pytest.param(DETACHED, {}, [], id="present-leaves-detached"),
    pytest.param(ATTACHED, {"state": "attached"}, [], id="attached-already"),
    pytest.param(ATTACHED, {"state": "attached", "node": "vm", "disable_frontend": True}, [], id="attached-so-already"),
    pytest.param(DETACHED, {"state": "detached"}, [], id="detached-already"),
    pytest.param(DETACHED, {"state": "attached"}, ["attach"], id="attach"),
    pytest.param(ATTACHED, {"state": "detached"}, ["detach"], id="detach"),
    pytest.param(ATTACHED, {"state": "attached", "node": "other"}, ["detach", "attach"], id="move"),
    pytest.param(ATTACHED, {"state": "attached", "disable_frontend": False}, ["detach", "attach"], id="with-frontend"),
    pytest.param(DETACHED, {"engine_image": STUB}, ["upgrade"], id="upgrade-offline"),
    pytest.param(ATTACHED, {"engine_image": STUB}, ["upgrade"], id="upgrade-live"),
    pytest.param(ATTACHED, {"engine_image": STUB, "state": "detached"}, ["detach", "upgrade"], id="detach-and-upgrade"),
    pytest.param(ATTACHED, {"state": "absent"}, ["delete"], id="delete-attached"),
    pytest.param(replace(DETACHED, deleting=True), {"state": "absent"}, [], id="already-being-deleted"),
    pytest.param(replace(DETACHED, deleting=True), {"size": 1}, ["create"], id="create-again-after-deletion"),
    pytest.param(replace(ATTACHED, robustness="faulted"), {"state": "absent"}, ["delete"], id="delete-faulted"),
]  # fmt: skip


@pytest.mark.parametrize(("existing", "desired", "expected"), CHANGES)
def test_plans(existing: Volume | None, desired: dict[str, t.Any], expected: list[str]) -> None:
    made = plan(existing, **desired)
    assert actions(made) == expected
    assert made.changed == bool(expected)
    assert len(made.messages) == len(expected)
    assert (made.diff["before"] == made.diff["after"]) == (not expected)


def test_creation_never_names_an_engine_image() -> None:
    made = plan(None, size=33554432, number_of_replicas=1, engine_image=STUB)
    assert made.steps[0].arguments == {
        "name": "test-1", "size": "33554432", "numberOfReplicas": 1, "frontend": "blockdev",
    }  # fmt: skip
    assert made.steps[1].arguments == {"image": STUB, "live": False}


def test_a_diff_shows_what_changes() -> None:
    made = plan(DETACHED, state="attached", node="vm", disable_frontend=True, engine_image=STUB)
    before, after = made.diff["before"], made.diff["after"]
    assert {key for key in before if before[key] != after[key]} == {"state", "node", "disable_frontend", "engine_image"}


def test_moving_keeps_the_frontend_as_it_was() -> None:
    made = plan(ATTACHED, state="attached", node="other")
    assert made.steps[-1].arguments == {"node": "other", "disable_frontend": True}


def test_a_detached_volume_gets_its_frontend_back() -> None:
    made = plan(replace(DETACHED, disable_frontend=True), state="attached")
    assert made.steps[0].arguments == {"node": "", "disable_frontend": False}


def test_a_missing_engine_image_is_missing_not_wrong() -> None:
    made = plan(DETACHED, engine_image=STUB, images={})
    assert actions(made) == ["upgrade"]
    assert "longhorn_engine_image" in made.missing[0]


def test_an_image_that_is_still_deployed_is_waited_for_by_the_caller() -> None:
    made = plan(DETACHED, engine_image=STUB, images={STUB: replace(IMAGES[STUB], state="deploying")})
    assert (actions(made), made.missing) == (["upgrade"], ())


@pytest.mark.parametrize(
    ("existing", "desired", "words"),
    [
        pytest.param(None, {"name": "a" * 41, "size": 1}, "41 characters", id="name-too-long"),
        pytest.param(None, {"name": "A", "size": 1}, "lower-case", id="name-upper-case"),
        pytest.param(None, {}, "size is needed", id="new-without-size"),
        pytest.param(None, {"size": 1, "frontend": "nvmf"}, "frontend 'nvmf'", id="frontend-of-a-later-release"),
        pytest.param(None, {"size": 1, "number_of_replicas": -1}, "at least 1", id="negative-replicas"),
        pytest.param(None, {"size": 1, "engine_image": "No:Good:"}, "malformed", id="malformed-image"),
        pytest.param(DETACHED, {"size": 67108864}, "size 33554432, not 67108864", id="other-size"),
        pytest.param(DETACHED, {"number_of_replicas": 3}, "number_of_replicas 1, not 3", id="other-replicas"),
        pytest.param(DETACHED, {"frontend": "iscsi"}, "frontend blockdev, not iscsi", id="other-frontend"),
        pytest.param(replace(DETACHED, robustness="faulted"), {"state": "attached"}, "is faulted", id="faulted"),
        pytest.param(replace(ATTACHED, robustness="degraded"), {"engine_image": STUB}, "attached and healthy",
                     id="live-upgrade-of-a-degraded-one"),
        pytest.param(replace(ATTACHED, state="attaching"), {"engine_image": STUB}, "attached and healthy",
                     id="live-upgrade-while-attaching"),
    ],
)  # fmt: skip
def test_impossible_wishes_are_refused_in_words(existing: Volume | None, desired: dict[str, t.Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        plan(existing, **desired)


def test_a_live_upgrade_to_the_same_commit_is_refused_with_what_to_do() -> None:
    same = {**IMAGES, STUB: replace(IMAGES[STUB], git_commit="1")}
    with pytest.raises(InvalidRequest, match=r"both engine images are of commit 1.*Detach it first"):
        plan(ATTACHED, engine_image=STUB, images=same)
    assert actions(plan(DETACHED, engine_image=STUB, images=same)) == ["upgrade"]


def test_since_1_12_longhorn_can_be_told_to_move_within_a_commit() -> None:
    same = {**IMAGES, STUB: replace(IMAGES[STUB], git_commit="1")}
    told = {"allow-live-engine-upgrade-on-same-image-commit": "true"}
    assert actions(plan(ATTACHED, engine_image=STUB, images=same, settings=told)) == ["upgrade"]


@pytest.mark.parametrize(
    ("existing", "settings", "words"),
    [
        pytest.param(DETACHED, {"concurrent-automatic-engine-upgrade-per-node-limit": "3"}, "is 3: set it to 0 first",
                     id="automatic-upgrade"),
        pytest.param(replace(DETACHED, data_engine="v2"), {}, "data engine v2", id="data-engine-v2"),
        pytest.param(replace(ATTACHED, migrating=True), {}, "being migrated", id="migrating"),
        pytest.param(replace(DETACHED, engine_image="a:1"), {}, f"already being upgraded from {DEFAULT} to a:1",
                     id="upgrade-to-a-third-image"),
        pytest.param(replace(ATTACHED, strict_local=True), {}, "is strict-local.*Detach it first", id="strict-local"),
        pytest.param(replace(ATTACHED, standby=True), {}, "standby volume.*Detach it first", id="standby"),
    ],
)  # fmt: skip
def test_an_upgrade_that_longhorn_refuses_is_refused_before_anything_is_changed(
    existing: Volume, settings: dict[str, str], words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        plan(existing, engine_image=STUB, settings=settings)


def test_automatic_upgrade_allows_the_default_image_and_zero_allows_all() -> None:
    limit = "concurrent-automatic-engine-upgrade-per-node-limit"
    stubbed = replace(DETACHED, engine_image=STUB, current_image=STUB)
    assert actions(plan(stubbed, engine_image=DEFAULT, settings={limit: "3"})) == ["upgrade"]
    assert actions(plan(DETACHED, engine_image=STUB, settings={limit: "0"})) == ["upgrade"]


def test_an_upgrade_may_be_taken_back_while_it_goes_on() -> None:
    assert actions(plan(replace(DETACHED, engine_image=STUB), engine_image=DEFAULT)) == ["upgrade"]


GROUP = "recurring-job-group.longhorn.io/"
GROUPED = replace(DETACHED, labels={f"{GROUP}default": "enabled", f"{GROUP}old": "enabled"})


@pytest.mark.parametrize(
    ("existing", "groups", "labels"),
    [
        pytest.param(DETACHED, ("a",), {f"{GROUP}a": "enabled"}, id="join"),
        pytest.param(GROUPED, ("a",), {f"{GROUP}a": "enabled", f"{GROUP}old": None}, id="change"),
        pytest.param(GROUPED, (), {f"{GROUP}old": None}, id="leave-all-but-longhorns-own"),
    ],
)
def test_groups_of_recurring_jobs(existing: Volume, groups: tuple[str, ...], labels: dict[str, t.Any]) -> None:
    (step,) = plan(existing, groups=groups).steps
    assert (step.action, step.arguments["labels"]) == ("label", labels)


def test_groups_that_are_as_wanted_or_not_named_stay() -> None:
    assert not plan(GROUPED, groups=("old",)).changed
    assert not plan(GROUPED).changed
    assert "recurring_job_groups" not in plan(GROUPED).before
    assert actions(plan(None, size=1, groups=("a",), state="attached")) == ["create", "label", "attach"]


def test_groups_need_a_later_release() -> None:
    around = volume.Surroundings(DEFAULT, groups_known=False)
    with pytest.raises(InvalidRequest, match="groups of recurring jobs need"):
        volume.plan(DETACHED, Desired("test-1", groups=("a",)), around)


def test_jobs_and_groups_are_told_by_labels() -> None:
    labels = {**GROUPED.labels, "recurring-job.longhorn.io/j": "enabled", "recurring-job.longhorn.io/off": "disabled"}
    told = replace(DETACHED, recurring_jobs=(), labels=labels).summary()
    assert (told["recurring_jobs"], told["recurring_job_groups"]) == ([{"name": "j"}], ["default", "old"])


def held(*tickets: Ticket, document: dict[str, t.Any] = REAL) -> Volume:
    return replace(Volume.from_object(document, tickets=tickets), name="test-1")


REQUEST = Ticket("longhorn-ui", "longhorn-api", "vm", disable_frontend=True)
POD = Ticket("csi-1", "csi-attacher", "vm")
BACKUP = Ticket("backup-controller-b", "backup-controller", "vm")


def test_since_1_5_tickets_tell_what_is_wanted() -> None:
    assert (held(REQUEST).node, held(REQUEST).disable_frontend) == ("vm", True)
    assert (held(POD).node, held(POD).disable_frontend) == ("vm", False)
    assert (held(BACKUP).node, held().node) == ("", ""), "what a controller holds for a moment is nobody's wish"
    assert held(POD, REQUEST).disable_frontend, "a request outweighs a pod"


@pytest.mark.parametrize(
    ("tickets", "desired", "expected"),
    [
        pytest.param((REQUEST,), {"state": "attached"}, [], id="attached-already"),
        pytest.param((POD,), {"state": "attached"}, [], id="attached-by-a-pod"),
        pytest.param((BACKUP,), {"state": "attached"}, ["attach"], id="held-for-a-backup-only"),
        pytest.param((REQUEST,), {"state": "detached"}, ["detach"], id="detach"),
        pytest.param((), {"state": "detached"}, [], id="detached-already"),
        pytest.param((REQUEST,), {"state": "attached", "node": "other"}, ["detach", "attach"], id="move"),
    ],
)
def test_plans_with_tickets(tickets: tuple[Ticket, ...], desired: dict[str, t.Any], expected: list[str]) -> None:
    assert actions(plan(held(*tickets), **desired)) == expected


def test_detaching_takes_back_every_request_and_no_other_ticket() -> None:
    other = replace(REQUEST, id="")
    assert plan(held(other, REQUEST, BACKUP), state="detached").steps[0].arguments == {"tickets": ["", "longhorn-ui"]}


def test_a_volume_that_a_pod_uses_is_not_detached() -> None:
    with pytest.raises(
        InvalidRequest, match=r"used by a pod.*csi-attacher 'csi-1' wants it on node vm.*Delete the pod"
    ):
        plan(held(POD, REQUEST), state="detached")


def test_who_holds_a_volume_is_told_while_it_is_waited_for() -> None:
    assert "held by backup-controller" in volume.detached(held(BACKUP)).reason
    refused = replace(REQUEST, unmet="the node is down")
    assert "the node is down" in volume.attached(held(refused), node="other").reason


def test_an_incompatible_engine_image_is_refused_with_the_reason() -> None:
    images = {STUB: replace(IMAGES[STUB], state="incompatible", incompatible=True, cli_api_version=10)}
    with pytest.raises(InvalidRequest, match="CLI API is 10"):
        plan(DETACHED, engine_image=STUB, images=images)


@pytest.mark.parametrize("state", ["present", "attached", "absent"])
def test_a_volume_of_somebody_else_is_left_alone(state: str) -> None:
    with pytest.raises(NotOurs, match="was not made by run a1"):
        plan(DETACHED, state=state, run_id="a1")
    with pytest.raises(NotOurs, match="belongs to run b2"):
        plan(replace(DETACHED, labels={names.RUN_ID_LABEL: "b2"}), state=state, run_id="a1")


def test_a_volume_of_this_run_is_its_own() -> None:
    assert actions(plan(replace(DETACHED, labels={names.RUN_ID_LABEL: "a1"}), state="absent", run_id="a1")) == [
        "delete"
    ]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        pytest.param("33554432", 33554432, id="bytes"),
        pytest.param("32Mi", 33554432, id="quantity"),
        pytest.param("1Gi", 2**30, id="gibibyte"),
        pytest.param("33554433", 35651584, id="rounded-up-to-2-mebibytes"),
        pytest.param("1", 2097152, id="tiny"),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert volume.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5Gi", "big", "1 GiB", "0Mi", "9" * 5000, "9000000000Gi"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="not a number of bytes"):
        volume.parse_size(text)


@pytest.mark.parametrize(
    ("found", "desired", "state"),
    [
        pytest.param(None, {"state": "absent"}, "done", id="gone"),
        pytest.param(DETACHED, {"state": "absent"}, "pending", id="going"),
        pytest.param(None, {"state": "attached"}, "pending", id="not-there-yet"),
        pytest.param(ATTACHED, {"state": "attached"}, "done", id="attached"),
        pytest.param(replace(ATTACHED, robustness="degraded"), {"state": "attached"}, "done", id="attached-degraded"),
        pytest.param(replace(ATTACHED, robustness="unknown"), {"state": "attached"}, "pending", id="no-replica-yet"),
        pytest.param(replace(ATTACHED, state="attaching"), {"state": "attached"}, "pending", id="attaching"),
        pytest.param(ATTACHED, {"state": "attached", "node": "other"}, "pending", id="elsewhere"),
        pytest.param(replace(ATTACHED, robustness="faulted"), {"state": "attached"}, "failed", id="faulted"),
        pytest.param(DETACHED, {"state": "detached"}, "done", id="detached"),
        pytest.param(replace(ATTACHED, state="detaching"), {"state": "detached"}, "pending", id="detaching"),
        pytest.param(DETACHED, {"engine_image": STUB}, "pending", id="not-upgraded-yet"),
        pytest.param(replace(DETACHED, current_image=STUB), {"engine_image": STUB}, "done", id="upgraded"),
        pytest.param(DETACHED, {}, "done", id="present-at-rest"),
        pytest.param(ATTACHED, {}, "done", id="present-attached"),
    ],
)
def test_readiness(found: Volume | None, desired: dict[str, t.Any], state: str) -> None:
    assert volume.settled(found, desired=Desired("test-1", **desired)).state == state


@pytest.mark.parametrize("predicate", [volume.detached, volume.attached])
def test_every_predicate_accepts_an_object_that_is_gone(predicate: t.Callable[[Volume | None], t.Any]) -> None:
    assert predicate(None).state == "pending"
    assert predicate(replace(ATTACHED, robustness="faulted")).state == "failed"


def test_why_a_replica_has_no_place_is_part_of_what_was_seen() -> None:
    status = {"conditions": {"scheduled": {"type": "scheduled", "status": "False", "message": "no disk space"}}}
    assert "no disk space" in Volume.from_object({**REAL, "status": status}).seen


def test_a_detached_volume_shows_no_frontend_choice_in_a_diff() -> None:
    assert plan(replace(DETACHED, disable_frontend=True)).diff["before"]["disable_frontend"] is False
    assert plan(ATTACHED).diff["before"]["disable_frontend"] is True
