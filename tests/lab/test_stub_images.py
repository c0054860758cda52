# SPDX-License-Identifier: GPL-3.0-or-later
"""Image archives: the engine is found in every form of them, and the one that is written keeps all rules."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import typing as t
from pathlib import Path

import pytest
from stub_images import (
    COMMIT,
    ENGINE,
    FOLDERS,
    FULL_NAME,
    NAME,
    Archive,
    Entry,
    Packed,
    check_layout,
    crane_pull,
    docker_25_save,
    docker_save,
    layer,
    oci,
    several_platforms,
    skopeo_docker_archive,
    stand_in,
    usual_layers,
)

from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.stub import archives, layers, layout, references

LAYERS = usual_layers(stand_in())
STUB = b"#!/bin/sh\n# the stub\n"
NEW = references.tagged("registry.example.com:5000/qa/engine:v1.0.1-stub")


def read(path: Path, **which: t.Any) -> bytes:
    with archives.open_image(path, **which) as image:
        return layers.find(image).content


def covered(source: Path, name: references.Reference = NEW) -> bytes:
    with archives.open_image(source) as image:
        found = layers.find(image)
        stream = io.BytesIO()
        layout.write(stream, image, layer=layers.cover(found, STUB), name=name, what="made by a test")
        return stream.getvalue()


FORMS: dict[str, t.Callable[[Path], Path]] = {
    "docker save": lambda path: docker_save(LAYERS).tar(path),
    "docker save, piped into gzip": lambda path: docker_save(LAYERS).tar(path, compressed=True),
    "docker save without a name": lambda path: docker_save(LAYERS, "").tar(path),
    "docker save since 25": lambda path: docker_25_save(LAYERS).tar(path),
    "crane pull": lambda path: crane_pull(LAYERS).tar(path),
    "skopeo, docker-archive": lambda path: skopeo_docker_archive(LAYERS).tar(path),
    "OCI archive": lambda path: oci(Packed(LAYERS)).tar(path),
    "OCI archive, not compressed": lambda path: oci(Packed(LAYERS, compressed=False)).tar(path),
    "OCI archive of an index": lambda path: several_platforms(Packed(LAYERS)).tar(path),
    "OCI folder": lambda path: oci(Packed(LAYERS)).folder(path),
}


@pytest.fixture(params=FORMS.values(), ids=FORMS)
def form(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return t.cast(Path, request.param(tmp_path / "image"))


def test_the_engine_is_found(form: Path) -> None:
    assert archives.is_archive(form)
    assert read(form) == stand_in()


def test_a_layer_is_added(form: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.tar"
    new.write_bytes(covered(form))
    checked = check_layout(new)
    member, content = checked.files[ENGINE]
    assert (content, member.mode, member.uid) == (STUB, 0o755, 0)
    assert checked.files["etc/os-release"][1] == b"ID=x\n"
    assert len(checked.manifest["layers"]) == len(LAYERS) + 1
    assert checked.annotations == {
        "io.containerd.image.name": NEW.full,
        "org.opencontainers.image.ref.name": "v1.0.1-stub",
    }
    assert checked.docker["RepoTags"] == [NEW.given]
    assert checked.config["config"] == {"Cmd": ["longhorn"], "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]}
    assert checked.config["history"][-1] == {"created": "2020-06-08T20:05:10Z", "created_by": "made by a test"}
    folders = {name: (member.mode, member.uid) for name, (member, _) in checked.files.items() if member.isdir()}
    assert folders == {"usr": (0o755, 0), "usr/local": (0o775, 0), "usr/local/bin": (0o755, 7)}


def test_what_was_written_can_be_read_again(form: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.tar"
    new.write_bytes(covered(form))
    assert read(new) == STUB
    assert covered(form) == new.read_bytes()  # the same input, the same bytes
    with_manifest_only = tmp_path / "old-docker.tar"
    made = Archive()
    with archives._tar(new) as files:
        made.files = {name: files.open(name).read() for name in files.names if name not in ("index.json", "oci-layout")}
    assert read(made.tar(with_manifest_only)) == STUB


def test_equal_layers_are_written_once(tmp_path: Path) -> None:
    empty = layer()
    source = docker_save([*LAYERS, empty, empty]).tar(tmp_path / "image")
    (tmp_path / "new").write_bytes(covered(source))
    assert len(check_layout(tmp_path / "new").manifest["layers"]) == len(LAYERS) + 3


OTHER = stand_in("fedcba9876543210fedcba9876543210fedcba98")


@pytest.mark.parametrize(
    "above",
    [
        pytest.param([Entry(ENGINE, OTHER)], id="replaced"),
        pytest.param([Entry(f"./{ENGINE}", OTHER)], id="replaced, with a dot before its name"),
        pytest.param([Entry("usr/local/bin/.wh..wh..opq", b""), Entry(ENGINE, OTHER)], id="in an emptied folder"),
    ],
)
def test_the_topmost_engine_is_taken(tmp_path: Path, above: list[Entry]) -> None:
    assert read(docker_save([*LAYERS, layer(*above)]).tar(tmp_path / "image")) == OTHER


@pytest.mark.parametrize("name", ["usr/local/bin/.wh.longhorn", "usr/local/.wh.bin", ".wh.usr", "usr/.wh..wh..opq"])
def test_a_deleted_engine_is_none(tmp_path: Path, name: str) -> None:
    image = docker_save([*LAYERS, layer(Entry(name, b""))]).tar(tmp_path / "image")
    with pytest.raises(LabError, match=f"{NAME} has no /{ENGINE}"):
        read(image)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        pytest.param(Entry(ENGINE, link="/usr/bin/longhorn"), "a link to /usr/bin/longhorn", id="a link"),
        pytest.param(Entry(ENGINE, b"x", mode=0o644), "not executable", id="no program"),
    ],
)
def test_an_engine_that_cannot_be_taken(tmp_path: Path, entry: Entry, message: str) -> None:
    with pytest.raises(LabError, match=message):
        read(docker_save([layer(*FOLDERS, entry)]).tar(tmp_path / "image"))


def test_zstd_is_named(tmp_path: Path) -> None:
    made = oci(Packed([b"\x28\xb5\x2f\xfd..."], compressed=False))
    with pytest.raises(LabError, match="zstd"):
        read(made.tar(tmp_path / "image"))


class TestSeveralImages:
    def test_by_name(self, tmp_path: Path) -> None:
        other = Packed(usual_layers(OTHER), {"org.opencontainers.image.ref.name": "docker.io/library/other:1"})
        image = oci(Packed(LAYERS), other).tar(tmp_path / "image")
        assert read(image, name=NAME) == read(image, name=FULL_NAME) == stand_in()
        assert read(image, name="other:1") == OTHER
        with pytest.raises(LabError, match=r"choose one with --image .*longhorn-engine:v1.0.1 \(linux/amd64\)"):
            read(image)
        with pytest.raises(LabError, match=r"no image third:1: it has .*other:1"):
            read(image, name="third:1")

    def test_by_platform(self, tmp_path: Path) -> None:
        arm = Packed(usual_layers(OTHER), architecture="arm64")
        image = several_platforms(Packed(LAYERS), arm).tar(tmp_path / "image")
        assert read(image, platform="linux/amd64") == stand_in()
        assert read(image, platform="linux/arm64") == OTHER
        with pytest.raises(LabError, match="choose one with --image and --platform"):
            read(image)
        with pytest.raises(LabError, match="no image linux/s390x"):
            read(image, platform="linux/s390x")

    def test_two_names_for_one_are_one(self, tmp_path: Path) -> None:
        again = Packed(LAYERS, {"org.opencontainers.image.ref.name": "again:1"})
        image = oci(Packed(LAYERS), again).tar(tmp_path / "image")
        assert read(image) == read(image, name="again:1") == stand_in()

    def test_of_docker_save(self, tmp_path: Path) -> None:
        made = docker_save(LAYERS)
        (entry,) = json.loads(made.files["manifest.json"])
        made.json("manifest.json", [entry, {**entry, "RepoTags": ["other:1"]}])
        assert read(made.tar(tmp_path / "image"), name="other:1") == stand_in()


def with_content(made: Archive, name: str, content: bytes) -> Archive:
    return Archive({**made.files, name: content}, made.links)


def named(made: Archive, ending: str) -> str:
    return next(name for name in made.files if name.endswith(ending))


def damaged(made: Archive, ending: str) -> Archive:
    """One bit of the first file whose name ends so."""
    content = bytearray(made.files[named(made, ending)])
    content[len(content) // 2] ^= 1
    return with_content(made, named(made, ending), bytes(content))


def without(made: Archive, ending: str) -> Archive:
    return Archive({name: made.files[name] for name in made.files if name != named(made, ending)}, made.links)


def with_text(made: Archive, name: str, text: str) -> Archive:
    return with_content(made, name, text.encode())


def config_of(made: Archive) -> str:
    return next(name for name, content in made.files.items() if b"diff_ids" in content)


def layer_of(made: Archive) -> str:
    return next(name for name, content in made.files.items() if content.startswith(b"\x1f\x8b"))


DOCKER, CRANE, OCI = docker_save(LAYERS), crane_pull(LAYERS), oci(Packed(LAYERS))
LOWEST = "blobs/sha256/" + hashlib.sha256(LAYERS[0]).hexdigest()  # where layers are not compressed
ONE = '{"manifests": [{"digest": "sha256:../../x"}]}'

DAMAGES: dict[str, tuple[Archive, str]] = {
    "docker: a layer": (damaged(DOCKER, "/layer.tar"), "should have the digest"),
    "docker 25: a layer": (damaged(docker_25_save(LAYERS), LOWEST), "should have the digest"),
    "OCI: a layer": (damaged(OCI, layer_of(OCI)), "should have the digest"),
    "OCI: the configuration": (damaged(OCI, config_of(OCI)), "should have the digest"),
    "crane: a layer": (damaged(CRANE, ".tar.gz"), "should have the digest|not an image archive"),
    "docker: a layer is missing": (without(DOCKER, "/layer.tar"), "layer.tar is not in it"),
    "OCI: a layer is missing": (without(OCI, layer_of(OCI)), "is not in it"),
    "docker: no configuration": (without(DOCKER, "c0ffee.json"), "c0ffee.json"),
    "docker: no JSON": (with_text(DOCKER, "manifest.json", "{"), "JSONDecodeError"),
    "docker: another JSON": (with_text(DOCKER, "manifest.json", "7"), "TypeError"),
    "docker: too few layers": (with_text(DOCKER, "c0ffee.json", '{"rootfs": {"diff_ids": []}}'), "names 0 layers"),
    "OCI: a strange digest": (with_text(oci(), "index.json", ONE), "64 digits"),
    "OCI: no image": (oci(), "has no image: it has none"),
    "another archive": (Archive({"hello.txt": b"hello"}), "has neither"),
}


@pytest.mark.parametrize(("made", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_archive(tmp_path: Path, made: Archive, message: str) -> None:
    with pytest.raises(LabError, match=message):
        read(made.tar(tmp_path / "image"))


def test_an_archive_that_was_cut_off(tmp_path: Path) -> None:
    content = DOCKER.tar(tmp_path / "whole").read_bytes()
    (tmp_path / "tar").write_bytes(content[: len(content) // 2])
    (tmp_path / "tar.gz").write_bytes(gzip.compress(content)[:-100])
    for name in ("tar", "tar.gz"):
        with pytest.raises(LabError):
            read(tmp_path / name)


def test_what_is_only_compressed(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(gzip.compress(b"hello"))
    assert archives.is_archive(tmp_path / "image")
    with pytest.raises(LabError, match="not an image archive"):
        read(tmp_path / "image")


@pytest.mark.parametrize("content", [b"#!/bin/sh\n" + COMMIT.encode(), b"\x7fELF" + bytes(600)], ids=["script", "ELF"])
def test_an_executable_is_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "longhorn").write_bytes(content)
    assert not archives.is_archive(tmp_path / "longhorn")


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("longhorn-stub:1", "docker.io/library/longhorn-stub:1"),
        ("me/longhorn-stub:1", "docker.io/me/longhorn-stub:1"),
        ("localhost/stub:1", "localhost/stub:1"),
        ("registry.example.com:5000/a/b_c:v1.0-x", "registry.example.com:5000/a/b_c:v1.0-x"),
        ("registry:5000/stub:1", "registry:5000/stub:1"),
    ],
)
def test_names_in_full(text: str, full: str) -> None:
    assert references.tagged(text).full == full


@pytest.mark.parametrize(
    "text",
    ["", "stub", "localhost:5000/stub", "Stub:1", "stub:", "a//b:1", "a/b:1\nRUN x", "a@sha256:0", "-a:1", "Me/b:1"],
)
def test_what_is_no_name_for_a_new_image(text: str) -> None:
    with pytest.raises(LabError, match="name:tag"):
        references.tagged(text)
