# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the programs come from: the order of sources, and that a wrong byte never runs."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from longhorn_qa_lab.binaries import apt, debian, official, sources, store
from longhorn_qa_lab.binaries.catalog import EXTRAS, PROGRAMS, Binaries, architecture
from longhorn_qa_lab.errors import LabError, Missing, Unavailable
from longhorn_qa_lab.progress import Progress

NOWHERE = official.Addresses(kubernetes="http://127.0.0.1:9/release", etcd="http://127.0.0.1:9/etcd")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def program(name: str) -> bytes:
    return f"#!/bin/sh\necho {name} v9.9.9\n".encode()


def fill(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        (folder / name).write_bytes(program(name))
        (folder / name).chmod(0o755)
    return folder


def official_layout(root: Path) -> None:
    """The two projects' release pages, as far as they are asked for."""
    releases = root / "release" / official.KUBERNETES / "bin" / "linux" / architecture()
    releases.mkdir(parents=True)
    for name in (*PROGRAMS, *EXTRAS):
        if name != "etcd":
            (releases / name).write_bytes(program(name))
            (releases / f"{name}.sha256").write_text(hashlib.sha256(program(name)).hexdigest())
    etcd = root / "etcd" / official.ETCD
    etcd.mkdir(parents=True)
    title = f"etcd-{official.ETCD}-linux-{architecture()}"
    archive = etcd / f"{title}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo(f"{title}/etcd")
        member.size = len(program("etcd"))
        tar.addfile(member, io.BytesIO(program("etcd")))
    (etcd / "SHA256SUMS").write_text(f"{hashlib.sha256(archive.read_bytes()).hexdigest()}  {archive.name}\n")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, official.Addresses]]:
    """A local server with both projects' files, and its addresses."""
    root = tmp_path / "served"
    official_layout(root)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    yield root, official.Addresses(kubernetes=f"{base}/release", etcd=f"{base}/etcd")
    server.shutdown()
    thread.join()
    server.server_close()


