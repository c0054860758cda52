# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as metrics in Prometheus' text format, for the textfile collector of a node exporter."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.longhorn.qa.plugins.module_utils._history.times import parse_time
from ansible_collections.longhorn.qa.plugins.module_utils._report.document import Document
from ansible_collections.longhorn.qa.plugins.module_utils._report.safe import one_line

_RUN = ("pass", "fail", "inconclusive", "broken")
_CHECK = ("pass", "fail", "inconclusive", "not_applicable")


def prometheus(document: Document) -> str:
    """The file's text. A verdict is a set of series, of which one is 1."""
    return "\n".join([*_verdicts(document), *_checks(document), *_time(document)]) + "\n"


def _verdicts(document: Document) -> Iterator[str]:
    yield "# HELP longhorn_qa_verdict Verdict of a run: 1 for the one it has."
    yield "# TYPE longhorn_qa_verdict gauge"
    for place, run in enumerate(document["runs"]):
        for word in _RUN:
            value = int(run["verdict"] == word)
            yield f"longhorn_qa_verdict{_labels(run=str(place), release=run['release'], verdict=word)} {value}"


def _checks(document: Document) -> Iterator[str]:
    yield "# HELP longhorn_qa_checks Volumes with a verdict, by check."
    yield "# TYPE longhorn_qa_checks gauge"
    for place, run in enumerate(document["runs"]):
        counts: dict[tuple[str, str], int] = {}
        for cell in run["cells"]:
            for check in cell["checks"]:
                for word in _CHECK:
                    key = (check["check"], word)
                    counts[key] = counts.get(key, 0) + int(check["verdict"] == word)
        for (check_id, word), count in counts.items():
            yield f"longhorn_qa_checks{_labels(run=str(place), check=check_id, verdict=word)} {count}"


def _time(document: Document) -> Iterator[str]:
    made = parse_time(document["generated"])
    if made is not None:
        yield "# HELP longhorn_qa_report_time_seconds When the report was made."
        yield "# TYPE longhorn_qa_report_time_seconds gauge"
        yield f"longhorn_qa_report_time_seconds {made.timestamp():.0f}"


def _labels(**labels: str) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return one_line(value).replace("\\", "\\\\").replace('"', '\\"')
