# SPDX-License-Identifier: GPL-3.0-or-later
"""longhorn_backup_target: two settings, a Secret that is never shown, and a wait for Longhorn's manager."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._module import longhorn_backup_target

URL, SECRET = "s3://lhbucket@us-east-1/", "s3-secret"
KEYS = {"AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a-hidden-key", "AWS_ENDPOINTS": "http://store:9000"}


def secret(**values: str) -> dict[str, t.Any]:
    return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}}


def targets(api: t.Any, url: str = "", name: str = "") -> None:
    api.longhorn()
    api.setting("backup-target", url)
    api.setting("backup-target-credential-secret", name)


def writable(api: t.Any, *names: str) -> None:
    for name in names:
        api.manager(f"GET v1/settings/{name}", {"name": name, "value": "", "type": "setting"})
        api.manager(f"PUT v1/settings/{name}")


def run(api: t.Any, *, check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
    given = {
        "namespace": "longhorn-system", "longhorn_release": "v1.0.1", "wait": True, "wait_timeout": 30,
        "url": URL, "credential_secret": SECRET, "state": "present", **params,
    }  # fmt: skip
    return longhorn_backup_target.run(given, check_mode=check_mode, client=api.client, clock=api.clock)


def test_a_new_target_is_set_and_waited_for(api: t.Any) -> None:
    targets(api)
    api.on(f"GET {api.path('secrets')}/{SECRET}", secret(**KEYS))
    writable(api, "backup-target", "backup-target-credential-secret")
    not_yet = api.refused("error listing backups: dial tcp: lookup store: no such host")
    api.manager("GET v1/backupvolumes", not_yet, not_yet, {"data": []})

    result = run(api)

    assert [line.rpartition("/")[2] for line, _body in api.writes] == [
        "backup-target-credential-secret",
        "backup-target",
    ]
    assert [body["value"] for _line, body in api.writes] == [SECRET, URL]
    assert result["previous"] == {"url": "", "credential_secret": ""}
    assert result["backup_target"] == {"url": URL, "credential_secret": SECRET}
    assert "a-hidden-key" not in json.dumps(result)


def test_a_target_as_wanted_is_only_looked_at(api: t.Any) -> None:
    targets(api, URL, SECRET)
    api.on(f"GET {api.path('secrets')}/{SECRET}", secret(**KEYS))
    api.manager("GET v1/backupvolumes", {"data": []})

    assert not run(api)["changed"]
    assert api.writes == []


def test_taking_the_target_away_needs_no_secret(api: t.Any) -> None:
    targets(api, URL, SECRET)
    writable(api, "backup-target", "backup-target-credential-secret")

    result = run(api, state="absent", url="", credential_secret="")

    assert [body["value"] for _line, body in api.writes] == ["", ""]
    assert result["previous"] == {"url": URL, "credential_secret": SECRET}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(None, "Secret s3-secret does not exist", id="secret-missing"),
        pytest.param(secret(AWS_ACCESS_KEY_ID="x"), "lacks AWS_SECRET_ACCESS_KEY", id="key-missing"),
        pytest.param({"data": {"AWS_ACCESS_KEY_ID": "!"}}, "lacks AWS_ACCESS_KEY_ID", id="value-not-base64"),
    ],
)
def test_a_secret_that_cannot_do_is_told_before_anything_changes(api: t.Any, document: t.Any, words: str) -> None:
    targets(api)
    api.on(f"GET {api.path('secrets')}/{SECRET}", document)

    with pytest.raises(errors.BadInput, match=words):
        run(api)
    assert api.writes == []


def test_in_check_mode_an_earlier_task_may_make_the_secret(api: t.Any) -> None:
    targets(api)
    api.on(f"GET {api.path('secrets')}/{SECRET}", None)

    result = run(api, check_mode=True)

    assert result["changed"]
    assert "Secret s3-secret does not exist" in result["warnings"][0]
    assert api.writes == []


def test_whoever_may_not_read_secrets_can_still_name_one(api: t.Any) -> None:
    targets(api, URL, SECRET)
    message = 'secrets "s3-secret" is forbidden: User "u" cannot get resource "secrets" in API group ""'
    api.on(f"GET {api.path('secrets')}/{SECRET}", api.refused(message, status=403))
    api.manager("GET v1/backupvolumes", {"data": []})

    assert not run(api)["changed"]


def test_a_missing_bucket_ends_the_wait_at_once(api: t.Any) -> None:
    targets(api, URL, SECRET)
    api.on(f"GET {api.path('secrets')}/{SECRET}", secret(**KEYS))
    api.manager("GET v1/backupvolumes", api.refused("error listing backups: NoSuchBucket: it does not exist"))

    with pytest.raises(errors.TerminalState, match="NoSuchBucket"):
        run(api)
    assert api.clock.seconds == 0


def test_a_store_that_never_answers_ends_in_a_time_out_with_the_managers_words(api: t.Any) -> None:
    targets(api, URL, SECRET)
    api.on(f"GET {api.path('secrets')}/{SECRET}", secret(**KEYS))
    api.manager("GET v1/backupvolumes", api.refused("error listing backups: i/o timeout"))

    with pytest.raises(errors.WaitTimeout, match=r"i/o timeout.*waited 30 s.*bucket"):
        run(api)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        pytest.param({"url": "ftp://host/"}, "unknown scheme", id="unknown-scheme"),
        pytest.param({"url": ""}, "url is empty", id="no-url"),
        pytest.param({"credential_secret": ""}, "needs credential_secret", id="s3-without-secret"),
        pytest.param({"wait_timeout": 0}, "wait_timeout", id="no-time"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(api: t.Any, params: dict[str, t.Any], words: str) -> None:
    with pytest.raises(errors.BadInput, match=words):
        run(api, **params)