class Builds:
    """Stands in for the Debian build and counts how often it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr(debian, "build", self._build)
        monkeypatch.setattr(debian, "check", lambda root: None)

    def _build(self, workspace: Path, into: Path, progress: Progress) -> None:
        self.count += 1
        workspace.mkdir()
        (workspace / "a-gigabyte-of-compiler-cache").touch()
        fill(into)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> Builds:
    monkeypatch.delenv("LONGHORN_QA_ASSETS", raising=False)
    return Builds(monkeypatch)


def ensure(cache: Path, addresses: official.Addresses = NOWHERE, told: list[str] | None = None) -> Binaries:
    return sources.ensure(cache=cache, addresses=addresses, say=(told if told is not None else []).append)


def test_official_release_is_taken_when_it_can_be_had(
    tmp_path: Path, served: tuple[Path, official.Addresses], builds: Builds
) -> None:
    found = ensure(tmp_path / "cache", served[1])
    assert found.source == "official release"
    assert found.kubernetes == official.KUBERNETES
    assert {name: path.read_bytes() for name, path in found.programs.items()} == {
        name: program(name) for name in (*PROGRAMS, *EXTRAS)
    }
    assert all(path.stat().st_mode & 0o111 for path in found.programs.values())
    assert builds.count == 0


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(f"release/{official.KUBERNETES}/bin/linux/{architecture()}/kube-apiserver", id="a program"),
        pytest.param(
            f"etcd/{official.ETCD}/etcd-{official.ETCD}-linux-{architecture()}.tar.gz", id="the archive of etcd"
        ),
        pytest.param(f"etcd/{official.ETCD}/SHA256SUMS", id="a list of checksums"),
    ],
)
def test_official_release_with_a_wrong_checksum_is_refused(
    tmp_path: Path, served: tuple[Path, official.Addresses], builds: Builds, spoil: str
) -> None:
    file = served[0] / spoil
    file.write_bytes(b"-" + file.read_bytes()[1:])
    told: list[str] = []
    found = ensure(tmp_path / "cache", served[1], told)
    assert found.source == "Debian source build"
    assert any("refused" in line and "SHA-256" in line for line in told)
    assert not (tmp_path / "cache" / official.key()).exists()


def test_without_network_the_source_is_built_once(tmp_path: Path, builds: Builds) -> None:
    told: list[str] = []
    first = ensure(tmp_path / "cache", told=told)
    assert first.source == "Debian source build"
    assert any("cannot be had here" in line for line in told)
    assert ensure(tmp_path / "cache") == first
    assert builds.count == 1


def test_what_a_build_leaves_is_one_set_and_no_more(tmp_path: Path, builds: Builds) -> None:
    ensure(tmp_path / "cache")
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [debian.key(), "lock"]


def test_what_a_killed_build_left_is_removed(tmp_path: Path, builds: Builds) -> None:
    left = tmp_path / "cache" / "work-killed"
    left.mkdir(parents=True)
    ensure(tmp_path / "cache")
    assert not left.exists()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_corrupted_cache_is_noticed_and_replaced(tmp_path: Path, builds: Builds, name: str) -> None:
    damaged = ensure(tmp_path / "cache")[name]
    damaged.write_bytes(b"#!/bin/sh\nexit 0\n")
    told: list[str] = []
    assert ensure(tmp_path / "cache", told=told)[name].read_bytes() == program(name)
    assert any("damaged" in line and name in line for line in told)
    assert builds.count == 2


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"sha256": {}, "source": "", "kubernetes": ""}'],
    ids=["empty", "cut off", "something else", "no program named"],
)
def test_an_unreadable_manifest_counts_as_damage(tmp_path: Path, builds: Builds, text: str) -> None:
    found = ensure(tmp_path / "cache")
    (found.folder / store.MANIFEST).write_text(text)
    ensure(tmp_path / "cache")
    assert builds.count == 2


def test_two_starts_build_once(tmp_path: Path, builds: Builds) -> None:
    starts = [threading.Thread(target=ensure, args=(tmp_path / "cache",)) for _ in range(4)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert builds.count == 1


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path, builds: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(workspace: Path, into: Path, progress: Progress) -> None:
        workspace.mkdir()
        raise Unavailable("the archive is closed today")

    monkeypatch.setattr(debian, "build", fail)
    with pytest.raises(LabError, match=r"No source of the control plane's programs works here.*closed today"):
        ensure(tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["lock"]


def test_a_full_disk_is_said_so(tmp_path: Path, builds: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(workspace: Path, into: Path, progress: Progress) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(debian, "build", full)
    with pytest.raises(LabError, match="is full: free some space"):
        ensure(tmp_path / "cache")


class TestAssetsFolder:
    """Programs that the user brought along."""

    def test_it_comes_before_everything(self, tmp_path: Path, builds: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = fill(tmp_path / "assets")
        monkeypatch.setenv("LONGHORN_QA_ASSETS", str(folder))
        found = ensure(tmp_path / "cache")
        assert (found.source, found.kubernetes, found["etcd"]) == ("assets", "v9.9.9", folder / "etcd")
        assert builds.count == 0
        assert not (tmp_path / "cache").exists()

    def test_a_missing_program_is_named(self, tmp_path: Path) -> None:
        folder = fill(tmp_path / "assets")
        (folder / "etcd").unlink()
        with pytest.raises(LabError, match=r"lacks etcd: it needs etcd, kube-apiserver"):
            sources.ensure(assets_folder=folder)

    def test_a_program_that_may_not_run_is_named(self, tmp_path: Path) -> None:
        folder = fill(tmp_path / "assets")
        (folder / "kube-apiserver").chmod(0o644)
        with pytest.raises(LabError, match=r"not executable: kube-apiserver\. Run chmod"):
            sources.ensure(assets_folder=folder)

    def test_a_folder_that_does_not_exist_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(LabError, match=r"does not exist: correct LONGHORN_QA_ASSETS"):
            sources.ensure(assets_folder=tmp_path / "nowhere")

    def test_its_own_checksums_are_believed(self, tmp_path: Path) -> None:
        folder = fill(tmp_path / "assets")
        digest = hashlib.sha256(program("etcd")).hexdigest()
        (folder / "SHA256SUMS").write_text(f"{digest}  etcd\n{'0' * 64}  README\n")
        assert sources.ensure(assets_folder=folder).source == "assets"
        (folder / "SHA256SUMS").write_text(f"{'0' * 64}  etcd\n")
        with pytest.raises(LabError, match=r"does not match its checksums.*etcd"):
            sources.ensure(assets_folder=folder)


class TestAptSources:
    """The machine's own sources, in both formats, become one private source."""

    def test_one_line_format(self, tmp_path: Path) -> None:
        (tmp_path / "sources.list").write_text(
            "# a comment\n"
            "deb-src http://mirror.example/debian bookworm main\n"
            "deb [arch=amd64 signed-by=/usr/share/keyrings/k.gpg] http://mirror.example/debian bookworm main contrib\n"
        )
        assert apt.private_sources(apt.read_sources(tmp_path)) == (
            "Types: deb deb-src\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n"
            "Signed-By: /usr/share/keyrings/k.gpg\n"
        )

    def test_stanza_format_with_a_key_inside(self, tmp_path: Path) -> None:
        folder = tmp_path / "sources.list.d"
        folder.mkdir()
        (folder / "other.sources").write_text("Types: deb\nURIs: http://other.example/node\nSuites: any\n")
        (folder / "debian.sources").write_text(
            "Types: deb\nURIs: http://mirror.example/debian-security\nSuites: trixie-security\nComponents: main\n"
            "\n# next\nTypes: deb\nURIs: http://mirror.example/debian/\nSuites: trixie trixie-updates\n"
            "Components: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n"
        )
        text = apt.private_sources(apt.read_sources(tmp_path))
        assert "URIs: http://mirror.example/debian/\nSuites: bookworm\n" in text
        assert text.endswith("Signed-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n")

    @pytest.mark.parametrize(
        "text",
        ["", "deb http://mirror.example/ubuntu noble main\n", "deb http://mirror.example/debian-security x main\n"],
        ids=["none", "another distribution", "only updates of security"],
    )
    def test_no_debian_archive_is_one_clear_sentence(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "sources.list").write_text(text)
        with pytest.raises(Missing, match=r"needs a Debian archive.*LONGHORN_QA_ASSETS"):
            apt.private_sources(apt.read_sources(tmp_path))

    def test_a_disabled_stanza_is_not_used(self, tmp_path: Path) -> None:
        folder = tmp_path / "sources.list.d"
        folder.mkdir()
        (folder / "debian.sources").write_text("Enabled: no\nTypes: deb\nURIs: http://m.example/debian\nSuites: x\n")
        assert apt.read_sources(tmp_path) == []

    def test_nothing_of_the_system_is_written(self, tmp_path: Path) -> None:
        etc = tmp_path / "etc"
        etc.mkdir()
        (etc / "sources.list").write_text("deb http://mirror.example/debian bookworm main\n")
        folder = tmp_path / "private"
        apt.Apt(folder, etc)
        config = (folder / "apt.conf").read_text()
        for setting in ("Dir::State::Lists", "Dir::Cache", "Dir::Etc::SourceList", "Dir::Etc::SourceParts"):
            assert f'{setting} "{folder}' in config


def test_missing_tools_are_named_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match="needs apt-get, dpkg-deb, tar, which this machine lacks"):
        debian.check(tmp_path)


def test_too_little_disk_is_said_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(debian, "_SPACE_NEEDED", 1 << 60)
    with pytest.raises(Missing, match="GiB of free disk for a few minutes"):
        debian.check(tmp_path)


def test_the_manifest_names_every_program(tmp_path: Path, builds: Builds) -> None:
    found = ensure(tmp_path / "cache")
    manifest = json.loads((found.folder / store.MANIFEST).read_text())
    assert set(manifest["sha256"]) == set(PROGRAMS)
    assert manifest["source"] == "Debian source build"
