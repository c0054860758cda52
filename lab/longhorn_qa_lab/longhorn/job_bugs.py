# SPDX-License-Identifier: GPL-3.0-or-later
"""The bug switches that act in a recurring job's own process: wrapped around the sound parts, which know of none."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import signal
import time
import typing as t

from longhorn_qa_lab.longhorn import jobs, logs, names
from longhorn_qa_lab.longhorn.bugs import TURN
from longhorn_qa_lab.longhorn.faults import FaultPlan, ImageFaults
from longhorn_qa_lab.longhorn.jobs import Job, Volume

_SLOW_UPLOAD: t.Final = 10.0
_CLOCK_OFF: t.Final = dt.timedelta(hours=1)
_PAST_THE_TICK: t.Final = 3.0


@dataclasses.dataclass(frozen=True)
class JobBugs:
    """A volume's bugs, at the n-th start of a job's process on it."""

    found: frozenset[str]
    turn: int

    def _now(self, *bugs: str) -> bool:
        return self.turn == TURN and not self.found.isdisjoint(bugs)

    @property
    def idle(self) -> bool:
        """Whether this start does nothing and ends well."""
        again = "restarted-container" in self.found and self.turn == TURN + 1
        return again or self._now("complete-with-nothing") or ("second-pod" in self.found and self.turn % 2 == 0)

    def clock(self) -> dt.datetime:
        """What the process takes for the time when it writes into the store."""
        return logs.now() + (_CLOCK_OFF if "store-clock-off" in self.found else dt.timedelta(0))

    def job(self, job: Job) -> Job:
        return dataclasses.replace(job, backup=False) if self._now("missing-artefact") else job

    def plan(self, plan: FaultPlan, image: str) -> FaultPlan:
        """The image's faults as this process meets them."""
        faults = plan.of(image)
        if "fault-never-fired" in self.found:
            faults = ImageFaults()
        if self._now("duplicate-overlapping"):
            faults = dataclasses.replace(faults, upload_seconds=_SLOW_UPLOAD)
        return FaultPlan({**plan.images, image: faults})

    def log(self, volume: str) -> logs.Log:
        if self.found.isdisjoint(("warning-missing", "warning-of-another-volume", "warning-quoted")):
            return logs.Log()
        return _BadLog(self.found, volume)

    def volume(self, volume: Volume) -> Volume:
        twice = "duplicate-same-second" in self.found, self._now("duplicate-overlapping")
        return _Twice(volume, snapshot=twice[0] and self.turn == TURN, backup=twice[1]) if any(twice) else volume

    def end(self, code: int, way: t.Callable[[], Volume]) -> int:
        """What becomes of a process that has done its work."""
        if self._now("artefact-only-in-store"):
            code = jobs.execute(lambda: way().leave_backup(), self.log("")) or code
        if self._now("outlives-next-tick"):
            time.sleep(60 - time.time() % 60 + _PAST_THE_TICK)
        if self._now("restarted-container"):
            os.kill(os.getpid(), signal.SIGKILL)
        return 1 if self._now("failed-with-all") else code


NO_BUGS: t.Final = JobBugs(frozenset(), 0)


class _Twice:
    """Makes two where one is asked for."""

    def __init__(self, volume: Volume, *, snapshot: bool, backup: bool) -> None:
        self._volume = volume
        self._snapshot = snapshot
        self._backup = backup

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._volume, name)

    def create_snapshot(self, name: str, labels: t.Mapping[str, str]) -> None:
        if self._snapshot:
            into_the_second = time.time() % 1
            time.sleep(1 - into_the_second if into_the_second > 0.5 else 0)
            self._volume.create_snapshot(f"{name[:-8]}{names.random_id()}", labels)
        self._volume.create_snapshot(name, labels)

    def start_backup(self, snapshot: str, labels: t.Mapping[str, str]) -> None:
        if self._backup:
            self._volume.start_backup(snapshot, labels)
        self._volume.start_backup(snapshot, labels)


class _BadLog(logs.Log):
    """Says of a failed clean-up something else, or nothing."""

    def __init__(self, found: frozenset[str], volume: str) -> None:
        super().__init__()
        self._found = found
        self._volume = volume

    def warning(self, message: str) -> None:
        if "warning-of-another-volume" in self._found:
            super().warning(message.replace(self._volume, "somebody-elses"))
        elif "warning-quoted" in self._found:
            quoted = logs.line("warning", message, logs.now())
            self.info(f"Event(longhorn-system/{self._volume}): type: 'Warning' the job said: {quoted}")
