# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of an open run, in the cluster: read, and added to before something is changed."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import Conflict, NotFound
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import journal as journals
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.journal import Journal, JournalError


def find(client: Client, namespace: str, run_id: str) -> Journal | None:
    """The journal, if the run is open."""
    document = client.find(kinds.CONFIGMAPS, journals.journal_name(run_id), namespace=namespace)
    return None if document is None else _read(document, namespace, run_id)


def require(client: Client, namespace: str, run_id: str) -> Journal:
    """The journal, or NotFound with what to do."""
    found = find(client, namespace, run_id)
    if found is None:
        raise NotFound(
            "the run is not open, so what is changed could not be put back",
            subject=f"run {run_id}",
            expected=f"ConfigMap {namespace}/{journals.journal_name(run_id)}",
            advice="Open the run with longhorn_run first, or leave run_id out.",
        )
    return found


def note(client: Client, namespace: str, run_id: str, change: Callable[[Journal], Journal]) -> None:
    """Adds to the journal. Somebody who does so at the same time is told as a conflict, never overwritten."""
    document = client.get(kinds.CONFIGMAPS, journals.journal_name(run_id), namespace=namespace)
    before = _read(document, namespace, run_id)
    after = change(before)
    if after != before:
        body = {**document, "data": journals.to_config_map(after, namespace=namespace)["data"]}
        client.replace(kinds.CONFIGMAPS, journals.journal_name(run_id), body, namespace=namespace)


def _read(document: Mapping[str, t.Any], namespace: str, run_id: str) -> Journal:
    try:
        return journals.from_config_map(document, run_id)
    except JournalError as error:
        raise Conflict(
            f"this is not the journal of run {run_id}: {error}",
            subject=f"ConfigMap {namespace}/{journals.journal_name(run_id)}",
            advice="Choose another run id, or look at it and remove it by hand.",
        ) from error
