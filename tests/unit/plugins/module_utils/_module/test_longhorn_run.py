# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening a run, and taking it down without a trace: what is touched, in which order, and what never is."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Listing
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    ApiFailure,
    BadInput,
    Conflict,
    Forbidden,
    LonghornQAError,
    NotFound,
    Refused,
    Unauthorized,
    WaitTimeout,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.journal import Journal
from ansible_collections.longhorn.qa.plugins.module_utils._module import longhorn_run, run_journal, run_take_down

LONGHORN, STORE, RUN = "longhorn-system", "longhorn-qa-store-a1", "a1"
PROXY = f"{STORE}-proxy"
VOLUME, IMAGE = "qa-a1-no-cleanup-back", "ei-0016307a"
BEFORE = {"default-engine-image": "engine:v1", "backup-target": "", "backup-target-credential-secret": ""}
Document = dict[str, t.Any]


class Cluster:
    """An API server and Longhorn's manager in memory; a request that it does not expect fails the test."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Document] = {}
        self.backup_volumes: list[str] = []
        self.store_problem = ""
        self.rules: list[Document] | LonghornQAError = []  # of the store's proxy, or why it does not tell
        self.forbidden: set[str] = set()  # plurals that may not be listed
        self.writes: list[str] = []
        self.stuck: set[str] = set()  # names that never go away
        self.version = "v1beta1"
        self.kinds = {"volumes", "engineimages", "settings"}

    def add(self, plural: str, name: str, *, namespace: str = LONGHORN, mine: bool = True, **more: t.Any) -> None:
        labels = {"longhorn.qa/run-id": RUN} if mine else {}
        self.objects[plural, namespace, name] = {"metadata": {"name": name, "labels": labels}, **more}

    def drop(self, plural: str, namespace: str, name: str) -> bool:
        found = (plural, namespace, name) in self.objects
        if found and name not in self.stuck:
            del self.objects[plural, namespace, name]
        return found

    # -- what Client offers

    def require_namespace(self, name: str) -> None:
        if name != LONGHORN:
            raise NotFound("the namespace does not exist", subject=f"namespace {name}")

    def find(self, kind: Kind, name: str, *, namespace: str = "") -> Document | None:
        return self.objects.get((kind.plural, namespace, name))

    def list(self, kind: Kind, *, namespace: str = "", labels: str = "") -> Listing:
        if kind.plural in self.forbidden:
            raise Forbidden("is not allowed", subject=f"list {kind.plural}", status=403)
        key, _, value = labels.partition("=")
        items = [
            item
            for (plural, where, _), item in self.objects.items()
            if plural == kind.plural
            and where == namespace
            and (not key or item["metadata"]["labels"].get(key) == value)
        ]
        return Listing(tuple(items), "1")

    host = "https://api.example"

    def plurals(self, group_version: str) -> frozenset[str]:
        return frozenset(self.kinds if group_version == f"longhorn.io/{self.version}" else ())

    def get(self, kind: Kind, name: str, *, namespace: str = "") -> Document:
        found = self.find(kind, name, namespace=namespace)
        assert found is not None
        return found

    def replace(self, kind: Kind, name: str, body: Document, *, namespace: str = "") -> None:
        self.objects[kind.plural, namespace, name] = body

    def patch(self, kind: Kind, name: str, patch: Document, *, namespace: str = "") -> None:
        self.writes.append(f"patch {kind.plural} {name}")
        self.objects[kind.plural, namespace, name]["spec"] |= patch["spec"]

    def served(self, *candidates: Kind) -> Kind | None:
        return next((kind for kind in candidates if kind.plural == "validatingwebhookconfigurations"), None)

    def first_served(self, *kinds: Kind) -> Kind:
        return kinds[0]

    def create(self, kind: Kind, body: Document, *, namespace: str = "", dry_run: bool = False) -> Document:
        self.writes.append(f"create {kind.plural} {body['metadata']['name']}")
        if not dry_run:
            self.objects[kind.plural, namespace, body["metadata"]["name"]] = body
        return body

    def delete(self, kind: Kind, name: str, *, namespace: str = "", dry_run: bool = False) -> bool:
        if dry_run:
            return (kind.plural, namespace, name) in self.objects
        self.writes.append(f"delete {kind.plural} {name}")
        if kind.plural == "namespaces":
            for plural, where, inner in list(self.objects):
                if where == name:
                    self.drop(plural, where, inner)
        return self.drop(kind.plural, namespace, name)

    def service_proxy(self, namespace: str, service: str, port: int) -> Manager | StoreProxy:
        if (namespace, service, port) == (LONGHORN, "longhorn-backend", 9500):
            return Manager(self)
        assert (namespace, service, port) == (STORE, PROXY, 9001)
        return StoreProxy(self)


@dataclass
class Manager:
    """Longhorn's REST API as far as it is used here."""

    cluster: Cluster

    def get(self, path: str) -> Document:
        name = path.removeprefix("v1/settings/")
        if name != path:
            return {"name": name, "value": self.cluster.objects["settings", LONGHORN, name]["value"]}
        assert path == "v1/backupvolumes"
        if self.cluster.store_problem:
            raise ApiFailure("the service could not do it", seen=self.cluster.store_problem, status=500)
        return {"data": [{"name": name} for name in self.cluster.backup_volumes]}

    def put(self, path: str, body: Document) -> None:
        name = path.removeprefix("v1/settings/")
        self.cluster.writes.append(f"set {name}={body['value']}")
        self.cluster.objects["settings", LONGHORN, name]["value"] = body["value"]

    def delete(self, path: str) -> None:
        _, collection, name = path.split("/")
        self.cluster.writes.append(f"delete {collection} {name}")
        if collection == "backupvolumes" and name in self.cluster.backup_volumes:
            self.cluster.backup_volumes.remove(name)
        else:
            self.cluster.drop(collection, LONGHORN, name)


