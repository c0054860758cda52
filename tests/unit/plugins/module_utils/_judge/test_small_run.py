# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything the judge says of a small made-up run, in which each time one thing is other than it should be.

What it says of the run as it is, and per case what differs from that, is in tests/expected/small_run.json, with all
evidence. A case that says something else writes all of them to tests/output, to be read and copied.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.unit.plugins.module_utils._judge.said import Approved

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import LogPattern, UnknownRelease

Change = Callable[[t.Any], object]

FIRST, SECOND, THIRD = (str(29923801 + place) for place in range(3))  # the ticks of 10:01, 10:02 and 10:03
S1, S2, S3 = (f"snap-c-{tick}" for tick in (FIRST, SECOND, THIRD))
B1, B2, B3 = (f"back-c-{tick}" for tick in (FIRST, SECOND, THIRD))
WHICH = {"first Job": S1, "second Job": S2, "last Job": S3, "second backup Job": B2, "last backup Job": B3}
TEN = datetime.fromisoformat("2026-11-23T10:00:00+00:00")


def every(*changes: Change) -> Change:
    return lambda m: [change(m) for change in changes]


# --- kinds of changes ------------------------------------------------------------------------------------------------


def as_dump(m: t.Any) -> None:
    m.records[0] = replace(m.records[0], origin="dump")


ENGINE_LOG = "instance-manager-e-1"


def is_of(record: t.Any, kind: str, name: str = "") -> bool:
    return (
        isinstance(record, model.ObjectSeen)
        and record.kind == kind
        and record.object["metadata"]["name"].startswith(name)
    )


def without(kind: str, name: str = "", change: str = "") -> Change:
    def do(m: t.Any) -> None:
        assert m.drop_object(kind, name, change)

    return do


def each(kind: str, name: str, do: Callable[[dict[str, t.Any]], object]) -> Change:
    return lambda m: m.each(kind, name, do)


def gap(kind: str, subject: str = "") -> Change:
    return lambda m: m.gap(kind, subject)


def stated(volume: str = "", **fields: t.Any) -> Change:
    return lambda m: m.state(volume=volume, **fields)


def by_hand(volume: str, *ticks: str) -> Change:
    mark = {"annotations": {"cronjob.kubernetes.io/instantiate": "manual"}}
    return every(*(each("jobs", f"{volume}-c-{tick}", lambda job: job["metadata"].update(mark)) for tick in ticks))


def shown(volume: str, version: int, *snapshots: str, **backups: str) -> Change:
    """One more look at the engine, at this resourceVersion: the snapshots and, by name with _, what backups are of."""

    def change(m: t.Any) -> None:
        first = next(record for record in m.records if is_of(record, "engines", volume))
        look = json.loads(json.dumps(first.object))
        look["metadata"]["resourceVersion"] = str(version)
        labels = {"RecurringJob": {"snap": "s", "back": "b"}[volume]}
        look["status"]["snapshots"] = {name: {"labels": labels} for name in snapshots}
        entries = {name.replace("_", "-"): {"snapshotName": of, "state": "complete"} for name, of in backups.items()}
        look["status"]["backupStatus"] = entries
        m.add(replace(first, object=look))

    return change


def also_shown(volume: str, version: int, *snapshots: str, job: str = "", **backups: str) -> Change:
    """From this resourceVersion on the engine shows these too."""
    label = job or {"snap": "s", "back": "b"}[volume]

    def do(engine: dict[str, t.Any]) -> None:
        if int(engine["metadata"]["resourceVersion"]) >= version:
            engine["status"]["snapshots"] |= {name: {"labels": {"RecurringJob": label}} for name in snapshots}
            entries = {name.replace("_", "-"): {"snapshotName": of} for name, of in backups.items()}
            engine["status"]["backupStatus"] |= entries

    return each("engines", volume, do)


def never_shown(volume: str, *names: str) -> Change:
    def do(engine: dict[str, t.Any]) -> None:
        for name in names:
            engine["status"]["snapshots"].pop(name, None)
            engine["status"]["backupStatus"].pop(name, None)

    return each("engines", volume, do)


def lines(pod: str, change: Callable[[list[str]], list[str]]) -> Change:
    """The logs of pods whose name starts so, line by line."""

    def do(m: t.Any) -> None:
        names = [name for name in m.log_paths if name.startswith(pod)]
        assert names
        for name in names:
            text = m.logs[m.log_paths[name]].decode().splitlines(keepends=True)
            m.set_log(name, "".join(change(text)).encode())

    return do


def without_line(pod: str, words: str) -> Change:
    return lines(pod, lambda text: [one for one in text if words not in one])


def line(message: str, level: str = "debug") -> str:
    return f'time="2026-11-23T10:02:10Z" level={level} msg="{message}"\n'


def says(pod: str, *messages: str, level: str = "debug") -> Change:
    """These lines too, at the end."""
    return lines(pod, lambda text: [*text, *(line(message, level) for message in messages)])


def says_only(pod: str, *messages: str, level: str = "debug") -> Change:
    return lines(pod, lambda text: [line(message, level) for message in messages])


def rewritten(pod: str, old: str, new: str) -> Change:
    def do(m: t.Any) -> None:
        assert m.edit_log(pod, old, new)

    return do


def creation(
    name: str, *, process: str = "snap-e-1", label: str = "RecurringJob:s", address: str = "10.0.0.4:1"
) -> str:
    """The engine's log about a snapshot."""
    message = f"Snapshot: {address} {name} UserCreated true Created at x, Labels map[{label}]"
    return (f"[{process}] " if process else "") + line(message, "info")


def created(place: int, text: str) -> Change:
    """One more line of the engine's log, before the one that is there at this place."""
    return lines(ENGINE_LOG, lambda text_before: [*text_before[:place], text, *text_before[place:]])


def attempts(pod: str, *texts: str) -> Change:
    """The container was started so often, each time with a log of its own."""

    def do(m: t.Any) -> None:
        (name,) = [name for name in m.log_paths if name.startswith(pod)]
        first, *others = texts
        m.set_log(name, first.encode())
        for number, text in enumerate(others, start=1):
            m.add_log(f"uid-{name}", name, number, text.encode())

        def restarted(document: dict[str, t.Any]) -> None:
            for status in document["status"]["containerStatuses"]:
                status["restartCount"] = len(others)

        m.each("pods", name, restarted)

    return do


def at(version: int, kind: str, name: str, status: t.Callable[[dict[str, t.Any]], bool]) -> Change:
    """The sighting that has this in its status comes at this resourceVersion."""

    def do(document: dict[str, t.Any]) -> None:
        if status(document["status"]):
            document["metadata"]["resourceVersion"] = str(version)

    return each(kind, name, do)


def over_at(version: int, job: str) -> Change:
    return at(version, "jobs", job, lambda status: bool(status.get("conditions")))


def never_over(job: str) -> Change:
    return lambda m: m.drop(lambda r: is_of(r, "jobs", job) and bool(r.object["status"].get("conditions")))


def gone(kind: str, name: str, version: int) -> Change:
    """Deleted at this resourceVersion, as it was last."""

    def do(m: t.Any) -> None:
        last = [record for record in m.records if is_of(record, kind, name)][-1]
        document = json.loads(json.dumps(last.object))
        document["metadata"]["resourceVersion"] = str(version)
        m.add(replace(last, change="DELETED", object=document))

    return do


def older_cronjobs(m: t.Any) -> None:
    """They were there when the recorder listed for the first time."""
    listed = [replace(r, via="list") for r in m.records if is_of(r, "cronjobs") and r.change == "ADDED"]
    m.drop(lambda r: is_of(r, "cronjobs") and r.change == "ADDED")
    m.records[1:1] = listed


def stores(do: Callable[[int, model.Store], model.Store | None]) -> Change:
    return lambda m: m.stores(do)


def stored(*backups: model.StoredBackup, since: int = 0) -> Change:
    """The store has these too, from that listing on."""

    def do(place: int, store: model.Store) -> model.Store:
        return replace(store, backups=(*store.backups, *backups)) if place >= since else store

    return stores(do)


def never_stored(name: str) -> Change:
    return stores(lambda _place, s: replace(s, backups=tuple(b for b in s.backups if b.name != name)))


def managers_list(*names: str, error: str = "") -> Change:
    """What the manager's API lists as the volume's backups."""
    backups = tuple(model.StoredBackup("back", name, f"m-{name}", snapshot=name.replace("b", "t")) for name in names)
    return lambda m: m.add(model.Store(1, m.records[0].at, model.MANAGER_LIST, backups, error=error))


