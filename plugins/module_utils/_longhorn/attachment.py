# SPDX-License-Identifier: GPL-3.0-or-later
"""Who wants a volume attached, since 1.5: tickets, of which the weightiest decides where the engine runs.

A node that is written into the volume without a ticket is taken out again, so the tickets are the request, and the
volume's own fields only tell what became of it.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.conditions import unmet

OURS = "longhorn-qa"  # the ticket that modules of this collection hold
_BY_REQUEST = "longhorn-api"  # this collection, Longhorn's user interface, people
_BY_WORKLOAD = ("csi-attacher", "share-manager-controller")  # a pod uses the volume


@dataclass(frozen=True)
class Ticket:
    """One request for an engine on a node."""

    id: str
    type: str
    node: str
    disable_frontend: bool = False
    unmet: str = ""  # why it is not satisfied, in Longhorn's words

    @property
    def by_request(self) -> bool:
        """Somebody asked for it and has to take it back."""
        return self.type == _BY_REQUEST

    @property
    def by_workload(self) -> bool:
        """It is held for as long as a pod uses the volume."""
        return self.type in _BY_WORKLOAD

    @property
    def told(self) -> str:
        """In the words of messages."""
        return f"{self.type} {self.id!r} wants it on node {self.node}" + (f" ({self.unmet})" if self.unmet else "")


def tickets_of(document: Mapping[str, t.Any]) -> tuple[Ticket, ...]:
    """The tickets of a VolumeAttachment, by their names."""
    asked = (document.get("spec") or {}).get("attachmentTickets") or {}
    answered = (document.get("status") or {}).get("attachmentTicketStatuses") or {}
    return tuple(_ticket(name, asked[name], answered.get(name) or {}) for name in sorted(asked))


def _ticket(name: str, asked: Mapping[str, t.Any], answered: Mapping[str, t.Any]) -> Ticket:
    parameters = asked.get("parameters") or {}
    return Ticket(
        id=name,
        type=str(asked.get("type") or ""),
        node=str(asked.get("nodeID") or ""),
        disable_frontend=parameters.get("disableFrontend") == "true",
        unmet=unmet(answered.get("conditions"), "satisfied"),
    )
