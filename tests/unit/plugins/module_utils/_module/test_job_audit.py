# SPDX-License-Identifier: GPL-3.0-or-later
"""job_audit: what a cluster remembers becomes a history, and what may not be read becomes a gap that names the verb."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.api import Listing
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.history_dir import read_history
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.store import S3Store
from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._history.model import StoredBackup
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import judge
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.permissions import Permission, granted
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile
from ansible_collections.longhorn.qa.plugins.module_utils._module import job_audit
from ansible_collections.longhorn.qa.plugins.module_utils._module.ticks import ticks

RECORDING = Path(__file__).resolve().parents[4] / "recordings" / "2020-06"
FILES = {
    "volumes": "volumes.longhorn.io", "engines": "engines.longhorn.io", "cronjobs": "k8s-cronjobs",
    "jobs": "k8s-jobs", "pods": "k8s-pods", "events": "k8s-events",
}  # fmt: skip
TARGET = {"backup-target": "s3://bucket@us-east-1/", "backup-target-credential-secret": "creds"}


def nothing() -> dict[str, list[t.Any]]:
    return {plural: [] for plural in FILES}


class Text:
    """A log that is there at once."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def chunks(self) -> Iterator[bytes]:
        yield self._content

    def close(self) -> None:
        """Nothing to let go of."""


class Cluster:
    """A recorded cluster as it was at the end; whoever lacks a permission is told so as the API server does."""

    def __init__(self) -> None:
        self.denied: set[tuple[str, str]] = set()
        self.version = "longhorn.io/v1beta1"
        self.settings: dict[str, str] = {}
        self.objects: dict[str, list[dict[str, t.Any]]] = {
            plural: json.loads((RECORDING / "dump" / f"{name}.json").read_text())["items"]
            for plural, name in FILES.items()
        }

    def _check(self, verb: str, resource: str) -> None:
        if (verb, resource) in self.denied:
            told = f"verb {verb} on {resource} is not granted"
            raise errors.Forbidden(told, status=403, verb=verb, resource=resource)

    def require_namespace(self, name: str) -> bool:
        assert name == "longhorn-system"
        return ("get", "namespaces") not in self.denied

    def plurals(self, group_version: str) -> frozenset[str]:
        return frozenset((*self.objects, "settings")) if group_version == self.version else frozenset()

    def served(self, *candidates: Kind) -> Kind | None:
        if candidates[0].group != "longhorn.io":
            return candidates[0]
        return next((kind for kind in candidates if kind.plural in self.plurals(kind.group_version)), None)

    def list(self, kind: Kind, *, namespace: str, labels: str = "") -> Listing:
        assert namespace == "longhorn-system"
        self._check("list", kind.plural)
        if kind.group == "longhorn.io" and kind.group_version != self.version:
            raise errors.NotFound("does not exist", subject=f"list {kind.plural}", status=404)
        if kind.plural == "settings":
            items = [{"metadata": {"name": name}, "value": value} for name, value in self.settings.items()]
        elif labels:
            items = [{"spec": {"containers": [{"image": "longhornio/longhorn-manager:v1.0.0-fix"}]}}]
        else:
            items = self.objects[kind.plural]
        return Listing(tuple(items), "1")

    def logs(self, pod: str, *, previous: bool, **_options: t.Any) -> Text:
        self._check("get", "pods/log")
        assert not previous
        return Text((RECORDING / "logs" / f"{pod}.r0.log").read_bytes())

    def find(self, kind: Kind, name: str, *, namespace: str) -> t.Any:
        """No Secret is here."""
        del name, namespace
        self._check("get", kind.plural)


@pytest.fixture(name="cluster")
def _cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    there = {path.name.removesuffix(".r0.log") for path in (RECORDING / "logs").glob("*.r0.log")}
    pods = [pod for pod in made.objects["pods"] if pod["metadata"]["name"] in there]
    assert pods
    made.objects["pods"] = pods
    monkeypatch.setattr(S3Store, "backups", lambda *_a: ())
    monkeypatch.setattr(S3Store, "deleted", lambda *_a: ())
    return made