def seen_early(kind: str, name: str) -> Change:
    """Delivered by the recorder's first list, as the objects were last."""

    def do(m: t.Any) -> None:
        last = [record for record in m.records if is_of(record, kind, name)][-1]
        m.drop(lambda record: is_of(record, kind, name))
        m.records.insert(1, replace(last, via="list", change="ADDED"))

    return do


def reversed_deliveries(kind: str) -> Change:
    """What was seen of these objects comes in the opposite order."""

    def do(m: t.Any) -> None:
        places = [place for place, record in enumerate(m.records) if is_of(record, kind)]
        for place, record in zip(places, [m.records[place] for place in reversed(places)], strict=True):
            m.records[place] = record

    return do


def suspended(cronjob: str, *minutes: str) -> Change:
    """Suspended in the states of these last ticks; "" is the state before the first."""

    def do(document: dict[str, t.Any]) -> None:
        document["spec"]["suspend"] = document["status"].get("lastScheduleTime", "")[14:16] in minutes

    return each("cronjobs", cronjob, do)


def made_at(kind: str, name: str, moment: str) -> Change:
    return each(kind, name, lambda document: document["metadata"].update(creationTimestamp=f"2026-11-23T10:{moment}Z"))


def ended_at(job: str, moment: str) -> Change:
    def do(document: dict[str, t.Any]) -> None:
        if "completionTime" in document["status"]:
            document["status"]["completionTime"] = f"2026-11-23T10:{moment}Z"

    return each("jobs", job, do)


def missed(volume: str, tick: str) -> Change:
    """No Job for this tick, and nothing of what it would have made."""
    minute = 1 + int(tick) - int(FIRST)
    name = f"{volume[0].replace('b', 't')}-{minute}"
    changes = [without("jobs", f"{volume}-c-{tick}"), without("pods", f"{volume}-c-{tick}"), never_shown(volume, name)]
    return every(
        *changes,
        without_line(ENGINE_LOG, f" {name} "),
        lambda m: m.drop_log(f"{volume}-c-{tick}"),
        lambda m: m.drop(lambda r: is_of(r, "events", f"{volume}-c-{tick}")),
    )


def renamed(volume: str, tick: str, to: str) -> Change:
    """The Job's name ends otherwise; so do those of its pod and its events."""
    old, new = f"{volume}-c-{tick}", f"{volume}-c-{to}"

    def do(m: t.Any) -> None:
        for kind in ("jobs", "pods", "events"):
            for document in m.of(kind, old):
                document["metadata"]["name"] = document["metadata"]["name"].replace(old, new)
                if "message" in document:
                    document["message"] = document["message"].replace(old, new)

    return do


def condition(job: str, **fields: str) -> Change:
    def do(document: dict[str, t.Any]) -> None:
        for item in document["status"].get("conditions", []):
            item |= fields

    return each("jobs", job, do)


def event(job: str, words: str, **fields: t.Any) -> Change:
    """The event of this Job that has these words."""

    def do(document: dict[str, t.Any]) -> None:
        if words in document["message"]:
            document.update(fields)

    return each("events", job, do)


def without_event(job: str, words: str) -> Change:
    return lambda m: m.drop(lambda r: is_of(r, "events", job) and words in r.object["message"])


def log_record(pod: str, **fields: t.Any) -> Change:
    """What the record of the log's end says."""

    def do(m: t.Any) -> None:
        for place, record in enumerate(m.records):
            if isinstance(record, model.Log) and record.pod.startswith(pod) and record.state == "closed":
                m.records[place] = replace(record, **fields)

    return do


def not_closed(pod: str) -> Change:
    return lambda m: m.drop(lambda r: isinstance(r, model.Log) and r.pod.startswith(pod) and r.state == "closed")


def file_gone(pod: str) -> Change:
    return lambda m: m.logs.pop(next(path for name, path in m.log_paths.items() if name.startswith(pod)))


def file_cut(pod: str, size: int) -> Change:
    def do(m: t.Any) -> None:
        path = next(path for name, path in m.log_paths.items() if name.startswith(pod))
        m.logs[path] = m.logs[path][:size]

    return do


def log_of(pod: str, *text: str) -> Change:
    """One more log, of a pod that is not among the objects."""

    def do(m: t.Any) -> None:
        m.add_log(f"uid-{pod}", pod, 0, "".join(text).encode())
        m.log_paths[pod] = f"logs/uid-{pod}/0.log"

    return do


def asks_the_manager(*outcomes: str) -> Change:
    """Release v1.0.1: the Jobs ask for the deletion of backups, and the manager's log has these outcomes."""

    def asks(m: t.Any) -> None:
        for minute, tick in ((2, SECOND), (3, THIRD)):
            without_line(f"back-c-{tick}", "errored on cleanup")(m)
            says(f"back-c-{tick}", f"Cleaned up backup b-{minute - 1} for back")(m)

    failing: dict[str, t.Any] = {"default_engine_faults": ("backup-delete",)}
    return every(stated(release="v1.0.1", **failing), asks, log_of("longhorn-manager-1", *outcomes))


def refused(name: str, volume: str = "back") -> str:
    return line(f"error deleting backup s3://t@r/?backup={name}&volume={volume}: it may not be", "error")


def deleted(name: str) -> str:
    return line(f"Complete deleting backup s3://t@r/?backup={name}&volume=back", "info")


def knows(**patterns: tuple[LogPattern, ...]) -> Change:
    """A release of which more is known."""

    def do(m: t.Any) -> None:
        known = m.profiles
        m.profiles = lambda release, task: replace(known(release, task), **patterns)

    return do


def of_no_release(m: t.Any) -> None:
    def unknown(_release: str, _task: str) -> t.NoReturn:
        raise UnknownRelease("nobody knows it")

    m.profiles = unknown


# --- single changes --------------------------------------------------------------------------------------------------


def forget_first(engine: dict[str, t.Any]) -> None:
    """What the engine had not told anything yet at."""
    if engine["metadata"]["resourceVersion"] == "500":
        del engine["status"]["snapshots"]


def relabel(name: str, job: str = "other") -> Callable[[dict[str, t.Any]], None]:
    def do(engine: dict[str, t.Any]) -> None:
        if name in engine["status"]["snapshots"]:
            engine["status"]["snapshots"][name]["labels"]["RecurringJob"] = job

    return do


def backup_of(name: str, snapshot: str) -> Callable[[dict[str, t.Any]], None]:
    def do(engine: dict[str, t.Any]) -> None:
        if name in engine["status"]["backupStatus"]:
            engine["status"]["backupStatus"][name]["snapshotName"] = snapshot

    return do


def only_job(volume: str, tick: str) -> Change:
    return lambda m: m.drop(lambda r: is_of(r, "jobs", f"{volume}-c-") and not is_of(r, "jobs", f"{volume}-c-{tick}"))


def first_listing_early(m: t.Any) -> None:
    """Before any Job was added."""
    first = next(record for record in m.records if isinstance(record, model.Store))
    m.records.remove(first)
    m.records.insert(5, replace(first, backups=()))


def no_snapshots(_place: int, store: model.Store) -> model.Store:
    return replace(store, backups=tuple(replace(backup, snapshot="") for backup in store.backups))


def other_log_name(m: t.Any) -> None:
    m.records = [
        replace(r, pod=f"{S2}-aaaaaa") if isinstance(r, model.Log) and r.pod.startswith(S2) else r for r in m.records
    ]


def second_pod(m: t.Any) -> None:
    pod = next(record for record in reversed(m.records) if is_of(record, "pods", S2))
    document = json.loads(json.dumps(pod.object))
    document["metadata"] |= {"uid": "second", "name": f"{S2}-00000", "resourceVersion": "2035"}
    m.add(replace(pod, object=document))
    m.add_log("second", f"{S2}-00000", 0, b"")


def ends_exchanged(m: t.Any) -> None:
    m.records[0], m.records[-1] = m.records[-1], m.records[0]


def exit_status_one(pod: dict[str, t.Any]) -> None:
    state = pod["status"]["containerStatuses"][0]["state"]
    if "terminated" in state:
        state["terminated"]["exitCode"] = 1


