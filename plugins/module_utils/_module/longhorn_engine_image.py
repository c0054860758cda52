# SPDX-License-Identifier: GPL-3.0-or-later
"""Engine images: registered, waited for, made the default, removed."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import TerminalState
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import engine_image, names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.engine_image import Desired, EngineImage
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import Plan
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import (
    Fixtures,
    check_timeout,
    result,
    told,
)


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module: one engine image is there and ready, or gone."""
    desired = Desired(
        image=params["image"],
        state=params["state"],
        default=params.get("default"),
        run_id=params.get("run_id") or "",
    )
    with told():
        engine_image.validate(desired)
    check_timeout(params)
    here = Fixtures(params, client=client, clock=clock)
    previous = default = here.require_longhorn(params)
    existing = here.objects.engine_image(desired.name)
    used_by = _used_by(here, desired) if desired.state == "absent" and existing else []
    with told():
        plan = engine_image.plan(existing, desired, default_image=default, used_by=used_by)
    if not check_mode:
        existing = _carry_out(here, plan, desired, existing=existing)
    default = desired.image if desired.default else default
    return result(
        plan,
        warnings=[],
        engine_image=_summary(existing, desired, is_default=default == desired.image),
        previous_default=previous,  # what a clean-up has to restore
    )


def _carry_out(here: Fixtures, plan: Plan, desired: Desired, *, existing: EngineImage | None) -> EngineImage | None:
    actions = {step.action for step in plan.steps}
    if "create" in actions:
        if existing is not None:
            _wait_gone(here, desired)  # it is being deleted, and its name is taken until then
        here.manager.create_engine_image(desired.image)
        here.objects.mark("engineimages", desired.name, run_id=desired.run_id)
    if desired.state == "present":
        existing = here.objects.engine_image(desired.name)
        if here.waits or "set_default" in actions:
            existing = _wait_ready(here, desired)
        if "set_default" in actions:
            here.manager.set_setting(names.DEFAULT_ENGINE_IMAGE_SETTING, desired.image)
        return existing
    if "delete" in actions:
        _wait_unused(here, desired)
        here.manager.delete_engine_image(desired.name)
        if here.waits:
            _wait_gone(here, desired)
        return None
    return existing


def _used_by(here: Fixtures, desired: Desired) -> list[str]:
    return [
        volume.name
        for volume in here.objects.volumes()
        if desired.image in (volume.engine_image, volume.current_image) and not volume.deleting
    ]


def _wait_ready(here: Fixtures, desired: Desired) -> EngineImage | None:
    nodes = [node.name for node in here.objects.nodes() if node.ready]
    try:
        return here.wait(
            lambda: here.objects.engine_image(desired.name),
            lambda found: engine_image.ready(found, nodes),
            subject=f"engine image {desired.image} ({desired.name})",
            expected="that it can be used on every ready node",
            advice=f"Look at the pods of DaemonSet engine-image-{desired.name}: can the nodes pull the image?",
        )
    except TerminalState as error:
        found = here.objects.engine_image(desired.name)
        if found is not None and found.incompatible:  # which only shows when the nodes have pulled it
            error.advice = "Use an image that was built for this Longhorn, and remove this one (state=absent)."
        raise


def _wait_unused(here: Fixtures, desired: Desired) -> None:
    here.wait(
        lambda: here.objects.engine_image(desired.name),
        engine_image.unused,
        subject=f"engine image {desired.image} ({desired.name})",
        expected="refCount 0, so that it may be removed",
        advice="Look for volumes, engines and replicas that are still of this image.",
    )


def _wait_gone(here: Fixtures, desired: Desired) -> None:
    here.wait(
        lambda: here.objects.engine_image(desired.name),
        engine_image.gone,
        subject=f"engine image {desired.image} ({desired.name})",
        expected="that it is gone",
    )


def _summary(existing: EngineImage | None, desired: Desired, *, is_default: bool) -> dict[str, t.Any]:
    """What is there now; in check mode a new one is shown as it would begin."""
    shown = existing or EngineImage(name=desired.name, image=desired.image)
    if existing is None and desired.state == "absent":
        shown = replace(shown, state="absent")
    owned = names.owned_by_run(shown.labels, desired.run_id)
    return {**shown.summary(default=is_default), "owned": owned}
