# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the simulated releases, as data: a new release is a new row, not a new branch.

A row of Longhorn 1.1 or later says only what is new since the row before it.
"""

from __future__ import annotations

import dataclasses
import typing as t

#: A release's number, by which tables of fields, kinds and settings say when something came and went.
Number = tuple[int, int, int]

_FIRST: t.Final[Number] = (1, 0, 0)


class UnknownRelease(LookupError):
    """The lab has no row for a release."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Span:
    """The releases that have something: the first with it, and the first without it again."""

    since: Number = _FIRST
    before: Number | None = None

    def covers(self, number: Number) -> bool:
        return self.since <= number and (self.before is None or number < self.before)


EVER: t.Final = Span()


@dataclasses.dataclass(frozen=True)
class CliVersions:
    """The versions of an engine image's command line and controller, and the oldest command line a manager takes."""

    cli: int = 3
    cli_min: int = 3
    controller: int = 3
    controller_min: int = 3
    accepts_cli: int = 3


@dataclasses.dataclass(frozen=True)
class JobRules:
    """What is asked of a recurring job."""

    max_name: int = 8
    #: How many artefacts may stay, of all of a volume's jobs or of each job; 0 leaves that to a setting.
    max_retain: int = 50
    tasks: tuple[str, ...] = ("snapshot", "backup")
    #: Whether retain below a task's least is quietly corrected.
    corrects_retain: bool = False
    #: The concurrency of a job that names none; 0 leaves it at that.
    concurrency: int = 0
    #: Whether a job without spec.name gets the object's name; otherwise it is refused.
    names_itself: bool = False
    parameters: tuple[str, ...] = ()
    retain_message: str = "Job Can't retain more than {limit} snapshots"
    name_message: str = "job name {name} is too long, must be {limit} characters or less"


@dataclasses.dataclass(frozen=True)
class CronJobRules:
    """What a recurring job's CronJob looks like."""

    #: One that the API server does not serve is replaced by the older one.
    version: t.Literal["v1beta1", "v1"] = "v1beta1"
    #: The CronJob of a detached volume is suspended, or is not there.
    detached: t.Literal["suspended", "deleted"] = "suspended"
    #: Whether the Jobs run on the node that the volume is attached to.
    pinned: bool = True
    privileged: bool = True
    #: Whether labels say whose it is, and an annotation what was last wanted.
    marked: bool = False
    #: How many Jobs stay: as Kubernetes likes, one good one, or what the settings say.
    history: t.Literal["unset", "one", "settings"] = "unset"


@dataclasses.dataclass(frozen=True)
class Release:
    """One release's behaviour, as far as the lab shows it."""

    name: str
    manager_image: str
    engine_image: str
    instance_manager_image: str
    engine_version: str
    #: "engine": the job's process calls the volume's engine binary itself; "api": it asks the manager.
    jobs_through: t.Literal["engine", "api"]
    #: What the job's process does when the clean-up after a good creation fails.
    cleanup_failure: t.Literal["fatal", "warning"]
    #: Whose engine binary deletes backups, and whether the job waits for it.
    backup_deletion: t.Literal["volume-image", "default-image"]
    #: Whether the CronJob's command and environment carry the backup target and its credentials.
    target_in_command: bool
    number: Number = _FIRST
    #: The version in which the manager reads and writes its objects, and what became of the one before it.
    crd_version: t.Literal["v1beta1", "v1beta2"] = "v1beta1"
    old_crd_version: t.Literal["absent", "served", "listed"] = "absent"
    #: Recurring jobs are a list in the volume, or objects that volumes are labelled for.
    recurring_jobs: t.Literal["in volumes", "objects"] = "in volumes"
    job_rules: JobRules = JobRules()
    cron_jobs: CronJobRules = CronJobRules()
    #: Who asks for an attachment: the volume's nodeID, or tickets of its VolumeAttachment.
    attachment: t.Literal["nodeID", "tickets"] = "nodeID"
    #: The volume's, engine's and replica's field for the engine image; the first one counts.
    image_fields: tuple[str, ...] = ("engineImage",)
    conditions: t.Literal["map", "list"] = "map"
    condition_words: t.Literal["scheduled", "Scheduled"] = "scheduled"
    #: How the manager reaches engines: by their image's binary, or by the proxy of their instance manager.
    engines_through: t.Literal["binary", "proxy"] = "binary"
    #: The end of an engine's name.
    engine_names: t.Literal["random", "numbered"] = "random"
    #: What a usable engine image is called, and how one of another generation is marked.
    deployed: t.Literal["ready", "deployed"] = "ready"
    incompatible: t.Literal["state", "flag"] = "state"
    #: Where the backup target is written down: settings, settings that an object mirrors, or objects.
    backup_target: t.Literal["settings", "mirrored", "objects"] = "settings"
    #: Whether webhooks complete and check objects.
    webhooks: bool = False
    #: A node has an instance manager each for engines and for replicas, or one for all.
    instance_managers: tuple[str, ...] = ("engine", "replica")
    max_volume_name: int = 40
    #: How long a job waits for the manager's answer.
    client_timeout: float = 10.0
    #: Seconds; each is multiplied by the lab's poll scale.
    job_poll: float = 5.0
    engine_refresh: float = 5.0
    store_poll: float = 300.0
    unused_image_minutes: float = 60.0
    versions: CliVersions = CliVersions()

    @property
    def api_version(self) -> str:
        return f"longhorn.io/{self.crd_version}"

    def has(self, span: Span) -> bool:
        return span.covers(self.number)

    def image_of(self, spec: t.Mapping[str, t.Any]) -> str:
        """The engine image in a volume's, engine's or replica's specification."""
        return str(spec.get(self.image_fields[0]) or "")

    def image_fields_of(self, image: str) -> dict[str, t.Any]:
        """The fields that say which engine image is wanted."""
        return dict.fromkeys(self.image_fields, image)


