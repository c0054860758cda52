# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurring jobs as objects: their rules in each release, and their CronJob."""

from __future__ import annotations

import json
import typing as t

import pytest

from longhorn_qa_lab.longhorn import checks, cron_jobs, recurring
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.releases import RELEASES, release

WITH_OBJECTS = [name for name, row in RELEASES.items() if row.recurring_jobs == "objects"]
WITH_WEBHOOKS = [name for name, row in RELEASES.items() if row.webhooks]
MAX_RETAIN = 100


def job(name: str = "nightly", **spec: t.Any) -> Object:
    full = {"name": name, "task": "snapshot", "cron": "* * * * *", "retain": 1, "concurrency": 1, **spec}
    metadata = {"name": name, "uid": "u"}
    return {"apiVersion": "longhorn.io/v1beta2", "kind": "RecurringJob", "metadata": metadata, "spec": full}


def refusal(name: str, wanted: Object) -> str:
    row = release(name)
    with pytest.raises(checks.Refused) as error:
        recurring.require(wanted, row, max_retain=row.job_rules.max_retain or MAX_RETAIN)
    return str(error.value)


@pytest.mark.parametrize("name", WITH_OBJECTS)
def test_a_sound_job_is_taken(name: str) -> None:
    row = release(name)
    recurring.require(job(groups=["weekly"]), row, max_retain=row.job_rules.max_retain or MAX_RETAIN)


@pytest.mark.parametrize(
    ("name", "wanted", "words"),
    [
        pytest.param("v1.2.6", job(retain=0), "invalid job {Name:nightly", id="1.2: nothing to keep"),
        pytest.param("v1.2.6", job(retain=51), "Job Can't retain more than 50 snapshots", id="1.2: too much to keep"),
        pytest.param("v1.2.6", job("x" * 41), f"job name {'x' * 41} is too long", id="1.2: a long name"),
        pytest.param(
            "v1.2.6", job(task="snapshot-delete"), "recurring job task snapshot-delete", id="1.2: a later task"
        ),
        pytest.param("v1.3.3", job(retain=101), "retain value should be less than or equal to 100", id="1.3: too much"),
        pytest.param("v1.3.3", job("x" * 41), "must be 40 characters or less", id="1.3: a long name"),
        pytest.param(
            "v1.4.4", job(task="filesystem-trim"), "task filesystem-trim is not valid", id="1.4: a later task"
        ),
        pytest.param("v1.8.2", job(groups=["no/group"]), "invalid group name no/group", id="a bad group"),
        pytest.param("v1.8.2", job(name="nightly", cron="often"), "invalid cron format(often): ", id="a bad time"),
        pytest.param("v1.8.2", job(parameters={"colour": "1"}), "colour:1 is not a valid parameter", id="a parameter"),
        pytest.param(
            "v1.8.2",
            job(parameters={"volume-backup-policy": "always"}),
            "volume-backup-policy:always is not a valid parameter",
            id="1.8: a later parameter",
        ),
        pytest.param(
            "v1.12.1",
            job(parameters={"full-backup-interval": "often"}),
            "full-backup-interval:often is not a valid parameter",
            id="a parameter's value",
        ),
        pytest.param("v1.8.2", job(retain=MAX_RETAIN + 1), "less than or equal to 100", id="the setting's limit"),
    ],
)
def test_refusals_in_each_releases_words(name: str, wanted: Object, words: str) -> None:
    assert words in refusal(name, wanted)


@pytest.mark.parametrize(
    ("name", "task", "retain", "kept"),
    [
        pytest.param("v1.3.3", "snapshot", 0, 1, id="one is the least"),
        pytest.param("v1.3.3", "snapshot-cleanup", 5, 0, id="a clean-up keeps nothing"),
        pytest.param("v1.3.3", "snapshot-delete", -1, 0, id="all may be deleted"),
        pytest.param("v1.3.3", "snapshot-delete", 7, 7, id="and some kept"),
        pytest.param("v1.5.5", "filesystem-trim", 3, 0, id="a trim keeps nothing"),
    ],
)
def test_the_webhook_corrects_retain(name: str, task: str, retain: int, kept: int) -> None:
    assert recurring.complete(job(task=task, retain=retain), release(name), is_new=True)["spec"]["retain"] == kept


@pytest.mark.parametrize("name", WITH_WEBHOOKS)
def test_a_job_without_a_name_of_its_own(name: str) -> None:
    row, wanted = release(name), job()
    del wanted["spec"]["name"]
    made = recurring.complete(wanted, row, is_new=True)
    if row.number < (1, 9, 0):
        assert refusal(name, made).startswith("invalid job {Name: ")
    else:
        assert made["spec"]["name"] == "nightly"
    assert recurring.complete(wanted, row, is_new=False)["spec"]["name"] == "nightly", "an update has it filled"


@pytest.mark.parametrize(("name", "concurrency"), [("v1.9.2", 0), ("v1.12.1", 10)])
def test_concurrency_that_nobody_names(name: str, concurrency: int) -> None:
    assert recurring.complete(job(concurrency=0), release(name), is_new=True)["spec"]["concurrency"] == concurrency


def test_what_the_webhook_completes_is_whole_and_stays_as_it_is() -> None:
    row = release("v1.12.1")
    made = recurring.complete(job(), row, is_new=True)
    assert made["metadata"]["finalizers"] == ["longhorn.io"]
    assert (made["spec"]["groups"], made["spec"]["labels"], made["spec"]["parameters"]) == ([], {}, {})
    assert recurring.complete(made, row, is_new=False) == made


@pytest.mark.parametrize("name", WITH_OBJECTS)
def test_the_cron_job_has_the_recurring_jobs_name(name: str) -> None:
    place = cron_jobs.Place(release(name), "manager:1", "account", successful=4, failed=5)
    made = cron_jobs.of_object(job(cron="*/5 * * * *"), place)
    labels = {"longhorn.io/managed-by": "longhorn-manager", "recurring-job.longhorn.io": "nightly"}
    template = made["spec"]["jobTemplate"]["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert (made["metadata"]["name"], made["metadata"]["labels"], template["metadata"]["labels"]) == (
        "nightly", labels, labels,
    )  # fmt: skip
    assert " ".join(container["command"]) == (
        "longhorn-manager -d recurring-job nightly --manager-url http://longhorn-backend:9500/v1"
    )
    assert "securityContext" not in container
    assert json.loads(made["metadata"]["annotations"]["longhorn.io/last-applied-cronjob-spec"]) == made["spec"]
    limits = made["spec"]["successfulJobsHistoryLimit"], made["spec"].get("failedJobsHistoryLimit")
    assert limits == ((1, None) if release(name).number < (1, 4, 0) else (4, 5))
    assert "suspend" not in made["spec"]


def test_volumes_have_jobs_and_groups_by_label() -> None:
    labels = recurring.selected([{"name": "nightly"}, {"name": "weekly", "isGroup": True}])
    assert labels == {
        "recurring-job.longhorn.io/nightly": "enabled",
        "recurring-job-group.longhorn.io/weekly": "enabled",
    }
    assert recurring.of_volume({**labels, "longhornvolume": "v"}) == [("weekly", True), ("nightly", False)]
