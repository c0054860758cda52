# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurring jobs as objects: read, compared, asked for, and given to volumes by labels."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import recurring_job_object as objects
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import InvalidRequest, NotOurs, Plan
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job import RecurringJob
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job_object import Desired, JobObject

JOB = RecurringJob("nightly", "snapshot", "* * * * *", 2, groups=("a", "b"), labels={"x": "y"})
LABEL, GROUP = "recurring-job.longhorn.io/nightly", "recurring-job-group.longhorn.io/"
DOCUMENT: dict[str, t.Any] = {
    "metadata": {"name": "nightly", "labels": {"longhorn.qa/run-id": "a1"}},
    "spec": {
        "name": "nightly", "task": "snapshot", "cron": "* * * * *", "retain": 2, "concurrency": 1,
        "groups": ["a", "b"], "labels": {"x": "y"}, "parameters": {},
    },
    "status": {"ownerID": "node-1", "executionCount": 3},
}  # fmt: skip
OBJECT = JobObject.from_object(DOCUMENT)


def plan(existing: JobObject | None, job: RecurringJob = JOB, **more: t.Any) -> Plan:
    volumes = more.pop("there", {"test-1": {LABEL: "enabled"}})
    return objects.plan_present(existing, Desired(job, **{"volumes": ("test-1",), **more}), volumes)


def test_an_object_is_read() -> None:
    marked = {"longhorn.qa/run-id": "a1"}
    assert JobObject(JOB, spec_name="nightly", labels=marked, execution_count=3) == OBJECT
    assert OBJECT.summary()["execution_count"] == 3


def test_a_half_born_object_is_read() -> None:
    born = JobObject.from_object({"metadata": {"name": "nightly"}})
    assert (born.job.name, born.spec_name, born.execution_count, born.job.concurrency) == ("nightly", "", None, 1)


def test_what_is_as_wanted_needs_nothing() -> None:
    made = plan(OBJECT, replace(JOB, groups=("b", "a")))
    assert not made.changed
    assert made.diff["before"] == made.diff["after"]


@pytest.mark.parametrize(
    ("change", "patch"),
    [
        pytest.param({"task": "backup"}, {"task": "backup"}, id="task"),
        pytest.param({"cron": "0 * * * *"}, {"cron": "0 * * * *"}, id="cron"),
        pytest.param({"retain": 3}, {"retain": 3}, id="retain"),
        pytest.param({"concurrency": 2}, {"concurrency": 2}, id="concurrency"),
        pytest.param({"groups": ("a",)}, {"groups": ["a"]}, id="groups"),
        pytest.param({"labels": {}}, {"labels": {"x": None}}, id="labels-that-go"),
        pytest.param({"parameters": {"p": "1"}}, {"parameters": {"p": "1"}}, id="parameters-that-come"),
    ],
)
def test_a_patch_names_what_differs(change: dict[str, t.Any], patch: dict[str, t.Any]) -> None:
    (step,) = plan(OBJECT, replace(JOB, **change)).steps
    assert step.arguments["spec"] == patch


def test_a_missing_name_in_the_spec_is_mended() -> None:
    (step,) = plan(replace(OBJECT, spec_name="")).steps
    assert step.arguments["spec"] == {"name": "nightly"}


@pytest.mark.parametrize("task", ["snapshot-cleanup", "filesystem-trim"])
def test_tasks_that_make_nothing_keep_nothing(task: str) -> None:
    stored = replace(OBJECT, job=replace(JOB, task=task, retain=0))
    assert not plan(stored, replace(JOB, task=task, retain=5)).changed
    (step,) = plan(None, replace(JOB, task=task, retain=5)).steps
    assert step.arguments["job"].retain == 0


def test_a_body_always_names_job_and_concurrency() -> None:
    body = objects.body(RecurringJob("j", "backup", "* * * * *", 1), version="longhorn.io/v1beta1", run_id="a1")
    assert body["spec"] == {
        "name": "j", "task": "backup", "cron": "* * * * *", "retain": 1, "concurrency": 1, "groups": [], "labels": {},
    }  # fmt: skip
    assert body["metadata"] == {"name": "j", "labels": {"longhorn.qa/run-id": "a1"}}
    assert "parameters" in objects.body(replace(JOB, parameters={"p": "1"}), version="v")["spec"]


