# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds that only the user knows are looked up on the server, under any of their names."""

from __future__ import annotations

import json
import types
import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import client, discovery, errors, kinds

RESOURCES = {
    "resources": [
        {"name": "volumes", "kind": "Volume", "namespaced": True, "shortNames": ["lhv"]},
        {"name": "volumes/status", "kind": "Volume", "namespaced": True},
        {"name": "things", "kind": "Thing", "namespaced": False},
    ]
}


def reply(status: int, body: t.Any) -> t.Any:
    """One answer of the API fixture."""
    return types.SimpleNamespace(status=status, headers={}, content=lambda: json.dumps(body).encode())


@pytest.mark.parametrize(
    ("named", "kind"),
    [
        pytest.param("Volume", kinds.VOLUMES, id="kind"),
        pytest.param("volumes", kinds.VOLUMES, id="plural"),
        pytest.param("lhv", kinds.VOLUMES, id="short name"),
        pytest.param("Thing", kinds.Kind("longhorn.io/v1beta1", "things", namespaced=False), id="no namespace"),
    ],
)
def test_every_name_of_a_kind(api: t.Any, named: str, kind: kinds.Kind) -> None:
    api.answers(reply(200, RESOURCES))
    assert discovery.resource(client.connect(api.params), "longhorn.io/v1beta1", named) == kind
    assert api.requests[0][1] == "/apis/longhorn.io/v1beta1"


def test_an_unknown_kind_is_told_with_the_known_ones(api: t.Any) -> None:
    api.answers(reply(200, RESOURCES))
    with pytest.raises(errors.NotFound, match=r"Volum of longhorn.io/v1beta1: .*one of Thing, Volume"):
        discovery.resource(client.connect(api.params), "longhorn.io/v1beta1", "Volum")


def test_a_group_that_is_not_there(api: t.Any) -> None:
    api.answers(reply(404, {"message": "the server could not find the requested resource"}))
    with pytest.raises(errors.NotFound, match=r"longhorn.io/v9: the server does not have this API version"):
        discovery.resource(client.connect(api.params), "longhorn.io/v9", "Volume")


@pytest.mark.parametrize(
    "version",
    [
        pytest.param("", id="empty"),
        pytest.param("../v1", id="path"),
        pytest.param("v1/volumes/x", id="too many parts"),
        pytest.param("Longhorn/V1", id="capitals"),
    ],
)
def test_what_is_no_api_version_is_refused_before_anything_is_asked(api: t.Any, version: str) -> None:
    with pytest.raises(errors.BadInput, match="option api_version: not an API version"):
        discovery.resource(client.connect(api.params), version, "Volume")
    assert api.requests == []