def run(cluster: Cluster, folder: Path, **params: t.Any) -> dict[str, t.Any]:
    given = {"namespace": "longhorn-system", "longhorn_release": "2020-06", "history": str(folder / "h"), **params}
    return job_audit.run(given, check_mode=bool(params.get("check")), client=t.cast(t.Any, cluster))


def verdicts(folder: Path) -> dict[tuple[str, str], str]:
    found = judge(read_history(folder / "h"), profiles=profile, ticks=ticks)
    return {(check.volume, check.check): check.verdict for check in found.checks}


def test_a_stated_release_that_is_none_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(errors.BadInput, match=r"has no profile; .*seen 1\.0\.1"):
        run(cluster, tmp_path, longhorn_release="1.0.1")
    assert not (tmp_path / "h").exists()


def test_each_recurring_job_becomes_a_cell_of_which_nothing_is_expected(cluster: Cluster, tmp_path: Path) -> None:
    result = run(cluster, tmp_path)
    history = read_history(tmp_path / "h")
    assert len(result["cells"]) == len(cluster.objects["cronjobs"]) == 6
    assert {cell.faults for cell in history.subjects.cells} == {None}
    assert {cell.cron for cell in history.subjects.cells} == {"* * * * *"}
    assert (result["unknown"], result["gaps"], history.damage) == ([], 0, ())
    assert {item.kind for item in history.records if isinstance(item, model.ObjectSeen)} == set(FILES)
    assert len(history.logs) == len(cluster.objects["pods"])


def test_a_look_back_never_passes_what_needs_watching(cluster: Cluster, tmp_path: Path) -> None:
    run(cluster, tmp_path)
    found = verdicts(tmp_path)
    assert set(found.values()) == {"inconclusive", "not_applicable"}
    assert {word for (_volume, check), word in found.items() if check == "fault-live"} == {"not_applicable"}


def test_clean_ups_that_failed_are_told(cluster: Cluster, tmp_path: Path) -> None:
    run(cluster, tmp_path)
    found = judge(read_history(tmp_path / "h"), profiles=profile, ticks=ticks)
    told = {item.volume: item.summary for item in found.checks if item.check == "cleanup-warning"}
    assert "snapshot-delete failed in 3 Jobs (test-nc-snap-" in told["test-nc-snap"]
    assert "failed in" not in told["test-d-snap"]


def as_since_1_8(cluster: Cluster) -> None:
    """The backup target is an object, and so are the kinds that came until then."""
    cluster.version = "longhorn.io/v1beta2"
    spec = {"backupTargetURL": "s3://bucket@us-east-1/", "credentialSecret": "creds"}
    targets = [
        {"metadata": {"name": "other"}, "spec": {"backupTargetURL": "nfs://elsewhere:/x"}},
        {"metadata": {"name": "default"}, "spec": spec},
    ]
    cluster.objects |= {"backuptargets": targets, "backups": [], "snapshots": [], "recurringjobs": []}


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.told("its namespace")) for row in granted("audit") if row.scope == "longhorn"]
)
def test_each_missing_permission_is_named_and_nothing_passes(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: Permission
) -> None:
    monkeypatch.setattr(S3Store, "backups", lambda store, _volumes: store._read_secret())
    if row.since:
        as_since_1_8(cluster)
    else:
        cluster.settings = TARGET
    cluster.denied = {(row.verb, row.target)}
    result = run(cluster, tmp_path, longhorn_release="")
    told = " ".join([*result["unknown"], *result["audit_warnings"], *(item.reason for item in gaps(tmp_path))])
    assert row.target in told
    assert "not granted" in told
    assert "pass" not in verdicts(tmp_path).values()


@pytest.mark.parametrize(
    "denied",
    [
        pytest.param(["volumes", "cronjobs"], id="up to 1.1"),
        pytest.param(["recurringjobs"], id="objects of their own, since 1.2"),
    ],
)
def test_without_the_right_to_find_jobs_it_says_so(cluster: Cluster, tmp_path: Path, denied: list[str]) -> None:
    cluster.objects = {**nothing(), "recurringjobs": []}
    cluster.denied = {("list", plural) for plural in denied}
    with pytest.raises(errors.Forbidden, match=rf"list on {denied[0]} .*rbac/audit.yml"):
        run(cluster, tmp_path)
    assert not (tmp_path / "h").exists()


