# SPDX-License-Identifier: GPL-3.0-or-later
"""The few S3 requests a Longhorn engine makes: the usual library, dialling through the lab's proxy.

The library takes half a second to load, so only what really talks to a store loads it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import email.utils
import re
import typing as t
from pathlib import Path


class StoreError(RuntimeError):
    """The store refused or could not be reached."""


@dataclasses.dataclass(frozen=True)
class Target:
    """A backup target URL taken apart: s3://bucket@region/path."""

    bucket: str
    region: str
    path: str

    @classmethod
    def parse(cls, url: str) -> Target:
        found = re.fullmatch(r"s3://([^@/]+)@([^@/]+)(?:/(.*))?", url.split("?", 1)[0])
        if found is None:
            raise StoreError(f"invalid URL. Must be either s3://bucket@region/path/, or s3://bucket/path, got {url}")
        return cls(bucket=found[1], region=found[2], path=(found[3] or "").strip("/"))

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}@{self.region}/{self.path}"


@dataclasses.dataclass(frozen=True)
class Credentials:
    """What Longhorn reads from the credential secret or the job's environment."""

    access_key: str
    secret_key: str
    endpoint: str

    @classmethod
    def from_mapping(cls, values: t.Mapping[str, str]) -> Credentials:
        return cls(
            access_key=values.get("AWS_ACCESS_KEY_ID", ""),
            secret_key=values.get("AWS_SECRET_ACCESS_KEY", ""),
            endpoint=values.get("AWS_ENDPOINTS", ""),
        )


class S3Client:
    """One bucket, path-style addressing. The lab's stores speak plain HTTP."""

    def __init__(self, target: Target, credentials: Credentials, *, egress: Path | None, timeout: float = 10.0) -> None:
        if not re.match(r"http://[^/]", credentials.endpoint):
            raise StoreError(f"AWS_ENDPOINTS must be an http URL in the lab, got {credentials.endpoint!r}")
        import boto3
        from botocore.config import Config

        self._bucket = target.bucket
        self._client = boto3.client(
            "s3",
            region_name=target.region,
            endpoint_url=credentials.endpoint,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            config=Config(
                connect_timeout=timeout,
                read_timeout=timeout,
                proxies={},
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
            ),
        )
        if egress is not None:
            self._client.meta.events.register("before-send.s3", _sender(egress, timeout))

    def get(self, key: str) -> bytes | None:
        """The object's bytes; None when there is none."""
        with _telling(f"failed to get object {key}", self._bucket):
            try:
                return t.cast(bytes, self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())
            except self._client.exceptions.NoSuchKey:
                return None

    def put(self, key: str, body: bytes) -> None:
        with _telling(f"failed to put object {key}", self._bucket):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body)

    def delete(self, key: str) -> None:
        with _telling(f"failed to delete objects [{key}]", self._bucket):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def keys(self, prefix: str) -> list[str]:
        """All keys below a prefix, sorted."""
        return sorted(self.ages(prefix))

    def ages(self, prefix: str) -> dict[str, float]:
        """Keys below a prefix, with the seconds since they were written, by the server's clock."""
        found: dict[str, float] = {}
        with _telling(f"failed to list objects with prefix {prefix}", self._bucket):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                moment = email.utils.parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])
                for item in page.get("Contents", []):
                    found[item["Key"]] = (moment - item["LastModified"]).total_seconds()
        return found


def _sender(egress: Path, timeout: float) -> t.Callable[..., t.Any]:
    """What the library calls before it would dial; an answer given here is taken for the server's."""
    import requests
    from botocore.awsrequest import AWSResponse

    from longhorn_qa_lab.egress import EgressAdapter

    session = requests.Session()
    session.mount("http://", EgressAdapter(egress))

    def send(request: t.Any, **_event: t.Any) -> AWSResponse:
        answer = session.request(
            request.method,
            request.url,
            data=request.body,
            headers=dict(request.headers.items()),
            timeout=timeout,
            stream=True,
        )
        return AWSResponse(request.url, answer.status_code, answer.headers, answer.raw)

    return send


@contextlib.contextmanager
def _telling(doing: str, bucket: str) -> t.Iterator[None]:
    """Failures in the words of a Longhorn engine."""
    import requests
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        answer = error.response
        code, message = answer["Error"].get("Code", "error"), answer["Error"].get("Message", "no message")
        status = answer["ResponseMetadata"]["HTTPStatusCode"]
        raise StoreError(f"{doing}: {code}: {message} (bucket {bucket}) status code: {status}") from error
    except (BotoCoreError, requests.RequestException, OSError) as error:
        raise StoreError(f"{doing}: {error}") from error
