# SPDX-License-Identifier: GPL-3.0-or-later
"""Listing a store: a real S3 server of a package index, reached directly and through a service proxy."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import typing as t
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors, http, kinds, store
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.store import Location, S3Store

KEY = "backupstore/volumes/1f/4e/test-ncb-back/backups/backup_backup-267e947984764b9b.cfg"
SECRET_KEY = "canary-secret-key"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_bucket(Bucket="bucket")
    document = {"Name": "backup-267e947984764b9b", "SnapshotName": "c-1-ab", "Labels": {"RecurringJob": "c-1"}}
    client.put_object(Bucket="bucket", Key=KEY, Body=json.dumps(document).encode())
    client.put_object(Bucket="bucket", Key=KEY.replace("backup-267", "backup-999"), Body=b"{broken")
    client.put_object(Bucket="bucket", Key=KEY.replace("backup_backup", "other"), Body=b"")
    yield endpoint
    server.stop()


class Cluster:
    """Secrets and Services, and a service proxy to the S3 server."""

    host = "https://127.0.0.1:6443"

    def __init__(self, endpoint: str, **secret: str) -> None:
        data = {"AWS_ACCESS_KEY_ID": "canary-id", "AWS_SECRET_ACCESS_KEY": SECRET_KEY, **secret}
        self.secret = {key: base64.b64encode(value.encode()).decode() for key, value in data.items() if value}
        self.services = {("longhorn-qa-store", "qa")}
        self.proxied: list[http.Request] = []
        self._endpoint = endpoint

    def find(self, kind: kinds.Kind, name: str, *, namespace: str) -> dict[str, t.Any] | None:
        if kind == kinds.SECRETS:
            return {"data": self.secret} if (name, namespace) == ("creds", "longhorn-system") else None
        return {} if (name, namespace) in self.services else None

    def raw(self, request: http.Request) -> http.Answer:
        self.proxied.append(request)
        path = request.path.split("/proxy", 1)[1]
        answer = requests.request(
            request.method,
            self._endpoint + path,
            headers={**(request.headers or {}), "host": "127.0.0.1:6443"},
            data=request.body,
            timeout=10,
        )
        return http.Answer(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content)


def opened(cluster: Cluster, target: str = "s3://bucket@us-east-1/", secret: str = "creds", **more: str) -> S3Store:
    return S3Store(t.cast(t.Any, cluster), Location(target, secret, "longhorn-system", **more))


def test_backups_with_what_their_files_say(s3: str) -> None:
    found = opened(Cluster(s3, AWS_ENDPOINTS=s3)).backups(["test-ncb-back", "never-backed-up"])
    by_name = {one.name: one for one in found}
    assert sorted(by_name) == ["backup-267e947984764b9b", "backup-999e947984764b9b"]
    whole = by_name["backup-267e947984764b9b"]
    assert (whole.volume, whole.key, whole.snapshot) == ("test-ncb-back", KEY, "c-1-ab")
    assert whole.labels == {"RecurringJob": "c-1"}
    assert whole.last_modified.endswith("Z")
    assert by_name["backup-999e947984764b9b"].snapshot == ""


def test_through_the_service_proxy_signed_in_the_query(s3: str) -> None:
    cluster = Cluster(s3, AWS_ENDPOINTS="http://longhorn-qa-store.qa:9000")
    found = opened(cluster).backups(["test-ncb-back"])
    assert len(found) == 2
    request = cluster.proxied[0]
    assert request.path.startswith("/api/v1/namespaces/qa/services/longhorn-qa-store:9000/proxy/bucket?")
    assert "authorization" not in (request.headers or {})
    assert signed_rightly(request)


def test_a_service_that_the_secret_does_not_name(s3: str) -> None:
    cluster = Cluster(s3, AWS_ENDPOINTS="https://elsewhere.example")
    opened(cluster, service="https://other/store:443").backups(["test-ncb-back"])
    assert cluster.proxied[0].path.startswith("/api/v1/namespaces/other/services/https:store:443/proxy/")


def test_what_is_known_is_not_read_again(s3: str) -> None:
    cluster = Cluster(s3, AWS_ENDPOINTS="http://longhorn-qa-store.qa:9000")
    one = opened(cluster)
    first, before = one.backups(["test-ncb-back"]), len(cluster.proxied)
    assert one.backups(["test-ncb-back"]) == first
    assert len(cluster.proxied) == before + 1


@pytest.mark.parametrize(
    ("secret", "options", "error", "message"),
    [
        pytest.param(
            {}, {"target": "nfs://host:/x"}, errors.BadInput, "this kind of backup store", id="another kind of store"
        ),
        pytest.param({}, {"secret": "gone"}, errors.NotFound, "Secret longhorn-system/gone", id="no Secret"),
        pytest.param({"AWS_SECRET_ACCESS_KEY": ""}, {}, errors.BadInput, "lacks keys", id="a key is missing"),
        pytest.param({}, {"target": "s3://gone@us-east-1/"}, errors.LonghornQAError, "NoSuchBucket", id="no bucket"),
        pytest.param(
            {}, {"endpoint": "http://127.0.0.1:1"}, errors.LonghornQAError, "cannot be listed", id="nobody listens"
        ),
        pytest.param({}, {"service": "nonsense"}, errors.BadInput, "not a Service", id="a service that is none"),
    ],
)
def test_a_failure_is_an_error_without_secrets(
    s3: str, secret: dict[str, str], options: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        opened(Cluster(s3, **{"AWS_ENDPOINTS": s3, **secret}), **options).backups(["v"])
    assert "canary" not in str(caught.value)


def test_without_the_library(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "HAS_BOTO3", False)
    with pytest.raises(errors.MissingLibrary, match=r"pip install 'boto3>=1\.36'"):
        opened(Cluster(s3)).backups(["v"])


@pytest.mark.parametrize(
    ("path", "volume", "expected"),
    [
        pytest.param("", "test-ncb-back", "backupstore/volumes/1f/4e/test-ncb-back/", id="at the root"),
        pytest.param("/a/b/", "test-ncb-back", "a/b/backupstore/volumes/1f/4e/test-ncb-back/", id="below a path"),
    ],
)
def test_folders_as_longhorn_makes_them(path: str, volume: str, expected: str) -> None:
    assert store.folder_of(path, volume) == expected


def signed_rightly(request: http.Request) -> bool:
    """Signature Version 4 in the query, calculated anew from its public definition."""
    url = urlsplit(request.path.split("/proxy", 1)[1])
    pairs = dict(parse_qsl(url.query, keep_blank_values=True))
    signature = pairs.pop("X-Amz-Signature")
    headers = {**(request.headers or {}), "host": "127.0.0.1:6443"}
    names = pairs["X-Amz-SignedHeaders"].split(";")
    canonical = "\n".join(
        [
            request.method,
            quote(url.path),
            "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(pairs.items())),
            *(f"{name}:{headers[name]}" for name in names),
            "",
            ";".join(names),
            "UNSIGNED-PAYLOAD",
        ]
    )
    day, region, service, _unused = (scope := pairs["X-Amz-Credential"].partition("/")[2]).split("/")
    key = f"AWS4{SECRET_KEY}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = "\n".join(["AWS4-HMAC-SHA256", pairs["X-Amz-Date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest() == signature


def test_a_certificate_of_the_store_is_used(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, t.Any] = {}

    def client(_self: t.Any, *_args: t.Any, **options: t.Any) -> t.Any:
        seen.update(options, content=Path(options["verify"]).read_text())
        raise ValueError("far enough")

    monkeypatch.setattr(boto3.session.Session, "client", client)
    with pytest.raises(errors.LonghornQAError):
        opened(Cluster(s3, AWS_ENDPOINTS="https://s3.example", AWS_CERT="PEM")).backups(["v"])
    assert seen["content"] == "PEM"
    assert seen["endpoint_url"] == "https://s3.example"
    assert not Path(seen["verify"]).exists()