_INSTANCE_MANAGER = "longhornio/longhorn-instance-manager:v1_20200514"

_ROWS = [
    Release(
        name="2020-06",
        manager_image="longhornio/longhorn-manager:v1.0.0-fix",
        engine_image="longhornio/longhorn-engine:v1.0.0-fix",
        instance_manager_image=_INSTANCE_MANAGER,
        engine_version="v1.0.0",
        jobs_through="engine",
        cleanup_failure="warning",
        backup_deletion="volume-image",
        target_in_command=True,
    ),
    Release(
        name="v1.0.0",
        manager_image="longhornio/longhorn-manager:v1.0.0",
        engine_image="longhornio/longhorn-engine:v1.0.0",
        instance_manager_image=_INSTANCE_MANAGER,
        engine_version="v1.0.0",
        jobs_through="engine",
        cleanup_failure="fatal",
        backup_deletion="volume-image",
        target_in_command=True,
    ),
    Release(
        name="v1.0.1",
        number=(1, 0, 1),
        manager_image="longhornio/longhorn-manager:v1.0.1",
        engine_image="longhornio/longhorn-engine:v1.0.1",
        instance_manager_image=_INSTANCE_MANAGER,
        engine_version="v1.0.1",
        jobs_through="api",
        cleanup_failure="warning",
        backup_deletion="default-image",
        target_in_command=False,
    ),
]


def _next(number: Number, *, instance_manager: str = "", **new: t.Any) -> None:
    """Add the row of a later release: the one before it, except for what is new."""
    name = "v" + ".".join(map(str, number))
    images: dict[str, t.Any] = {
        "manager_image": f"longhornio/longhorn-manager:{name}",
        "engine_image": f"longhornio/longhorn-engine:{name}",
        "instance_manager_image": f"longhornio/longhorn-instance-manager:{instance_manager or name}",
    }
    _ROWS.append(dataclasses.replace(_ROWS[-1], name=name, number=number, engine_version=name, **images, **new))


def _rules(**new: t.Any) -> JobRules:
    return dataclasses.replace(_ROWS[-1].job_rules, **new)


def _cron_jobs(**new: t.Any) -> CronJobRules:
    return dataclasses.replace(_ROWS[-1].cron_jobs, **new)


_next(
    (1, 1, 3),
    instance_manager="v1_20201216",
    client_timeout=60.0,
    cron_jobs=_cron_jobs(detached="deleted", pinned=False, marked=True, history="one"),
    deployed="deployed",
    versions=CliVersions(cli=4),
)
_next(
    (1, 2, 6),
    instance_manager="v1_20221003",
    recurring_jobs="objects",
    cron_jobs=_cron_jobs(privileged=False),
    job_rules=_rules(max_name=40),
    backup_target="mirrored",
    versions=CliVersions(cli=5),
)
_next(
    (1, 3, 3),
    instance_manager="v1_20221003",
    crd_version="v1beta2",
    old_crd_version="served",
    webhooks=True,
    conditions="list",
    engines_through="proxy",
    job_rules=_rules(
        max_retain=100,
        retain_message="retain value should be less than or equal to {limit}",
        name_message="job name {name} must be {limit} characters or less",
        tasks=(
            "snapshot",
            "snapshot-force-create",
            "snapshot-cleanup",
            "snapshot-delete",
            "backup",
            "backup-force-create",
        ),
        corrects_retain=True,
    ),
    versions=CliVersions(cli=6),
)
_next(
    (1, 4, 4),
    cron_jobs=_cron_jobs(version="v1", history="settings"),
    condition_words="Scheduled",
    engine_names="numbered",
    versions=CliVersions(cli=7, controller=4),
)
_next(
    (1, 5, 5),
    attachment="tickets",
    instance_managers=("aio",),
    job_rules=_rules(tasks=(*_ROWS[-1].job_rules.tasks, "filesystem-trim")),
    versions=CliVersions(cli=9, controller=5),
)
_next(
    (1, 8, 2),
    image_fields=("image", "engineImage"),
    incompatible="flag",
    backup_target="objects",
    job_rules=_rules(max_retain=0, parameters=("full-backup-interval",)),
    versions=CliVersions(cli=10, cli_min=8, controller=5, controller_min=4, accepts_cli=8),
)
_next(
    (1, 9, 2),
    old_crd_version="listed",
    image_fields=("image",),
    job_rules=_rules(
        tasks=(*_ROWS[-1].job_rules.tasks, "system-backup"),
        names_itself=True,
        parameters=("full-backup-interval", "volume-backup-policy"),
    ),
)
_next(
    (1, 12, 1),
    old_crd_version="absent",
    job_rules=_rules(concurrency=10),
    versions=CliVersions(cli=12, cli_min=8, controller=6, controller_min=4, accepts_cli=8),
)

RELEASES: t.Final[t.Mapping[str, Release]] = {row.name: row for row in _ROWS}


def release(name: str) -> Release:
    """The row of a release."""
    try:
        return RELEASES[name]
    except KeyError:
        known = ", ".join(RELEASES)
        raise UnknownRelease(f"the lab does not know Longhorn release {name!r}; it knows {known}") from None
