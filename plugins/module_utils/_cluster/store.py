# SPDX-License-Identifier: GPL-3.0-or-later
"""What the backup store itself has: the only importer of the S3 library, which is optional.

The store is asked directly where it can be reached. A store that runs inside the cluster is asked through the API
server's service proxy; the API server takes our Authorization header for itself, so those requests are signed in the
query, for the host name the store will see: that of the API server.
A failure is an error, never an empty listing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import re
import tempfile
import typing as t
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import http, kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.api import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    BadInput,
    LonghornQAError,
    MissingLibrary,
    NotFound,
)
from ansible_collections.longhorn.qa.plugins.module_utils._history.model import StoredBackup
from ansible_collections.longhorn.qa.plugins.module_utils._history.times import format_time

try:
    import boto3
    from botocore.awsrequest import AWSResponse
    from botocore.config import Config
    from botocore.exceptions import ClientError

    HAS_BOTO3 = True
except ImportError:
    HAS_BOTO3 = False

_TARGET = re.compile(r"s3://(?P<bucket>[^@/]+)@(?P<region>[^/]+)/?(?P<path>.*)")
_CONFIGURATION = re.compile(r"backup_(?P<name>[^/]+)\.cfg")
_IN_CLUSTER = re.compile(r"(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)(?:\.svc(?:\.[a-z0-9.-]+)?)?")
_SERVICE = re.compile(r"(?:(?P<scheme>https?)://)?(?:(?P<namespace>[^/:]+)/)?(?P<name>[^/:]+):(?P<port>[^/:]+)")
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_PERMISSIONS = {
    "ListObjectsV2": "s3:ListBucket", "GetObject": "s3:GetObject", "ListObjectVersions": "s3:ListBucketVersions",
    "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
    "PutBucketVersioning": "s3:PutBucketVersioning",
    "GetBucketPolicy": "s3:GetBucketPolicy", "PutBucketPolicy": "s3:PutBucketPolicy",
    "DeleteBucketPolicy": "s3:DeleteBucketPolicy", "PutObject": "s3:PutObject", "DeleteObject": "s3:DeleteObject",
}  # fmt: skip
_MAY_READ = "Reading is enough: s3:ListBucket and s3:GetObject (and s3:ListBucketVersions for what was deleted)."
_CHECK = "Check the bucket's name and region, the endpoint, its certificate (AWS_CERT), and the credentials."
_NOT_SENT = frozenset({"authorization", "host", "user-agent", "accept-encoding", "content-length", "expect"})


@dataclass(frozen=True)
class Location:
    """Where a store is, and where its credentials are."""

    target: str  # Longhorn's URL: s3://bucket@region/path
    secret: str
    namespace: str  # of the Secret
    endpoint: str = ""  # a URL that is reachable from here
    service: str = ""  # [scheme://][namespace/]name:port inside the cluster


@dataclass(frozen=True)
class Bucket:
    """The parts of a backup target."""

    name: str
    region: str
    path: str


_T = t.TypeVar("_T")
_Ask = t.Callable[[t.Any, Bucket, str], Iterator[StoredBackup]]


@dataclass(frozen=True)
class Retention:
    """How long a bucket keeps each new object, whatever is deleted: days or years, as the store has it."""

    mode: str
    days: int = 0
    years: int = 0

    def __str__(self) -> str:
        return f"{self.mode}, {self.years} years" if self.years else f"{self.mode}, {self.days} days"

    def rule(self) -> dict[str, t.Any]:
        """As S3 takes it."""
        return {"Mode": self.mode, **({"Years": self.years} if self.years else {"Days": self.days})}


@dataclass
class S3Store:
    """The backups in one S3 backup target. ``target`` names it without secrets."""

    client: Client
    location: Location
    _secret: dict[str, str] = field(default_factory=dict, init=False, repr=False)
    _known: dict[tuple[str, str], StoredBackup] = field(default_factory=dict, init=False)

    @property
    def target(self) -> str:
        """The store as Longhorn's backup target names it."""
        return self.location.target

    def backups(self, volumes: Iterable[str]) -> tuple[StoredBackup, ...]:
        """What the store has of these volumes, or LonghornQAError."""
        return self._asked(self._of_volume, volumes)

    def deleted(self, volumes: Iterable[str]) -> tuple[StoredBackup, ...]:
        """What a bucket with versions still tells of backups that are gone; nothing where it keeps none."""
        return self._asked(self._gone, volumes)

    def retention(self) -> Retention | None:
        """How long new objects are kept whatever is deleted; None when they are not."""
        return self.do(_retention)

    def retain(self, wanted: Retention | None) -> None:
        """Keeps new objects so long whatever is deleted; with None no more. What is there already is kept on."""
        advice = "Most stores can lock the objects only of a bucket that was made for it, and some only before use."
        self.do(lambda s3, bucket: _retain(s3, bucket, wanted), failing="cannot lock objects", advice=advice)

    def _asked(self, ask: _Ask, volumes: Iterable[str]) -> tuple[StoredBackup, ...]:
        return self.do(lambda s3, bucket: tuple(one for volume in volumes for one in ask(s3, bucket, volume)))

    def do(self, work: t.Callable[[t.Any, Bucket], _T], *, failing: str = "cannot be listed", advice: str = "") -> _T:
        """Something with the S3 library's client; what fails is told without secrets, as ``failing``."""
        bucket = bucket_of(self.location.target)
        if not HAS_BOTO3:
            raise MissingLibrary(
                "the Python library boto3 is needed to list a backup store", subject=self.target,
                advice="Install it where the module runs: pip install 'boto3>=1.36'. "
                "Without it the store cannot be compared.",
            )  # fmt: skip
        self._secret = self._read_secret()
        with tempfile.TemporaryDirectory(prefix="longhorn-qa-") as folder:
            try:
                return work(self._connected(bucket, Path(folder)), bucket)
            except LonghornQAError:
                raise
            except Exception as error:  # the S3 library's errors have many roots
                raise self._failure(error, failing, advice) from error

    def _failure(self, error: Exception, failing: str, advice: str) -> LonghornQAError:
        """Which permission is missing, where that is what is wrong."""
        needed = _PERMISSIONS.get(getattr(error, "operation_name", ""), "")
        denied = needed and refused(error)
        return LonghornQAError(
            f"the backup store does not grant {needed}" if denied else f"the backup store {failing}",
            subject=self.target,
            seen=self._without_secrets(str(error)),
            advice=advice or (_MAY_READ if denied else _CHECK),
        )

    def _read_secret(self) -> dict[str, str]:
        name, namespace = self.location.secret, self.location.namespace
        if not name:
            raise BadInput(
                "no credential Secret is named", subject=self.target, advice="Set store.credential_secret to one."
            )
        found = self.client.find(kinds.SECRETS, name, namespace=namespace)
        if found is None:
            raise NotFound("the credential Secret does not exist", subject=f"Secret {namespace}/{name}")
        try:
            data = {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}
        except (binascii.Error, UnicodeDecodeError) as error:
            raise BadInput("the credential Secret is not text", subject=f"Secret {namespace}/{name}") from error
        missing = [key for key in _KEYS if not data.get(key)]
        if missing:
            raise BadInput(
                "the credential Secret lacks keys", subject=f"Secret {namespace}/{name}", expected=", ".join(_KEYS),
                seen=", ".join(sorted(data)) or "no keys",
            )  # fmt: skip
        return data

    def _connected(self, bucket: Bucket, folder: Path) -> t.Any:
        given = self._secret.get("AWS_ENDPOINTS", "").split(",")[0].strip()
        service = self._service(given)
        endpoint = self.location.endpoint or given or None
        # Other stores than the original one rarely have a host name for each bucket, unless the Secret says so.
        virtual = self._secret.get("VIRTUAL_HOSTED_STYLE") == "true"
        style = "path" if service is not None else "virtual" if virtual else "path" if endpoint else "auto"
        options: dict[str, t.Any] = {
            "s3": {"addressing_style": style},
            "retries": {"max_attempts": 2, "mode": "standard"},
            "connect_timeout": 10,
            "read_timeout": 30,
            "response_checksum_validation": "when_required",
            "request_checksum_calculation": "when_required",
        }
        if service is not None:
            options["signature_version"] = "s3v4-query"
            api = urlsplit(self.client.host)
            endpoint = f"{api.scheme}://{api.netloc}"
        verify: t.Any = None
        if self._secret.get("AWS_CERT") and service is None:
            verify = str(folder / "ca.crt")
            Path(verify).write_text(self._secret["AWS_CERT"], encoding="utf-8")
        s3 = boto3.session.Session().client(
            "s3", endpoint_url=endpoint, region_name=bucket.region, verify=verify, config=Config(**options),
            aws_access_key_id=self._secret[_KEYS[0]], aws_secret_access_key=self._secret[_KEYS[1]],
        )  # fmt: skip
        if service is not None:
            tunnel = _Tunnel(self.client, service, self.target)
            s3.meta.events.register("before-sign.s3", tunnel.set_aside)
            s3.meta.events.register("before-send.s3", tunnel)
        return s3

    def _service(self, endpoint: str) -> str | None:
        """The path of the proxied Service, or None when the store is reached directly."""
        if self.location.endpoint:
            return None
        if self.location.service:
            match = _SERVICE.fullmatch(self.location.service)
            if match is None:
                raise BadInput(
                    "not a Service", subject="store.service", expected="[scheme://][namespace/]name:port",
                    seen=self.location.service,
                )  # fmt: skip
            return _proxy_path(
                match["namespace"] or self.location.namespace, match["name"], match["port"], match["scheme"]
            )
        url = urlsplit(endpoint)
        match = _IN_CLUSTER.fullmatch(url.hostname or "")
        if match is None or self.client.find(kinds.SERVICES, match["name"], namespace=match["namespace"]) is None:
            return None
        port = str(url.port or (443 if url.scheme == "https" else 80))
        return _proxy_path(match["namespace"], match["name"], port, url.scheme)

    def _of_volume(self, s3: t.Any, bucket: Bucket, volume: str) -> Iterator[StoredBackup]:
        prefix = folder_of(bucket.path, volume) + "backups/"
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket.name, Prefix=prefix)
        for item in (item for page in pages for item in page.get("Contents") or ()):
            match = _CONFIGURATION.fullmatch(item["Key"].removeprefix(prefix))
            if match is None:
                continue
            known = self._known.get((item["Key"], item.get("ETag", "")))
            if known is None:
                content = _content(s3, bucket.name, item["Key"])
                known = _backup(volume, match["name"], item, content)
                self._known[item["Key"], item.get("ETag", "")] = known
            yield known

    def _gone(self, s3: t.Any, bucket: Bucket, volume: str) -> Iterator[StoredBackup]:
        """The last content of each backup whose name now only has a delete marker, or no current version at all."""
        prefix = folder_of(bucket.path, volume) + "backups/"
        last: dict[str, t.Any] = {}
        current: set[str] = set()
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket.name, Prefix=prefix):
            for item in page.get("Versions") or ():
                if item.get("IsLatest"):
                    current.add(item["Key"])
                known = last.get(item["Key"])
                if known is None or item["LastModified"] > known["LastModified"]:
                    last[item["Key"]] = item
        for key, item in sorted(last.items()):
            match = _CONFIGURATION.fullmatch(key.removeprefix(prefix))
            if match is not None and key not in current:
                content = _content(s3, bucket.name, key, VersionId=item["VersionId"])
                yield _backup(volume, match["name"], item, content)

    def _without_secrets(self, text: str) -> str:
        for value in self._secret.values():
            if len(value) > 3:
                text = text.replace(value, "***")
        return http.shorten(re.sub(r"X-Amz-[A-Za-z]+=[^&\s\"']+", "X-Amz-...", text).encode())


