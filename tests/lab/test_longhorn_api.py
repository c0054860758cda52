# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's API over HTTP: which collections each release has, and what is not there."""

from __future__ import annotations

import http.client
import json
import threading
import typing as t
from pathlib import Path

import pytest
from simulated_manager import Manager

from longhorn_qa_lab.longhorn import manager_api
from longhorn_qa_lab.longhorn.releases import RELEASES

ALWAYS = {"backupvolumes", "engineimages", "instancemanagers", "nodes", "settings", "volumes"}
OBJECTS = {"backuptargets", "recurringjobs"}


class Api(t.NamedTuple):
    """A manager that listens."""

    manager: Manager
    port: int

    def ask(self, method: str, path: str, body: t.Any = None) -> tuple[int, t.Any]:
        """Status and document of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()


@pytest.fixture(params=list(RELEASES))
def api(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Api]:
    """The API of each release, without its access log."""
    monkeypatch.setattr(manager_api._Handler, "_record", lambda *_: None)
    manager = Manager(tmp_path, request.param)
    server = manager_api.Server(("127.0.0.1", 0), manager.service, manager.context.log)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield Api(manager, server.server_address[1])
    server.shutdown()
    server.server_close()


def test_the_root_names_what_the_release_has(api: Api) -> None:
    status, root = api.ask("GET", "/v1")
    expected = ALWAYS | (OBJECTS if api.manager.context.release.recurring_jobs == "objects" else set())
    assert status == 200
    assert set(root["links"]) - {"self", "schemas"} == expected
    for kind in sorted(OBJECTS):
        assert api.ask("GET", f"/v1/{kind}")[0] == (200 if kind in expected else 404)


def test_a_recurring_jobs_life_over_http(api: Api) -> None:
    if api.manager.context.release.recurring_jobs != "objects":
        assert api.ask("POST", "/v1/recurringjobs", {"name": "nightly"}) == (404, None)
        return
    body = {"name": "nightly", "task": "snapshot", "cron": "* * * * *", "retain": 1}
    status, made = api.ask("POST", "/v1/recurringjobs", body)
    assert (status, made["id"], made["concurrency"]) == (200, "nightly", 10)
    api.manager.settle()
    status, listed = api.ask("GET", "/v1/recurringjobs")
    assert (status, [entry["name"] for entry in listed["data"]]) == (200, ["nightly"])
    assert api.ask("PUT", "/v1/recurringjobs/nightly", {**body, "retain": 2})[1]["retain"] == 2
    status, error = api.ask("POST", "/v1/recurringjobs", {**body, "name": "other", "cron": "often"})
    assert (status, error["type"]) == (500, "error")
    assert "invalid cron format(often)" in error["message"]
    assert api.ask("DELETE", "/v1/recurringjobs/nightly")[0] == 200
    api.manager.settle()
    assert api.ask("GET", "/v1/recurringjobs/nightly")[0] == 500


def test_what_no_release_has_is_not_there(api: Api) -> None:
    for method, path in (("GET", "/v1/unicorns"), ("POST", "/v1/nodes"), ("DELETE", "/v1/nodes/lab-node")):
        assert api.ask(method, path)[0] == 404
