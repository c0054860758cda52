# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurring jobs of a simulated Longhorn as what is recorded: with artefacts, and logs that have no end.

Next to nothing is cleaned up, so that what was made is there when the truth is taken.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

from tests.faults import truth, verdicts
from tests.faults.recording import Recording
from tests.faults.scene import Frame

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.tracker import volume_of
from ansible_collections.longhorn.qa.plugins.module_utils._history import records
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.fault_cells import Wish, plan_by_fault
from ansible_collections.longhorn.qa.plugins.module_utils._module import (
    longhorn_backup_target,
    longhorn_recurring_job,
    longhorn_volume,
)
from longhorn_qa_lab.lab import Running
from longhorn_qa_lab.longhorn import trial

RELEASE = "v1.4.4"  # the last one whose engines have a log of their own, and one whose artefacts are objects
NAMESPACE = "longhorn-system"
_RETAIN = 50
_JOBS_KEPT = "recurring-successful-jobs-history-limit"
_NEVER = "0 0 29 2 *"
_WAIT = {"wait": True, "wait_timeout": 120}


class LonghornScene(Frame):
    """One volume that is snapshotted and one that is backed up, by the product's own modules."""

    def __init__(self, lab: Running, folder: Path, name: str) -> None:
        super().__init__(lab, folder, name, namespace=NAMESPACE, release=RELEASE)
        wish = Wish(
            release=RELEASE, tasks=["snapshot", "backup"], run_id=name, cron=_NEVER, effects=["none"], retain=_RETAIN
        )
        self._cells = plan_by_fault(wish).cells
        person = trial.Trial(lab.kubeconfig)
        with person.kube:
            person.store()
            person.manager("PUT", f"/settings/{_JOBS_KEPT}", {"value": str(_RETAIN)})
        target = {"url": f"s3://{trial.BUCKET}@us-east-1/", "credential_secret": trial.SECRET}
        self._have(longhorn_backup_target, **target)
        for cell in self._cells:
            self._have(longhorn_volume, name=cell.volume, state="attached", size="64Mi", number_of_replicas=1)
            job = {"name": cell.job, "task": cell.task, "cron": cell.cron, "retain": cell.retain, "concurrency": 1}
            self._have(longhorn_recurring_job, volume=cell.volume, **job)

    @property
    def cells(self) -> list[dict[str, t.Any]]:
        """The volumes."""
        return [records.plain(cell) for cell in self._cells]

    def settle(self, recording: Recording, *, invocations: int, within: float) -> truth.Account:
        """The reckoning; and no artefact of too many or too few passes."""
        done = self.reckon(recording, invocations=invocations, within=within)
        told = verdicts.verdicts(done.history)
        for cell in self._cells:
            kind = "backups" if cell.makes_backups else "snapshots"  # of a backup's snapshots only the last one stays
            made = sum(volume_of(thing) == cell.volume for thing in done.happened.objects[kind].values())
            wanted = done.answer["invocations"][cell.volume]
            verdict = told[cell.volume][f"one-{kind[:-1]}-per-invocation"]
            print(f"  {cell.volume}: {made} {kind} of {wanted} invocations: {verdict}")
            assert verdict != ("fail" if made == wanted else "pass")
        assert done.account.artefacts >= 2 * invocations
        assert done.account.services >= 2  # the manager's log and the engine's
        assert done.account.logs >= done.account.services + 2 * invocations
        return done.account

    def _have(self, module: t.Any, **params: t.Any) -> None:
        common = {"namespace": NAMESPACE, "longhorn_release": RELEASE, "run_id": "", "state": "present"}
        module.run({**common, **_WAIT, **params}, check_mode=False, client=self.client)
