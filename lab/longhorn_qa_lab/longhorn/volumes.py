# SPDX-License-Identifier: GPL-3.0-or-later
"""What Longhorn makes of a volume that somebody wants, and what it refuses. Pure.

The manager's API asks here, and from 1.3 on the webhooks do, for volumes that are made without it.
"""

from __future__ import annotations

import typing as t

from longhorn_qa_lab.longhorn import checks, fields, names
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.releases import Release

_MOST_REPLICAS: t.Final = 20
_FRONTENDS: t.Final = ("blockdev", "iscsi")


def complete(wanted: Object, release: Release, *, image: str, replicas: int) -> Object:
    """A new volume with all that its maker left out. Which engine image he asks for does not matter."""
    name = wanted["metadata"].get("name") or f"pvc-{names.random_id(32)}"
    given = {key: value for key, value in (wanted.get("spec") or {}).items() if value not in (None, "")}
    spec = fields.new("Volume", release, **given)
    spec |= release.image_fields_of(image)
    spec["numberOfReplicas"] = spec["numberOfReplicas"] or replicas
    spec["size"] = str(checks.size(str(spec["size"])))
    metadata = dict(wanted["metadata"])
    metadata |= {
        "name": name,
        "namespace": names.NAMESPACE,
        "finalizers": [*{*metadata.get("finalizers", ()), names.FINALIZER}],
        "labels": {**(metadata.get("labels") or {}), names.VOLUME_LABEL: name},
    }
    return {**wanted, "metadata": metadata, "spec": spec}


def require(volume: Object, release: Release) -> None:
    """Refuse a volume that cannot be."""
    spec = volume["spec"]
    checks.volume_name(volume["metadata"]["name"], release)
    if not 1 <= spec["numberOfReplicas"] <= _MOST_REPLICAS:
        raise checks.Refused(f"number of replicas should be between 1 to 20, got {spec['numberOfReplicas']}")
    if spec["frontend"] not in _FRONTENDS and not spec["Standby"]:
        words = "invalid volume frontend specified:" if release.webhooks else "invalid frontend type"
        raise checks.Refused(f"{words} {spec['frontend']}")


def require_change(old: Object, new: Object, release: Release, images: t.Mapping[str, Object]) -> None:
    """Refuse a change that cannot be; images are the engine images' status."""
    was, wanted = int(old["spec"]["size"] or 0), int(new["spec"]["size"] or 0)
    if wanted < was:
        raise checks.Refused(f"shrinking volume {new['metadata']['name']} size from {was} to {wanted} is not supported")
    image = release.image_of(new["spec"])
    if image != release.image_of(old["spec"]):
        require_compatible(image, images.get(image))


def require_compatible(image: str, status: Object | None) -> None:
    """Refuse an engine image that is marked as one of another generation."""
    if status and status.get("incompatible"):
        text = f"engine image {image} with name {names.engine_image(image)} is incompatible"
        raise checks.Refused(text, "volume.spec.image")
