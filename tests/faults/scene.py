# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame of every fault: something to record, a recording, and the reckoning afterwards."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml
from tests.faults import truth, verdicts
from tests.faults.control_plane import ControlPlane
from tests.faults.recording import Recording
from tests.faults.workload import Workload, failing_once

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, connect
from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from longhorn_qa_lab.lab import Running

PLAIN, RETRIED = "plain", "retried"
FIGURES: dict[str, truth.Account] = {}
"""What each reckoning of this session found, by the fault's name; shown at its end."""


@dataclass(frozen=True)
class Reckoning:
    """The end of a recording, and what really happened."""

    answer: dict[str, t.Any]
    history: model.History
    happened: truth.Truth
    account: truth.Account


class Frame:
    """``record`` makes a recording to be troubled; ``reckon`` waits for its end and compares it with the truth."""

    def __init__(self, lab: Running, folder: Path, name: str, *, namespace: str, release: str) -> None:
        self.lab = lab
        self.name = name
        self.folder = folder
        self.control_plane = ControlPlane(lab)
        self.client: Client = connect({"kubeconfig": str(lab.kubeconfig)})
        self.namespace = namespace
        self.release = release

    @property
    def cells(self) -> list[dict[str, t.Any]]:
        """What is recorded."""
        raise NotImplementedError

    def record(self, *, access: dict[str, t.Any] | None = None, **options: t.Any) -> Recording:
        """job_record on the cells."""
        way = access or {"kubeconfig": str(self.lab.kubeconfig)}
        place = {"namespace": self.namespace, "longhorn_release": self.release}
        return Recording(self.folder, self.cells, access=way, **place, **options)

    def kubeconfig(self, server: str) -> dict[str, t.Any]:
        """The administrator's way in by another address."""
        document = yaml.safe_load(self.lab.kubeconfig.read_text())
        document["clusters"][0]["cluster"]["server"] = server
        return {"kubeconfig": document}

    def reckon(self, recording: Recording, *, invocations: int, within: float) -> Reckoning:
        """Every figure is printed."""
        answer = recording.result(within=within)
        self.control_plane.await_ready()
        history = recording.read()
        happened = truth.take(self.client, Path(self.lab.description.folder), history, namespace=self.namespace)
        account = FIGURES[self.name] = truth.compare(history, happened)
        print(f"\n{answer['ended']}: {answer['records']} records; {account}")
        for line in (*(f"SILENT: {lost}" for lost in account.lost), *account.admitted, *_told(history)):
            print(f"  {line}")
        assert history.damage == ()
        assert answer["ended"] == "invocations"
        assert all(done >= invocations for done in answer["invocations"].values()), answer
        assert account.lost == []
        return Reckoning(answer, history, happened, account)


class Scene(Frame):
    """Two CronJobs without Longhorn in a namespace of their own, whose pods say a known text."""

    def __init__(self, lab: Running, folder: Path, name: str) -> None:
        namespace = f"faults-{name}"
        super().__init__(lab, folder, name, namespace=namespace, release="2020-06")
        self.workloads = [Workload(namespace, PLAIN), failing_once(namespace, RETRIED)]
        for workload in self.workloads:
            workload.create(self.client)

    @property
    def cells(self) -> list[dict[str, t.Any]]:
        """The CronJobs."""
        return [workload.cell for workload in self.workloads]

    def settle(self, recording: Recording, *, invocations: int, within: float) -> truth.Account:
        """The reckoning, and what the judge says."""
        done = self.reckon(recording, invocations=invocations, within=within)
        told = verdicts.verdicts(done.history)
        print("  " + "; ".join(f"{v} {c}: {told[v][c]}" for v in told for c in verdicts.KNOWABLE))
        assert done.account.logs >= 2 * invocations + 1  # the run that failed is one more
        assert verdicts.wrong(done.history, bad={RETRIED: {"single-attempt"}}) == []
        return done.account


def _told(history: model.History) -> t.Iterator[str]:
    for record in history.records:
        if isinstance(record, model.Gap):
            until = f"{record.until:%H:%M:%S}" if record.until else "the end"
            since = f"{record.since:%H:%M:%S}" if record.since else "the beginning"
            yield f"gap in {record.kind} {record.subject} from {since} to {until}: {record.reason}"
        elif isinstance(record, model.Note):
            yield f"note: {record.text}"
