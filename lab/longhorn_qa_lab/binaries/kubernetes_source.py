# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be changed in Debian's Kubernetes 1.20 source before it builds and serves what the lab needs."""

from __future__ import annotations

import shutil
from pathlib import Path

from longhorn_qa_lab.errors import LabError

VERSION = "v1.20.2"
PACKAGE = "k8s.io/kubernetes"
COMMANDS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
TAGS = "providerless,dockerless"
OPENAPI_GENERATOR = "./vendor/k8s.io/kube-openapi/cmd/openapi-gen"

_OPENAPI_MARK = b"+k8s:openapi-gen="
_OPENAPI_OUTPUT = "pkg/generated/openapi"
_OPENAPI_SKIP = ("code-generator", "sample-apiserver")

_INSTALL = Path("pkg/apis/batch/install/install.go")
_STORAGE = Path("pkg/registry/batch/rest/storage_batch.go")

_IMPORT = "import (\n"
_IMPORT_TYPES = '\tcronjobtypes "k8s.io/api/batch/v1beta1"\n'
_PRIORITY = "\tutilruntime.Must(scheme.SetVersionPriority(v1.SchemeGroupVersion"
_REGISTER = "\tscheme.AddKnownTypes(v1.SchemeGroupVersion, &cronjobtypes.CronJob{}, &cronjobtypes.CronJobList{})\n"
_JOBS = '\tstorage["jobs/status"] = jobsStatusStorage\n'
_CRONJOBS = """\tcronJobs, cronJobsStatus, err := cronjobstore.NewREST(restOptionsGetter)
\tif err != nil {
\t\treturn storage, err
\t}
\tstorage["cronjobs"] = cronJobs
\tstorage["cronjobs/status"] = cronJobsStatus
"""


def serve_cronjobs_as_v1(tree: Path) -> None:
    """Clients of today ask for batch/v1: the same objects are served under both versions."""
    _insert(tree / _INSTALL, after=_IMPORT, text=_IMPORT_TYPES)
    _insert(tree / _INSTALL, before=_PRIORITY, text=_REGISTER)
    _insert(tree / _STORAGE, after=_JOBS, text=_CRONJOBS)


def replace_reflection(tree: Path, newer: Path) -> None:
    """The vendored reflect2 panics on the first write when built by Go 1.18 or later."""
    vendored = tree / "vendor/github.com/modern-go/reflect2"
    shutil.rmtree(vendored)
    shutil.copytree(newer, vendored)


def openapi_arguments(tree: Path, gopath: Path) -> list[str]:
    """The source package lacks the generated OpenAPI definitions; these arguments make them."""
    return [
        "--logtostderr",
        "--go-header-file",
        str(tree / "vendor/k8s.io/code-generator/hack/boilerplate.go.txt"),
        "--output-file-base",
        "zz_generated.openapi",
        "--output-package",
        f"{PACKAGE}/{_OPENAPI_OUTPUT}",
        "--output-base",
        str(gopath / "src"),
        "--report-filename",
        str(gopath / "openapi-violations"),
        "--input-dirs",
        ",".join(_openapi_packages(tree)),
    ]


def link_flags() -> str:
    """What the programs answer when asked for their version."""
    values = {
        "gitVersion": VERSION,
        "gitMajor": "1",
        "gitMinor": "20",
        "gitTreeState": "clean",
        "gitCommit": "debian",
        "buildDate": "2021-01-13T00:00:00Z",
    }
    packages = ("component-base/version", "client-go/pkg/version")
    sets = [
        f"-X {PACKAGE}/vendor/k8s.io/{package}.{name}={value}" for package in packages for name, value in values.items()
    ]
    return " ".join(["-s", "-w", *sets])


def _openapi_packages(tree: Path) -> list[str]:
    """Every package that asks for definitions; vendored Kubernetes packages are links into the staging area."""
    folders = [tree / "pkg", tree / "cmd"]
    folders += [path for path in (tree / "vendor/k8s.io").iterdir() if path.name not in _OPENAPI_SKIP]
    found = set()
    for folder in folders:
        for source in folder.resolve().rglob("*.go"):
            if _OPENAPI_MARK in source.read_bytes():
                found.add(folder / source.parent.relative_to(folder.resolve()))
    return sorted(f"{PACKAGE}/{path.relative_to(tree)}" for path in found)


def _insert(path: Path, *, text: str, after: str = "", before: str = "") -> None:
    source = path.read_text(encoding="utf-8")
    anchor = after or before
    if source.count(anchor) != 1:
        raise LabError(
            f"Debian's Kubernetes source has changed: {path.name} holds {anchor.strip()!r} {source.count(anchor)} "
            "times, expected once. Use an assets folder (LONGHORN_QA_ASSETS) until the recipe is mended."
        )
    path.write_text(source.replace(anchor, after + text + before), encoding="utf-8")
