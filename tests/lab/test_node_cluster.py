# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual node under a real control plane: what Jobs, CronJobs, Deployments and readers of logs see of it.

The pods carry the annotation that shortens the kubelet's own delays; everything else is as on any cluster.
"""

from __future__ import annotations

import threading
import time
import typing as t
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import requests
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException

from longhorn_qa_lab.lab import Running

Body = dict[str, t.Any]
IMAGE = "longhorn-qa/lab:1"
PATIENCE = 60.0
Found = t.TypeVar("Found")


def eventually(what: str, look: t.Callable[[], Found | None], *, within: float = PATIENCE) -> Found:
    """The first answer that is something; what is being waited for is named when there is none."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not seen within {within:.0f} s")


class Cluster:
    """One namespace of the shared lab."""

    def __init__(self, kubeconfig: str, namespace: str) -> None:
        self.namespace = namespace
        self.api = config.new_client_from_config(kubeconfig)
        self.core, self.batch, self.apps = (
            client.CoreV1Api(self.api),
            client.BatchV1Api(self.api),
            client.AppsV1Api(self.api),
        )

    def pod(self, name: str, *words: str, **spec: t.Any) -> None:
        """Create a pod of the lab's own image."""
        document = pod(*words, **spec)
        document["metadata"]["name"] = name
        self.core.create_namespaced_pod(self.namespace, document)

    def pods(self, selector: str) -> list[t.Any]:
        """The pods a label selector finds."""
        return t.cast(list[t.Any], self.core.list_namespaced_pod(self.namespace, label_selector=selector).items)

    def status(self, name: str) -> t.Any:
        """The state of a pod and of its first container."""
        return self.core.read_namespaced_pod(name, self.namespace).status

    def running(self, name: str) -> t.Any:
        """Wait until a pod runs."""
        return eventually(f"pod {name} runs", lambda: (s := self.status(name)).phase == "Running" and s)

    def log(self, name: str, **options: t.Any) -> str:
        """A pod's log."""
        answer = self.core.read_namespaced_pod_log(name, self.namespace, _preload_content=False, **options)
        return t.cast(str, answer.data.decode())

    def follow(self, name: str) -> Iterator[str]:
        """A pod's log, line by line as it is written; a line that does not come is an error."""
        answer = self.core.read_namespaced_pod_log(
            name, self.namespace, follow=True, _preload_content=False, _request_timeout=PATIENCE
        )
        return (line.decode() for line in answer)

    def events(self, name: str) -> list[tuple[str, str]]:
        """Reasons and messages of an object's events."""
        found = self.core.list_namespaced_event(self.namespace, field_selector=f"involvedObject.name={name}")
        return [(item.reason, item.message) for item in found.items]

    def told(self, name: str, *reasons: str) -> dict[str, str]:
        """Reasons and messages of an object's events, once there is one for each of these reasons."""
        return eventually(
            f"events {', '.join(reasons)} of {name}",
            lambda: (found := dict(self.events(name))).keys() >= set(reasons) and found,
        )


def pod(*words: str, image: str = IMAGE, policy: str = "Never", scale: str = "0.02", **container: t.Any) -> Body:
    main = {"name": "main", "image": image, "command": ["lab", *words], **container}
    return {
        "metadata": {"annotations": {"longhorn.qa/lab-time-scale": scale}},
        "spec": {"restartPolicy": policy, "terminationGracePeriodSeconds": 20, "containers": [main]},
    }


def job(*words: str, scale: str = "0.02") -> Body:
    return {"backoffLimit": 3, "template": pod(*words, policy="OnFailure", scale=scale)}


@pytest.fixture(scope="module")
def cluster(lab: Running) -> Iterator[Cluster]:
    """A namespace of its own, with the ServiceAccount and the token of it that pods need."""
    made = Cluster(str(lab.kubeconfig), f"node-{uuid.uuid4().hex[:6]}")
    made.core.create_namespace({"metadata": {"name": made.namespace}})
    accounts = partial(made.core.list_namespaced_service_account, made.namespace)
    eventually("default ServiceAccount with a token", lambda: any(item.secrets for item in accounts().items))
    yield made
    made.core.delete_namespace(made.namespace)


