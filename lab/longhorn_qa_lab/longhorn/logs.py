# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines as Longhorn's programs write them (the logrus text form), so that readers are tested on the true grammar."""

from __future__ import annotations

import datetime as dt
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
    """A field's value: quoted unless it is made of harmless characters only."""
    return text if text and set(text) <= _BARE else quote(text)


def line(level: str, message: str, moment: dt.datetime) -> str:
    """One line without its end."""
    return f"time={quote(stamp(moment))} level={level} msg={value(message)}"


def go_map(items: t.Mapping[str, str]) -> str:
    """A map of strings as Go prints it: keys sorted."""
    return "map[" + " ".join(f"{key}:{items[key]}" for key in sorted(items)) + "]"


class Log:
    """Writes lines to one stream; safe for threads, flushed per line because followers read along."""

    def __init__(self, stream: t.TextIO | None = None, clock: t.Callable[[], dt.datetime] = now) -> None:
        self._stream = stream
        self._clock = clock

    def write(self, text: str) -> None:
        with _WRITING:
            stream = self._stream or sys.stderr
            stream.write(text + "\n")
            stream.flush()

    def _say(self, level: str, message: str) -> None:
        self.write(line(level, message, self._clock()))

    def debug(self, message: str) -> None:
        self._say("debug", message)

    def info(self, message: str) -> None:
        self._say("info", message)

    def warning(self, message: str) -> None:
        self._say("warning", message)

    def error(self, message: str) -> None:
        self._say("error", message)

    def fatal(self, message: str) -> None:
        self._say("fatal", message)
