# SPDX-License-Identifier: GPL-3.0-or-later
"""What Longhorn's webhooks do to objects from 1.3 on: complete them, and refuse what cannot be."""

from __future__ import annotations

import base64
import dataclasses
import typing as t

from longhorn_qa_lab.longhorn import backup_target, checks, names, recurring, settings, volumes, world
from longhorn_qa_lab.longhorn.context import Context
from longhorn_qa_lab.longhorn.decide import Object, owner_reference
from longhorn_qa_lab.longhorn.releases import EVER, Release, Span

_SEVERAL_TARGETS: t.Final = Span(since=(1, 8, 0))


@dataclasses.dataclass(frozen=True)
class Request:
    """What somebody wants to do to an object; there is no old one of a new one, and no new one of one that goes."""

    operation: str
    old: Object
    new: Object

    @property
    def is_new(self) -> bool:
        return self.operation == "CREATE"

    @property
    def is_going(self) -> bool:
        """Whether this only changes what is being deleted already."""
        return bool((self.new.get("metadata") or {}).get("deletionTimestamp"))


Mutator = t.Callable[["Admission", Request], Object]
Validator = t.Callable[["Admission", Request], None]


@dataclasses.dataclass(frozen=True)
class Rule:
    """What is done to the objects of one kind."""

    plural: str
    mutates: t.Mapping[str, Mutator] = dataclasses.field(default_factory=dict)
    validates: t.Mapping[str, Validator] = dataclasses.field(default_factory=dict)
    span: Span = EVER


class Admission:
    """The webhooks' decisions; whoever serves them asks here."""

    def __init__(self, context: Context) -> None:
        self._c = context
        self._w = context.cluster

    @property
    def release(self) -> Release:
        return self._c.release

    def rules(self) -> dict[str, Rule]:
        return {rule.plural: rule for rule in _RULES if self.release.has(rule.span)}

    def mutate(self, plural: str, request: Request) -> Object:
        """The object as it is to be; one that is going is let go."""
        change = self.rules()[plural].mutates.get(request.operation)
        return request.new if change is None or request.is_going else change(self, request)

    def validate(self, plural: str, request: Request) -> None:
        """Raise checks.Refused for what cannot be."""
        check = self.rules()[plural].validates.get(request.operation)
        if check is not None and not request.is_going:
            check(self, request)

    # --- volumes ---

    def new_volume(self, request: Request) -> Object:
        size = str((request.new.get("spec") or {}).get("size") or "")
        if not size.isdigit():
            raise checks.Refused(
                f"json: invalid use of ,string struct tag, trying to unmarshal {size!r} into int64", "spec.size"
            )
        image = self._c.setting(settings.DEFAULT_ENGINE_IMAGE)
        return volumes.complete(request.new, self.release, image=image, replicas=self._c.replica_count())

    def check_new_volume(self, request: Request) -> None:
        volumes.require(request.new, self.release)
        image = self.release.image_of(request.new["spec"])
        volumes.require_compatible(image, self._c.images().get(image))

    def check_volume(self, request: Request) -> None:
        volumes.require_change(request.old, request.new, self.release, self._c.images())

    # --- recurring jobs ---

    def recurring_job(self, request: Request) -> Object:
        return recurring.complete(request.new, self.release, is_new=request.is_new)

    def check_recurring_job(self, request: Request) -> None:
        recurring.require(request.new, self.release, max_retain=self._c.max_retain())

    # --- engine images ---

    def check_engine_image_goes(self, request: Request) -> None:
        name, image = request.old["metadata"]["name"], request.old["spec"]["image"]
        if image == self._c.setting(settings.DEFAULT_ENGINE_IMAGE):
            raise checks.Refused(f"deleting the default engine image {name} ({image}) is not allowed")
        if (request.old.get("status") or {}).get("refCount"):
            raise checks.Refused(f"deleting engine image {name} ({image}) is not allowed while being used")

    # --- settings ---

    def check_setting(self, request: Request) -> None:
        name, value = request.new["metadata"]["name"], str(request.new.get("value") or "")
        if value != str(request.old.get("value") or ""):
            settings.require(name, value, self.release, self._c.setting)

    # --- backup targets, backups, snapshots ---

    def backup_target(self, request: Request) -> Object:
        return backup_target.complete(request.new, self.release)

    def check_backup_target(self, request: Request) -> None:
        spec, old = request.new["spec"], request.old.get("spec") or {}
        if spec.get("backupTargetURL") != old.get("backupTargetURL"):
            backup_target.require_url(spec.get("backupTargetURL") or "")
        name = spec.get("credentialSecret") or ""
        if name and name != old.get("credentialSecret"):
            secret = self._w.secret(name) or {}
            values = {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}
            backup_target.require_secret(values)

    def check_backup_target_goes(self, request: Request) -> None:
        if request.old["metadata"]["name"] == backup_target.DEFAULT:
            raise checks.Refused("deleting default backup target is not allowed")

    def check_backup(self, request: Request) -> None:
        """From 1.8 on a backup is refused while its target cannot be reached."""
        labels = request.new["metadata"].get("labels") or {}
        name = labels.get("backup-target", backup_target.DEFAULT)
        found = self._w.find(world.BACKUP_TARGETS, name) or {}
        if request.new["spec"].get("snapshotName") and not (found.get("status") or {}).get("available"):
            raise checks.Refused(f"backup target {name} is not available")

    def snapshot(self, request: Request) -> Object:
        """A Snapshot belongs to its volume, by label and by owner."""
        volume = self._w.find(world.VOLUMES, str(request.new["spec"].get("volume") or ""))
        wanted = finalized(self, request)
        if volume is None:
            return wanted
        labels = {**(wanted["metadata"].get("labels") or {}), names.VOLUME_LABEL: volume["metadata"]["name"]}
        metadata = {**wanted["metadata"], "labels": labels, "ownerReferences": [owner_reference(volume)]}
        return {**wanted, "metadata": metadata}

    def check_snapshot(self, request: Request) -> None:
        volume = str(request.new["spec"].get("volume") or "")
        if not volume:
            raise checks.Refused("spec.volume is required", "spec.volume")
        if self._w.find(world.VOLUMES, volume) is None:
            raise checks.Refused(f'failed to get volume {volume}: volumes.longhorn.io "{volume}" not found')

    def check_snapshot_stays(self, request: Request) -> None:
        if request.new["spec"].get("volume") != request.old["spec"].get("volume"):
            raise checks.Refused("spec.volume field is immutable", "spec.volume")


