# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's schema (JSON Schema, 2020-12), as a module so that it travels with the code that needs it."""

from __future__ import annotations

import typing as t

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import FaultType, Task

Schema = dict[str, t.Any]

_TEXT: Schema = {"type": "string"}
_NAMES: Schema = {"type": "array", "items": _TEXT}
_FAULTS: Schema = {"type": "array", "items": {"enum": ["snapshot-delete", "backup-delete"]}}
_RUN_VERDICT: Schema = {"enum": ["pass", "fail", "inconclusive", "broken"]}


def _object(properties: Schema) -> Schema:
    """All properties required, none besides: a reader may rely on both."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


_EVIDENCE = _object({"what": _TEXT, "where": _TEXT, "text": _TEXT})
_CHECK = _object(
    {
        "check": _TEXT,
        "volume": _TEXT,
        "verdict": {"enum": ["pass", "fail", "inconclusive", "not_applicable"]},
        "summary": _TEXT,
        "evidence": {"type": "array", "items": _EVIDENCE},
        "advice": _TEXT,
        "known_issue": _TEXT,
    }
)
_INVOCATION = _object(
    {
        "job": _TEXT,
        "tick": _TEXT,
        "by_hand": {"type": "boolean"},
        "judged": {"type": "boolean"},
        "cut": _TEXT,
        "state": {"enum": ["Complete", "Failed", "not over"]},
        "attempts": {"type": "integer", "minimum": 0},
        "snapshots": _NAMES,
        "backups": _NAMES,
    }
)
_CELL = _object(
    {
        "volume": _TEXT,
        "task": {"enum": list(t.get_args(Task))},
        "job": _TEXT,
        "cronjob": _TEXT,
        "cron": _TEXT,
        "retain": {"type": "integer", "minimum": 0},
        "engine_image": _TEXT,
        "faults": {"anyOf": [{"type": "null"}, _FAULTS]},
        "fault_type": {"enum": list(t.get_args(FaultType))},
        "verdict": _RUN_VERDICT,
        "contract": _TEXT,
        "invocations": {"type": "array", "items": _INVOCATION},
        "checks": {"type": "array", "items": _CHECK},
    }
)
_INDEX: Schema = {"type": "integer", "minimum": 0}
_MARK = _object(
    {
        "lane": {
            "enum": ["schedule", "jobs", "pods", "snapshots", "backups", "faults", "logs", "events", "recorder"],
        },
        "kind": _TEXT,
        "state": {"enum": ["ok", "bad", "unknown", "info"]},
        "label": _TEXT,
        "text": _TEXT,
        "job": _TEXT,
        "start": _TEXT,
        "end": {"anyOf": [{"type": "null"}, _TEXT]},
        "terminating": _TEXT,
        "only": {"enum": ["", "store", "api"]},
        "evidence": {"type": "array", "items": _INDEX},
    }
)
_EXCERPT_LINE = _object(
    {
        "number": {"anyOf": [{"type": "null"}, _INDEX]},
        "text": _TEXT,
        "match": {"anyOf": [{"type": "null"}, {"type": "array", "items": _INDEX}]},
    }
)
_TIMELINE = _object(
    {
        "schema": {"enum": ["longhorn.qa/timeline/1"]},
        "since": _TEXT,
        "until": _TEXT,
        "shortened": {"type": "boolean"},
        "gaps": {"type": "array", "items": _MARK},
        "cells": {
            "type": "array",
            "items": _object({"volume": _TEXT, "note": _TEXT, "marks": {"type": "array", "items": _MARK}}),
        },
        "excerpts": {
            "type": "array",
            "items": _object(
                {
                    "what": _TEXT,
                    "where": _TEXT,
                    "kind": {"enum": ["log", "object", "store", "record", "text"]},
                    "lines": {"type": "array", "items": _EXCERPT_LINE},
                }
            ),
        },
    }
)
_CHANGE = _object(
    {
        "cell": _TEXT,
        "what": _TEXT,
        "before": _TEXT,
        "after": _TEXT,
        "direction": {"enum": ["better", "worse", "other"]},
    }
)
_RUN = _object(
    {
        "history": _TEXT,
        "origin": {"enum": ["recorder", "dump"]},
        "release": _TEXT,
        "namespace": _TEXT,
        "run_id": _TEXT,
        "default_engine_faults": _FAULTS,
        "verdict": _RUN_VERDICT,
        "reason": _TEXT,
        "cells": {"type": "array", "items": _CELL},
        "timeline": {"anyOf": [{"type": "null"}, _TIMELINE]},
    }
)
SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "longhorn.qa/report/1",
    **_object(
        {
            "schema": {"enum": ["longhorn.qa/report/1"]},
            "generated": _TEXT,
            "verdict": _RUN_VERDICT,
            "runs": {"type": "array", "items": _RUN},
            "changes": {"anyOf": [{"type": "null"}, {"type": "array", "items": _CHANGE}]},
        }
    ),
}

_TYPES: dict[str, tuple[type[t.Any], ...]] = {
    "string": (str,),
    "array": (list,),
    "object": (dict,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
}


def problems(value: t.Any, schema: Schema = SCHEMA, *, where: str = "report") -> list[str]:
    """What in a document is not as the schema says, for the words of JSON Schema that this schema uses."""
    if "anyOf" in schema:
        options = [problems(value, option, where=where) for option in schema["anyOf"]]
        return [] if any(not found for found in options) else options[-1]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{where}: expected one of {schema['enum']}, found {value!r}"]
    kind: str = schema["type"]
    wrong = type(value) not in _TYPES[kind]
    if wrong:
        return [f"{where}: expected {kind}, found {type(value).__name__}"]
    if kind == "integer" and value < schema.get("minimum", value):
        return [f"{where}: expected at least {schema['minimum']}, found {value}"]
    if kind == "array":
        return _array_problems(value, schema, where)
    return _object_problems(value, schema, where) if kind == "object" else []


def _array_problems(value: list[t.Any], schema: Schema, where: str) -> list[str]:
    found: list[str] = []
    for place, item in enumerate(value):
        found += problems(item, schema["items"], where=f"{where}[{place}]")
    return found


def _object_problems(value: dict[str, t.Any], schema: Schema, where: str) -> list[str]:
    properties = schema["properties"]
    found = [f"{where}: {name!r} is missing" for name in schema["required"] if name not in value]
    found += [f"{where}: {name!r} is not known" for name in value if name not in properties]
    for name, part in properties.items():
        if name in value:
            found += problems(value[name], part, where=f"{where}.{name}")
    return found
