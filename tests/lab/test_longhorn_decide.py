# SPDX-License-Identifier: GPL-3.0-or-later
"""What the simulated manager wants: engine images, steps of a volume's life, recurring jobs. No cluster, no time."""

from __future__ import annotations

import copy
import typing as t

import pytest

from longhorn_qa_lab.longhorn import cron_jobs, decide, faults
from longhorn_qa_lab.longhorn.cron_jobs import BackupTarget
from longhorn_qa_lab.longhorn.decide import Object, VolumeView
from longhorn_qa_lab.longhorn.faults import ImageFaults
from longhorn_qa_lab.longhorn.releases import RELEASES

NOW, LATER = "2026-11-23T03:00:00Z", "2026-11-23T03:05:00Z"
RELEASE = RELEASES["2020-06"]
OLD, NEW = "longhornio/longhorn-engine:v1.0.0-fix", "quay.io/ttpcodes/longhorn-engine:no-cleanup"
SOUND = ImageFaults()


def image_status(
    image: str = NEW, *, ready: int = 1, users: int = 0, old: Object | None = None, **how: t.Any
) -> Object:
    document = {"metadata": {"name": "ei-1"}, "spec": {"image": image}, "status": old}
    return decide.engine_image_status(
        image=document,
        ready_pods=ready,
        wanted_pods=1,
        behaviour=ImageFaults(**how),
        release=RELEASE,
        users=users,
        node="lab-node",
        now=NOW if old is None else LATER,
    )


@pytest.mark.parametrize(
    ("how", "state"),
    [
        pytest.param({}, "ready", id="sound"),
        pytest.param({"ready": 0}, "deploying", id="pod not ready"),
        pytest.param({"deploys": False}, "deploying", id="plan: never deploys"),
        pytest.param({"cli_version": 1}, "incompatible", id="command line too old"),
        pytest.param({"cli_version": 9, "cli_min_version": 9}, "incompatible", id="command line too new"),
    ],
)
def test_state_of_an_engine_image(how: dict[str, t.Any], state: str) -> None:
    status = image_status(**how)
    assert status["state"] == state
    assert status["conditions"]["ready"]["status"] == ("True" if state == "ready" else "False")


def test_unused_image_remembers_since_when() -> None:
    unused = image_status()
    assert unused["noRefSince"] == NOW
    assert image_status(old=unused)["noRefSince"] == NOW
    assert image_status(old=unused, users=1)["noRefSince"] == ""


def test_conditions_move_only_with_their_status() -> None:
    first = image_status(ready=0)
    second = image_status(ready=0, old=first)
    assert second["conditions"]["ready"]["lastTransitionTime"] == NOW
    assert image_status(old=second)["conditions"]["ready"]["lastTransitionTime"] == LATER


class Life:
    """A volume of one replica that is planned step by step, with processes that do what they are told at once."""

    def __init__(self, **spec: t.Any) -> None:
        self.volume: Object = {
            "metadata": {"name": "test"},
            "spec": {
                "engineImage": OLD,
                "nodeID": "",
                "numberOfReplicas": 1,
                "disableFrontend": True,
                **spec,
            },
            "status": None,
        }
        self.engine = _instance("test-e-1", OLD)
        self.replica = _instance("test-r-1", OLD)
        self.images: dict[str, Object] = {reference: image_status(reference, users=1) for reference in (OLD, NEW)}
        self.events: list[str] = []

    def step(self) -> decide.VolumePlan:
        """One plan, done."""
        replicas = [copy.deepcopy(self.replica)]
        view = VolumeView(
            self.volume, copy.deepcopy(self.engine), replicas, self.images, "lab-node", RELEASES["v1.0.1"]
        )
        plan = decide.plan_volume(view, now=NOW)
        self.volume["status"] = plan.status
        self.engine["spec"], self.replica["spec"] = plan.engine_spec, plan.replica_specs["test-r-1"]
        for instance in (self.engine, self.replica):
            running = instance["spec"]["desireState"] == "running"
            address = {"ip": "10.244.0.9", "port": 10000} if running else {"ip": "", "port": 0}
            instance["status"] = {"currentState": "running" if running else "stopped", **address}
        self.events += [f"{note.reason}: {note.message}" for note in plan.notes]
        return plan

    def settle(self) -> Object:
        """Steps until nothing changes."""
        for _ in range(10):
            before = copy.deepcopy((self.volume, self.engine, self.replica))
            self.step()
            if before == (self.volume, self.engine, self.replica):
                return t.cast(Object, self.volume["status"])
        raise AssertionError("the volume never settles")


def _instance(name: str, image: str) -> Object:
    spec = {
        "engineImage": image,
        "nodeID": "",
        "desireState": "stopped",
        "replicaAddressMap": {},
        "disableFrontend": False,
        "healthyAt": "",
    }
    return {"metadata": {"name": name}, "spec": spec, "status": {"currentState": "stopped", "ip": "", "port": 0}}


