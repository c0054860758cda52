# SPDX-License-Identifier: GPL-3.0-or-later
"""One record, one line of JSON: encoding and decoding, without files.

Every line is an object with ``record`` (which kind), ``number`` and ``at``, and the fields of that kind's dataclass in
``model``. Unknown fields are refused, so that a newer schema is never half understood.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing as t
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._history.times import format_time, parse_time

_KINDS: dict[str, type[t.Any]] = {
    "start": model.Start,
    "object": model.ObjectSeen,
    "list": model.ListDone,
    "log": model.Log,
    "store": model.Store,
    "gap": model.Gap,
    "clock": model.Clock,
    "note": model.Note,
    "end": model.End,
}
_Shape = tuple[dict[str, t.Any], dict[str, "dataclasses.Field[t.Any]"]]
_SHAPES: dict[type[t.Any], _Shape] = {}
_NAMES = {cls: name for name, cls in _KINDS.items()}


class RecordError(ValueError):
    """A line that is not a record of this schema; the message says what was expected and what was found."""


def encode(record: model.Record) -> str:
    """One line of JSON, without the newline."""
    document = {"record": _NAMES[type(record)], **_plain(record)}
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


def decode(line: str | bytes) -> model.Record:
    """The record a line holds, or RecordError."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise RecordError(f"expected a JSON object, found {type(document).__name__}")
    name = document.pop("record", None)
    if name not in _KINDS:
        raise RecordError(f'expected one of {", ".join(_KINDS)} as "record", found {name!r}')
    return t.cast(model.Record, _build(_KINDS[name], document, where=str(name)))


def cell_from(document: Mapping[str, t.Any]) -> model.Cell:
    """A cell as a user or a role states it (the fields of ``model.Cell``), or RecordError."""
    return t.cast(model.Cell, _build(model.Cell, dict(document), where="cell"))


def plain(value: t.Any) -> t.Any:
    """A model object as JSON-ready dicts and lists; None and empty defaults are kept."""
    return _value(value)


def decode_all(lines: Iterable[bytes]) -> Iterator[model.Record | RecordError]:
    """Each line's record, or what is wrong with the line; the caller decides what a damaged line means."""
    for line in lines:
        try:
            yield decode(line)
        except RecordError as error:
            yield error


def _plain(record: t.Any) -> dict[str, t.Any]:
    return {item.name: _value(getattr(record, item.name)) for item in dataclasses.fields(record)}


def _value(value: t.Any) -> t.Any:
    if dataclasses.is_dataclass(value):
        return _plain(value)
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, tuple | list):
        return [_value(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _value(item) for key, item in value.items()}
    return value


def _build(cls: type[t.Any], document: dict[str, t.Any], *, where: str) -> t.Any:
    hints, fields = _shape(cls)
    unknown = sorted(set(document) - set(fields))
    if unknown:
        raise RecordError(f"{where}: unknown field {unknown[0]!r}; known are {', '.join(fields)}")
    missing = [name for name, item in fields.items() if name not in document and _required(item)]
    if missing:
        raise RecordError(f"{where}: field {missing[0]!r} is missing")
    values = {name: _parse(hints[name], value, where=f"{where}.{name}") for name, value in document.items()}
    return cls(**values)


def _shape(cls: type[t.Any]) -> _Shape:
    """A history has a line for each record, and few kinds of them: so each is looked at once."""
    if cls not in _SHAPES:
        _SHAPES[cls] = t.get_type_hints(cls), {item.name: item for item in dataclasses.fields(cls)}
    return _SHAPES[cls]


def _required(item: dataclasses.Field[t.Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _parse(hint: t.Any, value: t.Any, *, where: str) -> t.Any:
    origin, arguments = t.get_origin(hint), t.get_args(hint)
    if origin in (types.UnionType, t.Union):
        if value is None and type(None) in arguments:
            return None
        return _parse(next(item for item in arguments if item is not type(None)), value, where=where)
    if origin is t.Literal:
        return _expect(value in arguments, value, where, "one of " + ", ".join(map(str, arguments)))
    if origin is tuple:
        _expect(isinstance(value, list | tuple), value, where, "a list")
        return tuple(_parse(arguments[0], item, where=f"{where}[{i}]") for i, item in enumerate(value))
    if origin is not None:  # Mapping[...]
        return _expect(isinstance(value, Mapping), value, where, "an object")
    if dataclasses.is_dataclass(hint):
        _expect(isinstance(value, Mapping), value, where, "an object")
        return _build(t.cast(type[t.Any], hint), dict(value), where=where)
    if hint is datetime:
        return _time(value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return _expect(
        isinstance(value, hint) and (hint is bool or not isinstance(value, bool)), value, where, hint.__name__
    )


def _time(value: t.Any, where: str) -> datetime:
    moment = parse_time(value) if isinstance(value, str) else None
    if moment is None:
        raise RecordError(f"{where}: expected an RFC 3339 time, found {value!r}")
    return moment


def _expect(right: bool, value: t.Any, where: str, expected: str) -> t.Any:
    if not right:
        raise RecordError(f"{where}: expected {expected}, found {value!r}")
    return value
