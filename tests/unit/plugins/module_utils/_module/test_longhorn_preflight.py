# SPDX-License-Identifier: GPL-3.0-or-later
"""longhorn_preflight: looks at everything, changes nothing, and fails with all problems together."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._history.records import plain
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import permissions
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.cells import plan_cells
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.permissions import Permission
from ansible_collections.longhorn.qa.plugins.module_utils._module import longhorn_preflight

IMAGES = [{"image": "quay.io/ttpcodes/longhorn-engine:no-cleanup", "broken": ["snapshot-delete", "backup-delete"]}]
CELLS = [plain(cell) for cell in plan_cells(IMAGES, ["snapshot", "backup"], run_id="a1", cron="*/3 * * * *")]
REVIEWS = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def cluster(api: t.Any, *, image: str = "longhornio/longhorn-manager:v1.0.1", allowed: bool = True) -> None:
    api.longhorn()
    pod = {"metadata": {"name": "m"}, "spec": {"containers": [{"image": image}]}}
    api.on(f"GET {api.path('pods')}?labelSelector=app%3Dlonghorn-manager", {"metadata": {}, "items": [pod]})
    ready = {"Ready": {"type": "Ready", "status": "True"}}
    api.objects("nodes", {"metadata": {"name": "node-1"}, "status": {"conditions": ready}})
    api.on("GET /version", {"gitVersion": "v1.20.2"})
    api.on("GET /apis/batch/v1", {"resources": [{"name": "cronjobs"}]})
    api.objects("cronjobs")
    api.on(REVIEWS, {"status": {"allowed": allowed}})


def run(api: t.Any, **params: t.Any) -> dict[str, t.Any]:
    given = {
        "namespace": "longhorn-system", "longhorn_release": "", "run_id": "a1", "cells": CELLS, "cron": "*/3 * * * *",
        "invocations": 3, "timeout": 1800, "trigger": False, "default_engine_faults": [], **params,
    }  # fmt: skip
    return longhorn_preflight.run(given, check_mode=False, client=api.client, clock=api.clock)


def test_a_good_cluster_gives_a_page(api: t.Any) -> None:
    cluster(api)
    api.objects("volumes")

    result = run(api)

    assert not result["changed"]
    assert result["problems"] == []
    assert (result["release"], result["timeout"]) == ("v1.0.1", 1800)
    assert any("known vacuous" in line for line in result["page"])
    assert any("v1.20.2" in line for line in result["page"])
    assert {line for line, _body in api.writes} == {REVIEWS}, "nothing but questions about permissions"


def test_permissions_are_asked_for_the_requests_that_will_be_made(api: t.Any) -> None:
    cluster(api)
    api.objects("volumes")

    run(api, trigger=True)

    asked = {
        (item["verb"], item["resource"], item.get("subresource", ""))
        for item in (body["spec"]["resourceAttributes"] for _line, body in api.writes)
    }
    assert {("create", "services", "proxy"), ("watch", "pods", ""), ("get", "pods", "log")} <= asked
    assert ("create", "jobs", "") in asked


PLAN: dict[str, t.Any] = {
    "engine_images": IMAGES, "registry": "", "tasks": ["snapshot", "backup"], "fault": "auto", "effects": [],
    "bystander": True, "retain": 1, "prefix": "qa",
}  # fmt: skip


def planned(api: t.Any, release: str, *, cron: str = "*/3 * * * *", **wish: t.Any) -> dict[str, t.Any]:
    cluster(api, image=f"longhornio/longhorn-manager:{release}")
    api.objects("volumes")
    return run(api, cells=None, plan={**PLAN, **wish}, cron=cron)


def test_until_1_1_the_plan_is_the_manual_procedures(api: t.Any) -> None:
    assert planned(api, "v1.0.1")["cells"] == CELLS


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("ftp://host/", "unknown scheme", id="an unknown scheme"),
        pytest.param("s3://bucket/", "expected s3://bucket@region/", id="no region"),
        pytest.param("cifs://host/share", "needs Longhorn 1.5", id="not with this release"),
    ],
)
def test_a_given_store_with_an_address_that_cannot_be_used(api: t.Any, url: str, words: str) -> None:
    cluster(api)
    api.objects("volumes")
    with pytest.raises(errors.Refused, match=words):
        run(api, store_url=url)


def test_a_problem_is_told_once(api: t.Any) -> None:
    cluster(api)
    api.objects("volumes")
    with pytest.raises(errors.Refused, match="up to 12") as caught:
        run(api, cells=None, plan=PLAN, run_id="Bad_ID")
    assert str(caught.value).count("up to 12") == 1


def test_a_release_that_is_not_known_is_the_only_problem_of_a_plan(api: t.Any) -> None:
    with pytest.raises(errors.Refused, match=r"v1\.12\.1\. Nothing was changed\.") as caught:
        planned(api, "custom")
    assert "no cell to run" not in str(caught.value)


def test_a_private_registry_is_part_of_the_planned_images(api: t.Any) -> None:
    cells = planned(api, "v1.0.1", registry="r.example")["cells"]
    assert {cell["engine_image"] for cell in cells} == {"r.example/ttpcodes/longhorn-engine:no-cleanup"}


def test_effects_that_are_asked_for_are_planned_on_any_release(api: t.Any) -> None:
    cells = planned(api, "v1.0.1", effects=["none", "visible"], tasks=["snapshot"])["cells"]
    assert [(cell["faults"], cell["fault_type"]) for cell in cells] == [
        ([], "engine-image"), (["snapshot-delete"], "engine-image"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        pytest.param({"effects": ["asynchronous"], "tasks": ["snapshot"]}, "there is no cell to run", id="impossible"),
        pytest.param({"effects": ["visible"], "fault": "admission"}, "use engine-image", id="a fault without effect"),
        pytest.param({"retain": 0}, "at least 1", id="bad input"),
    ],
)
def test_a_plan_without_cells_is_refused_with_the_reason(api: t.Any, wish: dict[str, t.Any], told: str) -> None:
    with pytest.raises(errors.Refused, match=told):
        planned(api, "v1.0.1", **wish)


PROXIED = {
    ("create", "namespaces"), ("create", "deployments"), ("create", "services"), ("create", "configmaps"),
    ("update", "services/proxy"), ("get", "services/proxy"), ("list", "secrets"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        pytest.param("backup-store", PROXIED, id="a proxy in front of it"),
        pytest.param("engine-image", set(), id="nothing of ours"),
        pytest.param("bucket-policy", set(), id="the store itself"),
    ],
)
def test_with_a_given_store_the_rights_are_asked_for_what_the_run_puts_in_front(
    api: t.Any, fault: str, wanted: set[tuple[str, str]]
) -> None:
    cluster(api, image="longhornio/longhorn-manager:v1.0.0")
    api.objects("volumes")
    wish = {**PLAN, "effects": ["visible"], "tasks": ["backup"], "fault": fault}
    run(api, cells=None, plan=wish, store_namespace="store", store_url="s3://b@r/")
    asked = [body["spec"]["resourceAttributes"] for _line, body in api.writes]
    where = {item.get("namespace", "") for item in asked}
    assert where == ({"longhorn-system", "store", ""} if wanted else {"longhorn-system"})
    of_store = {
        (item["verb"], "/".join(filter(None, (item["resource"], item.get("subresource")))))
        for item in asked
        if item.get("namespace") != "longhorn-system"
    }
    assert wanted <= of_store


def test_a_store_inside_the_cluster_is_told_by_way_of_the_api_server(api: t.Any) -> None:
    cluster(api, image="longhornio/longhorn-manager:v1.0.0")
    api.objects("volumes")
    wish = {**PLAN, "effects": ["visible"], "tasks": ["backup"], "fault": "bucket-policy"}
    run(api, cells=None, plan=wish, store_namespace="store")
    asked = [body["spec"]["resourceAttributes"] for _line, body in api.writes]
    of_store = {(one["verb"], one.get("subresource", "")) for one in asked if one.get("namespace") == "store"}
    assert {("update", "proxy"), ("delete", "proxy")} <= of_store
    assert not any(one["resource"] == "configmaps" and one.get("namespace") == "store" for one in asked)


# The release here is one of the first, and the fault an engine image.
FAULTS = (permissions.ADMISSION, permissions.REFUSING_STORE, permissions.PROXY, permissions.BUCKET)
EVERYTHING = [row for row in permissions.granted("run") if not row.since and row.when not in FAULTS]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.told(row.scope)) for row in EVERYTHING])
def test_each_permission_that_is_missing_is_named_with_what_it_is_for(api: t.Any, row: Permission) -> None:
    cluster(api)
    api.objects("volumes")
    params = {"trigger": True, "store_namespace": "store"}
    run(api, **params)
    asked = [body["spec"]["resourceAttributes"] for _line, body in api.writes]
    assert len(asked) == len(EVERYTHING)

    answers = [{"status": {"allowed": one is not row}} for one in EVERYTHING]
    fresh = type(api)()
    cluster(fresh)
    fresh.objects("volumes")
    fresh.on(REVIEWS, *answers)
    with pytest.raises(errors.Refused) as caught:
        run(fresh, **params)

    place = "longhorn-system" if row.scope == "longhorn" else "store"
    (problem,) = caught.value.evidence["problems"]
    assert problem.endswith(f": {row.told(place)}")
    about = asked[EVERYTHING.index(row)]
    assert (about["verb"], about["resource"], about.get("subresource", "")) == (row.verb, row.resource, row.subresource)
    assert about.get("group", "") == row.group
    assert about.get("namespace", "") == ("" if (row.verb, row.resource) == ("create", "namespaces") else place)


def test_all_problems_come_at_once_with_the_page(api: t.Any) -> None:
    cluster(api, image="longhornio/longhorn-manager:master", allowed=False)
    api.objects("volumes", {"metadata": {"name": CELLS[0]["volume"]}})

    with pytest.raises(errors.Refused) as caught:
        run(api, cron="every minute", invocations=0)

    problems = " | ".join(caught.value.evidence["problems"])
    for words in ("longhorn_release", "permissions are missing", "2 fields", "at least 1", "not made by this run"):
        assert words in problems
    assert caught.value.evidence["page"]


def test_a_deadline_below_one_interval_is_refused(api: t.Any) -> None:
    cluster(api)
    api.objects("volumes")

    with pytest.raises(errors.Refused, match="shorter than one interval"):
        run(api, timeout=60)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        pytest.param({"cells": [{"volume": "v"}]}, "cell: field 'task' is missing", id="half-a-cell"),
        pytest.param({"cells": [{**CELLS[0], "color": "red"}]}, "unknown field 'color'", id="unknown-field"),
    ],
)
def test_cells_that_are_none_are_refused(api: t.Any, params: dict[str, t.Any], words: str) -> None:
    with pytest.raises(errors.BadInput, match=words):
        run(api, **params)


def test_refusing_deletions_is_asked_for_in_the_whole_cluster(api: t.Any) -> None:
    """Also when the run has no store of its own."""
    planned(api, "v1.12.1", tasks=["snapshot"])

    asked = [body["spec"]["resourceAttributes"] for _line, body in api.writes]
    refusing = [item for item in asked if item.get("group") == "admissionregistration.k8s.io"]
    wanted = {(row.verb, row.resource) for row in permissions.granted("run") if row.when == permissions.ADMISSION}
    assert {(item["verb"], item["resource"]) for item in refusing} == wanted
    assert not any(item.get("namespace") for item in refusing)
