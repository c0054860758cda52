# SPDX-License-Identifier: GPL-3.0-or-later
"""Engine images: what one looks like, what to do to have or lose one, and when it can be used."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.conditions import unmet
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import InvalidRequest, Plan, Step
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress, done, failed, pending

_READY_STATES = ("ready", "deployed")  # up to 1.1.0, and since


@dataclass(frozen=True)
class EngineImage:
    """An EngineImage object as far as it matters here. A half-born one has an empty state."""

    name: str
    image: str
    state: str = ""
    incompatible: bool = False
    nodes: Mapping[str, bool] | None = None  # where it is deployed; not told up to 1.1.0
    ref_count: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    git_commit: str = ""
    cli_api_version: int = 0
    cli_api_min_version: int = 0
    controller_api_version: int = 0
    controller_api_min_version: int = 0
    reason: str = ""  # the message of its "ready" condition
    deleting: bool = False

    @classmethod
    def from_object(cls, document: Mapping[str, t.Any]) -> EngineImage:
        """From the custom resource."""
        metadata, status = document.get("metadata") or {}, document.get("status") or {}
        deployed = status.get("nodeDeploymentMap")
        state = str(status.get("state") or "")
        return cls(
            name=str(metadata.get("name", "")),
            image=str((document.get("spec") or {}).get("image", "")),
            state=state,
            # A state of its own up to 1.5; since 1.6 it can be deployed and incompatible.
            incompatible=state == "incompatible" or bool(status.get("incompatible")),
            nodes=None if deployed is None else {str(node): bool(there) for node, there in deployed.items()},
            ref_count=int(status.get("refCount") or 0),
            labels=dict(metadata.get("labels") or {}),
            git_commit=str(status.get("gitCommit") or ""),
            cli_api_version=int(status.get("cliAPIVersion") or 0),
            cli_api_min_version=int(status.get("cliAPIMinVersion") or 0),
            controller_api_version=int(status.get("controllerAPIVersion") or 0),
            controller_api_min_version=int(status.get("controllerAPIMinVersion") or 0),
            reason=unmet(status.get("conditions"), "ready"),
            deleting=bool(metadata.get("deletionTimestamp")),
        )

    @property
    def usable(self) -> bool:
        """Whether volumes may be moved to it now, on the nodes that have it."""
        return self.state in _READY_STATES and not self.incompatible and not self.deleting

    def missing_on(self, nodes: Iterable[str]) -> list[str]:
        """Which of these nodes do not have it yet. Up to 1.1.0 "ready" means all nodes."""
        return [] if self.nodes is None else sorted(node for node in set(nodes) if not self.nodes.get(node))

    def summary(self, *, default: bool) -> dict[str, t.Any]:
        """What a module returns and shows."""
        return {
            "name": self.name,
            "image": self.image,
            "state": self.state,
            "incompatible": self.incompatible,
            "ref_count": self.ref_count,
            "default": default,
            "git_commit": self.git_commit,
            "cli_api_version": self.cli_api_version,
            "controller_api_version": self.controller_api_version,
        }


@dataclass(frozen=True)
class Desired:
    """What is wanted. ``default`` None leaves the default engine image as it is."""

    image: str
    state: t.Literal["present", "absent"] = "present"
    default: bool | None = None
    run_id: str = ""

    @property
    def name(self) -> str:
        """The object's name."""
        return names.engine_image_name(self.image)


def plan(existing: EngineImage | None, desired: Desired, *, default_image: str, used_by: Iterable[str] = ()) -> Plan:
    """How to get there. ``used_by``: volumes with this image that are not being deleted."""
    validate(desired)
    if desired.state == "absent":
        return _absent(existing, desired, default_image=default_image, used_by=sorted(used_by))
    return _present(existing, desired, default_image=default_image)


def validate(desired: Desired) -> None:
    """InvalidRequest for what can be told without a cluster."""
    problems = names.image_problems(desired.image) + names.run_id_problems(desired.run_id)
    if problems:
        raise InvalidRequest("; ".join(problems))


