# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame of every fault: two CronJobs in a namespace of their own, a recording, and the reckoning afterwards."""

from __future__ import annotations

import typing as t
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


class Scene:
    """``record`` makes a recording to be troubled; ``settle`` waits for its end and compares it with the truth."""

    def __init__(self, lab: Running, folder: Path, name: str) -> None:
        self.lab = lab
        self.name = name
        self.folder = folder
        self.control_plane = ControlPlane(lab)
        self.client: Client = connect({"kubeconfig": str(lab.kubeconfig)})
        namespace = f"faults-{name}"
        self.workloads = [Workload(namespace, PLAIN), failing_once(namespace, RETRIED)]
        for workload in self.workloads:
            workload.create(self.client)

    def record(self, *, access: dict[str, t.Any] | None = None, **options: t.Any) -> Recording:
        """job_record on the two CronJobs."""
        way = access or {"kubeconfig": str(self.lab.kubeconfig)}
        return Recording(self.folder, self.workloads, access=way, **options)

    def kubeconfig(self, server: str) -> dict[str, t.Any]:
        """The administrator's way in by another address."""
        document = yaml.safe_load(self.lab.kubeconfig.read_text())
        document["clusters"][0]["cluster"]["server"] = server
        return {"kubeconfig": document}

    def settle(self, recording: Recording, *, invocations: int, within: float) -> truth.Account:
        """The reckoning; every figure is printed."""
        answer = recording.result(within=within)
        self.control_plane.await_ready()
        history = recording.read()
        ended = next(record.at for record in history.records if isinstance(record, model.End))
        happened = truth.take(
            self.client,
            Path(self.lab.description.folder),
            history.subjects.cells,
            namespace=self.workloads[0].namespace,
            before=ended,
        )
        account = FIGURES[self.name] = truth.compare(history, happened)
        print(f"\n{answer['ended']}: {answer['records']} records; {account}")
        for line in (*(f"SILENT: {lost}" for lost in account.lost), *account.admitted, *_told(history)):
            print(f"  {line}")
        told = verdicts.verdicts(history)
        print("  " + "; ".join(f"{v} {c}: {told[v][c]}" for v in told for c in verdicts.KNOWABLE))
        assert history.damage == ()
        assert answer["ended"] == "invocations"
        assert all(done >= invocations for done in answer["invocations"].values()), answer
        assert account.logs >= 2 * invocations + 1  # the run that failed is one more
        assert account.lost == []
        assert verdicts.wrong(history, bad={RETRIED: {"single-attempt"}}) == []
        return account


def _told(history: model.History) -> t.Iterator[str]:
    for record in history.records:
        if isinstance(record, model.Gap):
            until = f"{record.until:%H:%M:%S}" if record.until else "the end"
            since = f"{record.since:%H:%M:%S}" if record.since else "the beginning"
            yield f"gap in {record.kind} {record.subject} from {since} to {until}: {record.reason}"
        elif isinstance(record, model.Note):
            yield f"note: {record.text}"
