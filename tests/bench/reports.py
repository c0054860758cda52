# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report of a large run: how big it is, and how long a browser takes until its lanes are there.

Twice: of a history that passes, judged here as a user's would be; and of a made-up run in which one invocation in ten
goes wrong in every way that a mark can show.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure, stopwatch
from tests.bench.generated import generated
from tests.bench.judge import every_minute
from tests.browser.chromium import browser
from tests.browser.documents import Document
from tests.browser.documents import document as made_up

from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import examine
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile
from ansible_collections.longhorn.qa.plugins.module_utils._report.document import document
from ansible_collections.longhorn.qa.plugins.module_utils._report.html import page as render
from ansible_collections.longhorn.qa.plugins.module_utils._report.table import table
from ansible_collections.longhorn.qa.plugins.module_utils._report.timeline import timeline
from longhorn_qa_lab.binaries import chromium
from longhorn_qa_lab.progress import Progress

_VOLUMES = 500
_INVOCATIONS = 100
_SECONDS = 2.0
_MIB = 20.0


def measure(progress: Progress) -> Iterator[Figure]:
    """One report of each sort, of 500 volumes and 100 invocations each."""
    size = f"{_VOLUMES} volumes x {_INVOCATIONS}"
    progress(f"judging a history of {size} and rendering it")
    with stopwatch() as judging:
        report = _judged()
    yield Figure(f"report, {size}: until judged", judging.seconds, "s")
    yield from _page(report, progress)
    progress(f"a report of {size} with failures")
    report = made_up(volumes=_VOLUMES, invocations=_INVOCATIONS)
    yield Figure(f"report, {size}, one in 10 wrong: terminal lines", len(table(report)), "", 200)
    yield from _page(report, progress)


def _judged() -> Document:
    history = generated(volumes=_VOLUMES, invocations=_INVOCATIONS)
    judgement, cases = examine(history, profiles=profile, ticks=every_minute)
    lanes = timeline(judgement, cases, ticks=every_minute)
    return document([judgement], histories=["history"], timelines=[lanes])


def _page(report: Document, progress: Progress) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as place, browser(chromium.ensure(say=progress)) as new:
        path = Path(place) / "report.html"
        with stopwatch() as rendering:
            path.write_text(render(report), encoding="utf-8")
        yield Figure("  rendering it as HTML", rendering.seconds, "s")
        yield Figure("  its size", path.stat().st_size / (1 << 20), "MiB", _MIB)
        page = new(width=1400, height=1000)
        with stopwatch() as opening:
            page.open(path)
        yield Figure("  opening it in Chromium, until its marks are drawn", opening.seconds, "s", _SECONDS)
        yield Figure("  memory of its program", page.run("performance.memory.usedJSHeapSize") / (1 << 20), "MiB")