def test_a_run_that_is_gone_is_no_log(cluster: Cluster, tmp_path: Path) -> None:
    pod = cluster.objects["pods"][0]
    pod["status"]["containerStatuses"][0] |= {"restartCount": 3, "state": {"waiting": {}}}
    cluster.denied = {("get", "pods/log")}
    run(cluster, tmp_path)
    lost = [gap.reason for gap in gaps(tmp_path) if gap.subject == pod["metadata"]["name"]]
    assert [reason.partition(":")[0] for reason in lost] == ["attempts 0 to 1", "attempt 2"]
    assert "last two runs only" in lost[0]
    assert "not granted" in lost[1]


def test_check_mode_writes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    result = run(cluster, tmp_path, check=True)
    assert len(result["cells"]) == 6
    assert not (tmp_path / "h").exists()


def test_a_history_that_exists_is_not_written_over(cluster: Cluster, tmp_path: Path) -> None:
    run(cluster, tmp_path)
    with pytest.raises(errors.Conflict, match="a history already"):
        run(cluster, tmp_path)


def test_a_cluster_without_recurring_jobs_is_no_success(cluster: Cluster, tmp_path: Path) -> None:
    cluster.objects = nothing()
    with pytest.raises(errors.NotFound, match="no recurring job to judge"):
        run(cluster, tmp_path)


def test_half_a_cell_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(errors.BadInput, match="'task' is missing"):
        run(cluster, tmp_path, expect=[{"volume": "v"}])


def stored(*moments: str) -> tuple[StoredBackup, ...]:
    return tuple(
        StoredBackup(volume="gone", name=f"b-{n}", key=f"k/{n}", labels={"RecurringJob": "c-1"}, created=moment)
        for n, moment in enumerate(moments)
    )


GONE = {"volume": "gone", "task": "backup", "job": "c-1", "cronjob": "gone-c-1-c"}
EVERY_3 = {**GONE, "cron": "*/3 * * * *"}
ONCE = [f"2020-06-23T10:{minute:02}:05Z" for minute in range(0, 30, 3)]
DOUBLE = [moment.replace(":05Z", f":{second}Z") for moment in ONCE for second in ("05", "25")]
CHECK = ("gone", "count-matches-schedule")


@pytest.mark.parametrize(
    ("params", "moments", "verdict", "words"),
    [
        pytest.param({"expect": [EVERY_3]}, ONCE, "inconclusive", "not known", id="one for each tick"),
        pytest.param({"expect": [EVERY_3]}, DOUBLE, "fail", "at least 9 more", id="two for each tick"),
        pytest.param(
            {"expect": [EVERY_3]}, [*ONCE, "2020-06-23T10:27:40Z"], "inconclusive", "1 times", id="two for one tick"
        ),
        pytest.param(
            {"expect": [{**GONE, "cron": "often"}]}, ONCE, "inconclusive", "cannot be read", id="no cron line"
        ),
        pytest.param({"volumes": ["gone"]}, DOUBLE, "inconclusive", "when it was to run", id="no schedule"),
    ],
)
def test_the_store_alone_remembers_a_volume_that_is_gone(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: dict[str, t.Any], moments: list[str],
    verdict: str, words: str,
) -> None:  # fmt: skip
    cluster.objects = nothing()
    cluster.settings = TARGET
    monkeypatch.setattr(S3Store, "backups", lambda *_a: stored(*moments))
    result = run(cluster, tmp_path, **params)
    assert result["cells"] == ["gone"]
    found = judge(read_history(tmp_path / "h"), profiles=profile, ticks=ticks)
    check = next(item for item in found.checks if (item.volume, item.check) == CHECK)
    assert check.verdict == verdict
    assert words in check.summary
    assert "pass" not in {item.verdict for item in found.checks}