def finalized(_admission: Admission, request: Request) -> Object:
    """The object with Longhorn's finalizer."""
    metadata = request.new["metadata"]
    finalizers = [*{*metadata.get("finalizers", ()), names.FINALIZER}]
    return {**request.new, "metadata": {**metadata, "finalizers": finalizers}}


_RULES: t.Final = (
    Rule(
        "volumes",
        mutates={"CREATE": Admission.new_volume},
        validates={"CREATE": Admission.check_new_volume, "UPDATE": Admission.check_volume},
    ),
    Rule(
        "recurringjobs",
        mutates={"CREATE": Admission.recurring_job, "UPDATE": Admission.recurring_job},
        validates={"CREATE": Admission.check_recurring_job, "UPDATE": Admission.check_recurring_job},
    ),
    Rule("engineimages", mutates={"CREATE": finalized}, validates={"DELETE": Admission.check_engine_image_goes}),
    Rule("settings", validates={"UPDATE": Admission.check_setting}),
    Rule(
        "snapshots",
        mutates={"CREATE": Admission.snapshot},
        validates={"CREATE": Admission.check_snapshot, "UPDATE": Admission.check_snapshot_stays},
    ),
    Rule(
        "backups",
        mutates={"CREATE": finalized},
        validates={"CREATE": Admission.check_backup},
        span=_SEVERAL_TARGETS,
    ),
    Rule(
        "backuptargets",
        mutates={"CREATE": Admission.backup_target, "UPDATE": Admission.backup_target},
        validates={
            "CREATE": Admission.check_backup_target,
            "UPDATE": Admission.check_backup_target,
            "DELETE": Admission.check_backup_target_goes,
        },
        span=_SEVERAL_TARGETS,
    ),
)
