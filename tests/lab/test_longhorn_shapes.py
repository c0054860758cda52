# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab for each shape of Longhorn's API: what an API server that checks objects makes of them, and the manager."""

from __future__ import annotations

import typing as t

import pytest

from longhorn_qa_lab.bringup import Options
from longhorn_qa_lab.kube import ApiError
from longhorn_qa_lab.lab import running
from longhorn_qa_lab.longhorn import names
from longhorn_qa_lab.longhorn.releases import Release, release
from longhorn_qa_lab.longhorn.trial import Cell, Trial
from longhorn_qa_lab.progress import Progress

NEVER = "0 0 29 2 *"
CELL = Cell(volume="shape-1", image="", task="snapshot", job="nightly")


class Lab(t.NamedTuple):
    """A lab and the release in it."""

    row: Release
    trial: Trial

    def document(self, kind: str, name: str, /, **spec: t.Any) -> dict[str, t.Any]:
        metadata = {"name": name, "namespace": names.NAMESPACE}
        return {"apiVersion": self.row.api_version, "kind": kind, "metadata": metadata, "spec": spec}

    def create(self, plural: str, document: dict[str, t.Any]) -> None:
        self.trial.kube.create(f"{self.trial.objects}/{plural}", document)

    def refusal(self, plural: str, document: dict[str, t.Any]) -> str:
        """Why the API server does not take an object."""
        with pytest.raises(ApiError) as error:
            self.create(plural, document)
        assert error.value.status == 422
        return str(error.value)

    def versions(self) -> dict[str, str]:
        """What changes when somebody writes to an object."""
        kinds = ("volumes", "engines", "replicas", "engineimages", "instancemanagers", "backuptargets", "recurringjobs")
        found = [item for kind in (*kinds, "cronjobs") for item in self.trial.items(kind)]
        return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in found}


@pytest.fixture(scope="module", params=["v1.2.6", "v1.4.4", "v1.8.2"])
def lab(request: pytest.FixtureRequest, lab_root: str) -> t.Iterator[Lab]:
    """v1beta1 without webhooks; v1beta2 with them; tickets and targets as objects."""
    name = f"shape-{request.param.replace('.', '')}"
    with running(Options(name=name, release=request.param, poll_scale=0.2), Progress()) as started:
        trial = Trial(started.kubeconfig, patience=120.0)
        with trial.kube:
            yield Lab(release(request.param), trial)


def test_a_volume_is_attached_and_left_alone(lab: Lab) -> None:
    lab.trial.prepare([CELL])
    shown = lab.trial.volume(CELL.volume)
    assert (shown["state"], shown["robustness"], shown["disableFrontend"]) == ("attached", "healthy", True)
    attachment = lab.trial.object("volumeattachments", CELL.volume)
    assert (attachment is not None) is (lab.row.attachment == "tickets")
    body = {"name": CELL.job, "task": CELL.task, "cron": NEVER, "retain": 1}
    lab.trial.manager("POST", "/recurringjobs", body)
    lab.trial.manager("POST", f"/volumes/{CELL.volume}?action=recurringJobAdd", {"name": CELL.job})
    lab.trial.store()
    lab.trial.until("the CronJob", lambda: lab.trial.object("cronjobs", CELL.job) is not None)
    seen: list[dict[str, str]] = []

    def settled() -> bool:
        seen.append(lab.versions())
        return len(seen) > 20 and seen[-1] == seen[-20]

    lab.trial.until("nobody writes any more", settled)


def test_a_job_that_cannot_be_is_refused_by_whoever_looks_at_it(lab: Lab) -> None:
    body = {"name": "greedy", "task": "snapshot", "cron": NEVER, "retain": 5000, "concurrency": 1}
    limit = lab.row.job_rules.max_retain or 100
    words = lab.row.job_rules.retain_message.format(limit=limit)
    assert words in lab.trial.refusal("POST", "/recurringjobs", body)
    wanted = lab.document("RecurringJob", "greedy", **body)
    if lab.row.webhooks:
        told = lab.refusal("recurringjobs", wanted)
        assert told == f'admission webhook "validator.longhorn.io" denied the request: {words}'
        unknown = lab.document("RecurringJob", "strange", **body | {"name": "strange", "task": "dance"})
        assert 'spec.task: Unsupported value: "dance"' in lab.refusal("recurringjobs", unknown)
    else:
        lab.create("recurringjobs", wanted)
        assert lab.trial.object("recurringjobs", "greedy") is not None, "nobody looks at objects before 1.3"


def test_a_volume_written_by_hand(lab: Lab) -> None:
    spec = {"size": str(32 << 20), "frontend": "blockdev", "engineImage": "me:1", "colour": "red"}
    lab.create("volumes", lab.document("Volume", "hand-made", **spec))
    made = lab.trial.object("volumes", "hand-made") or {}
    if lab.row.webhooks:
        assert lab.row.image_of(made["spec"]) == lab.row.engine_image
        assert "colour" not in made["spec"], "the API server drops what the structure does not have"
        lab.trial.until_state("hand-made", "detached")
    else:
        assert (made["spec"], made["metadata"].get("finalizers")) == (spec, None), "nobody completes it"
    lab.trial.kube.delete(f"{lab.trial.objects}/volumes/hand-made")
    lab.trial.until("it is gone", lambda: lab.trial.object("volumes", "hand-made") is None)