def test_node_is_ready_and_has_a_lease(cluster: Cluster) -> None:
    node = cluster.core.read_node("lab-node")
    assert {item.type: item.status for item in node.status.conditions}["Ready"] == "True"
    assert {item.type: item.address for item in node.status.addresses}["InternalIP"] == "127.0.0.1"
    leases = client.CoordinationV1Api(cluster.api)
    eventually(
        "lease", lambda: leases.list_namespaced_lease("kube-node-lease", field_selector="metadata.name=lab-node").items
    )


def test_job_that_fails_is_restarted_until_its_limit_and_its_pod_is_killed(cluster: Cluster) -> None:
    words = ("print", "attempt", "on-term", "2", "sleep", "0.2", "attempts", "bad-job", "3", "3", "sleep", "60")
    seen: list[Body] = []
    watching = threading.Thread(target=_watch_pods, args=(cluster, "job-name=bad", seen))
    watching.start()
    cluster.batch.create_namespaced_job(cluster.namespace, {"metadata": {"name": "bad"}, "spec": job(*words)})
    failed = eventually(
        "job fails", lambda: cluster.batch.read_namespaced_job("bad", cluster.namespace).status.conditions
    )
    assert [(item.type, item.status, item.reason) for item in failed] == [("Failed", "True", "BackoffLimitExceeded")]
    eventually("the failed job's pod is gone", lambda: not cluster.pods("job-name=bad"))
    watching.join(PATIENCE)
    containers = [item["status"]["containerStatuses"][0] for item in seen if "containerStatuses" in item["status"]]
    assert max(item["restartCount"] for item in containers) == 3
    assert "CrashLoopBackOff" in {(item["state"].get("waiting") or {}).get("reason") for item in containers}
    last = containers[-1]
    # The fourth start is often killed before the program has come to its own handler.
    assert last["state"]["terminated"]["exitCode"] in (2, 143)
    assert last["state"]["terminated"]["reason"] == "Error"
    assert last["lastState"]["terminated"]["exitCode"] == 3
    cluster.told("bad", "BackoffLimitExceeded")
    cluster.told(seen[-1]["metadata"]["name"], "Pulled", "Created", "Started", "BackOff", "Killing")


def _watch_pods(cluster: Cluster, selector: str, seen: list[Body]) -> None:
    stream = watch.Watch().stream(
        cluster.core.list_namespaced_pod, cluster.namespace, label_selector=selector, timeout_seconds=int(PATIENCE)
    )
    for event in stream:
        seen.append(event["raw_object"])
        if event["type"] == "DELETED":
            return


def test_cron_job_ticks(cluster: Cluster) -> None:
    # Due at the last whole minute by the controller's own clock, which is local time, and not again for an hour.
    due = datetime.now().astimezone().replace(second=0, microsecond=0)
    spec = {"schedule": f"{due.minute} * * * *", "jobTemplate": {"spec": job("print", "tick")}}
    cluster.batch.create_namespaced_cron_job(cluster.namespace, {"metadata": {"name": "tick"}, "spec": spec})
    # A tick that is due already is made up for at once; nobody has to wait for the minute to end.
    earlier = (due - timedelta(seconds=30)).astimezone(UTC)
    status = {"status": {"lastScheduleTime": f"{earlier:%Y-%m-%dT%H:%M:%SZ}"}}
    cluster.batch.patch_namespaced_cron_job_status("tick", cluster.namespace, status)
    tick = cluster.told("tick", "SuccessfulCreate", "SawCompletedJob")
    name = tick["SuccessfulCreate"].removeprefix("Created job ")
    assert tick["SawCompletedJob"] == f"Saw completed job: {name}, status: Complete"
    (made,) = cluster.pods(f"job-name={name}")
    assert cluster.log(made.metadata.name) == "tick\n"
    cluster.batch.delete_namespaced_cron_job("tick", cluster.namespace)


