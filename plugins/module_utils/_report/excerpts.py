# SPDX-License-Identifier: GPL-3.0-or-later
"""What a piece of evidence points at, cut out for a reader: the part of the object, the log's lines around the hit.

A report goes to people who do not have the history. So what a mark or a check rests on is carried along, each piece
once, and short: long lines are cut around the match, and objects are shown without what never matters here.
"""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._history.logfmt import Line, quote
from ansible_collections.longhorn.qa.plugins.module_utils._history.objects import mapping
from ansible_collections.longhorn.qa.plugins.module_utils._judge.index import Index, LogFile, evidence_path
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import Evidence

AROUND = 3  # lines before and after a hit
MAX_LINES = 40
MAX_WIDTH = 400  # characters of one line

_LINE = re.compile(r"line (\d+)")
_VERSION = re.compile(r"resourceVersion (\d+)")
_RECORD = re.compile(r"record (\d+)")
_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "finalizers")
_PARTS: Mapping[str, tuple[str, ...]] = {
    "jobs": ("status",),
    "cronjobs": ("spec.schedule", "spec.suspend", "spec.concurrencyPolicy", "status"),
    "pods": ("status.phase", "status.reason", "status.message", "status.containerStatuses"),
    "events": (
        "type", "reason", "message", "note", "count", "firstTimestamp", "lastTimestamp", "involvedObject", "regarding",
    ),
    "snapshots": ("spec", "status"),
    "backups": ("spec", "status"),
    "volumes": ("spec.engineImage", "status.state", "status.robustness", "status.conditions"),
}  # fmt: skip

Piece = dict[str, t.Any]


class Excerpts:
    """All pieces of one run; the same evidence is kept once."""

    def __init__(self, facts: Index) -> None:
        self.pieces: list[Piece] = []
        self._numbers: dict[Evidence, int] = {}
        self._logs = {evidence_path(log): log for log in _all_logs(facts)}
        self._objects, self._stores = _by_place(facts.history.records)

    def add(self, evidence: Evidence) -> int:
        """The piece's number, from 0."""
        number = self._numbers.get(evidence)
        if number is None:
            number = self._numbers[evidence] = len(self.pieces)
            kind, lines = self._cut(evidence)
            self.pieces.append({"what": evidence.what, "where": evidence.where, "kind": kind, "lines": lines})
        return number

    def all(self, evidence: Iterable[Evidence], limit: int = MAX_LINES) -> list[int]:
        """Several pieces' numbers, each once."""
        found = dict.fromkeys(evidence)
        return [self.add(item) for item in list(found)[:limit]]

    def plain(self, what: str, where: str, document: t.Any) -> int:
        """A piece that is no object of the API: shown as it was recorded."""
        self.pieces.append({"what": what, "where": where, "kind": "record", "lines": _json_lines(document, "")})
        return len(self.pieces) - 1

    def _cut(self, evidence: Evidence) -> tuple[str, list[Piece]]:
        log = self._logs.get(evidence.what)
        if log is not None:
            return "log", _log_lines(log, evidence)
        version = _VERSION.fullmatch(evidence.where)
        if version is not None:
            document = self._objects.get((evidence.what, version.group(1)))
            if document is not None:
                kind = evidence.what.partition("/")[0]
                return "object", _json_lines(_trimmed(kind, document, evidence.text), evidence.text)
        record = _RECORD.fullmatch(evidence.where)
        if record is not None and int(record.group(1)) in self._stores:
            return "store", _store_lines(self._stores[int(record.group(1))], evidence.text)
        return "text", [_line(None, evidence.text, evidence.text)] if evidence.text else []


def _all_logs(facts: Index) -> list[LogFile]:
    return [*facts.logs.values(), *facts.manager_logs, *facts.engine_logs]


