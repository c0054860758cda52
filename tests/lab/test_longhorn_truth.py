# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab against recordings of a real Longhorn: equal apart from names, ids, addresses and times.

What may differ besides is listed below with its reason, and nowhere else. Three labs run side by side; two of them wait
for two ticks of the clock, because a CronJob's events come from nothing but its own controller.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import re
import typing as t
from pathlib import Path

import pytest

from longhorn_qa_lab.bringup import Options
from longhorn_qa_lab.lab import running
from longhorn_qa_lab.longhorn.trial import STUBS, Cell, Trial
from longhorn_qa_lab.progress import Progress

RECORDINGS = Path(__file__).parents[1] / "recordings"
JOBS = {
    "2020-06": ("c-dsnp", "c-dbck", "c-ncsnp", "c-ncbck", "c-nbsnp", "c-nbbck"),
    "v1.0.1": ("c-dsnap", "c-dback", "c-ncsnap", "c-ncback", "c-nbsnp", "c-nbbck"),
}
VOLUMES = ("test-d-snap", "test-d-back", "test-nc-snap", "test-nc-back", "test-ncb-snap", "test-ncb-back")
TASKS = {"snap": "snapshot", "back": "backup"}
DEFAULT_STUB = "v1.0.1-defeng"

# --- what may differ, and why ---

#: A job looks at its backup every few seconds, so how often it reports progress depends on the moment it looks.
PROGRESS = re.compile(r'msg="Creating backup backup-ID, current progress \d+"')
#: Whoever lists the backup volumes updates the volume too; when that comes first, the first job finds nothing to do.
FIRST_UPDATE = re.compile(r'msg="Volume \S+ LastBackup updated to ')
#: reason of an Event -> why a recording has it and the lab has not.
ONLY_RECORDED = {
    "MissingClusterDNS": "the test bed's kubelet had no cluster DNS",
    "SuccessfulDelete": "of a CronJob: comes with the fourth tick, the lab is watched for two",
}
#: Volumes of the recording are empty, those of the lab are not, so that backups have blocks.
BLOCK = re.compile(r"/blocks/../../[0-9a-f]{64}\.blk$")

# --- masks: names, ids, addresses, times ---

_MASKS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"backup-[0-9a-f]{16}"), "backup-ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"\b\d+\.\d+\.\d+\.\d+(:\d+)?\b"), "ADDRESS"),
    (re.compile(r"-c-\d{8}-[a-z0-9]{5}\b"), "-c-TICK-POD"),
    (re.compile(r"-c-\d{8}\b"), "-c-TICK"),
    (re.compile(r"-c-\d{8}-$"), "-c-TICK-"),
    (re.compile(r"\b(c-[a-z]+)-[0-9a-f]{8}\b"), r"\1-ID"),
    (re.compile(r"-([er])-[0-9a-f]{8}\b"), r"-\1-ID"),
    (re.compile(r"longhorn-service-account-token-\w{5}"), "longhorn-service-account-token-ID"),
    (re.compile(r"^(vm|lab-node)$"), "NODE"),
)
_BODY = re.compile(r"Body: \[(.*)\] from \[")
_FORGOTTEN = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
    "selfLink",
    "containerID",
    "imageID",
    "lastProbeTime",
    "lastScheduleTime",
    "active",
)


def mask(text: str) -> str:
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    found = _BODY.search(text)
    if found:  # a Go map: its parts come in any order
        parts = sorted(re.split(r", (?=(?:code|detail|message)=)", found[1]))
        text = f"{text[: found.start(1)]}{', '.join(parts)}{text[found.end(1) :]}"
    return text


def plain(value: t.Any) -> t.Any:
    """A document with every string masked and the fields of the moment gone."""
    if isinstance(value, dict):
        return {mask(key): plain(entry) for key, entry in value.items() if key not in _FORGOTTEN}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return mask(value) if isinstance(value, str) else value


def texts(documents: t.Iterable[t.Any]) -> set[str]:
    return {json.dumps(plain(document), sort_keys=True, indent=1) for document in documents}


