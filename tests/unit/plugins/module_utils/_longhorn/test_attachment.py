# SPDX-License-Identifier: GPL-3.0-or-later
"""Attachment tickets: read, told apart, told."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.attachment import OURS, Ticket, tickets_of

DOCUMENT = {
    "metadata": {"name": "test-1"},
    "spec": {
        "volume": "test-1",
        "attachmentTickets": {
            OURS: {
                "id": OURS, "type": "longhorn-api", "nodeID": "node-1",
                "parameters": {"disableFrontend": "true", "lastAttachedBy": ""},
            },
            "backup-controller-backup-1": {
                "id": "backup-controller-backup-1", "type": "backup-controller", "nodeID": "node-1",
                "parameters": {"disableFrontend": "any"},
            },
        },
    },
    "status": {
        "attachmentTicketStatuses": {
            OURS: {
                "id": OURS, "satisfied": False,
                "conditions": [{"type": "Satisfied", "status": "False", "message": "the volume is attaching"}],
            },
        },
    },
}  # fmt: skip


def test_tickets_are_read_by_their_names() -> None:
    assert tickets_of(DOCUMENT) == (
        Ticket("backup-controller-backup-1", "backup-controller", "node-1"),
        Ticket(OURS, "longhorn-api", "node-1", disable_frontend=True, unmet="the volume is attaching"),
    )


def test_an_attachment_that_nobody_asked_for_has_no_tickets() -> None:
    assert tickets_of({"metadata": {"name": "test-1"}, "spec": {"volume": "test-1"}}) == ()


def test_requests_workloads_and_controllers_are_told_apart() -> None:
    kinds = {kind: Ticket("x", kind, "n") for kind in ("longhorn-api", "csi-attacher", "snapshot-controller")}
    assert {kind: (one.by_request, one.by_workload) for kind, one in kinds.items()} == {
        "longhorn-api": (True, False),
        "csi-attacher": (False, True),
        "snapshot-controller": (False, False),
    }
