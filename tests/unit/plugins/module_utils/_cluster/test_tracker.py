# SPDX-License-Identifier: GPL-3.0-or-later
"""When an invocation is over as far as a recording goes."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.tracker import Tracker

Clock = t.Any
JOB = {
    "metadata": {"name": "c-29000000", "uid": "j", "ownerReferences": [
        {"kind": "CronJob", "name": "c", "controller": True}]},
    "status": {"conditions": [{"type": "Complete", "status": "True"}]},
}  # fmt: skip
POD = {"metadata": {"name": "c-29000000-abcde", "uid": "p", "labels": {"job-name": "c-29000000"}}}


@pytest.mark.parametrize("pod_first", [pytest.param(False, id="job first"), pytest.param(True, id="pod first")])
def test_a_job_is_not_settled_while_the_log_of_its_pod_is_read(clock: Clock, *, pod_first: bool) -> None:
    tracker = Tracker({"c"}, clock.now(), clock.monotonic, settle=1.0, grace=2.0)
    tells = [lambda: tracker.job(JOB), lambda: tracker.pod(POD)]
    for tell in reversed(tells) if pod_first else tells:
        tell()
    clock.sleep(10.0)
    (invocation,) = tracker.invocations.values()
    assert not tracker.settled(invocation, lambda pods: len(pods & {"p"}))
    assert tracker.settled(invocation, lambda pods: len(pods - {"p"}))
