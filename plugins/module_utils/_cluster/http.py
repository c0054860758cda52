# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP to the API server: requests, streams, and every failure as one of our errors.

Nothing here ever turns a failure into an empty answer.
"""

from __future__ import annotations

import contextlib
import email.utils
import json
import re
import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors

with contextlib.suppress(ImportError):  # open_connection tells it
    import urllib3

_CONNECT_TIMEOUT = 10.0
_FORBIDDEN = re.compile(r'cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"')
_BY_ADMISSION = re.compile(r"admission webhook \"[^\"]*\" denied|ValidatingAdmissionPolicy '[^']*'.* denied", re.DOTALL)
_LONGEST_TEXT = 1000
NOT_JSON = (ValueError, RecursionError)  # the latter: nested too deeply


@dataclass(frozen=True)
class Connection:
    """A server, a pool to reach it and the headers that say who we are."""

    host: str
    pool: t.Any
    headers: Mapping[str, str]  # an HTTPHeaderDict where a name stands more than once

    @property
    def anonymous(self) -> bool:
        """Whether we send no token or password; a client certificate may still name us."""
        return "authorization" not in self.headers


@dataclass(frozen=True)
class Request:
    """One request; ``what`` is how messages call it: "list jobs longhorn-system"."""

    method: str
    path: str
    what: str
    query: Mapping[str, str] | None = None
    body: bytes | None = None
    content_type: str = "application/json"
    timeout: float = 60.0  # longest silence
    headers: Mapping[str, str] | None = None
    any_status: bool = False  # the answer of a service behind a proxy is the caller's to read, whatever its status


@dataclass(frozen=True)
class Answer:
    """A complete answer, with a status below 400 unless any was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self, what: str) -> t.Any:
        """The body, parsed, or ApiFailure."""
        try:
            return json.loads(self.body) if self.body else None
        except NOT_JSON as error:
            raise errors.ApiFailure(
                "the answer is not JSON", subject=what, seen=shorten(self.body), status=self.status
            ) from error


class Stream:
    """An answer that is read while it comes; ``close`` may be called by another thread and wakes a blocked reader."""

    def __init__(self, response: t.Any, what: str) -> None:
        self._response = response
        self._what = what

    def chunks(self) -> Iterator[bytes]:
        """The bytes, as they arrive, until the server ends; Unreachable when the connection breaks or is silent."""
        while True:
            try:
                chunk = self._response.read1(65536)
            except Exception as error:  # urllib3, ssl and socket errors have no common root
                raise broken(error, self._what) from error
            if not chunk:
                return
            yield chunk

    def close(self) -> None:
        """Ends the stream for every reader."""
        for step in ("shutdown", "close"):
            with contextlib.suppress(Exception):  # a connection that is already gone is what we want
                getattr(self._response, step)()


def send(connection: Connection, request: Request) -> Answer:
    """Sends a request and reads the whole answer."""
    response = _open(connection, request)
    body = _body(connection, request, response)
    if response.status >= 400 and not (request.any_status and not _is_status(body)):
        raise refused(connection, request, response=response, body=body)
    return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, body)


def stream(connection: Connection, request: Request) -> Stream:
    """Sends a request whose answer is read while it comes."""
    response = _open(connection, request)
    if response.status >= 400:
        raise refused(connection, request, response=response, body=_body(connection, request, response))
    return Stream(response, request.what)


def _open(connection: Connection, request: Request) -> t.Any:
    headers = urllib3.HTTPHeaderDict(connection.headers)
    headers.update(request.headers or {})
    if request.body is not None:
        headers["content-type"] = request.content_type
    url = connection.host + request.path + ("?" + urlencode(request.query) if request.query else "")
    try:
        return connection.pool.request(
            request.method,
            url,
            headers=headers,
            body=request.body,
            preload_content=False,
            redirect=False,
            retries=False,
            timeout=urllib3.Timeout(connect=_CONNECT_TIMEOUT, read=request.timeout),
        )
    except Exception as error:
        raise broken(error, request.what, connection.host) from error


def _body(connection: Connection, request: Request, response: t.Any) -> bytes:
    try:
        return t.cast(bytes, response.read())
    except Exception as error:
        raise broken(error, request.what, connection.host) from error


def broken(error: Exception, what: str, host: str = "") -> errors.LonghornQAError:
    """No answer, or half of one."""
    text = f"{type(error).__name__}: {error}"
    where = f" at {host}" if host else ""
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return errors.Unreachable(
            f"the certificate of the API server{where} is not trusted", subject=what, seen=_reason(error),
            advice="Give the cluster's own CA as ca_cert or in the kubeconfig; is this the cluster you mean?",
        )  # fmt: skip
    if "ReadTimeout" in text or "read timed out" in text:
        return errors.Unreachable(f"the API server{where} was silent for too long", subject=what, seen=_reason(error))
    return errors.Unreachable(
        f"the API server{where} cannot be reached or broke the connection", subject=what, seen=_reason(error),
        broke=isinstance(error, urllib3.exceptions.ProtocolError),
        advice="Is the cluster running, and does the kubeconfig name the right address?",
    )  # fmt: skip