def code_of(error: Exception) -> str:
    """The store's word for an error; empty for one that is not the store's."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def refused(error: Exception) -> bool:
    """Whether the store knows who asks, and does not let them."""
    return code_of(error) in ("AccessDenied", "403", "Forbidden")


def _retention(s3: t.Any, bucket: Bucket) -> Retention | None:
    try:
        found = s3.get_object_lock_configuration(Bucket=bucket.name)["ObjectLockConfiguration"]
    except ClientError as error:
        if "ObjectLockConfigurationNotFound" in code_of(error):
            return None
        raise
    rule = (found.get("Rule") or {}).get("DefaultRetention")
    return Retention(rule["Mode"], int(rule.get("Days") or 0), int(rule.get("Years") or 0)) if rule else None


def _retain(s3: t.Any, bucket: Bucket, wanted: Retention | None) -> None:
    rule = {"Rule": {"DefaultRetention": wanted.rule()}} if wanted else {}
    if wanted:
        s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(
        Bucket=bucket.name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", **rule}
    )


def bucket_of(target: str) -> Bucket:
    """The parts of an S3 backup target, or BadInput."""
    match = _TARGET.fullmatch(target)
    if match is None:
        raise BadInput(
            "this kind of backup store cannot be listed", subject=target, expected="s3://<bucket>@<region>/<path>",
            advice="What the store holds is then unknown.",
        )  # fmt: skip
    return Bucket(match["bucket"], match["region"], match["path"].strip("/"))


def folder_of(path: str, volume: str) -> str:
    """Where Longhorn keeps a volume's backups, with a slash at the end."""
    digest = hashlib.sha512(volume.encode()).hexdigest()
    return (
        "/".join([part for part in (path.strip("/"), "backupstore/volumes", digest[:2], digest[2:4], volume) if part])
        + "/"
    )


