# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a run in the cluster: its journal and its namespaces."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, Refused
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import journal as journals
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.journal import Journal
from ansible_collections.longhorn.qa.plugins.module_utils._module import run_journal
from ansible_collections.longhorn.qa.plugins.module_utils._module.run_place import Place
from ansible_collections.longhorn.qa.plugins.module_utils._module.run_take_down import TakeDown


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module."""
    problems = names.run_id_problems(params["run_id"])
    if problems or not params["run_id"]:
        raise BadInput(problems[0] if problems else "run_id is empty: nothing is known to belong to the run")
    client = client or connect(params)
    client.require_namespace(params["namespace"])
    place = Place(client=client, namespace=params["namespace"], run_id=params["run_id"], check_mode=check_mode)
    if params["state"] == "present":
        volumes, namespaces, faults = (tuple(params.get(key) or ()) for key in ("volumes", "namespaces", "faults"))
        return _open(place, Journal(place.run_id, volumes=volumes, namespaces=namespaces, faults=faults))
    return TakeDown(place, timeout=float(params["wait_timeout"]), clock=clock).run()


def _open(place: Place, wanted: Journal) -> dict[str, t.Any]:
    noted = place.journal()
    if noted is not None:
        return _open_again(place, noted, wanted)
    _refuse_second(place)
    values = place.settings()
    kept = {name: values[name] for name in journals.KEPT_SETTINGS if name in values}
    journal = replace(wanted, settings=kept, backup_targets=place.backup_targets())
    body = journals.to_config_map(journal, namespace=place.namespace)
    place.client.create(kinds.CONFIGMAPS, body, namespace=place.namespace, dry_run=place.check_mode)
    for name in journal.namespaces:
        _make_namespace(place, name)
    return {
        "changed": True,
        "settings": dict(journal.settings),
        "summary": [f"{name} is {value or 'not set'}" for name, value in journal.settings.items()],
        "diff": {"before": {}, "after": body["data"]},
    }


def _open_again(place: Place, noted: Journal, wanted: Journal) -> dict[str, t.Any]:
    """The settings stay as they were before the run; what it makes beyond the journal is added, to be found later."""
    journal = noted.with_more(wanted)
    if not place.check_mode:
        run_journal.note(place.client, place.namespace, place.run_id, lambda now: now.with_more(wanted))
    made = [name for name in wanted.namespaces if _make_namespace(place, name)]
    before, after = (journals.to_config_map(one, namespace=place.namespace)["data"] for one in (noted, journal))
    return {
        "changed": journal != noted or bool(made),
        "settings": dict(journal.settings),
        "summary": [f"run {place.run_id} is open"],
        "diff": {"before": before, "after": after},
    }


def _make_namespace(place: Place, name: str) -> bool:
    """With the run's label only if it is made here: the label is the permission to remove it."""
    if place.client.find(kinds.NAMESPACES, name) is not None:
        return False
    labels = {names.RUN_ID_LABEL: place.run_id}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    place.client.create(kinds.NAMESPACES, body, dry_run=place.check_mode)
    return True


def _refuse_second(place: Place) -> None:
    """Two runs at once would judge each other's backup target, and each put back the other's settings."""
    journals_there = place.client.list(kinds.CONFIGMAPS, namespace=place.namespace, labels=journals.SELECTOR).items
    others = sorted(str(item["metadata"]["labels"].get(names.RUN_ID_LABEL, "")) for item in journals_there)
    if others:
        raise Refused(
            "another run is open in this cluster, and Longhorn has only one backup target",
            subject=f"run {place.run_id}", expected="no other run", seen=f"run {', '.join(others)}",
            advice=f"Wait for it, or take it down: ansible-playbook longhorn.qa.teardown "
            f"-e best_effort_cleanup_run_id={others[0]}",
        )  # fmt: skip