def _present(existing: EngineImage | None, desired: Desired, *, default_image: str) -> Plan:
    is_default = default_image == desired.image
    if desired.default is False and is_default:
        raise InvalidRequest(
            f"engine image {desired.image} is the default one and there always is one: "
            "make another image the default instead"
        )
    steps = []
    if existing is None or existing.deleting:
        steps.append(Step("create", f"register engine image {desired.image} as {desired.name}"))
    if desired.default and not is_default:
        steps.append(
            Step(
                "set_default",
                f"make {desired.image} the default engine image instead of {default_image}",
            )
        )
    return Plan(
        before=_shown(existing, default=is_default),
        after={"image": desired.image, "state": "present", "default": bool(desired.default) or is_default},
        steps=tuple(steps),
    )


def _absent(existing: EngineImage | None, desired: Desired, *, default_image: str, used_by: list[str]) -> Plan:
    before = _shown(existing, default=default_image == desired.image)
    after = _shown(None, default=False)
    if existing is None or existing.deleting:
        return Plan(before=before, after=after)
    if desired.run_id and not names.owned_by_run(existing.labels, desired.run_id):
        return Plan(before=before, after=before)  # somebody else's, which the run only used
    if default_image == desired.image:
        raise InvalidRequest(
            f"engine image {desired.image} ({existing.name}) is the default one and cannot be removed: "
            "make another image the default first"
        )
    if used_by:
        raise InvalidRequest(
            f"engine image {desired.image} ({existing.name}) is in use by volume {', '.join(used_by)}: "
            "delete these volumes or move them to another engine image first"
        )
    return Plan(before=before, after=after, steps=(Step("delete", f"remove engine image {desired.image}"),))


def _shown(existing: EngineImage | None, *, default: bool) -> dict[str, t.Any]:
    if existing is None:
        return {"image": "", "state": "absent", "default": False}
    return {"image": existing.image, "state": "present", "default": default}


def ready(existing: EngineImage | None, nodes: Iterable[str] = ()) -> Progress:
    """Whether it can be used on these nodes. Incompatible or broken ones never will be."""
    if existing is None:
        return pending("the engine image does not exist")
    seen = f"state={existing.state or 'none yet'}" + (f" ({existing.reason})" if existing.reason else "")
    if existing.incompatible:
        versions = f"{existing.cli_api_version} (at least {existing.cli_api_min_version})"
        return failed(f"{seen}, its CLI API is {versions}: this Longhorn cannot work with it")
    if existing.state == "error":
        return failed(seen)
    missing = existing.missing_on(nodes) if existing.usable else []
    if missing:
        return pending(f"{seen}, not yet on node {', '.join(missing)}")
    return done(seen) if existing.usable else pending(seen)


def unused(existing: EngineImage | None) -> Progress:
    """Whether nothing refers to it any more, so that it may be removed."""
    if existing is None or existing.ref_count == 0:
        return done("refCount=0")
    return pending(f"refCount={existing.ref_count}")


def gone(existing: EngineImage | None) -> Progress:
    """Whether it was removed."""
    return done("gone") if existing is None else pending(f"state={existing.state} refCount={existing.ref_count}")


def live_upgrade_problems(old: EngineImage | None, new: EngineImage, *, same_commit: bool = False) -> list[str]:
    """Why a running volume cannot be moved from ``old`` to ``new``, apart from the volume's own state.

    ``same_commit``: Longhorn was told to move between images of one commit too (since 1.12). What an image is, is not
    known before it is deployed somewhere; whoever waits for that asks again.
    """
    if old is None:
        return ["its present engine image is not registered any more"]
    if not new.controller_api_version:
        return []
    if old.git_commit and old.git_commit == new.git_commit and not same_commit:
        return [
            f"both engine images are of commit {new.git_commit}, and Longhorn then waits until the volume is detached"
        ]
    if not new.controller_api_min_version <= old.controller_api_version <= new.controller_api_version:
        return [
            f"the present image's controller API {old.controller_api_version} is not within "
            f"{new.controller_api_min_version} to {new.controller_api_version} of the new one"
        ]
    return []
