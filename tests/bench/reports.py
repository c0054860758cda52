# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report of a large run: how big it is, and how long a browser takes until its lanes are there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure, stopwatch
from tests.browser.chromium import browser
from tests.browser.documents import document

from ansible_collections.longhorn.qa.plugins.module_utils._report.html import page as render
from ansible_collections.longhorn.qa.plugins.module_utils._report.table import table
from longhorn_qa_lab.binaries import chromium
from longhorn_qa_lab.progress import Progress

_VOLUMES = 500
_INVOCATIONS = 100
_SECONDS = 2.0
_MIB = 20.0


def measure(progress: Progress) -> Iterator[Figure]:
    """One report of 500 volumes and 100 invocations each."""
    progress(f"a report of {_VOLUMES} volumes and {_INVOCATIONS} invocations")
    report = document(volumes=_VOLUMES, invocations=_INVOCATIONS)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "report.html"
        with stopwatch() as rendering:
            path.write_text(render(report), encoding="utf-8")
        yield Figure(f"HTML report, {_VOLUMES} volumes x {_INVOCATIONS}: rendering", rendering.seconds, "s")
        yield Figure("  its size", path.stat().st_size / (1 << 20), "MiB", _MIB)
        with browser(chromium.ensure(say=progress)) as new:
            page = new(width=1400, height=1000)
            with stopwatch() as opening:
                page.open(path)
            yield Figure("  opening it in Chromium, until its marks are drawn", opening.seconds, "s", _SECONDS)
            heap = page.run("performance.memory.usedJSHeapSize") / (1 << 20)
            yield Figure("  memory of its program", heap, "MiB")
    yield Figure("  lines on the terminal", len(table(report)), "", 200)
