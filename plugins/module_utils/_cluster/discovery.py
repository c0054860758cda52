# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's own word on a resource, for objects whose kind only the user knows.

Everything else in the collection knows its kinds beforehand (``kinds``) and needs no such request.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import http
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, NotFound
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind

_GROUP_VERSION = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?v[a-z0-9]+")


def resource(client: Client, api_version: str, named: str) -> Kind:
    """The resource whose kind ("CronJob"), plural or short name is ``named``; NotFound when the server has none."""
    if not _GROUP_VERSION.fullmatch(api_version):
        raise BadInput("not an API version", subject="option api_version", seen=api_version, expected="v1 or group/v1")
    path = Kind(api_version, "").path().rstrip("/")
    what = f"resources of {api_version}"
    try:
        document = client.raw(http.Request("GET", path, what), retry=True).json(what)
    except NotFound as error:
        raise NotFound(
            "the server does not have this API version", subject=api_version, seen=client.host,
            advice="Is what defines it installed there?",
        ) from error  # fmt: skip
    found = [item for item in document.get("resources") or () if "/" not in str(item.get("name", ""))]
    for item in found:
        if named in _names(item):
            return Kind(api_version, str(item["name"]), bool(item.get("namespaced")))
    known = ", ".join(sorted(str(item.get("kind", "")) for item in found))
    raise NotFound("the server has no such kind", subject=f"{named} of {api_version}", expected=f"one of {known}")


def _names(item: Mapping[str, t.Any]) -> set[str]:
    return {str(item.get("kind", "")), str(item.get("name", "")), *map(str, item.get("shortNames") or ())}
