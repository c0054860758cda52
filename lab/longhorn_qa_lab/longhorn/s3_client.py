# SPDX-License-Identifier: GPL-3.0-or-later
"""The few S3 requests a Longhorn engine makes, signed by hand.

The usual S3 library takes longer to load than a whole job of the lab takes to run, and it cannot be told to dial
through a UNIX socket; five requests do not need it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import hmac
import http.client
import re
import ssl
import typing as t
import urllib.parse
from pathlib import Path

from longhorn_qa_lab.longhorn import logs


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
    certificate: str = ""

    @classmethod
    def from_mapping(cls, values: t.Mapping[str, str]) -> Credentials:
        return cls(
            access_key=values.get("AWS_ACCESS_KEY_ID", ""),
            secret_key=values.get("AWS_SECRET_ACCESS_KEY", ""),
            endpoint=values.get("AWS_ENDPOINTS", ""),
            certificate=values.get("AWS_CERT", ""),
        )


class S3Client:
    """One bucket, path-style addressing, one connection per request."""

    def __init__(self, target: Target, credentials: Credentials, *, egress: Path | None, timeout: float = 10.0) -> None:
        self._target = target
        self._credentials = credentials
        self._egress = egress
        self._timeout = timeout
        parts = urllib.parse.urlsplit(credentials.endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StoreError(f"AWS_ENDPOINTS must be an http or https URL, got {credentials.endpoint!r}")
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port or (443 if self._secure else 80)
        self._netloc = parts.netloc

    def get(self, key: str) -> bytes | None:
        """The object's bytes; None when there is none."""
        status, body = self._request("GET", key)
        if status == 404 and b"NoSuchBucket" not in body:
            return None
        self._expect(status, body, f"failed to get object {key}")
        return body

    def put(self, key: str, body: bytes) -> None:
        status, answer = self._request("PUT", key, body=body)
        self._expect(status, answer, f"failed to put object {key}")

    def delete(self, key: str) -> None:
        status, answer = self._request("DELETE", key)
        self._expect(status, answer, f"failed to delete objects [{key}]")

    def keys(self, prefix: str) -> list[str]:
        """All keys below a prefix, sorted."""
        found: list[str] = []
        query = {"list-type": "2", "prefix": prefix}
        while True:
            status, body = self._request("GET", "", query=query)
            self._expect(status, body, f"failed to list objects with prefix {prefix}")
            text = body.decode()
            found += [_unescape(key) for key in re.findall(r"<Key>(.*?)</Key>", text, re.DOTALL)]
            more = re.search(r"<NextContinuationToken>(.*?)</NextContinuationToken>", text)
            if more is None:
                return sorted(found)
            query["continuation-token"] = _unescape(more[1])

    def _expect(self, status: int, body: bytes, doing: str) -> None:
        if 200 <= status < 300:
            return
        code = re.search(rb"<Code>(.*?)</Code>", body)
        message = re.search(rb"<Message>(.*?)</Message>", body)
        raise StoreError(
            f"{doing}: {code[1].decode() if code else 'error'}: {message[1].decode() if message else 'no message'}"
            f" (bucket {self._target.bucket}) status code: {status}"
        )

    def _request(
        self, method: str, key: str, *, query: t.Mapping[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, bytes]:
        path = "/" + urllib.parse.quote(f"{self._target.bucket}/{key}" if key else self._target.bucket)
        arguments = "&".join(
            f"{urllib.parse.quote(k, safe='')}={urllib.parse.quote(v, safe='')}"
            for k, v in sorted((query or {}).items())
        )
        headers = sign(
            method,
            path,
            arguments,
            body,
            host=self._netloc,
            region=self._target.region,
            credentials=self._credentials,
            moment=logs.now(),
        )
        connection = self._connect()
        try:
            connection.request(method, path + (f"?{arguments}" if arguments else ""), body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise StoreError(f"{method} {self._credentials.endpoint}{path}: {error}") from error
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        if self._egress is not None:
            from longhorn_qa_lab.egress import open_connection

            try:
                connection.sock = open_connection(self._egress, self._host, self._port, timeout=self._timeout)
            except OSError as error:
                raise StoreError(f"{self._credentials.endpoint}: {error}") from error
        elif self._secure:
            connection.connect()
        if self._secure:
            context = ssl.create_default_context(cadata=self._credentials.certificate or None)
            connection.sock = context.wrap_socket(connection.sock, server_hostname=self._host)
        return connection


def sign(
    method: str,
    path: str,
    query: str,
    body: bytes,
    *,
    host: str,
    region: str,
    credentials: Credentials,
    moment: dt.datetime,
) -> dict[str, str]:
    """Headers of an AWS signature, version 4."""
    date = moment.strftime("%Y%m%d")
    time = moment.strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": time}
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        [method, path, query, *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names, digest]
    )
    scope = f"{date}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (date, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def _unescape(text: str) -> str:
    for entity, char in (
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", '"'),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ):
        text = text.replace(entity, char)
    return text
