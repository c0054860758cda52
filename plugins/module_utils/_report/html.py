# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one HTML file that works from disk: no request, no inline handler, scripts and style by their hashes.

Header and checks are plain HTML, readable without a program. The lanes are drawn by the page's own program from data
that is kept per cell and compressed, so that a report of hundreds of volumes opens at once. No text of a cluster
becomes markup: here it is escaped, there it is only ever the text of a node.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import re
import typing as t
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from ansible_collections.longhorn.qa.plugins.module_utils._history.times import parse_time
from ansible_collections.longhorn.qa.plugins.module_utils._report.assets import PROGRAM, STYLE, TEMPLATE
from ansible_collections.longhorn.qa.plugins.module_utils._report.assets_d3 import LIBRARY
from ansible_collections.longhorn.qa.plugins.module_utils._report.compare import grouped
from ansible_collections.longhorn.qa.plugins.module_utils._report.findings import Finding, contracts, findings
from ansible_collections.longhorn.qa.plugins.module_utils._report.marks import LANES
from ansible_collections.longhorn.qa.plugins.module_utils._report.safe import clipped, no_formula, xml_text

Document = dict[str, t.Any]

SIGNS = {"pass": "✓ pass", "fail": "✗ fail", "inconclusive": "? inconclusive", "broken": "✗ broken"}
MAX_ROWS = 16  # of one lane: what overlaps more is drawn over, and the lane's name says how much
MAX_FINDINGS = 20

_SHORT = {**SIGNS, "inconclusive": "?"}  # where the columns of all checks stand side by side
_WIDTH = 240  # characters of a finding

_PART = 50  # rows of the table of checks

_STACKED = ("jobs", "pods", "snapshots", "backups", "faults")


def page(document: Document) -> str:
    """The whole file's text."""
    cells = list(_cells(document))
    parts = {
        "@CSP@": _policy(),
        "@TITLE@": _escape(f"{document['verdict']}: longhorn.qa report"),
        "@HEADER@": "\n".join(_header(document)),
        "@BODY@": "\n".join(
            [*_changes(document), *_findings(document), *_table(document, cells), *_controls(document, cells)]
        ),
        "@DATA@": "\n".join(_data(document, cells)),
        "@STYLE@": STYLE,
        "@LIBRARY@": LIBRARY,
        "@PROGRAM@": PROGRAM,
    }
    return re.sub("@[A-Z]+@", lambda match: parts[match.group()], TEMPLATE)  # in one pass: nobody's text is read again


def _policy() -> str:
    """Nothing may be loaded, and of what is inline only what has the right hash may run."""
    scripts = " ".join(_hash(text) for text in (LIBRARY, PROGRAM))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {_hash(STYLE)}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii") + "'"


def _escape(text: str) -> str:
    return html.escape(no_formula(xml_text(text)), quote=True)


class _Cell(t.NamedTuple):
    """A row of the page: a cell with its lanes, or the recorder's own row, which has no checks."""

    run: int
    volume: str
    about: str
    verdict: str
    cell: Document | None
    marks: list[Document]
    excerpts: list[Document]
    pieces: dict[tuple[str, str], int]


def _cells(document: Document) -> Iterator[_Cell]:
    for number, run in enumerate(document["runs"]):
        lanes = run["timeline"] or {"cells": [{"marks": [], "note": ""} for _cell in run["cells"]], "excerpts": []}
        excerpts = lanes["excerpts"]
        pieces = {(item["what"], item["where"]): place for place, item in enumerate(excerpts)}
        if lanes.get("gaps"):
            yield _Cell(number, "recorder", "what could not be seen", "", None, lanes["gaps"], excerpts, pieces)
        for cell, lane in zip(run["cells"], lanes["cells"], strict=True):
            about = f"{cell['task']} with {cell['engine_image'] or 'the default engine image'}"
            about += f", {_faults(cell)}, {len(cell['invocations'])} Jobs"
            about += f"; ticks not known: {lane['note']}" if lane["note"] else ""
            yield _Cell(number, cell["volume"], about, cell["verdict"], cell, lane["marks"], excerpts, pieces)


