# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes: created with the default engine image, moved to the wanted one, attached, detached, deleted."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, Refused
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import attachment, engine_image, names, volume
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import Plan, Step
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.volume import (
    Desired,
    Surroundings,
    Volume,
)
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import (
    Fixtures,
    check_timeout,
    require,
    result,
    told,
)

_ADVICE = "Look at the volume's conditions and at the longhorn-manager log."


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module: one volume is as wanted."""
    with told():
        desired = _desired(params)
        volume.validate(desired)
    if params.get("snapshots") and desired.state != "attached":
        raise BadInput(
            "only an attached volume can take snapshots",
            subject=f"volume {desired.name}",
            expected="the option state to be attached",
            seen=desired.state,
        )
    check_timeout(params)
    here = Fixtures(params, client=client, clock=clock)
    default = here.require_longhorn(params)
    existing = here.objects.volume_with_tickets(desired.name)
    with told():
        plan = volume.plan(existing, desired, _surroundings(here, desired, default_image=default))
    warnings = require(plan, subject=f"volume {desired.name}", check_mode=check_mode)
    if not check_mode:
        run_ = _Run(here, desired, default_image=default)
        run_.carry_out(plan, existing)
        existing = here.objects.volume_with_tickets(desired.name)
    taken = _take_snapshots(here, params, existing=existing, check_mode=check_mode)
    done = result(plan, warnings=warnings, volume=_summary(existing, desired, planned=plan if check_mode else None))
    return {**done, "changed": done["changed"] or bool(taken), "actions": [*done["actions"], *taken]}


def _take_snapshots(
    here: Fixtures, params: Mapping[str, t.Any], *, existing: Volume | None, check_mode: bool
) -> list[str]:
    """Those of the wanted snapshots that the volume does not have yet; they are nobody's but the user's."""
    wanted = params.get("snapshots") or ()
    if not wanted:
        return []
    name = params["name"]
    found = here.manager.snapshots(name) if existing is not None and existing.state == "attached" else ()
    there = {snapshot.name for snapshot in found}
    missing = [snapshot for snapshot in wanted if snapshot not in there]
    if not check_mode:
        for snapshot in missing:
            here.manager.create_snapshot(name, snapshot)
    return [f"take snapshot {snapshot} of volume {name}" for snapshot in missing]


def _desired(params: Mapping[str, t.Any]) -> Desired:
    size, groups = params.get("size") or "", params.get("recurring_job_groups")
    return Desired(
        name=params["name"],
        state=params["state"],
        size=volume.parse_size(str(size)) if size else 0,
        number_of_replicas=params.get("number_of_replicas") or 0,
        frontend=params.get("frontend") or "",
        engine_image=params.get("engine_image") or "",
        node=params.get("node") or "",
        disable_frontend=params.get("disable_frontend"),
        groups=None if groups is None else tuple(dict.fromkeys(groups)),
        run_id=params.get("run_id") or "",
    )


def _surroundings(here: Fixtures, desired: Desired, *, default_image: str) -> Surroundings:
    """Engine images and settings only matter when the engine image is named."""
    known = here.objects.shape.job_objects
    if not desired.engine_image:
        return Surroundings(default_image, groups_known=known)
    images = {image.image: image for image in here.objects.engine_images()}
    return Surroundings(default_image, images, here.objects.settings(), groups_known=known)


class _Run:
    """Carries a plan out. Each step's end is waited for whenever another one follows, which needs it."""

    def __init__(self, here: Fixtures, desired: Desired, *, default_image: str) -> None:
        self._here = here
        self._desired = desired
        self._default = default_image

    def carry_out(self, plan: Plan, existing: Volume | None) -> None:
        """All steps, then the wanted state as a whole."""
        steps: dict[str, Callable[[Step], None]] = {
            "create": self._create, "detach": self._detach, "upgrade": self._upgrade,
            "attach": self._attach, "delete": self._delete, "label": self._label,
        }  # fmt: skip
        if existing is not None and existing.deleting and plan.steps:
            self._wait(lambda found: volume.settled(found, desired=Desired(self._desired.name, "absent")), "gone")
        after: Callable[[], None] | None = None
        for step in plan.steps:
            if after is not None:
                after()
            steps[step.action](step)
            after = self._end_of(step)
        if self._here.waits:
            self._wait(lambda found: volume.settled(found, desired=self._desired), self._expected())

    def _create(self, step: Step) -> None:
        self._here.manager.create_volume(step.arguments)
        self._here.objects.mark("volumes", self._desired.name, run_id=self._desired.run_id)

    def _detach(self, step: Step) -> None:
        for ticket in step.arguments["tickets"] if self._tickets else (None,):
            self._here.manager.detach(self._desired.name, ticket=ticket)

    def _upgrade(self, step: Step) -> None:
        image, name = step.arguments["image"], self._desired.name
        nodes = self._here.objects.replica_nodes(name) | self._engine_nodes(step)
        self._here.wait(
            lambda: self._here.objects.engine_image(names.engine_image_name(image)),
            lambda found: engine_image.ready(found, nodes),
            subject=f"engine image {image}",
            expected="that it can be used on the volume's nodes",
        )
        if step.arguments["live"]:
            self._judge_again()
        self._here.manager.upgrade_engine(name, image=image)

    def _judge_again(self) -> None:
        """Only when the image is deployed it is known whether a running volume can be moved to it."""
        existing = self._here.objects.volume_with_tickets(self._desired.name)
        around = _surroundings(self._here, self._desired, default_image=self._default)
        with told():
            volume.plan(existing, self._desired, around)

    def _engine_nodes(self, step: Step) -> frozenset[str]:
        """Where the engine runs, or is to run."""
        existing = self._here.objects.volume(self._desired.name) if step.arguments["live"] else None
        nodes = (self._desired.node, existing.current_node if existing else "")
        return frozenset(node for node in nodes if node)

    def _attach(self, step: Step) -> None:
        node = step.arguments["node"] or self._some_node()
        self._here.manager.attach(
            self._desired.name,
            node=node,
            disable_frontend=bool(step.arguments["disable_frontend"]),
            ticket=attachment.OURS if self._tickets else "",
        )

    @property
    def _tickets(self) -> bool:
        return self._here.objects.shape.attachment_tickets

    def _label(self, step: Step) -> None:
        self._here.objects.label("volumes", self._desired.name, step.arguments["labels"])

    def _delete(self, _step: Step) -> None:
        self._here.manager.delete_volume(self._desired.name)

    def _end_of(self, step: Step) -> Callable[[], None] | None:
        if step.action in ("create", "detach"):
            return lambda: self._wait(volume.detached, "state detached")
        if step.action == "upgrade":
            image = step.arguments["image"]
            return lambda: self._wait(lambda found: volume.upgraded(found, image=image), f"engine image {image}")
        return None

    def _some_node(self) -> str:
        """The first ready node, if possible one that has the volume's engine image."""
        nodes = self._here.objects.nodes()
        ready = [node.name for node in nodes if node.ready]
        if ready:
            existing = self._here.objects.volume(self._desired.name)
            image = names.engine_image_name(existing.current_image) if existing else ""
            found = self._here.objects.engine_image(image) if image else None
            without = found.missing_on(ready) if found else []
            return next((node for node in ready if node not in without), ready[0])
        seen = ", ".join(f"{node.name} ({node.reason or 'not ready'})" for node in nodes)
        raise Refused(
            "no node of Longhorn's is ready, so there is none to attach it to",
            subject=f"volume {self._desired.name}",
            expected="a ready node",
            seen=seen or "no nodes",
        )

    def _wait(self, check: Callable[[Volume | None], Progress], expected: str) -> None:
        self._here.wait(
            lambda: self._here.objects.volume_with_tickets(self._desired.name),
            check,
            subject=f"volume {self._desired.name}",
            expected=expected,
            advice=_ADVICE,
        )

    def _expected(self) -> str:
        words = {"absent": "gone", "attached": "state attached", "detached": "state detached", "present": "at rest"}
        image = f", engine image {self._desired.engine_image}" if self._desired.engine_image else ""
        return words[self._desired.state] + (image if self._desired.state != "absent" else "")


def _summary(existing: Volume | None, desired: Desired, *, planned: Plan | None) -> dict[str, t.Any]:
    """What is there now; in check mode, what would be."""
    shown = existing or Volume(name=desired.name, state="" if planned else "absent")
    summary = shown.summary()
    if planned is not None and planned.changed:
        summary |= dict(planned.after)
    return summary