def test_succeeded_pod_looks_like_a_real_one(cluster: Cluster) -> None:
    cluster.pod("good", "print", "done")
    status = eventually("pod succeeds", lambda: (s := cluster.status("good")).phase == "Succeeded" and s)
    assert [(item.type, item.status, item.reason) for item in status.conditions] == [
        ("Initialized", "True", "PodCompleted"),
        ("Ready", "False", "PodCompleted"),
        ("ContainersReady", "False", "PodCompleted"),
        ("PodScheduled", "True", None),
    ]
    (container,) = status.container_statuses
    assert (container.image, container.restart_count, container.ready) == ("docker.io/longhorn-qa/lab:1", 0, False)
    assert container.container_id.startswith("containerd://")
    assert (container.state.terminated.exit_code, container.state.terminated.reason) == (0, "Completed")
    cluster.told("good", "Scheduled", "Pulled", "Created", "Started")
    scheduled = ("Scheduled", f"Successfully assigned {cluster.namespace}/good to lab-node")
    assert scheduled in cluster.events("good"), "somewhere: the scheduler writes its own"
    assert [event for event in cluster.events("good") if event != scheduled] == [
        ("Pulled", f'Container image "{IMAGE}" already present on machine'),
        ("Created", "Created container main"),
        ("Started", "Started container main"),
    ]


def test_every_way_to_read_a_log(cluster: Cluster) -> None:
    cluster.pod("talker", "lines", "30", "spew", "20000", "print", "end")
    eventually("pod succeeds", lambda: cluster.status("talker").phase == "Succeeded")
    lines = cluster.log("talker").splitlines()
    assert lines == [*(f"line {number}" for number in range(1, 31)), "x" * 20000, "end"]
    assert cluster.log("talker", tail_lines=1) == "end\n"
    assert cluster.log("talker", limit_bytes=9) == "line 1\nli"
    stamp, _, text = cluster.log("talker", timestamps=True, tail_lines=1).partition(" ")
    assert (text, stamp[-1], len(stamp)) == ("end\n", "Z", len("2026-11-23T03:09:00.123456789Z"))
    assert cluster.log("talker", since_seconds=3600).splitlines() == lines
    assert cluster.log("talker", follow=True).splitlines() == lines, "following a finished container ends at once"


def test_following_ends_with_the_attempt_and_previous_shows_it(cluster: Cluster, lab: Running) -> None:
    words = ("print", "first words", "until", "followed", "print", "last words", "attempts", "follow", "1", "1")
    cluster.pod("follow", *words, policy="OnFailure")
    cluster.running("follow")
    following = cluster.follow("follow")
    assert next(following) == "first words\n"
    (lab.kubeconfig.parent / "node" / "hostpath" / "followed").touch()
    assert list(following) == ["last words\n"]
    eventually("restart", lambda: cluster.status("follow").container_statuses[0].restart_count == 1)
    assert cluster.log("follow", previous=True) == "first words\nlast words\n"
    cluster.core.delete_namespaced_pod("follow", cluster.namespace)


def test_logs_of_a_deleted_pod_are_gone_but_a_follower_hears_the_end(cluster: Cluster) -> None:
    cluster.pod("ending", "on-term", "5", "print", "here", "wait")
    cluster.running("ending")
    following = cluster.follow("ending")
    assert next(following) == "here\n"
    cluster.core.delete_namespaced_pod("ending", cluster.namespace)
    assert list(following) == []
    eventually("pod is gone", lambda: not _exists(cluster, "ending"))
    with pytest.raises(ApiException) as error:
        cluster.log("ending")
    assert error.value.status == 404


def _exists(cluster: Cluster, name: str) -> bool:
    return name in [item.metadata.name for item in cluster.core.list_namespaced_pod(cluster.namespace).items]


REFUSALS = [
    pytest.param(
        {"previous": True}, 400, 'previous terminated container "main" in pod "steady" not found', id="previous"
    ),
    pytest.param({"tail_lines": -1}, 422, "must be greater than or equal to 0", id="negative tail"),
    pytest.param({"container": "other"}, 400, "container other is not valid for pod steady", id="no such container"),
]


@pytest.fixture(scope="module")
def steady(cluster: Cluster) -> str:
    """A pod that just runs."""
    cluster.pod("steady", "print", "here", "wait")
    cluster.running("steady")
    return "steady"


