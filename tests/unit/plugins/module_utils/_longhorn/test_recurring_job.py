# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurring jobs in a volume's list, and the CronJobs that come of them."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import recurring_job
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import recurring_job_list as lists
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import InvalidRequest
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job import CronJob, RecurringJob

OLD = recurring_job.limits("v1.1.3")
JOB = RecurringJob("c-ncbck", "backup", "* * * * *", 1)
OTHER = RecurringJob("c-other", "snapshot", "0 * * * *", 20)
# 2020-06/04-jobs-created/k8s-cronjobs.json, shortened.
REAL_CRONJOB: dict[str, t.Any] = {
    "metadata": {"name": "test-d-back-c-dbck-c", "uid": "9d2a70cc-c17f-4165-b91f-de3aa25fdc35"},
    "spec": {
        "schedule": "* * * * *",
        "suspend": False,
        "jobTemplate": {
            "spec": {
                "template": {
                    "spec": {
                        "containers": [
                            {
                                "command": [
                                    "longhorn-manager", "-d", "snapshot", "test-d-back", "--snapshot-name", "c-dbck",
                                    "--labels", "RecurringJob=c-dbck", "--retain", "1",
                                    "--backuptarget", "s3://lhbucket@us-east-1/",
                                ]
                            }
                        ]
                    }
                }
            }
        },
    },
}  # fmt: skip
CRONJOB = CronJob.from_object(REAL_CRONJOB)


def test_a_real_cronjob_is_read() -> None:
    assert (
        CronJob(
            "test-d-back-c-dbck-c",
            "9d2a70cc-c17f-4165-b91f-de3aa25fdc35",
            schedule="* * * * *",
            suspend=False,
            retain="1",
        )
        == CRONJOB
    )


def test_a_real_entry_is_read_and_written_as_the_real_requests_were() -> None:
    entry = {"cron": "* * * * *", "labels": None, "name": "c-ncbck", "retain": 1, "task": "backup"}
    assert RecurringJob.from_object(entry) == JOB
    assert JOB.body() == {"name": "c-ncbck", "cron": "* * * * *", "task": "backup", "retain": 1}


def test_a_new_job_is_added_behind_the_others() -> None:
    plan = lists.plan_present([OTHER], JOB, OLD)
    assert plan.steps[0].arguments == {"jobs": [OTHER.body(), JOB.body()]}
    assert (plan.diff["before"], plan.diff["after"]) == ({}, JOB.summary())
    assert "add recurring job c-ncbck" in plan.messages[0]


def test_a_changed_job_keeps_its_place() -> None:
    wanted = replace(JOB, retain=2)
    plan = lists.plan_present([JOB, OTHER], wanted, OLD)
    assert plan.steps[0].arguments == {"jobs": [wanted.body(), OTHER.body()]}
    assert (plan.diff["before"]["retain"], plan.diff["after"]["retain"]) == (1, 2)


def test_a_job_as_wanted_needs_nothing() -> None:
    assert not lists.plan_present([OTHER, JOB], JOB, OLD).changed


def test_removing_keeps_the_others() -> None:
    assert lists.plan_absent([JOB, OTHER], "c-ncbck").steps[0].arguments == {"jobs": [OTHER.body()]}
    assert not lists.plan_absent([OTHER], "c-ncbck").changed


