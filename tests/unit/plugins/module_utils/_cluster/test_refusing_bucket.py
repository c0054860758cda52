# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket that is told to refuse deletions, on a real S3 server that holds policies; and on one that holds none."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket
from tests.unit.plugins.module_utils._cluster import test_store
from tests.unit.plugins.module_utils._cluster.test_store_truth import Asked, Server, opened, writer

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.refusing_bucket import RefusingBucket
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.store import folder_of

BUCKET = "refusing"
TARGET = f"s3://{BUCKET}@us-east-1/some/where"
BACKUP = f"{folder_of('some/where', 'v')}backups/backup_b.cfg"
LOCK = f"{folder_of('some/where', 'v')}locks/lock-1.lck"
OTHERS = f"{folder_of('some/where', 'w')}backups/backup_b.cfg"
OWNERS = {
    "Sid": "Owner", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject",
    "Resource": f"arn:aws:s3:::{BUCKET}/precious/*",
}  # fmt: skip
PROBES = "some/where/LonghornQaa1/"


@pytest.fixture(name="server")
def _server() -> Iterator[Server]:
    server = Server()
    s3 = writer(server)
    s3.create_bucket(Bucket=BUCKET)
    for key in (BACKUP, LOCK, OTHERS):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"{}")
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [OWNERS]}))
    yield server
    server.refuses = lambda _asked: False
    s3.delete_bucket_policy(Bucket=BUCKET)
    for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    s3.delete_bucket(Bucket=BUCKET)
    server.stop()


def bucket(server: Server, clock: t.Any, target: str = TARGET) -> RefusingBucket:
    return RefusingBucket(opened(target, AWS_ENDPOINTS=server.url), "a1", clock)


def tell(server: Server, clock: t.Any, *volumes: str) -> tuple[str, ...]:
    return bucket(server, clock).tell(volumes, user=opened(TARGET, AWS_ENDPOINTS=server.url))


def statements(server: Server) -> list[dict[str, t.Any]]:
    found: list[dict[str, t.Any]] = json.loads(writer(server).get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    return found


def keys(server: Server, prefix: str = "") -> list[str]:
    return [item["Key"] for item in writer(server).list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())]


def test_what_is_told_is_refused_and_the_proof_says_so(server: Server, clock: t.Any) -> None:
    (proof,) = tell(server, clock, "v")
    assert proof == f"{TARGET} did not let {PROBES}{folder_of('', 'v')}backups/probe go: 403"
    with pytest.raises(ClientError, match="403"):
        writer(server).delete_object(Bucket=BUCKET, Key=BACKUP)
    for key in (LOCK, OTHERS):
        writer(server).delete_object(Bucket=BUCKET, Key=key)
    assert statements(server)[0] == OWNERS
    assert bucket(server, clock).told(["v"]) and not bucket(server, clock).told(["v", "w"])


def test_other_volumes_replace_those_before(server: Server, clock: t.Any) -> None:
    tell(server, clock, "v")
    tell(server, clock, "w")
    writer(server).delete_object(Bucket=BUCKET, Key=BACKUP)
    assert len(statements(server)) == 2


def test_it_forgets_without_a_trace(server: Server, clock: t.Any) -> None:
    before = keys(server)
    assert not bucket(server, clock).remembers()
    tell(server, clock, "v", "w")
    assert bucket(server, clock).remembers()
    assert len(keys(server, PROBES)) == 2
    bucket(server, clock).forget()
    assert statements(server) == [OWNERS]
    assert keys(server) == before
    assert not bucket(server, clock).remembers()


def test_a_policy_of_ours_only_goes_as_a_whole(server: Server, clock: t.Any) -> None:
    writer(server).delete_bucket_policy(Bucket=BUCKET)
    tell(server, clock, "v")
    bucket(server, clock).forget()
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        statements(server)


def test_probes_that_a_crash_left_are_remembered(server: Server, clock: t.Any) -> None:
    writer(server).put_object(Bucket=BUCKET, Key=f"{PROBES}x/probe", Body=b"")
    assert bucket(server, clock).remembers()
    bucket(server, clock).forget()
    assert keys(server, PROBES) == []


def test_a_bucket_that_went_remembers_nothing(server: Server, clock: t.Any) -> None:
    gone = bucket(server, clock, "s3://gone@us-east-1/")
    assert not gone.remembers()
    gone.forget()


def test_credentials_that_no_policy_holds_for_are_told_with_what_to_do(
    server: Server, clock: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeBucket, "get_permission", lambda *_args: PermissionResult.NEUTRAL)
    with pytest.raises(errors.Refused) as caught:
        tell(server, clock, "v")
    told = str(caught.value)
    assert "expected a refusal for Secret longhorn-system/creds" in told
    assert "MinIO" in told and "a user of its own" in told and "backup-store" in told
    assert statements(server) == [OWNERS]
    assert keys(server, PROBES) == []
    assert clock.elapsed == 30


def test_a_large_store_takes_a_while(server: Server, clock: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = FakeBucket.get_permission

    def late(self: FakeBucket, action: str, resource: str) -> t.Any:
        return PermissionResult.NEUTRAL if clock.elapsed < 3 else real(self, action, resource)

    monkeypatch.setattr(FakeBucket, "get_permission", late)
    assert tell(server, clock, "v")
    assert clock.elapsed == 3


@pytest.mark.parametrize(
    ("refuses", "needed"),
    [
        pytest.param(lambda asked: asked[0] == "GET" and "policy" in asked[2], "s3:GetBucketPolicy", id="read"),
        pytest.param(lambda asked: asked[0] == "PUT" and "policy" in asked[2], "s3:PutBucketPolicy", id="write"),
        pytest.param(lambda asked: asked[0] == "PUT" and "probe" in asked[1], "s3:PutObject", id="probe"),
    ],
)
def test_a_right_that_is_missing_is_named(
    server: Server, clock: t.Any, refuses: t.Callable[[Asked], bool], needed: str
) -> None:
    server.refuses = refuses
    with pytest.raises(errors.LonghornQAError, match=f"does not grant {needed};") as caught:
        tell(server, clock, "v")
    assert "canary" not in str(caught.value)
    server.refuses = lambda _asked: False
    assert statements(server) == [OWNERS]


def test_through_the_service_proxy_all_is_signed(server: Server, clock: t.Any) -> None:
    cluster = test_store.Cluster(server.url, AWS_ENDPOINTS="http://longhorn-qa-store.qa:9000")
    store = test_store.opened(cluster, TARGET)
    here = RefusingBucket(store, "a1", clock)
    here.tell(["v"], user=store)
    here.forget()
    assert {request.method for request in cluster.proxied} == {"GET", "PUT", "DELETE"}
    assert all(map(test_store.signed_rightly, cluster.proxied))
    assert statements(server) == [OWNERS]
