# SPDX-License-Identifier: GPL-3.0-or-later
"""A history as files: appending to it, and reading it back.

Append-only and flushed per record, so that whatever ends the writer, at any byte, leaves a readable history; what is
damaged is reported, never skipped silently. A lock keeps a second writer out. The manifest says from the start on what
the history is about. Each recording into the folder ends with a link of the manifest's chain: how long every file was
by then, its hash up to there, and the hash of the link before.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import threading
import typing as t
from collections.abc import Iterator, Mapping
from pathlib import Path

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, Conflict, LonghornQAError
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock
from ansible_collections.longhorn.qa.plugins.module_utils._history import model, records

RECORDS = "history.jsonl"
MANIFEST = "manifest.json"
LOCK = ".lock"
_DEEPEST = 64
_LOG_PATH = re.compile(r"logs/[0-9A-Za-z][0-9A-Za-z._-]*/\d+\.log")
_Record = t.TypeVar("_Record")


def log_path(pod_uid: str, attempt: int) -> str:
    """Where a history keeps the log of one container run, relative to its folder."""
    path = f"logs/{pod_uid}/{attempt}.log"
    if _LOG_PATH.fullmatch(path) is None:
        raise BadInput("not a UID that can name a folder", subject="pod", seen=repr(pod_uid))
    return path


def require_none(folder: Path) -> None:
    """Conflict when the folder has a history: only a recording goes on with one."""
    if (folder / RECORDS).exists():
        raise Conflict(
            "there is a history already", subject=str(folder), advice="Give a folder that does not exist or is empty."
        )


def open_for_writing(
    path: str | Path,
    subjects: model.Subjects,
    *,
    kinds: tuple[str, ...] = (),
    origin: model.Origin = "recorder",
    clock: Clock = SYSTEM,
) -> HistoryWriter:
    """A writer with its ``start`` record written; on a history that exists already it goes on at the end."""
    writer = HistoryWriter(Path(path), clock=clock)
    try:
        writer.begin(subjects, kinds=kinds, origin=origin)
    except BaseException:
        writer.close()
        raise
    return writer


class HistoryWriter:
    """Appends records and logs. Safe to use from several threads; use as a context manager."""

    def __init__(self, folder: Path, *, clock: Clock = SYSTEM) -> None:
        self.folder = folder
        self.resumed_after: model.Record | None = None  # last record of an earlier recording into the same folder
        self._begun: model.Subjects | None = None  # what that was about
        self._clock = clock
        self.gaps = 0  # written by us
        self._mutex = threading.Lock()
        self._number = 0
        with _Told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder / LOCK)
        try:
            with _Told(folder):
                self._resume()
                self._file = (folder / RECORDS).open("ab", buffering=0)
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> HistoryWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def count(self) -> int:
        """How many records the history has."""
        return self._number

    def begin(self, subjects: model.Subjects, *, kinds: tuple[str, ...], origin: model.Origin) -> None:
        """The ``start`` record and the manifest, or Conflict when the folder has another run's history."""
        self._refuse_other(subjects)
        with _Told(self.folder):
            if not _ends_with_newline(self.folder / RECORDS):
                self._file.write(b"\n")  # what a killed writer left of its last record stays, as damage
            self._append(model.Start, subjects=subjects, origin=origin, kinds=kinds)
            manifest = {
                "schema": model.SCHEMA, "origin": origin, "subjects": records.plain(subjects), "kinds": list(kinds)
            }  # fmt: skip
            self._write_manifest({**manifest, "chain": _chain(self.folder)})

    # -- records

    def object(
        self, kind: str, change: model.Change, document: model.JsonObject, *, via: model.Via = "watch"
    ) -> model.ObjectSeen:
        """An API object as the server delivered it."""
        return self._append(model.ObjectSeen, kind=kind, change=change, object=cleaned(document), via=via)

    def listed(self, kind: str, resource_version: str) -> model.ListDone:
        """The end of a complete LIST."""
        return self._append(model.ListDone, kind=kind, resource_version=resource_version)

    def log_opened(self, pod_uid: str, pod: str, container: str, attempt: int) -> model.Log:
        """A log file begins."""
        return self._append(
            model.Log,
            pod_uid=pod_uid,
            pod=pod,
            container=container,
            attempt=attempt,
            state="opened",
            path=log_path(pod_uid, attempt),
        )

    def log_closed(self, opened: model.Log, *, size: int, complete: bool, reason: str) -> model.Log:
        """A log file ends; ``complete``: the container had ended and everything was read."""
        same = {name: getattr(opened, name) for name in ("pod_uid", "pod", "container", "attempt", "path")}
        return self._append(model.Log, state="closed", bytes=size, complete=complete, reason=reason, **same)

    def store(
        self, target: str, backups: tuple[model.StoredBackup, ...] = (), error: str = "", **more: t.Any
    ) -> model.Store:
        """A listing of the backup store, or why there is none. More: deleted."""
        return self._append(model.Store, target=target, backups=backups, error=error, **more)

    def gap(self, kind: str, reason: str, **details: t.Any) -> model.Gap:
        """Something that could not be seen. Details: since, until, subject."""
        self.gaps += 1
        return self._append(model.Gap, kind=kind, reason=reason, **details)

    def clock(self, source: str, offset: float) -> model.Clock:
        """How far another clock is ahead of ours."""
        return self._append(model.Clock, source=source, offset=offset)

    def note(self, text: str) -> model.Note:
        """Something for the reader."""
        return self._append(model.Note, text=text)

    def end(self, reason: str) -> model.End:
        """The last record; the manifest gets another link."""
        record = self._append(model.End, reason=reason)
        with _Told(self.folder), self._mutex:
            os.fsync(self._file.fileno())
            manifest = json.loads((self.folder / MANIFEST).read_bytes())
            chain = manifest["chain"]
            link = {"records": self._number, "files": _hashes(self.folder), "previous": _digest(chain)}
            self._write_manifest({**manifest, "chain": [*chain, link]})
        return record

    def log_file(self, record: model.Log) -> LogFile:
        """The file of an opened log; the caller writes it through this object only."""
        return LogFile(self.folder / record.path)

    def close(self) -> None:
        """Lets go of the files; without ``end`` before, the history says that it was cut."""
        if hasattr(self, "_file"):
            self._file.close()
        self._lock.close()

    # -- inside

    def _append(self, cls: type[_Record], **fields: t.Any) -> _Record:
        with self._mutex, _Told(self.folder):
            record: _Record = t.cast(t.Any, cls)(number=self._number + 1, at=self._clock.now(), **fields)
            self._file.write(records.encode(t.cast(model.Record, record)).encode("ascii") + b"\n")
            self._number += 1
            return record

    def _resume(self) -> None:
        for _line, item in _decoded(self.folder / RECORDS):
            if not isinstance(item, records.RecordError):
                self._number, self.resumed_after = item.number, item
            if isinstance(item, model.Start):
                self._begun = item.subjects

    def _refuse_other(self, subjects: model.Subjects) -> None:
        """What is expected may be stated anew; two runs in one history would be judged as one."""
        before = self._begun
        if before is not None and _run_of(before) != _run_of(subjects):
            raise Conflict(
                "it is the history of another run", subject=str(self.folder), expected=_described(subjects),
                seen=_described(before), advice="Give each run a folder of its own.",
            )  # fmt: skip

    def _write_manifest(self, document: Mapping[str, t.Any]) -> None:
        temporary = self.folder / (MANIFEST + ".new")
        temporary.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        temporary.replace(self.folder / MANIFEST)


