# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy in front of a backup store, as its pod runs it, before an S3 server: what it refuses and what it passes."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import store_rules

SCRIPT = Path(__file__).resolve().parents[3] / "roles/backup_store/files/store_proxy.py"
# Both ports are fixed in a pod; here the system chooses them, and the program's own constants are set to these.
START = (
    "import socket, sys; free = [socket.socket() for _ in range(2)]; [s.bind(('127.0.0.1', 0)) for s in free];"
    "ports = [s.getsockname()[1] for s in free]; [s.close() for s in free]; print(*ports, flush=True);"
    "source = open(sys.argv[1]).read().replace('= 9000, 9001', f'= {ports[0]}, {ports[1]}');"
    "exec(compile(source, sys.argv[1], 'exec'), {'__name__': '__main__'})"
)
BUCKET = "proxied"
OURS = "backupstore/volumes/aa/bb/v/backups/backup_1.cfg"
OTHERS = "backupstore/volumes/cc/dd/w/backups/backup_1.cfg"
LOCK = "backupstore/volumes/aa/bb/v/locks/lock-1.lck"


class Proxy(t.NamedTuple):
    """Where it answers, and a client that goes through it."""

    rules_port: int
    s3: t.Any

    def ask(self, method: str, body: t.Any = None) -> tuple[int, t.Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.rules_port, timeout=10)
        connection.request(method, "/rules", json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read())
        connection.close()
        return found

    def stored(self) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.fixture(scope="module", name="upstream")
def _upstream() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def client(url: str) -> t.Any:
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )  # fmt: skip


@pytest.fixture(scope="module", name="running")
def _running(upstream: str) -> Iterator[Proxy]:
    process = subprocess.Popen(
        [sys.executable, "-c", START, str(SCRIPT)], stdout=subprocess.PIPE, text=True, env={"UPSTREAM": upstream}
    )
    assert process.stdout is not None
    ports = process.stdout.readline().split()
    assert "behind port" in process.stdout.readline()
    yield Proxy(int(ports[1]), client(f"http://127.0.0.1:{ports[0]}"))
    process.terminate()
    assert process.wait(10) == 0
    process.stdout.close()


@pytest.fixture(name="proxy")
def _proxy(running: Proxy, upstream: str) -> Proxy:
    direct = client(upstream)
    direct.create_bucket(Bucket=BUCKET)
    for key in (OURS, OTHERS, LOCK):
        direct.put_object(Bucket=BUCKET, Key=key, Body=b"{}")
    assert running.ask("PUT", {"rules": []})[0] == 200
    return running


def rules(proxy: Proxy, **more: t.Any) -> None:
    one = store_rules.document((store_rules.of_volume("v"),))["rules"][0]
    assert proxy.ask("PUT", {"rules": [{**one, **more}]})[0] == 200


def hits(proxy: Proxy) -> int:
    return int(store_rules.parse(proxy.ask("GET")[1])[0].hits)


def test_without_rules_everything_passes_both_ways(proxy: Proxy) -> None:
    content = bytes(range(256)) * 4096
    proxy.s3.put_object(Bucket=BUCKET, Key="large", Body=content, Metadata={"a": "b"})
    found = proxy.s3.get_object(Bucket=BUCKET, Key="large")
    assert (found["Body"].read(), found["Metadata"]) == (content, {"a": "b"})
    assert proxy.s3.head_object(Bucket=BUCKET, Key="large")["ContentLength"] == len(content)
    proxy.s3.delete_object(Bucket=BUCKET, Key="large")
    assert proxy.stored() == sorted([OURS, OTHERS, LOCK])


def test_a_volumes_backups_cannot_be_deleted_and_its_locks_can(proxy: Proxy) -> None:
    rules(proxy)
    with pytest.raises(ClientError, match="AccessDenied"):
        proxy.s3.delete_object(Bucket=BUCKET, Key=OURS)
    proxy.s3.delete_object(Bucket=BUCKET, Key=LOCK)
    proxy.s3.delete_object(Bucket=BUCKET, Key=OTHERS)
    proxy.s3.put_object(Bucket=BUCKET, Key=OURS, Body=b"new")
    assert proxy.stored() == [OURS]
    assert hits(proxy) == 1


def test_the_deletion_of_many_at_once_is_one_too(proxy: Proxy) -> None:
    rules(proxy)
    with pytest.raises(ClientError, match="AccessDenied"):
        proxy.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": OTHERS}, {"Key": OURS}]})
    assert OURS in proxy.stored()


def test_only_so_many_times(proxy: Proxy) -> None:
    rules(proxy, times=1, status=503)
    with pytest.raises(ClientError, match="AccessDenied"):
        proxy.s3.delete_object(Bucket=BUCKET, Key=OURS)
    proxy.s3.delete_object(Bucket=BUCKET, Key=OURS)
    assert OURS not in proxy.stored()
    assert hits(proxy) == 1


def test_a_rule_may_only_delay(proxy: Proxy) -> None:
    rules(proxy, status=0, latency=0.01)
    proxy.s3.delete_object(Bucket=BUCKET, Key=OURS)
    assert hits(proxy) == 1
    assert OURS not in proxy.stored()


@pytest.mark.parametrize(
    ("document", "told"),
    [
        pytest.param([], 'list "rules"', id="no object"),
        pytest.param({"rules": [{"words": 1}]}, "known fields are", id="unknown field"),
        pytest.param({"rules": [{"key": "("}]}, "unterminated", id="no expression"),
        pytest.param({"rules": [{"status": 600}]}, "below 600", id="no status"),
    ],
)
def test_bad_rules_are_refused_and_the_old_ones_stay(proxy: Proxy, document: t.Any, told: str) -> None:
    rules(proxy)
    status, answer = proxy.ask("PUT", document)
    assert status == 400
    assert told in answer["message"]
    assert len(proxy.ask("GET")[1]["rules"]) == 1
