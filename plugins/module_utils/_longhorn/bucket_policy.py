# SPDX-License-Identifier: GPL-3.0-or-later
"""The statement of a bucket's policy with which the store itself refuses to delete the backups of some volumes.

It stands beside whatever the bucket's owner states, and goes without a trace. Only ``backups/`` is refused: a lock that
stays would hold up the next backup. Probes, with whose deletion the refusal is proved, lie in a folder of ours that has
the same folders below it as the backups, so that one and the same pattern is about both, and Longhorn sees no probe.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

Policy = dict[str, t.Any]
ACTIONS = ("s3:DeleteObject", "s3:DeleteObjectVersion")
_VERSION = "2012-10-17"


def mark(run_id: str) -> str:
    """The statement's name, and that of the probes' folder: letters and digits only, as names of statements are."""
    return "LonghornQa" + run_id.replace("-", "X")


def probe_key(path: str, mark: str, folder: str) -> str:
    """Where the probe lies for a volume's folder, which is that below the backup target's path."""
    return f"{_below(path)}{mark}/{folder}backups/probe"


def probes(path: str, mark: str) -> str:
    """What the keys of all probes begin with."""
    return f"{_below(path)}{mark}/"


def statement(mark: str, *, bucket: str, path: str, folders: Iterable[str]) -> Policy:
    """Nobody deletes these volumes' backups. The star before a folder is nothing for a backup, and ours for a probe."""
    return {
        "Sid": mark,
        "Effect": "Deny",
        "Principal": "*",
        "Action": list(ACTIONS),
        "Resource": [f"arn:aws:s3:::{bucket}/{_below(path)}*{folder}backups/*" for folder in folders],
    }


def named(policy: Mapping[str, t.Any], mark: str) -> Policy | None:
    """Our statement, if it is there."""
    return next((one for one in _statements(policy) if one.get("Sid") == mark), None)


def with_statement(policy: Mapping[str, t.Any], wanted: Policy) -> Policy:
    """The policy with ours, instead of one of the same name; all else as it is."""
    others = [one for one in _statements(policy) if one.get("Sid") != wanted["Sid"]]
    return {"Version": _VERSION, **policy, "Statement": [*others, wanted]}


def without(policy: Mapping[str, t.Any], mark: str) -> Policy:
    """The policy without ours; empty when nobody else states anything."""
    others = [one for one in _statements(policy) if one.get("Sid") != mark]
    return {**policy, "Statement": others} if others else {}


def _statements(policy: Mapping[str, t.Any]) -> list[Policy]:
    """A single one may stand there without a list."""
    found = policy.get("Statement") or []
    return list(found) if isinstance(found, list) else [found]


def _below(path: str) -> str:
    return f"{path.strip('/')}/" if path.strip("/") else ""
