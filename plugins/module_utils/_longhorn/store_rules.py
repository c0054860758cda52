# SPDX-License-Identifier: GPL-3.0-or-later
"""What the proxy in front of a backup store is to refuse, as ``roles/backup_store/files/store_proxy.py`` reads it."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import asdict, dataclass

SERVICE_SUFFIX = "-proxy"
BACKUPS = "backups/"  # and not the locks: one that stays would hold up the next backup
PORT = 9001  # where the rules are read and set; the store's own port is 9000


@dataclass(frozen=True)
class Rule:
    """Requests that match are answered with ``status``, or only late with ``status`` 0."""

    verb: str = "DELETE"  # regular expression on the whole verb
    key: str = ""  # regular expression, found anywhere in the path of bucket and key
    status: int = 403
    latency: float = 0.0  # seconds before the answer
    times: int = 0  # how often; 0: always
    hits: int = 0  # how often it has matched: what the proxy tells, and what it forgets when rules are set

    @classmethod
    def from_answer(cls, document: Mapping[str, t.Any]) -> Rule:
        """One of the proxy's own."""
        return cls(**{name: document[name] for name in cls.__dataclass_fields__ if name in document})


def of_volume(volume: str, key: str = BACKUPS, **more: t.Any) -> Rule:
    """Requests about a volume whose key, below the volume's folder, begins with this regular expression."""
    return Rule(key=f"{_folder(volume)}(?:{key})", **more)


def is_of(rule: Rule, volume: str) -> bool:
    """Whether a rule is about this volume, whatever of it."""
    return rule.key.startswith(_folder(volume))


def _folder(volume: str) -> str:
    return f"/backupstore/volumes/[0-9a-f]{{2}}/[0-9a-f]{{2}}/{re.escape(volume)}/"


def document(rules: tuple[Rule, ...]) -> dict[str, t.Any]:
    """What is sent to the proxy."""
    return {"rules": [asdict(rule) for rule in rules]}


def parse(answer: Mapping[str, t.Any]) -> tuple[Rule, ...]:
    """What the proxy answers."""
    return tuple(Rule.from_answer(rule) for rule in answer.get("rules") or ())
