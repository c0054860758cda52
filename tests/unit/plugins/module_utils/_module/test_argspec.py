# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared options are those that kubernetes.core documents, and what is secret in them stays hidden."""

from __future__ import annotations

import importlib.util
import json
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec

COLLECTIONS = Path(__file__).parents[5] / "collections" / "ansible_collections"


def documented() -> dict[str, t.Any]:
    path = COLLECTIONS / "kubernetes/core/plugins/doc_fragments/k8s_auth_options.py"
    spec = importlib.util.spec_from_file_location("fragment", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return t.cast(dict[str, t.Any], yaml.safe_load(module.ModuleDocFragment.DOCUMENTATION)["options"])


def test_names_types_and_aliases_are_those_of_kubernetes_core() -> None:
    ours = argspec.auth_spec()
    theirs = documented()
    assert sorted(ours) == sorted(theirs)
    for name, option in theirs.items():
        assert ours[name]["type"] == option["type"], name
        assert sorted(ours[name].get("aliases", [])) == sorted(option.get("aliases", [])), name
    assert sorted(ours["proxy_headers"]["options"]) == sorted(theirs["proxy_headers"]["suboptions"])


@pytest.mark.parametrize(
    ("variable", "value", "option", "expected"),
    [
        pytest.param("K8S_AUTH_HOST", "https://x", "host", "https://x", id="host"),
        pytest.param("K8S_AUTH_API_KEY", "t", "api_key", "t", id="token"),
        pytest.param("K8S_AUTH_VERIFY_SSL", "false", "validate_certs", False, id="as AWX sets it"),
        pytest.param("K8S_AUTH_SSL_CA_CERT", "/ca", "ca_cert", "/ca", id="CA"),
        pytest.param("K8S_AUTH_IMPERSONATE_GROUPS", "a,b", "impersonate_groups", ["a", "b"], id="a list"),
    ],
)
def test_environment(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, option: str, expected: object) -> None:
    monkeypatch.setenv(variable, value)
    with patch_module_args({}):
        assert basic.AnsibleModule(argument_spec=argspec.merged()).params[option] == expected


def test_an_option_stated_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="namespace is stated twice"):
        argspec.merged(argspec.namespace_spec(), argspec.namespace_spec())


VARIABLES = [
    {"name": "AWS_SECRET_ACCESS_KEY", "value": "canary-3"},
    {"name": "AWS_SESSION_TOKEN", "value": ""},
    {"name": "AWS_PROFILE", "value": "1"},  # hidden, it would take every 1 out of a result
]


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        pytest.param({"token": "canary-1", "client-key-data": "canary-2"}, {"canary-1", "canary-2"}, id="of a user"),
        pytest.param({"token": "", "password": ""}, set(), id="empty"),
        pytest.param({"exec": {"command": "aws", "env": VARIABLES}}, {"canary-3"}, id="of a credential plugin"),
        pytest.param({"exec": {"command": "aws", "env": None}}, set(), id="a plugin without variables"),
        pytest.param({"auth-provider": {"config": {"client-secret": "canary-4"}}}, {"canary-4"}, id="of a provider"),
    ],
)
def test_secrets_of_a_kubeconfig_given_as_a_dictionary_are_hidden(user: dict[str, t.Any], expected: set[str]) -> None:
    hidden: set[str] = set()
    kubeconfig = {"users": [{"name": "shown", "user": user}]}
    argspec.hide_secrets(hidden, {"kubeconfig": kubeconfig, "host": json.dumps("x")})
    assert hidden == expected