@pytest.mark.parametrize(
    ("job", "words"),
    [
        pytest.param(replace(JOB, name="c-ncbback"), "9 characters", id="name-too-long"),
        pytest.param(replace(JOB, name=""), "empty", id="name-empty"),
        pytest.param(replace(JOB, retain=0), "at least 1", id="retain-zero"),
        pytest.param(replace(JOB, retain=-1), "retain -1", id="retain-negative"),
        pytest.param(replace(JOB, retain=31), "together with 20", id="retain-beyond-the-sum"),
        pytest.param(replace(JOB, task="filesystem-trim"), "trim' is unknown", id="task-of-a-later-release"),
        pytest.param(replace(JOB, cron=" "), "cron line is empty", id="cron-empty"),
        pytest.param(replace(JOB, labels={"a b": "c"}), "label a b=c", id="label-key"),
        pytest.param(replace(JOB, labels={"a": "c d"}), "label a=c d", id="label-value"),
    ],
)
def test_what_longhorn_would_refuse_or_mangle_is_refused_before(job: RecurringJob, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        lists.plan_present([OTHER], job, OLD)


def test_since_1_1_2_a_detached_volume_has_no_cronjob() -> None:
    assert recurring_job.scheduled(None, JOB, attached=False, kept_detached=False).state == "done"
    assert recurring_job.scheduled(None, JOB, attached=True, kept_detached=False).state == "pending"
    assert recurring_job.scheduled(None, JOB, attached=False).state == "pending"


@pytest.mark.parametrize(
    ("release", "name", "retain", "summed", "objects", "parameters"),
    [
        pytest.param("v1.1.3", 8, 50, True, False, False, id="1.1"),
        pytest.param("v1.2.0", 40, 50, False, True, False, id="1.2"),
        pytest.param("v1.3.2", 40, 50, False, True, False, id="1.3.2"),
        pytest.param("v1.3.3", 40, 100, False, True, False, id="1.3.3"),
        pytest.param("v1.4.1", 40, 50, False, True, False, id="1.4.1"),
        pytest.param("v1.4.2", 40, 100, False, True, False, id="1.4.2"),
        pytest.param("v1.5.5", 40, 100, False, True, False, id="1.5"),
        pytest.param("v1.6.0", 40, 250, False, True, False, id="1.6"),
        pytest.param("v1.7.0", 40, 250, False, True, True, id="1.7"),
    ],
)
def test_each_release_has_its_limits(
    release: str, name: int, retain: int, summed: bool, objects: bool, parameters: bool
) -> None:
    known = recurring_job.limits(release)
    assert (known.longest_name, known.largest_retain, known.retain_is_summed) == (name, retain, summed)
    assert (known.objects, known.parameters) == (objects, parameters)


@pytest.mark.parametrize(
    ("release", "job", "words"),
    [
        pytest.param("v1.1.3", replace(JOB, groups=("g",)), "groups need Longhorn 1.2", id="groups"),
        pytest.param("v1.1.3", replace(JOB, concurrency=2), "concurrency needs Longhorn 1.2", id="concurrency"),
        pytest.param("v1.2.6", replace(JOB, parameters={"a": "b"}), "parameters need Longhorn 1.7", id="parameters"),
        pytest.param("v1.2.6", replace(JOB, groups=("a b",)), "group 'a b'", id="group"),
        pytest.param("v1.2.6", replace(JOB, name="n" * 41), "allows 40", id="name"),
        pytest.param("v1.8.2", replace(JOB, retain=251), "more than the 250", id="retain"),
        pytest.param("v1.4.4", replace(JOB, task="filesystem-trim"), "is unknown", id="task"),
    ],
)
def test_what_a_release_does_not_allow_is_told(release: str, job: RecurringJob, words: str) -> None:
    assert words in " ".join(recurring_job.problems(job, recurring_job.limits(release)))


def test_what_a_release_allows_has_no_problem() -> None:
    assert recurring_job.problems(replace(JOB, retain=50), recurring_job.limits("v1.2.6"), existing=[OTHER]) == []
    trim = replace(JOB, task="filesystem-trim", retain=0)
    assert recurring_job.problems(trim, recurring_job.limits("v1.5.5")) == [], "it keeps nothing"


@pytest.mark.parametrize(
    ("cronjob", "attached", "state"),
    [
        pytest.param(None, True, "pending", id="not-there-yet"),
        pytest.param(CRONJOB, True, "done", id="there"),
        pytest.param(replace(CRONJOB, schedule="0 * * * *"), True, "pending", id="old-schedule"),
        pytest.param(replace(CRONJOB, retain="7"), True, "pending", id="old-retain"),
        pytest.param(replace(CRONJOB, suspend=True), True, "pending", id="suspended-although-attached"),
        pytest.param(replace(CRONJOB, suspend=True), False, "done", id="suspended-while-detached"),
        pytest.param(replace(CRONJOB, deleting=True), True, "pending", id="an-older-one-is-going"),
    ],
)
def test_when_a_cronjob_counts_as_made(cronjob: CronJob | None, attached: bool, state: str) -> None:
    assert recurring_job.scheduled(cronjob, replace(JOB, name="c-dbck"), attached=attached).state == state


def test_when_a_cronjob_counts_as_gone() -> None:
    assert recurring_job.unscheduled(CRONJOB).state == "pending"
    assert recurring_job.unscheduled(None).state == "done"


def test_a_faulted_volume_will_never_run_a_job() -> None:
    assert recurring_job.volume_fit(state="detached", robustness="faulted").state == "failed"
    assert recurring_job.volume_fit(state="detached", robustness="unknown").state == "done"