def second_job(m: t.Any) -> None:
    """Another Job of the same name, by another run of the controller, which made nothing."""
    for place, record in enumerate([record for record in m.records if is_of(record, "jobs", S2)]):
        document = json.loads(json.dumps(record.object))
        document["metadata"] |= {"uid": "again", "resourceVersion": str(2050 + place)}
        m.add(replace(record, object=document))


def jobs_listed_later(m: t.Any) -> None:
    """The first list of Jobs ended after those of CronJobs and Jobs came."""
    (done,) = [record for record in m.records if isinstance(record, model.ListDone)]
    m.records.remove(done)
    m.records.insert(4, replace(done, resource_version="1045"))


def list_done_at(version: str) -> Change:
    def do(m: t.Any) -> None:
        m.records = [replace(r, resource_version=version) if isinstance(r, model.ListDone) else r for r in m.records]

    return do


def making(*names: str) -> Callable[[dict[str, t.Any]], None]:
    def do(engine: dict[str, t.Any]) -> None:
        if engine["metadata"]["resourceVersion"] == "3120":
            for name in names:
                engine["status"]["backupStatus"].setdefault(name, {})["state"] = "in_progress"

    return do


def unwatched(kind: str) -> Change:
    return lambda m: m.records.__setitem__(
        0, replace(m.records[0], kinds=tuple(item for item in m.records[0].kinds if item != kind))
    )


def listed(kind: str) -> Change:
    def do(m: t.Any) -> None:
        m.records = [replace(r, via="list") if is_of(r, kind) else r for r in m.records]

    return do


def cronjob_made_anew(m: t.Any) -> None:
    """Deleted after the second tick, and made again before the third."""
    gone("cronjobs", "snap", 2900)(m)
    last = next(record for record in m.records if is_of(record, "cronjobs", "snap"))
    document = json.loads(json.dumps(last.object))
    document["metadata"] |= {"uid": "anew", "resourceVersion": "2950", "creationTimestamp": "2026-11-23T10:02:50Z"}
    m.add(replace(last, object=document))


def cronjob_made_anew_between(m: t.Any) -> None:
    """And the third Job is of the new one, with its events."""
    cronjob_made_anew(m)
    m.each("jobs", S3, lambda job: job["metadata"]["ownerReferences"][0].update(uid="anew"))
    m.each("events", S3, lambda item: item["involvedObject"].update(uid="anew"))


def no_times(m: t.Any) -> None:
    for kind in KINDS[:5]:
        for document in m.of(kind):
            document["metadata"].pop("creationTimestamp", None)


def first_cronjob_ran(m: t.Any) -> None:
    for cronjob in m.of("cronjobs", "snap"):
        cronjob["status"].setdefault("lastScheduleTime", "2026-11-23T10:00:00Z")


def event_again(name: str, version: int, words: str) -> Change:
    def do(m: t.Any) -> None:
        first = next(record for record in m.records if is_of(record, "events", name))
        document = json.loads(json.dumps(first.object))
        document["metadata"]["resourceVersion"] = str(version)
        document["message"] = document["message"].replace("status: Complete", words)
        m.add(replace(first, object=document))

    return do


def holed(m: t.Any) -> Callable[[], model.History]:
    """The history without one record, and the numbers as they were."""
    whole = m.history()
    return lambda: replace(whole, records=(*whole.records[:40], *whole.records[42:]))


OF_SNAP = ("s-1", "s-2", "s-3")
BOTH = (("snap", "s-2"), ("back", "t-2"))
KINDS = ("cronjobs", "jobs", "pods", "events", "engines", "volumes", "logs", "store")
NO_B2 = every(never_shown("back", "b-2"), without_line("back-c-", "b-2"), never_stored("b-2"))
UNKNOWN = model.StoredBackup("back", "b-9", "k-9")

CASES: dict[str, Change] = {
    "as it is": lambda m: None,
    "as a dump": as_dump,
    "older CronJobs": older_cronjobs,
    **{f"gap in {kind}": gap(kind) for kind in KINDS},
}

# --- what the store alone remembers ----------------------------------------------------------------------------------


def remembered(*moments: float, **fields: t.Any) -> Change:
    """A dump, whose one listing of the store has backups made so many minutes after ten."""

    def change(m: t.Any) -> None:
        as_dump(m)
        backups = tuple(_backup(f"b-{place}", minutes) for place, minutes in enumerate(moments, start=1))
        m.stores(lambda place, store: replace(store, **{"backups": backups, **fields}) if place == 2 else None)

    return change


