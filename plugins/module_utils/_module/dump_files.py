# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a dump, from a folder or an archive, within bounds.

A dump comes from anybody. Nothing is unpacked to disk, no link is followed, and size, number, depth and names are
bounded before anything is believed; what goes beyond is refused with the bound and what to do. YAML becomes JSON here,
because what reads records has the standard library only.
"""

from __future__ import annotations

import gzip
import json
import os
import tarfile
import typing as t
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, LonghornQAError

try:
    import yaml
except ImportError:  # pragma: no cover - Ansible itself brings it
    yaml = None  # type: ignore[assignment]

MAX_FILE = 512 * 1024 * 1024
MAX_TOTAL = 2 * 1024 * 1024 * 1024
MAX_FILES = 20_000
MAX_DEPTH = 24  # of folders
MAX_NAME = 1024
MAX_YAML = 32 * 1024 * 1024
MAX_NESTING = 100  # of YAML
_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
_CHUNK = 1024 * 1024


@dataclass
class DumpFiles:
    """Contents by path, and what was left out."""

    contents: dict[str, bytes] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read(dump: Path) -> DumpFiles:
    """All files of a folder or an archive, or BadInput that names the file and the bound."""
    if dump.is_dir():
        found = _Bounded(dump).take(_of_folder(dump))
    elif dump.is_file() and dump.name.endswith(_ARCHIVES):
        found = _Bounded(dump).take(_of_zip(dump) if dump.name.endswith(".zip") else _of_tar(dump))
    else:
        raise BadInput(
            "there is no such folder or archive",
            subject=str(dump),
            expected=f"a folder, or a file that ends in {', '.join(_ARCHIVES)}",
            advice="Give the folder that holds the dump's files.",
        )
    for path in [path for path in found.contents if path.endswith((".yaml", ".yml"))]:
        _convert(path, found)
    return found


@dataclass(frozen=True)
class _Entry:
    """One file that may be read: its name and what reads at most so many bytes of it. ``left_out``: why it is not."""

    name: str
    size: int
    read: t.Callable[[int], bytes]
    left_out: str = ""


class _Bounded:
    def __init__(self, dump: Path) -> None:
        self.dump, self.count, self.total = dump, 0, 0

    def take(self, entries: Iterator[_Entry]) -> DumpFiles:
        found = DumpFiles()
        for entry in entries:
            self.count += 1
            if self.count > MAX_FILES:
                raise self._too("too many files", MAX_FILES, "more", "Give the dump of one run only.")
            name = self._name(entry.name)
            if entry.left_out:
                found.warnings.append(f"{name}: {entry.left_out}; left out")
                continue
            if name.endswith(_ARCHIVES):
                found.warnings.append(f"{name}: an archive inside the dump is not opened; left out")
                continue
            found.contents[name] = self._content(name, entry)
        return found

    def _name(self, name: str) -> str:
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or ":" in name[:2]:
            raise BadInput(
                "a file's name leaves the dump", subject=str(self.dump), seen=_shown(name),
                advice="Do not use this archive: unpacked, it would write elsewhere.",
            )  # fmt: skip
        if len(name) > MAX_NAME or len(parts) > MAX_DEPTH:
            raise self._too(
                "a file's name is too long or too deep", f"{MAX_NAME} characters in {MAX_DEPTH} folders",
                _shown(name), "Give the folder that holds the dump's files.",
            )  # fmt: skip
        return _shown(str(PurePosixPath(*parts)))

    def _content(self, name: str, entry: _Entry) -> bytes:
        if entry.size > MAX_FILE:
            raise self._too("the file is too large", f"{MAX_FILE} bytes", f"{name}: {entry.size}", "Leave it out.")
        content = entry.read(MAX_FILE + 1)
        self.total += len(content)
        if len(content) > MAX_FILE:
            raise self._too("the file is too large", f"{MAX_FILE} bytes", f"{name}: more than that", "Leave it out.")
        if self.total > MAX_TOTAL:
            raise self._too(
                "the dump is too large", f"{MAX_TOTAL} bytes", f"more, from {name} on", "Give one run's dump."
            )
        return content

    def _too(self, problem: str, bound: object, seen: str, advice: str) -> BadInput:
        return BadInput(problem, subject=str(self.dump), expected=f"at most {bound}", seen=seen, advice=advice)


def _of_folder(dump: Path) -> Iterator[_Entry]:
    for folder, folders, names in os.walk(dump, followlinks=False):
        for name in [name for name in folders if (Path(folder) / name).is_symlink()]:
            yield _Entry((Path(folder) / name).relative_to(dump).as_posix(), 0, _nothing, "a link is not followed")
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            relative = path.relative_to(dump).as_posix()
            if path.is_symlink():
                yield _Entry(relative, 0, _nothing, "a link is not followed")
            elif not path.is_file():
                yield _Entry(relative, 0, _nothing, "it is no file")
            else:
                yield _Entry(relative, _size(path), lambda limit, path=path: _read(path, limit))  # type: ignore[misc]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> LonghornQAError:
    return LonghornQAError(
        "the file cannot be read", subject=str(path), seen=error.strerror or str(error), advice="Check its permissions."
    )


def _nothing(_limit: int) -> bytes:
    return b""


class _Stream:
    """What an archive unpacks to, bounded: a header can claim any length, and a few bytes can unpack to very many."""

    def __init__(self, raw: t.Any, dump: Path) -> None:
        self.raw, self.dump, self.total, self.since = raw, dump, 0, 0

    def member(self) -> None:
        """Another file of the archive begins here."""
        self.since = 0

    def read(self, size: int) -> bytes:
        part: bytes = self.raw.read(min(size, _CHUNK))
        self.total += len(part)
        self.since += len(part)
        if self.since > MAX_FILE + 2 * _CHUNK or self.total > MAX_TOTAL + MAX_FILES * 1024:
            raise self._bomb()
        return part

    def _bomb(self) -> BadInput:
        return BadInput(
            "the archive unpacks to too much", subject=str(self.dump), expected=f"at most {MAX_TOTAL} bytes",
            advice="Unpack it yourself, look at it, and give the folder.",
        )  # fmt: skip


def _of_tar(dump: Path) -> Iterator[_Entry]:
    try:
        with dump.open("rb") as file:
            packed: t.Any = gzip.GzipFile(fileobj=file) if dump.name.endswith("gz") else file
            stream = _Stream(packed, dump)
            with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
                for member in archive:
                    stream.member()
                    if member.isdir():
                        continue
                    if not member.isreg():
                        yield _Entry(member.name, 0, _nothing, "it is no file, but a link or a device")
                        continue
                    unpacked = archive.extractfile(member)
                    yield _Entry(member.name, member.size, unpacked.read if unpacked is not None else _nothing)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise _damaged(dump, error) from error


def _of_zip(dump: Path) -> Iterator[_Entry]:
    try:
        if _size(dump) > MAX_FILE:
            raise BadInput(
                "the archive is too large", subject=str(dump), expected=f"at most {MAX_FILE} bytes",
                advice="Unpack it yourself, look at it, and give the folder.",
            )  # fmt: skip
        with zipfile.ZipFile(dump) as archive:
            for info in archive.infolist():
                if info.is_dir():
                    continue
                if info.flag_bits & 1:
                    yield _Entry(info.filename, 0, _nothing, "it is encrypted")
                elif (info.external_attr >> 16) & 0o170000 not in (0, 0o100000):
                    yield _Entry(info.filename, 0, _nothing, "it is no file, but a link or a device")
                else:
                    with archive.open(info) as unpacked:
                        yield _Entry(info.filename, info.file_size, unpacked.read)
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, ValueError, NotImplementedError, RuntimeError) as error:
        raise _damaged(dump, error) from error


def _damaged(dump: Path, error: Exception) -> LonghornQAError:
    if isinstance(error, LonghornQAError):
        return error
    return BadInput(
        "the archive cannot be read", subject=str(dump), seen=str(error) or type(error).__name__,
        advice="Fetch it again, or give the folder with its files.",
    )  # fmt: skip


def _convert(path: str, found: DumpFiles) -> None:
    """YAML to JSON; what cannot be converted is left out with the reason."""
    try:
        found.contents[path] = _json_of(found.contents[path])
    except _Unusable as problem:
        del found.contents[path]
        found.warnings.append(f"{path}: {problem}; left out")


class _Unusable(ValueError):
    pass


def _json_of(content: bytes) -> bytes:
    if yaml is None:
        raise _Unusable("reading YAML needs the Python library PyYAML")
    if len(content) > MAX_YAML:
        raise _Unusable(f"YAML of more than {MAX_YAML} bytes")
    try:
        _look_through(content)
        documents = [item for item in yaml.load_all(content, Loader=_loader()) if item is not None]
        return "\n".join(json.dumps(item) for item in documents).encode()
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        if isinstance(error, _Unusable):
            raise
        raise _Unusable(f"not YAML that could be read ({str(error).splitlines()[0][:120]})") from error


def _look_through(content: bytes) -> None:
    """Aliases can make a small file a huge one, and no tool that dumps objects writes them."""
    depth = 0
    for event in yaml.parse(content, Loader=_loader()):
        if isinstance(event, yaml.AliasEvent):
            raise _Unusable("YAML with aliases")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_NESTING:
            raise _Unusable(f"YAML nested more than {MAX_NESTING} deep")


def _loader() -> t.Any:
    """The safe loader, but a time stays the text it is."""
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    resolvers = {
        first: [item for item in items if item[0] != "tag:yaml.org,2002:timestamp"]
        for first, items in base.yaml_implicit_resolvers.items()
    }
    return type("_Loader", (base,), {"yaml_implicit_resolvers": resolvers})


def _shown(name: str) -> str:
    """A name that can be printed anywhere, whatever bytes it has."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "?" for char in text)
