# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the cluster before a run, changes nothing, and tells everything that is wrong at once."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from datetime import timedelta

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import http, kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    ApiFailure,
    BadInput,
    Forbidden,
    LonghornQAError,
    Refused,
    Unauthorized,
    Unreachable,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.longhorn import Node
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock
from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Cell
from ansible_collections.longhorn.qa.plugins.module_utils._history.records import RecordError, cell_from
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import preflight
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.cells import FAULTS
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.preflight import Intended, Seen
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import UnknownRelease, choose_release
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.volume import Volume
from ansible_collections.longhorn.qa.plugins.module_utils._module import cron
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import Fixtures

T = t.TypeVar("T")

# What fixtures, recorder and clean-up do, as verb, kind and subresource.
_NEEDED: tuple[tuple[str, Kind, str], ...] = (
    *((verb, kinds.SERVICES, "proxy") for verb in ("get", "create", "update", "delete")),
    *(
        (verb, kind, "")
        for kind in (kinds.PODS, kinds.EVENTS, kinds.JOBS, kinds.CRONJOBS, kinds.VOLUMES, kinds.ENGINES)
        for verb in ("list", "watch")
    ),
    *((verb, kinds.VOLUMES, "") for verb in ("get", "patch")),
    *((verb, kinds.ENGINE_IMAGES, "") for verb in ("get", "list", "patch")),
    *((verb, kinds.SETTINGS, "") for verb in ("get", "list")),
    ("get", kinds.CRONJOBS, ""),
    ("list", kinds.LONGHORN_NODES, ""),
    ("get", kinds.PODS, "log"),
)
_NEEDED_BY_TRIGGER: tuple[tuple[str, Kind, str], ...] = (("create", kinds.JOBS, ""),)


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module: the page, or a failure with all problems. ``check_mode`` makes no difference: nothing is changed."""
    del check_mode
    intended = _intended(params)
    here = Fixtures(params, client=client, clock=clock)
    default_image = here.objects.require_longhorn()
    seen = _look(here, params, intended, default_image)
    result = preflight.page(seen, intended)
    plain = {**preflight.plain(result), "release": seen.release, "manager_image": seen.manager_image}
    if result.problems:
        raise Refused(
            f"the run is not possible: {'; '.join(result.problems)}",
            subject="preflight",
            advice="Nothing was changed.",
            evidence=plain,
        )
    return {"changed": False, **plain}


def _intended(params: Mapping[str, t.Any]) -> Intended:
    unknown = [fault for fault in params.get("default_engine_faults") or () if fault not in FAULTS]
    if unknown:
        raise BadInput(f"default_engine_faults: {unknown[0]!r} is unknown", expected=f"one of {', '.join(FAULTS)}")
    timeout = int(params.get("timeout") or 0)
    return Intended(
        cells=tuple(_cell(cell) for cell in params["cells"]),
        cron=" ".join((params.get("cron") or "").split()),
        invocations=params["invocations"],
        timeout=timedelta(seconds=timeout) if timeout else None,
        run_id=params.get("run_id") or "",
        trigger=bool(params.get("trigger")),
        default_engine_faults=tuple(params.get("default_engine_faults") or ()),
    )


def _cell(document: Mapping[str, t.Any]) -> Cell:
    try:
        return cell_from(document)
    except RecordError as error:
        raise BadInput(str(error), advice="Cells are made by the filter longhorn.qa.cells.") from error


def _look(here: Fixtures, params: Mapping[str, t.Any], intended: Intended, default_image: str) -> Seen:
    """Reads everything that can be read; what cannot is one more problem."""
    problems: list[str] = []
    image = _tried(problems, here.objects.manager_image, "")
    release = _release(params, image, problems)
    nodes: tuple[Node, ...] = _tried(problems, here.objects.nodes, ())
    volumes: tuple[Volume, ...] = _tried(problems, here.objects.volumes, ())
    cron_problems = cron.problems(intended.cron)
    offset = here.client.server_time()
    needed = (*_NEEDED, *(_NEEDED_BY_TRIGGER if intended.trigger else ()))
    return Seen(
        server=here.client.host,
        kubernetes=_version(here.client),
        manager_image=image,
        release=release,
        release_is_stated=bool(params.get("longhorn_release")),
        default_image=default_image,
        ready_nodes=tuple(node.name for node in nodes if node.ready),
        other_nodes=tuple(f"{node.name} ({node.reason or 'no reason'})" for node in nodes if not node.ready),
        denied=_denied(here, needed),
        asked=len(needed),
        clock_offset=None if offset is None else offset.offset,
        volumes={volume.name: volume.labels for volume in volumes},
        cronjobs=_tried(problems, lambda: _cronjobs(here), ()),
        interval=None if cron_problems else cron.shortest_interval(intended.cron),
        problems=(*problems, *cron_problems),
    )


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


def _denied(here: Fixtures, needed: tuple[tuple[str, Kind, str], ...]) -> tuple[str, ...]:
    denied = []
    for verb, kind, subresource in needed:
        if not here.client.allowed(verb, kind, namespace=here.namespace, subresource=subresource).allowed:
            resource = f"{kind.plural}{f'/{subresource}' if subresource else ''}"
            denied.append(f"{verb} {resource}{f'.{kind.group}' if kind.group else ''} in {here.namespace}")
    return tuple(denied)


def _cronjobs(here: Fixtures) -> tuple[str, ...]:
    items = here.client.list(here.objects.cronjob_kind(), namespace=here.namespace).items
    return tuple(str(item["metadata"]["name"]) for item in items)


def _version(client: Client) -> str:
    answer = client.raw(http.Request("GET", "/version", "the server's version"), retry=True)
    document = answer.json("the server's version")
    if not isinstance(document, dict) or "gitVersion" not in document:
        raise ApiFailure("the API server does not tell its version", subject=client.host)
    return str(document["gitVersion"])
