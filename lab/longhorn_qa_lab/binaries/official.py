# SPDX-License-Identifier: GPL-3.0-or-later
"""The projects' own release binaries, where the network allows.

Kubernetes 1.21 is the one release that serves CronJobs as batch/v1beta1 (which old Longhorn uses) and as batch/v1, and
still carries both CronJob controllers.
"""

from __future__ import annotations

import os
import tarfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

import requests

from longhorn_qa_lab.binaries import store
from longhorn_qa_lab.binaries.catalog import EXTRAS, PROGRAMS, architecture
from longhorn_qa_lab.errors import Damaged, Unavailable
from longhorn_qa_lab.progress import Progress

KUBERNETES = "v1.21.14"
ETCD = "v3.4.27"
SOURCE = "official release"

_CONNECT_SECONDS = 3.0
_READ_SECONDS = 30.0
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Addresses:
    """Where releases are fetched from; a mirror with the same layout will do."""

    kubernetes: str = "https://dl.k8s.io/release"
    etcd: str = "https://github.com/etcd-io/etcd/releases/download"

    @classmethod
    def from_environment(cls) -> Addresses:
        standard = cls()
        return cls(
            kubernetes=os.environ.get("LONGHORN_QA_KUBERNETES_URL", standard.kubernetes).rstrip("/"),
            etcd=os.environ.get("LONGHORN_QA_ETCD_URL", standard.etcd).rstrip("/"),
        )


def key() -> str:
    return f"official-{KUBERNETES}-etcd-{ETCD}-{architecture()}"


def fetch(folder: Path, addresses: Addresses, progress: Progress) -> None:
    """Fills the folder with checked programs, or raises Unavailable (not reachable) or Damaged (not what it claims)."""
    with requests.Session() as session:
        for program in (*PROGRAMS, *EXTRAS):
            if program != "etcd":
                _fetch_kubernetes(session, folder / program, base=addresses.kubernetes, progress=progress)
        _fetch_etcd(session, folder, base=addresses.etcd, progress=progress)


def _fetch_kubernetes(session: requests.Session, target: Path, *, base: str, progress: Progress) -> None:
    url = f"{base}/{KUBERNETES}/bin/linux/{architecture()}/{target.name}"
    expected = _text(session, f"{url}.sha256").split()
    _download(session, url, target=target, progress=progress)
    _compare(target, expected[0] if expected else "", url)


def _fetch_etcd(session: requests.Session, folder: Path, *, base: str, progress: Progress) -> None:
    name = f"etcd-{ETCD}-linux-{architecture()}"
    archive = folder / f"{name}.tar.gz"
    sums = (line.split() for line in _text(session, f"{base}/{ETCD}/SHA256SUMS").splitlines())
    expected = {words[1]: words[0] for words in sums if len(words) == 2}
    url = f"{base}/{ETCD}/{archive.name}"
    _download(session, url, target=archive, progress=progress)
    _compare(archive, expected.get(archive.name, ""), url)
    try:
        with tarfile.open(archive) as tar, (folder / "etcd").open("wb") as target:
            member = tar.extractfile(f"{name}/etcd")
            if member is None:
                raise KeyError(f"{name}/etcd")
            while chunk := member.read(_CHUNK):
                target.write(chunk)
    except (KeyError, tarfile.TarError) as error:
        raise Damaged(f"{url} holds no program etcd") from error
    archive.unlink()


def _compare(path: Path, expected: str, url: str) -> None:
    seen = store.sha256(path)
    if seen != expected.lower():
        raise Damaged(f"{url} has SHA-256 {seen}, but its checksum file says {expected or 'nothing'}")


def _text(session: requests.Session, url: str) -> str:
    return _get(session, url, stream=False).text


def _download(session: requests.Session, url: str, *, target: Path, progress: Progress) -> None:
    with _get(session, url, stream=True) as answer, progress.step(f"downloading {url}"):
        try:
            with target.open("wb") as stream:
                for chunk in t.cast("t.Iterator[bytes]", answer.iter_content(_CHUNK)):
                    stream.write(chunk)
        except requests.RequestException as error:
            raise Unavailable(f"{url} broke off: {error}") from error


def _get(session: requests.Session, url: str, *, stream: bool) -> requests.Response:
    try:
        answer = session.get(url, timeout=(_CONNECT_SECONDS, _READ_SECONDS), stream=stream)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise Unavailable(f"{url} cannot be fetched ({type(error).__name__})") from error
    return answer