def _run_of(subjects: model.Subjects) -> tuple[t.Any, ...]:
    return subjects.namespace, subjects.run_id, {(cell.volume, cell.cronjob) for cell in subjects.cells}


def _described(subjects: model.Subjects) -> str:
    volumes = ", ".join(sorted(cell.volume for cell in subjects.cells)) or "none"
    return f"run {subjects.run_id or 'without an id'}, namespace {subjects.namespace}, volumes {volumes}"


class LogFile:
    """One log of a history. Bytes that are there already from an earlier recording are compared, not written twice."""

    def __init__(self, path: Path) -> None:
        with _Told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
            self._known = path.open("rb")
            self._left = os.fstat(self._file.fileno()).st_size
        self.size = self._left
        self.differs = False  # what comes now is not what was recorded before

    def append(self, data: bytes) -> None:
        """Adds bytes at the end."""
        if self._left and data:
            known = self._known.read(min(self._left, len(data)))
            self._left -= len(known)
            if known != data[: len(known)]:
                self.differs, self._left = True, 0
            data = data[len(known) :]
        if data:
            with _Told(Path(self._file.name)):
                self._file.write(data)
            self.size += len(data)

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()
        self._known.close()


def read_history(path: str | Path) -> model.History:
    """The history in this folder, with everything that is wrong with its files in ``damage``."""
    folder = Path(path)
    if not (folder / RECORDS).is_file():
        raise BadInput(
            "not a history: it has no history.jsonl", subject=str(path),
            advice="Give the folder that job_record or job_import wrote.",
        )  # fmt: skip
    found: list[model.Record] = []
    damage: list[str] = []
    with _Told(folder):
        for number, item in _decoded(folder / RECORDS):
            if isinstance(item, records.RecordError):
                damage.append(f"{RECORDS}:{number}: {item}")
                continue
            expected = found[-1].number + 1 if found else 1
            if item.number != expected:
                damage.append(f"{RECORDS}:{number}: record {item.number} where {expected} was expected")
            found.append(item)
        logs = _LogFiles(folder, {item.path for item in found if isinstance(item, model.Log)})
        damage += _damaged_logs(folder, found)
        damage += _against_manifest(folder, found[-1] if found else None)
    if not any(isinstance(item, model.Start) for item in found):
        raise BadInput("the history has no start record", subject=str(path), seen="; ".join(damage[:3]) or "no records")
    return model.History(records=tuple(found), logs=logs, damage=tuple(damage))