def _backup(name: str, minutes: float, **fields: t.Any) -> model.StoredBackup:
    made = (TEN + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    fields = {"volume": "back", "labels": {"RecurringJob": "b"}, **fields}
    return model.StoredBackup(name=name, key=f"k-{name}", created=made, **fields)


GONE = {"deleted": (_backup("b-0", 0.5),)}  # the bucket keeps versions
DAY = 24 * 60

CASES |= {
    "the store alone": remembered(1.2, 2.2, 3.2),
    "it tells what was deleted, the store alone": remembered(1.2, 2.2, 3.2, **GONE),
    "three between two ticks, recorded by ourselves": every(
        remembered(1.2, 1.3, 1.4), lambda m: m.records.__setitem__(0, replace(m.records[0], origin="recorder"))
    ),
    "two between two ticks, the store alone": remembered(1.2, 1.3, 2.2, **GONE),
    "twice two between two ticks, the store alone": remembered(1.2, 1.3, 2.2, 3.2, 3.3, **GONE),
    "two between two ticks, one of them deleted, the store alone": remembered(1.2, 2.2, deleted=(_backup("b-0", 1.1),)),
    "three between two ticks, the store alone": remembered(1.2, 1.3, 1.4, **GONE),
    "five between two ticks, after long silence, the store alone": remembered(1.2, 9.2, 9.3, 9.4, 9.5, 9.6, **GONE),
    "five where three ticks were, the store alone": remembered(1.2, 1.3, 1.4, 2.2, 2.3, **GONE),
    "made at the tick itself, the store alone": remembered(1.0, 2.0, 3.0, **GONE),
    "three, the last of them at the tick, the store alone": remembered(1.2, 1.3, 1.4, 2.0, **GONE),
    "made before the CronJob was, the store alone": remembered(-3.0, -2.9, -2.8, -2.7, 0.0, **GONE),
    "made before, and the CronJob is not known, the store alone": every(
        remembered(-3.0, -2.9, -2.8, -2.7, **GONE), lambda m: m.drop_object("cronjobs", "back")
    ),
    "too many in each of two times, the store alone": remembered(
        1.2, 1.3, 1.4, 3 * DAY, 3 * DAY + 0.1, 3 * DAY + 0.2, **GONE
    ),
    "too many, two days apart, the store alone": remembered(
        1.2, 1.3, 1.4, 2 * DAY + 1.4, 2 * DAY + 1.5, 2 * DAY + 1.6, **GONE
    ),
    "when it was to run is not stated, the store alone": every(
        remembered(1.2, 2.2), lambda m: m.state(volume="back", cron="")
    ),
    "when it was to run cannot be read, the store alone": every(
        remembered(1.2, 2.2), lambda m: m.state(volume="back", cron="often")
    ),
    "empty, the store alone": remembered(),
    "of another volume, the store alone": remembered(
        backups=tuple(_backup(f"b-{place}", 1.2, volume="other") for place in range(5)), **GONE
    ),
    "of another job, the store alone": remembered(
        backups=tuple(_backup(f"b-{place}", 1.2, labels={"RecurringJob": "other"}) for place in range(5)), **GONE
    ),
    "without time, and one with, the store alone": remembered(
        backups=(*(replace(_backup(f"a-{place}", 1.2), created="") for place in range(5)), _backup("b-1", 1.2)), **GONE
    ),
    "not in the order of time, the store alone": remembered(3.2, 1.2, 1.4, 1.3, **GONE),
    "made at the same time, the store alone": remembered(
        backups=tuple(_backup(f"b-{place}", 2.2) for place in (3, 1, 2)), **GONE
    ),
    "too many, while the CronJobs were not all seen, the store alone": every(
        remembered(1.2, 1.3, 1.4, **GONE), lambda m: m.gap("cronjobs")
    ),
    "too many, and the CronJob was changed, the store alone": every(
        remembered(1.2, 1.3, 1.4, **GONE),
        lambda m: m.each("cronjobs", "back", lambda c: c["metadata"].update(generation=2)),
    ),
    "too many, and a Job was made by hand, the store alone": every(
        remembered(1.2, 1.3, 1.4, **GONE), by_hand("back", SECOND)
    ),
    "too many, in two listings, the store alone": every(
        remembered(1.2, 1.3, 1.4, **GONE),
        lambda m: m.add(next(record for record in m.records if isinstance(record, model.Store))),
    ),
}


# --- artefacts that some source has, and another has not -------------------------------------------------------------

CASES |= {
    "a snapshot from before": shown("snap", 500, "s-0"),
    "a snapshot from before, which the log has too": every(shown("snap", 500, "s-0"), created(0, creation("s-0"))),
    "a snapshot from before, gap in jobs": every(shown("snap", 500, "s-0"), gap("jobs")),
    "a snapshot from before, of another job": every(shown("snap", 500, "s-0"), each("engines", "snap", relabel("s-0"))),
    **{f"{name} never shown": never_shown("snap", name) for name in OF_SNAP},
    "no snapshot ever shown": never_shown("snap", *OF_SNAP),
    "no snapshot ever shown, and no warning": every(
        never_shown("snap", *OF_SNAP), without_line("snap-c-", "level=warning")
    ),
    **{f"{name} never shown, older CronJobs": every(older_cronjobs, never_shown("snap", name)) for name in OF_SNAP},
    **{f"{name} not in the engine's log": without_line(ENGINE_LOG, f" {name} ") for name in ("s-1", "t-2")},
    **{f"{name} nowhere": every(never_shown(v, name), without_line(ENGINE_LOG, f" {name} ")) for v, name in BOTH},
    **{f"one more in the engine's log at {place}": created(place, creation("s-x")) for place in (0, 1, 3, 5, 6)},
    **{
        f"one more in the engine's log at {place}, older CronJobs": every(
            older_cronjobs, created(place, creation("s-x"))
        )
        for place in (0, 3)
    },
    "one more in the engine's log after one from before": every(
        shown("snap", 500, "s-0"), created(0, creation("s-x")), created(0, creation("s-0"))
    ),
    "one more in the engine's log after one from before, of one Job": every(
        shown("snap", 500, "s-0"), created(0, creation("s-x")), created(0, creation("s-0")), only_job("snap", FIRST)
    ),
    "one more in the engine's log, gap in jobs": every(created(3, creation("s-x")), gap("jobs")),
    "one more in the engine's log, of another job": created(3, creation("s-x", label="RecurringJob:other")),
    "one more in the engine's log, of nobody": created(3, creation("s-x", label="")),
    "one more in the engine's log, no Jobs": every(created(3, creation("s-x")), without("jobs", "snap")),
    "s-2 in the engine's log of nobody": rewritten(ENGINE_LOG, "[RecurringJob:s]", "[]"),
    "one more snapshot, shown during the second Job": also_shown("snap", 2020, "s-x"),
    "one more snapshot, shown after the second Job": shown("snap", 2060, "s-1", "s-2", "s-x"),
    "one more snapshot, of another job": also_shown("snap", 2020, "s-x", job="other"),
    "two first shown together": every(never_shown("snap", "s-2"), also_shown("snap", 3020, "s-2")),
    "two first shown together, gap in engines": every(
        never_shown("snap", "s-2"), also_shown("snap", 3020, "s-2"), gap("engines")
    ),
    "two first shown together, the second Job unseen to end": every(
        never_shown("snap", "s-2"), also_shown("snap", 3020, "s-2"), never_over("snap-c-" + SECOND)
    ),
    "three first shown together": every(never_shown("snap", "s-1", "s-2"), also_shown("snap", 3020, "s-1", "s-2")),
    "three first shown together and one more": every(
        never_shown("snap", "s-1", "s-2"), also_shown("snap", 3020, "s-1", "s-2", "s-x")
    ),
    "an engine that tells nothing at first": every(shown("snap", 500), each("engines", "snap", forget_first)),
    "a backup from before": shown("back", 500, b_0="t-0"),
    "two backups from before": shown("back", 500, b_0="t-0", b_00="t-0"),
    "a backup from before, gap in jobs": every(shown("back", 500, b_0="t-0"), gap("jobs")),
    "a backup from before, which a Job's log names": every(
        shown("back", 500, b_0="t-0"),
        says("back-c-" + FIRST, "Backup b-0 created for volume back snapshot t-0"),
    ),
    "a backup from before, which the store has": every(
        shown("back", 500, b_0="t-0"), stored(model.StoredBackup("back", "b-0", "k-0"))
    ),
    "a backup of another job's snapshot": every(
        also_shown("back", 2120, "t-x", job="other"), also_shown("back", 2120, b_x="t-x")
    ),
    "one more backup, shown": also_shown("back", 2120, b_x="t-2"),
    "one more backup, shown, of no snapshot": also_shown("back", 2120, b_x=""),
    "one more backup, shown, of the first one's snapshot": also_shown("back", 2120, b_x="t-1"),
    "one more backup, shown, of an unknown snapshot": also_shown("back", 2120, b_x="t-x"),
    "one more backup, shown without its snapshot at first": every(
        shown("back", 2116, "t-2", b_1="t-1", b_2=""), never_shown("back", "none")
    ),
    "one more backup, logged": says("back-c-" + SECOND, "Backup b-x created for volume back snapshot t-2"),
    "one more backup, logged by its address": says(
        "back-c-" + SECOND, "Complete creating backup s3://t@r/?backup=b-x&volume=back"
    ),
    "one more backup, stored": stored(UNKNOWN, since=1),
    "one more backup, stored from the first listing on": stored(UNKNOWN),
    "one more backup, stored before the first Job": every(first_listing_early, stored(UNKNOWN)),
    "one more backup, stored, as a dump": every(as_dump, stored(UNKNOWN, since=1)),
    "one more backup, stored from the first listing on, as a dump": every(as_dump, stored(UNKNOWN)),
    "one more backup, stored, of the job": stored(replace(UNKNOWN, labels={"RecurringJob": "b"}), since=1),
    "one more backup, stored, of another job": stored(replace(UNKNOWN, labels={"RecurringJob": "x"}), since=1),
    "one more backup, stored, of another volume": stored(replace(UNKNOWN, volume="snap"), since=1),
    **{f"one more stored backup, gap in {kind}": every(stored(UNKNOWN, since=1), gap(kind)) for kind in KINDS},
    "one more stored backup, no backup Jobs": every(stored(UNKNOWN, since=1), without("jobs", "back")),
    "b-2 never shown": never_shown("back", "b-2"),
    "b-2 not logged": without_line("back-c-" + SECOND, "b-2"),
    "b-2 never stored": never_stored("b-2"),
    "b-2 stored only": every(never_shown("back", "b-2"), without_line("back-c-" + SECOND, "b-2")),
    "b-2 shown only": every(without_line("back-c-" + SECOND, "b-2"), never_stored("b-2")),
    "b-2 logged only": every(never_shown("back", "b-2"), never_stored("b-2")),
    "b-2 nowhere": NO_B2,
    **{f"b-2 nowhere, gap in {kind}": every(NO_B2, gap(kind)) for kind in ("jobs", "pods", "engines", "store")},
    "b-2 nowhere, but a log of another Job is not whole": every(NO_B2, log_record(B1, complete=False)),
    "b-2 nowhere, but its log is not whole": every(NO_B2, log_record(B2, complete=False)),
    **{f"b-2 never shown, gap in {kind}": every(never_shown("back", "b-2"), gap(kind)) for kind in ("jobs", "engines")},
    "b-2 logged, not shown, and of no snapshot": every(
        never_shown("back", "b-2"), without_line("back-c-" + SECOND, "Backup b-2"), stores(no_snapshots)
    ),
    "the store does not tell snapshots": stores(no_snapshots),
    "the backup's snapshot is logged last": lines(
        "back-c-" + SECOND, lambda text: [text[0], text[2], text[1], *text[3:]]
    ),
    "names of 250 letters": every(
        rewritten(B2, "volume back snapshot t-2", "volume back snapshot t-2" + 250 * "x"),
        each("engines", "back", backup_of("b-2", "t-2" + 250 * "x")),
    ),
    "b-1 is logged by the second Job too": says("back-c-" + SECOND, "Backup b-1 created for volume back snapshot t-1"),
    "the second Job logs a backup of the first one's snapshot": every(
        rewritten("back-c-" + SECOND, "snapshot t-2", "snapshot t-1"),
        each("engines", "back", backup_of("b-2", "t-1")),
    ),
    "the second Job logs a backup of a snapshot from before": every(
        shown("back", 500, "t-0"),
        rewritten("back-c-" + SECOND, "snapshot t-2", "snapshot t-0"),
        each("engines", "back", backup_of("b-2", "t-0")),
    ),
    "the manager's list": managers_list("b-1", "b-2", "b-3"),
    "the manager's list lacks one": managers_list("b-1", "b-3"),
    "the manager's list has one more": managers_list("b-1", "b-2", "b-3", "b-9"),
    "the manager's list, b-2 never shown": every(never_shown("back", "b-2"), managers_list("b-2")),
    "the manager's list could not be had": every(never_shown("back", "b-2"), managers_list("b-2", error="500")),
    "the manager's list, as a dump": every(as_dump, managers_list("b-1", "b-2", "b-3", "b-9")),
    "the manager's list and no store, as a dump": every(
        as_dump, stores(lambda _place, store: None), managers_list("b-1", "b-2", "b-3", "b-9")
    ),
}


# --- Jobs, their attempts and their logs -----------------------------------------------------------------------------

WARNING = "created snapshot successfully but errored on cleanup for snap: error deleting snapshot 's-1': it may not be"
PURGING = "created snapshot successfully but errored on cleanup for snap: failed with errors while purging snapshots"
FATAL = "Error taking snapshot: there is no space"

CASES |= {
    "no pod of the second Job": without("pods", S2),
    "no pod of the second Job, but two logs": every(
        without("pods", S2), lambda m: m.add_log("u", f"{S2}-aaaaa", 1, line(WARNING, "warning").encode())
    ),
    "no pod of the second Job, and its log has another name": every(without("pods", S2), other_log_name),
    "no pod and no log of the second Job": every(without("pods", S2), lambda m: m.drop_log(S2)),
    "no log of the second Job": lambda m: m.drop_log(S2),
    "no log of the second backup Job": lambda m: m.drop_log(B2),
    "a second pod of the second Job": second_pod,
    "a second pod of the second Job, seen first": every(second_pod, lambda m: m.records.reverse(), ends_exchanged),
    "a pod that never started": each("pods", S2, lambda pod: pod["status"].pop("containerStatuses")),
    "a pod that never started, and no log": every(
        each("pods", S2, lambda pod: pod["status"].pop("containerStatuses")), lambda m: m.drop_log(S2)
    ),
    "a pod whose state is not told": each(
        "pods", S2, lambda pod: pod["status"]["containerStatuses"][0].update(state={})
    ),
    "a pod that ended with status 1": each("pods", S2, exit_status_one),
    "a pod that still runs": without("pods", S2, "MODIFIED"),
    "two attempts, the first without space": attempts(S2, line(FATAL, "fatal"), line(WARNING, "warning")),
    "two attempts, both without space": attempts(S2, line(FATAL, "fatal"), line(FATAL, "fatal")),
    "two attempts, the first without space and silent, no release": every(
        attempts(S2, line(FATAL, "fatal"), ""), of_no_release
    ),
    "two attempts that say nothing": attempts(S2, "", ""),
    "two attempts, the first without a log": every(
        attempts(S2, "x", line(WARNING, "warning")), lambda m: m.drop_log(f"{S2}-aaaaa")
    ),
    "two attempts and two snapshots": every(
        attempts(S2, line(WARNING, "warning"), line(WARNING, "warning")), also_shown("snap", 2020, "s-x")
    ),
    "three attempts and two snapshots, the first attempt killed": every(
        attempts(S2, "", line(WARNING, "warning"), line(WARNING, "warning")), also_shown("snap", 2020, "s-x")
    ),
    "three attempts and two snapshots, the second attempt killed": every(
        attempts(
            S2,
            line(WARNING, "warning"),
            "",
            line(FATAL.replace("there is no space", "error deleting snapshot 's-1': x"), "fatal"),
        ),
        also_shown("snap", 2020, "s-x"),
        stated(release="v1.0.0"),
    ),
    "three attempts and two snapshots, cleaned up": every(
        attempts(S2, "", line("Cleaned up snapshot s-1 for snap"), line("Cleaned up snapshot s-x for snap")),
        also_shown("snap", 2020, "s-x"),
    ),
    "two attempts, the first without space, and a snapshot": every(
        attempts(S2, line(FATAL, "fatal"), line(WARNING, "warning")), also_shown("snap", 2020, "s-x")
    ),
    "two attempts of a backup Job, the first without space": attempts(
        B2,
        line(FATAL, "fatal"),
        line("Backup b-2 created for volume back snapshot t-2"),
    ),
    "two attempts of a backup Job, which the log tells apart": every(
        attempts(
            B2,
            line("Backup b-2 created for volume back snapshot t-2"),
            line("Backup b-x created for volume back snapshot t-x"),
        ),
        also_shown("back", 2120, "t-x", b_x="t-x"),
        stored(replace(UNKNOWN, name="b-x"), since=1),
    ),
    "three attempts of a backup Job, all but the last without space": every(
        attempts(
            B2,
            line(FATAL, "fatal"),
            line("Backup b-2 created for volume back snapshot t-2") + line(FATAL, "fatal"),
            line("Backup b-x created for volume back snapshot t-x"),
        ),
        also_shown("back", 2120, "t-x", b_x="t-x"),
    ),
    "two Jobs of one tick": second_job,
    "two Jobs of one tick, older CronJobs": every(older_cronjobs, second_job),
    "the second Job was there when the recorder came": seen_early("jobs", S2),
    "the first Job was there when the recorder came": every(seen_early("jobs", S1), jobs_listed_later),
    "the first Job was there when the recorder came, older CronJobs": every(
        older_cronjobs, seen_early("jobs", S1), jobs_listed_later
    ),
    "the first Job, by hand, was there when the recorder came, older CronJobs": every(
        older_cronjobs, by_hand("snap", FIRST), seen_early("jobs", S1), jobs_listed_later
    ),
    **{f"the {which} never over": never_over(name) for which, name in WHICH.items()},
    "the last Job never over, deleted": every(never_over(S3), gone("jobs", S3, 3060)),
    "the last Job never over, deleted with its CronJob": every(
        never_over(S3), gone("jobs", S3, 3060), gone("cronjobs", "snap", 3070)
    ),
    "the last Job never over, deleted with another CronJob": every(
        never_over(S3), gone("jobs", S3, 3060), gone("cronjobs", "back", 3070)
    ),
    "the last Job never over, deleted, no CronJob": every(
        never_over(S3), gone("jobs", S3, 3060), without("cronjobs", "snap")
    ),
    "the last Job never over, deleted, the CronJob unseen": every(
        never_over(S3), gone("jobs", S3, 3060), gap("cronjobs")
    ),
    "all Jobs never over, deleted with their CronJob": every(
        *(never_over(name) for name in (S1, S2, S3)),
        *(gone("jobs", name, 3060 + place) for place, name in enumerate((S1, S2, S3))),
        gone("cronjobs", "snap", 3070),
    ),
    "no Jobs": without("jobs", "snap"),
    "no backup Jobs": without("jobs", "back"),
    "no Jobs and no CronJob": every(without("jobs", "snap"), without("cronjobs", "snap")),
    "no CronJob": without("cronjobs", "snap"),
    "the Job is Failed": condition(S2, type="Failed", reason="BackoffLimitExceeded"),
    "the Job is Failed, for no reason": condition(S2, type="Failed"),
    "the Job is Failed, on the release with the bug": every(
        condition(S2, type="Failed", reason="BackoffLimitExceeded"), stated(release="v1.0.0")
    ),
    "the second Job is over after the third was added": over_at(3012, S2),
    "the second Job is over after the third was added, gap in jobs": every(over_at(3012, S2), gap("jobs")),
    "the first Job is over after the third was added": over_at(3012, S1),
    "the second Job never over, gap in jobs": every(never_over(S2), gap("jobs")),
    "the second Job deleted before the third": every(never_over(S2), gone("jobs", S2, 2060)),
    "backups being made at once": each("engines", "back", making("b-2", "b-3")),
    "backups being made at once, one of another job": every(
        each("engines", "back", making("b-2", "b-x")),
    ),
    **{f"deliveries of {kind} reversed": reversed_deliveries(kind) for kind in KINDS[:5]},
    "deliveries of all reversed": every(*(reversed_deliveries(kind) for kind in KINDS[:5])),
    "records reversed": every(lambda m: m.records.reverse(), ends_exchanged),
    "the engine is looked at between Jobs": every(
        shown("snap", 1060, "s-1"), shown("snap", 2060, "s-1", "s-2"), shown("snap", 2990, "s-1", "s-2")
    ),
    "the engine is looked at between Jobs, and one is never over": every(
        shown("snap", 1060, "s-1"), shown("snap", 2060, "s-1", "s-2"), never_over(S1)
    ),
    "an object without a name": each("pods", S2, lambda pod: pod["metadata"].pop("name")),
}

# --- clean-up --------------------------------------------------------------------------------------------------------

SKIPS = LogPattern("job", "info", "Nothing new for {volume}")
NOTHING = every(never_shown("snap", "s-2"), without_line(ENGINE_LOG, " s-2 "))

CASES |= {
    "nothing new": every(NOTHING, knows(skip_lines=(SKIPS,)), says_only(S2, "x", "Nothing new for snap", level="info")),
    "nothing new, at length": every(
        NOTHING, knows(skip_lines=(SKIPS,)), says_only(S2, "Nothing new for snap" + 300 * "x", level="info")
    ),
    "nothing new, of another volume": every(
        NOTHING, knows(skip_lines=(SKIPS,)), says_only(S2, "Nothing new for back", level="info")
    ),
    "nothing new, at another level": every(NOTHING, knows(skip_lines=(SKIPS,)), says_only(S2, "Nothing new for snap")),
    "nothing new, no log": every(NOTHING, knows(skip_lines=(SKIPS,)), lambda m: m.drop_log(S2)),
    "nothing new, no release": every(NOTHING, of_no_release, says_only(S2, "Nothing new for snap", level="info")),
    "nothing new, second pattern": every(
        NOTHING,
        knows(skip_lines=(replace(SKIPS, pattern="Other"), SKIPS)),
        says_only(S2, "Nothing new for snap", level="info"),
    ),
    "nothing new to back up": every(
        never_shown("back", "b-2", "t-2"),
        without_line(ENGINE_LOG, " t-2 "),
        never_stored("b-2"),
        knows(skip_lines=(SKIPS,)),
        says_only(B2, "Nothing new for back", level="info"),
    ),
    "no warning": without_line(S2, "level=warning"),
    "no warning, and its log is cut": every(without_line(S2, "level=warning"), log_record(S2, complete=False)),
    "no warning anywhere": without_line("snap-c-", "level=warning"),
    "no warning, gap in jobs": every(without_line(S2, "level=warning"), gap("jobs")),
    "no warning, gap in pods": every(without_line(S2, "level=warning"), gap("pods")),
    "three warnings": says(S2, *(f"{WARNING}{n}" for n in range(3)), level="warning"),
    "a long warning": says_only(S2, WARNING + 300 * "x", level="warning"),
    "a fatal line instead": every(
        stated(release="v1.0.0"),
        rewritten(
            S2,
            'level=warning msg="created snapshot successfully but errored on cleanup for snap:',
            'level=fatal msg="Error taking snapshot:',
        ),
    ),
    "a fatal line instead, and then a warning": every(
        knows(fatal=(LogPattern("job", "fatal", "Error taking snapshot: error deleting", "snapshot-delete"),)),
        lines(S2, lambda text: [line("Error taking snapshot: error deleting", "fatal"), *text]),
    ),
    "a fatal line only": every(
        knows(fatal=(LogPattern("job", "fatal", "Error taking snapshot: error deleting", "snapshot-delete"),)),
        says_only(S2, "Error taking snapshot: error deleting snapshot", level="fatal"),
    ),
    "a warning about purging": says_only(S2, PURGING, level="warning"),
    "a fatal line about purging": every(
        stated(release="v1.0.0"), says_only(S2, "Error taking snapshot: errors while purging snapshots", level="fatal")
    ),
    "the deletion succeeds": says_only(S2, "Cleaned up snapshot s-1 for snap"),
    "the deletion succeeds, and fails": says(S2, "Cleaned up snapshot s-1 for snap"),
    "all deletions succeed": every(
        says_only(S2, "Cleaned up snapshot s-1 for snap"), says_only(S3, "Cleaned up snapshot s-2 for snap")
    ),
    "four deletions succeed": every(
        stated("snap", retain=0), *(says_only(name, "Cleaned up snapshot s-1 for snap") for name in (S1, S2, S3))
    ),
    "a warning about backups in a snapshot job": says(
        S2,
        "created backup successfully but errored on cleanup for snap: Cleaned up backup b failed for snap: x",
        level="warning",
    ),
    "a control's warning": every(stated("snap", faults=())),
    "a control": every(
        stated("snap", faults=()),
        says_only(S2, "Cleaned up snapshot s-1 for snap"),
        says_only(S3, "Cleaned up snapshot s-2 for snap"),
    ),
    "a control whose deletions are not told": every(
        stated("snap", faults=()), without_line("snap-c-", "level=warning")
    ),
    "a control without logs": every(stated("snap", faults=()), lambda m: m.drop_log(S2), lambda m: m.drop_log(S3)),
    "a control that never went over retain": every(stated("snap", faults=(), retain=5)),
    "never over retain": stated("snap", retain=9),
    "both deletions fail": stated("back", faults=("snapshot-delete", "backup-delete")),
    "the other deletion fails": stated("back", faults=("snapshot-delete",)),
    "backup deletions of a snapshot job": stated("snap", faults=("backup-delete",)),
    "nobody stated what should fail": every(stated("snap", faults=None), stated("back", faults=None)),
    "nobody stated what should fail, no release": every(
        stated("snap", faults=None), stated("back", faults=None), of_no_release
    ),
    "nobody stated what should fail, both did": every(
        stated("back", faults=None),
        says(
            B2,
            "created snapshot successfully but errored on cleanup for back: error deleting snapshot 't-1': x",
            level="warning",
        ),
    ),
    "no release": of_no_release,
    "another release": stated(release="v1.0.1"),
    "asking the manager": asks_the_manager(refused("b-1"), refused("b-2")),
    "the manager refuses one, asking the manager": asks_the_manager(refused("b-1")),
    "the manager deletes, asking the manager": asks_the_manager(deleted("b-1"), deleted("b-2")),
    "the manager deletes one and refuses one, asking the manager": asks_the_manager(deleted("b-1"), refused("b-2")),
    "the manager tells of another volume, asking the manager": asks_the_manager(
        refused("b-1", "other"), refused("b-2", "other")
    ),
    "the manager tells of two volumes in a line, asking the manager": asks_the_manager(
        line(
            "error deleting backup s3://t@r/?backup=b-1&volume=back: of s3://t@r/?backup=b-1&volume=snap and s3://t@r/?backup=b-1&volume=back",
            "error",
        )
    ),
    "the manager tells nothing, asking the manager": asks_the_manager(),
    "the manager's log is not whole, asking the manager": every(
        asks_the_manager(refused("b-1")), gap("logs", "longhorn-manager-1")
    ),
    "two managers, asking the manager": every(
        asks_the_manager(refused("b-1")), log_of("longhorn-manager-2", refused("b-2"))
    ),
    "no manager's log, asking the manager": every(asks_the_manager(), lambda m: m.drop_log("longhorn-manager-1")),
    "the manager deletes, and nothing was stated about the default engine image, asking the manager": every(
        asks_the_manager(deleted("b-1"), deleted("b-2")), stated(default_engine_faults=())
    ),
    "the manager tells nothing, and nothing was stated about the default engine image, asking the manager": every(
        asks_the_manager(), stated(default_engine_faults=())
    ),
    "the manager refuses, as it should not, asking the manager": every(
        asks_the_manager(refused("b-1")), stated("back", faults=())
    ),
    "the manager deletes, as it should, asking the manager": every(
        asks_the_manager(deleted("b-1"), deleted("b-2")), stated("back", faults=())
    ),
    "asked for the same backup twice, asking the manager": every(
        asks_the_manager(refused("b-1"), deleted("b-1")),
        rewritten(B3, "Cleaned up backup b-2", "Cleaned up backup b-1"),
    ),
    "asked for the same backup twice, one outcome, asking the manager": every(
        asks_the_manager(refused("b-1")), rewritten(B3, "Cleaned up backup b-2", "Cleaned up backup b-1")
    ),
    "asked for the same backup twice, three outcomes, asking the manager": every(
        asks_the_manager(refused("b-1"), deleted("b-1"), refused("b-1")),
        rewritten(B3, "Cleaned up backup b-2", "Cleaned up backup b-1"),
    ),
    "asked for the same backup twice, three times refused, asking the manager": every(
        asks_the_manager(refused("b-1"), refused("b-1"), refused("b-1")),
        rewritten(B3, "Cleaned up backup b-2", "Cleaned up backup b-1"),
    ),
    "the manager refuses at once, asking the manager": every(
        asks_the_manager(),
        says(
            B2,
            "created backup successfully but errored on cleanup for back: Cleaned up backup b-1 failed for back: x",
            level="warning",
        ),
    ),
    "b-1 cleaned up and not in the last listing, as a dump": every(
        as_dump,
        lambda m: m.drop(lambda r: isinstance(r, model.Store) and len(r.backups) < 3),
        never_stored("b-1"),
        says(B2, "Cleaned up backup s3://t@r/?backup=b-1&volume=back for back"),
    ),
    "b-1 not in the last listing, as a dump": every(
        as_dump, lambda m: m.drop(lambda r: isinstance(r, model.Store) and len(r.backups) < 3), never_stored("b-1")
    ),
    "b-1 not in the last listing and a later log gone, as a dump": every(
        as_dump,
        lambda m: m.drop(lambda r: isinstance(r, model.Store) and len(r.backups) < 3),
        never_stored("b-1"),
        lambda m: m.drop_log(B3),
    ),
    "b-1 deleted by the manager and not in the last listing, as a dump": every(
        as_dump,
        asks_the_manager(deleted("b-1")),
        lambda m: m.drop(lambda r: isinstance(r, model.Store) and len(r.backups) < 3),
        never_stored("b-1"),
        without_line(B2, "Cleaned up backup"),
    ),
    "b-3 not in the last listing, as a dump": every(as_dump, never_stored("b-3")),
    "b-2 not in a listing of its time": stores(
        lambda place, s: replace(s, backups=tuple(b for b in s.backups if b.name != "b-2")) if place == 1 else s
    ),
    "b-2 not in a listing of a later time": stores(
        lambda place, s: replace(s, backups=tuple(b for b in s.backups if b.name != "b-2")) if place == 2 else s
    ),
    "b-2 in no listing, and there was none in its time": every(
        never_stored("b-2"), stores(lambda place, store: store if place != 1 else None)
    ),
    "b-3 in no listing": never_stored("b-3"),
    "b-2 in no listing, gap in jobs": every(never_stored("b-2"), gap("jobs")),
    "the store is not listed": stores(lambda _place, store: None),
    "the store cannot be listed": stores(lambda _place, store: replace(store, backups=(), error="403 AccessDenied")),
    "the store cannot be listed once": stores(
        lambda place, store: replace(store, backups=(), error="403 AccessDenied") if place == 1 else store
    ),
    "neither engines nor store are there": every(
        without("engines"), stores(lambda _place, store: None), unwatched("engines")
    ),
    "a backup by a snapshot job": also_shown("snap", 2020, b_x="s-2"),
    "a backup by a snapshot job, gap in jobs": every(also_shown("snap", 2020, b_x="s-2"), gap("jobs")),
    "a backup by a snapshot job, in the store only": stored(replace(UNKNOWN, volume="snap"), since=1),
}

# --- the schedule ----------------------------------------------------------------------------------------------------

CASES |= {
    "a tick without a Job": missed("snap", SECOND),
    "a tick without a Job, gap in jobs": every(missed("snap", SECOND), gap("jobs")),
    "a tick without a Job, gap in cronjobs": every(missed("snap", SECOND), gap("cronjobs")),
    "a tick without a Job, for the one before still ran": every(missed("snap", SECOND), ended_at(S1, "02:30")),
    "a tick without a Job, the one before ended with it": every(missed("snap", SECOND), ended_at(S1, "02:00")),
    "a tick without a Job, the one before never ended": every(missed("snap", SECOND), never_over(S1)),
    "a tick without a Job, when the next one ran": every(missed("snap", SECOND), ended_at(S3, "03:40")),
    "the last tick without a Job": missed("snap", THIRD),
    "the last tick without a Job, long ago": every(missed("snap", THIRD), made_at("pods", B3, "03:59")),
    "the last tick without a Job, half a minute ago": every(missed("snap", THIRD), made_at("pods", B3, "03:30")),
    "the first tick without a Job": missed("snap", FIRST),
    "the first tick without a Job, by hand before": every(
        missed("snap", SECOND), by_hand("snap", FIRST), ended_at(S1, "02:30")
    ),
    "all by hand": by_hand("snap", FIRST, SECOND, THIRD),
    "all by hand, and the CronJob sleeps": every(
        by_hand("snap", FIRST, SECOND, THIRD), suspended("snap", "", "01", "02", "03")
    ),
    "one by hand": by_hand("snap", SECOND),
    "marked by hand only at the end": each(
        "jobs",
        S2,
        lambda job: (
            job["status"].get("conditions") and job["metadata"].update(labels={"longhorn.qa/triggered": "true"})
        ),
    ),
    "a Job's name without a time": renamed("snap", SECOND, "x"),
    "a Job's name of a time off the schedule": renamed("snap", SECOND, "1795428090"),
    "suspended before the second tick": suspended("snap", "01"),
    "suspended before the second tick, which has no Job": every(suspended("snap", "01"), missed("snap", SECOND)),
    "suspended from the second tick on": every(suspended("snap", "02", "03"), missed("snap", THIRD)),
    "suspended twice": every(suspended("snap", "", "02"), missed("snap", THIRD)),
    "suspended all the time": every(suspended("snap", "", "01", "02", "03"), missed("snap", SECOND)),
    "the schedule changed": each(
        "cronjobs", "snap", lambda c: c["spec"].update(schedule="*/2 * * * *") if not c["status"] else None
    ),
    "the schedule cannot be read": each("cronjobs", "snap", lambda c: c["spec"].update(schedule="often")),
    "the schedule is of Tokyo": each("cronjobs", "snap", lambda c: c["spec"].update(timeZone="Asia/Tokyo")),
    "the schedule is of UTC": each("cronjobs", "snap", lambda c: c["spec"].update(timeZone="UTC")),
    "the schedule is of UTC by its long name": each("cronjobs", "snap", lambda c: c["spec"].update(timeZone="Etc/UTC")),
    "the CronJob deleted at the end": gone("cronjobs", "snap", 3990),
    "the CronJob deleted before the last tick": every(missed("snap", THIRD), gone("cronjobs", "snap", 2990)),
    "the CronJob made anew": cronjob_made_anew,
    "the CronJob without a time of creation": each(
        "cronjobs", "snap", lambda c: c["metadata"].pop("creationTimestamp")
    ),
    "the CronJob without a time of creation, older CronJobs": every(
        older_cronjobs, each("cronjobs", "snap", lambda c: c["metadata"].pop("creationTimestamp"))
    ),
    "nothing has a time of creation": no_times,
    "the CronJob made long before": made_at("cronjobs", "snap", "00:00"),
    "the CronJob made a day before": each(
        "cronjobs", "snap", lambda c: c["metadata"].update(creationTimestamp="2026-11-22T10:00:00Z")
    ),
    "the CronJob made a day before, as a dump": every(
        as_dump, each("cronjobs", "snap", lambda c: c["metadata"].update(creationTimestamp="2026-11-22T10:00:00Z"))
    ),
    "the CronJob made two hours before, as a dump": every(
        as_dump, each("cronjobs", "snap", lambda c: c["metadata"].update(creationTimestamp="2026-11-23T08:01:00Z"))
    ),
    "older CronJobs, whose last tick is told": every(older_cronjobs, first_cronjob_ran),
    "older CronJobs, whose last tick is told, as a dump": every(as_dump, older_cronjobs, first_cronjob_ran),
    "older CronJobs, and nothing listed": every(
        older_cronjobs, lambda m: m.drop(lambda r: isinstance(r, model.ListDone))
    ),
    "the jobs listed late": list_done_at("1025"),
    "the jobs listed late, older CronJobs": every(older_cronjobs, list_done_at("1025")),
    "the jobs listed twice, older CronJobs": every(
        older_cronjobs, lambda m: m.records.insert(20, model.ListDone(1, m.records[0].at, "jobs", "2025"))
    ),
    "pods listed, older CronJobs": every(
        older_cronjobs, lambda m: m.records.insert(1, model.ListDone(1, m.records[0].at, "pods", "90"))
    ),
}

# --- events ----------------------------------------------------------------------------------------------------------

CASES |= {
    "no event that the Job was created": without_event(S2, "Created"),
    "no event that the Job was completed": without_event(S2, "Saw"),
    "no events": without("events", "snap"),
    "the event says Failed": event(S2, "Saw", message=f"Saw completed job: {S2}, status: Failed"),
    "the event says condition": event(S2, "Saw", message=f"Saw completed job: {S2}, condition: Complete"),
    "the event has other words": event(S2, "Saw", message=f"Saw completed job: {S2}, status: Complete."),
    "the event has another reason": event(S2, "Created", reason="Created"),
    "the event of the end has another reason": event(S2, "Saw", reason="Saw"),
    "the event is about the Job": event(S2, "Created", involvedObject={"kind": "Job", "uid": "uid-snap-c"}),
    "the event is about another CronJob": event(S2, "Created", involvedObject={"kind": "CronJob", "uid": "x"}),
    "the event is older than the Job": every(
        event(S2, "Created", metadata={"name": "e", "uid": "e", "resourceVersion": "1999"})
    ),
    "the event of the end is older than the Job": every(
        event(S2, "Saw", metadata={"name": "e", "uid": "e", "resourceVersion": "1999"})
    ),
    "an event with many words": event(S2, "Created", message="x" * 400),
    "an event lost, 25 were written": every(without_event(S2, "Created"), event(S1, "Created", count=23)),
    "an event lost, 24 were written": every(without_event(S2, "Created"), event(S1, "Created", count=22)),
    "an event deleted": gone("events", f"{S2}.2011", 2900),
    "an event seen again, older": event_again(f"{S2}.2041", 2039, "status: Failed"),
    "an event seen again, newer": event_again(f"{S2}.2041", 2049, "status: Failed"),
    "an event seen again, as new": event_again(f"{S2}.2041", 2041, "status: Failed"),
    "events of two CronJobs": cronjob_made_anew_between,
}

# --- what was not seen -----------------------------------------------------------------------------------------------

CASES |= {
    **{f"{kind} were not watched": unwatched(kind) for kind in KINDS},
    "nothing was stated to be watched": lambda m: m.records.__setitem__(0, replace(m.records[0], kinds=())),
    **{f"lists of {kind}, as a dump": every(as_dump, listed(kind)) for kind in KINDS[:5]},
    "two gaps in pods": every(gap("pods"), lambda m: m.add(model.Gap(1, m.records[0].at, "pods", "again"))),
    "a gap in the log of the second Job": gap("logs", f"{S2}-aaaaa"),
    "a gap in the log of a pod that is not judged": gap("logs", "x"),
    "a gap in the log of the engine": gap("logs", ENGINE_LOG),
    "a gap in the log of a manager": gap("logs", "longhorn-manager-1"),
    **{
        f"the log of the {which} {what}": change(name)
        for which, name in {"second Job": S2, "engine": ENGINE_LOG}.items()
        for what, change in {
            "not closed": not_closed,
            "not complete": lambda name: log_record(name, complete=False),
            "not complete, for a reason": lambda name: log_record(name, complete=False, reason="it was cut"),
            "without its file": file_gone,
            "without its file, and not closed": lambda name: every(file_gone(name), not_closed(name)),
            "cut short": lambda name: file_cut(name, 40),
            "cut short, and not closed": lambda name: every(file_cut(name, 40), not_closed(name)),
            "longer than recorded": lambda name: log_record(name, bytes=3),
            "only an error": lambda name: lines(name, lambda _text: ["error: there is none\n"]),
            "only a long error": lambda name: lines(name, lambda _text: [f"error: {100 * 'x'}\n"]),
            "ending with an error": lambda name: lines(name, lambda text: [*text, "error: there is none\n"]),
            "imported": lambda name: log_record(name, reason="imported from logs/mine.log"),
            "empty": lambda name: lines(name, lambda _text: []),
        }.items()
    },
    "a log without the record of its beginning": lambda m: m.drop(
        lambda r: isinstance(r, model.Log) and r.pod.startswith(S2) and r.state == "opened"
    ),
    "a file that is damaged": lambda m: setattr(m, "damage", ("history.jsonl:3: truncated record",)),
    "a log that is damaged": lambda m: setattr(m, "damage", (f"logs/{S2}-aaaaa/0.log:3: not text",)),
    "two files that are damaged": lambda m: setattr(m, "damage", (f"logs/{S2}-aaaaa/0.log:3: x", "a: x", "b: x")),
    "no engine's log": lambda m: m.drop_log(ENGINE_LOG),
    "two engines' logs": log_of("instance-manager-e-2", creation("s-x"), creation("s-2")),
    "a replicas' log": log_of("instance-manager-r-1", creation("s-x")),
    "a log of an instance manager of both": log_of("instance-manager-1", creation("s-x")),
    "engine log: the same line twice": created(2, creation("s-2")),
    "engine log: no prefix": rewritten(ENGINE_LOG, "[snap-e-1] ", ""),
    "engine log: no prefix, but an address that the engine tells": every(
        rewritten(ENGINE_LOG, "[snap-e-1] ", ""),
        each("engines", "snap", lambda e: e["status"].update(currentReplicaAddressMap={"r": "10.0.0.4:1"})),
        each("engines", "back", lambda e: e["status"].update(currentReplicaAddressMap={})),
    ),
    "engine log: no prefix, but an address that the log tells": every(
        rewritten(ENGINE_LOG, "[snap-e-1] ", ""),
        created(0, "[snap-e-1] " + line("Adding backend: tcp://10.0.0.4:1", "info")),
    ),
    "engine log: no prefix, and the address has none": every(
        rewritten(ENGINE_LOG, "[snap-e-1] ", ""),
        created(0, line("Adding backend: tcp://10.0.0.4:1", "info")),
    ),
    "engine log: a prefix that is no engine": rewritten(ENGINE_LOG, "[snap-e-1] ", "[snap-r-1] "),
    "engine log: another level": rewritten(ENGINE_LOG, "level=info", "level=debug"),
    "engine log: a stray of another job": created(0, creation("x-1", process="", label="RecurringJob:x", address="a")),
    "engine log: a stray of nobody": created(0, creation("x-1", process="", label="", address="a")),
    "engine log: a stray of the job": created(0, creation("x-1", process="", address="a")),
    "engine log: other labels too": rewritten(ENGINE_LOG, "[RecurringJob:s]", "[a:b RecurringJob:s c:d]"),
    "engine log: a label that ends the same": rewritten(ENGINE_LOG, "[RecurringJob:s]", "[NoRecurringJob:s]"),
    "a hole among the records": lambda m: setattr(m, "history", holed(m)),
    "no end": lambda m: m.records.pop(),
    "no cells": lambda m: m.state(cells=()),
    "no start": lambda m: m.records.pop(0),
    "two starts": lambda m: m.records.insert(30, replace(m.records[0], kinds=("jobs",))),
    "an engine deleted": gone("engines", "snap", 3990),
    "a pod deleted": gone("pods", S2, 2990),
    "a CronJob that is not there": stated("snap", cronjob="other"),
    "a job that is not there": stated("snap", job="other"),
    "retain 2": stated("snap", retain=2),
    "retain 3": stated("snap", retain=3),
    "a record of something else": lambda m: m.add(model.Note(1, m.records[0].at, "hello")),
    "an object of another kind": lambda m: m.add(replace(next(r for r in m.records if is_of(r, "pods")), kind="nodes")),
}


# --- the test --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def approved(small_run: Callable[[], t.Any]) -> Iterator[Approved]:
    def examine(name: str) -> t.Any:
        run = small_run()
        CASES[name](run)
        return run.examine()

    approved = Approved("small_run.json", CASES, "as it is", examine)
    yield approved
    approved.write()


@pytest.mark.parametrize("name", CASES)
def test_small_run(name: str, approved: Approved) -> None:
    approved.check(name)


@pytest.mark.parametrize("name", ["as it is", "as a dump", "no cells", "no start"])
def test_judgement_is_the_same_with_and_without_cases(name: str, small_run: Callable[[], t.Any]) -> None:
    run = small_run()
    CASES[name](run)
    assert run.judge() == run.examine()[0]