def _faults(cell: Document) -> str:
    if cell["faults"] is None:
        return "faults not stated"
    return "fails " + ", ".join(cell["faults"]) if cell["faults"] else "control"


# --- plain HTML -------------------------------------------------------------------------------------------------------
def _header(document: Document) -> Iterator[str]:
    verdict = document["verdict"]
    yield f'<h1><span class="verdict {verdict}">{SIGNS[verdict]}</span> longhorn.qa report</h1>'
    yield '<div class="runs">'
    for place, run in enumerate(document["runs"]):
        yield "<div>"
        if len(document["runs"]) > 1:
            yield f"<h2>{_escape(_run_name(document, place))}</h2>"
        yield '<dl class="facts">'
        for name, value in _facts(document, run):
            if value:
                yield f"<dt>{_escape(name)}</dt><dd>{_escape(value)}</dd>"
        yield "</dl></div>"
    yield "</div>"


def _run_name(document: Document, place: int) -> str:
    """How a reader tells runs apart: two of them are compared."""
    run = document["runs"][place]
    when = (", before", ", after")[place] if len(document["runs"]) == 2 else ""
    return f"Run {place + 1}{when}: {run['release'] or run['history']}"


def _facts(document: Document, run: Document) -> Iterator[tuple[str, str]]:
    yield "Longhorn", run["release"] or "release not known"
    if len(document["runs"]) > 1:
        yield "verdict", SIGNS[run["verdict"]]
    yield "why", run["reason"]
    faults = dict.fromkeys(fault for cell in run["cells"] for fault in cell["faults"] or ())
    yield "faults", ", ".join(faults) or "none"
    yield "default engine image fails", ", ".join(run["default_engine_faults"])
    if run["timeline"]:
        lanes = run["timeline"]
        yield "time", f"{_readable(lanes['since'])} to {_readable(lanes['until'])} UTC ({_duration(lanes)})"
    yield "namespace", run["namespace"]
    yield "run", run["run_id"]
    yield "history", f"{run['history']} ({run['origin']})"
    yield "report made", _readable(document["generated"])


def _readable(moment: str) -> str:
    return moment[:19].replace("T", " ")


def _duration(lanes: Document) -> str:
    seconds = round(_seconds(lanes["until"]) - _seconds(lanes["since"]))
    hours, rest = divmod(seconds, 3600)
    return (f"{hours} h " if hours else "") + f"{rest // 60} min {rest % 60} s"


@functools.lru_cache(maxsize=65536)
def _seconds(moment: str) -> float:
    parsed: datetime | None = parse_time(moment)
    return parsed.timestamp() if parsed is not None else 0.0


def _changes(document: Document) -> Iterator[str]:
    changes = document["changes"]
    if changes is None:
        return
    yield '<section aria-labelledby="changes-title"><h2 id="changes-title">What changed</h2>'
    if not changes:
        yield "<p>Nothing: both runs have the same verdicts and counts.</p></section>"
        return
    yield '<div class="scroll" role="group" tabindex="0" aria-labelledby="changes-title"><table><thead><tr>'
    heads = ("what", "before", "after", "direction", "where")
    yield "".join(f'<th scope="col">{name}</th>' for name in heads) + "</tr></thead><tbody>"
    words = {"better": "▲ better", "worse": "▼ worse", "other": "changed"}
    for group in grouped(changes):
        yield (
            f'<tr class="changed-{group.direction}"><th scope="row">{_escape(group.what)}</th>'
            f"<td>{_escape(group.before)}</td><td>{_escape(group.after)}</td><td>{words[group.direction]}</td>"
            f"<td>{_escape(group.named)}</td></tr>"
        )
    yield "</tbody></table></div></section>"