@pytest.mark.parametrize(
    ("wanted", "stored", "words"),
    [
        pytest.param({"retain": 1}, {"retain": 1}, [], id="as-wanted"),
        pytest.param({"labels": {"a": "b", "old": None}}, {"labels": {"a": "b", "c": "d"}}, [], id="patch-of-a-map"),
        pytest.param({"labels": {"a": "b"}}, {"labels": {}}, ["spec.labels would be stored"], id="map-lost"),
        pytest.param({"parameters": {"a": "b"}}, {}, ["spec.parameters is not known"], id="unknown-field"),
        pytest.param({"groups": []}, {}, [], id="empty-and-left-out"),
        pytest.param({"retain": 0}, {"retain": 1}, ["stored as 1 instead of 0"], id="raised"),
    ],
)
def test_what_a_dry_run_shows(wanted: dict[str, t.Any], stored: dict[str, t.Any], words: list[str]) -> None:
    problems = objects.not_kept(wanted, stored)
    assert len(problems) == len(words)
    assert all(word in problem for word, problem in zip(words, problems, strict=True))


def test_volumes_get_the_label_once_and_others_keep_it() -> None:
    there: dict[str, dict[str, str]] = {"test-1": {}, "test-2": {LABEL: "enabled"}, "other": {LABEL: "enabled"}}
    made = plan(OBJECT, volumes=("test-1", "test-2"), there=there)
    assert [step.arguments for step in made.steps] == [{"volume": "test-1", "labels": {LABEL: "enabled"}}]
    assert made.after["volumes"] == ["other", "test-1", "test-2"]


def test_a_label_that_is_switched_off_is_switched_on() -> None:
    (step,) = plan(OBJECT, there={"test-1": {LABEL: "disabled"}}).steps
    assert step.arguments["labels"] == {LABEL: "enabled"}


def test_a_volume_that_is_not_there_is_missed() -> None:
    made = plan(None, there={})
    assert made.missing == ("volume test-1 does not exist",)
    assert [step.action for step in made.steps] == ["create", "label"]


def test_in_a_run_volumes_leave_the_default_group_and_jobs_never_join_it() -> None:
    marked = {"longhorn.qa/run-id": "a1", LABEL: "enabled", f"{GROUP}default": "enabled"}
    (step,) = plan(OBJECT, run_id="a1", there={"test-1": marked}).steps
    assert step.arguments["labels"] == {f"{GROUP}default": None}
    with pytest.raises(InvalidRequest, match="group default"):
        plan(OBJECT, replace(JOB, groups=("default",)), run_id="a1")


def test_what_others_made_is_left() -> None:
    with pytest.raises(NotOurs, match="recurring job nightly"):
        plan(OBJECT, run_id="b2")
    with pytest.raises(NotOurs, match="volume test-1"):
        plan(OBJECT, run_id="a1")
    with pytest.raises(NotOurs, match="belongs to run a1"):
        objects.plan_absent(OBJECT, "nightly", {}, run_id="b2")


def test_one_that_is_being_deleted_is_made_anew() -> None:
    assert [step.action for step in plan(replace(OBJECT, deleting=True)).steps] == ["create"]
    assert not objects.plan_absent(replace(OBJECT, deleting=True), "nightly", {}).changed


def test_removing_takes_labels_off_also_when_the_job_is_gone() -> None:
    there = {"test-1": {LABEL: "enabled"}, "other": {}}
    assert [step.action for step in objects.plan_absent(OBJECT, "nightly", there).steps] == ["label", "delete"]
    (step,) = objects.plan_absent(None, "nightly", there).steps
    assert step.arguments == {"volume": "test-1", "labels": {LABEL: None}}
    assert not objects.plan_absent(None, "nightly", {"other": {}}).changed


def test_a_job_covers_its_own_volumes_and_those_of_its_groups() -> None:
    volumes = {
        "own": {LABEL: "enabled"}, "grouped": {f"{GROUP}a": "enabled"}, "off": {LABEL: "disabled"},
        "elsewhere": {f"{GROUP}c": "enabled"},
    }  # fmt: skip
    assert objects.covered(JOB, volumes) == ("grouped", "own")
    assert objects.jobs_of(volumes["own"]) == ("nightly",)
    assert objects.groups_of(volumes["grouped"]) == ("a",)
