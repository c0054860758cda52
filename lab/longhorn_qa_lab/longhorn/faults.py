# SPDX-License-Identifier: GPL-3.0-or-later
"""Which engine images misbehave, and how: data only. The engine asks here before it does a command.

A plan is a JSON document: ``{"images": {IMAGE: {"fails": [...], "words": {...}, ...}}}``. It reaches the lab in the
ConfigMap named below and adds to, or replaces, the rows of the images everybody knows.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

CONFIG_MAP: t.Final = "longhorn-qa-lab-faults"
PLAN_KEY: t.Final = "plan.json"

#: Fault word -> (the engine command it breaks, what a broken engine says). The proxy of 1.3 and later calls no command
#: on snapshots; there only an engine that is built to refuse inside its replicas fails.
OPERATIONS: t.Final[t.Mapping[str, tuple[str, str]]] = {
    "snapshot-delete": ("snapshot rm", "stubbed snapshot deletion for testing"),
    "backup-delete": ("backup rm", "stubbed backup deletion for testing"),
    "snapshot-create": ("snapshot create", "stubbed snapshot creation for testing"),
    "backup-create": ("backup create", "stubbed backup creation for testing"),
    "snapshot-purge": ("snapshot purge", "stubbed snapshot purge for testing"),
    "snapshot-delete-rpc": ("DiskMarkAsRemoved", "patched replica refuses to mark a disk as removed"),
}


class BadFaultPlan(ValueError):
    """A plan that cannot be understood; the message says which entry and why."""


@dataclasses.dataclass(frozen=True)
class ImageFaults:
    """How one engine image behaves."""

    fails: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    cli_version: int | None = None
    cli_min_version: int | None = None
    controller_version: int | None = None
    deploys: bool = True
    #: Whether nobody writes to volumes that run it.
    idle: bool = False
    upload_seconds: float = 0.0

    def words(self, command: str) -> str | None:
        """What this image says when the command is called; None: it does its work."""
        return self.fails.get(command)


@dataclasses.dataclass(frozen=True)
class FaultPlan:
    """All images with a behaviour of their own."""

    images: t.Mapping[str, ImageFaults]

    def of(self, image: str) -> ImageFaults:
        return self.images.get(image, _SOUND)


_SOUND = ImageFaults()


def _fails(*names: str) -> dict[str, str]:
    return dict(OPERATIONS[name] for name in names)


def _of_june_2020(*names: str) -> ImageFaults:
    return ImageFaults(_fails(*names), cli_version=3, cli_min_version=3, controller_version=3)


#: The images of the manual page, and two more.
KNOWN: t.Final = FaultPlan(
    {
        "quay.io/ttpcodes/longhorn-engine:no-cleanup": _of_june_2020("snapshot-delete", "backup-delete"),
        "quay.io/ttpcodes/longhorn-engine:no-cleanup-backup": _of_june_2020("backup-delete"),
        # Its third combination, to see what a failing deletion of snapshots does alone.
        "longhorn-qa.example/longhorn-engine:no-cleanup-snapshot": _of_june_2020("snapshot-delete"),
        # What a person would have to build: an engine of the same release that refuses inside its replicas.
        "longhorn-qa.example/longhorn-engine:no-cleanup-patched": ImageFaults(_fails("snapshot-delete-rpc")),
    }
)


def parse(text: str) -> FaultPlan:
    """The known images plus a plan's; an empty text is no plan."""
    if not text.strip():
        return KNOWN
    try:
        document = json.loads(text)
    except ValueError as error:
        raise BadFaultPlan(f"{CONFIG_MAP}/{PLAN_KEY} is not JSON: {error}") from error
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(images, dict) or set(document) != {"images"}:
        raise BadFaultPlan(f"{CONFIG_MAP}/{PLAN_KEY}: expected an object with the key 'images' and no other")
    return FaultPlan({**KNOWN.images, **{image: _image(image, entry) for image, entry in images.items()}})


_KEYS: t.Final = frozenset(("fails", "words", "cliAPIVersion", "cliAPIMinVersion", "deploys", "idle"))


def _image(image: str, entry: object) -> ImageFaults:
    if not isinstance(entry, dict):
        raise BadFaultPlan(f"fault plan, image {image}: expected an object")
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        known = ", ".join(sorted(_KEYS))
        raise BadFaultPlan(f"fault plan, image {image}: unknown key {', '.join(unknown)}; known: {known}")
    words = entry.get("words", {})
    fails = {}
    for name in entry.get("fails", []):
        if name not in OPERATIONS:
            raise BadFaultPlan(f"fault plan, image {image}: unknown fault {name!r}; known: {', '.join(OPERATIONS)}")
        command, usual = OPERATIONS[name]
        fails[command] = str(words.get(name, usual))
    return ImageFaults(
        fails,
        cli_version=entry.get("cliAPIVersion"),
        cli_min_version=entry.get("cliAPIMinVersion"),
        deploys=bool(entry.get("deploys", True)),
        idle=bool(entry.get("idle", False)),
    )


def git_commit(image: str) -> str:
    """A commit per image: different builds differ, which a live upgrade needs."""
    return hashlib.sha1(image.encode(), usedforsecurity=False).hexdigest()
