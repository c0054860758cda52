# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup target: addresses, Secrets, the plan for the two settings, and when it can be used."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import backup_target
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.backup_target import BackupTarget, TargetObject
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import InvalidRequest, NotOurs, Plan, Step

S3 = BackupTarget("s3://lhbucket@us-east-1/", "s3-secret")
KEYS = {"AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a-key", "AWS_ENDPOINTS": "http://store:9000"}


def settings_of(plan: Plan) -> dict[str, str]:
    return {step.arguments["setting"]: step.arguments["value"] for step in plan.steps}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("ftp://host/path", "unknown scheme", id="unknown-scheme"),
        pytest.param("lhbucket", "unknown scheme", id="no-scheme"),
        pytest.param("s3://lhbucket/", "s3://bucket@region/", id="s3-without-region"),
        pytest.param("s3://@us-east-1/", "s3://bucket@region/", id="s3-without-bucket"),
        pytest.param("nfs://host/export", "nfs://host:/export", id="nfs-without-colon"),
        pytest.param("s3://bucket@us-east-1/ ", "white space", id="trailing-space"),
        pytest.param("s3://[bad@r/", "not an address", id="broken-brackets"),
    ],
)
def test_an_address_longhorn_cannot_use_is_refused(url: str, words: str) -> None:
    assert words in " ".join(backup_target.url_problems(url))


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("s3://lhbucket@us-east-1/", id="s3"),
        pytest.param("s3://lhbucket@us-east-1/some/path", id="s3-with-path"),
        pytest.param("nfs://10.0.0.1:/export", id="nfs"),
    ],
)
def test_a_good_address_has_no_problem(url: str) -> None:
    assert backup_target.url_problems(url) == []


@pytest.mark.parametrize("url", ["cifs://host/share", "azblob://container@core/"])
def test_some_kinds_of_store_come_later(url: str) -> None:
    assert "1.5 or later, not v1.4.4" in " ".join(backup_target.url_problems(url, release="v1.4.4"))
    assert backup_target.url_problems(url, release="v1.5.5") == []
    assert backup_target.url_problems(url) == [], "a release that is not known yet is not guessed"


def test_s3_needs_a_secret() -> None:
    with pytest.raises(InvalidRequest, match="credential_secret"):
        backup_target.validate(BackupTarget("s3://b@r/"))
    backup_target.validate(BackupTarget("nfs://host:/export"))


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        pytest.param(None, "does not exist", id="missing"),
        pytest.param({}, "lacks AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY; it has no keys", id="empty"),
        pytest.param({"AWS_ACCESS_KEY_ID": "x"}, "lacks AWS_SECRET_ACCESS_KEY; it has AWS_ACCESS_KEY_ID", id="half"),
        pytest.param({**KEYS, "AWS_SECRET_ACCESS_KEY": ""}, "AWS_SECRET_ACCESS_KEY (empty)", id="empty-value"),
        pytest.param({**KEYS, "AWS_SECRET_ACCESS_KEY": "a-key\n"}, "white space around", id="line-break"),
    ],
)
def test_what_a_secret_lacks_is_told_without_its_values(secret: dict[str, str] | None, words: str) -> None:
    told = " ".join(backup_target.secret_problems(S3.url, secret, name="s3-secret"))
    assert words in told
    assert "a-key" not in told


def test_a_complete_secret_or_a_role_is_enough() -> None:
    assert backup_target.secret_problems(S3.url, KEYS, name="s3-secret") == []
    assert backup_target.secret_problems(S3.url, {"AWS_IAM_ROLE_ARN": "arn:x"}, name="s3-secret") == []


def test_the_secret_is_set_before_the_address() -> None:
    plan = backup_target.plan(BackupTarget(), S3)
    assert settings_of(plan) == {
        "backup-target-credential-secret": "s3-secret",
        "backup-target": "s3://lhbucket@us-east-1/",
    }
    assert next(iter(settings_of(plan))) == "backup-target-credential-secret"
    assert plan.diff == {"before": BackupTarget().summary(), "after": S3.summary()}


def test_only_what_differs_is_set() -> None:
    plan = backup_target.plan(BackupTarget("s3://other@r/", "s3-secret"), S3)
    assert settings_of(plan) == {"backup-target": S3.url}


def test_a_target_as_wanted_needs_nothing() -> None:
    plan = backup_target.plan(S3, S3)
    assert not plan.changed
    assert plan.diff["before"] == plan.diff["after"]


def test_no_target_is_wanted_by_empty_values() -> None:
    assert set(settings_of(backup_target.plan(S3, BackupTarget())).values()) == {""}


def test_the_interval_is_set_when_it_is_named() -> None:
    there = replace(S3, poll_interval=300)
    assert not backup_target.plan(there, S3).changed
    assert backup_target.plan(there, S3).diff["after"]["poll_interval"] == 300
    assert settings_of(backup_target.plan(there, replace(S3, poll_interval=0))) == {"backupstore-poll-interval": "0"}


def test_settings_make_only_one_target() -> None:
    with pytest.raises(InvalidRequest, match="only one, named default"):
        backup_target.plan(BackupTarget(), replace(S3, name="second"))


DOCUMENT = {
    "metadata": {"name": "default", "labels": {"a": "b"}},
    "spec": {
        "backupTargetURL": S3.url, "credentialSecret": "s3-secret", "pollInterval": "5m0s",
        "syncRequestedAt": "2026-01-01T00:00:00Z",
    },
    "status": {"available": True, "lastSyncedAt": "2026-01-01T00:00:01Z", "conditions": []},
}  # fmt: skip
OBJECT = TargetObject.from_object(DOCUMENT)


