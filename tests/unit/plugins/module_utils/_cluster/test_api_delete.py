# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent to delete an object; above all, that a dry run cannot delete."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import api, http, kinds


@pytest.fixture(name="sent")
def _sent(monkeypatch: pytest.MonkeyPatch) -> list[http.Request]:
    sent: list[http.Request] = []

    def send(_connection: t.Any, request: http.Request) -> http.Answer:
        sent.append(request)
        return http.Answer(200, {}, b"{}")

    monkeypatch.setattr(http, "send", send)
    return sent


def client() -> api.Client:
    """A client that reaches nothing."""
    return api.Client(lambda: t.cast(http.Connection, None))


def test_a_dry_run_says_so_in_the_body_because_a_body_hides_the_query(sent: list[http.Request]) -> None:
    client().delete(kinds.NAMESPACES, "store", dry_run=True)

    assert [json.loads(request.body or b"")["dryRun"] for request in sent] == [["All"]]


def test_a_real_deletion_does_not(sent: list[http.Request]) -> None:
    client().delete(kinds.NAMESPACES, "store", uid="u1")

    (body,) = (json.loads(request.body or b"") for request in sent)
    assert body == {"propagationPolicy": "Background", "preconditions": {"uid": "u1"}}
