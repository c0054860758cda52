# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's way to the API server: plain JSON over HTTPS on the node's one event loop.

No client library: the node needs few verbs, starts in a fraction of a second, and keeps documents as they arrive.
"""

from __future__ import annotations

import asyncio
import json
import typing as t
from dataclasses import dataclass

import aiohttp

from longhorn_qa_lab.kubeconfig import Access

MERGE_PATCH = "application/merge-patch+json"
WATCH_SECONDS = 240
RETRY_SECONDS = 0.5
PAGE_TIMEOUT = aiohttp.ClientTimeout(total=30)
WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=WATCH_SECONDS + 60)

Json = dict[str, t.Any]


class ApiError(Exception):
    """An answer of the API server that is not the one asked for."""

    def __init__(self, *, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Change:
    """One step of a list and its watch: LISTED carries all objects that exist, the others one object each."""

    kind: t.Literal["LISTED", "ADDED", "MODIFIED", "DELETED"]
    objects: tuple[Json, ...]


class Api:
    """A session with the API server."""

    def __init__(self, access: Access) -> None:
        self.access = access
        connector = aiohttp.TCPConnector(ssl=access.context(), limit=0)
        self._session = aiohttp.ClientSession(base_url=access.server, connector=connector, timeout=PAGE_TIMEOUT)

    async def close(self) -> None:
        """End the session."""
        await self._session.close()

    async def get(self, path: str) -> Json:
        """Read one document."""
        return await self._call("GET", path)

    async def create(self, path: str, document: Json) -> Json:
        """Create an object."""
        return await self._call("POST", path, document)

    async def replace(self, path: str, document: Json) -> Json:
        """Replace an object."""
        return await self._call("PUT", path, document)

    async def patch(self, path: str, document: Json) -> Json:
        """Change an object by a JSON merge patch."""
        return await self._call("PATCH", path, document, content_type=MERGE_PATCH)

    async def delete(self, path: str, document: Json) -> Json:
        """Delete an object under the given delete options."""
        return await self._call("DELETE", path, document)

    async def _call(
        self, verb: str, path: str, document: Json | None = None, *, content_type: str = "application/json"
    ) -> Json:
        body = None if document is None else json.dumps(document).encode()
        try:
            async with self._session.request(verb, path, data=body, headers={"Content-Type": content_type}) as answer:
                return _document(answer.status, await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(code=0, reason="Unreachable", message=f"{verb} {path}: {error!r}") from error

    async def changes(self, path: str, *, query: str = "") -> t.AsyncIterator[Change]:
        """List, then watch, for ever; after any interruption list again."""
        while True:
            try:
                listed = await self.get(f"{path}?{query}")
                yield Change(kind="LISTED", objects=tuple(listed.get("items") or ()))
                version = listed["metadata"]["resourceVersion"]
                while True:
                    async for change, seen in self._watch(path, query=query, version=version):
                        version = seen
                        if change:
                            yield change
            except ApiError as error:
                if error.code != 410:
                    await asyncio.sleep(RETRY_SECONDS)

    async def _watch(self, path: str, *, query: str, version: str) -> t.AsyncIterator[tuple[Change | None, str]]:
        url = (
            f"{path}?watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}"
            f"&resourceVersion={version}&{query}"
        )
        try:
            async with self._session.get(url, timeout=WATCH_TIMEOUT) as answer:
                if answer.status != 200:
                    _document(answer.status, await answer.read())
                async for line in _lines(answer.content):
                    event = json.loads(line)
                    item = event["object"]
                    if event["type"] == "ERROR":
                        raise ApiError(
                            code=item.get("code") or 500, reason=item.get("reason") or "", message=item.get("message")
                        )
                    bookmark = event["type"] == "BOOKMARK"
                    change = None if bookmark else Change(kind=event["type"], objects=(item,))
                    yield change, item["metadata"]["resourceVersion"]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(code=0, reason="Unreachable", message=f"watch {path}: {error!r}") from error


async def _lines(stream: aiohttp.StreamReader) -> t.AsyncIterator[bytes]:
    rest = b""
    async for data in stream.iter_any():
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line.strip():
                yield line


def _document(status: int, body: bytes) -> Json:
    try:
        document = json.loads(body) if body else {}
    except ValueError:
        document = {}
    if status >= 400:
        message = document.get("message") or body[:500].decode("utf-8", "replace")
        raise ApiError(code=status, reason=document.get("reason") or "", message=message)
    return t.cast(Json, document)
