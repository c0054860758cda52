# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods' log files of a dump: whose they are, which attempt's, and whether they hold what their name says.

Collecting logs goes wrong in quiet ways: the file holds only the tool's error, or the text of another attempt, or the
runtime's raw format. Each is found out here, where all files and the pods' own start times are at hand.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from ansible_collections.longhorn.qa.plugins.module_utils._history import logtext, objects
from ansible_collections.longhorn.qa.plugins.module_utils._history.logfmt import read_lines

_POD = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
_NAMES = (
    re.compile(rf"(?P<pod>{_POD})\.r(?P<attempt>\d{{1,4}})\.log"),
    re.compile(rf"(?P<pod>{_POD})\.(?P<attempt>\d{{1,4}})\.log"),
    re.compile(rf"_(?P<pod>{_POD})_(?P<container>[-a-z0-9]+)\.log"),
    re.compile(rf"(?P<pod>{_POD})\.log"),
)
_NODE_LAYOUT = re.compile(
    rf"(?:^|/)[-a-z0-9]+_(?P<pod>{_POD})_[-0-9a-f]+/(?P<container>[-a-z0-9]+)/(?P<attempt>\d{{1,4}})\.log"
)
# Layouts that say by folders whose log it is: must-gather's, and a support bundle's.
_BY_FOLDER = (
    re.compile(
        rf"(?:^|/)pods/(?P<pod>{_POD})/(?P<container>[-a-z0-9]+)/(?:[-a-z0-9]+/)?logs/(?:current|(?P<before>previous))\.log"
    ),
    re.compile(rf"(?:^|/)logs/[-a-z0-9]+/(?P<pod>{_POD})/(?P<container>[-a-z0-9]+?)(?P<before>-previous)?\.log"),
)
# One file with the logs of all containers of a pod, as `kubectl cluster-info dump` writes it.
_SECTION = re.compile(
    rb"==== START logs for container (\S+) of pod [^\s/]+/([^\s/]+) ====\r?\n(.*?)"
    rb"(==== END logs for container \1 of pod \S+ ====|\Z)",
    re.DOTALL,
)
_KNOWN_PODS = re.compile(r"(?:longhorn-manager|instance-manager-[er])-.+|.+-\d{8,10}-[a-z0-9]{5}")
_SAFE = re.compile(r"[A-Za-z0-9][-A-Za-z0-9.]*")
# Times in logs and pod status are of the same node's clock, but both are cut to whole seconds.
_ROUNDING = timedelta(seconds=1)


@dataclass(frozen=True)
class DumpedLog:
    """One attempt's log, with the name of the file it came from."""

    pod: str
    pod_uid: str  # empty when the dump does not show the pod
    container: str
    attempt: int
    path: str  # in the history
    origin: str  # in the dump
    content: bytes
    complete: bool


@dataclass(frozen=True)
class Logs:
    logs: tuple[DumpedLog, ...]
    gaps: tuple[tuple[str, str], ...]  # pod's name, reason
    warnings: tuple[str, ...]


@dataclass
class _Pod:
    """What the dump's objects say about a pod, over all its versions."""

    uid: str
    container: str
    of_job: bool
    restarts: int = 0
    runs: dict[int, objects.ContainerRun] = field(default_factory=dict)


@dataclass(frozen=True)
class _File:
    path: str
    pod: str
    container: str
    attempt: int | None
    content: bytes
    raw: bool  # the runtime's own file: complete, and always of the attempt it is named after
    before: bool = False  # of the attempt before the last one
    cut: bool = False  # it has no end


def is_log_name(path: str) -> bool:
    """Whether a file is called as a pod's log would be."""
    return path.endswith(".log") or path.rpartition("/")[2] == "logs.txt"


def read_logs(files: Mapping[str, bytes], *, pods: Iterable[Mapping[str, t.Any]]) -> Logs:
    """The logs that the files hold, and what is missing or wrong."""
    known = _pods(pods)
    gaps: list[tuple[str, str]] = []
    warnings: list[str] = []
    by_pod: dict[str, dict[int, list[_File]]] = {}
    for path in sorted(files):
        found = [item for item in _identify(path, files[path]) if item.pod in known or _KNOWN_PODS.fullmatch(item.pod)]
        if not found:
            warnings.append(f"{path}: not named after a pod of the dump; left out")
        for item in found:
            attempt = item.attempt if item.attempt is not None else _last_attempt(known.get(item.pod)) - item.before
            if attempt < 0:
                warnings.append(f"{path}: of which attempt of pod {item.pod} it is, the dump does not say; left out")
            else:
                by_pod.setdefault(item.pod, {}).setdefault(attempt, []).append(item)
    logs = []
    for pod, by_attempt in sorted(by_pod.items()):
        for attempt, candidates in sorted(by_attempt.items()):
            rest = [files for number, files in by_attempt.items() if number != attempt]
            chosen, lost = _choose(candidates, known.get(pod), attempt=attempt, others=rest)
            gaps += [(pod, reason) for reason in lost]
            warnings += lost
            if chosen is not None:
                logs.append(_dumped(chosen, known.get(pod), attempt=attempt))
    gaps += _missing(known, {(log.pod, log.attempt) for log in logs}, set(gaps))
    return Logs(logs=tuple(logs), gaps=tuple(gaps), warnings=tuple(warnings))