@dataclass
class StoreProxy:
    """The proxy in front of the store, where its rules are read and set."""

    cluster: Cluster

    def get(self, path: str) -> Document:
        assert path == "rules"
        if isinstance(self.cluster.rules, LonghornQAError):
            raise self.cluster.rules
        return {"rules": self.cluster.rules}

    def put(self, path: str, body: Document) -> None:
        assert path == "rules"
        self.cluster.writes.append("set rules of the store's proxy")
        self.cluster.rules = body["rules"]


@dataclass
class Time:
    """A clock that passes only when somebody sleeps."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=timezone.utc)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture(name="cluster")
def _cluster() -> Cluster:
    cluster = Cluster()
    for name, value in BEFORE.items():
        cluster.add("settings", name, mine=False, value=value)
    return cluster


def run(cluster: Cluster, state: str, *, check_mode: bool = False, **options: t.Any) -> Document:
    """The module on this cluster."""
    params = {
        "namespace": LONGHORN, "run_id": RUN, "state": state, "volumes": [VOLUME], "namespaces": [STORE],
        "wait_timeout": 60, **options,
    }  # fmt: skip
    return longhorn_run.run(params, check_mode=check_mode, client=t.cast(t.Any, cluster), clock=Time())


def populate(cluster: Cluster) -> None:
    """All that a run makes, and the settings it changes, after it was opened."""
    run(cluster, "present")
    cluster.add("volumes", VOLUME)
    cluster.add("engineimages", IMAGE, status={"refCount": 0})
    cluster.add("secrets", "longhorn-qa-store-a1")
    cluster.add("namespaces", STORE, namespace="")
    cluster.add("deployments", "longhorn-qa-store-a1", namespace=STORE)
    cluster.add("secrets", "longhorn-qa-store-a1", namespace=STORE)
    cluster.objects["settings", LONGHORN, "default-engine-image"]["value"] = "stub:no-cleanup"
    cluster.objects["settings", LONGHORN, "backup-target"]["value"] = "s3://b@r/"
    cluster.writes.clear()


def test_opening_notes_the_settings_before_anything_is_changed(cluster: Cluster) -> None:
    result = run(cluster, "present")

    assert result["changed"] and result["settings"] == BEFORE
    assert cluster.writes == ["create configmaps longhorn-qa-a1", f"create namespaces {STORE}"]


def test_a_namespace_that_exists_is_not_marked_and_stays(cluster: Cluster) -> None:
    cluster.add("namespaces", STORE, namespace="", mine=False)
    cluster.add("secrets", "theirs", namespace=STORE, mine=False)
    run(cluster, "present")
    cluster.add("secrets", "mine", namespace=STORE)

    run(cluster, "absent")

    assert cluster.objects["namespaces", "", STORE]["metadata"]["labels"] == {}
    assert ("secrets", STORE, "theirs") in cluster.objects
    assert ("secrets", STORE, "mine") not in cluster.objects


def test_opening_again_keeps_the_first_settings(cluster: Cluster) -> None:
    run(cluster, "present")
    cluster.objects["settings", LONGHORN, "backup-target"]["value"] = "s3://changed@r/"

    result = run(cluster, "present")

    assert not result["changed"] and result["settings"] == BEFORE


WEBHOOK = "longhorn-qa-refuses-a1-snapshots"
SECOND = "longhorn-qa-more-a1"


def test_opening_again_adds_what_is_made_beyond_the_journal(cluster: Cluster) -> None:
    more = {"volumes": ["qa-a1-second"], "namespaces": [SECOND], "faults": ["admission"]}
    run(cluster, "present")
    cluster.objects["settings", LONGHORN, "backup-target"]["value"] = "s3://changed@r/"

    planned = run(cluster, "present", check_mode=True, **more)
    assert journal_of(cluster) == Journal(RUN, settings=BEFORE, volumes=(VOLUME,), namespaces=(STORE,))

    result = run(cluster, "present", **more)
    assert planned["changed"] and result["changed"] and planned["diff"] == result["diff"]
    assert journal_of(cluster) == Journal(
        RUN, settings=BEFORE, volumes=(VOLUME, "qa-a1-second"), namespaces=(STORE, SECOND), faults=("admission",)
    )
    assert cluster.objects["namespaces", "", SECOND]["metadata"]["labels"] == {"longhorn.qa/run-id": RUN}
    assert not run(cluster, "present", **more)["changed"]

    cluster.add("validatingwebhookconfigurations", WEBHOOK, namespace="")
    run(cluster, "absent")
    assert ("validatingwebhookconfigurations", "", WEBHOOK) not in cluster.objects
    assert ("namespaces", "", SECOND) not in cluster.objects


def journal_of(cluster: Cluster) -> Journal | None:
    return run_journal.find(t.cast(t.Any, cluster), LONGHORN, RUN)


def test_without_a_journal_objects_that_refuse_deletions_go_all_the_same(cluster: Cluster) -> None:
    cluster.add("validatingwebhookconfigurations", WEBHOOK, namespace="")
    cluster.add("validatingwebhookconfigurations", "theirs", namespace="", mine=False)

    assert run(cluster, "absent")["removed"] == [f"validatingwebhookconfigurations {WEBHOOK}"]
    assert ("validatingwebhookconfigurations", "", "theirs") in cluster.objects


def test_who_may_not_look_for_them_is_told_and_goes_on(cluster: Cluster) -> None:
    cluster.forbidden.add("validatingwebhookconfigurations")
    cluster.add("volumes", VOLUME)

    result = run(cluster, "absent")

    assert result["removed"] == [f"volume {VOLUME}"]
    (warning,) = result["warnings"]
    assert "validatingwebhookconfigurations of the run, if there are any, stay" in warning


def test_a_run_that_noted_them_does_not_go_on_without_the_right(cluster: Cluster) -> None:
    run(cluster, "present", faults=["admission"])
    cluster.forbidden.add("validatingwebhookconfigurations")

    with pytest.raises(Forbidden):
        run(cluster, "absent")
    assert journal_of(cluster) is not None


def test_a_run_without_such_a_fault_needs_no_right_to_look_for_them(cluster: Cluster) -> None:
    run(cluster, "present")
    cluster.forbidden.add("validatingwebhookconfigurations")

    assert run(cluster, "absent")["warnings"] == []


RULE = {"verb": "DELETE", "key": "x", "status": 403, "latency": 0.0, "times": 0, "hits": 1}


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        pytest.param([RULE], [f"rules of store proxy {STORE}/{PROXY}"], id="they go"),
        pytest.param([], [], id="there are none"),
        pytest.param(NotFound("does not exist"), [], id="nobody there"),
        pytest.param(ApiFailure("the service could not do it", status=503), [], id="it does not answer"),
    ],
)
def test_the_stores_proxy_lets_pass_again(
    cluster: Cluster, rules: list[Document] | LonghornQAError, told: list[str]
) -> None:
    run(cluster, "present", faults=["backup-store"])
    cluster.add("services", PROXY, namespace=STORE)
    cluster.rules = rules

    result = run(cluster, "absent")

    assert [line for line in result["removed"] if line.startswith("rules")] == told
    assert cluster.rules == (rules if isinstance(rules, LonghornQAError) else [])


@pytest.mark.parametrize("error", [Forbidden("may not", status=403), Unauthorized("who is it", status=401)])
def test_a_proxy_that_may_not_be_asked_may_refuse_still(cluster: Cluster, error: LonghornQAError) -> None:
    run(cluster, "present", faults=["backup-store"])
    cluster.add("services", PROXY, namespace=STORE)
    cluster.rules = error

    with pytest.raises(type(error)):
        run(cluster, "absent")
    assert journal_of(cluster) is not None


@pytest.mark.parametrize("check_mode", [pytest.param(True, id="check mode"), pytest.param(False, id="for real")])
def test_a_second_run_is_refused_while_the_first_is_open(cluster: Cluster, check_mode: bool) -> None:
    run(cluster, "present")

    with pytest.raises(
        Refused, match=r"run b2: another run is open.*seen run a1.*teardown -e best_effort_cleanup_run_id=a1"
    ):
        run(cluster, "present", run_id="b2", check_mode=check_mode)

    run(cluster, "absent")
    assert run(cluster, "present", run_id="b2", check_mode=check_mode)["changed"]


def test_opening_in_check_mode_stores_nothing(cluster: Cluster) -> None:
    assert run(cluster, "present", check_mode=True)["changed"]
    assert ("configmaps", LONGHORN, "longhorn-qa-a1") not in cluster.objects


def test_taking_down_leaves_only_what_was_there_before(cluster: Cluster) -> None:
    before = {key: dict(value) for key, value in cluster.objects.items()}
    populate(cluster)

    result = run(cluster, "absent")

    assert result["changed"]
    assert cluster.objects == before
    assert result["restored"] == {"default-engine-image": "engine:v1", "backup-target": ""}


def test_volumes_go_first_then_the_engine_image_setting_then_the_target(cluster: Cluster) -> None:
    populate(cluster)

    run(cluster, "absent")

    assert cluster.writes == [
        f"delete volumes {VOLUME}",
        "set default-engine-image=engine:v1",
        "set backup-target=",
        f"delete engineimages {IMAGE}",
        "delete secrets longhorn-qa-store-a1",
        f"delete namespaces {STORE}",
        "delete configmaps longhorn-qa-a1",
    ]


def test_backups_in_a_store_that_stays_are_deleted_and_only_the_runs_own(cluster: Cluster) -> None:
    populate(cluster)
    cluster.drop("namespaces", "", STORE)
    cluster.drop("deployments", STORE, "longhorn-qa-store-a1")
    cluster.backup_volumes = ["somebody-elses", VOLUME]

    result = run(cluster, "absent")

    assert cluster.backup_volumes == ["somebody-elses"]
    assert f"backups of {VOLUME}" in result["removed"]
    assert cluster.writes.index(f"delete backupvolumes {VOLUME}") < cluster.writes.index("set backup-target=")


def test_a_proxy_of_the_runs_own_does_not_make_the_store_behind_it_the_runs(cluster: Cluster) -> None:
    populate(cluster)
    cluster.drop("deployments", STORE, "longhorn-qa-store-a1")
    cluster.add("deployments", "longhorn-qa-store-a1-proxy", namespace=STORE)
    cluster.backup_volumes = ["somebody-elses", VOLUME]

    run(cluster, "absent")

    assert cluster.backup_volumes == ["somebody-elses"]
    removed = f"delete backupvolumes {VOLUME}", f"delete namespaces {STORE}"
    assert [write for write in cluster.writes if write in removed] == list(removed)  # it is reached through the proxy


def test_a_store_that_does_not_answer_is_tried_again_while_the_run_may_have_backups(cluster: Cluster) -> None:
    populate(cluster)
    cluster.drop("namespaces", "", STORE)
    cluster.drop("deployments", STORE, "longhorn-qa-store-a1")
    cluster.store_problem = "no route to host"

    with pytest.raises(ApiFailure, match=r"no route to host.*Take the run down again when the backup store answers"):
        run(cluster, "absent")
    assert "set backup-target=" not in cluster.writes
    assert ("configmaps", LONGHORN, "longhorn-qa-a1") in cluster.objects

    cluster.store_problem, cluster.backup_volumes = "", [VOLUME]
    assert run(cluster, "absent")["warnings"] == []
    assert cluster.backup_volumes == []
    assert ("configmaps", LONGHORN, "longhorn-qa-a1") not in cluster.objects


def test_a_store_that_never_answered_does_not_keep_a_run_open(cluster: Cluster) -> None:
    run(cluster, "present")
    cluster.objects["settings", LONGHORN, "backup-target"]["value"] = "s3://nobucket@us-east-1/"
    cluster.store_problem = "NoSuchBucket"

    result = run(cluster, "absent")

    assert result["restored"] == {"backup-target": ""}
    (warning,) = result["warnings"]
    assert f"backups of {VOLUME}, if there are any, are still in s3://nobucket@us-east-1/" in warning
    assert "NoSuchBucket" in warning
    assert ("configmaps", LONGHORN, "longhorn-qa-a1") not in cluster.objects


TARGET = {"backupTargetURL": "s3://before@r/", "credentialSecret": "theirs", "pollInterval": "5m0s"}
_SINCE_1_2 = {"recurringjobs", "backups", "backuptargets", "backupvolumes"}


@pytest.fixture(name="newer")
def _newer(cluster: Cluster) -> Cluster:
    """Longhorn since 1.8, with everything of a run in it."""
    cluster.version = "v1beta2"
    cluster.kinds |= _SINCE_1_2 | {"snapshots", "volumeattachments"}
    for name in ("backup-target", "backup-target-credential-secret"):
        cluster.drop("settings", LONGHORN, name)
    cluster.add("settings", "disable-snapshot-purge", mine=False, value="false")
    cluster.add("settings", "default-replica-count", mine=False, value='{"v1":"3","v2":"3"}')
    cluster.add("backuptargets", "default", mine=False, spec=dict(TARGET))
    run(cluster, "present")
    cluster.add("recurringjobs", "qa-a1-back")
    cluster.add("volumes", VOLUME)
    cluster.add("backupvolumes", f"{VOLUME}-1234abcd", mine=False, spec={"volumeName": VOLUME})
    cluster.add("backupvolumes", "theirs-5678abcd", mine=False, spec={"volumeName": "theirs"})
    cluster.add("backuptargets", "second", spec={"backupTargetURL": "s3://mine@r/"})
    cluster.objects["backuptargets", LONGHORN, "default"]["spec"]["backupTargetURL"] = "s3://mine@r/"
    cluster.objects["settings", LONGHORN, "disable-snapshot-purge"]["value"] = "true"
    cluster.writes.clear()
    return cluster


def test_objects_of_later_releases_go_in_their_order_and_the_target_is_put_back(newer: Cluster) -> None:
    result = run(newer, "absent")

    assert newer.writes == [
        "set disable-snapshot-purge=false",
        "delete recurringjobs qa-a1-back",
        f"delete volumes {VOLUME}",
        f"delete backupvolumes {VOLUME}-1234abcd",
        "delete backuptargets second",
        "patch backuptargets default",
        f"delete namespaces {STORE}",
        "delete configmaps longhorn-qa-a1",
    ]
    assert newer.objects["backuptargets", LONGHORN, "default"]["spec"] == {**TARGET, "pollInterval": "300s"}
    assert ("backupvolumes", LONGHORN, "theirs-5678abcd") in newer.objects
    assert result["restored"] == {"disable-snapshot-purge": "false", "backup target default": "s3://before@r/"}
    assert "backup target default put back to s3://before@r/" in result["summary"]
    assert f"backups of {VOLUME}" in result["removed"]


def test_a_backup_volume_that_a_late_look_into_the_store_brings_back_goes_too(
    newer: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop, late = newer.drop, [f"{VOLUME}-9999abcd"]

    def dropped(plural: str, namespace: str, name: str) -> bool:
        if plural == "backupvolumes" and late:
            newer.add("backupvolumes", late.pop(), mine=False, spec={"volumeName": VOLUME})
        return drop(plural, namespace, name)

    monkeypatch.setattr(newer, "drop", dropped)

    run(newer, "absent")

    assert [name for plural, _where, name in newer.objects if plural == "backupvolumes"] == ["theirs-5678abcd"]


def test_a_setting_that_was_noted_later_is_put_back_too(newer: Cluster) -> None:
    def changed(journal: Journal) -> Journal:
        return journal.with_setting("default-replica-count", '{"v1":"3","v2":"3"}')

    run_journal.note(t.cast(t.Any, newer), LONGHORN, RUN, changed)
    newer.objects["settings", LONGHORN, "default-replica-count"]["value"] = '{"v1":"1","v2":"3"}'

    assert run(newer, "absent")["restored"]["default-replica-count"] == '{"v1":"3","v2":"3"}'


def test_check_mode_tells_of_later_releases_objects_and_changes_nothing(newer: Cluster) -> None:
    told = run(newer, "absent", check_mode=True)

    assert newer.writes == []
    done = run(newer, "absent")
    assert (told["removed"], told["restored"]) == (done["removed"], done["restored"])


@pytest.mark.parametrize(
    ("plural", "name", "labels"),
    [
        pytest.param("snapshots", "s-1", {"longhornvolume": VOLUME}, id="a snapshot that waits for its controller"),
        pytest.param("backups", "backup-1", {"backup-volume": VOLUME}, id="a backup that waits for its controller"),
        pytest.param("volumeattachments", VOLUME, {}, id="an attachment without its volume"),
        pytest.param("cronjobs", "qa-a1-back", {}, id="a CronJob without its recurring job"),
    ],
)
def test_what_outlives_the_run_is_named(newer: Cluster, plural: str, name: str, labels: dict[str, str]) -> None:
    newer.add(plural, name, mine=False)
    newer.objects[plural, LONGHORN, name]["metadata"]["labels"] = labels

    with pytest.raises(WaitTimeout, match=rf"{plural} \S*{name}"):
        run(newer, "absent")
    assert ("configmaps", LONGHORN, "longhorn-qa-a1") in newer.objects


def test_what_does_not_carry_the_mark_stays(cluster: Cluster) -> None:
    run(cluster, "present")
    cluster.add("volumes", "somebody-elses", mine=False)
    cluster.add("engineimages", IMAGE, mine=False)
    cluster.add("namespaces", STORE, namespace="", mine=False)
    cluster.add("deployments", "theirs", namespace=STORE, mine=False)
    cluster.writes.clear()

    run(cluster, "absent")

    assert cluster.writes == ["delete configmaps longhorn-qa-a1"]


def test_taking_down_twice_changes_nothing_the_second_time(cluster: Cluster) -> None:
    populate(cluster)
    run(cluster, "absent")

    result = run(cluster, "absent")

    assert not result["changed"]
    assert result["summary"] == ["nothing of run a1 is there"]


def test_check_mode_tells_everything_and_changes_nothing(cluster: Cluster) -> None:
    populate(cluster)
    before = dict(cluster.objects)

    result = run(cluster, "absent", check_mode=True)

    assert cluster.writes == [] and cluster.objects == before
    assert result["removed"] == [
        f"volume {VOLUME}",
        f"engineimage {IMAGE}",
        "secrets longhorn-system/longhorn-qa-store-a1",
        f"namespaces {STORE}",
        "configmaps longhorn-system/longhorn-qa-a1",
    ]


@pytest.mark.parametrize(
    ("plural", "name", "namespace", "told"),
    [
        pytest.param("volumes", VOLUME, LONGHORN, f"volumes of run a1.*{VOLUME}", id="a volume that stays"),
        pytest.param("namespaces", STORE, "", f"namespace {STORE}", id="a namespace that stays"),
    ],
)
def test_what_does_not_go_is_named_and_the_journal_stays(
    cluster: Cluster, plural: str, name: str, namespace: str, told: str
) -> None:
    populate(cluster)
    cluster.stuck.add(name)

    with pytest.raises(WaitTimeout, match=told):
        run(cluster, "absent")

    assert (plural, namespace, name) in cluster.objects
    assert ("configmaps", LONGHORN, "longhorn-qa-a1") in cluster.objects


def test_an_engine_image_in_use_is_not_removed(cluster: Cluster) -> None:
    populate(cluster)
    cluster.objects["engineimages", LONGHORN, IMAGE]["status"] = {"refCount": 1}

    with pytest.raises(WaitTimeout, match="no volume that uses it; seen refCount 1"):
        run(cluster, "absent")

    assert ("engineimages", LONGHORN, IMAGE) in cluster.objects


def test_a_cronjob_that_outlives_its_volume_is_told(cluster: Cluster) -> None:
    populate(cluster)
    cluster.add("cronjobs", f"{VOLUME}-back-1-c", mine=False)
    cluster.objects["cronjobs", LONGHORN, f"{VOLUME}-back-1-c"]["metadata"]["labels"] = {"longhornvolume": VOLUME}

    with pytest.raises(WaitTimeout, match=f"cronjobs {LONGHORN}/{VOLUME}-back-1-c"):
        run(cluster, "absent")


def test_a_foreign_configmap_of_the_journals_name_is_not_believed(cluster: Cluster) -> None:
    cluster.add("configmaps", "longhorn-qa-a1", mine=False)

    with pytest.raises(Conflict, match="not the journal of run a1"):
        run(cluster, "absent")

    assert cluster.writes == []


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        pytest.param({"run_id": ""}, BadInput, "run_id is empty", id="no run id"),
        pytest.param({"run_id": "Not-Allowed"}, BadInput, "lower-case", id="run id with capitals"),
        pytest.param({"namespace": "nowhere"}, NotFound, "namespace nowhere", id="namespace missing"),
    ],
)
def test_bad_input_is_told_and_nothing_changes(
    cluster: Cluster, options: Document, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        run(cluster, "absent", **options)

    assert cluster.writes == []


def test_without_longhorn_a_run_is_not_opened(cluster: Cluster) -> None:
    cluster.objects.clear()

    with pytest.raises(NotFound, match="Longhorn has no settings there"):
        run(cluster, "present")

    assert cluster.writes == []


class Told:
    """A store that was told to refuse."""

    def __init__(self, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.refuses = True
        monkeypatch.setattr(run_take_down, "RefusingBucket", self._bucket)
        place = {"target": "s3://b@r/", "secret": "owner", "namespace": "elsewhere", "endpoint": "", "service": ""}
        run_journal.note(t.cast(t.Any, cluster), LONGHORN, RUN, lambda journal: journal.with_store(place))

    def _bucket(self, store: t.Any, run_id: str, _clock: t.Any) -> Told:
        self.asked.append((store.target, store.location.secret, run_id))
        return self

    def remembers(self) -> bool:
        return self.refuses

    def forget(self) -> None:
        self.refuses = False


@pytest.mark.parametrize("check_mode", [pytest.param(True, id="check mode"), pytest.param(False, id="for real")])
def test_a_store_that_was_told_to_refuse_forgets(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, check_mode: bool
) -> None:
    run(cluster, "present")
    told = Told(cluster, monkeypatch)

    result = run(cluster, "absent", check_mode=check_mode)

    assert told.asked == [("s3://b@r/", "owner", RUN)]
    assert result["removed"][0] == "refusals of s3://b@r/"
    assert told.refuses == check_mode


def test_a_store_that_goes_with_the_run_need_not_forget(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    populate(cluster)
    told = Told(cluster, monkeypatch)

    run(cluster, "absent")

    assert told.asked == []