def test_an_object_is_read() -> None:
    assert (
        TargetObject(
            replace(S3, poll_interval=300), labels={"a": "b"}, available=True,
            requested_at="2026-01-01T00:00:00Z", synced_at="2026-01-01T00:00:01Z",
        )
        == OBJECT
    )  # fmt: skip
    assert OBJECT.summary()["available"]
    assert TargetObject.from_object({"metadata": {"name": "default"}}).target == BackupTarget()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("5m0s", 300, id="as-kubernetes-writes"),
        pytest.param("300s", 300, id="seconds"),
        pytest.param("1h1m1s", 3661, id="hours"),
        pytest.param("1500ms", 2, id="milliseconds"),
        pytest.param("0s", 0, id="never"),
        pytest.param("", None, id="empty"),
        pytest.param("soon", None, id="no-duration"),
    ],
)
def test_durations(text: str, expected: int | None) -> None:
    assert backup_target.seconds(text) == expected


def plan_object(existing: TargetObject | None, desired: BackupTarget, *, run_id: str = "") -> list[Step]:
    return list(backup_target.plan_object(existing, desired, run_id=run_id).steps)


def test_objects_are_made_changed_and_left() -> None:
    second = replace(S3, name="second")
    assert [step.action for step in plan_object(None, second)] == ["create"]
    assert plan_object(OBJECT, S3) == []
    (change,) = plan_object(OBJECT, replace(S3, url="s3://other@r/", poll_interval=60))
    assert change.arguments["spec"] == {"backupTargetURL": "s3://other@r/", "pollInterval": "60s"}
    assert [step.action for step in plan_object(replace(OBJECT, deleting=True), S3)] == ["create"]


def test_without_an_address_the_default_object_stays_and_any_other_goes() -> None:
    (change,) = plan_object(OBJECT, BackupTarget())
    assert change.arguments["spec"] == {"backupTargetURL": "", "credentialSecret": ""}
    assert plan_object(None, BackupTarget()) == []
    second = replace(OBJECT, target=replace(S3, name="second"))
    assert [step.action for step in plan_object(second, BackupTarget(name="second"))] == ["delete"]
    assert plan_object(None, BackupTarget(name="second")) == []


def test_a_run_leaves_the_targets_of_others_alone_but_may_use_the_default_one() -> None:
    second = replace(OBJECT, target=replace(S3, name="second"))
    with pytest.raises(NotOurs, match="backup target second"):
        plan_object(second, replace(S3, name="second"), run_id="a1")
    assert plan_object(OBJECT, BackupTarget(), run_id="a1")


def test_a_new_object_has_the_usual_interval_and_the_runs_mark() -> None:
    body = backup_target.body(replace(S3, name="second"), version="longhorn.io/v1beta2", run_id="a1")
    assert body["spec"] == {"backupTargetURL": S3.url, "credentialSecret": "s3-secret", "pollInterval": "300s"}
    assert body["metadata"] == {"name": "second", "labels": {"longhorn.qa/run-id": "a1"}}


def test_what_a_journal_keeps_is_read_again() -> None:
    assert backup_target.from_summary(OBJECT.target.summary()) == OBJECT.target
    assert backup_target.from_summary({}) == BackupTarget()


UNAVAILABLE = replace(OBJECT, available=False)


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        pytest.param(None, "pending", "does not exist", id="not-there"),
        pytest.param(OBJECT, "done", "available", id="available"),
        pytest.param(replace(OBJECT, target=BackupTarget("s3://old@r/")), "pending", "s3://old", id="old-address"),
        pytest.param(replace(OBJECT, requested_at="2026-01-01T00:00:02Z"), "pending", "not looked", id="not-looked"),
        pytest.param(
            replace(UNAVAILABLE, requested_at="2026-01-01T00:00:02Z", reason="AccessDenied"), "pending", "AccessDenied",
            id="of-the-target-before",
        ),
        pytest.param(UNAVAILABLE, "pending", "not available", id="no-reason-told"),
        pytest.param(replace(UNAVAILABLE, reason="dial tcp: i/o timeout"), "pending", "i/o timeout", id="not-up-yet"),
        pytest.param(replace(UNAVAILABLE, reason="NoSuchBucket"), "failed", "NoSuchBucket", id="hopeless"),
    ],
)  # fmt: skip
def test_availability_is_the_managers_word_about_this_very_target(
    found: TargetObject | None, state: str, words: str
) -> None:
    progress = backup_target.available(found, S3)
    assert progress.state == state
    assert words in progress.reason


def test_why_a_target_is_not_available_is_read_from_its_condition() -> None:
    told = {"type": "Unavailable", "status": "True", "reason": "Unavailable", "message": "backup target URL is empty"}
    document = {**DOCUMENT, "status": {"available": False, "conditions": [told]}}
    assert TargetObject.from_object(document).reason == "backup target URL is empty"


@pytest.mark.parametrize(
    ("error", "state"),
    [
        pytest.param(None, "done", id="listed"),
        pytest.param("500 error listing backups: dial tcp: connection refused", "pending", id="store-not-up-yet"),
        pytest.param("500 NoSuchBucket: The specified bucket does not exist", "failed", id="bucket-missing"),
        pytest.param("500 InvalidAccessKeyId: no such key", "failed", id="wrong-key"),
    ],
)
def test_waiting_ends_early_where_it_is_hopeless(error: str | None, state: str) -> None:
    assert backup_target.listable(error).state == state
