# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a run down without a trace.

Only what carries the run's label or stands in its journal is ever touched. The order matters: faults and settings
first, so that deletions work again, then recurring jobs and volumes (nothing starts any more), then the default engine
image (it deletes backups), then backups, then the backup target, and only then what the target and the images were made
of.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass, field

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    ApiFailure,
    Forbidden,
    LonghornQAError,
    NotFound,
    Refused,
    Unauthorized,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.refusing_bucket import RefusingBucket
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.store import Location, S3Store
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import Clock, Wanted, wait_for
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import backup_target, names, store_rules
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import journal as journals
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.journal import Journal
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress, done, pending
from ansible_collections.longhorn.qa.plugins.module_utils._module.run_place import Place

# What a run makes in ordinary namespaces, by the order of removal; its journal is such an object too, and goes last.
_PLAIN = (kinds.DEPLOYMENTS, kinds.SERVICES, kinds.SECRETS)


@dataclass
class TakeDown:
    """One take-down; remembers what it did."""

    place: Place
    timeout: float
    clock: Clock
    removed: list[str] = field(default_factory=list)
    restored: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)  # recurring jobs, whose CronJobs have to go too

    def run(self) -> dict[str, t.Any]:
        """All steps, then a last look."""
        journal = self.place.journal()
        known = journal or Journal(run_id=self.place.run_id)
        self._admission(journal)
        self._store_rules(known)
        self._stores(known)
        self._settings(known, only=known.early)
        self._recurring_jobs()
        volumes = self._volumes()
        self._settings(known, only=(names.DEFAULT_ENGINE_IMAGE_SETTING,))
        if not self._store_goes_too(known):
            self._backups(known, needed=bool(volumes))
        self._settings(known, only=journals.OF_STORE)
        self._backup_targets(known)
        self._engine_images()
        self._plain_objects(known)
        self._nothing_left(known)
        if journal is not None:
            self._delete(kinds.CONFIGMAPS, journals.journal_name(known.run_id), namespace=self.place.namespace)
        return self._result()

    def _admission(self, journal: Journal | None) -> None:
        """What stands in the way of deletions goes first; without a journal it is looked for as far as allowed."""
        if journal is not None and "admission" not in journal.faults:
            return
        for kind in filter(None, (self.place.client.served(*candidates) for candidates in kinds.REFUSING)):
            try:
                found = self._labelled(kind, "")
            except Forbidden as error:
                if journal is not None:
                    raise
                self.warnings.append(f"{kind.plural} of the run, if there are any, stay: {error}")
                continue
            for name in found:
                self._delete(kind, name)

    def _store_rules(self, journal: Journal) -> None:
        """A store's proxy goes with the store, or lets pass again."""
        for namespace in self._namespaces(journal):
            for name in self._labelled(kinds.SERVICES, namespace) if "backup-store" in journal.faults else ():
                if name.endswith(store_rules.SERVICE_SUFFIX):
                    self._let_pass(namespace, name)

    def _let_pass(self, namespace: str, service: str) -> None:
        proxy = self.place.client.service_proxy(namespace, service, store_rules.PORT)
        try:
            if store_rules.parse(proxy.get("rules")):
                if not self.place.check_mode:
                    proxy.put("rules", store_rules.document(()))
                self.removed.append(f"rules of store proxy {namespace}/{service}")
        except (Forbidden, Unauthorized):
            raise
        except (ApiFailure, NotFound):
            pass  # it refuses nothing, because it does not answer at all
        self._delete(kinds.CONFIGMAPS, service, namespace=namespace)

    def _stores(self, journal: Journal) -> None:
        """A store that was told to refuse forgets it, unless it goes with the run."""
        for place in () if self._store_goes_too(journal) else journal.stores:
            store = S3Store(self.place.client, Location(**place))
            bucket = RefusingBucket(store, journal.run_id, self.clock)
            if bucket.remembers():
                if not self.place.check_mode:
                    bucket.forget()
                self.removed.append(f"refusals of {store.target}")

    def _recurring_jobs(self) -> None:
        """Since 1.2; before, they go with their volumes."""
        if not self.place.objects.shape.job_objects:
            return
        kind = self.place.objects.kind("recurringjobs")
        for name in self._labelled(kind, self.place.namespace):
            self._delete(kind, name, namespace=self.place.namespace)
            self.jobs.append(name)
        self._wait_gone(kind, self.place.namespace, told="recurring jobs")

    def _volumes(self) -> list[str]:
        kind = self.place.objects.kind("volumes")
        found = self._labelled(kind, self.place.namespace)
        for name in found:
            self._through_manager(self.place.manager.delete_volume, "volume", name)
        self._wait_gone(kind, self.place.namespace, told="volumes")
        return found

    def _settings(self, journal: Journal, *, only: tuple[str, ...]) -> None:
        if not any(name in journal.settings for name in only):
            return
        for name, value in journals.to_restore(journal, self.place.settings()):
            if name in only:
                if not self.place.check_mode:
                    self.place.manager.set_setting(name, value)
                self.restored[name] = value

    def _store_goes_too(self, journal: Journal) -> bool:
        """Whether the run made the store itself: its content goes with it. A proxy may stand before anybody's store."""
        return any(
            not name.endswith(store_rules.SERVICE_SUFFIX)
            for namespace in self._namespaces(journal)
            for name in self._labelled(kinds.DEPLOYMENTS, namespace)
        )

    def _backups(self, journal: Journal, *, needed: bool) -> None:
        """A store that never answered must not hold the run up for ever: without volumes it goes on, with a word."""
        try:
            mine = self._backup_volumes(journal)
        except (Forbidden, Unauthorized):
            raise
        except ApiFailure as error:
            if needed:
                error.advice = "Take the run down again when the backup store answers."
                raise
            target = self.place.objects.backup_target_url()
            told = f"backups of {', '.join(journal.volumes)}, if there are any, are still in {target}"
            self.warnings.append(f"{told}, which cannot be listed: {error}")
            return
        for name, volume in mine.items():
            if not self.place.check_mode:
                self.place.manager.delete_backup_volume(name)
            self.removed.append(f"backups of {volume}")
        if mine and not self.place.check_mode:
            self._wait(
                lambda: self._still_stored(journal),
                subject=f"backups of run {journal.run_id}", expected="none in the backup store",
            )  # fmt: skip

    def _still_stored(self, journal: Journal) -> list[str]:
        """What is listed yet; a look into the store that began before a deletion brings an object back afterwards."""
        left = sorted(self._backup_volumes(journal))
        for name in left if self.place.objects.shape.backup_objects else ():
            self.place.manager.delete_backup_volume(name)
        return left

    def _backup_volumes(self, journal: Journal) -> dict[str, str]:
        """The volumes of the run that have backups, by the names that the backups' own objects have."""
        if not journal.volumes:
            return {}
        if self.place.objects.shape.backup_objects:
            found = self.place.objects.backup_volumes()
        elif self.place.settings().get(names.BACKUP_TARGET_SETTING):
            found = {name: name for name in self._in_store()}
        else:
            found = {}  # the manager answers with an error then, but there is simply nothing
        return {name: volume for name, volume in found.items() if volume in journal.volumes}

    def _in_store(self) -> tuple[str, ...]:
        """The volumes that have backups, as the manager lists them; what it cannot do is the store's, and may pass."""
        try:
            return self.place.manager.backup_volumes()
        except Refused as error:
            raise ApiFailure("cannot be listed", subject="the backup store", seen=error.seen) from error

    def _backup_targets(self, journal: Journal) -> None:
        """Those that the run made go; what was there before gets its address back."""
        if not self.place.objects.shape.backup_objects:
            return
        kind = self.place.objects.kind("backuptargets")
        for name in self._labelled(kind, self.place.namespace):
            self._delete(kind, name, namespace=self.place.namespace)
        for name, before in journal.backup_targets.items():
            now = self.place.objects.backup_target(name)
            wanted = backup_target.from_summary(before)
            if now is not None and now.target != wanted:
                if not self.place.check_mode:
                    patch = {"spec": backup_target.spec(wanted)}
                    self.place.client.patch(kind, name, patch, namespace=self.place.namespace)
                self.restored[f"backup target {name}"] = wanted.url

    def _engine_images(self) -> None:
        kind = self.place.objects.kind("engineimages")
        for name in self._labelled(kind, self.place.namespace):
            self._wait_unused(name)
            self._through_manager(self.place.manager.delete_engine_image, "engineimage", name)
        self._wait_gone(kind, self.place.namespace, told="engine images")

    def _wait_unused(self, name: str) -> None:
        """Longhorn refuses to remove an image that it still counts as used."""
        if self.place.check_mode:
            return

        def users() -> list[str]:
            found = self.place.objects.engine_image(name)
            return [f"refCount {found.ref_count}"] if found and found.ref_count else []

        subject = f"EngineImage {self.place.namespace}/{name}"
        self._wait(
            users,
            subject=subject,
            expected="no volume that uses it",
            advice="Move its volumes to another engine image, or delete them.",
        )

    def _plain_objects(self, journal: Journal) -> None:
        for namespace in self._namespaces(journal):
            found = self.place.client.find(kinds.NAMESPACES, namespace)
            if found is not None and names.owned_by_run(found["metadata"].get("labels") or {}, journal.run_id):
                self._delete(kinds.NAMESPACES, namespace)
                continue
            for kind in _PLAIN:
                for name in self._labelled(kind, namespace):
                    self._delete(kind, name, namespace=namespace)

    def _nothing_left(self, journal: Journal) -> None:
        if self.place.check_mode:
            return

        def left() -> list[str]:
            found = [f"namespace {name}" for name in self._namespaces(journal) if self._owns_namespace(name)]
            for namespace in self._namespaces(journal):
                found += [
                    f"{kind.plural} {namespace}/{name}" for kind in _PLAIN for name in self._labelled(kind, namespace)
                ]
            for volume in journal.volumes:
                found += self._of_volume(volume)
            return found + self._cronjobs()

        self._wait(
            left,
            subject=f"run {journal.run_id}",
            expected="nothing of it left",
            advice="Look at the finalizers of what is left.",
        )

    def _cronjobs(self) -> list[str]:
        """Those of the run's recurring jobs, which have their names since 1.2."""
        if not self.jobs:
            return []
        kind, namespace = self.place.objects.cronjob_kind(), self.place.namespace
        there = (name for name in self.jobs if self.place.client.find(kind, name, namespace=namespace) is not None)
        return [f"cronjobs {name}" for name in there]

    def _of_volume(self, volume: str) -> list[str]:
        """What may outlive a volume: CronJobs up to 1.1, and since then objects that wait for a controller."""
        shape, kind = self.place.objects.shape, self.place.objects.kind
        looks = [] if shape.job_objects else [(self.place.objects.cronjob_kind(), names.VOLUME_LABEL)]
        looks += [(kind("backups"), names.BACKUP_VOLUME_LABEL)] if shape.backup_objects else []
        looks += [(kind("snapshots"), names.VOLUME_LABEL)] if shape.snapshot_objects else []
        namespace = self.place.namespace
        found = [
            f"{one.plural} {namespace}/{item['metadata']['name']}"
            for one, label in looks
            for item in self.place.client.list(one, namespace=namespace, labels=f"{label}={volume}").items
        ]
        if shape.attachment_tickets and self.place.client.find(kind("volumeattachments"), volume, namespace=namespace):
            found.append(f"volumeattachments {namespace}/{volume}")
        return found

    def _owns_namespace(self, name: str) -> bool:
        found = self.place.client.find(kinds.NAMESPACES, name)
        return found is not None and names.owned_by_run(found["metadata"].get("labels") or {}, self.place.run_id)

    # -- tools

    def _namespaces(self, journal: Journal) -> list[str]:
        """Longhorn's namespace and the ones of the journal that still exist."""
        others = [name for name in dict.fromkeys(journal.namespaces) if name != self.place.namespace]
        existing = [name for name in others if self.place.client.find(kinds.NAMESPACES, name) is not None]
        return [self.place.namespace, *existing]

    def _labelled(self, kind: Kind, namespace: str) -> list[str]:
        selector = f"{names.RUN_ID_LABEL}={self.place.run_id}"
        found = self.place.client.list(kind, namespace=namespace, labels=selector).items
        return [str(item["metadata"]["name"]) for item in found]

    def _through_manager(self, delete: Callable[[str], None], what: str, name: str) -> None:
        if not self.place.check_mode:
            delete(name)
        self.removed.append(f"{what} {name}")

    def _delete(self, kind: Kind, name: str, *, namespace: str = "") -> None:
        if self.place.client.delete(kind, name, namespace=namespace, dry_run=self.place.check_mode):
            self.removed.append(kind.described(namespace, name))

    def _wait_gone(self, kind: Kind, namespace: str, *, told: str) -> None:
        if not self.place.check_mode:
            subject = f"{told} of run {self.place.run_id}"
            self._wait(lambda: self._labelled(kind, namespace), subject=subject, expected="gone")

    def _wait(self, left: Callable[[], list[str]], *, subject: str, expected: str, advice: str = "") -> None:
        wanted = Wanted(subject=subject, expected=expected, timeout=self.timeout, advice=advice)
        try:
            wait_for(left, _none_left, wanted=wanted, clock=self.clock)
        except ApiFailure:
            raise
        except LonghornQAError as error:
            error.evidence = {**error.evidence, "removed": self.removed, "restored": self.restored}
            raise

    def _result(self) -> dict[str, t.Any]:
        verb = "would be " if self.place.check_mode else ""
        summary = [f"{name} {verb}removed" for name in self.removed]
        summary += [
            f"{name if name.startswith('backup target') else f'setting {name}'} {verb}put back to {value or 'nothing'}"
            for name, value in self.restored.items()
        ]
        return {
            "changed": bool(summary),
            "removed": self.removed,
            "restored": self.restored,
            "summary": summary or [f"nothing of run {self.place.run_id} is there"],
            "diff": {"before": "".join(f"{line}\n" for line in self.removed), "after": ""},
            "warnings": self.warnings,
        }


def _none_left(left: list[str]) -> Progress:
    return pending(", ".join(sorted(left))) if left else done("nothing left")
