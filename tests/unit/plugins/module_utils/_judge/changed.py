# SPDX-License-Identifier: GPL-3.0-or-later
"""Made histories in which one thing is other than it should be, and what the judge says of them."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tests.unit.plugins.module_utils._judge import made
from tests.unit.plugins.module_utils._judge.made import FAULTY, Run

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import CellJudgement, Judgement, examine
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import CheckVerdict
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile

SHARED = ("v1.2.6", "v1.3.3", "v1.4.4", "v1.5.5", "v1.8.2", "v1.9.2", "v1.12.1")
WITH_OBJECTS = ("v1.5.5", "v1.8.2", "v1.9.2", "v1.12.1")
VISIBLE, HIDDEN = "visible snapshot-delete", "asynchronous snapshot-delete"
STORE = ("asynchronous backup-delete", "backup-store")

Change = Callable[["Changed"], object]


def every_five_minutes(_expression: str, since: datetime, until: datetime) -> tuple[datetime, ...]:
    tick = since.replace(minute=since.minute - since.minute % 5, second=0, microsecond=0)
    ticks = []
    while tick <= until:
        ticks += [tick] if tick >= since else []
        tick += timedelta(minutes=5)
    return tuple(ticks)


@dataclass
class Changed:
    """A history that may be changed."""

    records: list[t.Any]
    logs: dict[str, bytes]

    def of(self, kind: str, name: str = "") -> Iterator[t.Any]:
        for record in self.records:
            wanted = isinstance(record, model.ObjectSeen) and record.kind == kind
            if wanted and record.object["metadata"]["name"].startswith(name):
                yield record

    def drop(self, wanted: Callable[[t.Any], bool]) -> None:
        before = len(self.records)
        self.records = [record for record in self.records if not wanted(record)]
        assert len(self.records) < before, "nothing was dropped"

    def drop_log(self, start: str) -> None:
        self.drop(lambda record: isinstance(record, model.Log) and record.pod.startswith(start))

    def edit(self, pod: str, old: str, new: str) -> None:
        """In the logs of all pods whose name starts so."""
        found = 0
        for place, record in enumerate(self.records):
            if isinstance(record, model.Log) and record.pod.startswith(pod) and record.state == "closed":
                content = self.logs[record.path]
                found += content.count(old.encode())
                self.logs[record.path] = content.replace(old.encode(), new.encode())
                self.records[place] = replace(record, bytes=len(self.logs[record.path]))
        assert found, f"{old!r} is in no log of {pod}"

    def gap(self, kind: str) -> None:
        self.records.insert(-1, model.Gap(1, made.START, kind, "the watch was cut"))

    def put(self, kind: str, document: dict[str, t.Any], *, after: str, change: str = "ADDED") -> None:
        """An object right after the first record of another one."""
        place = next(
            index
            for index, record in enumerate(self.records)
            if isinstance(record, model.ObjectSeen) and record.object["metadata"]["name"] == after
        )
        version = int(self.records[place].object["metadata"]["resourceVersion"])
        document["metadata"].setdefault("uid", f"uid-{document['metadata']['name']}")
        document["metadata"]["resourceVersion"] = str(version)
        seen = model.ObjectSeen(1, made.START, kind, t.cast(model.Change, change), document)
        self.records.insert(place + 1, seen)

    def judge(self, *, number: bool = True) -> Judgement:
        """Numbered anew, or with the numbers that the records have."""
        return self.examine(number=number)[0]

    def examine(self, *, number: bool = True) -> tuple[Judgement, tuple[Case, ...]]:
        """Likewise, with what was judged."""
        records = self.records
        if number:
            records = [replace(record, number=place) for place, record in enumerate(records, start=1)]
        history = model.History(records=tuple(records), logs=self.logs)
        return examine(history, profiles=profile, ticks=every_five_minutes)


def changed(run: Run, *changes: Change, recovered: bool = False) -> Judgement:
    history = run.after_recovery() if recovered else run.history()
    copy = Changed(list(history.records), dict(history.logs))
    for change in changes:
        change(copy)
    return copy.judge()


def cell_of(judgement: Judgement, volume: str = FAULTY) -> CellJudgement:
    return next(cell for cell in judgement.cells if cell.cell.volume == volume)


def checks(judgement: Judgement, volume: str = FAULTY) -> dict[str, CheckVerdict]:
    return {check.check: check for check in cell_of(judgement, volume).checks}


def not_pass(judgement: Judgement, volume: str = FAULTY) -> dict[str, str]:
    """What the judge says where it is neither a pass nor without an object."""
    return {
        name: check.verdict
        for name, check in checks(judgement, volume).items()
        if check.verdict not in ("pass", "not_applicable")
    }


def without(kind: str, name: str = "", change: str = "") -> Change:
    def wanted(record: t.Any) -> bool:
        return (
            isinstance(record, model.ObjectSeen)
            and record.kind == kind
            and record.object["metadata"]["name"].startswith(name)
            and change in ("", record.change)
        )

    return lambda history: history.drop(wanted)


def snapshot(name: str, job: str = "nightly", volume: str = FAULTY) -> dict[str, t.Any]:
    labels = {"RecurringJob": job} if job else {}
    return {
        "metadata": {"name": name, "labels": {"longhornvolume": volume}},
        "spec": {"volume": volume, "createSnapshot": True, "labels": labels},
    }


def backup(name: str, of: str, state: str = "Completed", job: str = "nightly") -> dict[str, t.Any]:
    return {
        "metadata": {"name": name, "labels": {"backup-volume": FAULTY}},
        "spec": {"snapshotName": of, "labels": {"RecurringJob": job}},
        "status": {"state": state},
    }
