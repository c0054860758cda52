# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees who looks at a lab with kubectl itself."""

from __future__ import annotations

import json
import subprocess
import time
import typing as t
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from longhorn_qa_lab.binaries import sources
from longhorn_qa_lab.lab import Running
from longhorn_qa_lab.progress import Progress

PATIENCE = 60.0
CRONJOB = """
apiVersion: batch/v1beta1
kind: CronJob
metadata: {name: talk}
spec:
  schedule: "0 0 29 2 *"
  jobTemplate:
    spec:
      backoffLimit: 3
      template:
        metadata: {annotations: {longhorn.qa/lab-time-scale: "0.02"}}
        spec:
          restartPolicy: OnFailure
          containers:
            - name: main
              image: longhorn-qa/lab:1
              command:
                [lab, print, "first line", until, heard, print, "last line", attempts, talk, "1", "1", print, again]
"""


class Kubectl:
    """kubectl as the lab came with it, in one namespace."""

    def __init__(self, program: Path, kubeconfig: Path, namespace: str) -> None:
        self._command = [str(program), f"--kubeconfig={kubeconfig}", f"--namespace={namespace}"]

    def run(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *words], input=text, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def __call__(self, *words: str, text: str = "") -> str:
        done = self.run(*words, text=text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen([*self._command, *words], stdout=subprocess.PIPE, text=True)


def eventually(what: str, look: t.Callable[[], t.Any]) -> t.Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not seen within {PATIENCE:.0f} s")


@pytest.fixture(scope="module", name="kubectl")
def _kubectl(lab: Running) -> Iterator[Kubectl]:
    program = sources.ensure(say=Progress()).folder / "kubectl"
    assert program.exists(), "the set of binaries has no kubectl, which every source of them but a folder of yours has"
    namespace = f"person-{uuid.uuid4().hex[:6]}"
    kubectl = Kubectl(program, lab.kubeconfig, namespace)
    kubectl("create", "namespace", namespace)
    account = ("get", "serviceaccount", "default", "-o", "jsonpath={.secrets}")
    eventually("default ServiceAccount with a token", lambda: kubectl.run(*account).stdout)
    kubectl("apply", "-f", "-", text=CRONJOB)
    yield kubectl
    kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture(scope="module", name="pod")
def _pod(kubectl: Kubectl, lab: Running) -> str:
    """A pod of a Job by hand, followed from its first line on; its container fails once and then succeeds."""
    kubectl("create", "job", "run", "--from=cronjob.v1beta1.batch/talk")
    name = str(eventually("pod", lambda: kubectl("get", "pods", "-l", "job-name=run", "-o", "name"))).strip()
    eventually("it runs", lambda: kubectl("get", name, "-o", "jsonpath={.status.phase}") == "Running")
    with kubectl.start("logs", "-f", name, f"--request-timeout={PATIENCE:.0f}s") as follower:
        assert follower.stdout is not None
        heard = follower.stdout.readline()
        (lab.kubeconfig.parent / "node" / "hostpath" / "heard").touch()
        heard += follower.stdout.read()
    assert heard == "first line\nlast line\n", "following ends with the container's run"
    kubectl("wait", "--for=condition=complete", "job/run", f"--timeout={PATIENCE:.0f}s")
    return name


def test_logs_of_both_runs(kubectl: Kubectl, pod: str) -> None:
    assert kubectl("logs", pod) == "first line\nlast line\nagain\n"
    assert kubectl("logs", "--previous", pod) == "first line\nlast line\n"
    assert kubectl("logs", "job/run", "--tail=1") == "again\n"
    assert kubectl("logs", pod, "--limit-bytes=5") == "first"
    assert kubectl("logs", pod, "--since-time=2100-01-01T00:00:00Z") == ""
    stamped = kubectl("logs", pod, "--timestamps", "--tail=1")
    assert stamped.endswith(" again\n")
    assert stamped[:2] == "20"
    assert kubectl("logs", "-f", pod) == "first line\nlast line\nagain\n", "following what has ended ends at once"


def test_logs_that_are_not_there_are_an_error(kubectl: Kubectl, pod: str) -> None:
    other = kubectl.run("logs", pod, "-c", "other")
    assert (other.returncode, "container other is not valid" in other.stderr) == (1, True)
    gone = kubectl.run("logs", "nobody")
    assert (gone.returncode, gone.stdout) == (1, "")


@pytest.mark.parametrize(
    ("what", "lines"),
    [
        pytest.param("pod", ["Restart Count:  1", "Reason:       Comp", "Exit Code:    0", "Started cont"], id="pod"),
        pytest.param("job/run", ["Pods Statuses:  0 Running / 1 Succeeded / 0 Failed", "SuccessfulCreate"], id="job"),
        pytest.param("cronjob.v1beta1.batch/talk", ["Schedule:", "0 0 29 2 *", "Concurrency Policy:"], id="cronjob"),
        pytest.param("node/lab-node", ["Ready", "KubeletReady", "Non-terminated Pods"], id="node"),
    ],
)  # fmt: skip
def test_describe(kubectl: Kubectl, pod: str, what: str, lines: list[str]) -> None:
    shown = kubectl("describe", pod if what == "pod" else what)
    assert [line for line in lines if line not in shown] == [], shown


def test_get_events(kubectl: Kubectl, pod: str) -> None:
    reasons = [item["reason"] for item in json.loads(kubectl("get", "events", "-o", "json"))["items"]]
    assert {"Scheduled", "Pulled", "Created", "Started", "SuccessfulCreate", "Completed"} <= set(reasons)
    shown = kubectl("get", "events", "--field-selector", f"involvedObject.name={pod.removeprefix('pod/')}")
    assert "Started container main" in shown
    assert "LAST SEEN" in shown


def test_get_shows_the_columns_people_know(kubectl: Kubectl, pod: str) -> None:
    assert "Completed   1" in kubectl("get", pod)
    assert "1/1" in kubectl("get", "job", "run")
    assert "Ready" in kubectl("get", "nodes")
