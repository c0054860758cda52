# SPDX-License-Identifier: GPL-3.0-or-later
"""CronJobs without Longhorn, whose pods say a known text; how to make them, and what they are as cells of a run."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client

IMAGE = "longhorn-qa/lab:1"
NEVER = "0 0 29 2 *"
_LONG_LINE = 40000  # longer than two parts of a node's log
WORDS = ("print", "begin", "lines", "200", "sleep", "2", "spew", str(_LONG_LINE), "lines", "200", "print", "end")
ONCE_MORE = ("print", "begin", "lines", "50", "sleep", "1", "attempts")


@dataclass(frozen=True)
class Workload:
    """One CronJob in the namespace."""

    namespace: str
    name: str
    words: tuple[str, ...] = WORDS

    @property
    def cell(self) -> dict[str, t.Any]:
        """The cell of a recording; no volume of this name exists."""
        return {"volume": self.name, "task": "snapshot", "job": "c", "cronjob": f"{self.name}-c", "cron": NEVER}

    def create(self, client: Client) -> None:
        """The namespace and the CronJob, which nothing but a hand ever starts; everything it makes stays."""
        if client.find(kinds.NAMESPACES, self.namespace) is None:
            client.create(kinds.NAMESPACES, {"metadata": {"name": self.namespace}})
        container = {"name": "worker", "image": IMAGE, "command": ["lab", *self.words]}
        pod = {
            "metadata": {"annotations": {"longhorn.qa/lab-time-scale": "0.1"}},
            "spec": {"restartPolicy": "OnFailure", "containers": [container], "terminationGracePeriodSeconds": 1},
        }
        spec = {
            "schedule": NEVER,
            "successfulJobsHistoryLimit": 50,
            "failedJobsHistoryLimit": 50,
            "jobTemplate": {"spec": {"backoffLimit": 3, "template": pod}},
        }
        kind = client.first_served(kinds.CRONJOBS, kinds.CRONJOBS_V1BETA1)
        body = {
            "apiVersion": kind.group_version, "kind": "CronJob",
            "metadata": {"name": f"{self.name}-c", "namespace": self.namespace}, "spec": spec,
        }  # fmt: skip
        client.create(kind, body, namespace=self.namespace)


def failing_once(namespace: str, name: str) -> Workload:
    """Its very first container run fails, so the first invocation needs two attempts."""
    return Workload(namespace, name, (*ONCE_MORE, f"faults/{namespace}/{name}", "1", "1", "print", "end"))


def expected_text(words: tuple[str, ...]) -> bytes:
    """What a container with these words says, if nothing ends it before."""
    text, left = b"", list(words)
    while left:
        step, value = left.pop(0), left.pop(0)
        if step == "print":
            text += value.encode() + b"\n"
        elif step == "lines":
            text += b"".join(b"line %d\n" % number for number in range(1, int(value) + 1))
        elif step == "spew":
            text += b"x" * int(value) + b"\n"
    return text
