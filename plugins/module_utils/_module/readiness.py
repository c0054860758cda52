# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there is anything to record: a recording of a volume that cannot have an invocation only runs out of time."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, Object
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import Forbidden, NotFound, Refused
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.trigger import cronjob_named
from ansible_collections.longhorn.qa.plugins.module_utils._history import model


def refuse_unready(client: Client, subjects: model.Subjects, *, trigger: bool) -> None:
    """NotFound or Refused for a cell without a CronJob, with one that never runs, or with a volume that cannot work."""
    namespace = subjects.namespace
    cronjobs = _by_name(client, client.first_served(kinds.CRONJOBS, kinds.CRONJOBS_V1BETA1), namespace)
    # none at all for a recording of plain CronJobs
    volumes = _by_name(client, client.served(kinds.longhorn("volumes", "v1beta2"), kinds.VOLUMES), namespace)
    for cell in subjects.cells:
        cronjob = cronjobs.get(cell.cronjob) or cronjob_named(client, cell.cronjob, namespace=namespace)
        volume = volumes.get(cell.volume)
        if volume is not None:
            _refuse_volume(volume, subject=f"Volume {subjects.namespace}/{cell.volume}")
        if not trigger and (cronjob.get("spec") or {}).get("suspend"):
            raise Refused(
                "it is suspended, so no tick of its schedule comes due",
                subject=f"CronJob {subjects.namespace}/{cell.cronjob}",
                advice="Longhorn suspends it while its volume is not attached; resume it, or set trigger.",
            )


def _by_name(client: Client, kind: Kind | None, namespace: str) -> dict[str, Object]:
    """One request for any number of cells; empty where the kind is not there or not ours to see."""
    if kind is None:
        return {}
    try:
        return {item["metadata"]["name"]: item for item in client.list(kind, namespace=namespace).items}
    except (Forbidden, NotFound):
        return {}


def _refuse_volume(volume: Object, *, subject: str) -> None:
    status = volume.get("status") or {}
    state, robustness = str(status.get("state", "")), str(status.get("robustness", ""))
    seen = f"state {state or 'unknown'}, robustness {robustness or 'unknown'}"
    if robustness == "faulted":
        raise Refused(
            "the volume is faulted: none of its replicas can be used, so no job can make anything of it",
            subject=subject, expected="state attached, robustness healthy", seen=seen,
            advice="Delete it and make a new one, or salvage it.",
        )  # fmt: skip
    if state != "attached":
        raise Refused(
            "the volume is not attached, so none of its recurring jobs runs",
            subject=subject, expected="state attached", seen=seen,
            advice="Attach it first: longhorn_volume with state attached.",
        )  # fmt: skip
