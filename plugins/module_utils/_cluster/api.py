# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to the API server for plain JSON objects; the one door to a cluster.

Objects are dictionaries as the API has them, addressed by ``Kind`` (group, version, plural): no discovery, no models.
Reads that fail for a passing reason are tried again for a short while; writes never are. Watches and logs are streams,
whose interruptions are the caller's business.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import http, kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    ApiFailure,
    Expired,
    Forbidden,
    LonghornQAError,
    NotFound,
    Unauthorized,
    Unreachable,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Backoff, Clock

Object = dict[str, t.Any]
FIELD_MANAGER = "longhorn.qa"
_PAGE = 500
_MERGE_PATCH = "application/merge-patch+json"
_APPLY_PATCH = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Listing:
    """A complete LIST of one kind."""

    items: tuple[Object, ...]
    resource_version: str


@dataclass(frozen=True)
class Access:
    """The server's word on whether we may."""

    allowed: bool
    reason: str


@dataclass(frozen=True)
class ServerTime:
    """The API server's clock, seconds resolution, and how far it is ahead of ours."""

    date: datetime
    offset: float


class Client:
    """Requests in the name of one set of credentials. Safe to use from several threads."""

    def __init__(self, open_connection: Callable[[], http.Connection], *, clock: Clock = SYSTEM) -> None:
        self._open_connection = open_connection
        self._clock = clock
        self._connection = open_connection()

    @property
    def host(self) -> str:
        """The address of the API server."""
        return self._connection.host

    # -- reading

    def find(self, kind: Kind, name: str, *, namespace: str = "") -> Object | None:
        """The object, or None when it does not exist."""
        try:
            return self.get(kind, name, namespace=namespace)
        except NotFound:
            return None

    def get(self, kind: Kind, name: str, *, namespace: str = "") -> Object:
        """The object, or NotFound."""
        what = kind.described(namespace, name)
        request = http.Request("GET", kind.path(namespace, name), what)
        return t.cast(Object, self._read(request).json(what))

    def list(
        self, kind: Kind, *, namespace: str = "", labels: str = "", fields: str = "", retry: bool = True
    ) -> Listing:
        """All objects of a kind, page by page; never a part of them."""
        what = f"list {kind.described(namespace)}"
        items: list[Object] = []
        query = {"limit": str(_PAGE), **_selectors(labels, fields)}
        while True:
            request = http.Request("GET", kind.path(namespace), what, query=query)
            document = (self._read(request) if retry else self._once(request)).json(what)
            metadata = document.get("metadata") or {}
            shared = {
                "apiVersion": document.get("apiVersion", ""),
                "kind": str(document.get("kind", "")).removesuffix("List"),
            }
            items += [{**shared, **item} for item in document.get("items") or ()]
            if not metadata.get("continue"):
                return Listing(tuple(items), str(metadata.get("resourceVersion", "")))
            query = {**query, "continue": metadata["continue"]}

    def plurals(self, group_version: str) -> frozenset[str]:
        """The plurals of what the server has in this version of a group; none when it has no such version."""
        path = Kind(group_version, "").path().rstrip("/")
        try:
            document = self._read(http.Request("GET", path, f"resources of {group_version}")).json(path)
        except NotFound:
            return frozenset()
        return frozenset(str(item.get("name", "")) for item in document.get("resources") or ())

    def serves(self, kind: Kind) -> bool:
        """Whether the server has this kind in this version."""
        return kind.plural in self.plurals(kind.group_version)

    def served(self, *candidates: Kind) -> Kind | None:
        """The first of these that the server has, if any."""
        return next((kind for kind in candidates if self.serves(kind)), None)

    def first_served(self, *candidates: Kind) -> Kind:
        """The first of these that the server has, or NotFound."""
        found = self.served(*candidates)
        if found is not None:
            return found
        names = ", ".join(f"{kind.plural} of {kind.group_version}" for kind in candidates)
        raise NotFound("the server has none of these resources", subject=self.host, expected=names)

    def require_namespace(self, name: str) -> bool:
        """NotFound if there is no such namespace: lists in it would be empty, which proves nothing.

        False: that may not be asked, and whoever may not read namespaces can still be right about the name.
        """
        try:
            self.get(kinds.NAMESPACES, name)
        except Forbidden:
            return False
        except NotFound as error:
            raise NotFound(
                "the namespace does not exist", subject=f"namespace {name}", seen=f"{self.host} without it",
                advice="Is Longhorn installed there? Set the option namespace, or choose another context.",
            ) from error  # fmt: skip
        return True

    def allowed(self, verb: str, kind: Kind, *, namespace: str = "", name: str = "", subresource: str = "") -> Access:
        """What the server says about a permission of ours; nothing is tried."""
        attributes = {"verb": verb, "group": kind.group, "resource": kind.plural, "namespace": namespace}
        attributes |= {"name": name, "subresource": subresource}
        review = {
            "apiVersion": kinds.ACCESS_REVIEWS.group_version,
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        status = self.create(kinds.ACCESS_REVIEWS, review).get("status") or {}
        return Access(bool(status.get("allowed")), str(status.get("reason") or status.get("evaluationError") or ""))

    def server_time(self) -> ServerTime | None:
        """The server's clock from a Date header, or None when it sends none."""
        before = self._clock.now()
        answer = self._read(http.Request("GET", "/version", "version"))
        date = http.server_date(answer.headers)
        if date is None:
            return None
        middle = before + (self._clock.now() - before) / 2
        return ServerTime(date, (date - middle).total_seconds() + 0.5)  # the header drops the fraction

    # -- writing

    def create(self, kind: Kind, body: Mapping[str, t.Any], *, namespace: str = "", dry_run: bool = False) -> Object:
        """Makes the object, or Conflict when the name is taken. ``dry_run``: the server stores nothing."""
        name = (body.get("metadata") or {}).get("name", "")
        return self._write(
            "POST", kind.path(namespace), f"create {kind.described(namespace, name)}", body=body, dry_run=dry_run
        )

    def patch(self, kind: Kind, name: str, patch: Mapping[str, t.Any], **options: t.Any) -> Object:
        """A JSON merge patch. Options: namespace, subresource, dry_run."""
        path, what = _object_path(kind, name, options), f"patch {kind.described(options.get('namespace', ''), name)}"
        return self._write(
            "PATCH", path, what, body=patch, dry_run=bool(options.get("dry_run")), content_type=_MERGE_PATCH
        )

    def replace(self, kind: Kind, name: str, body: Mapping[str, t.Any], **options: t.Any) -> Object:
        """A PUT; Conflict when ``body`` is outdated. Options: namespace, subresource, dry_run."""
        path, what = _object_path(kind, name, options), f"replace {kind.described(options.get('namespace', ''), name)}"
        return self._write("PUT", path, what, body=body, dry_run=bool(options.get("dry_run")))

    def apply(self, kind: Kind, body: Mapping[str, t.Any], *, namespace: str = "", dry_run: bool = False) -> Object:
        """Server-side apply in our name, taking over fields that others hold."""
        name = body["metadata"]["name"]
        return self._write(
            "PATCH", kind.path(namespace, name), f"apply {kind.described(namespace, name)}", body=body, dry_run=dry_run,
            content_type=_APPLY_PATCH, query={"fieldManager": FIELD_MANAGER, "force": "true"},
        )  # fmt: skip

    def delete(self, kind: Kind, name: str, *, namespace: str = "", uid: str = "", dry_run: bool = False) -> bool:
        """Deletes the object (this very one, with ``uid``) and what it owns; False when it does not exist."""
        options: Object = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if dry_run:
            options["dryRun"] = ["All"]  # with options in the body, the server does not look at the query
        try:
            self._write(
                "DELETE",
                kind.path(namespace, name),
                f"delete {kind.described(namespace, name)}",
                body=options,
                dry_run=dry_run,
            )
        except NotFound:
            return False
        return True

    # -- streams

    def watch(self, kind: Kind, *, namespace: str = "", resource_version: str, **options: t.Any) -> Watch:
        """Changes since ``resource_version``. Options: labels, fields, seconds (until the server ends it), silence."""
        query = {
            "watch": "true", "allowWatchBookmarks": "true", "resourceVersion": resource_version,
            "timeoutSeconds": str(int(options.get("seconds", 280))),
            **_selectors(options.get("labels", ""), options.get("fields", "")),
        }  # fmt: skip
        what = f"watch {kind.described(namespace)}"
        request = http.Request("GET", kind.path(namespace), what, query=query, timeout=options.get("silence", 90.0))
        return Watch(self._stream(request), what)

    def logs(self, pod: str, *, namespace: str, container: str = "", **options: t.Any) -> http.Stream:
        """A pod's log as bytes. Options: follow, previous, timestamps (bool), since_time (text), silence (seconds)."""
        query = {name: "true" for name in ("follow", "previous", "timestamps") if options.get(name)}
        if container:
            query["container"] = container
        if options.get("since_time"):
            query["sinceTime"] = options["since_time"]
        path = kinds.PODS.path(namespace, pod, "log")
        return self._stream(
            http.Request(
                "GET", path, f"log of pod {namespace}/{pod}", query=query, timeout=options.get("silence", 90.0)
            )
        )

    # -- what runs in the cluster

    def service_proxy(self, namespace: str, service: str, port: int | str, *, scheme: str = "") -> ServiceProxy:
        """HTTP to a Service, carried by the API server."""
        name = f"{scheme}:{service}:{port}" if scheme else f"{service}:{port}"
        return ServiceProxy(
            self, f"/api/v1/namespaces/{namespace}/services/{name}/proxy", f"service {namespace}/{service}:{port}"
        )

    def raw(self, request: http.Request, *, retry: bool = False) -> http.Answer:
        """Any request, as it stands."""
        return self._read(request) if retry else self._once(request)

    # -- inside

    def _write(self, method: str, path: str, what: str, **options: t.Any) -> Object:
        query = dict(options.get("query") or {})
        if options.get("dry_run"):
            query["dryRun"] = "All"
        if method != "DELETE":
            query.setdefault("fieldManager", FIELD_MANAGER)
        request = http.Request(
            method, path, what, query=query, body=json.dumps(options["body"]).encode(),
            content_type=options.get("content_type", "application/json"),
        )  # fmt: skip
        return t.cast(Object, self._once(request).json(what))

    def _read(self, request: http.Request) -> http.Answer:
        backoff, fresh = Backoff(clock=self._clock, first=0.3, longest=3.0, budget=8.0), False
        while True:
            try:
                return self._once(request)
            except (Unauthorized, Forbidden, Expired):
                raise
            except Unreachable as error:
                if fresh or not error.broke:
                    raise
                fresh = True  # what is between us and the server may have closed a connection that was kept
            except ApiFailure as error:
                if not backoff.pause(error.retry_after):
                    raise

    def _once(self, request: http.Request) -> http.Answer:
        connection = self._connection
        try:
            return http.send(connection, request)
        except Unauthorized:
            return http.send(self._reconnected(connection), request)

    def _stream(self, request: http.Request) -> http.Stream:
        connection = self._connection
        try:
            return http.stream(connection, request)
        except Unauthorized:
            return http.stream(self._reconnected(connection), request)

    def _reconnected(self, refused: http.Connection) -> http.Connection:
        """Credentials read anew, once per refusal: token files rotate and credential plugins renew."""
        if self._connection is refused:
            self._connection = self._open_connection()
        return self._connection


class Watch:
    """A watch as a stream of events; ends when the server ends it, raises Expired when the history is gone."""

    def __init__(self, stream: http.Stream, what: str) -> None:
        self._stream = stream
        self._what = what

    def events(self) -> Iterator[Object]:
        """Each event as ``{"type", "object"}``, bookmarks included; error events become errors."""
        rest = bytearray()
        for chunk in self._stream.chunks():
            rest += chunk
            *lines, tail = bytes(rest).split(b"\n") if b"\n" in chunk else [bytes(rest)]
            rest = bytearray(tail)
            for line in lines:
                if line.strip():
                    yield self._event(line)
        if rest.strip():
            raise ApiFailure("the stream ended inside an event", subject=self._what, seen=http.shorten(bytes(rest)))

    def close(self) -> None:
        """Ends the stream, also for a reader that waits in another thread."""
        self._stream.close()

    def _event(self, line: bytes) -> Object:
        try:
            event = json.loads(line)
        except http.NOT_JSON as error:
            raise ApiFailure("an event is not JSON", subject=self._what, seen=http.shorten(line)) from error
        if not isinstance(event, dict):
            raise ApiFailure("an event is no JSON object", subject=self._what, seen=http.shorten(line))
        if event.get("type") == "ERROR":
            raise self._failure(event.get("object") or {})
        return t.cast(Object, event)

    def _failure(self, status: Mapping[str, t.Any]) -> LonghornQAError:
        code, seen = int(status.get("code") or 0), str(status.get("message") or "an error without a message")
        if code == 410:
            return Expired(
                "the server no longer has the changes since then", subject=self._what, seen=seen, status=code
            )
        return ApiFailure("the server ended the watch", subject=self._what, seen=seen, status=code)


@dataclass(frozen=True)
class ServiceProxy:
    """JSON over HTTP to one Service; paths are relative to its root."""

    client: Client
    prefix: str
    name: str

    def get(self, path: str, query: Mapping[str, str] | None = None) -> t.Any:
        """Reads; passing failures are tried again."""
        return self._send("GET", path, query=query, retry=True)

    def post(self, path: str, body: t.Any = None, query: Mapping[str, str] | None = None) -> t.Any:
        """Sends once."""
        return self._send("POST", path, query=query, body=body)

    def put(self, path: str, body: t.Any = None, query: Mapping[str, str] | None = None) -> t.Any:
        """Sends once."""
        return self._send("PUT", path, query=query, body=body)

    def delete(self, path: str, query: Mapping[str, str] | None = None) -> t.Any:
        """Sends once."""
        return self._send("DELETE", path, query=query)

    def _send(self, method: str, path: str, *, retry: bool = False, **options: t.Any) -> t.Any:
        body = None if options.get("body") is None else json.dumps(options["body"]).encode()
        what = f"{method} {path} of {self.name}"
        request = http.Request(method, f"{self.prefix}/{path.lstrip('/')}", what, query=options.get("query"), body=body)
        try:
            return self.client.raw(request, retry=retry).json(what)
        except ApiFailure as error:
            if error.status < 500:
                raise
            raise replace_problem(error, "the service could not do it") from error


def replace_problem(error: ApiFailure, problem: str) -> ApiFailure:
    """The same error in other words: behind a proxy it is not the API server that failed."""
    return replace(error, problem=problem)


def _object_path(kind: Kind, name: str, options: Mapping[str, t.Any]) -> str:
    return kind.path(options.get("namespace", ""), name, options.get("subresource", ""))


def _selectors(labels: str, fields: str) -> dict[str, str]:
    return {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}
