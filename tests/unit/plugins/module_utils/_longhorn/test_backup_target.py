# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup target: addresses, Secrets, the plan for the two settings, and when it can be used."""

from __future__ import annotations

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import backup_target
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.backup_target import BackupTarget
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import InvalidRequest

S3 = BackupTarget("s3://lhbucket@us-east-1/", "s3-secret")
KEYS = {"AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a-key", "AWS_ENDPOINTS": "http://store:9000"}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("ftp://host/path", "unknown scheme", id="unknown-scheme"),
        pytest.param("lhbucket", "unknown scheme", id="no-scheme"),
        pytest.param("cifs://host/share", "1.5 or later", id="cifs-comes-later"),
        pytest.param("azblob://container@core/", "1.5 or later", id="azblob-comes-later"),
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
        pytest.param({**KEYS, "AWS_SECRET_ACCESS_KEY": ""}, "lacks AWS_SECRET_ACCESS_KEY", id="empty-value"),
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
    assert [(step.action, step.arguments["value"]) for step in plan.steps] == [
        ("set_secret", "s3-secret"),
        ("set_url", "s3://lhbucket@us-east-1/"),
    ]
    assert plan.diff == {"before": BackupTarget().summary(), "after": S3.summary()}


def test_only_what_differs_is_set() -> None:
    plan = backup_target.plan(BackupTarget("s3://other@r/", "s3-secret"), S3)
    assert [step.action for step in plan.steps] == ["set_url"]


def test_a_target_as_wanted_needs_nothing() -> None:
    plan = backup_target.plan(S3, S3)
    assert not plan.changed
    assert plan.diff["before"] == plan.diff["after"]


def test_no_target_is_wanted_by_empty_values() -> None:
    assert [step.action for step in backup_target.plan(S3, BackupTarget()).steps] == ["set_secret", "set_url"]


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
    assert backup_target.available(error).state == state
