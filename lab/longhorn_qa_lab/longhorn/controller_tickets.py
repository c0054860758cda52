# SPDX-License-Identifier: GPL-3.0-or-later
"""Attachment tickets of the manager's own controllers, from 1.5 on: a detached volume is attached for their work."""

from __future__ import annotations

from longhorn_qa_lab.longhorn import attachments, world
from longhorn_qa_lab.longhorn.context import Context
from longhorn_qa_lab.longhorn.decide import Object


def hold(context: Context, volume: str, *, controller: str, subject: str) -> None:
    """Ask for the volume on this node; once is enough."""
    identity = f"{controller}-{subject}"
    if not _has(context, volume, identity, wanted=False):
        return
    ticket = attachments.ticket(identity=identity, kind=controller, node=context.node)

    def change(document: Object) -> None:
        document["spec"]["attachmentTickets"] = {**(document["spec"].get("attachmentTickets") or {}), identity: ticket}

    context.cluster.update(world.VOLUME_ATTACHMENTS, volume, change)


def drop(context: Context, volume: str, *, controller: str, subject: str) -> None:
    """The work is done: the volume may go."""
    identity = f"{controller}-{subject}"
    if not _has(context, volume, identity, wanted=True):
        return

    def change(document: Object) -> None:
        (document["spec"].get("attachmentTickets") or {}).pop(identity, None)

    context.cluster.update(world.VOLUME_ATTACHMENTS, volume, change)


def _has(context: Context, volume: str, identity: str, *, wanted: bool) -> bool:
    """Whether there is an attachment, and the ticket is in it or not, as wanted."""
    if context.release.attachment != "tickets":
        return False
    found = context.cluster.find(world.VOLUME_ATTACHMENTS, volume)
    return found is not None and (identity in (found["spec"].get("attachmentTickets") or {})) is wanted
