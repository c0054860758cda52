# SPDX-License-Identifier: GPL-3.0-or-later
"""What can befall the way to the API server: cuts, silence, refusals in bursts, a token that is worth nothing."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
import yaml
from tests.faults.control_plane import until
from tests.faults.front import Front
from tests.faults.scene import Scene
from tests.faults.wire import Wire

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import Unauthorized
from longhorn_qa_lab.lab import Running

_SILENCE = 5
_LONG_SILENCE = 90
_ACCOUNT = "recorder"
_ACCOUNTS = kinds.Kind("v1", "serviceaccounts")
_BINDINGS = kinds.Kind("rbac.authorization.k8s.io/v1", "clusterrolebindings", namespaced=False)


@pytest.mark.parametrize("seed", [pytest.param(11, id="seed 11"), pytest.param(23, id="seed 23")])
def test_connections_are_cut_at_random(lab: Running, tmp_path: Path, seed: int) -> None:
    scene = Scene(lab, tmp_path, f"cuts-{seed}")
    with Wire(lab.description.ports.api, seed=seed) as wire:
        with scene.record(access=scene.kubeconfig(wire.address), invocations=2) as recording:
            recording.begun()
            wire.cut_between(2600, 90000)  # the longest second of a log must get through at times
            wire.break_all()
            account = scene.settle(recording, invocations=2, within=200)
        print(f"  {wire.cuts} of {wire.connections} connections cut")
        assert wire.cuts >= 3
    assert account.gaps == 2, "a cut loses nothing: only Longhorn's own kinds are not there"
    assert account.admitted == []


def test_connections_go_silent(lab: Running, tmp_path: Path) -> None:
    """As a firewall that forgets: the connections stay open and carry nothing."""
    scene = Scene(lab, tmp_path, "silence")
    with Wire(lab.description.ports.api) as wire:
        access = scene.kubeconfig(wire.address)
        with scene.record(access=access, invocations=2, progress_deadline=_SILENCE) as recording:
            recording.begun()
            for _number in range(3):
                time.sleep(4)
                wire.stall()
            account = scene.settle(recording, invocations=2, within=150)
    assert account.gaps == 2
    assert account.admitted == []


def test_ninety_seconds_of_silence(lab: Running, tmp_path: Path) -> None:
    """First of the connections that were there, which the recorder finds out by itself; then of the whole network."""
    scene = Scene(lab, tmp_path, "long-silence")
    with (
        Wire(lab.description.ports.api) as wire,
        scene.record(access=scene.kubeconfig(wire.address), invocations=3, timeout=500) as recording,
    ):
        recording.begun()
        time.sleep(4)
        wire.stall()
        time.sleep(_LONG_SILENCE + 10)
        assert recording.running, "there was nothing to be silent about"
        wire.pause(_LONG_SILENCE)
        account = scene.settle(recording, invocations=3, within=400)
    assert account.gaps == 2
    assert account.admitted == []


def test_bursts_of_refusals(lab: Running, tmp_path: Path) -> None:
    scene = Scene(lab, tmp_path, "bursts")
    with Front(lab) as front:
        with scene.record(access={"host": front.address, "api_key": "any"}, invocations=2) as recording:
            recording.begun()
            for status, retry_after in ((429, "2"), (503, ""), (500, ""), (429, ""), (504, "1")):
                time.sleep(2)
                front.burst(status, 12, retry_after=retry_after)
            account = scene.settle(recording, invocations=2, within=150)
        print(f"  refused: {front.refused}, answered: {front.answered}")
        assert set(front.refused) >= {429, 500, 503}
    assert account.gaps == 2
    assert account.admitted == []


def test_a_token_ends_and_its_file_gets_another(lab: Running, tmp_path: Path) -> None:
    scene = Scene(lab, tmp_path, "tokens")
    token = tmp_path / "token"
    first = _token(scene, "first")
    token.write_text(first)
    with Wire(lab.description.ports.api) as wire:
        document = yaml.safe_load(lab.kubeconfig.read_text())
        document["clusters"][0]["cluster"]["server"] = wire.address
        document["users"][0]["user"] = {"tokenFile": str(token)}
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(document))
        with scene.record(access={"kubeconfig": str(path)}, invocations=2) as recording:
            recording.begun()
            time.sleep(2)
            second = _token(scene, "second")
            scene.client.delete(kinds.SECRETS, "first", namespace=scene.workloads[0].namespace)
            until(lambda: not _good(scene, first), "the first token to be worth nothing")
            wire.break_all()  # an open watch outlives its token
            time.sleep(4)
            token.write_text(second)
            account = scene.settle(recording, invocations=2, within=150)
    assert account.gaps == 2
    assert account.admitted == []


def _token(scene: Scene, name: str) -> str:
    """A token of an account that may everything; it is worth something as long as its Secret is there."""
    namespace = scene.workloads[0].namespace
    if scene.client.find(_ACCOUNTS, _ACCOUNT, namespace=namespace) is None:
        scene.client.create(_ACCOUNTS, {"metadata": {"name": _ACCOUNT}}, namespace=namespace)
        subject = {"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": namespace}
        role = {"apiGroup": _BINDINGS.group, "kind": "ClusterRole", "name": "cluster-admin"}
        scene.client.create(_BINDINGS, {"metadata": {"name": namespace}, "roleRef": role, "subjects": [subject]})
    annotations = {"kubernetes.io/service-account.name": _ACCOUNT}
    secret = {
        "metadata": {"name": name, "annotations": annotations},
        "type": "kubernetes.io/service-account-token",
    }
    scene.client.create(kinds.SECRETS, secret, namespace=namespace)
    tokens: list[str] = []

    def filled() -> bool:
        data = scene.client.get(kinds.SECRETS, name, namespace=namespace).get("data") or {}
        tokens.extend([base64.b64decode(data["token"]).decode()] if "token" in data else [])
        return bool(tokens)

    until(filled, "a token")
    return tokens[0]


def _good(scene: Scene, token: str) -> bool:
    authority = str(Path(scene.lab.description.folder) / "pki" / "ca.crt")
    asked = connect({"host": scene.lab.description.server, "api_key": token, "ca_cert": authority})
    try:
        asked.get(kinds.NAMESPACES, scene.workloads[0].namespace)
    except Unauthorized:
        return False
    return True