def _findings(document: Document) -> Iterator[str]:
    """Why a run is not a pass, in plain words, also on paper and without a program."""
    every = [(place, item) for place, run in enumerate(document["runs"]) for item in findings(run)]
    if not every:
        return
    yield '<section aria-labelledby="findings-title"><h2 id="findings-title">Findings</h2>'
    for place, run in enumerate(document["runs"][:MAX_FINDINGS]):
        name = f"{_run_name(document, place)}, " if len(document["runs"]) > 1 else ""
        yield from (f"<p>{_escape(name + text)}</p>" for text in contracts(run))
    yield '<ul class="findings">'
    for place, item in every[:MAX_FINDINGS]:
        name = f"{_run_name(document, place)}, " if len(document["runs"]) > 1 else ""
        count = f"{name}{len(item.checks)} of {len(document['runs'][place]['cells'])} volumes"
        sign = "✗ known" if item.known_issue else SIGNS[item.verdict]
        yield (
            f'<li><span class="{item.verdict}">{sign}</span> <b>{_escape(item.check)}</b>, {_escape(count)}: '
            f"{_escape(_in_short(item))}</li>"
        )
    if len(every) > MAX_FINDINGS:
        yield f"<li>and {len(every) - MAX_FINDINGS} more, see the table</li>"
    yield "</ul></section>"


def _in_short(item: Finding) -> str:
    """What explains it, else the first thing that was found; the evidence of the check has all of it."""
    if item.known_issue:
        return clipped(item.known_issue, _WIDTH)
    found, more, _rest = item.first["summary"].partition("; ")
    return f"{item.first['volume']}: {clipped(found, _WIDTH)}" + ("; ..." if more else "")


def _names(cells: Iterable[_Cell]) -> list[str]:
    return list(dict.fromkeys(check["check"] for item in cells if item.cell for check in item.cell["checks"]))


def _table(document: Document, cells: Sequence[_Cell]) -> Iterator[str]:
    """In parts, because a browser lays out only those that are in sight, and never one table of thousands of cells."""
    names = _names(cells)
    yield '<section aria-labelledby="checks-title"><h2 id="checks-title">Checks</h2>'
    yield (
        '<p class="hint">One row for each volume; a button opens the evidence. ✓ pass, ✗ fail, '
        "✗ known: a failure that an upstream issue explains, ? inconclusive, – not applicable.</p>"
    )
    yield '<div class="scroll" id="checks" role="group" tabindex="0" aria-labelledby="checks-title">'
    for place in range(len(document["runs"])):
        rows = [(index, item, item.cell) for index, item in enumerate(cells) if item.cell and item.run == place]
        name = f"{_run_name(document, place)}, " if len(document["runs"]) > 1 else ""
        for start in range(0, len(rows), _PART):
            part = rows[start : start + _PART]
            yield from _part(part, names, f"{name}volumes {start + 1} to {start + len(part)} of {len(rows)}")
    yield "</div></section>"


def _part(rows: Sequence[tuple[int, _Cell, Document]], names: Sequence[str], caption: str) -> Iterator[str]:
    yield f'<div class="part"><table><caption>{_escape(caption)}</caption><thead><tr>'
    yield '<th scope="col" class="c-volume">volume</th><th scope="col" class="c-verdict">verdict</th>'
    yield "".join(f'<th scope="col" data-check-column="{_escape(name)}">{_escape(name)}</th>' for name in names)
    yield "</tr></thead><tbody>"
    for index, item, cell in rows:
        yield _row(index, item, cell, names)
    yield "</tbody></table></div>"


def _row(index: int, item: _Cell, cell: Document, names: Sequence[str]) -> str:
    checks = {check["check"]: check for check in cell["checks"]}
    volume = _escape(item.volume)
    columns = [
        f'<tr data-cell="{index}"><th scope="row">{volume}</th>',
        f'<td><button type="button" class="{item.verdict}" data-volume="{index}" aria-label="{volume}: '
        f'{item.verdict}, show its Jobs">{SIGNS[item.verdict]}</button></td>',
    ]
    for name in names:
        check = checks.get(name)
        columns.append(f'<td data-check-column="{_escape(name)}">{_check(index, volume, check)}</td>')
    return "".join(columns) + "</tr>"


