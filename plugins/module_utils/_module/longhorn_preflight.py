# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the cluster before a run, changes nothing, and tells everything that is wrong at once."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import http
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    ApiFailure,
    Forbidden,
    LonghornQAError,
    Refused,
    Unauthorized,
    Unreachable,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.longhorn import Node
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock
from ansible_collections.longhorn.qa.plugins.module_utils._history import records
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import (
    backup_target,
    permissions,
    preflight,
    versions,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.cells import CellError, plan_cells
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.fault_cells import AUTO, Wish, plan_by_fault
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.permissions import Permission, When
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.preflight import Intended, Seen
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.registry import in_registry
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import UnknownRelease, choose_release
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.volume import Volume
from ansible_collections.longhorn.qa.plugins.module_utils._module import cell_options, cron
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import Fixtures

T = t.TypeVar("T")


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module: the page, or a failure with all problems. ``check_mode`` makes no difference: nothing is changed."""
    del check_mode
    intended = _intended(params)
    here = Fixtures(params, client=client, clock=clock)
    longhorn = _longhorn(here, params)
    intended = _planned(params, intended, longhorn)
    seen = _look(here, params, intended, longhorn)
    result = preflight.page(seen, intended)
    plain = {
        **preflight.plain(result),
        "release": seen.release,
        "manager_image": seen.manager_image,
        "default_engine_image": seen.default_image,
        "cells": [records.plain(cell) for cell in intended.cells],
    }
    if result.problems:
        raise Refused(
            f"the run is not possible: {'; '.join(result.problems)}",
            subject="preflight",
            advice="Nothing was changed.",
            evidence=plain,
        )
    return {"changed": False, **plain}


def _intended(params: Mapping[str, t.Any]) -> Intended:
    timeout = int(params.get("timeout") or 0)
    return Intended(
        cells=cell_options.stated(params.get("cells"), option="cells"),
        cron=" ".join((params.get("cron") or "").split()),
        invocations=params["invocations"],
        timeout=timedelta(seconds=timeout) if timeout else None,
        run_id=params.get("run_id") or "",
        trigger=bool(params.get("trigger")),
        default_engine_faults=tuple(params.get("default_engine_faults") or ()),
        short_interval=bool(params.get("allow_short_interval")),
    )


def _planned(params: Mapping[str, t.Any], intended: Intended, longhorn: _Longhorn) -> Intended:
    """The cells that the plan has on this release; as they are given, if they are."""
    wish = params.get("plan")
    if not wish or not longhorn.release:
        return intended
    images = [{**image, "image": in_registry(image["image"], wish["registry"])} for image in wish["engine_images"]]
    shared = {"run_id": intended.run_id, "cron": intended.cron, "retain": wish["retain"], "prefix": wish["prefix"]}
    try:
        if wish["fault"] == AUTO and not wish["effects"] and not versions.between(longhorn.release, "v1.2.0"):
            return replace(intended, cells=plan_cells(images, wish["tasks"], **shared))
        found = plan_by_fault(
            Wish(
                release=longhorn.release,
                tasks=wish["tasks"],
                effects=wish["effects"] or ("visible",),
                fault=wish["fault"],
                images=images,
                bystander=wish["bystander"],
                default_engine_faults=intended.default_engine_faults,
                **shared,
            )
        )
    except CellError as error:
        longhorn.problems.append(str(error))
        return intended
    return replace(intended, cells=found.cells, left_out=found.left_out)


@dataclass(frozen=True)
class _Longhorn:
    """The Longhorn that is there; whatever cannot be read of it is one of the problems."""

    default_image: str
    image: str
    release: str
    problems: list[str]


def _longhorn(here: Fixtures, params: Mapping[str, t.Any]) -> _Longhorn:
    default_image = here.objects.require_longhorn()
    problems: list[str] = []
    image = _tried(problems, here.objects.manager_image, "")
    return _Longhorn(default_image, image, _release(params, image, problems), problems)


def _look(here: Fixtures, params: Mapping[str, t.Any], intended: Intended, longhorn: _Longhorn) -> Seen:
    """Reads everything that can be read; what cannot is one more problem."""
    problems = longhorn.problems
    nodes: tuple[Node, ...] = _tried(problems, here.objects.nodes, ())
    volumes: tuple[Volume, ...] = _tried(problems, here.objects.volumes, ())
    cron_problems = cron.problems(intended.cron)
    offset = here.client.server_time()
    questions = _questions(params, intended, longhorn.release)
    return Seen(
        server=here.client.host,
        kubernetes=_version(here.client),
        manager_image=longhorn.image,
        release=longhorn.release,
        release_is_stated=bool(params.get("longhorn_release")),
        default_image=longhorn.default_image,
        ready_nodes=tuple(node.name for node in nodes if node.ready),
        other_nodes=tuple(f"{node.name} ({node.reason or 'no reason'})" for node in nodes if not node.ready),
        denied=_denied(here, questions),
        asked=len(questions),
        clock_offset=None if offset is None else offset.offset,
        volumes={volume.name: volume.labels for volume in volumes},
        cronjobs=_tried(problems, lambda: _cronjobs(here), ()),
        interval=None if cron_problems else cron.shortest_interval(intended.cron),
        problems=(*problems, *cron_problems, *_store_problems(params, longhorn.release)),
    )


def _store_problems(params: Mapping[str, t.Any], release: str) -> list[str]:
    url = params.get("store_url") or ""
    return backup_target.url_problems(url, release=release) if url else []


def _release(params: Mapping[str, t.Any], image: str, problems: list[str]) -> str:
    try:
        return choose_release(stated=params.get("longhorn_release") or "", manager_image=image)
    except UnknownRelease as error:
        problems.append(str(error))
        return ""


def _tried(problems: list[str], read: Callable[[], T], otherwise: T) -> T:
    """A failing read becomes a problem of the page; a missing permission is named there once, with the others."""
    try:
        return read()
    except Forbidden:
        return otherwise
    except (Unauthorized, Unreachable):
        raise
    except LonghornQAError as error:
        problems.append(str(error))
        return otherwise


def _questions(params: Mapping[str, t.Any], intended: Intended, release: str) -> list[tuple[Permission, str]]:
    """The permissions that this very run needs, each with the namespace it is needed in."""
    faults = {cell.fault_type for cell in intended.cells if cell.faults}
    # Where a given store is, if it is in the cluster at all, is only known when it is used.
    deploys = not params.get("store_url") or "backup-store" in faults
    namespace, store = params["namespace"], (params.get("store_namespace") or "") if deploys else ""
    circumstances: list[When] = [permissions.TRIGGER] if intended.trigger else []
    if any(cell.makes_backups for cell in intended.cells):
        circumstances += [permissions.STORE]
        circumstances += [permissions.OWN_STORE] if store else []
        circumstances += [permissions.OWN_NAMESPACE] if store and store != namespace else []
    circumstances += [permissions.ADMISSION] if "admission" in faults else []
    circumstances += [permissions.REFUSING_STORE] if faults & {"backup-store", "bucket-policy"} else []
    circumstances += [permissions.PROXY] if "backup-store" in faults else []
    circumstances += [permissions.BUCKET] if "bucket-policy" in faults else []
    rows = permissions.needed("run", *circumstances, release=release)
    # Of the whole cluster's, only a namespace is asked for by its name.
    places = {"longhorn": namespace, "store": store, "cluster": ""}
    return [
        (row, store if row.when == permissions.OWN_NAMESPACE else places[row.scope])
        for row in rows
        if store or row.scope != "store"
    ]


def _denied(here: Fixtures, questions: Iterable[tuple[Permission, str]]) -> tuple[str, ...]:
    return tuple(row.told(namespace) for row, namespace in questions if not _allowed(here.client, row, namespace))


def _allowed(client: Client, row: Permission, namespace: str) -> bool:
    """As the real request will be authorised: one for a namespace itself is one inside it, except for its making."""
    kind = Kind(f"{row.group}/v1" if row.group else "v1", row.resource)
    itself = row.resource == "namespaces"
    inside = "" if itself and row.verb == "create" else namespace
    names = (inside,) if itself else row.names or ("",)
    return all(
        client.allowed(row.verb, kind, namespace=inside, name=name, subresource=row.subresource).allowed
        for name in names
    )


def _cronjobs(here: Fixtures) -> tuple[str, ...]:
    items = here.client.list(here.objects.cronjob_kind(), namespace=here.namespace).items
    return tuple(str(item["metadata"]["name"]) for item in items)


def _version(client: Client) -> str:
    answer = client.raw(http.Request("GET", "/version", "the server's version"), retry=True)
    document = answer.json("the server's version")
    if not isinstance(document, dict) or "gitVersion" not in document:
        raise ApiFailure("the API server does not tell its version", subject=client.host)
    return str(document["gitVersion"])