def _pods(documents: Iterable[Mapping[str, t.Any]]) -> dict[str, _Pod]:
    known: dict[str, _Pod] = {}
    for document in documents:
        fact = objects.pod(document)
        pod = known.setdefault(
            fact.meta.name,
            _Pod(uid=fact.meta.uid, container=fact.container, of_job=fact.meta.owner_kind == "Job"),
        )
        pod.restarts = max(pod.restarts, fact.restarts)
        for run in fact.runs:
            before = pod.runs.get(run.attempt)
            if before is None or before.finished is None:
                pod.runs[run.attempt] = run
    return known


def _identify(path: str, content: bytes) -> list[_File]:
    """The logs in a file: one, but for those that hold a whole pod's."""
    name = path.rpartition("/")[2]
    if name == "logs.txt":
        return _sections(path, content)
    match = next((found for pattern in (_NODE_LAYOUT, *_BY_FOLDER) if (found := pattern.search(path))), None)
    match = match or next((found for pattern in _NAMES if (found := pattern.fullmatch(name))), None)
    if match is None:
        return []
    parts = match.groupdict()
    output = _output(content)
    raw = output is not None or (not content and "cri" in path.split("/"))
    item = _File(
        path=path,
        pod=parts["pod"],
        container=parts.get("container") or "",
        attempt=int(parts["attempt"]) if parts.get("attempt") is not None else None,
        content=logtext.without_times(content) if output is None else output,
        raw=raw,
        before=bool(parts.get("before")),
    )
    return [item]


def _output(content: bytes) -> bytes | None:
    """What a container wrote, of a file that its runtime keeps; None when it is no such file."""
    if logtext.is_cri(content):
        return logtext.from_cri(content)
    return logtext.from_docker(content) if logtext.is_docker(content) else None


def _sections(path: str, content: bytes) -> list[_File]:
    return [
        _File(
            path=path,
            pod=match.group(2).decode("utf-8", "replace"),
            container=match.group(1).decode("utf-8", "replace"),
            attempt=None,
            content=match.group(3),
            raw=False,
            cut=not match.group(4),
        )
        for match in _SECTION.finditer(content)
    ]


def _last_attempt(pod: _Pod | None) -> int:
    return pod.restarts if pod is not None else 0


def _choose(
    candidates: list[_File], pod: _Pod | None, *, attempt: int, others: Iterable[list[_File]]
) -> tuple[_File | None, list[str]]:
    """The file to believe, and what is wrong with the others."""
    lost: list[str] = []
    right: list[_File] = []
    truth = next((item for item in candidates if item.raw), None)
    foreign = {item.content for group in others for item in group if item.raw and item.content}
    for item in candidates:
        wrong = "" if item.raw else _wrong(item, pod, attempt=attempt, truth=truth, foreign=foreign)
        if wrong:
            lost.append(f"{item.path}: {wrong}")
        else:
            right.append(item)
    right.sort(key=lambda item: (not item.raw, -len(item.content), item.path))
    return (right[0] if right else None), lost


def _wrong(item: _File, pod: _Pod | None, *, attempt: int, truth: _File | None, foreign: set[bytes]) -> str:
    if logtext.only_tool_error(item.content):
        return f"holds only the error of the tool that fetched it ({logtext.tool_error(item.content)[:120]})"
    if truth is not None and truth.content.startswith(item.content):
        return ""
    if item.content in foreign:
        return f"holds the text of another attempt than {attempt}"
    if truth is not None:
        return "differs from the container's own log file"
    run = pod.runs.get(attempt) if pod is not None and pod.of_job else None
    if run is None or run.started is None:
        return ""
    for line in read_lines([item.content]):
        moment = line.time
        early = moment is not None and run.started - moment > _ROUNDING
        late = moment is not None and run.finished is not None and moment - run.finished > _ROUNDING
        if early or late:
            when = "before attempt %d started" if early else "after attempt %d ended"
            return f"line {line.number} was written {when % attempt}, so the text is another attempt's"
    return ""


def _dumped(item: _File, pod: _Pod | None, *, attempt: int) -> DumpedLog:
    run = pod.runs.get(attempt) if pod is not None else None
    folder = pod.uid if pod is not None and _SAFE.fullmatch(pod.uid) else item.pod
    ended = run is not None and run.finished is not None
    return DumpedLog(
        pod=item.pod,
        pod_uid=pod.uid if pod is not None else "",
        container=item.container or (pod.container if pod is not None else ""),
        attempt=attempt,
        path=f"logs/{folder}/{attempt}.log",
        origin=item.path,
        content=item.content,
        complete=ended and not item.cut and not logtext.tool_error(item.content),
    )


def _missing(
    known: Mapping[str, _Pod], present: set[tuple[str, int]], named: set[tuple[str, str]]
) -> list[tuple[str, str]]:
    already = {pod for pod, _reason in named}
    return [
        (name, f"attempt {attempt} of pod {name} has no log in the dump")
        for name, pod in sorted(known.items())
        for attempt in sorted(pod.runs)
        if pod.of_job and (name, attempt) not in present and name not in already
    ]
