# SPDX-License-Identifier: GPL-3.0-or-later
"""longhorn_engine_image: what is sent to Longhorn, in which order, and what is told when it cannot be."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._module import longhorn_engine_image

STUB, NAME, DEFAULT = "quay.io/ttpcodes/longhorn-engine:no-cleanup", "ei-0016307a", "longhornio/longhorn-engine:v1.0.1"

NODE = {"metadata": {"name": "node-1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}


def image(state: str = "ready", *, run: str = "", refs: int = 0, **more: t.Any) -> dict[str, t.Any]:
    labels = {"longhorn.qa/run-id": run} if run else {}
    status = {"state": state, "refCount": refs, **more}
    return {"metadata": {"name": NAME, "labels": labels}, "spec": {"image": STUB}, "status": status}


def run(api: t.Any, *, check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
    given = {
        "namespace": "longhorn-system", "longhorn_release": "v1.0.1", "wait": True, "wait_timeout": 30, "run_id": "",
        "image": STUB, "state": "present", "default": None, **params,
    }  # fmt: skip
    return longhorn_engine_image.run(given, check_mode=check_mode, client=api.client, clock=api.clock)


def test_a_new_image_is_registered_marked_and_waited_for(api: t.Any) -> None:
    api.longhorn()
    api.objects("nodes", NODE)
    deploying = image("deploying", run="a1")
    api.object("engineimages", NAME, None, deploying, deploying, image(run="a1"))
    api.manager("POST v1/engineimages")
    api.marks("engineimages", NAME)

    result = run(api, run_id="a1")

    assert result["changed"]
    assert [line.split()[-1] for line, _body in api.writes] == ["v1/engineimages", f"{api.path('engineimages')}/{NAME}"]
    assert api.writes[0][1] == {"image": STUB}
    assert api.writes[1][1] == {"metadata": {"labels": {"longhorn.qa/run-id": "a1"}}}
    assert result["engine_image"] | {"state": "ready", "owned": True, "default": False} == result["engine_image"]


def test_an_image_that_is_there_is_used_as_it_is(api: t.Any) -> None:
    api.longhorn()
    api.objects("nodes", NODE)
    api.object("engineimages", NAME, image())

    result = run(api, run_id="a1")

    assert not result["changed"]
    assert not result["engine_image"]["owned"]


def test_since_1_1_1_it_has_to_be_deployed_on_every_ready_node(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    away = {"metadata": {"name": "node-2"}, "status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    api.objects("nodes", NODE, away)
    some, all_ = {"node-9": True, "node-1": False}, {"node-9": True, "node-1": True, "node-2": False}
    api.object(
        "engineimages", NAME, image("deployed", nodeDeploymentMap=some), image("deployed", nodeDeploymentMap=some),
        image("deployed", nodeDeploymentMap=all_),
    )  # fmt: skip

    assert run(api)["engine_image"]["state"] == "deployed"


def test_check_mode_only_reads(api: t.Any) -> None:
    api.longhorn()
    api.object("engineimages", NAME, None)

    result = run(api, check_mode=True, default=True)

    assert result["changed"]
    assert api.writes == []
    assert len(result["actions"]) == 2
    assert result["engine_image"]["default"] and result["diff"]["after"]["default"]


def test_the_default_changes_only_after_the_image_is_ready(api: t.Any) -> None:
    api.longhorn()
    api.objects("nodes", NODE)
    api.object("engineimages", NAME, image("deploying"), image("deploying"), image("deploying"), image())
    setting = {"name": "default-engine-image", "value": DEFAULT, "definition": {"readOnly": True}}
    api.manager("GET v1/settings/default-engine-image", setting)
    api.manager("PUT v1/settings/default-engine-image")

    result = run(api, default=True)

    assert api.writes == [("PUT manager v1/settings/default-engine-image", {**setting, "value": STUB})]
    assert result["previous_default"] == DEFAULT
    assert result["engine_image"]["default"]


@pytest.mark.parametrize(
    ("seen", "error", "words"),
    [
        pytest.param(
            image("incompatible", cliAPIVersion=10), errors.TerminalState, "CLI API is 10.*Use an image that was built",
            id="incompatible",
        ),
        pytest.param(
            image("deployed", incompatible=True, cliAPIVersion=3), errors.TerminalState, "CLI API is 3",
            id="deployed-and-incompatible",
        ),
        pytest.param(image("error"), errors.TerminalState, "state=error.*pull the image", id="error"),
        pytest.param(image("deploying"), errors.WaitTimeout, "DaemonSet engine-image-ei-0016307a", id="never-deployed"),
        pytest.param(
            image("deployed", nodeDeploymentMap={}), errors.WaitTimeout, "not yet on node node-1", id="one-node-without"
        ),
    ],
)  # fmt: skip
def test_an_image_that_does_not_get_ready_fails_with_what_was_seen(
    api: t.Any, seen: dict[str, t.Any], error: type[Exception], words: str
) -> None:
    api.longhorn()
    api.objects("nodes", NODE)
    api.object("engineimages", NAME, seen)

    with pytest.raises(error, match=words):
        run(api)
    assert api.writes == []


@pytest.mark.parametrize("reference", [pytest.param("", id="empty"), pytest.param("Not:An:Image", id="malformed")])
def test_a_bad_reference_is_refused_before_anything_is_asked(api: t.Any, reference: str) -> None:
    with pytest.raises(errors.BadInput, match="image reference"):
        run(api, image=reference)


def test_removal_waits_until_nothing_refers_to_it(api: t.Any) -> None:
    api.longhorn()
    api.object("engineimages", NAME, image(refs=2), image(refs=2), image(), image(), None)
    api.objects("volumes")
    api.manager(f"DELETE v1/engineimages/{NAME}")

    result = run(api, state="absent")

    assert result["changed"]
    assert result["engine_image"]["state"] == "absent"


def test_an_image_in_use_is_not_removed_and_its_users_are_named(api: t.Any) -> None:
    api.longhorn()
    api.object("engineimages", NAME, image(refs=2))
    going = {"metadata": {"name": "going", "deletionTimestamp": "now"}, "spec": {"engineImage": STUB}}
    api.objects("volumes", {"metadata": {"name": "test-1"}, "spec": {"engineImage": STUB}}, going)

    with pytest.raises(errors.BadInput, match="in use by volume test-1: "):
        run(api, state="absent")


def test_without_waiting_a_removed_image_may_still_be_there(api: t.Any) -> None:
    api.longhorn()
    api.object("engineimages", NAME, image())
    api.objects("volumes")
    api.manager(f"DELETE v1/engineimages/{NAME}")

    assert run(api, state="absent", wait=False)["changed"]


def test_without_waiting_a_new_image_is_told_as_it_is(api: t.Any) -> None:
    api.longhorn()
    api.object("engineimages", NAME, None, image("deploying"))
    api.manager("POST v1/engineimages")

    assert run(api, wait=False)["engine_image"]["state"] == "deploying"


def test_what_another_run_made_is_left(api: t.Any) -> None:
    api.longhorn()
    api.object("engineimages", NAME, image(run="b2"))
    api.objects("volumes")

    assert not run(api, state="absent", run_id="a1")["changed"]


def test_the_managers_refusal_is_told_in_its_own_words(api: t.Any) -> None:
    api.longhorn()
    api.object("engineimages", NAME, image())
    api.objects("volumes")
    api.manager(f"DELETE v1/engineimages/{NAME}", api.refused("unable to delete the engine image while being used"))

    with pytest.raises(errors.Refused, match=r"refused to delete it.*while being used"):
        run(api, state="absent")