def test_new_volume_is_scheduled_and_detached() -> None:
    life = Life()
    status = life.settle()
    assert (status["state"], status["robustness"], status["currentImage"]) == ("detached", "unknown", OLD)
    assert status["conditions"]["scheduled"]["status"] == "True"
    assert life.replica["spec"]["nodeID"] == "lab-node"


def test_attach_and_detach_pass_through_their_states_and_tell_it_once() -> None:
    life = Life()
    life.settle()
    life.events.clear()
    life.volume["spec"]["nodeID"] = "lab-node"
    life.step()
    assert life.volume["status"]["state"] == "attaching"
    status = life.settle()
    assert (status["state"], status["robustness"], status["currentNodeID"]) == ("attached", "healthy", "lab-node")
    assert status["frontendDisabled"] is True
    life.volume["spec"]["nodeID"] = ""
    life.step()
    assert life.volume["status"]["state"] == "detaching"
    assert life.settle()["state"] == "detached"
    assert life.events == [
        "Attached: volume test has been attached to lab-node",
        "Detached: volume test has been detached",
    ]


def test_more_replicas_than_nodes_is_degraded() -> None:
    life = Life(numberOfReplicas=3, nodeID="lab-node")
    assert life.settle()["robustness"] == "degraded"


def test_detached_volume_takes_another_engine_image_at_once() -> None:
    life = Life()
    life.settle()
    life.volume["spec"]["engineImage"] = NEW
    life.step()
    assert life.volume["status"]["currentImage"] == NEW
    assert (life.engine["spec"]["engineImage"], life.replica["spec"]["engineImage"]) == (NEW, NEW)


def attached() -> Life:
    life = Life(nodeID="lab-node")
    life.settle()
    life.volume["spec"]["engineImage"] = NEW
    return life


def test_live_upgrade() -> None:
    life = attached()
    assert life.step().warning == ""
    assert life.volume["status"]["currentImage"] == NEW
    assert life.volume["status"]["state"] == "attached"


def _not_ready(life: Life) -> None:
    life.images[NEW]["state"] = "deploying"


def _unknown(life: Life) -> None:
    del life.images[NEW]


def _same_build(life: Life) -> None:
    life.images[NEW]["gitCommit"] = life.images[OLD]["gitCommit"]


def _degraded(life: Life) -> None:
    life.volume["status"]["robustness"] = "degraded"


def _other_controller(life: Life) -> None:
    life.images[NEW]["controllerAPIMinVersion"] = life.images[NEW]["controllerAPIVersion"] = 9


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(_not_ready, "is not ready, delay upgrade", id="new image is not ready"),
        pytest.param(_unknown, "is not ready, delay upgrade", id="new image is unknown"),
        pytest.param(_same_build, "are identical, delay upgrade until detach", id="same build"),
        pytest.param(_degraded, "cannot do live upgrade for a unhealthy volume test", id="degraded"),
        pytest.param(_other_controller, "Unable to live upgrade", id="controller API"),
    ],
)
def test_live_upgrade_has_its_preconditions(spoil: t.Callable[[Life], None], words: str) -> None:
    life = attached()
    spoil(life)
    plan = life.step()
    assert words in plan.warning
    assert plan.status["currentImage"] == OLD


JOB = {"name": "c-1", "task": "backup", "cron": "* * * * *", "retain": 2, "labels": {"b": "2", "a": "1"}}
TARGET = BackupTarget("s3://b@r/", "s3-secret", ("AWS_ACCESS_KEY_ID", "AWS_ENDPOINTS"))
LABELS = "--snapshot-name c-1 --labels RecurringJob=c-1 --labels a=1 --labels b=2 --retain 2"


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ("2020-06", f"longhorn-manager -d snapshot test {LABELS} --backuptarget s3://b@r/"),
        ("v1.0.0", f"longhorn-manager -d snapshot test {LABELS} --backuptarget s3://b@r/"),
        (
            "v1.0.1",
            f"longhorn-manager -d snapshot test --manager-url http://longhorn-backend:9500/v1 {LABELS} --backup",
        ),
    ],
)
def test_command_line_of_each_release(release: str, words: str) -> None:
    command = cron_jobs.job_command(volume="test", job=JOB, release=RELEASES[release], target=TARGET)
    assert " ".join(command) == words


@pytest.mark.parametrize(
    ("release", "task", "variables"),
    [
        ("2020-06", "backup", ["POD_NAMESPACE", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINTS"]),
        ("2020-06", "snapshot", ["POD_NAMESPACE"]),
        ("v1.0.1", "backup", ["POD_NAMESPACE"]),
    ],
)
def test_credentials_are_given_only_where_the_job_needs_them(release: str, task: str, variables: list[str]) -> None:
    env = cron_jobs.job_environment(job={**JOB, "task": task}, release=RELEASES[release], target=TARGET)
    assert [entry["name"] for entry in env] == variables
    assert all("value" not in entry for entry in env), "no credential in plain text"


def test_every_image_has_a_version_of_its_own() -> None:
    commits = {decide.engine_version(image, SOUND, RELEASE)["gitCommit"] for image in (OLD, NEW)}
    assert commits == {faults.git_commit(OLD), faults.git_commit(NEW)}