def _by_place(
    records: Iterable[model.Record],
) -> tuple[dict[tuple[str, str], model.JsonObject], dict[int, model.Store]]:
    objects: dict[tuple[str, str], model.JsonObject] = {}
    stores: dict[int, model.Store] = {}
    for record in records:
        if isinstance(record, model.ObjectSeen):
            metadata = mapping(record.object, "metadata")
            name, version = metadata.get("name"), metadata.get("resourceVersion")
            objects[(f"{record.kind}/{name}", str(version))] = record.object
        elif isinstance(record, model.Store):
            stores[record.number] = record
    return objects, stores


def _log_lines(log: LogFile, evidence: Evidence) -> list[Piece]:
    match = _LINE.fullmatch(evidence.where)
    if match is None:  # a log that was looked through: its end tells most
        return [_line(line.number, line.text) for line in log.lines[-2 * AROUND :]]
    place = int(match.group(1))
    around = log.lines[max(0, place - 1 - AROUND) : place + AROUND]
    return [
        _line(line.number, line.text, _match_in(line, evidence.text)) if line.number == place
        else _line(line.number, line.text)
        for line in around
    ]  # fmt: skip


def _match_in(line: Line, text: str) -> str:
    """The evidence's words as the log's line has them, which may be quoted there; else the whole line."""
    if text and line.message.startswith(text):
        text = line.message  # evidence keeps the beginning of a long message
    for words in (text, line.message):
        if words and words in line.text:
            return words
        if words and (quoted := quote(words)[1:-1]) in line.text:
            return quoted
    return line.text


def _store_lines(store: model.Store, key: str) -> list[Piece]:
    keys = sorted(backup.key for backup in store.backups)
    place = keys.index(key) if key in keys else 0
    shown = keys[max(0, place - AROUND) : place + AROUND + 1]
    head = _line(None, f"{store.target}: {len(keys)} backups" + (f"; error: {store.error}" if store.error else ""))
    return [head, *(_line(None, item, key if item == key else "") for item in shown)]


def _trimmed(kind: str, document: model.JsonObject, text: str) -> Piece:
    metadata = mapping(document, "metadata")
    shown: Piece = {
        "kind": document.get("kind", kind),
        "metadata": {name: metadata[name] for name in _META if name in metadata},
    }
    if kind == "engines":
        return {**shown, **_engine_parts(document, text)}
    for path in _PARTS.get(kind, ("status",)):
        outer, _dot, inner = path.partition(".")
        part = mapping(document, outer).get(inner) if inner else document.get(outer)
        if part is not None:
            shown[path] = part
    return shown


def _engine_parts(document: model.JsonObject, text: str) -> Piece:
    """Only what the evidence is about; an engine's status tells of everything it has."""
    status = mapping(document, "status")
    found: Piece = {"status.currentImage": status.get("currentImage", "")}
    for part in ("snapshots", "backupStatus"):
        for name, entry in mapping(status, part).items():
            if name in text.split():
                found[f"status.{part}.{name}"] = entry
    return found


def _json_lines(document: t.Any, text: str) -> list[Piece]:
    lines = json.dumps(document, indent=2, ensure_ascii=False, default=str).split("\n")
    words = [word for word in text.split() if len(word) > 7]
    shown = [_line(None, line, next((word for word in words if word in line), "")) for line in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        shown.append(_line(None, f"... {len(lines) - MAX_LINES} more lines"))
    return shown


def _line(number: int | None, text: str, match: str = "") -> Piece:
    """One line, cut around the match; ``match`` tells from where to where it is in the shown text."""
    start = text.find(match) if match else -1
    if len(text) > MAX_WIDTH:
        first = max(0, min(start, len(text) - MAX_WIDTH)) if start > MAX_WIDTH // 2 else 0
        cut = text[first : first + MAX_WIDTH]
        lead = "... " if first else ""
        tail = f" ... ({len(text)} characters)"
        stop = min(start - first + len(match), len(cut))
        span = [start - first + len(lead), stop + len(lead)] if start >= 0 else None
        return {"number": number, "text": lead + cut + tail, "match": span}
    return {"number": number, "text": text, "match": [start, start + len(match)] if start >= 0 else None}