def _proxy_path(namespace: str, name: str, port: str, scheme: str | None) -> str:
    service = f"https:{name}:{port}" if scheme == "https" else f"{name}:{port}"
    return f"/api/v1/namespaces/{namespace}/services/{service}/proxy"


def _content(s3: t.Any, bucket: str, key: str, **version: str) -> bytes:
    """The object's bytes; empty for one that was deleted between the listing and now."""
    try:
        return t.cast(bytes, s3.get_object(Bucket=bucket, Key=key, **version)["Body"].read())
    except s3.exceptions.NoSuchKey:
        return b""


def _backup(volume: str, name: str, item: Mapping[str, t.Any], content: bytes) -> StoredBackup:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    stated = document if isinstance(document, dict) else {}
    labels = stated.get("Labels")
    return StoredBackup(
        volume=volume,
        name=name,
        key=item["Key"],
        last_modified=format_time(item["LastModified"]),
        snapshot=str(stated.get("SnapshotName") or ""),
        labels={str(k): str(v) for k, v in labels.items()} if isinstance(labels, dict) else {},
        created=str(stated.get("SnapshotCreatedAt") or stated.get("CreatedTime") or ""),
    )


class _Body(io.BytesIO):
    """What the S3 library expects of a connection's answer."""

    def stream(self, **_options: t.Any) -> Iterator[bytes]:
        yield self.read()


@dataclass
class _Tunnel:
    """Sends the S3 library's requests through the API server's service proxy."""

    client: Client
    prefix: str
    target: str
    _body: bytes | None = field(default=None, init=False)

    def set_aside(self, request: t.Any, **_event: t.Any) -> None:
        """Keeps the body of a request that is about to be signed in the query: it would be made a part of that."""
        self._body, request.data = request.data or None, b""

    def __call__(self, request: t.Any, **_event: t.Any) -> t.Any:
        url = urlsplit(request.url)
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
            if name.lower() not in _NOT_SENT
        }
        path = f"{self.prefix}{url.path}?{url.query}" if url.query else f"{self.prefix}{url.path}"
        sent = http.Request(
            request.method,
            path,
            f"backup store {self.target}",
            headers=headers,
            body=self._body,
            any_status=True,
        )
        answer = self.client.raw(sent)
        return AWSResponse(request.url, answer.status, dict(answer.headers), _Body(answer.body))
