# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines as Longhorn's programs write them (the logrus text form), so that readers are tested on the true grammar."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import inspect
import sys
import threading
import typing as t

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/@^+")
_ESCAPES = {
    "\\": "\\\\",
    '"': '\\"',
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\v": "\\v",
}
_WRITING = threading.Lock()


def now() -> dt.datetime:
    """The lab's only clock: aware UTC."""
    return dt.datetime.now(dt.timezone.utc)


def stamp(moment: dt.datetime) -> str:
    """RFC 3339 in whole seconds, the form of everything Longhorn 1.0 prints and stores."""
    return moment.astimezone(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def quote(text: str) -> str:
    """A Go-quoted string."""
    return '"' + "".join(_escape(char) for char in text) + '"'


def _escape(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def value(text: str) -> str:
    """A field's value: quoted unless it is made of harmless characters only; nothing at all is not quoted."""
    return text if set(text) <= _BARE else quote(text)


@dataclasses.dataclass(frozen=True)
class Caller:
    """Who logs a line: a function as Go names it, and its file."""

    function: str
    file: str


@dataclasses.dataclass(frozen=True)
class Style:
    """What the lines of a release's programs have beside level and message."""

    callers: bool = False
    nanoseconds: bool = False

    def stamp(self, moment: dt.datetime) -> str:
        """The time. The lab's clock counts microseconds; the digits below are made up, because readers meet nine."""
        if not self.nanoseconds:
            return stamp(moment)
        utc = moment.astimezone(dt.timezone.utc)
        fraction = f"{utc.microsecond:06d}{utc.microsecond * 7919 % 1000:03d}".rstrip("0")
        return utc.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}Z" if fraction else "Z")


PLAIN: t.Final = Style()
_CALLERS_SINCE: t.Final = (1, 4, 4)
_NO_CALLERS: t.Final = (1, 5, 0)
_NANOSECONDS_SINCE: t.Final = (1, 10, 0)


def style_of(number: tuple[int, int, int]) -> Style:
    """The style of a release, by its number."""
    callers = number >= _CALLERS_SINCE and number != _NO_CALLERS
    return Style(callers=callers, nanoseconds=number >= _NANOSECONDS_SINCE)


def line(
    level: str,
    message: str,
    moment: dt.datetime,
    *,
    style: Style = PLAIN,
    caller: Caller | None = None,
    fields: t.Mapping[str, object] | None = None,
) -> str:
    """One line without its end: time, level, message, who logs it, then the fields in the order of their names."""
    parts: list[tuple[str, object]] = [("time", style.stamp(moment)), ("level", level)]
    if message:
        parts.append(("msg", message))
    if style.callers and caller is not None:
        parts += [("func", caller.function), ("file", caller.file)]
    parts += sorted((fields or {}).items())
    return " ".join(f"{key}={quote(text) if key == 'time' else value(text)}" for key, text in _printed(parts))


def _printed(parts: t.Iterable[tuple[str, object]]) -> t.Iterator[tuple[str, str]]:
    for key, found in parts:
        if isinstance(found, bool):
            yield key, str(found).lower()
        elif isinstance(found, t.Mapping):
            yield key, go_map(found)
        else:
            yield key, str(found)


def go_map(items: t.Mapping[str, object]) -> str:
    """A map of strings as Go prints it: keys sorted."""
    return "map[" + " ".join(f"{key}:{items[key]}" for key in sorted(items)) + "]"


def go(value: object) -> str:
    """A value as Go prints it inside a structure."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, t.Mapping):
        return go_map(value)
    if value is None or isinstance(value, (list, tuple)):
        return "[" + " ".join(map(go, value or ())) + "]"
    return str(value)


class Log:
    """Writes lines to one stream; safe for threads, flushed per line because followers read along."""

    def __init__(
        self,
        stream: t.TextIO | None = None,
        clock: t.Callable[[], dt.datetime] = now,
        *,
        style: Style = PLAIN,
        fields: t.Mapping[str, object] | None = None,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._style = style
        self._fields = dict(fields or {})

    def having(self, **fields: object) -> Log:
        """The same log with more fields in every line."""
        more = copy.copy(self)
        more._fields = {**self._fields, **fields}
        return more

    def write(self, text: str) -> None:
        with _WRITING:
            stream = self._stream or sys.stderr
            stream.write(text + "\n")
            stream.flush()

    def say(self, level: str, message: str, caller: Caller | None = None) -> None:
        """Write a line. Without another word the caller is the lab's own function, which is the truth."""
        if self._style.callers and caller is None:
            caller = _own_caller()
        text = line(level, message, self._clock(), style=self._style, caller=caller, fields=self._fields)
        self.write(text)

    def debug(self, message: str) -> None:
        self.say("debug", message)

    def info(self, message: str) -> None:
        self.say("info", message)

    def warning(self, message: str) -> None:
        self.say("warning", message)

    def error(self, message: str) -> None:
        self.say("error", message)

    def fatal(self, message: str) -> None:
        self.say("fatal", message)


def _own_caller() -> Caller:
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    if frame is None:
        return Caller("lab", "lab.py:0")
    code = frame.f_code
    return Caller(f"lab.{code.co_qualname}", f"{code.co_filename.rpartition('/')[2]}:{frame.f_lineno}")
