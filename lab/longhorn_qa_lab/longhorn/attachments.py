# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a volume is attached for, from 1.5 on: tickets of its VolumeAttachment, of which one decides. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from longhorn_qa_lab.longhorn import decide, names
from longhorn_qa_lab.longhorn.decide import Object, owner_reference

_CONTROLLER: t.Final = 800
_PRIORITIES: t.Final[t.Mapping[str, int]] = {
    "volume-restore-controller": 2000,
    "volume-expansion-controller": 2000,
    "longhorn-api": 1000,
    "csi-attacher": 900,
    "salvage-controller": 900,
    "share-manager-controller": 900,
    "snapshot-controller": _CONTROLLER,
    "backup-controller": _CONTROLLER,
    "volume-clone-controller": _CONTROLLER,
    "volume-eviction-controller": _CONTROLLER,
    "bim-ds-controller": _CONTROLLER,
    "volume-rebuilding-controller": _CONTROLLER,
}
FRONTEND: t.Final = "disableFrontend"
ATTACHED_BY: t.Final = "lastAttachedBy"
#: A ticket that does not mind whether the volume has a frontend.
ANY: t.Final = "any"


def new(volume: Object) -> Object:
    """A volume's VolumeAttachment, without tickets."""
    name = volume["metadata"]["name"]
    return {
        "kind": "VolumeAttachment",
        "metadata": {
            "name": name,
            "namespace": names.NAMESPACE,
            "labels": {names.VOLUME_LABEL: name},
            "finalizers": [names.FINALIZER],
            "ownerReferences": [owner_reference(volume)],
        },
        "spec": {"volume": name, "attachmentTickets": {}},
    }


def ticket(
    *, identity: str, kind: str, node: str, disable_frontend: str = ANY, attached_by: str = "", generation: int = 0
) -> Object:
    """A ticket as it stands in the specification."""
    return {
        "id": identity,
        "type": kind,
        "nodeID": node,
        "generation": generation,
        "parameters": {FRONTEND: disable_frontend, ATTACHED_BY: attached_by},
    }


@dataclasses.dataclass(frozen=True)
class Request:
    """What the tickets ask of the volume, and how each of them fares."""

    spec: Object
    status: Object


def requested(attachment: Object, volume: Object, *, now: str) -> Request:
    """The volume's specification as its tickets want it: detached while nobody asks for the node that it is on.

    A node written into the volume by hand has no ticket, so it goes away again.
    """
    spec = volume["spec"]
    tickets = list((attachment["spec"].get("attachmentTickets") or {}).values())
    tickets.sort(key=lambda item: (-_PRIORITIES.get(item.get("type", ""), 0), item.get("id", "")))
    if spec["nodeID"] and not any(_fits(item, spec) for item in tickets):
        spec = {**spec, "nodeID": "", FRONTEND: False, ATTACHED_BY: ""}
    elif tickets and not spec["nodeID"] and (volume.get("status") or {}).get("state") == "detached":
        first = tickets[0]
        wanted = first.get("parameters") or {}
        spec = {
            **spec,
            "nodeID": first["nodeID"],
            FRONTEND: wanted.get(FRONTEND) in ("true", ANY),
            ATTACHED_BY: wanted.get(ATTACHED_BY, ""),
        }
    old = (attachment.get("status") or {}).get("attachmentTicketStatuses") or {}
    told = {item["id"]: _status(item, volume, old.get(item["id"]) or {}, now=now) for item in tickets}
    return Request(spec, {"attachmentTicketStatuses": told})


def _fits(item: Object, spec: Object) -> bool:
    wanted = (item.get("parameters") or {}).get(FRONTEND, ANY)
    return item.get("nodeID") == spec["nodeID"] and wanted in (ANY, str(spec[FRONTEND]).lower())


def _status(item: Object, volume: Object, old: Object, *, now: str) -> Object:
    status = volume.get("status") or {}
    there = status.get("state") == "attached" and status.get("currentNodeID") == volume["spec"]["nodeID"]
    satisfied = there and _fits(item, volume["spec"])
    message = "" if satisfied else f"volume {volume['metadata']['name']} is not attached as this ticket asks"
    told = decide.condition("Satisfied", status=satisfied, at=now, message=message)
    return {
        "id": item["id"],
        "satisfied": satisfied,
        "generation": item.get("generation", 0),
        "conditions": decide.with_condition(old.get("conditions"), told, "list"),
    }
