# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge on generated histories of many volumes: seconds, memory, and whether both grow as the history does.

Each size runs in a process of its own, so that its peak memory is its own. The records are made while they are judged,
because holding them all would be counted as the judge's memory; what making them takes meanwhile is taken off.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tests.bench import peak
from tests.bench.figure import Figure
from tests.bench.generated import generated

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import judge
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile
from longhorn_qa_lab.progress import Progress

INVOCATIONS = 100
_SIZES = (125, 250, 500, 1000)
_SECONDS, _MEMORY_MIB = 10.0, 500.0
_BATCH = 1000


def measure(progress: Progress) -> Iterator[Figure]:
    """The largest size against its goal, then the line through all sizes."""
    found = []
    for volumes in _SIZES:
        progress(f"judging {volumes} volumes x {INVOCATIONS} invocations")
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.judge", str(volumes)],
            check=True,
            env={**os.environ, "PYTHONPATH": "collections:lab"},
            stdout=subprocess.PIPE,
            text=True,
        )
        found.append(json.loads(done.stdout))
        if found[-1]["verdict"] != "pass":
            raise SystemExit(f"the generated history of {volumes} volumes is judged {found[-1]['verdict']}, not pass")
    largest = found[-1]
    yield Figure(f"judge, {_SIZES[-1]} volumes x {INVOCATIONS} invocations", largest["seconds"], "s", _SECONDS)
    yield Figure("  making the records, not part of it", largest["making"], "s")
    yield Figure("  records", largest["records"], "")
    yield Figure("  peak memory, interpreter included", largest["peak"], "MiB", _MEMORY_MIB)
    for what, unit in (("seconds", "s"), ("peak", "MiB")):
        slope, start, fit = _line([float(size) for size in _SIZES], [item[what] for item in found])
        yield Figure(f"  fit of {what}: {start:.2f} + {slope:.4f} x volumes; R squared", fit, unit)


def _line(across: list[float], up: list[float]) -> tuple[float, float, float]:
    """Slope, start and R squared of the straight line through the points."""
    middle, height = sum(across) / len(across), sum(up) / len(up)
    spread = sum((x - middle) ** 2 for x in across)
    slope = sum((x - middle) * (y - height) for x, y in zip(across, up, strict=True)) / spread
    start = height - slope * middle
    rest = sum((y - start - slope * x) ** 2 for x, y in zip(across, up, strict=True))
    return slope, start, 1 - rest / sum((y - height) ** 2 for y in up)


def every_minute(_expression: str, since: datetime, until: datetime) -> tuple[datetime, ...]:
    """The ticks of the generated schedules."""
    tick = since.replace(second=0, microsecond=0)
    first = tick if tick >= since else tick + timedelta(minutes=1)
    return tuple(first + timedelta(minutes=n) for n in range(int((until - first) / timedelta(minutes=1)) + 1))


class _Timed(Sequence[model.Record]):
    """Records that are made a few at a time, and how long the making took in all."""

    def __init__(self, records: Sequence[model.Record]) -> None:
        self._records = records
        self.made = 0
        self.seconds = 0.0

    def __iter__(self) -> Iterator[model.Record]:
        records, self.made = iter(self._records), 0
        while True:
            begun = time.process_time()
            batch = list(itertools.islice(records, _BATCH))
            self.seconds += time.process_time() - begun
            self.made += len(batch)
            if not batch:
                return
            yield from batch

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, place: t.Any) -> t.Any:
        return self._records[place]


def _measured(volumes: int) -> dict[str, object]:
    history = generated(volumes=volumes, invocations=INVOCATIONS)
    records = _Timed(history.records)
    begun = time.process_time()
    verdict = judge(replace(history, records=records), profiles=profile, ticks=every_minute).verdict
    seconds = time.process_time() - begun - records.seconds
    return {
        "verdict": verdict,
        "records": records.made,
        "making": records.seconds,
        "seconds": seconds,
        "peak": peak.mebibytes(),
    }


if __name__ == "__main__":
    print(json.dumps(_measured(int(sys.argv[1]))))