@pytest.mark.parametrize(("options", "code", "text"), REFUSALS)
def test_refused_log_requests(cluster: Cluster, steady: str, options: Body, code: int, text: str) -> None:
    with pytest.raises(ApiException) as error:
        cluster.core.read_namespaced_pod_log(steady, cluster.namespace, **options)
    assert error.value.status == code
    assert text in error.value.body.replace("\\", "")


def test_unknown_image_stays_and_tells_the_known_ones(cluster: Cluster) -> None:
    cluster.pod("stranger", image="docker.io/library/busybox:1", scale="0.5")
    waiting = eventually(
        "image back-off",
        lambda: (
            (s := cluster.status("stranger").container_statuses)
            and s[0].state.waiting.reason == "ImagePullBackOff"
            and s[0].state.waiting
        ),
    )
    assert "known images only" in waiting.message
    assert "longhorn-qa/lab:*" in waiting.message
    assert cluster.status("stranger").phase == "Pending"
    with pytest.raises(ApiException, match="trying and failing to pull image"):
        cluster.log("stranger")
    cluster.told("stranger", "Pulling", "Failed", "BackOff")
    cluster.core.delete_namespaced_pod("stranger", cluster.namespace)
    eventually("pod is gone", lambda: not _exists(cluster, "stranger"))


def test_missing_secret_is_waited_for(cluster: Cluster) -> None:
    variable = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "late", "key": "key"}}}
    cluster.pod("patient", "env", "KEY", env=[variable])
    waiting = eventually(
        "config error",
        lambda: (
            (s := cluster.status("patient").container_statuses)
            and s[0].state.waiting.reason == "CreateContainerConfigError"
            and s[0].state.waiting
        ),
    )
    assert waiting.message == 'secret "late" not found'
    cluster.core.create_namespaced_secret(
        cluster.namespace, {"metadata": {"name": "late"}, "stringData": {"key": "value"}}
    )
    eventually("pod succeeds", lambda: cluster.status("patient").phase == "Succeeded")
    assert cluster.log("patient") == "KEY=value\n"


def test_missing_program_is_a_start_error(cluster: Cluster) -> None:
    cluster.pod("typo", command=["labb"])
    status = eventually("pod fails", lambda: (s := cluster.status("typo")).phase == "Failed" and s)
    ended = status.container_statuses[0].state.terminated
    assert (ended.exit_code, ended.reason) == (128, "StartError")
    assert 'exec: "labb": executable file not found' in ended.message


def test_init_containers_run_first(cluster: Cluster) -> None:
    init = {"name": "prepare", "image": IMAGE, "command": ["lab", "print", "prepared", "sleep", "0.2"]}
    document = pod("print", "main")
    document["spec"]["initContainers"] = [init]
    document["metadata"]["name"] = "two-steps"
    cluster.core.create_namespaced_pod(cluster.namespace, document)
    status = eventually("pod succeeds", lambda: (s := cluster.status("two-steps")).phase == "Succeeded" and s)
    first, second = status.init_container_statuses[0].state.terminated, status.container_statuses[0].state.terminated
    assert first.finished_at <= second.started_at
    assert cluster.log("two-steps", container="prepare") == "prepared\n"


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Iterator[str]:
    """A Deployment that listens, behind a Service with a named target port."""
    template = pod(
        "listen",
        "8080",
        "print",
        "up",
        "wait",
        policy="Always",
        ports=[{"containerPort": 8080, "name": "http"}],
        readinessProbe={"tcpSocket": {"port": "http"}},
    )
    template["metadata"]["labels"] = {"app": "web"}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    cluster.apps.create_namespaced_deployment(cluster.namespace, {"metadata": {"name": "web"}, "spec": spec})
    service = {"selector": {"app": "web"}, "ports": [{"name": "web", "port": 80, "targetPort": "http"}]}
    cluster.core.create_namespaced_service(cluster.namespace, {"metadata": {"name": "web"}, "spec": service})
    eventually(
        "deployment is available",
        lambda: cluster.apps.read_namespaced_deployment("web", cluster.namespace).status.available_replicas,
    )
    eventually("endpoints", lambda: cluster.core.read_namespaced_endpoints("web", cluster.namespace).subsets)
    yield "web"
    cluster.apps.delete_namespaced_deployment("web", cluster.namespace)


