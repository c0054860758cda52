# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a run in the cluster, and takes it down again without a trace.

Taking down only ever touches what carries the run's label or stands in its journal. The order matters: volumes first
(nothing starts any more), then the default engine image (it deletes backups), then backups, then the backup target, and
only then what the target and the images were made of.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    ApiFailure,
    BadInput,
    Conflict,
    LonghornQAError,
    NotFound,
    Refused,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import (
    SYSTEM,
    Clock,
    Progress,
    Wanted,
    done,
    pending,
    wait_for,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import journal as journals
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names, store_rules
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.journal import Journal, JournalError

# What a run makes in ordinary namespaces, by the order of removal; its journal is such an object too, and goes last.
_PLAIN = (kinds.DEPLOYMENTS, kinds.SERVICES, kinds.SECRETS)


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module."""
    problems = names.run_id_problems(params["run_id"])
    if problems or not params["run_id"]:
        raise BadInput(problems[0] if problems else "run_id is empty: nothing is known to belong to the run")
    client = client or connect(params)
    client.require_namespace(params["namespace"])
    place = _Place(client=client, namespace=params["namespace"], run_id=params["run_id"], check_mode=check_mode)
    if params["state"] == "present":
        volumes, namespaces, faults = (tuple(params.get(key) or ()) for key in ("volumes", "namespaces", "faults"))
        return _open(place, Journal(place.run_id, volumes=volumes, namespaces=namespaces, faults=faults))
    return _TakeDown(place, timeout=float(params["wait_timeout"]), clock=clock).run()


@dataclass(frozen=True)
class _Place:
    """Which run, where."""

    client: Client
    namespace: str
    run_id: str
    check_mode: bool

    @property
    def manager(self) -> t.Any:
        """Longhorn's own API, through the API server."""
        return self.client.service_proxy(self.namespace, "longhorn-backend", 9500)

    def journal(self) -> Journal | None:
        """The run's journal, if it was opened."""
        name = journals.journal_name(self.run_id)
        found = self.client.find(kinds.CONFIGMAPS, name, namespace=self.namespace)
        if found is None:
            return None
        try:
            return journals.from_config_map(found, self.run_id)
        except JournalError as error:
            raise Conflict(
                f"this is not the journal of run {self.run_id}: {error}", subject=f"ConfigMap {self.namespace}/{name}",
                advice="Choose another run id, or look at it and remove it by hand.",
            ) from error  # fmt: skip

    def settings(self) -> dict[str, str]:
        """The settings a run may change, as they are."""
        try:
            found = self.client.list(kinds.SETTINGS, namespace=self.namespace).items
        except NotFound:  # not even the kind
            found = ()
        values = {str(item["metadata"]["name"]): str(item.get("value") or "") for item in found}
        if names.DEFAULT_ENGINE_IMAGE_SETTING not in values:
            raise NotFound(
                "Longhorn has no settings there", subject=f"namespace {self.namespace}",
                expected=f"setting {names.DEFAULT_ENGINE_IMAGE_SETTING}", advice="Is Longhorn installed and running?",
            )  # fmt: skip
        return {name: values[name] for name in journals.KEPT_SETTINGS if name in values}


def _open(place: _Place, wanted: Journal) -> dict[str, t.Any]:
    existing = place.journal()
    if existing is not None:
        return {"changed": False, "settings": dict(existing.settings), "summary": [f"run {place.run_id} is open"]}
    _refuse_second(place)
    journal = replace(wanted, settings=place.settings())
    body = journals.to_config_map(journal, namespace=place.namespace)
    place.client.create(kinds.CONFIGMAPS, body, namespace=place.namespace, dry_run=place.check_mode)
    for name in journal.namespaces:
        _make_namespace(place, name)
    return {
        "changed": True,
        "settings": dict(journal.settings),
        "summary": [f"{name} is {value or 'not set'}" for name, value in journal.settings.items()],
        "diff": {"before": {}, "after": body["data"]},
    }


def _make_namespace(place: _Place, name: str) -> None:
    """With the run's label only if it is made here: the label is the permission to remove it."""
    if place.client.find(kinds.NAMESPACES, name) is None:
        labels = {names.RUN_ID_LABEL: place.run_id}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        place.client.create(kinds.NAMESPACES, body, dry_run=place.check_mode)


def _refuse_second(place: _Place) -> None:
    """Two runs at once would judge each other's backup target, and each put back the other's settings."""
    journals_there = place.client.list(kinds.CONFIGMAPS, namespace=place.namespace, labels=journals.SELECTOR).items
    others = sorted(str(item["metadata"]["labels"].get(names.RUN_ID_LABEL, "")) for item in journals_there)
    if others:
        raise Refused(
            "another run is open in this cluster, and Longhorn has only one backup target",
            subject=f"run {place.run_id}", expected="no other run", seen=f"run {', '.join(others)}",
            advice=f"Wait for it, or take it down: ansible-playbook longhorn.qa.teardown "
            f"-e best_effort_cleanup_run_id={others[0]}",
        )  # fmt: skip


@dataclass
class _TakeDown:
    """One take-down; remembers what it did."""

    place: _Place
    timeout: float
    clock: Clock
    removed: list[str] = field(default_factory=list)
    restored: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def run(self) -> dict[str, t.Any]:
        """All steps, then a last look."""
        journal = self.place.journal()
        known = journal or Journal(run_id=self.place.run_id)
        self._faults(known)
        self._settings(known, only=journals.OF_FAULTS)
        volumes = self._volumes()
        self._settings(known, only=(names.DEFAULT_ENGINE_IMAGE_SETTING,))
        if not self._store_goes_too(known):
            self._backups(known, needed=bool(volumes))
        self._settings(known, only=journals.OF_STORE)
        self._engine_images()
        self._plain_objects(known)
        self._nothing_left(known)
        if journal is not None:
            self._delete(kinds.CONFIGMAPS, journals.journal_name(known.run_id), namespace=self.place.namespace)
        return self._result()

    def _faults(self, journal: Journal) -> None:
        """What stands in the way of deletions goes first. A store's proxy goes with the store, or lets pass again."""
        if "admission" in journal.faults:
            for kind in filter(None, (self.place.client.served(*candidates) for candidates in kinds.REFUSING)):
                for name in self._labelled(kind, ""):
                    self._delete(kind, name)
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
        except (ApiFailure, NotFound):
            pass  # it refuses nothing, because it does not answer at all
        self._delete(kinds.CONFIGMAPS, service, namespace=namespace)

    def _volumes(self) -> list[str]:
        found = self._labelled(kinds.VOLUMES, self.place.namespace)
        for name in found:
            self._through_manager("volumes", name)
        self._wait_gone(kinds.VOLUMES, self.place.namespace, told="volumes")
        return found

    def _settings(self, journal: Journal, *, only: tuple[str, ...]) -> None:
        if not any(name in journal.settings for name in only):
            return
        for name, value in journals.to_restore(journal, self.place.settings()):
            if name in only:
                if not self.place.check_mode:
                    self.place.manager.put(f"v1/settings/{name}", {"name": name, "value": value})
                self.restored[name] = value

    def _store_goes_too(self, journal: Journal) -> bool:
        """Whether the run made the store itself: its content goes with it."""
        return any(self._labelled(kinds.DEPLOYMENTS, namespace) for namespace in self._namespaces(journal))

    def _backups(self, journal: Journal, *, needed: bool) -> None:
        """A store that never answered must not hold the run up for ever: without volumes it goes on, with a word."""
        try:
            mine = [name for name in self._backup_volumes() if name in journal.volumes] if journal.volumes else []
        except ApiFailure as error:
            if needed:
                error.advice = "Take the run down again when the backup store answers."
                raise
            target = self.place.settings()[names.BACKUP_TARGET_SETTING]
            told = f"backups of {', '.join(journal.volumes)}, if there are any, are still in {target}"
            self.warnings.append(f"{told}, which cannot be listed: {error}")
            return
        for name in mine:
            if not self.place.check_mode:
                self.place.manager.delete(f"v1/backupvolumes/{name}")
            self.removed.append(f"backups of {name}")
        if mine and not self.place.check_mode:
            self._wait(
                lambda: [name for name in self._backup_volumes() if name in mine],
                subject=f"backups of run {journal.run_id}", expected="none in the backup store",
            )  # fmt: skip

    def _backup_volumes(self) -> list[str]:
        if not self.place.settings().get(names.BACKUP_TARGET_SETTING):
            return []
        return [str(item.get("name", "")) for item in self.place.manager.get("v1/backupvolumes").get("data") or ()]

    def _engine_images(self) -> None:
        for name in self._labelled(kinds.ENGINE_IMAGES, self.place.namespace):
            self._wait_unused(name)
            self._through_manager("engineimages", name)
        self._wait_gone(kinds.ENGINE_IMAGES, self.place.namespace, told="engine images")

    def _wait_unused(self, name: str) -> None:
        """Longhorn refuses to remove an image that it still counts as used."""
        if self.place.check_mode:
            return

        def users() -> list[str]:
            found = self.place.client.find(kinds.ENGINE_IMAGES, name, namespace=self.place.namespace)
            count = int(((found or {}).get("status") or {}).get("refCount") or 0)
            return [f"refCount {count}"] if count else []

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
                jobs = self.place.client.list(
                    self._cronjobs(), namespace=self.place.namespace, labels=f"longhornvolume={volume}"
                )
                found += [f"cronjobs {self.place.namespace}/{item['metadata']['name']}" for item in jobs.items]
            return found

        self._wait(
            left,
            subject=f"run {journal.run_id}",
            expected="nothing of it left",
            advice="Look at the finalizers of what is left.",
        )

    def _cronjobs(self) -> Kind:
        return self.place.client.first_served(kinds.CRONJOBS, kinds.CRONJOBS_V1BETA1)

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

    def _through_manager(self, collection: str, name: str) -> None:
        if not self.place.check_mode:
            try:
                self.place.manager.delete(f"v1/{collection}/{name}")
            except NotFound:
                return
        self.removed.append(f"{collection.removesuffix('s')} {name}")

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
        summary += [f"setting {name} {verb}put back to {value or 'nothing'}" for name, value in self.restored.items()]
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
