# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure life of a pod: phases, restarts, back-off and the documents the API shows, in virtual time."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

import pytest

from longhorn_qa_lab.node import pods
from longhorn_qa_lab.node.model import PodSpec, parse_time, read_pod
from longhorn_qa_lab.node.pods import Exit, PodState, Terminated, Waiting
from longhorn_qa_lab.node.status import status_document

T0 = datetime(2026, 11, 23, 3, 9, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def pod(*, policy: str = "OnFailure", names: t.Sequence[str] = ("main",), init: t.Sequence[str] = ()) -> PodSpec:
    def container(name: str) -> dict[str, t.Any]:
        return {"name": name, "image": "longhorn-qa/lab:1"}

    return read_pod(
        {
            "metadata": {"name": "job-x", "namespace": "ns", "uid": "u-1"},
            "spec": {
                "restartPolicy": policy,
                "nodeName": "lab-node",
                "containers": [container(name) for name in names],
                "initContainers": [container(name) for name in init],
            },
        }
    )


def run(state: PodState, name: str, *, start: float, end: float, code: int) -> PodState:
    state = pods.started(state, name, container_id=f"id-{start}", now=at(start), ready=True)
    return pods.exited(state, name, Exit(code=code), now=at(end))


def shown(state: PodState, *, now: float = 0, previous: t.Sequence[t.Mapping[str, t.Any]] = ()) -> dict[str, t.Any]:
    return status_document(state, previous=previous, host_ip="127.0.0.1", now=at(now))


PHASES = [
    pytest.param("OnFailure", (), "Pending", id="nothing has run yet"),
    pytest.param("OnFailure", (0,), "Succeeded", id="OnFailure and success"),
    pytest.param("OnFailure", (1,), "Running", id="OnFailure and failure: it will be restarted"),
    pytest.param("Never", (1,), "Failed", id="Never and failure"),
    pytest.param("Never", (0,), "Succeeded", id="Never and success"),
    pytest.param("Always", (0,), "Running", id="Always is never over"),
]


@pytest.mark.parametrize(("policy", "codes", "phase"), PHASES)
def test_phase_follows_restart_policy_and_exit_codes(policy: str, codes: tuple[int, ...], phase: str) -> None:
    state = pods.begin(pod(policy=policy), now=T0)
    for code in codes:
        state = run(state, "main", start=1, end=2, code=code)
    assert pods.phase(state) == phase


def test_one_of_two_containers_still_runs() -> None:
    state = pods.begin(pod(names=("one", "two"), policy="Never"), now=T0)
    state = run(state, "one", start=1, end=2, code=0)
    assert pods.phase(state) == "Pending", "two has not been started"
    state = pods.started(state, "two", container_id="b", now=at(2), ready=True)
    assert pods.phase(state) == "Running"
    assert shown(state)["conditions"][1]["message"] == "containers with unready status: [one]"


def test_init_containers_come_first() -> None:
    state = pods.begin(pod(init=("prepare",)), now=T0)
    assert state.container("main").state == Waiting(reason="PodInitializing")
    assert shown(state)["conditions"][0]["reason"] == "ContainersNotInitialized"
    state = run(state, "prepare", start=0, end=1, code=0)
    assert pods.initialized(state)
    assert shown(state)["conditions"][0]["status"] == "True"
    assert [item["name"] for item in shown(state)["initContainerStatuses"]] == ["prepare"]


def test_failed_init_container_ends_a_pod_that_is_never_restarted() -> None:
    state = run(pods.begin(pod(init=("prepare",), policy="Never"), now=T0), "prepare", start=0, end=1, code=4)
    assert pods.phase(state) == "Failed"


def test_first_restart_is_immediate_and_later_ones_double() -> None:
    state, waits, clock = pods.begin(pod(), now=T0), [], 0.0
    for _ in range(8):
        state = run(state, "main", start=clock, end=clock + 1, code=1)
        wait = pods.restart_wait(state, "main", scale=1)
        waits.append(wait)
        clock += 1 + wait
        state = pods.backed_off(state, "main", now=at(clock), scale=1)
    assert waits == [0, 10, 20, 40, 80, 160, 300, 300]


def test_time_scale_shortens_the_wait_but_not_what_is_shown() -> None:
    state = run(pods.begin(pod(), now=T0), "main", start=0, end=1, code=1)
    state = pods.backed_off(state, "main", now=at(1), scale=0.1)
    state = run(state, "main", start=1, end=2, code=1)
    assert pods.restart_wait(state, "main", scale=0.1) == pytest.approx(1.0)
    waiting = pods.crash_loop(state, "main", pod()).container("main").state
    assert waiting == Waiting(
        reason="CrashLoopBackOff", message="back-off 10s restarting failed container=main pod=job-x_ns(u-1)"
    )


def test_back_off_is_forgotten_after_a_long_good_run() -> None:
    state = run(pods.begin(pod(policy="Always"), now=T0), "main", start=0, end=1, code=1)
    state = pods.backed_off(state, "main", now=at(1), scale=1)
    state = run(state, "main", start=1, end=602, code=1)
    assert pods.restart_wait(state, "main", scale=1) == 0


def test_restart_count_counts_starts_and_last_state_is_the_end_before() -> None:
    state = run(pods.begin(pod(), now=T0), "main", start=1, end=2, code=3)
    container = shown(state)["containerStatuses"][0]
    assert (container["restartCount"], container["lastState"]) == (0, {})
    assert container["state"]["terminated"] == {
        "exitCode": 3,
        "reason": "Error",
        "startedAt": "2026-11-23T03:09:01Z",
        "finishedAt": "2026-11-23T03:09:02Z",
        "containerID": "containerd://id-1",
    }
    state = pods.crash_loop(state, "main", pod())
    container = shown(state)["containerStatuses"][0]
    assert container["restartCount"] == 0
    assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert container["lastState"]["terminated"]["exitCode"] == 3
    state = pods.started(state, "main", container_id="id-2", now=at(9), ready=True)
    container = shown(state)["containerStatuses"][0]
    assert (container["restartCount"], container["containerID"]) == (1, "containerd://id-2")
    assert container["lastState"]["terminated"]["exitCode"] == 3


def test_succeeded_pod_has_the_conditions_of_a_real_one() -> None:
    running = pods.started(pods.begin(pod(), now=T0), "main", container_id="x", now=at(1), ready=True)
    before = shown(running, now=1)["conditions"]
    assert [(item["type"], item["status"], item.get("reason")) for item in before] == [
        ("Initialized", "True", None),
        ("Ready", "True", None),
        ("ContainersReady", "True", None),
        ("PodScheduled", "True", None),
    ]
    after = shown(pods.exited(running, "main", Exit(code=0), now=at(7)), now=7, previous=before)["conditions"]
    assert [(item["type"], item["status"], item.get("reason"), item["lastTransitionTime"][-3:]) for item in after] == [
        ("Initialized", "True", "PodCompleted", "01Z"),
        ("Ready", "False", "PodCompleted", "07Z"),
        ("ContainersReady", "False", "PodCompleted", "07Z"),
        ("PodScheduled", "True", None, "01Z"),
    ]


def test_conditions_of_others_are_kept() -> None:
    foreign = {"type": "example.org/gate", "status": "True", "lastTransitionTime": "2026-11-23T03:00:00Z"}
    assert foreign in shown(pods.begin(pod(), now=T0), previous=[foreign])["conditions"]


def test_probe_answers_matter_only_while_the_container_runs() -> None:
    state = pods.started(pods.begin(pod(), now=T0), "main", container_id="x", now=at(1), ready=False)
    assert shown(state)["conditions"][1]["reason"] == "ContainersNotReady"
    assert pods.ready(state, "main", value=True).container("main").ready
    ended = pods.exited(state, "main", Exit(code=1), now=at(2))
    assert not pods.ready(ended, "main", value=True).container("main").ready


def test_what_ran_under_a_lost_node_process_is_taken_as_ended() -> None:
    spec = pod()
    state = pods.started(pods.begin(spec, now=T0), "main", container_id="x", now=at(1), ready=True)
    back = pods.recovered(spec, {"status": shown(state)}, now=at(60))
    ended = back.container("main").state
    assert isinstance(ended, Terminated)
    assert (ended.exit_code, ended.reason, ended.finished_at) == (255, "Unknown", at(60))
    assert [item.name for item in pods.to_start(back, spec.main_containers)] == ["main"]
    again = pods.started(back, "main", container_id="y", now=at(61), ready=True)
    assert again.container("main").restarts == 1


def test_what_had_ended_before_stays_ended() -> None:
    spec = pod()
    done = run(pods.begin(spec, now=T0), "main", start=1, end=2, code=0)
    back = pods.recovered(spec, {"status": shown(done)}, now=at(60))
    assert pods.phase(back) == "Succeeded"
    assert pods.to_start(back, spec.main_containers) == ()
    assert shown(back)["containerStatuses"] == shown(done)["containerStatuses"]


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        pytest.param("2026-11-23T03:09:00Z", 0, id="whole seconds"),
        pytest.param("2026-11-23T03:09:00.123456789Z", 123456, id="nanoseconds are cut"),
        pytest.param("2026-11-23T04:09:00.5+01:00", 500000, id="another zone"),
    ],
)
def test_times_of_the_api(text: str, microseconds: int) -> None:
    assert parse_time(text) == T0.replace(microsecond=microseconds)