def test_backups_that_were_deleted_count_where_the_bucket_has_versions(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.objects = nothing()
    cluster.settings = TARGET
    every = stored(*DOUBLE)
    monkeypatch.setattr(S3Store, "backups", lambda *_a: every[-1:])
    monkeypatch.setattr(S3Store, "deleted", lambda *_a: every[:-1])
    run(cluster, tmp_path, expect=[EVERY_3])
    assert verdicts(tmp_path)[CHECK] == "fail"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"generation": 2}, "the CronJob was changed", id="CronJob changed"),
        pytest.param({"generation": 1}, "", id="CronJob as it was made"),
    ],
)
def test_a_schedule_that_may_have_changed_proves_nothing(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, t.Any], words: str
) -> None:
    cluster.objects = {**nothing(), "cronjobs": cluster.objects["cronjobs"]}
    cluster.settings = TARGET
    metadata = next(item["metadata"] for item in cluster.objects["cronjobs"] if "back" in item["metadata"]["name"])
    metadata |= {"creationTimestamp": "2020-06-23T09:00:00Z", **change}
    volume = metadata["labels"]["longhornvolume"]
    job = metadata["name"].removeprefix(f"{volume}-").removesuffix("-c")
    made = [f"2020-06-23T10:{minute:02}:{second}Z" for minute in range(10) for second in ("05", "25")]
    backups = [
        StoredBackup(volume, f"b-{n}", f"k/{n}", created=at, labels={"RecurringJob": job}) for n, at in enumerate(made)
    ]
    monkeypatch.setattr(S3Store, "backups", lambda *_a: tuple(backups))
    run(cluster, tmp_path, volumes=[volume])
    found = judge(read_history(tmp_path / "h"), profiles=profile, ticks=ticks)
    check = next(item for item in found.checks if (item.volume, item.check) == (volume, CHECK[1]))
    assert check.verdict == ("inconclusive" if words else "fail")
    assert words in check.summary
    assert "9 more than" in check.summary


def gaps(folder: Path) -> list[model.Gap]:
    return [item for item in read_history(folder / "h").records if isinstance(item, model.Gap)]


def recurring_job(name: str, **spec: t.Any) -> dict[str, t.Any]:
    return {"metadata": {"name": name, "uid": f"u-{name}", "resourceVersion": "7"}, "spec": {"name": name, **spec}}


def test_since_1_2_volumes_name_their_jobs_or_groups_of_them_by_labels(cluster: Cluster, tmp_path: Path) -> None:
    names = [volume["metadata"]["name"] for volume in cluster.objects["volumes"]]
    for volume in cluster.objects["volumes"]:
        volume["spec"]["recurringJobs"] = []
    for name, key in (
        (names[0], "recurring-job.longhorn.io/nightly"),
        (names[1], "recurring-job-group.longhorn.io/all"),
    ):
        next(v for v in cluster.objects["volumes"] if v["metadata"]["name"] == name)["metadata"]["labels"] = {
            key: "enabled"
        }
    cluster.objects["cronjobs"] = []
    cluster.objects["recurringjobs"] = [
        recurring_job("nightly", task="backup-force-create", cron="0 3 * * *", retain=2, groups=["all"]),
        recurring_job("unused", task="snapshot", cron="0 * * * *", retain=1),
    ]
    run(cluster, tmp_path, longhorn_release="")
    cells = read_history(tmp_path / "h").subjects.cells
    assert [(cell.volume, cell.job, cell.cronjob) for cell in cells] == [
        (name, "nightly", "nightly") for name in sorted(names[:2])
    ]
    assert {(cell.task, cell.cron, cell.retain) for cell in cells} == {("backup-force-create", "0 3 * * *", 2)}


def test_since_1_8_the_backup_target_is_an_object(cluster: Cluster, tmp_path: Path) -> None:
    as_since_1_8(cluster)
    run(cluster, tmp_path)
    stores = [item for item in read_history(tmp_path / "h").records if isinstance(item, model.Store)]
    assert [(store.target, store.error) for store in stores] == [("s3://bucket@us-east-1/", "")]
