# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump's files come from anybody: what is too large, too many, too deep or elsewhere is refused, with the bound."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput
from ansible_collections.longhorn.qa.plugins.module_utils._module import dump_files

POD = b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","uid":"u"}}'


def tar(path: Path, *members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(content), kind
            info.linkname = "/etc/passwd" if kind != tarfile.REGTYPE else ""
            archive.addfile(info, io.BytesIO(content))
    return path


def zipped(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["d.tar", "d.tar.gz", "d.tgz", "d.zip"])
def test_archive_is_read_as_a_folder_would_be(name: str, tmp_path: Path) -> None:
    members = (("a/pods.json", POD), ("./a/p.log", b"text"))
    make = zipped if name.endswith("zip") else tar
    assert dump_files.read(make(tmp_path / name, *members)).contents == {"a/pods.json": POD, "a/p.log": b"text"}


def test_folder_is_read_with_its_folders(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.json").write_bytes(POD)
    assert dump_files.read(tmp_path).contents == {"a/b/x.json": POD}


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "a\\..\\x", "C:x"])
@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_name_that_leaves_the_dump_is_refused(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"d.{kind}"
    with pytest.raises(BadInput, match="leaves the dump"):
        dump_files.read((zipped if kind == "zip" else tar)(path, (name, b"x")))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_of_an_archive_are_left_out(kind: bytes, tmp_path: Path) -> None:
    found = dump_files.read(tar(tmp_path / "d.tar", ("x.json", b""), kind=kind))
    assert found.contents == {}
    assert "x.json: it is no file, but a link or a device; left out" in found.warnings


def test_links_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.json").write_bytes(POD)
    dump = tmp_path / "dump"
    dump.mkdir()
    (dump / "folder").symlink_to(tmp_path / "elsewhere")
    (dump / "file.json").symlink_to(tmp_path / "elsewhere" / "x.json")
    (dump / "loop").symlink_to(dump)
    os.mkfifo(dump / "pipe")
    found = dump_files.read(dump)
    assert found.contents == {}
    assert sorted(found.warnings) == [
        "file.json: a link is not followed; left out",
        "folder: a link is not followed; left out",
        "loop: a link is not followed; left out",
        "pipe: it is no file; left out",
    ]


@pytest.mark.parametrize("kind", ["folder", "d.tar.gz", "d.zip"])
@pytest.mark.parametrize(
    ("bound", "value", "words"),
    [
        ("MAX_FILE", 1000, "the file is too large; expected at most 1000 bytes"),
        ("MAX_TOTAL", 5000, "(the dump is too large|the archive unpacks to too much); expected at most 5000 bytes"),
        ("MAX_FILES", 4, "too many files; expected at most 4"),
        ("MAX_DEPTH", 2, "too long or too deep"),
        ("MAX_NAME", 6, "too long or too deep"),
    ],
    ids=["file size", "total size", "number", "depth", "name"],
)
def test_bounds_are_told(
    kind: str, bound: str, value: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 1200 if bound in ("MAX_FILE", "MAX_TOTAL") else 10
    members = [(f"a/b/{number}.txt", b"x" * size) for number in range(6)]
    dump = tmp_path / kind
    if kind == "folder":
        (dump / "a" / "b").mkdir(parents=True)
        for name, content in members:
            (dump / name).write_bytes(content)
    else:
        (zipped if kind == "d.zip" else tar)(dump, *members)
    monkeypatch.setattr(dump_files, bound, value)
    with pytest.raises(BadInput, match=words):
        dump_files.read(dump)


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_few_bytes_that_unpack_to_many_are_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump_files, "MAX_FILE", 1 << 20)
    path = (zipped if kind == "zip" else tar)(tmp_path / f"d.{kind}", ("x.json", b"\0" * (32 << 20)))
    assert path.stat().st_size < 1 << 16
    with pytest.raises(BadInput, match="too large"):
        dump_files.read(path)


def test_header_that_claims_any_length_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long name's own length is in its header: tarfile would read so much of it into memory."""
    monkeypatch.setattr(dump_files, "MAX_FILE", 1 << 20)
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 64 << 20
    with gzip.open(tmp_path / "d.tar.gz", "wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.write(b"a" * (8 << 20))
    with pytest.raises(BadInput, match="unpacks to too much"):
        dump_files.read(tmp_path / "d.tar.gz")


@pytest.mark.parametrize("name", ["d.tar.gz", "d.tar", "d.zip"])
@pytest.mark.parametrize(
    "content", [b"", b"garbage" * 100, b"\x1f\x8b\x08\x00garbage"], ids=["empty", "text", "cut gzip"]
)
def test_damaged_archive_is_told(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match="archive cannot be read"):
        dump_files.read(tmp_path / name)


def test_archive_inside_a_dump_stays_closed(tmp_path: Path) -> None:
    zipped(tmp_path / "inner.zip", ("x.json", POD))
    found = dump_files.read(tmp_path)
    assert found.contents == {}
    assert found.warnings == ["inner.zip: an archive inside the dump is not opened; left out"]


def test_missing_dump_names_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no such folder or archive.*\.tar\.gz"):
        dump_files.read(tmp_path / "none")


def test_name_with_control_characters_is_shown_harmless(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31m.json").write_bytes(POD)
    assert list(dump_files.read(tmp_path).contents) == ["a?[31m.json"]


def test_yaml_becomes_json_and_times_stay_text(tmp_path: Path) -> None:
    (tmp_path / "pods.yaml").write_text("kind: Pod\ncreated: 2026-11-23T03:10:00Z\n---\nkind: Job\nn: 3\n")
    content = dump_files.read(tmp_path).contents["pods.yaml"]
    assert [json.loads(line) for line in content.splitlines()] == [
        {"kind": "Pod", "created": "2026-11-23T03:10:00Z"},
        {"kind": "Job", "n": 3},
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("[" * 500 + "]" * 500, "nested"),
        ("a: [1", "not YAML"),
        ("!!python/object/apply:os.system [id]", "not YAML"),
        ("? [a]\n: b\n", "not YAML"),
    ],
    ids=["aliases", "nesting", "broken", "a tag that runs code", "a list as a key"],
)
def test_yaml_that_is_not_to_be_read_is_left_out(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    found = dump_files.read(tmp_path)
    assert found.contents == {}
    assert len(found.warnings) == 1
    assert why in found.warnings[0]
