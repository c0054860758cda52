# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes: create, attach, upgrade, detach, delete.

Longhorn overwrites the engine image on creation since 1.3, so a volume is always created with the default image and
moved to the wanted one afterwards, which works the same way on every release. Where it is to be attached is a field of
the volume up to 1.4, and a matter of tickets since.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import engine_image as engine_images
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.attachment import Ticket
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.conditions import unmet
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.engine_image import EngineImage
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import (
    InvalidRequest,
    Plan,
    Step,
    refuse_foreign,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress, done, failed, pending
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job import RecurringJob
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job_object import (
    group_steps,
    groups_of,
    jobs_of,
)

FRONTENDS = ("blockdev", "iscsi")
_UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE = re.compile(r"(\d{1,19})(Ki|Mi|Gi|Ti|k|M|G|T)?")
_GRAIN = 2 * 2**20  # sizes are rounded up to this
_LARGEST = 2**63 - _GRAIN  # bytes that an API's integer can still hold
_AUTOMATIC_UPGRADE = "concurrent-automatic-engine-upgrade-per-node-limit"
_SAME_COMMIT_ALLOWED = "allow-live-engine-upgrade-on-same-image-commit"

State = t.Literal["present", "absent", "attached", "detached"]


@dataclass(frozen=True)
class Volume:
    """A Volume object as far as it matters here. A half-born one has an empty state."""

    name: str
    uid: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    size: int = 0
    number_of_replicas: int = 0
    frontend: str = ""
    data_engine: str = ""
    engine_image: str = ""  # wanted
    node: str = ""  # wanted
    disable_frontend: bool = False
    strict_local: bool = False
    standby: bool = False
    migrating: bool = False
    state: str = ""
    robustness: str = ""
    current_image: str = ""
    current_node: str = ""
    unscheduled: str = ""  # why no place was found for a replica; empty when there is one
    recurring_jobs: tuple[RecurringJob, ...] = ()
    tickets: tuple[Ticket, ...] | None = None  # None: this release has none
    deleting: bool = False

    @classmethod
    def from_object(cls, document: Mapping[str, t.Any], *, tickets: tuple[Ticket, ...] | None = None) -> Volume:
        """From the custom resource. With ``tickets`` they tell what is wanted, not the volume."""
        volume = cls._from_fields(document)
        if tickets is None:
            return volume
        lasting = sorted((one for one in tickets if one.by_request or one.by_workload), key=lambda one: one.by_workload)
        node, disable = (lasting[0].node, lasting[0].disable_frontend) if lasting else ("", False)
        return replace(volume, tickets=tickets, node=node, disable_frontend=disable)

    @classmethod
    def _from_fields(cls, document: Mapping[str, t.Any]) -> Volume:
        metadata, spec, status = (document.get(part) or {} for part in ("metadata", "spec", "status"))
        return cls(
            name=str(metadata.get("name", "")),
            uid=str(metadata.get("uid", "")),
            labels=dict(metadata.get("labels") or {}),
            size=int(spec.get("size") or 0),
            number_of_replicas=int(spec.get("numberOfReplicas") or 0),
            frontend=str(spec.get("frontend") or ""),
            data_engine=str(spec.get("dataEngine") or spec.get("backendStoreDriver") or ""),  # renamed in 1.6
            engine_image=str(spec.get("image") or spec.get("engineImage") or ""),  # renamed in 1.6
            node=str(spec.get("nodeID") or ""),
            disable_frontend=bool(spec.get("disableFrontend")),
            strict_local=spec.get("dataLocality") == "strict-local",
            standby=bool(spec.get("Standby")),
            migrating=bool(spec.get("migrationNodeID")),
            state=str(status.get("state") or ""),
            robustness=str(status.get("robustness") or ""),
            current_image=str(status.get("currentImage") or ""),
            current_node=str(status.get("currentNodeID") or ""),
            unscheduled=unmet(status.get("conditions"), "scheduled"),
            recurring_jobs=tuple(RecurringJob.from_object(job) for job in spec.get("recurringJobs") or ()),
            deleting=bool(metadata.get("deletionTimestamp")),
        )

    @property
    def seen(self) -> str:
        """Its state in the words of messages."""
        told = f"state={self.state or 'none yet'} robustness={self.robustness or 'unknown'}"
        told += f" ({self.unscheduled})" if self.unscheduled else ""
        return ", ".join([told, *(ticket.told for ticket in self.tickets or () if ticket.unmet)])

    def summary(self) -> dict[str, t.Any]:
        """What a module returns."""
        return {
            "name": self.name,
            "size": self.size,
            "number_of_replicas": self.number_of_replicas,
            "frontend": self.frontend,
            "engine_image": self.current_image or self.engine_image,
            "node": self.current_node,
            "disable_frontend": self.disable_frontend,
            "state": self.state,
            "robustness": self.robustness,
            "recurring_jobs": [job.summary() for job in self.recurring_jobs]
            or [{"name": job} for job in jobs_of(self.labels)],
            "recurring_job_groups": list(groups_of(self.labels)),
        }


@dataclass(frozen=True)
class Desired:
    """What is wanted; an empty text, 0 or None leaves a property as it is, or to Longhorn's default."""

    name: str
    state: State = "present"
    size: int = 0
    number_of_replicas: int = 0
    frontend: str = ""
    engine_image: str = ""
    node: str = ""
    disable_frontend: bool | None = None
    groups: tuple[str, ...] | None = None  # of recurring jobs
    run_id: str = ""

    def body(self) -> dict[str, t.Any]:
        """What creation sends. The engine image is not in it: see above."""
        body: dict[str, t.Any] = {
            "name": self.name, "size": str(self.size), "frontend": self.frontend or "blockdev",
        }  # fmt: skip
        return {**body, "numberOfReplicas": self.number_of_replicas} if self.number_of_replicas else body


def parse_size(text: str) -> int:
    """Bytes of a Kubernetes quantity, rounded up as Longhorn does; InvalidRequest if it is none."""
    match = _SIZE.fullmatch(text.strip())
    size = int(match[1]) * _UNITS[match[2] or ""] if match else 0
    if not 0 < size <= _LARGEST:
        raise InvalidRequest(f"size {text[:40]!r} is not a number of bytes or a quantity such as 32Mi or 1Gi")
    return -(-size // _GRAIN) * _GRAIN


@dataclass(frozen=True)
class Surroundings:
    """What a plan depends on beside the volume: engine images by their reference, and Longhorn's settings."""

    default_image: str
    images: Mapping[str, EngineImage] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    groups_known: bool = True  # this release has groups of recurring jobs


def plan(existing: Volume | None, desired: Desired, around: Surroundings) -> Plan:
    """How to get there."""
    validate(desired)
    refuse_foreign(f"volume {desired.name}", existing.labels if existing else None, run_id=desired.run_id)
    before = _shown(existing)
    if desired.state == "absent":
        if existing is None or existing.deleting:
            return Plan(before=before, after=before)
        return Plan(before=before, after=_shown(None), steps=(Step("delete", f"delete volume {desired.name}"),))
    if existing is not None and existing.deleting:
        existing = None  # whoever carries this out waits until it is gone
    if existing is not None:
        _refuse_unchangeable(existing, desired)
    elif not desired.size:
        raise InvalidRequest(f"volume {desired.name} does not exist yet, so size is needed to create it")
    if desired.groups is not None and not around.groups_known:
        raise InvalidRequest(f"volume {desired.name}: groups of recurring jobs need Longhorn 1.2 or later")
    steps = _Steps(existing, desired, around)
    steps.create()
    steps.groups()
    steps.detach_first()
    steps.upgrade()
    steps.attach()
    return Plan(before=steps.before, after=steps.after, steps=tuple(steps.steps), missing=tuple(steps.missing))


class _Steps:
    """The steps towards a volume that is to exist, collected in order; knows what each leaves behind."""

    def __init__(self, existing: Volume | None, desired: Desired, around: Surroundings) -> None:
        self.existing = existing
        self.desired = desired
        self.around = around
        self.steps: list[Step] = []
        self.missing: list[str] = []
        self.attached = existing is not None and bool(existing.node)
        self.image = (existing.engine_image or existing.current_image) if existing else around.default_image
        self.before, self.after = _shown(existing), _shown(existing)

    def create(self) -> None:
        """A volume that is not there is made with the default engine image, detached."""
        if self.existing is not None:
            return
        desired = self.desired
        self._step("create", f"create volume {desired.name} of {desired.size} bytes", desired.body())
        self.after = {
            "state": "detached", "size": desired.size, "engine_image": self.image, "node": "",
            "disable_frontend": False,
        }  # fmt: skip

    def groups(self) -> None:
        """Into the groups of recurring jobs that are wanted, and out of all others."""
        wanted, labels = self.desired.groups, self.existing.labels if self.existing else {}
        if wanted is None:
            return
        self.before |= {"recurring_job_groups": sorted(groups_of(labels))}
        steps = group_steps(self.desired.name, labels, wanted)
        self.steps += steps
        self.after |= {"recurring_job_groups": sorted(wanted) if steps else sorted(groups_of(labels))}

    def detach_first(self) -> None:
        """To move it, to change its frontend, or because that is what is wanted."""
        desired, existing = self.desired, self.existing
        if not self.attached or existing is None:
            return
        elsewhere = bool(desired.node) and desired.node != existing.node
        other_frontend = desired.disable_frontend is not None and desired.disable_frontend != existing.disable_frontend
        if desired.state == "detached" or (desired.state == "attached" and (elsewhere or other_frontend)):
            _refuse_workload(existing)
            tickets = [ticket.id for ticket in existing.tickets or () if ticket.by_request]
            self._step("detach", f"detach volume {desired.name} from node {existing.node}", {"tickets": tickets})
            self.attached = False
            self.after |= {"state": "detached", "node": "", "disable_frontend": False}

    def upgrade(self) -> None:
        """To the wanted engine image: at once when detached, live under Longhorn's conditions otherwise."""
        wanted = self.desired.engine_image
        if not wanted or wanted == self.image:
            return
        new = self.around.images.get(wanted)
        if new is None:
            self.missing.append(f"engine image {wanted} is not registered; make it with longhorn_engine_image first")
        elif engine_images.ready(new).state == "failed":
            raise InvalidRequest(
                f"engine image {wanted} ({new.name}) cannot be used: {engine_images.ready(new).reason}"
            )
        _refuse_upgrade(self.existing, self.desired, self.around)
        if new is not None and self.attached and self.existing is not None:
            _refuse_live(self.existing, new, self.around)
        how = "live" if self.attached else "while it is detached"
        message = f"upgrade the engine of volume {self.desired.name} {how} from {self.image} to {wanted}"
        self._step("upgrade", message, {"image": wanted, "live": self.attached})
        self.after |= {"engine_image": wanted}

    def attach(self) -> None:
        """To the wanted node, or to any that the caller finds when none is named."""
        desired = self.desired
        if desired.state != "attached" or self.attached:
            return
        kept = self.existing.disable_frontend if self.existing and self.existing.node else False
        disable = kept if desired.disable_frontend is None else desired.disable_frontend
        node = desired.node or (self.existing.node if self.existing else "")
        frontend = "without frontend" if disable else "with its frontend"
        self._step(
            "attach",
            f"attach volume {desired.name} to {f'node {node}' if node else 'the first ready node'} {frontend}",
            {"node": node, "disable_frontend": disable},
        )
        self.after |= {"state": "attached", "node": node, "disable_frontend": disable}

    def _step(self, action: str, message: str, arguments: Mapping[str, t.Any] | None = None) -> None:
        self.steps.append(Step(action, message, arguments or {}))


def validate(desired: Desired) -> None:
    """InvalidRequest for what can be told without a cluster."""
    problems = names.volume_name_problems(desired.name) + names.run_id_problems(desired.run_id)
    if desired.engine_image:
        problems += names.image_problems(desired.engine_image)
    if desired.frontend and desired.frontend not in FRONTENDS:
        problems.append(f"frontend {desired.frontend!r} is unknown; known are {', '.join(FRONTENDS)}")
    if desired.number_of_replicas < 0:
        problems.append(f"number_of_replicas {desired.number_of_replicas} is not allowed; it must be at least 1")
    if problems:
        raise InvalidRequest("; ".join(problems))


def _refuse_unchangeable(existing: Volume, desired: Desired) -> None:
    """What only a new volume can have."""
    wanted = {"size": desired.size, "number_of_replicas": desired.number_of_replicas, "frontend": desired.frontend}
    for name, value in wanted.items():
        has = getattr(existing, name)
        if value and value != has:
            raise InvalidRequest(
                f"volume {existing.name} exists with {name} {has}, not {value}, and this module does not change that: "
                "delete the volume first, or ask for what it has"
            )
    if existing.robustness == "faulted":
        raise InvalidRequest(
            f"volume {existing.name} is faulted (seen {existing.seen}): it has no usable replica left. "
            "Delete it, or salvage it in Longhorn, before using it again"
        )


def _refuse_workload(existing: Volume) -> None:
    held = [ticket.told for ticket in existing.tickets or () if ticket.by_workload]
    if held:
        raise InvalidRequest(
            f"volume {existing.name} is used by a pod and is not detached: {'; '.join(held)}. Delete the pod first"
        )


def _refuse_upgrade(existing: Volume | None, desired: Desired, around: Surroundings) -> None:
    """What Longhorn does not upgrade, attached or not."""
    wanted, limit = desired.engine_image, around.settings.get(_AUTOMATIC_UPGRADE, "")
    problems = []
    if limit not in ("", "0") and wanted != around.default_image:
        problems.append(
            f"Longhorn moves every volume to the default engine image by itself and allows no other, because setting "
            f"{_AUTOMATIC_UPGRADE} is {limit}: set it to 0 first"
        )
    if existing is not None and existing.data_engine == "v2":
        problems.append("it has data engine v2, which has no engine image of its own")
    if existing is not None and existing.migrating:
        problems.append("it is being migrated: wait until that has ended")
    if existing is not None and existing.current_image not in ("", existing.engine_image, wanted):
        problems.append(
            f"it is already being upgraded from {existing.current_image} to {existing.engine_image}: "
            "wait for that, or upgrade it back first"
        )
    if problems:
        raise InvalidRequest(f"volume {desired.name} cannot be upgraded to {wanted}: {'; '.join(problems)}")


def _refuse_live(existing: Volume, new: EngineImage, around: Surroundings) -> None:
    same_commit = around.settings.get(_SAME_COMMIT_ALLOWED) == "true"
    problems = engine_images.live_upgrade_problems(
        around.images.get(existing.engine_image or existing.current_image), new, same_commit=same_commit
    )
    if existing.strict_local:
        problems.insert(0, "it is strict-local")
    if existing.standby:
        problems.insert(0, "it is a standby volume")
    if existing.state != "attached" or existing.robustness != "healthy":
        problems.insert(0, f"it has to be attached and healthy (seen {existing.seen})")
    if problems:
        raise InvalidRequest(
            f"volume {existing.name} cannot be upgraded to {new.image} while it is attached: {'; '.join(problems)}. "
            "Detach it first (state=detached), then upgrade"
        )


def _shown(existing: Volume | None) -> dict[str, t.Any]:
    """What a diff compares: only what this module can change."""
    if existing is None:
        return {"state": "absent", "size": 0, "engine_image": "", "node": "", "disable_frontend": False}
    attached = bool(existing.node)
    return {
        "state": "attached" if attached else "detached",
        "size": existing.size,
        "engine_image": existing.engine_image or existing.current_image,
        "node": existing.node,
        "disable_frontend": existing.disable_frontend if attached else False,
    }


def settled(volume: Volume | None, *, desired: Desired) -> Progress:
    """Whether the volume is as wanted, with everything done that Longhorn does afterwards."""
    if desired.state == "absent":
        return done("gone") if volume is None else pending(volume.seen)
    if volume is None:
        return pending("the volume does not exist")
    if volume.robustness == "faulted":
        return failed(f"{volume.seen}: it has no usable replica left")
    if desired.engine_image and volume.current_image != desired.engine_image:
        return pending(f"{volume.seen} currentImage={volume.current_image or 'none yet'}")
    if desired.state == "attached":
        return attached(volume, node=desired.node)
    if desired.state == "detached" or not volume.node:
        return detached(volume)
    return attached(volume)


def detached(volume: Volume | None) -> Progress:
    """Whether it rests: created, or detached."""
    if volume is None:
        return pending("the volume does not exist")
    if volume.robustness == "faulted":
        return failed(f"{volume.seen}: it has no usable replica left")
    if volume.state == "detached":
        return done(volume.seen)
    return pending(", ".join([volume.seen, *(f"held by {ticket.told}" for ticket in volume.tickets or ())]))


def attached(volume: Volume | None, *, node: str = "") -> Progress:
    """Whether its engine runs, on the wanted node, with a usable replica."""
    if volume is None:
        return pending("the volume does not exist")
    if volume.robustness == "faulted":
        return failed(f"{volume.seen}: it has no usable replica left")
    seen = f"{volume.seen} node={volume.current_node or 'none'}"
    on_node = not node or volume.current_node == node
    running = volume.state == "attached" and volume.robustness in ("healthy", "degraded")
    return done(seen) if running and on_node else pending(seen)


def upgraded(volume: Volume | None, *, image: str) -> Progress:
    """Whether it runs, or would run, with this engine image."""
    if volume is None:
        return pending("the volume does not exist")
    if volume.robustness == "faulted":
        return failed(f"{volume.seen}: it has no usable replica left")
    seen = f"{volume.seen} currentImage={volume.current_image or 'none yet'}"
    return done(seen) if volume.current_image == image else pending(seen)