def _check(index: int, volume: str, check: Document | None) -> str:
    if check is None or check["verdict"] == "not_applicable":
        return '<span class="not_applicable">– n/a</span>'
    name, verdict = _escape(check["check"]), check["verdict"]
    known = ", a known issue" if check["known_issue"] else ""
    shown = "✗ known" if known else _SHORT[verdict]
    return (
        f'<button type="button" class="{verdict}" data-check="{name}" data-index="{index}" '
        f'aria-label="{name} of {volume}: {verdict}{known}, show the evidence">{shown}</button>'
    )


def _controls(document: Document, cells: Sequence[_Cell]) -> Iterator[str]:
    yield '<div class="tools" role="search" aria-label="Filters">'
    hidden = " hidden" if len(document["runs"]) < 2 else ""
    yield f"<label{hidden}>Run "
    runs = [(str(place), _run_name(document, place)) for place in range(len(document["runs"]))]
    yield _select("run-filter", runs or [("0", "none")]) + "</label>"
    yield '<label>Volume <input id="volume-filter" type="search" placeholder="part of a name"></label>'
    yield (
        "<label>Check " + _select("check-filter", [("", "any"), *((name, name) for name in _names(cells))]) + "</label>"
    )
    verdicts = [("", "any"), *((word, word) for word in ("pass", "fail", "inconclusive", "not_applicable"))]
    yield "<label>Verdict " + _select("verdict-filter", verdicts) + "</label>"
    yield '<span id="count" role="status"></span></div>'


def _select(name: str, options: Iterable[tuple[str, str]]) -> str:
    shown = "".join(f'<option value="{_escape(value)}">{_escape(text)}</option>' for value, text in options)
    return f'<select id="{name}">{shown}</select>'


_NO_TIME = {"since": 0.0, "until": 1.0, "shortened": False}


# --- data -------------------------------------------------------------------------------------------------------------
def _data(document: Document, cells: Sequence[_Cell]) -> Iterator[str]:
    runs = [
        {
            "since": _seconds(run["timeline"]["since"]),
            "until": _seconds(run["timeline"]["until"]),
            "shortened": run["timeline"]["shortened"],
        }
        if run["timeline"]
        else _NO_TIME
        for run in document["runs"]
    ] or [_NO_TIME]
    packed = [_pack(item) for item in cells]
    overview = {
        "runs": runs,
        "cells": [_overview(item, lanes) for item, (lanes, _data) in zip(cells, packed, strict=True)],
    }
    yield f'<script type="application/json" id="overview">{_json(overview)}</script>'
    for index, (_lanes, data) in enumerate(packed):
        content = base64.b64encode(zlib.compress(_json(data).encode("utf-8"), 6)).decode("ascii")
        yield f'<script type="text/plain" id="c{index}">{content}</script>'


def _overview(item: _Cell, lanes: list[list[int]]) -> Document:
    checks = item.cell["checks"] if item.cell is not None else []
    return {
        "run": item.run,
        "volume": xml_text(item.volume),
        "about": xml_text(item.about),
        "verdict": item.verdict,
        "word": SIGNS.get(item.verdict, ""),
        "checks": {xml_text(check["check"]): check["verdict"] for check in checks},
        "lanes": lanes,
    }


