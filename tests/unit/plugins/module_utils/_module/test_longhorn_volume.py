# SPDX-License-Identifier: GPL-3.0-or-later
"""longhorn_volume: steps in their order, each waited for, and what ends a wait early."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._module import longhorn_volume

STUB, DEFAULT = "quay.io/ttpcodes/longhorn-engine:no-cleanup", "longhornio/longhorn-engine:v1.0.1"
NODES = [
    {"metadata": {"name": "node-2"}, "status": {"conditions": {"Ready": {"type": "Ready", "status": "True"}}}},
    {"metadata": {"name": "node-1"}, "status": {"conditions": {"Ready": {"type": "Ready", "status": "False"}}}},
]


def volume(state: str = "detached", *, image: str = DEFAULT, run: str = "", **more: t.Any) -> dict[str, t.Any]:
    spec = {"size": "33554432", "numberOfReplicas": 1, "frontend": "blockdev", "engineImage": image}
    status = {"state": state, "robustness": "unknown", "currentImage": image}
    labels = {"longhorn.qa/run-id": run} if run else {}
    if state == "attached":
        spec |= {"nodeID": "node-2", "disableFrontend": True}
        status |= {"robustness": "healthy", "currentNodeID": "node-2"}
    return {"metadata": {"name": "test-1", "labels": labels}, "spec": spec, "status": {**status, **more}}


def engine(state: str = "ready", image: str = STUB, commit: str = "2") -> dict[str, t.Any]:
    name = "ei-0016307a" if image == STUB else "ei-3bd16bdf"
    status = {"state": state, "gitCommit": commit, "controllerAPIVersion": 3, "controllerAPIMinVersion": 3}
    return {"metadata": {"name": name}, "spec": {"image": image}, "status": status}


def run(api: t.Any, *, check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
    given = {
        "namespace": "longhorn-system", "longhorn_release": "v1.0.1", "wait": True, "wait_timeout": 30, "run_id": "",
        "name": "test-1", "state": "present", "size": "", "number_of_replicas": 0, "frontend": None,
        "engine_image": "", "node": "", "disable_frontend": None, **params,
    }  # fmt: skip
    return longhorn_volume.run(given, check_mode=check_mode, client=api.client, clock=api.clock)


def around(api: t.Any, *engines: t.Any, **settings: str) -> None:
    """What is looked at when an engine image is named."""
    api.objects("engineimages", *engines)
    api.objects("settings", *({"metadata": {"name": name}, "value": value} for name, value in settings.items()))


def replicas(api: t.Any, *nodes: str) -> None:
    line = f"GET {api.path('replicas')}?labelSelector=longhornvolume%3Dtest-1"
    api.on(line, {"metadata": {}, "items": [{"spec": {"nodeID": node}} for node in nodes]})


def test_one_call_creates_upgrades_and_attaches(api: t.Any) -> None:
    api.longhorn()
    mine = {"run": "a1"}
    attached = volume("attached", image=STUB, **mine)
    api.object(
        "volumes", "test-1", None, volume("", **mine), volume(**mine), volume(**mine), volume(image=STUB, **mine),
        volume(image=STUB, **mine), volume("attaching", image=STUB, **mine), attached, attached,
    )  # fmt: skip
    around(api, engine())
    replicas(api, "", "node-2")
    api.object("engineimages", "ei-0016307a", engine("deploying"), engine())
    api.objects("nodes", *NODES)
    api.manager("POST v1/volumes")
    api.marks("volumes", "test-1")
    api.manager("POST v1/volumes/test-1?action=engineUpgrade")
    api.manager("POST v1/volumes/test-1?action=attach")

    result = run(
        api, state="attached", size="32Mi", number_of_replicas=1, engine_image=STUB, disable_frontend=True, run_id="a1"
    )

    assert api.writes == [
        ("POST manager v1/volumes",
         {"name": "test-1", "size": "33554432", "frontend": "blockdev", "numberOfReplicas": 1}),
        (f"PATCH {api.path('volumes')}/test-1", {"metadata": {"labels": {"longhorn.qa/run-id": "a1"}}}),
        ("POST manager v1/volumes/test-1?action=engineUpgrade", {"image": STUB}),
        ("POST manager v1/volumes/test-1?action=attach", {"hostId": "node-2", "disableFrontend": True}),
    ]  # fmt: skip
    assert result["changed"]
    assert result["volume"]["state"] == "attached"
    assert result["volume"]["engine_image"] == STUB
    assert len(result["actions"]) == 3


def ticket(name: str = "longhorn-qa", kind: str = "longhorn-api") -> dict[str, t.Any]:
    held = {"id": name, "type": kind, "nodeID": "node-2", "parameters": {"disableFrontend": "true"}}
    return {"metadata": {"name": "test-1"}, "spec": {"attachmentTickets": {name: held}}}


def test_since_1_5_attaching_takes_a_ticket_and_never_names_a_node_in_the_volume(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    api.object("volumes", "test-1", volume(), volume(), volume("attached"), volume("attached"))
    nobody = {"metadata": {"name": "test-1"}, "spec": {"attachmentTickets": {}}}
    api.object("volumeattachments", "test-1", nobody, ticket())
    api.manager("POST v1/volumes/test-1?action=attach")

    result = run(api, state="attached", node="node-2", disable_frontend=True)

    body = {"hostId": "node-2", "disableFrontend": True, "attachmentID": "longhorn-qa"}
    assert api.writes == [("POST manager v1/volumes/test-1?action=attach", body)]
    assert result["volume"]["state"] == "attached"


def test_since_1_5_detaching_takes_every_request_back(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    api.object("volumes", "test-1", volume("attached"), volume("detaching"), volume())
    both = ticket("longhorn-ui")
    both["spec"]["attachmentTickets"] |= ticket()["spec"]["attachmentTickets"]
    api.object("volumeattachments", "test-1", both, ticket("snapshot-controller-s", "snapshot-controller"), None)
    api.manager("POST v1/volumes/test-1?action=detach")

    assert run(api, state="detached")["volume"]["state"] == "detached"
    assert [body for _line, body in api.writes] == [{"attachmentID": "longhorn-qa"}, {"attachmentID": "longhorn-ui"}]


def test_an_upgrade_waits_for_the_nodes_of_the_volume_and_no_other(api: t.Any) -> None:
    api.longhorn(shape="1.3")
    running, moved = volume("attached"), volume("attached", image=STUB)
    api.object("volumes", "test-1", running, running, running, moved, moved)
    around(api, engine("deployed"), engine("deployed", DEFAULT, "1"))
    replicas(api, "node-3")
    maps = [{"node-2": True}, {"node-2": True, "node-3": True, "node-4": False}]
    found = [{**engine(), "status": {"state": "deployed", "nodeDeploymentMap": one}} for one in maps]
    api.object("engineimages", "ei-0016307a", *found)
    api.manager("POST v1/volumes/test-1?action=engineUpgrade")

    assert run(api, engine_image=STUB)["volume"]["engine_image"] == STUB


def test_an_image_that_turns_out_unfit_for_a_live_upgrade_is_refused_when_it_is_deployed(api: t.Any) -> None:
    api.longhorn(shape="1.3")
    api.object("volumes", "test-1", volume("attached"))
    api.objects("settings")
    unknown = {"metadata": {"name": "ei-0016307a"}, "spec": {"image": STUB}, "status": {"state": "deploying"}}
    newer = engine("deployed")
    newer["status"] |= {"controllerAPIVersion": 5, "controllerAPIMinVersion": 5}
    page = {"metadata": {"resourceVersion": "1"}}
    both = [{**page, "items": [one, engine("deployed", DEFAULT, "1")]} for one in (unknown, newer)]
    api.on(f"GET {api.path('engineimages')}", *both)
    api.object("engineimages", "ei-0016307a", unknown, newer)
    replicas(api, "node-2")

    with pytest.raises(errors.BadInput, match="controller API 3 is not within 5 to 5"):
        run(api, engine_image=STUB)
    assert api.writes == []


def test_a_node_with_the_engine_image_is_chosen(api: t.Any) -> None:
    api.longhorn(shape="1.3")
    api.object("volumes", "test-1", volume(), volume(), volume("attached"))
    api.objects("nodes", NODES[0], {**NODES[0], "metadata": {"name": "node-0"}})
    deployed = {**engine(image=DEFAULT), "status": {"state": "deployed", "nodeDeploymentMap": {"node-2": True}}}
    api.object("engineimages", "ei-3bd16bdf", deployed)
    api.manager("POST v1/volumes/test-1?action=attach")

    run(api, state="attached")
    assert api.writes[0][1]["hostId"] == "node-2"


def test_a_volume_as_wanted_is_only_looked_at(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume("attached"))

    assert not run(api, state="attached", size="32Mi", number_of_replicas=1, frontend="blockdev")["changed"]
    assert api.writes == []


def test_detaching_is_waited_for(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume("attached"), volume("detaching"), volume())
    api.manager("POST v1/volumes/test-1?action=detach")

    assert run(api, state="detached")["volume"]["state"] == "detached"


def test_deleting_is_waited_for(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume("attached"), volume("deleting"), None)
    api.manager("DELETE v1/volumes/test-1")

    assert run(api, state="absent")["volume"]["state"] == "absent"


def test_without_waiting_only_the_steps_between_are_waited_for(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", None, volume("creating"), volume(), volume("attaching"))
    api.manager("POST v1/volumes")
    api.manager("POST v1/volumes/test-1?action=attach")

    assert run(api, state="attached", size="32Mi", node="node-2", wait=False)["volume"]["state"] == "attaching"


def test_a_name_that_is_still_being_deleted_is_waited_for(api: t.Any) -> None:
    api.longhorn()
    going = volume("deleting")
    going["metadata"]["deletionTimestamp"] = "2026-11-23T08:00:00Z"
    api.object("volumes", "test-1", going, going, None, volume(), volume())
    api.manager("POST v1/volumes")

    assert run(api, size="32Mi")["changed"]


def test_check_mode_plans_the_same_and_only_reads(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", None)
    around(api, engine())

    result = run(api, check_mode=True, state="attached", size="32Mi", engine_image=STUB, disable_frontend=True)

    assert result["changed"]
    assert len(result["actions"]) == 3
    assert result["volume"]["state"] == "attached"
    assert api.writes == []


def test_in_check_mode_an_earlier_task_may_make_the_engine_image(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", None)
    around(api)

    assert "is not registered" in run(api, check_mode=True, size="32Mi", engine_image=STUB)["warnings"][0]


def test_a_missing_engine_image_fails_before_anything_is_made(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", None)
    around(api)

    with pytest.raises(errors.NotFound, match="longhorn_engine_image first"):
        run(api, size="32Mi", engine_image=STUB)
    assert api.writes == []


def test_a_volume_that_becomes_faulted_ends_the_wait_at_once(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume(), volume("attaching"), volume("detached", robustness="faulted"))
    api.manager("POST v1/volumes/test-1?action=attach")

    with pytest.raises(errors.TerminalState, match="robustness=faulted"):
        run(api, state="attached", node="node-2")
    assert api.clock.seconds < 5


def test_a_volume_that_never_attaches_ends_in_a_time_out_with_what_was_seen(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume(), volume("attaching"))
    api.manager("POST v1/volumes/test-1?action=attach")

    with pytest.raises(errors.WaitTimeout, match=r"volume test-1.*expected state attached.*state=attaching.*30 s"):
        run(api, state="attached", node="node-2")


def test_no_ready_node_is_told_with_the_nodes(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume())
    api.objects("nodes", NODES[1])

    with pytest.raises(errors.Refused, match="node-1"):
        run(api, state="attached")


@pytest.mark.parametrize(
    ("existing", "params", "error", "words"),
    [
        pytest.param(volume("detached", robustness="faulted"), {"state": "attached"}, errors.BadInput, "is faulted",
                     id="faulted"),
        pytest.param(volume(), {"run_id": "a1", "state": "absent"}, errors.Conflict, "not made by run a1",
                     id="made-by-nobody"),
        pytest.param(volume(run="b2"), {"run_id": "a1"}, errors.Conflict, "belongs to run b2", id="made-by-others"),
        pytest.param(volume(), {"size": "64Mi"}, errors.BadInput, "does not change that", id="other-size"),
        pytest.param(None, {}, errors.BadInput, "size is needed", id="new-without-size"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_nothing_is_changed(
    api: t.Any, existing: t.Any, params: dict[str, t.Any], error: type[Exception], words: str
) -> None:
    api.longhorn()
    api.object("volumes", "test-1", existing)

    with pytest.raises(error, match=words):
        run(api, **params)
    assert api.writes == []


@pytest.mark.parametrize(
    ("engines", "status", "words"),
    [
        pytest.param([engine("incompatible")], {}, "cannot be used", id="incompatible-image"),
        pytest.param([engine(), engine(image=DEFAULT, commit="2")], {}, "Detach it first", id="same-commit-live"),
        pytest.param([engine(), engine(image=DEFAULT)], {"robustness": "degraded"}, "healthy", id="degraded-live"),
    ],
)
def test_an_upgrade_that_longhorn_would_not_do_is_refused(
    api: t.Any, engines: list[t.Any], status: dict[str, t.Any], words: str
) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume("attached", **status))
    around(api, *engines)

    with pytest.raises(errors.BadInput, match=words):
        run(api, engine_image=STUB)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        pytest.param({"name": "a" * 41}, "41 characters", id="name-too-long"),
        pytest.param({"size": "a lot"}, "not a number of bytes", id="size"),
        pytest.param({"engine_image": "A:B:"}, "malformed", id="image"),
        pytest.param({"wait_timeout": -1}, "wait_timeout", id="negative-time"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(api: t.Any, params: dict[str, t.Any], words: str) -> None:
    with pytest.raises(errors.BadInput, match=words):
        run(api, **params)


def test_the_managers_refusal_is_told_in_its_own_words(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume())
    message = "unable to attach volume test-1: node node-9 does not exist"
    api.manager("POST v1/volumes/test-1?action=attach", api.refused(message))

    with pytest.raises(errors.Refused, match=r"volume test-1: .*refused to attach it.*node node-9 does not exist"):
        run(api, state="attached", node="node-9")


def test_a_manager_that_is_not_running_is_told_as_such(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume("attached"))
    message = 'no endpoints available for service "longhorn-backend"'
    api.manager("POST v1/volumes/test-1?action=detach", api.refused(message, status=503))

    with pytest.raises(errors.ApiFailure, match="no longhorn-manager pod answers"):
        run(api, state="detached")


def test_a_release_that_is_not_known_is_refused_with_what_to_do(api: t.Any) -> None:
    api.longhorn()
    pod = {"metadata": {"name": "m"}, "spec": {"containers": [{"image": "longhornio/longhorn-manager:master"}]}}
    api.on(f"GET {api.path('pods')}?labelSelector=app%3Dlonghorn-manager", {"metadata": {}, "items": [pod]})

    with pytest.raises(errors.BadInput, match="longhorn_release"):
        run(api, longhorn_release="")


def test_a_namespace_without_longhorn_is_told_as_such(api: t.Any) -> None:
    api.longhorn()
    api.object("settings", "default-engine-image", None)

    with pytest.raises(errors.NotFound, match=r"Longhorn is not installed.*setting default-engine-image"):
        run(api)


def test_a_cluster_without_longhorn_is_told_as_such(api: t.Any) -> None:
    api.on("GET /api/v1/namespaces/longhorn-system", {"metadata": {"name": "longhorn-system"}})
    api.on("GET /apis/longhorn.io/v1beta2", None)
    api.on("GET /apis/longhorn.io/v1beta1", None)

    with pytest.raises(errors.NotFound, match=r"Longhorn is not installed.*the API longhorn.io"):
        run(api)


def test_a_namespace_that_does_not_exist_is_told_as_such(api: t.Any) -> None:
    api.on("GET /api/v1/namespaces/longhorn-system", None)

    with pytest.raises(errors.NotFound, match="namespace"):
        run(api)


def test_snapshots_that_are_missing_are_taken(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume("attached"))
    api.manager("POST v1/volumes/test-1?action=snapshotList", {"data": [{"name": "volume-head"}, {"name": "a"}]})
    api.manager("POST v1/volumes/test-1?action=snapshotCreate")
    result = run(api, state="attached", snapshots=["a", "b"])
    assert result["changed"]
    assert result["actions"] == ["take snapshot b of volume test-1"]
    assert api.writes[-1] == ("POST manager v1/volumes/test-1?action=snapshotCreate", {"name": "b"})


def test_check_mode_takes_none(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume("attached"))
    api.manager("POST v1/volumes/test-1?action=snapshotList", {"data": []})
    assert run(api, check_mode=True, state="attached", snapshots=["a"])["changed"]


def test_a_detached_volume_takes_no_snapshots(api: t.Any) -> None:
    with pytest.raises(errors.BadInput, match="only an attached volume"):
        run(api, state="detached", snapshots=["a"])