def _proxied(cluster: Cluster, service: str) -> str:
    return t.cast(
        str, cluster.core.connect_get_namespaced_service_proxy_with_path(service, cluster.namespace, "v1/things")
    )


@pytest.mark.parametrize("service", ["web:80", "http:web:80", "web:web"])
def test_service_proxy(cluster: Cluster, web: str, service: str) -> None:
    assert _proxied(cluster, service).rstrip().endswith(" /v1/things")


def test_pod_proxy(cluster: Cluster, web: str) -> None:
    (made,) = cluster.pods("app=web")
    got = cluster.core.connect_get_namespaced_pod_proxy_with_path(f"{made.metadata.name}:8080", cluster.namespace, "x")
    assert got == f"{made.metadata.name} /x\n"


def test_killed_container_of_a_deployment_comes_back(cluster: Cluster, web: str) -> None:
    (made,) = cluster.pods("app=web")
    cluster.core.delete_namespaced_pod(made.metadata.name, cluster.namespace)

    def replaced() -> bool:
        now = cluster.pods("app=web")
        return (
            len(now) == 1
            and now[0].metadata.uid != made.metadata.uid
            and bool(now[0].status.container_statuses)  # none before its first report
            and bool(now[0].status.container_statuses[0].ready)
        )

    eventually("a new pod is ready", replaced)
    eventually("the Service reaches it", lambda: _answers(cluster))


def _answers(cluster: Cluster) -> bool:
    try:
        return "/v1/things" in _proxied(cluster, "web:80")
    except ApiException:
        return False


def test_daemon_set_gets_its_pod(cluster: Cluster) -> None:
    template = pod("wait", policy="Always", readinessProbe={"exec": {"command": ["ls"]}})
    template["metadata"]["labels"] = {"app": "daemon"}
    spec = {"selector": {"matchLabels": {"app": "daemon"}}, "template": template}
    cluster.apps.create_namespaced_daemon_set(cluster.namespace, {"metadata": {"name": "daemon"}, "spec": spec})
    eventually(
        "ready", lambda: cluster.apps.read_namespaced_daemon_set("daemon", cluster.namespace).status.number_ready == 1
    )
    cluster.apps.delete_namespaced_daemon_set("daemon", cluster.namespace)


def test_pod_speaks_to_the_api_as_its_service_account(cluster: Cluster, lab: Running) -> None:
    cluster.pod("asker", "print", "here", "wait", env=[{"name": "X", "value": "1"}])
    cluster.running("asker")
    uid = cluster.core.read_namespaced_pod("asker", cluster.namespace).metadata.uid
    path = lab.kubeconfig.parent / "node" / "pods" / uid / "kubeconfig"
    assert path.stat().st_mode & 0o077 == 0
    own = config.new_client_from_config(str(path))
    with pytest.raises(ApiException) as error:
        client.CoreV1Api(own).list_namespaced_pod(cluster.namespace)
    assert f"system:serviceaccount:{cluster.namespace}:default" in error.value.body


def test_log_server_lets_nobody_else_in(cluster: Cluster, lab: Running, steady: str) -> None:
    port = cluster.core.read_node("lab-node").status.daemon_endpoints.kubelet_endpoint.port
    url = f"https://127.0.0.1:{port}/containerLogs/{cluster.namespace}/{steady}/main"
    pki = lab.kubeconfig.parent / "pki"
    with pytest.raises(requests.ConnectionError):
        requests.get(url, verify=str(pki / "ca.crt"), timeout=5)
    answer = requests.get(
        url, verify=str(pki / "ca.crt"), cert=(str(pki / "admin.crt"), str(pki / "admin.key")), timeout=5
    )
    assert answer.status_code == 403


def test_ten_jobs_at_once(cluster: Cluster) -> None:
    for number in range(10):
        body = {"metadata": {"name": f"many-{number}", "labels": {"many": "yes"}}, "spec": job("print", str(number))}
        cluster.batch.create_namespaced_job(cluster.namespace, body)

    def done() -> bool:
        jobs = cluster.batch.list_namespaced_job(cluster.namespace, label_selector="many=yes").items
        return sum(item.status.succeeded or 0 for item in jobs) == 10

    eventually("all jobs complete", done)