def shape(value: t.Any) -> t.Any:
    """Keys and types of a document; lists by their first entry, maps keyed by names by any entry."""
    if isinstance(value, dict):
        return {mask(key): shape(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


# --- what was recorded ---


@dataclasses.dataclass(frozen=True)
class Recording:
    """One folder of recordings."""

    folder: Path

    def items(self, kind: str) -> list[dict[str, t.Any]]:
        prefix = "" if "." in kind else "k8s-"
        return t.cast(
            "list[dict[str, t.Any]]", json.loads((self.folder / "dump" / f"{prefix}{kind}.json").read_text())["items"]
        )

    def logs(self, cron_job: str) -> dict[str, list[str]]:
        """Tick -> lines; a first run's empty log was not stored."""
        found = {}
        for path in sorted((self.folder / "logs").glob(f"{cron_job}-*.r0.log")):
            tick = path.name.removeprefix(cron_job + "-").split("-")[0]
            text = path.read_text()
            if not text.startswith("unable to retrieve"):
                found[tick] = text.splitlines()
        return found

    def log(self, pattern: str) -> list[str]:
        return next((self.folder / "logs").glob(pattern)).read_text().splitlines()


# --- what the lab does ---


@dataclasses.dataclass(frozen=True)
class Run:
    """A lab that has gone through the procedure."""

    release: str
    trial: Trial
    cells: tuple[Cell, ...]
    recording: Recording
    #: CronJob -> the logs of its first two Jobs, read before a fourth tick has the first of them deleted.
    logs: dict[str, list[list[str]]] = dataclasses.field(default_factory=dict)

    def jobs(self, cron_job: str) -> list[str]:
        found = [job["metadata"]["name"] for job in self.trial.items("jobs")]
        return sorted(name for name in found if re.fullmatch(re.escape(cron_job) + r"-\d{8}", name))


def cells_of(release: str) -> tuple[Cell, ...]:
    cells = []
    for volume, job in zip(VOLUMES, JOBS[release], strict=True):
        _, stub, task = volume.split("-")
        cells.append(Cell(volume=volume, image=STUBS[stub], task=TASKS[task], job=job))
    return tuple(cells)


def go_through(release: str, kubeconfig: Path) -> Run:
    """The six volumes of the recording, watched for two ticks."""
    run = Run(release, Trial(kubeconfig, patience=240.0), cells_of(release), Recording(RECORDINGS / release))
    run.trial.store()
    for image in STUBS.values():
        if image:
            run.trial.engine_image(image)
    run.trial.prepare(run.cells)
    run.trial.add_jobs(run.cells)
    for cell in run.cells:
        run.trial.until(
            f"{release}: two Jobs of {cell.cron_job} have ended",
            lambda cell=cell: sum(run.trial.ended(job) == "Complete" for job in run.jobs(cell.cron_job)[:2]) == 2,
        )
        two = run.jobs(cell.cron_job)[:2]
        run.logs[cell.cron_job] = [run.trial.job_log(job) for job in two]
        seen = f"Saw completed job: {two[1]}, status: Complete"
        run.trial.until(seen, lambda seen=seen: any(e["message"] == seen for e in run.trial.items("events")))
        for job in two:
            for pod in run.trial.pods_of(job):
                restarts = pod["status"]["containerStatuses"][0]["restartCount"]
                name = pod["metadata"]["name"]
                assert not restarts, f"{name} was restarted after: {run.trial.log(name, previous=True)}"
    return run


@pytest.fixture(scope="module")
def runs(lab_root: str) -> t.Iterator[dict[str, Run]]:
    with (
        running(Options(name="truth-2020", release="2020-06", poll_scale=0.2), Progress()) as old,
        running(Options(name="truth-v101", release="v1.0.1", poll_scale=0.2), Progress()) as new,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        started = {"2020-06": old.kubeconfig, "v1.0.1": new.kubeconfig}
        waiting = {release: pool.submit(go_through, release, config) for release, config in started.items()}
        done = {release: future.result() for release, future in waiting.items()}
        yield done
        for run in done.values():
            run.trial.kube.close()


@pytest.fixture(params=["2020-06", "v1.0.1"])
def run(request: pytest.FixtureRequest, runs: dict[str, Run]) -> Run:
    return runs[request.param]


def test_the_comparison_sees_a_change_and_no_more_than_names() -> None:
    recorded = Recording(RECORDINGS / "2020-06").items("cronjobs")
    for document in recorded:
        document["metadata"]["uid"] = "another"
    assert texts(map(bare, recorded)) == texts(map(bare, Recording(RECORDINGS / "2020-06").items("cronjobs")))
    pod = recorded[0]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    pod["containers"][0]["env"].append({"name": "EXTRA", "value": "1"})
    assert texts(map(bare, recorded)) != texts(map(bare, Recording(RECORDINGS / "2020-06").items("cronjobs")))


def of_cron_jobs(run: Run, kind: str) -> tuple[set[str], set[str]]:
    """Masked objects of the six CronJobs: recorded ones and the lab's, finished ones only."""

    def wanted(document: dict[str, t.Any]) -> bool:
        name = document["metadata"]["name"]
        mine = any(name == cell.cron_job or name.startswith(cell.cron_job + "-") for cell in run.cells)
        status = document.get("status") or {}
        return mine and (kind == "cronjobs" or bool(status.get("succeeded")) or status.get("phase") == "Succeeded")

    return (
        texts(map(bare, filter(wanted, run.recording.items(kind)))),
        texts(map(bare, filter(wanted, run.trial.items(kind)))),
    )


def bare(document: dict[str, t.Any]) -> dict[str, t.Any]:
    """An object without what its list adds, and without the moments in its status."""
    kept = {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}
    status = {key: value for key, value in (kept.get("status") or {}).items() if key not in ("podIPs",)}
    return {**kept, "status": status}


@pytest.mark.parametrize("kind", ["cronjobs", "jobs", "pods"])
def test_objects_are_those_of_the_recording(run: Run, kind: str) -> None:
    recorded, made = of_cron_jobs(run, kind)
    assert len(recorded) == len(run.cells), "the recording has one form per CronJob"
    assert made == recorded


def canonical(lines: t.Sequence[str], *, first: bool) -> tuple[str, ...]:
    """A job's log, masked, without the lines that depend on the moment."""
    masked = [mask(line) for line in lines]
    return tuple(line for line in masked if not PROGRESS.search(line) and not (first and FIRST_UPDATE.search(line)))


def test_first_runs_log_what_was_recorded(run: Run) -> None:
    ticks = {tick for cell in run.cells for tick in run.recording.logs(cell.cron_job)}
    for cell in run.cells:
        recorded = run.recording.logs(cell.cron_job).get(min(ticks), [])
        made = run.logs[cell.cron_job][0]
        assert canonical(made, first=True) == canonical(recorded, first=True), cell.volume


def test_later_runs_log_what_was_recorded(run: Run) -> None:
    ticks = {tick for cell in run.cells for tick in run.recording.logs(cell.cron_job)}
    for cell in run.cells:
        logs = run.recording.logs(cell.cron_job)
        recorded = {canonical(lines, first=False) for tick, lines in logs.items() if tick != min(ticks)}
        made = run.logs[cell.cron_job][1]
        assert len(recorded) == 1, f"{cell.volume}: the recording says one thing at every tick"
        assert {canonical(made, first=False)} == recorded, cell.volume


def events_of(run: Run, events: t.Iterable[dict[str, t.Any]]) -> set[tuple[str, ...]]:
    """Kind, type, reason, message and source of the Events about the six CronJobs, their Jobs and pods."""
    found = set()
    for event in events:
        about = event["involvedObject"]
        if event["reason"] in ONLY_RECORDED or about["kind"] not in ("CronJob", "Job", "Pod"):
            continue
        if any(about["name"].startswith(cell.cron_job) for cell in run.cells):
            found.add(
                (
                    about["kind"],
                    about["apiVersion"],
                    mask(about["name"]),
                    event["type"],
                    event["reason"],
                    mask(event.get("message", "")),
                    event["source"]["component"],
                )
            )
    return found


def test_events_are_those_of_the_recording(run: Run) -> None:
    recorded = events_of(run, run.recording.items("events"))
    assert {event[4] for event in recorded} >= {"SuccessfulCreate", "SawCompletedJob", "Completed"}
    assert events_of(run, run.trial.items("events")) == recorded


def engine_snapshots(documents: t.Iterable[dict[str, t.Any]]) -> set[str]:
    """Forms of the snapshots in the engines' status; sizes differ, because only the lab's volumes hold data."""
    return texts(
        {**entry, "size": "SIZE", "children": sorted(map(mask, entry["children"])), "volume": volume}
        for document in documents
        for volume in [document["spec"]["volumeName"]]
        for entry in (document["status"]["snapshots"] or {}).values()
        if volume in VOLUMES
    )


def test_snapshots_are_named_and_labelled_as_recorded(run: Run) -> None:
    cells = {cell.volume for cell in run.cells}

    def names_and_labels(documents: t.Iterable[str]) -> set[tuple[str, ...]]:
        found = [json.loads(text) for text in documents]
        return {
            (e["volume"], e["name"], json.dumps(e["labels"]), str(e["usercreated"]), str(e["removed"]), *sorted(e))
            for e in found
        }

    made = names_and_labels(engine_snapshots(run.trial.items("engines")))
    assert {entry[0] for entry in made} == cells
    assert made == names_and_labels(engine_snapshots(run.recording.items("engines.longhorn.io")))


def test_engines_tell_of_each_snapshot_as_recorded(run: Run) -> None:
    def told(lines: t.Iterable[str]) -> set[str]:
        masked = map(mask, lines)
        # The real log sometimes loses the engine's name where two of them write at once.
        return {line for line in masked if "Snapshot: " in line and line.startswith("[test-") and "defeng" not in line}

    pods = [pod["metadata"]["name"] for pod in run.trial.items("pods")]
    engines = next(name for name in pods if name.startswith("instance-manager-e-"))
    assert told(run.trial.log(engines)) == told(run.recording.log("_instance-manager-e-*.log"))


def test_the_store_has_the_keys_of_the_recording(run: Run) -> None:
    recorded = {mask(entry["Key"]) for entry in json.loads((run.recording.folder / "s3-final.json").read_text())}
    keys = run.trial.store_keys()
    assert {mask(key) for key in keys if not BLOCK.search(key)} == recorded
    assert any(BLOCK.search(key) for key in keys), "a backup of the lab has blocks"


def test_the_stub_as_default_image_is_logged_by_the_manager_only(runs: dict[str, Run]) -> None:
    run, recording = runs["v1.0.1"], Recording(RECORDINGS / DEFAULT_STUB)
    trial = run.trial
    before = len(trial.manager_log())
    trial.manager("PUT", "/settings/default-engine-image", {"value": STUBS["ncb"]})
    cells = (
        Cell(volume="test-nc-back-defeng", image=STUBS["nc"], task="backup", job="c-ncbck"),
        Cell(volume="test-ncb-back-defeng", image="", task="backup", job="c-nbbck"),
    )
    trial.prepare(cells)
    trial.add_jobs(cells, cron="0 0 29 2 *")
    for number in (1, 2, 3):
        trial.invoke(cells, str(number))
    for cell in cells:
        recorded = [canonical(lines, first=False) for lines in recording.logs(cell.cron_job).values()]
        made = [canonical(trial.job_log(f"{cell.cron_job}-{number}"), first=False) for number in (1, 2, 3)]
        assert made == recorded[:3], cell.volume
        assert len(trial.backups(cell.volume)) == 3
    wanted = {mask(line) for line in recording.log("_longhorn-manager-*") if "backup rm" in line and "defeng" in line}
    # The six CronJobs still tick, and what they delete with the stub is logged too.
    found = {mask(line) for line in trial.manager_log()[before:] if "backup rm" in line and "defeng" in line}
    assert found == wanted


# --- the manager's API ---


def api(name: str) -> t.Any:
    return json.loads((RECORDINGS / "2020-06" / "api" / f"{name}.json").read_text())


def only(documents: t.Iterable[dict[str, t.Any]], name: str) -> dict[str, t.Any]:
    return next(document for document in documents if document["name"] == name)


def test_a_volume_of_the_api_looks_as_recorded(runs: dict[str, Run]) -> None:
    made = runs["2020-06"].trial.volume("test-nc-back")
    assert shape(made) == shape(only(api("volumes")["data"], "test-nc-back"))
    assert sorted(made["actions"]) == sorted(only(api("volumes")["data"], "test-nc-back")["actions"])


@pytest.mark.parametrize("kind", ["engineimages", "backupvolumes"])
def test_lists_of_the_api_look_as_recorded(runs: dict[str, Run], kind: str) -> None:
    made, recorded = runs["2020-06"].trial.manager("GET", f"/{kind}"), api(kind)
    made.pop("createTypes", None)
    recorded.pop("createTypes", None)
    assert shape(made) == shape(recorded)


def test_snapshots_and_backups_of_the_api_look_as_recorded(runs: dict[str, Run]) -> None:
    trial = runs["2020-06"].trial
    one = only(api("snapshots"), "volume-head")
    made = trial.manager("POST", "/volumes/test-nc-back?action=snapshotList", {})["data"]
    assert shape(only(made, "volume-head")) == shape(one)
    assert shape(trial.backups("test-nc-back")[0]) == shape(api("backups")[0])


def test_the_api_refuses_in_the_recorded_form(runs: dict[str, Run]) -> None:
    trial = runs["v1.0.1"].trial
    job = {"name": "c-ncbsnap", "cron": "* * * * *", "task": "snapshot", "retain": 1}
    assert trial.refusal("POST", "/volumes/test-ncb-snap?action=recurringUpdate", {"jobs": [job]}) == (
        "unable to update volume recurring jobs for test-ncb-snap: "
        "job name c-ncbsnap is too long, must be 8 characters or less"
    )
