# SPDX-License-Identifier: GPL-3.0-or-later
"""The store as it may be in the wild: versions, host names for buckets, TLS, much else in the bucket, few rights."""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import json
import socket
import threading
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors, kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.store import Location, Retention, S3Store, folder_of

VOLUME = "test-ncb-back"
BUCKET = "truth"  # of its own: the memory of this S3 server is the process's
TARGET = f"s3://{BUCKET}@us-east-1/"
FOLDER = folder_of("", VOLUME) + "backups/"
LATER = [f"backup-{number}" for number in range(3)]
_DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
Asked = tuple[str, str, dict[str, list[str]]]  # method, path, query


@dataclass
class Server:
    """An S3 server in this process, which notes what it is asked, and refuses what it is told to."""

    certificate: tuple[str, str] | None = None
    asked: list[Asked] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    refuses: Callable[[Asked], bool] = lambda _asked: False

    def __post_init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, ssl_context=self.certificate
        )
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _answer(self, environ: dict[str, t.Any], start: t.Any) -> t.Any:
        asked = (environ["REQUEST_METHOD"], environ["PATH_INFO"], parse_qs(environ["QUERY_STRING"], True))
        self.asked.append(asked)
        self.hosts.append(environ["HTTP_HOST"])
        if self.refuses(asked):
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [_DENIED]
        return self._app(environ, start)

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def writer(server: Server) -> t.Any:
    """Somebody who may do everything, as Longhorn may."""
    return boto3.client(
        "s3", endpoint_url=server.url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b",
        verify=False,
    )  # fmt: skip


def put(client: t.Any, name: str, *, bucket: str = BUCKET, job: str = "c-1") -> None:
    document = {"Name": name, "SnapshotCreatedAt": "2020-06-23T10:00:05Z", "Labels": {"RecurringJob": job}}
    client.put_object(Bucket=bucket, Key=f"{FOLDER}backup_{name}.cfg", Body=json.dumps(document).encode())


@pytest.fixture(scope="module", name="server")
def _server() -> Iterator[Server]:
    server = Server()
    client = writer(server)
    client.create_bucket(Bucket=BUCKET)
    for name in LATER:
        put(client, name)
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _nothing_asked_yet(server: Server) -> Iterator[None]:
    server.asked.clear()
    server.hosts.clear()
    yield
    server.refuses = lambda _asked: False


class Cluster:
    """Only the Secret."""

    host = "https://127.0.0.1:6443"

    def __init__(self, **secret: str) -> None:
        data = {"AWS_ACCESS_KEY_ID": "canary-id", "AWS_SECRET_ACCESS_KEY": "canary-secret", **secret}
        self._secret = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}

    def find(self, kind: kinds.Kind, _name: str, *, namespace: str) -> dict[str, t.Any] | None:
        del namespace
        return {"data": self._secret} if kind == kinds.SECRETS else None


def opened(target: str = TARGET, **secret: str) -> S3Store:
    return S3Store(t.cast(t.Any, Cluster(**secret)), Location(target, "creds", "longhorn-system"))


def names(found: t.Iterable[t.Any]) -> list[str]:
    return sorted(one.name for one in found)


def test_what_was_deleted_is_known_from_the_versions(server: Server) -> None:
    client = writer(server)
    client.create_bucket(Bucket="versions")
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    for name in ("kept", "replaced", "deleted"):
        put(client, name, bucket="versions")
    put(client, "replaced", bucket="versions", job="c-2")
    client.delete_object(Bucket="versions", Key=f"{FOLDER}backup_deleted.cfg")
    one = opened("s3://versions@us-east-1/", AWS_ENDPOINTS=server.url)

    there, gone = one.backups([VOLUME]), one.deleted([VOLUME])

    assert names(there) == ["kept", "replaced"]
    assert {item.labels["RecurringJob"] for item in there} == {"c-1", "c-2"}
    assert names(gone) == ["deleted"]
    assert (gone[0].created, gone[0].labels) == ("2020-06-23T10:00:05Z", {"RecurringJob": "c-1"})


def test_a_name_that_was_made_anew_after_its_deletion_is_there(server: Server) -> None:
    client = writer(server)
    client.create_bucket(Bucket="again")
    client.put_bucket_versioning(Bucket="again", VersioningConfiguration={"Status": "Enabled"})
    put(client, "back", bucket="again")
    client.delete_object(Bucket="again", Key=f"{FOLDER}backup_back.cfg")
    put(client, "back", bucket="again")
    one = opened("s3://again@us-east-1/", AWS_ENDPOINTS=server.url)
    assert names(one.backups([VOLUME])) == ["back"]
    assert one.deleted([VOLUME]) == ()


def test_without_versions_nothing_is_known_to_be_deleted(server: Server) -> None:
    assert opened(AWS_ENDPOINTS=server.url).deleted([VOLUME]) == ()


@pytest.fixture(name="any_host")
def _any_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name below s3.test is this machine."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: real("127.0.0.1" if host.endswith("s3.test") else host, *a, **k)
    )


@pytest.mark.usefixtures("any_host")
@pytest.mark.parametrize(
    ("secret", "host", "path"),
    [
        pytest.param({"VIRTUAL_HOSTED_STYLE": "true"}, f"{BUCKET}.s3.test", "/", id="a host name for each bucket"),
        pytest.param({"VIRTUAL_HOSTED_STYLE": "false"}, "s3.test", f"/{BUCKET}", id="said to be the path"),
        pytest.param({}, "s3.test", f"/{BUCKET}", id="the path"),
    ],
)
def test_buckets_by_host_name_or_by_path(server: Server, secret: dict[str, str], host: str, path: str) -> None:
    endpoint = f"http://s3.test:{server.port}"
    # What matters is how it is asked: this server takes its own host names only, so the answer means nothing.
    with contextlib.suppress(errors.LonghornQAError):
        opened(AWS_ENDPOINTS=endpoint, **secret).backups([VOLUME])
    assert server.hosts[0] == f"{host}:{server.port}"
    assert server.asked[0][1] == path
    assert server.asked[0][2]["prefix"] == [FOLDER]


