# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab's API server is: closed to strangers, on loopback only, with CronJobs as clients of today ask for them."""

from __future__ import annotations

import contextlib
import socket
import typing as t
from pathlib import Path

import pytest
import requests
import yaml

from longhorn_qa_lab.binaries.catalog import Binaries
from longhorn_qa_lab.control_plane import Layout, apiserver_command, controller_manager_command
from longhorn_qa_lab.lab import Running
from longhorn_qa_lab.paths import LabPaths
from longhorn_qa_lab.pki import Pair
from longhorn_qa_lab.ports import Ports

LOOPBACK = {socket.htonl(0x7F000001)}


class Client:
    """The administrator, or anybody else, speaking plain HTTPS."""

    def __init__(self, running: Running) -> None:
        pki = Path(running.description.folder) / "pki"
        self._server = running.description.server
        self.session = requests.Session()
        self.session.trust_env = False  # the user's own certificate bundles and proxies know no lab
        self.session.verify = str(pki / "ca.crt")
        self.admin = (str(pki / "admin.crt"), str(pki / "admin.key"))
        self.node = (str(pki / "node-client.crt"), str(pki / "node-client.key"))

    def __call__(self, method: str, path: str, **options: t.Any) -> requests.Response:
        return self.session.request(method, self._server + path, timeout=10, **options)


@pytest.fixture
def client(lab: Running) -> t.Iterator[Client]:
    made = Client(lab)
    yield made
    made.session.close()


def cronjob(version: str) -> dict[str, t.Any]:
    pod = {"restartPolicy": "OnFailure", "containers": [{"name": "c", "image": "lab/none"}]}
    return {
        "apiVersion": version,
        "kind": "CronJob",
        "metadata": {"name": "never"},
        "spec": {
            "schedule": "0 0 29 2 *",
            "suspend": True,
            "jobTemplate": {"spec": {"template": {"spec": pod}}},
        },
    }


def test_a_stranger_is_not_let_in(client: Client) -> None:
    assert client("GET", "/api/v1/namespaces").status_code == 401
    assert client("GET", "/version", headers={"Authorization": "Bearer invented"}).status_code == 401


def test_roles_are_enforced(client: Client) -> None:
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = client("POST", path, cert=client.admin, json=body)
    assert answer.status_code == 201, answer.text
    headers = {"Authorization": f"Bearer {answer.json()['status']['token']}"}
    refused = client("GET", "/api/v1/namespaces/default/secrets", headers=headers)
    assert (refused.status_code, "system:serviceaccount:default:default" in refused.text) == (403, True)


def test_the_node_may_touch_only_what_is_its_own(client: Client) -> None:
    assert client("GET", "/api/v1/nodes/lab-node", cert=client.node).status_code == 200
    assert client("DELETE", "/api/v1/nodes/lab-node", cert=client.node).status_code == 403


@pytest.mark.parametrize("version", ["batch/v1", "batch/v1beta1"])
def test_cronjobs_are_served_in_both_versions(client: Client, version: str) -> None:
    path = f"/apis/{version}/namespaces/default/cronjobs"
    created = client("POST", path, cert=client.admin, json=cronjob(version))
    try:
        assert created.status_code == 201, created.text
        seen = {
            asked: client("GET", f"/apis/{asked}/namespaces/default/cronjobs/never", cert=client.admin).json()
            for asked in ("batch/v1", "batch/v1beta1")
        }
        assert {asked: item["apiVersion"] for asked, item in seen.items()} == {asked: asked for asked in seen}
        assert len({item["metadata"]["uid"] for item in seen.values()}) == 1
        applied = client(
            "PATCH",
            f"{path}/never?fieldManager=test",
            cert=client.admin,
            headers={"Content-Type": "application/apply-patch+yaml"},
            data=yaml.safe_dump({**cronjob(version), "metadata": {"name": "never", "labels": {"a": "b"}}}),
        )
        assert (applied.status_code, applied.json()["metadata"].get("labels")) == (200, {"a": "b"})
    finally:
        client("DELETE", f"{path}/never", cert=client.admin)


def test_nothing_listens_beyond_loopback(lab: Running) -> None:
    inodes = set()
    for process in lab.description.processes.values():
        for link in Path(f"/proc/{process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # a connection that ended while we looked
                inodes.add(link.readlink().name.removeprefix("socket:").strip("[]"))
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in inodes:
                listening.add(words[1].partition(":")[0])
    assert len(listening) == 1
    assert {int(address, 16) for address in listening} == LOOPBACK


@pytest.mark.parametrize(
    ("controller", "gate"),
    [pytest.param("v1", "false", id="names by the second"), pytest.param("v2", "true", id="names by the minute")],
)
def test_the_cronjob_controller_can_be_chosen(tmp_path: Path, controller: str, gate: str) -> None:
    pair = Pair(tmp_path / "crt", tmp_path / "key")
    layout = Layout(
        paths=LabPaths(tmp_path),
        ports=Ports(1, 2, 3, 4),
        binaries=Binaries(tmp_path, "", "", {"kube-controller-manager": tmp_path / "program"}),
        pairs={},
        service_accounts=pair,
        authority=tmp_path / "ca.crt",
        cronjob_controller=controller,
    )
    flags = [word for word in controller_manager_command(layout) if word.startswith("--feature-gates=")]
    assert len(flags) == 1
    assert f"CronJobControllerV2={gate}" in flags[0]


@pytest.mark.parametrize(
    ("requests", "flags"),
    [
        pytest.param(False, [], id="by default not"),
        pytest.param(True, ["--audit-policy-file", "--audit-log-path"], id="on demand"),
    ],
)
def test_the_api_server_notes_who_asks_what(tmp_path: Path, requests: bool, flags: list[str]) -> None:
    pair = Pair(tmp_path / "crt", tmp_path / "key")
    layout = Layout(
        paths=LabPaths(tmp_path),
        ports=Ports(1, 2, 3, 4),
        binaries=Binaries(tmp_path, "", "", {"kube-apiserver": tmp_path / "program"}),
        pairs=dict.fromkeys(("apiserver", "etcd-client", "kubelet-client"), pair),
        service_accounts=pair,
        authority=tmp_path / "ca.crt",
        requests=requests,
    )
    words = apiserver_command(layout)
    assert [word.partition("=")[0] for word in words if word.startswith("--audit")] == flags
    assert all(str(tmp_path) in word for word in words if word.startswith("--audit"))