def log_chunks(folder: str | Path, path: str, *, size: int = 1 << 20) -> Iterator[bytes]:
    """A log of a history in pieces: it may be larger than memory."""
    if not _is_log(Path(folder), path):
        raise BadInput("the history has no such log", subject=path)
    with _Told(Path(folder)), (Path(folder) / path).open("rb") as file:
        while chunk := file.read(size):
            yield chunk


class _LogFiles(Mapping[str, bytes]):
    """The logs by path, read when asked for: a history may be larger than memory."""

    def __init__(self, folder: Path, paths: set[str]) -> None:
        self._folder = folder
        self._paths = dict.fromkeys(sorted(path for path in paths if _is_log(folder, path)))

    def __getitem__(self, path: str) -> bytes:
        if path not in self._paths:
            raise KeyError(path)
        return (self._folder / path).read_bytes()

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def cleaned(document: model.JsonObject) -> dict[str, t.Any]:
    """The object without what nobody judges and without values that may be secret."""
    metadata = {key: value for key, value in (document.get("metadata") or {}).items() if key != "managedFields"}
    if isinstance(metadata.get("annotations"), Mapping):
        metadata["annotations"] = {
            key: value
            for key, value in metadata["annotations"].items()
            if not key.rpartition("/")[2].startswith("last-applied")
        }
    return t.cast(dict[str, t.Any], _without_values({**document, "metadata": metadata}))


def _without_values(value: t.Any, depth: int = 0) -> t.Any:
    """Environment variables keep their names; a value that stands in the object itself may be a credential.

    What is nested so deeply is nothing that anybody judges; written, it could not be read again.
    """
    if isinstance(value, Mapping | list | tuple) and depth == _DEEPEST:
        return "(not recorded: nested too deeply)"
    if isinstance(value, Mapping):
        return {
            key: _named_only(inner, depth + 1) if key == "env" else _without_values(inner, depth + 1)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without_values(inner, depth + 1) for inner in value]
    return value


def _named_only(variables: t.Any, depth: int) -> t.Any:
    named = _without_values(variables, depth)
    if not isinstance(named, list):
        return named
    return [
        {**item, "value": "(not recorded)"} if isinstance(item, Mapping) and item.get("value") else item
        for item in named
    ]