@pytest.mark.parametrize(
    ("target", "host"),
    [
        pytest.param("s3://bucket@eu-central-1/", "bucket.s3.eu-central-1.amazonaws.com", id="a region"),
        pytest.param("s3://bucket@cn-north-1/", "bucket.s3.cn-north-1.amazonaws.com.cn", id="another partition"),
    ],
)
def test_without_an_endpoint_the_region_names_the_host(monkeypatch: pytest.MonkeyPatch, target: str, host: str) -> None:
    asked: list[str] = []

    def refuse(name: str, *_a: t.Any, **_k: t.Any) -> t.Any:
        asked.append(name)
        raise socket.gaierror("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(errors.LonghornQAError, match="cannot be listed"):
        opened(target).backups([VOLUME])
    assert set(asked) == {host}


@pytest.fixture(scope="module", name="pair")
def _pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "store")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    (folder / "key").write_bytes(private)
    return folder / "crt", folder / "key"


@pytest.fixture(name="tls")
def _tls(pair: tuple[Path, Path], server: Server) -> Iterator[Server]:
    del server  # its backups are the same: this server's memory is the process's
    made = Server(certificate=(str(pair[0]), str(pair[1])))
    yield made
    made.stop()


def test_the_certificate_in_the_secret_is_trusted(tls: Server, pair: tuple[Path, Path]) -> None:
    assert names(opened(AWS_ENDPOINTS=tls.url, AWS_CERT=pair[0].read_text()).backups([VOLUME])) == LATER


def test_without_it_the_store_is_not_believed(tls: Server) -> None:
    with pytest.raises(errors.LonghornQAError, match=r"(?s)cannot be listed.*certificate.*AWS_CERT") as caught:
        opened(AWS_ENDPOINTS=tls.url).backups([VOLUME])
    assert "canary" not in str(caught.value)
    assert tls.asked == []


def test_a_large_bucket_is_only_asked_for_the_volumes_folder(server: Server) -> None:
    client, memory = writer(server), s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    client.create_bucket(Bucket="large")
    for name in LATER:
        put(client, name, bucket="large")
    server.asked.clear()
    for number in range(5000):
        memory.put_object("large", f"elsewhere/{number:04}", b"")
        memory.put_object("large", f"{folder_of('', VOLUME)}blocks/{number:04}.blk", b"")

    found = opened("s3://large@us-east-1/", AWS_ENDPOINTS=server.url).backups([VOLUME, "another"])

    assert names(found) == LATER
    listings = [query for _method, path, query in server.asked if "prefix" in query]
    assert [query["prefix"] for query in listings] == [[FOLDER], [folder_of("", "another") + "backups/"]]
    assert len(server.asked) == len(listings) + len(LATER)


def test_credentials_that_may_only_read_are_enough(server: Server) -> None:
    server.refuses = lambda asked: asked[0] not in ("GET", "HEAD")
    one = opened(AWS_ENDPOINTS=server.url)
    assert names(one.backups([VOLUME])) == LATER
    assert one.deleted([VOLUME]) == ()
    assert {method for method, _path, _query in server.asked} == {"GET"}


@pytest.mark.parametrize(
    ("ask", "refuses", "needed"),
    [
        pytest.param("backups", lambda asked: "list-type" in asked[2], "s3:ListBucket", id="listing"),
        pytest.param("backups", lambda asked: asked[1].endswith(".cfg"), "s3:GetObject", id="reading"),
        pytest.param("deleted", lambda asked: "versions" in asked[2], "s3:ListBucketVersions", id="versions"),
    ],
)
def test_a_right_that_is_missing_is_named(
    server: Server, ask: str, refuses: Callable[[Asked], bool], needed: str
) -> None:
    server.refuses = refuses
    with pytest.raises(errors.LonghornQAError, match=f"does not grant {needed};") as caught:
        getattr(opened(AWS_ENDPOINTS=server.url), ask)([VOLUME])
    assert "canary" not in str(caught.value)


def test_a_target_without_a_secret_says_so() -> None:
    one = S3Store(t.cast(t.Any, Cluster()), Location(TARGET, "", "longhorn-system"))
    with pytest.raises(errors.BadInput, match="no credential Secret is named"):
        one.backups([VOLUME])


def test_a_bucket_with_object_lock_keeps_what_is_deleted(server: Server) -> None:
    client = writer(server)
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    one = opened("s3://locked@us-east-1/", AWS_ENDPOINTS=server.url)
    assert one.retention() is None
    for wanted in (Retention("GOVERNANCE", days=1), None, Retention("COMPLIANCE", years=2)):
        one.retain(wanted)
        assert one.retention() == wanted
    put(client, "kept", bucket="locked")
    client.delete_object(Bucket="locked", Key=f"{FOLDER}backup_kept.cfg")
    assert names(one.backups([VOLUME])) == []
    assert names(one.deleted([VOLUME])) == ["kept"]


def test_a_bucket_without_object_lock_says_so(server: Server) -> None:
    server.refuses = lambda asked: asked[0] == "PUT"
    one = opened(AWS_ENDPOINTS=server.url)
    assert one.retention() is None
    with pytest.raises(errors.LonghornQAError, match=r"does not grant s3:Put.*a bucket that was made for it"):
        one.retain(Retention("GOVERNANCE", days=1))
