# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine in an image's layers, and the layer that puts another over it."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.stub.archives import Image, Layer

ENGINE = "usr/local/bin/longhorn"

_PARENTS = ("usr", "usr/local", "usr/local/bin")
# What a layer has in place of something that is deleted, or of a folder whose former content is.
_HIDES = frozenset(
    (
        *(posixpath.join(posixpath.dirname(one), f".wh.{posixpath.basename(one)}") for one in (*_PARENTS, ENGINE)),
        *(posixpath.join(one, ".wh..wh..opq") for one in _PARENTS),
    )
)


@dataclass(frozen=True)
class Found:
    """The engine, and the entries that the topmost layers have for it and for the folders it is in."""

    content: bytes
    entries: Mapping[str, tarfile.TarInfo]


@dataclass
class _Search:
    content: bytes | None = None
    hidden: bool = False  # what lower layers have is no longer seen
    entries: dict[str, tarfile.TarInfo] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return self.content is not None and all(parent in self.entries for parent in _PARENTS)


def find(image: Image) -> Found:
    """From the top down, for a higher layer hides what is below."""
    search = _Search()
    for layer in reversed(image.layers):
        if not search.done:
            _look(layer, search)
    if search.content is None:
        raise LabError(
            f"The image {image.name or 'in the archive'} has no /{ENGINE}: give the engine image of your Longhorn, "
            "longhornio/longhorn-engine:RELEASE."
        )
    return Found(content=search.content, entries=search.entries)


def _look(layer: Layer, search: _Search) -> None:
    """Takes what is not known from a higher layer."""
    if layer.compression == "zstd":
        raise LabError(
            f"The layer {layer.digest} is compressed with zstd, which Python's standard library does not know: make "
            "the archive with docker save, or with skopeo copy --dest-compress-format gzip."
        )
    hides = False
    with layer.open() as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            name = posixpath.normpath(member.name).lstrip("/")
            hides = hides or name in _HIDES
            if name in _PARENTS and member.isdir():
                search.entries.setdefault(name, member)
            elif name == ENGINE and not search.hidden:
                search.content = _content(archive, member)
                search.entries[ENGINE] = member
    search.hidden = search.hidden or hides or search.content is not None


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member) if member.isreg() else None
    if stream is None:
        raise LabError(
            f"/{ENGINE} is not a file in this image, but a link to {member.linkname or 'something else'}: take the "
            "executable out of the image and give that."
        )
    if not member.mode & 0o111:
        raise LabError(f"/{ENGINE} is not executable in this image, so it is not the engine image of a Longhorn.")
    return stream.read()


def cover(found: Found, content: bytes) -> bytes:
    """A layer with one file. Its folders are named as they are below: who unpacks layers makes those that are missing
    with rights of his own choice."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in _PARENTS:
            archive.addfile(_entry(name, found.entries.get(name), kind=tarfile.DIRTYPE))
        entry = _entry(ENGINE, found.entries.get(ENGINE), kind=tarfile.REGTYPE)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return memory.getvalue()


def _entry(name: str, below: tarfile.TarInfo | None, *, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = kind, 0o755
    if below:
        entry.mode, entry.uid, entry.gid, entry.mtime = below.mode & 0o7777, below.uid, below.gid, int(below.mtime)
    return entry
