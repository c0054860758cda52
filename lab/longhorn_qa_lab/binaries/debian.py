# SPDX-License-Identifier: GPL-3.0-or-later
"""The control plane built from Debian's source package, for machines that reach a Debian archive and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from longhorn_qa_lab.binaries import apt, kubernetes_source
from longhorn_qa_lab.binaries.catalog import architecture
from longhorn_qa_lab.errors import LabError, Missing
from longhorn_qa_lab.processes import die_with_parent
from longhorn_qa_lab.progress import Progress

KUBERNETES = kubernetes_source.VERSION
SOURCE = "Debian source build"

_RECIPE = 1
"""To be raised whenever the outcome of the recipe changes, so that old sets are not reused."""

_GO = "golang-1.19"
_GO_ROOT = "usr/lib/go-1.19"
_REFLECT = "golang-github-modern-go-reflect2-dev"
_REFLECT_FOLDER = "usr/share/gocode/src/github.com/modern-go/reflect2"
_PACKAGES = (f"{_GO}-go", f"{_GO}-src", _REFLECT, "etcd-server", "kubernetes-client")
_SPACE_NEEDED = 3 << 30
_REPORT_SECONDS = 10.0
_LAST_LINES = 15


def key() -> str:
    return f"debian-{KUBERNETES}-r{_RECIPE}-{architecture()}"


def check(root: Path) -> None:
    """One clear sentence before minutes of work."""
    apt.check_tools()
    free = shutil.disk_usage(root).free
    if free < _SPACE_NEEDED:
        raise Missing(
            f"Building the control plane needs {_SPACE_NEEDED >> 30} GiB of free disk for a few minutes, but {root} "
            f"has {free / (1 << 30):.1f} GiB: free some space, or point elsewhere with XDG_CACHE_HOME."
        )


def build(workspace: Path, into: Path, progress: Progress) -> None:
    """Downloads, prepares and compiles; leaves the programs in the folder `into`."""
    downloads = workspace / "downloads"
    private = apt.Apt(workspace / "apt")
    with progress.step("reading Debian's package lists (18 MB)"):
        private.update()
    with progress.step("downloading Go, etcd and the Kubernetes source from Debian (130 MB)"):
        private.download(_PACKAGES, downloads)
        private.download_source("kubernetes", downloads)
    with progress.step("unpacking and preparing the source"):
        root = workspace / "root"
        apt.unpack(sorted(downloads.glob("*.deb")), root)
        tree = _unpack_source(downloads, workspace / "go")
        kubernetes_source.replace_reflection(tree, root / _REFLECT_FOLDER)
        kubernetes_source.serve_cronjobs_as_v1(tree)
        shutil.rmtree(downloads)
    go = _Go(tree=tree, gopath=workspace / "go", root=root / _GO_ROOT, progress=progress)
    go.compile(kubernetes_source.OPENAPI_GENERATOR, into=workspace / "bin", title="compiling the OpenAPI generator")
    with progress.step("generating the OpenAPI definitions"):
        go.run([str(workspace / "bin/openapi-gen"), *kubernetes_source.openapi_arguments(tree, workspace / "go")])
    go.compile(
        *(f"./cmd/{name}" for name in kubernetes_source.COMMANDS),
        into=into,
        title="compiling the control plane (once; 3 to 5 minutes on two cores)",
        options=["-tags", kubernetes_source.TAGS, "-ldflags", kubernetes_source.link_flags()],
    )
    shutil.copy2(root / "usr/bin/etcd", into / "etcd")
    shutil.copy2(root / "usr/bin/kubectl", into / "kubectl")


def _unpack_source(downloads: Path, gopath: Path) -> Path:
    """Debian's own patches concern kubectl's printing only, so the upstream tarball is all there is to unpack."""
    archives = sorted(downloads.glob("kubernetes_*.orig.tar.gz"))
    if len(archives) != 1:
        raise LabError(f"Debian's Kubernetes source has {len(archives)} upstream archives, expected one.")
    parent = gopath / "src" / "k8s.io"
    parent.mkdir(parents=True)
    apt.call(["tar", "-xzf", str(archives[0]), "-C", str(parent)])
    unpacked = parent / f"kubernetes-{KUBERNETES.lstrip('v')}"
    if not unpacked.is_dir():
        raise LabError(
            f"Debian's Kubernetes source is {archives[0].name}, expected version {KUBERNETES}: use an assets folder "
            "(LONGHORN_QA_ASSETS) until the recipe is mended."
        )
    return unpacked.rename(parent / "kubernetes")


class _Go:
    """The unpacked compiler, shut off from the machine's settings and from the network."""

    def __init__(self, *, tree: Path, gopath: Path, root: Path, progress: Progress) -> None:
        self._tree = tree
        self._go = root / "bin" / "go"
        self._progress = progress
        temporary = gopath / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        self._environment: Mapping[str, str] = {
            "PATH": f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(gopath),
            "GOROOT": str(root),
            "GOPATH": str(gopath),
            "GOCACHE": str(gopath / "cache"),
            "GOTMPDIR": str(temporary),
            "TMPDIR": str(temporary),
            "GO111MODULE": "off",
            "GOPROXY": "off",
            "GOFLAGS": "",
            "GOENV": "off",
            "CGO_ENABLED": "0",
        }

    def run(self, command: Sequence[str]) -> None:
        done = subprocess.run(
            command,
            cwd=self._tree,
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=die_with_parent,
        )
        if done.returncode != 0:
            raise LabError(_failure(command[0], done.returncode, done.stdout.splitlines()))

    def compile(self, *packages: str, into: Path, title: str, options: Sequence[str] = ()) -> None:
        """Counts the packages that Go reports, because the wait is minutes long."""
        into.mkdir(parents=True, exist_ok=True)
        command = [str(self._go), "build", "-v", "-p", str(_jobs()), "-trimpath", *options, "-o", f"{into}/", *packages]
        self._progress(title)
        lines: list[str] = []
        told = time.monotonic()
        with subprocess.Popen(
            command,
            cwd=self._tree,
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=die_with_parent,
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    lines.append(line.rstrip())
                    if time.monotonic() - told >= _REPORT_SECONDS:
                        told = time.monotonic()
                        self._progress(f"{title}: {len(lines)} packages so far")
            except BaseException:
                process.kill()
                process.wait()
                raise
        if process.returncode != 0:
            raise LabError(_failure("go build", process.returncode, lines))


def _jobs() -> int:
    """One compiler per core, as long as each has a gigabyte to work in."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(os.cpu_count() or 1, free >> 30))


def _failure(command: str, status: int, lines: Sequence[str]) -> str:
    apt.check_for_full_disk(lines)
    told = "\n  ".join(lines[-_LAST_LINES:])
    return f"{command} failed with status {status}; its last lines:\n  {told}"