def _reason(error: BaseException) -> str:
    inner = getattr(error, "reason", None)
    text = str(inner if isinstance(inner, BaseException) else error)
    return shorten(re.sub(r"<[^>]*object at 0x[0-9a-f]+>:? ?", "", text).encode())


def refused(connection: Connection, request: Request, *, response: t.Any, body: bytes) -> errors.LonghornQAError:
    """The error of an answer with status 400 or more."""
    status, message = int(response.status), message_of(body)
    common: dict[str, t.Any] = {"subject": request.what, "seen": f"{status} {message}".strip()}
    if status == 401:
        problem = "no credentials were given to" if connection.anonymous else "the credentials are not accepted by"
        return errors.Unauthorized(
            f"{problem} the API server at {connection.host}", status=status, **common,
            advice="Token or certificate are missing, expired or of another cluster: renew the kubeconfig or api_key.",
        )  # fmt: skip
    if status == 400 and "HTTP request to an HTTPS server" in message:
        return errors.BadInput(
            f"the address of the API server, {connection.host}, is not the right one", **common,
            advice="Begin host with https://.",
        )  # fmt: skip
    if status == 403 and not _BY_ADMISSION.search(message):
        return _forbidden(message, common)
    if status == 404:
        return errors.NotFound("does not exist", **common)
    if status == 409:
        return errors.Conflict("somebody else made or changed it meanwhile", **common)
    if status == 410:
        return errors.Expired("the server no longer has the changes since then", status=status, **common)
    if status in (400, 403, 422):
        fields = [field for field in fields_of(body) if field not in message]
        common["seen"] += f" (field {', '.join(fields)})" if fields else ""
        return errors.Refused("the API server refused the request's content", **common)
    return errors.ApiFailure(
        "the API server could not answer",
        status=status,
        retry_after=_retry_after({name.lower(): value for name, value in response.headers.items()}),
        **common,
    )


def _forbidden(message: str, common: dict[str, t.Any]) -> errors.Forbidden:
    match = _FORBIDDEN.search(message)
    verb, resource = (match["verb"], match["resource"]) if match else ("", "")
    if match and match["group"]:
        resource = f"{resource}.{match['group']}"
    needed = f"verb {verb} on {resource}" if match else "permission for this request"
    return errors.Forbidden(
        f"{needed} is not granted", status=403, verb=verb, resource=resource, **common,
        advice=f"Grant it by a Role: {needed}." if match else "Grant it by a Role.",
    )  # fmt: skip


def _is_status(body: bytes) -> bool:
    """Whether it is the API server itself that answers."""
    try:
        document = json.loads(body)
    except NOT_JSON:
        return False
    return isinstance(document, dict) and document.get("kind") == "Status"


def message_of(body: bytes) -> str:
    """What an error body says: the message of a Status or of Longhorn's manager, else its text."""
    try:
        document = json.loads(body)
    except NOT_JSON:
        return shorten(body)
    if isinstance(document, dict):
        told = document.get("message") or document.get("detail") or document.get("error")
        if isinstance(told, str):
            return shorten(told.encode())
    return shorten(body)


def fields_of(body: bytes) -> list[str]:
    """The fields that a Status names as the causes of a refusal."""
    try:
        causes = (json.loads(body).get("details") or {}).get("causes") or ()
    except (*NOT_JSON, AttributeError):
        return []
    return [field for cause in causes if (field := shorten(str(cause.get("field") or "").encode()))]


def shorten(text: bytes) -> str:
    """Foreign text for a message: one line, printable, not endless."""
    shown = "".join(c if c.isprintable() else " " for c in text[: _LONGEST_TEXT * 4].decode("utf-8", "replace")).strip()
    return shown if len(shown) <= _LONGEST_TEXT else shown[:_LONGEST_TEXT] + f"... ({len(text)} bytes)"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asked to wait for; a moment is compared with the server's own clock."""
    value = headers.get("retry-after", "")
    if value.isdigit():
        return float(value)
    then, now = _moment(value), server_date(headers)
    return max(0.0, (then - now).total_seconds()) if then and now else None


def server_date(headers: Mapping[str, str]) -> datetime | None:
    """The Date header as an aware moment, or None."""
    return _moment(headers.get("date", ""))


def _moment(text: str) -> datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # "-0000" says UTC, from nowhere