def _decoded(path: Path) -> Iterator[tuple[int, model.Record | records.RecordError]]:
    if not path.is_file():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                yield number, records.RecordError("truncated record")
            elif line.strip():
                yield from ((number, item) for item in records.decode_all([line]))


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _is_log(folder: Path, path: str) -> bool:
    """A path of ours inside the folder, and no link that leads out of it."""
    if _LOG_PATH.fullmatch(path) is None:
        return False
    file = folder / path
    return file.is_file() and not any(part.is_symlink() for part in (file, file.parent, file.parent.parent))


def _damaged_logs(folder: Path, found: list[model.Record]) -> Iterator[str]:
    last = {item.path: item for item in found if isinstance(item, model.Log)}
    for path, item in sorted(last.items()):
        if not _is_log(folder, path):
            yield f"{path}: the log is missing"
        elif item.state == "closed" and (folder / path).stat().st_size != item.bytes:
            yield f"{path}: {(folder / path).stat().st_size} bytes where {item.bytes} were recorded"


def _against_manifest(folder: Path, last: model.Record | None) -> Iterator[str]:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        yield f"{MANIFEST}: {'missing' if isinstance(error, FileNotFoundError) else 'not readable'}"
        return
    chain = manifest.get("chain") if isinstance(manifest, dict) else None
    if not isinstance(chain, list) or not all(map(_is_link, chain)):
        yield f"{MANIFEST}: not readable"
        return
    for place, link in enumerate(chain):  # without any, it never ended: the missing end record says so
        if link["previous"] != _digest(chain[:place]):
            yield f"{MANIFEST}: link {place + 1} of its chain does not belong to the one before"
        for name, stated in sorted(link["files"].items()):
            if name != RECORDS and not _is_log(folder, name):
                yield f"{name}: the manifest names it, but it is not there"
            elif _hash(folder / name, stated["bytes"]) != stated["sha256"]:
                yield f"{name}: changed after the recording ended"
    if chain and isinstance(last, model.End):
        yield from _beyond(folder, chain[-1]["files"])


def _beyond(folder: Path, stated: Mapping[str, t.Any]) -> Iterator[str]:
    """What the last link does not vouch for although nothing was recorded after it."""
    for path in _files(folder):
        name = str(path.relative_to(folder))
        if path.stat().st_size > stated.get(name, {"bytes": 0})["bytes"]:
            yield f"{name}: changed after the recording ended"


def _is_link(link: t.Any) -> bool:
    files = link.get("files") if isinstance(link, dict) else None
    return (
        isinstance(files, dict)
        and "previous" in link
        and all(
            isinstance(stated, dict) and isinstance(stated.get("bytes"), int) and "sha256" in stated
            for stated in files.values()
        )
    )


def _chain(folder: Path) -> list[t.Any]:
    """The links of earlier recordings; none when there is no manifest, or none that can be read."""
    try:
        chain = json.loads((folder / MANIFEST).read_bytes())["chain"]
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return []
    return chain if isinstance(chain, list) else []


def _digest(chain: t.Sequence[t.Any]) -> str:
    """The hash of the last link, which has that of the one before; empty when there is none."""
    if not chain:
        return ""
    return hashlib.sha256(json.dumps(chain[-1], sort_keys=True).encode("ascii")).hexdigest()


def _files(folder: Path) -> list[Path]:
    return [folder / RECORDS, *sorted((folder / "logs").glob("*/*.log"))]


def _hashes(folder: Path) -> dict[str, t.Any]:
    found = {}
    for path in _files(folder):
        size = path.stat().st_size
        found[str(path.relative_to(folder))] = {"bytes": size, "sha256": _hash(path, size)}
    return found


def _hash(path: Path, size: int) -> str:
    """Of the first ``size`` bytes, if there are so many."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (chunk := file.read(min(size, 1 << 20))):
            size -= len(chunk)
            digest.update(chunk)
    return digest.hexdigest()


def _locked(path: Path) -> t.IO[bytes]:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise Conflict(
            "another recorder is writing this history", subject=str(path.parent),
            advice="Give each recording its own folder, or wait until the other one has ended.",
        ) from error  # fmt: skip
    return file


class _Told:
    """Operating system errors (disk full, no permission) as ours, with the path."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            raise LonghornQAError(
                "the history's files cannot be used", subject=str(self._path), seen=error.strerror or str(error),
                advice="Check free space and permissions.",
            ) from error  # fmt: skip
