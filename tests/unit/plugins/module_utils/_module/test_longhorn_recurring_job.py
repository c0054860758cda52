# SPDX-License-Identifier: GPL-3.0-or-later
"""longhorn_recurring_job in lists: the volume's list, written as a whole, and the CronJob that has to follow."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._module import longhorn_recurring_job

ENTRY = {"name": "c-yxam34", "task": "snapshot", "cron": "*/3 * * * *", "retain": 1}
OTHER = {"name": "other", "task": "backup", "cron": "0 0 * * *", "retain": 40, "labels": None}
CRONJOB = "test-1-c-yxam34-c"


def volume(*jobs: t.Any, state: str = "attached", robustness: str = "healthy", run: str = "") -> dict[str, t.Any]:
    labels = {"longhorn.qa/run-id": run} if run else {}
    status = {"state": state, "robustness": robustness}
    return {"metadata": {"name": "test-1", "labels": labels}, "spec": {"recurringJobs": list(jobs)}, "status": status}


def cronjob(schedule: str = "*/3 * * * *", *, suspend: bool = False) -> dict[str, t.Any]:
    return {"metadata": {"name": CRONJOB, "uid": "u1"}, "spec": {"schedule": schedule, "suspend": suspend}}


def serves_cronjobs(api: t.Any) -> None:
    api.on("GET /apis/batch/v1", {"resources": [{"name": "jobs"}, {"name": "cronjobs"}]})


def run(api: t.Any, *, check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
    given = {
        "namespace": "longhorn-system", "longhorn_release": "v1.0.1", "wait": True, "wait_timeout": 30, "run_id": "",
        "volume": "test-1", "volumes": [], "state": "present", "labels": {}, "groups": [], "concurrency": 1,
        "parameters": {}, **ENTRY, **params,
    }  # fmt: skip
    return longhorn_recurring_job.run(given, check_mode=check_mode, client=api.client, clock=api.clock)


def test_a_new_job_is_added_to_the_others_and_its_cronjob_waited_for(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume(OTHER), volume(OTHER, ENTRY))
    serves_cronjobs(api)
    api.object("cronjobs", CRONJOB, None, cronjob(suspend=True), cronjob())
    api.manager("POST v1/volumes/test-1?action=recurringUpdate")

    result = run(api)

    kept = {key: value for key, value in OTHER.items() if key != "labels"}
    assert api.writes == [("POST manager v1/volumes/test-1?action=recurringUpdate", {"jobs": [kept, ENTRY]})]
    assert result["changed"]
    assert result["cronjob"] == {"name": CRONJOB, "uid": "u1", "schedule": "*/3 * * * *", "suspend": False}
    assert result["recurring_job"] == {
        **ENTRY, "labels": {}, "groups": [], "concurrency": 1, "parameters": {}, "execution_count": None,
        "volume": "test-1", "volumes": ["test-1"],
    }  # fmt: skip
    assert result["cronjobs"] == [result["cronjob"]]


def test_a_job_as_wanted_is_only_looked_at(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume(ENTRY))
    serves_cronjobs(api)
    api.object("cronjobs", CRONJOB, cronjob())

    assert not run(api, cron=" */3  * * * * ")["changed"]
    assert api.writes == []


def test_a_detached_volume_has_a_suspended_cronjob_and_that_is_right(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume(ENTRY, state="detached", robustness="unknown"))
    serves_cronjobs(api)
    api.object("cronjobs", CRONJOB, cronjob(suspend=True))

    assert run(api)["cronjob"]["suspend"]


def test_removing_waits_until_the_cronjob_is_gone(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume(ENTRY, OTHER))
    serves_cronjobs(api)
    api.object("cronjobs", CRONJOB, cronjob(), None)
    api.manager("POST v1/volumes/test-1?action=recurringUpdate")

    result = run(api, state="absent", task=None, cron="")

    assert [job["name"] for job in api.writes[0][1]["jobs"]] == ["other"]
    assert (result["recurring_job"], result["cronjob"]) == ({}, {})


def test_removing_from_a_volume_that_is_gone_changes_nothing(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", None)

    assert not run(api, state="absent", task=None, cron="")["changed"]


def test_check_mode_only_reads(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume())

    assert run(api, check_mode=True)["changed"]
    assert api.writes == []


def test_in_check_mode_an_earlier_task_may_make_the_volume(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", None)

    result = run(api, check_mode=True)

    assert result["changed"]
    assert "volume test-1 does not exist" in result["warnings"][0]


def test_without_the_volume_it_fails_with_what_to_do(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", None)

    with pytest.raises(errors.NotFound, match="longhorn_volume first"):
        run(api)


def test_a_backup_job_without_a_backup_target_is_refused(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume())
    api.setting("backup-target", "")

    with pytest.raises(errors.Refused, match="longhorn_backup_target first"):
        run(api, task="backup")
    assert api.writes == []


def test_a_cronjob_that_never_comes_ends_in_a_time_out(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume(ENTRY))
    serves_cronjobs(api)
    api.object("cronjobs", CRONJOB, None)

    with pytest.raises(errors.WaitTimeout, match=r"CronJob test-1-c-yxam34-c.*no CronJob yet.*waited 30 s"):
        run(api)


@pytest.mark.parametrize(
    ("existing", "params", "error", "words"),
    [
        pytest.param(volume(robustness="faulted"), {}, errors.TerminalState, "faulted", id="faulted-volume"),
        pytest.param(volume(OTHER), {"retain": 11}, errors.BadInput, "together with 40", id="retain-sum"),
        pytest.param(volume(run="b2"), {"run_id": "a1"}, errors.Conflict, "belongs to run b2", id="volume-of-others"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_changed(
    api: t.Any, existing: t.Any, params: dict[str, t.Any], error: type[Exception], words: str
) -> None:
    api.longhorn()
    api.object("volumes", "test-1", existing)

    with pytest.raises(error, match=words):
        run(api, **params)
    assert api.writes == []


@pytest.mark.parametrize(
    ("params", "words"),
    [
        pytest.param({"cron": "every minute"}, "2 fields", id="cron-is-prose"),
        pytest.param({"cron": "61 * * * *"}, "does not parse", id="cron-out-of-range"),
        pytest.param({"cron": "* * * * * *"}, "6 fields", id="cron-with-seconds"),
        pytest.param({"cron": "@fortnightly"}, "not known", id="cron-macro"),
        pytest.param({"retain": 0}, "at least 1", id="retain-zero"),
        pytest.param({"retain": -1}, "at least 1", id="retain-negative"),
        pytest.param({"retain": 51}, "more than the 50", id="retain-beyond-the-limit"),
        pytest.param({"name": "c-ncbsnap"}, "9 characters", id="name-too-long"),
        pytest.param({"name": "c-ncbsnap", "state": "absent"}, "9 characters", id="name-too-long-to-be-there"),
        pytest.param({"labels": {"a b": "c"}}, "label a b=c", id="label"),
        pytest.param({"task": "filesystem-trim"}, "known to this Longhorn release are snapshot, backup", id="task"),
        pytest.param({"groups": ["g"]}, "groups need Longhorn 1.2", id="groups"),
        pytest.param({"concurrency": 2}, "concurrency needs Longhorn 1.2", id="concurrency"),
        pytest.param({"parameters": {"a": "b"}}, "parameters need Longhorn 1.7", id="parameters"),
        pytest.param({"volume": None}, "give volume or volumes", id="no-volume"),
    ],
)
def test_what_this_release_does_not_know_is_refused_before_a_volume_is_looked_at(
    api: t.Any, params: dict[str, t.Any], words: str
) -> None:
    api.longhorn()
    with pytest.raises(errors.BadInput, match=words):
        run(api, **params)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        pytest.param({"volume": "a" * 41}, "41 characters", id="volume-name-too-long"),
        pytest.param({"volumes": ["A"]}, "lower-case", id="another-volume-name"),
        pytest.param({"concurrency": 0}, "concurrency 0", id="concurrency-zero"),
        pytest.param({"name": ""}, "name is empty", id="no-name"),
        pytest.param({"run_id": "A B"}, "run_id", id="run-id"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(api: t.Any, params: dict[str, t.Any], words: str) -> None:
    with pytest.raises(errors.BadInput, match=words):
        run(api, **params)


def test_one_job_for_two_volumes_has_two_cronjobs(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume(ENTRY))
    other = volume()
    other["metadata"]["name"] = "test-2"
    api.object("volumes", "test-2", other)
    serves_cronjobs(api)
    api.object("cronjobs", CRONJOB, cronjob())
    second = cronjob()
    second["metadata"] = {"name": "test-2-c-yxam34-c", "uid": "u2"}
    api.object("cronjobs", "test-2-c-yxam34-c", second)
    api.manager("POST v1/volumes/test-2?action=recurringUpdate")

    result = run(api, volumes=["test-2", "test-1"])

    assert [line for line, _body in api.writes] == ["POST manager v1/volumes/test-2?action=recurringUpdate"]
    assert [one["name"] for one in result["cronjobs"]] == [CRONJOB, "test-2-c-yxam34-c"]
    assert result["diff"]["before"]["test-2"] == {}


def test_since_1_1_2_a_detached_volume_has_no_cronjob_and_that_is_right(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume(ENTRY, state="detached", robustness="unknown"))
    serves_cronjobs(api)
    api.object("cronjobs", CRONJOB, None)

    assert run(api, longhorn_release="v1.1.3")["cronjob"]["uid"] == ""


def test_the_managers_refusal_is_told_in_its_own_words(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "test-1", volume())
    message = "unable to update volume recurring jobs for test-1: job name c-ncbsnap is too long"
    api.manager("POST v1/volumes/test-1?action=recurringUpdate", api.refused(message))

    with pytest.raises(errors.Refused, match="job name c-ncbsnap is too long"):
        run(api)
