# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of everything that talks to a cluster: one tree, so that a module catches one name.

An error is built from what a reader needs to act: which object, what was expected, what was seen, for how long, and
what to do next. The pure packages have errors of their own; ``_module`` translates them.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(eq=False)
class LonghornQAError(Exception):
    """Something a person has to know about; ``str()`` of it is the whole message."""

    problem: str  # one clause, starts in lower case unless a name stands first
    subject: str = ""  # "Volume longhorn-system/test-1"
    expected: str = ""
    seen: str = ""
    after: float | None = None  # seconds it was waited for
    advice: str = ""  # what to do next, a sentence
    evidence: Mapping[str, t.Any] = field(default_factory=dict)  # more keys for the module's result

    word: t.ClassVar[str] = "error"  # stable name of the class of errors, for playbooks

    def __str__(self) -> str:
        head = f"{self.subject}: {self.problem}" if self.subject else self.problem
        details = [
            f"expected {self.expected}" if self.expected else "",
            f"seen {self.seen}" if self.seen else "",
            f"waited {self.after:.0f} s" if self.after is not None else "",
        ]
        told = "; ".join([head, *(detail for detail in details if detail)]).removesuffix(".")
        return f"{told}. {self.advice}" if self.advice else f"{told}."


class NotFound(LonghornQAError):
    """The object does not exist, and nobody was asked to make it."""

    word = "not_found"


class Conflict(LonghornQAError):
    """Somebody else owns or changed the object."""

    word = "conflict"


class WaitTimeout(LonghornQAError):
    """The state did not come in time; it might still come."""

    word = "timeout"


class TerminalState(LonghornQAError):
    """The state cannot come any more: waiting longer is useless."""

    word = "terminal_state"


class Refused(LonghornQAError):
    """We refuse to do it, or the API refused the content of a request."""

    word = "refused"


class BadInput(LonghornQAError):
    """An option that cannot mean anything; found before anything was changed."""

    word = "bad_input"


class NotAsExpected(LonghornQAError):
    """What an assertion looked at is all there, and it is not what was asserted."""

    word = "not_as_expected"


class Inconclusive(LonghornQAError):
    """An assertion cannot be decided: a part of what it has to look at is not there."""

    word = "inconclusive"


class MissingLibrary(LonghornQAError):
    """A Python library that this operation needs is not installed."""

    word = "missing_library"


@dataclass(eq=False)
class ApiFailure(LonghornQAError):
    """A request that failed for a reason that is not ours: server errors, throttling, unreadable answers."""

    status: int = 0  # HTTP status, 0: no answer
    retry_after: float | None = None  # what the server asked for, in seconds

    word: t.ClassVar[str] = "api_failure"


@dataclass(eq=False)
class Unreachable(ApiFailure):
    """No answer: nobody listens, the name does not resolve, TLS failed, the connection broke."""

    broke: bool = False  # there was a connection, perhaps one that had been kept for too long

    word: t.ClassVar[str] = "unreachable"


@dataclass(eq=False)
class Unauthorized(ApiFailure):
    """The credentials are missing, expired or of another cluster."""

    word: t.ClassVar[str] = "unauthorized"


@dataclass(eq=False)
class Forbidden(ApiFailure):
    """The credentials are known but lack a permission."""

    verb: str = ""
    resource: str = ""

    word: t.ClassVar[str] = "forbidden"

    def lacking(self, verb: str, resource: str) -> str:
        """What is missing, in a clause; this verb and resource where the server did not name them."""
        return f"verb {self.verb or verb} on {self.resource or resource} is not granted"


@dataclass(eq=False)
class Expired(ApiFailure):
    """410: the resourceVersion is too old; what happened since can only be listed anew."""

    word: t.ClassVar[str] = "expired"
