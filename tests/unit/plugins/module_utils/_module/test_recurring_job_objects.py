# SPDX-License-Identifier: GPL-3.0-or-later
"""longhorn_recurring_job with objects: asked first, then made, its label on the volumes, one CronJob of its name."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._module import longhorn_recurring_job

SPEC = {
    "name": "nightly", "task": "snapshot", "cron": "*/3 * * * *", "retain": 1, "concurrency": 1, "groups": [],
    "labels": {},
}  # fmt: skip
LABEL, DEFAULT_GROUP = "recurring-job.longhorn.io/nightly", "recurring-job-group.longhorn.io/default"


def job(*, run: str = "", count: int | None = None, **spec: t.Any) -> dict[str, t.Any]:
    labels = {"longhorn.qa/run-id": run} if run else {}
    status = {} if count is None else {"executionCount": count}
    return {"metadata": {"name": "nightly", "labels": labels}, "spec": {**SPEC, **spec}, "status": status}


def volume(name: str = "test-1", *, run: str = "", **labels: str) -> dict[str, t.Any]:
    mark = {"longhorn.qa/run-id": run} if run else {}
    named = {key.replace("JOB", LABEL).replace("GROUP", DEFAULT_GROUP): value for key, value in labels.items()}
    return {"metadata": {"name": name, "labels": {**mark, **named}}, "status": {"state": "attached"}}


def cronjob(schedule: str = "*/3 * * * *") -> dict[str, t.Any]:
    return {"metadata": {"name": "nightly", "uid": "u1"}, "spec": {"schedule": schedule}}


def labelled(api: t.Any, name: str, labels: dict[str, t.Any]) -> tuple[str, t.Any]:
    return f"PATCH {api.path('volumes')}/{name}", {"metadata": {"labels": labels}}


def scene(
    api: t.Any, *volumes: t.Any, jobs: tuple[t.Any, ...] = (None,), cronjobs: tuple[t.Any, ...] = (), shape: str = "1.5"
) -> None:
    api.longhorn(shape=shape)
    api.object("recurringjobs", "nightly", *jobs)
    api.objects("volumes", *volumes)
    for one in volumes:
        api.marks_maybe("volumes", one["metadata"]["name"])
    if cronjobs:
        api.on("GET /apis/batch/v1", {"resources": [{"name": "cronjobs"}]})
        api.object("cronjobs", "nightly", *cronjobs)


def dry(api: t.Any, method: str, *answers: t.Any) -> None:
    """What the server says to a dry run; by default that it would store what is sent."""
    name = "" if method == "POST" else "/nightly"
    api.on(f"{method} {api.path('recurringjobs')}{name}?dryRun=All", *answers)


def made(api: t.Any, method: str) -> None:
    name = {"POST": "", "PATCH": "/nightly", "DELETE": "/nightly"}[method]
    api.on(f"{method} {api.path('recurringjobs')}{name}", {})


def run(api: t.Any, *, check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
    given = {
        "namespace": "longhorn-system", "longhorn_release": "v1.2.6", "wait": True, "wait_timeout": 30, "run_id": "",
        "volume": "test-1", "volumes": [], "name": "nightly", "task": "snapshot", "cron": "*/3 * * * *", "retain": 1,
        "labels": {}, "groups": [], "concurrency": 1, "parameters": {}, "state": "present", **params,
    }  # fmt: skip
    return longhorn_recurring_job.run(given, check_mode=check_mode, client=api.client, clock=api.clock)


@pytest.mark.parametrize(
    ("shape", "version"), [pytest.param("1.2", "v1beta1", id="1.2"), pytest.param("1.3", "v1beta2", id="since-1.3")]
)
def test_a_new_job_is_asked_for_made_given_to_its_volumes_and_waited_for(api: t.Any, shape: str, version: str) -> None:
    scene(api, volume(), volume("test-2"), jobs=(None, job(count=0)), cronjobs=(None, cronjob()), shape=shape)
    dry(api, "POST", job())
    made(api, "POST")

    result = run(api, volumes=["test-2"])

    body = {
        "apiVersion": f"longhorn.io/{version}", "kind": "RecurringJob", "metadata": {"name": "nightly", "labels": {}},
        "spec": SPEC,
    }  # fmt: skip
    assert api.writes == [
        (f"POST {api.path('recurringjobs')}?dryRun=All", body),
        (f"POST {api.path('recurringjobs')}", body),
        labelled(api, "test-1", {LABEL: "enabled"}),
        labelled(api, "test-2", {LABEL: "enabled"}),
    ]
    assert result["recurring_job"]["volumes"] == ["test-1", "test-2"]
    assert result["recurring_job"]["execution_count"] == 0
    assert result["cronjob"] == {"name": "nightly", "uid": "u1", "schedule": "*/3 * * * *", "suspend": False}


def test_in_a_run_it_is_marked_and_its_volumes_leave_the_default_group(api: t.Any) -> None:
    scene(api, volume(run="a1", GROUP="enabled"), jobs=(None, job(run="a1")), cronjobs=(cronjob(),))
    dry(api, "POST", job())
    made(api, "POST")

    run(api, run_id="a1")

    assert api.writes[1][1]["metadata"]["labels"] == {"longhorn.qa/run-id": "a1"}
    assert api.writes[2] == labelled(api, "test-1", {LABEL: "enabled", DEFAULT_GROUP: None})


def test_without_a_run_a_volume_stays_in_the_default_group(api: t.Any) -> None:
    scene(api, volume(GROUP="enabled"), jobs=(job(),), cronjobs=(cronjob(),))

    run(api)
    assert api.writes == [labelled(api, "test-1", {LABEL: "enabled"})]


def test_a_job_as_wanted_is_only_looked_at(api: t.Any) -> None:
    scene(api, volume(JOB="enabled"), jobs=(job(groups=["b", "a"], count=7),), cronjobs=(cronjob(),))

    result = run(api, groups=["a", "b"])
    assert not result["changed"]
    assert api.writes == []
    assert result["recurring_job"]["execution_count"] == 7


def test_a_change_names_only_what_differs(api: t.Any) -> None:
    there = job(name="", labels={"old": "x", "same": "y"}, parameters={"full-backup-interval": "5"})
    scene(api, volume(JOB="enabled"), jobs=(there, job()), cronjobs=(cronjob("0 * * * *"), cronjob()))
    patch = {
        "name": "nightly", "retain": 3, "labels": {"old": None, "same": "y", "new": "z"},
        "parameters": {"full-backup-interval": None},
    }  # fmt: skip
    dry(api, "PATCH", job(retain=3, labels={"same": "y", "new": "z"}, parameters={}))
    made(api, "PATCH")

    assert run(api, retain=3, labels={"same": "y", "new": "z"})["changed"]
    assert [body for _line, body in api.writes] == [{"spec": patch}] * 2


def test_retain_of_a_task_that_makes_nothing_is_stored_as_0(api: t.Any) -> None:
    scene(api, volume(JOB="enabled"), jobs=(job(task="snapshot-cleanup", retain=0),), cronjobs=(cronjob(),))

    assert not run(api, task="snapshot-cleanup")["changed"]


def test_check_mode_asks_the_server_and_changes_nothing(api: t.Any) -> None:
    scene(api, volume())
    dry(api, "POST", job())

    result = run(api, check_mode=True)

    assert result["changed"]
    assert [line for line, _body in api.writes] == [f"POST {api.path('recurringjobs')}?dryRun=All"]
    assert result["recurring_job"]["volumes"] == ["test-1"]


def test_what_a_webhook_refuses_is_told_in_its_words_with_the_field(api: t.Any) -> None:
    scene(api, volume())
    message = 'admission webhook "validator.longhorn.io" denied the request: retain value should be less than 100'
    causes = [{"field": "spec.retain", "message": "retain value"}]
    dry(api, "POST", api.status(422, message, causes=causes))

    with pytest.raises(errors.Refused, match=r"retain value should be less than 100.*spec.retain"):
        run(api, retain=101)


@pytest.mark.parametrize(
    ("stored", "params", "words"),
    [
        pytest.param({}, {"parameters": {"a": "b"}}, "spec.parameters is not known to this Longhorn", id="dropped"),
        pytest.param({"concurrency": 10}, {"concurrency": 2}, "concurrency would be stored as 10", id="changed"),
    ],
)
def test_what_would_not_be_stored_is_refused(
    api: t.Any, stored: dict[str, t.Any], params: dict[str, t.Any], words: str
) -> None:
    scene(api, volume())
    dry(api, "POST", job(**stored))

    with pytest.raises(errors.BadInput, match=words):
        run(api, **params)


def test_removing_takes_the_labels_the_job_and_its_cronjob(api: t.Any) -> None:
    scene(api, volume(JOB="enabled"), volume("test-2"), jobs=(job(), job(), None), cronjobs=(cronjob(), None))
    made(api, "DELETE")

    result = run(api, state="absent", volume=None, task=None, cron="")

    assert api.writes[0] == labelled(api, "test-1", {LABEL: None})
    assert [line for line, _body in api.writes[1:]] == [f"DELETE {api.path('recurringjobs')}/nightly"]
    assert (result["recurring_job"], result["cronjob"], result["cronjobs"]) == ({}, {}, [])


def test_removing_what_is_gone_changes_nothing(api: t.Any) -> None:
    scene(api, volume(), cronjobs=(None,))
    assert not run(api, state="absent", volume=None, task=None, cron="")["changed"]


def going() -> dict[str, t.Any]:
    document = job()
    document["metadata"]["deletionTimestamp"] = "2026-11-23T08:00:00Z"
    return document


def test_a_name_that_is_still_being_deleted_is_waited_for(api: t.Any) -> None:
    scene(api, volume(JOB="enabled"), jobs=(going(), going(), None, job()), cronjobs=(cronjob(),))
    dry(api, "POST", job())
    made(api, "POST")

    assert run(api)["changed"]


def test_check_mode_does_not_ask_for_a_name_that_is_still_being_deleted(api: t.Any) -> None:
    scene(api, volume(JOB="enabled"), jobs=(going(),))

    assert run(api, check_mode=True)["changed"]
    assert api.writes == []


def test_a_volume_that_does_not_exist_is_missed_before_anything_is_made(api: t.Any) -> None:
    scene(api)
    with pytest.raises(errors.NotFound, match="volume test-1 does not exist"):
        run(api)

    dry(api, "POST", job())
    assert "volume test-1 does not exist" in run(api, check_mode=True)["warnings"][0]


@pytest.mark.parametrize(
    ("volumes", "jobs", "params", "words"),
    [
        pytest.param([volume()], (None,), {}, "volume test-1 exists and was not made by run a1", id="volume"),
        pytest.param([volume(run="a1")], (job(run="b2"),), {}, "recurring job nightly.*belongs to run b2", id="job"),
        pytest.param([volume(run="a1")], (job(),), {"state": "absent"}, "not made by run a1", id="job-to-remove"),
    ],
)
def test_what_others_made_is_left_alone(
    api: t.Any, volumes: list[t.Any], jobs: tuple[t.Any, ...], params: dict[str, t.Any], words: str
) -> None:
    scene(api, *volumes, jobs=jobs)
    with pytest.raises(errors.Conflict, match=words):
        run(api, run_id="a1", **params)
    assert api.writes == []


def test_the_default_group_is_never_joined_by_a_run_and_warned_of_otherwise(api: t.Any) -> None:
    scene(api, volume(run="a1", JOB="enabled"), jobs=(job(groups=["default"], run="a1"),), cronjobs=(cronjob(),))
    with pytest.raises(errors.BadInput, match="group default, and so run for every volume"):
        run(api, groups=["default"], run_id="a1")
    assert "every volume that has no job" in run(api, groups=["default"])["warnings"][0]


def test_a_backup_job_without_a_target_is_made_with_a_warning(api: t.Any) -> None:
    scene(api, volume(JOB="enabled"), jobs=(job(task="backup"),), cronjobs=(cronjob(),))
    api.object("settings", "backup-target", None)
    api.object("backuptargets", "default", {"metadata": {"name": "default"}, "spec": {"backupTargetURL": ""}})

    assert "no backup target is set" in run(api, task="backup")["warnings"][0]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        pytest.param({"retain": 51}, "more than the 50", id="retain"),
        pytest.param({"name": "n" * 41}, "allows 40", id="name"),
        pytest.param({"cron": "61 * * * *"}, "does not parse", id="cron"),
        pytest.param({"task": "snapshot-cleanup"}, "is unknown", id="task"),
        pytest.param({"parameters": {"a": "b"}}, "parameters need Longhorn 1.7", id="parameters"),
        pytest.param({"groups": ["a b"]}, "group 'a b'", id="group"),
    ],
)
def test_up_to_1_2_nothing_else_judges_so_the_module_does(api: t.Any, params: dict[str, t.Any], words: str) -> None:
    api.longhorn(shape="1.2")
    with pytest.raises(errors.BadInput, match=words):
        run(api, **params)


def test_a_faulted_volume_takes_no_job(api: t.Any) -> None:
    faulted = volume()
    faulted["status"] = {"state": "detached", "robustness": "faulted"}
    scene(api, faulted)
    with pytest.raises(errors.TerminalState, match="faulted"):
        run(api)


def test_a_cronjob_that_never_comes_ends_in_a_time_out(api: t.Any) -> None:
    scene(api, volume(JOB="enabled"), jobs=(job(),), cronjobs=(None,))
    with pytest.raises(errors.WaitTimeout, match=r"CronJob nightly.*no CronJob yet.*waited 30 s"):
        run(api)