def _json(value: t.Any) -> str:
    """JSON that cannot end the element it is in."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _pack(item: _Cell) -> tuple[list[list[int]], Document]:
    """A cell's lanes, each with its height and how many marks had no room, and its data with the excerpts it needs."""
    lanes: list[list[int]] = []
    rows: dict[int, int] = {}
    for place, name in enumerate(LANES):
        own = [number for number, mark in enumerate(item.marks) if mark["lane"] == name]
        if own:
            used, over = _stack(item.marks, own, rows) if name in _STACKED else (1, 0)
            lanes.append([place, used, over])
    kept: dict[int, int] = {}
    marks = _columns([_mark(mark, rows.get(number, 0), kept) for number, mark in enumerate(item.marks)])
    checks = [_packed_check(check, item.pieces, kept) for check in (item.cell["checks"] if item.cell else [])]
    excerpts = [_excerpt(item.excerpts[number]) for number in kept]
    jobs = [_invocation(one) for one in (item.cell["invocations"] if item.cell else [])]
    return lanes, {"marks": marks, "excerpts": excerpts, "checks": checks, "invocations": jobs}


def _stack(marks: list[Document], own: list[int], rows: dict[int, int]) -> tuple[int, int]:
    """Marks that overlap go below each other, up to ``MAX_ROWS``; tells the rows, and how many marks lie on others."""
    ends: list[float] = []
    over = 0
    for number in own:
        start = _seconds(marks[number]["start"])
        end = _seconds(marks[number]["end"]) if marks[number]["end"] is not None else float("inf")
        place = next((row for row, until in enumerate(ends) if until <= start), len(ends))
        if place == len(ends):
            if place < MAX_ROWS:
                ends.append(end)
            else:
                place = min(range(MAX_ROWS), key=lambda row: ends[row])
                over += 1
        ends[place] = max(end, ends[place] if ends[place] != float("inf") else end)
        rows[number] = place
    return max(1, len(ends)), over


def _columns(rows: Sequence[Document]) -> Document:
    """Like beside like, which compresses to two thirds."""
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _mark(mark: Document, row: int, kept: dict[int, int]) -> Document:
    return {
        "l": LANES.index(mark["lane"]),
        "r": row,
        "s": _seconds(mark["start"]),
        "e": _seconds(mark["end"]) if mark["end"] is not None else None,
        "t": _seconds(mark["terminating"]) if mark["terminating"] else None,
        "k": mark["kind"],
        "st": mark["state"],
        "n": xml_text(mark["label"]),
        "x": xml_text(mark["text"]),
        "j": xml_text(mark["job"]),
        "o": mark["only"],
        "v": [kept.setdefault(piece, len(kept)) for piece in mark["evidence"]],
    }


def _packed_check(check: Document, pieces: dict[tuple[str, str], int], kept: dict[int, int]) -> Document:
    evidence = []
    for item in check["evidence"]:
        place = pieces.get((item["what"], item["where"]))
        number = kept.setdefault(place, len(kept)) if place is not None else None
        evidence.append([number, *(xml_text(item[name]) for name in ("what", "where", "text"))])
    shown = {name: xml_text(check[name]) for name in ("check", "verdict", "summary", "advice", "known_issue")}
    return {**shown, "evidence": evidence}


def _excerpt(piece: Document) -> Document:
    lines = [_excerpt_line(line) for line in piece["lines"]]
    return {"what": xml_text(piece["what"]), "where": xml_text(piece["where"]), "lines": lines}


def _excerpt_line(line: Document) -> list[t.Any]:
    """Escapes make text longer, so the match is found again by its parts."""
    text, match = line["text"], line["match"]
    if match is None:
        return [line["number"], xml_text(text), None]
    before, hit, after = (xml_text(text[a:b]) for a, b in ((0, match[0]), (match[0], match[1]), (match[1], None)))
    return [line["number"], before + hit + after, [len(before), len(before) + len(hit)]]


def _invocation(item: Document) -> str:
    made = [
        f"{len(item[name])} {name}" + (f" ({', '.join(item[name])})" if item[name] else "")
        for name in ("snapshots", "backups")
    ]
    when = "by hand" if item["by_hand"] else f"tick {_readable(item['tick'])}"
    words = [f"{item['job']}: {item['state']}", when, f"{item['attempts']} attempts", *made, item["cut"]]
    return xml_text(", ".join(word for word in words if word))
