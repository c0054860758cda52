# SPDX-License-Identifier: GPL-3.0-or-later
"""``longhorn-qa stub``: its words, and what they lead to."""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.stub import archives, engine, launcher, layers, layout, references, subcommands, trial

TITLE = "Make an engine image that refuses some commands out of the one that your Longhorn uses."

_CONTAINERFILE = """\
# Made by longhorn-qa stub: the engine refuses {refused}. Build it with: docker build -t NAME FOLDER
ARG BASE{base}
FROM ${{BASE}}
COPY longhorn /{engine}
"""


@dataclass(frozen=True)
class _Source:
    """The executable, and the image around it where there is one."""

    content: bytes
    name: str
    packed: tuple[archives.Image, layers.Found] | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        type=Path,
        metavar="SOURCE",
        help="the engine: an image archive (docker save, OCI layout), or the executable /usr/local/bin/longhorn",
    )
    parser.add_argument(
        "--fail",
        action="append",
        required=True,
        metavar="COMMAND",
        help=f"what it is to refuse; may be given several times: {', '.join(map(repr, subcommands.SUBCOMMANDS))}",
    )
    parser.add_argument("--words", metavar="TEXT", help="what it says then (default: as the manual test's stubs)")
    parser.add_argument("--executable", type=Path, metavar="FILE", help="write the stub itself")
    parser.add_argument("--containerfile", type=Path, metavar="FOLDER", help="write it with a Containerfile")
    parser.add_argument("--archive", type=Path, metavar="FILE", help="write the image with it, in OCI layout")
    parser.add_argument("--tag", metavar="IMAGE", help="the name of the image in --archive")
    parser.add_argument(
        "--image", metavar="IMAGE", help="which image of an archive; of an executable: where it is from"
    )
    parser.add_argument("--platform", metavar="OS/ARCH", help="which of the platforms of an archive")
    parser.add_argument(
        "--version-answer", type=Path, metavar="FILE", help="what 'longhorn version --client-only' says, not asked here"
    )
    parser.add_argument("--self-test", action="store_true", help="run the stub beside the engine before writing it")


def run(given: argparse.Namespace) -> int:
    """Everything is looked at before anything is written."""
    refusals = subcommands.refusals(given.fail, given.words)
    name = _outputs(given)
    if not given.source.exists():
        raise LabError(f"There is no {given.source}: give an image archive or the executable of the engine.")
    with _source(given) as source:
        if launcher.is_stub(source.content):
            raise LabError(f"{given.source} has a stub already: give the engine of Longhorn's own image.")
        answer = given.version_answer.read_text(encoding="utf-8") if given.version_answer else None
        wrapped = engine.understand(source.content, answer)
        stub = launcher.make(wrapped, refusals)
        print(f"engine     {wrapped.version}, commit {wrapped.commit}, {len(wrapped.content) >> 10} KiB")
        print(f"stub       commit {stub.commit}, refuses {', '.join(refusals)}", flush=True)
        if given.self_test:
            trial.run(stub, wrapped, lambda text: print(text, flush=True))
        _write(given, stub, source=source, name=name)
    return 0


def _outputs(given: argparse.Namespace) -> references.Reference | None:
    places = [path for path in (given.executable, given.containerfile, given.archive) if path]
    if not places:
        raise LabError("Nothing would be written: give --executable, --containerfile or --archive.")
    for path in places:
        if path.exists() or path.is_symlink():
            raise LabError(f"{path} exists already: remove it, or give another name.")
        if not path.absolute().parent.is_dir():
            raise LabError(f"{path} cannot be written: there is no folder {path.absolute().parent}.")
    if bool(given.archive) != bool(given.tag):
        raise LabError("--archive and --tag belong together: an image needs a name, and a name an image.")
    return references.tagged(given.tag) if given.tag else None


@contextlib.contextmanager
def _source(given: argparse.Namespace) -> Iterator[_Source]:
    if archives.is_archive(given.source):
        with archives.open_image(given.source, name=given.image, platform=given.platform) as image:
            found = layers.find(image)
            yield _Source(found.content, image.name, (image, found))
        return
    if given.archive:
        raise LabError(
            f"{given.source} is an executable, and --archive needs the image it comes from: give an image archive as "
            "SOURCE, or build the image with --containerfile."
        )
    if given.image and not references.parse(given.image):
        raise LabError(f"--image {given.image!r} is no image's name: a name like registry.example.com/name:tag is.")
    yield _Source(engine.read_file(given.source), given.image or "")


def _write(
    given: argparse.Namespace, stub: launcher.Stub, *, source: _Source, name: references.Reference | None
) -> None:
    refused = ", ".join(stub.refusals)
    if given.executable:
        _file(given.executable, stub.content, mode=0o755)
    if given.containerfile:
        base = f"={source.name}" if references.parse(source.name) else ""
        text = _CONTAINERFILE.format(refused=refused, base=base, engine=layers.ENGINE)
        given.containerfile.mkdir()
        _file(given.containerfile / "longhorn", stub.content, mode=0o755)
        _file(given.containerfile / "Containerfile", text.encode())
    if name and source.packed:
        image, found = source.packed
        layer = layers.cover(found, stub.content)
        with _new(given.archive) as stream:
            layout.write(stream, image, layer=layer, name=name, what=f"longhorn-qa stub: the engine refuses {refused}")


def _file(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    with _new(path, mode=mode) as stream:
        stream.write(content)


@contextlib.contextmanager
def _new(path: Path, *, mode: int = 0o644) -> Iterator[t.IO[bytes]]:
    """There as a whole or not at all."""
    number, text = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    unfinished = Path(text)
    try:
        with os.fdopen(number, "w+b") as stream:
            yield stream
        unfinished.chmod(mode)
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
    print(f"wrote      {path}", flush=True)
