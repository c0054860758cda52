# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions over API objects in JMESPath; the only file that imports its library.

An expression that can never mean anything is a mistake in an option. One that merely does not fit an object as it is
now, say a length of something that is not there yet, does not hold, and says why.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, MissingLibrary

try:
    import jmespath
    import jmespath.exceptions

    IMPORT_ERROR: ImportError | None = None
except ImportError as _error:
    IMPORT_ERROR = _error


@dataclass(frozen=True)
class Outcome:
    """What an expression gives for one object."""

    holds: bool
    value: t.Any
    problem: str = ""  # why the expression does not fit this object


@dataclass(frozen=True)
class Condition:
    """A compiled expression."""

    text: str
    option: str  # the option it comes from, for messages
    _compiled: t.Any

    @classmethod
    def of(cls, text: str, *, option: str) -> Condition:
        """Compiles it; BadInput when it is no expression."""
        if IMPORT_ERROR is not None:
            raise MissingLibrary(
                "the Python library jmespath cannot be imported",
                advice="Install it where the module runs: pip install 'jmespath>=1'.",
            ) from IMPORT_ERROR
        try:
            condition = cls(text, option, jmespath.compile(text))
        except jmespath.exceptions.JMESPathError as error:
            raise _no_expression(option, text, error) from error
        condition.of_object({})  # functions that do not exist are only found when called
        return condition

    def of_object(self, document: Mapping[str, t.Any]) -> Outcome:
        """Whether it holds for this object: as in JMESPath, null, false and everything empty are not true."""
        try:
            value = self._compiled.search(document)
        except (jmespath.exceptions.JMESPathTypeError, TypeError) as error:  # the library itself compares 1 with "a"
            return Outcome(holds=False, value=None, problem=_one_line(error))
        except jmespath.exceptions.JMESPathError as error:
            raise _no_expression(self.option, self.text, error) from error
        return Outcome(holds=bool(value) or _is_number(value), value=value)


def _is_number(value: t.Any) -> bool:
    """Every number is true in JMESPath, 0 as well, unlike in Python."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _no_expression(option: str, text: str, error: Exception) -> BadInput:
    return BadInput(
        f"not a JMESPath expression: {_one_line(error)}", subject=f"option {option}", seen=text,
        advice="Literals are written in backquotes or, for strings, in single quotes: status.state == 'attached'.",
    )  # fmt: skip


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
