# SPDX-License-Identifier: GPL-3.0-or-later
"""Images as files: what ``docker save``, skopeo, crane and OCI layouts leave, as a tar archive or as a folder."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import re
import shutil
import tarfile
import tempfile
import typing as t
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.stub import references

Document = dict[str, t.Any]

_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_BROKEN = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError, json.JSONDecodeError)
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")


@dataclass(frozen=True)
class Layer:
    """One layer as it lies in the archive: size and digest are those of the compressed bytes."""

    open: Callable[[], t.IO[bytes]]
    size: int
    digest: str
    compression: str


@dataclass(frozen=True)
class Image:
    """Its configuration, and its layers from the lowest to the highest."""

    name: str
    config: Document
    layers: tuple[Layer, ...]


class Files(t.Protocol):
    """What is in an archive, by name."""

    def open(self, name: str) -> t.IO[bytes]: ...

    def has(self, name: str) -> bool: ...


@dataclass(frozen=True)
class _Folder:
    path: Path

    def open(self, name: str) -> t.IO[bytes]:
        return (self.path / name).open("rb")

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()


@dataclass(frozen=True)
class _Tar:
    archive: tarfile.TarFile
    names: Mapping[str, tarfile.TarInfo]

    def open(self, name: str) -> t.IO[bytes]:
        found = self.archive.extractfile(self.names[name])  # also through links inside the archive
        if found is None:
            raise LabError(f"{name} in the image archive is not a file.")
        return found

    def has(self, name: str) -> bool:
        return name in self.names


@dataclass(frozen=True)
class _Candidate:
    """An image of the archive before its layers are looked at."""

    names: tuple[str, ...]
    config: Document
    layers: tuple[tuple[str, str], ...]  # file and expected digest; empty when only the configuration tells it

    @property
    def platform(self) -> str:
        parts = (self.config.get(key) for key in ("os", "architecture", "variant"))
        return "/".join(str(part) for part in parts if part)

    def __str__(self) -> str:
        return f"{' '.join(self.names) or 'unnamed'} ({self.platform})"


def is_archive(path: Path) -> bool:
    """Whether a path is to be read as an image; anything else is taken for an executable."""
    return path.is_dir() or _compression(path.open("rb")) == "gzip" or tarfile.is_tarfile(path)


@contextlib.contextmanager
def open_image(path: Path, *, name: str | None = None, platform: str | None = None) -> Iterator[Image]:
    """The one image in there that has this name and platform; every byte of it is checked against its digest."""
    with contextlib.ExitStack() as stack:
        try:
            files = _Folder(path) if path.is_dir() else stack.enter_context(_tar(path))
            image = _image(files, _choose(_candidates(files), name=name, platform=platform))
        except (*_BROKEN, KeyError, TypeError, AttributeError) as error:
            raise LabError(f"{path} is damaged, or not an image archive: {type(error).__name__}: {error}") from error
        yield image


@contextlib.contextmanager
def _tar(path: Path) -> Iterator[_Tar]:
    with contextlib.ExitStack() as stack:
        stream: t.IO[bytes] = stack.enter_context(path.open("rb"))
        if _compression(path.open("rb")) == "gzip":  # unpacked once, because it is read in no order
            plain = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(gzip.GzipFile(fileobj=stream), plain)
            plain.seek(0)
            stream = plain
        archive = stack.enter_context(tarfile.open(fileobj=stream, mode="r:"))
        yield _Tar(archive, {member.name.removeprefix("./"): member for member in archive})


def _candidates(files: Files) -> list[_Candidate]:
    if files.has("index.json") and files.has("oci-layout"):
        return _merged(_of_index(files, _read(files, "index.json"), ()))
    if files.has("manifest.json"):
        return [_of_docker(files, entry) for entry in _read(files, "manifest.json")]
    raise LabError(
        "An image archive has oci-layout and index.json, or the manifest.json of docker save, but this has neither: "
        "make one with docker save IMAGE -o FILE, or skopeo copy docker://IMAGE oci-archive:FILE."
    )


def _of_index(files: Files, index: Document, names: tuple[str, ...]) -> Iterator[_Candidate]:
    """Also of indexes in the index, which is how images for several platforms are kept. What is listed and not in the
    archive was left out on purpose, as other platforms are by docker save."""
    for entry in index["manifests"]:
        annotations = entry.get("annotations") or {}
        own = tuple(annotations[key] for key in _NAMES if annotations.get(key)) or names
        if "vnd.docker.reference.type" in annotations or not files.has(_blob(entry["digest"])):
            continue
        document = _read_blob(files, entry["digest"])
        if entry.get("mediaType") in _INDEXES or "manifests" in document:
            yield from _of_index(files, document, own)
        elif files.has(_blob(document["config"]["digest"])):
            layers = tuple((_blob(layer["digest"]), str(layer["digest"])) for layer in document["layers"])
            yield _Candidate(own, _read_blob(files, document["config"]["digest"]), layers)


def _of_docker(files: Files, entry: Document) -> _Candidate:
    config = _read(files, entry["Config"])
    return _Candidate(tuple(entry.get("RepoTags") or ()), config, tuple((str(name), "") for name in entry["Layers"]))


def _merged(candidates: Iterator[_Candidate]) -> list[_Candidate]:
    """An image with two names is listed twice and is one."""
    found: dict[tuple[object, ...], _Candidate] = {}
    for one in candidates:
        key = (one.layers, json.dumps(one.config, sort_keys=True))
        names = (*found[key].names, *one.names) if key in found else one.names
        found[key] = _Candidate(tuple(dict.fromkeys(names)), one.config, one.layers)
    return list(found.values())


def _choose(candidates: Sequence[_Candidate], *, name: str | None, platform: str | None) -> _Candidate:
    def fits(one: _Candidate) -> bool:
        named = name is None or any(references.same(name, other) for other in one.names)
        return named and (platform is None or one.platform == platform)

    found = [one for one in candidates if fits(one)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(map(str, candidates)) or "none"
    if not found:
        wanted = "".join(f" {word}" for word in (name, platform) if word)
        raise LabError(f"The archive has no image{wanted}: it has {there}.")
    raise LabError(f"The archive has {len(found)} images: choose one with --image and --platform. It has {there}.")


def _image(files: Files, found: _Candidate) -> Image:
    expected = found.config["rootfs"]["diff_ids"]
    if len(expected) != len(found.layers):
        raise LabError(
            f"The image {found} is damaged: its configuration names {len(expected)} layers, the archive "
            f"{len(found.layers)}."
        )
    layers = tuple(
        _layer(files, file, digest=digest, unpacked=unpacked)
        for (file, digest), unpacked in zip(found.layers, expected, strict=True)
    )
    return Image(name=found.names[0] if found.names else "", config=found.config, layers=layers)


def _layer(files: Files, name: str, *, digest: str, unpacked: str) -> Layer:
    if not files.has(name):
        raise LabError(f"The image archive is damaged: its layer {name} is not in it.")
    compression = _compression(files.open(name))
    with files.open(name) as stream:
        size, seen = _measure(stream)
    if digest:
        _compare(name, expected=digest, seen=seen)
    elif compression == "gzip":  # what docker save writes only tells the digest of the unpacked layer
        with files.open(name) as stream:
            _compare(name, expected=unpacked, seen=_measure(gzip.GzipFile(fileobj=stream))[1])
    else:
        _compare(name, expected=unpacked, seen=seen)
    return Layer(open=lambda: files.open(name), size=size, digest=seen, compression=compression)


def _compare(name: str, *, expected: str, seen: str) -> None:
    if expected != seen:
        raise LabError(f"The image archive is damaged: {name} should have the digest {expected}, but has {seen}.")


def _measure(stream: t.IO[bytes] | gzip.GzipFile) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while block := stream.read(1 << 20):
        digest.update(block)
        size += len(block)
    return size, f"sha256:{digest.hexdigest()}"


def _compression(stream: t.IO[bytes]) -> str:
    with stream:
        head = stream.read(4)
    return next((name for magic, name in _COMPRESSIONS.items() if head.startswith(magic)), "")


def _blob(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise LabError(f"The image archive names a blob by {digest!r}, where sha256: and 64 digits are expected.")
    return "blobs/" + digest.replace(":", "/", 1)


def _read_blob(files: Files, digest: str) -> Document:
    with files.open(_blob(digest)) as stream:
        content = stream.read()
    _compare(_blob(digest), expected=digest, seen=f"sha256:{hashlib.sha256(content).hexdigest()}")
    return t.cast(Document, json.loads(content))


def _read(files: Files, name: str) -> t.Any:
    with files.open(name) as stream:
        return json.loads(stream.read())
