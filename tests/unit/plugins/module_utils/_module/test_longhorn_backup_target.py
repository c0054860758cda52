# SPDX-License-Identifier: GPL-3.0-or-later
"""longhorn_backup_target: settings or an object, a Secret that is never shown, and a wait for Longhorn's manager."""

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


def targets(api: t.Any, url: str = "", name: str = "", *, shape: str = "1.0") -> None:
    api.longhorn(shape=shape)
    api.setting("backup-target", url)
    api.setting("backup-target-credential-secret", name)
    api.setting("backupstore-poll-interval", "300")


def writable(api: t.Any, *names: str) -> None:
    for name in names:
        api.manager(f"GET v1/settings/{name}", {"name": name, "value": "", "type": "setting"})
        api.manager(f"PUT v1/settings/{name}")


def run(api: t.Any, *, check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
    given = {
        "namespace": "longhorn-system", "longhorn_release": "v1.0.1", "wait": True, "wait_timeout": 30,
        "name": "default", "url": URL, "credential_secret": SECRET, "poll_interval": None, "state": "present",
        "run_id": "", **params,
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
    same = {"name": "default", "poll_interval": 300}
    assert result["previous"] == {"url": "", "credential_secret": "", **same}
    assert result["backup_target"] == {"url": URL, "credential_secret": SECRET, **same}
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
    assert (result["previous"]["url"], result["previous"]["credential_secret"]) == (URL, SECRET)


def backup_target(
    url: str = "", name: str = "", *, requested: str = "", synced: str = "2026-11-23T07:59:00Z", run: str = "",
    available: bool = False, message: str = "", target: str = "default",
) -> dict[str, t.Any]:  # fmt: skip
    spec = {"backupTargetURL": url, "credentialSecret": name, "pollInterval": "5m0s", "syncRequestedAt": requested}
    told = [{"type": "Unavailable", "status": "True", "message": message}] if message else []
    return {
        "metadata": {"name": target, "labels": {"longhorn.qa/run-id": run} if run else {}}, "spec": spec,
        "status": {"available": available, "lastSyncedAt": synced, "conditions": told},
    }  # fmt: skip


def without_settings(api: t.Any, *found: t.Any, target: str = "default") -> None:
    """Since 1.8."""
    api.longhorn(shape="1.5")
    api.object("settings", "backup-target", None)
    api.object("backuptargets", target, *found)
    api.on(f"GET {api.path('secrets')}/{SECRET}", secret(**KEYS))


def test_from_1_2_to_1_7_settings_are_written_and_the_object_tells_when_it_can_be_used(api: t.Any) -> None:
    targets(api, shape="1.2")
    api.on(f"GET {api.path('secrets')}/{SECRET}", secret(**KEYS))
    writable(api, "backup-target", "backup-target-credential-secret")
    api.object(
        "backuptargets", "default", backup_target(available=True), backup_target(URL, SECRET, requested="2026-11-24"),
        backup_target(URL, SECRET, available=True),
    )  # fmt: skip

    run(api)
    assert [body["value"] for _line, body in api.writes] == [SECRET, URL]


def test_since_1_8_the_object_is_changed_after_the_server_was_asked(api: t.Any) -> None:
    now = "2026-11-23T08:00:00Z"
    without_settings(
        api, backup_target(), backup_target(URL, SECRET, requested=now),
        backup_target(URL, SECRET, requested=now, synced=now, available=True),
    )  # fmt: skip
    path = f"{api.path('backuptargets')}/default"
    api.on(f"PATCH {path}?dryRun=All", {})
    api.on(f"PATCH {path}", {})
    api.on("GET /version", {})

    result = run(api)

    spec = {"backupTargetURL": URL, "credentialSecret": SECRET}
    assert api.writes == [
        (f"PATCH {path}?dryRun=All", {"spec": spec}),
        (f"PATCH {path}", {"spec": {**spec, "syncRequestedAt": now}}),
    ]
    assert result["previous"]["url"] == ""
    assert result["backup_target"]["url"] == URL


def test_the_manager_is_asked_to_look_after_its_last_look_whatever_the_clocks_say(api: t.Any) -> None:
    later = "2026-11-23T09:30:00Z"
    ready = backup_target(URL, SECRET, requested="2026-11-23T09:30:01Z", synced="2026-11-23T09:30:01Z", available=True)
    without_settings(api, backup_target(synced=later), ready)
    path = f"{api.path('backuptargets')}/default"
    api.on(f"PATCH {path}?dryRun=All", {})
    api.on(f"PATCH {path}", {})
    api.on("GET /version", {})

    run(api)
    assert api.writes[1][1]["spec"]["syncRequestedAt"] == "2026-11-23T09:30:01Z"


def test_another_target_is_made_with_the_runs_mark(api: t.Any) -> None:
    ready = backup_target(URL, SECRET, available=True, target="second", run="a1")
    without_settings(api, None, ready, target="second")
    api.on(f"POST {api.path('backuptargets')}?dryRun=All", {})
    api.on(f"POST {api.path('backuptargets')}", {})

    run(api, name="second", run_id="a1")

    body = api.writes[1][1]
    assert body["metadata"] == {"name": "second", "labels": {"longhorn.qa/run-id": "a1"}}
    assert body["spec"]["pollInterval"] == "300s"


def going() -> dict[str, t.Any]:
    document = backup_target(URL, SECRET, target="second")
    document["metadata"]["deletionTimestamp"] = "2026-11-23T08:00:00Z"
    return document


def test_another_target_whose_name_is_still_being_deleted_is_waited_for(api: t.Any) -> None:
    found = (going(), going(), None, backup_target(URL, SECRET, available=True, target="second"))
    without_settings(api, *found, target="second")
    api.on(f"POST {api.path('backuptargets')}?dryRun=All", {})
    api.on(f"POST {api.path('backuptargets')}", {})

    assert run(api, name="second", longhorn_release="v1.8.2")["changed"]


def test_check_mode_does_not_ask_for_a_name_that_is_still_being_deleted(api: t.Any) -> None:
    without_settings(api, going(), target="second")

    assert run(api, name="second", longhorn_release="v1.8.2", check_mode=True)["changed"]
    assert api.writes == []


def test_another_target_goes_and_is_waited_for(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    api.object("settings", "backup-target", None)
    there = backup_target(URL, SECRET, target="second")
    api.object("backuptargets", "second", there, there, None)
    path = f"{api.path('backuptargets')}/second"
    api.on(f"DELETE {path}?dryRun=All", {})
    api.on(f"DELETE {path}", {})

    assert run(api, name="second", state="absent", url="", credential_secret="")["changed"]
    assert [line for line, _body in api.writes] == [f"DELETE {path}?dryRun=All", f"DELETE {path}"]


def test_what_the_webhook_refuses_is_told_in_check_mode_too(api: t.Any) -> None:
    without_settings(api, backup_target())
    message = 'admission webhook "validator.longhorn.io" denied the request: invalid leading whitespace in AWS_CERT'
    api.on(f"PATCH {api.path('backuptargets')}/default?dryRun=All", api.status(422, message))

    with pytest.raises(errors.Refused, match="invalid leading whitespace in AWS_CERT"):
        run(api, check_mode=True)


def test_an_unavailable_target_ends_in_a_time_out_with_the_managers_words(api: t.Any) -> None:
    without_settings(api, backup_target(URL, SECRET, message="failed to list: i/o timeout"))

    with pytest.raises(errors.WaitTimeout, match=r"i/o timeout.*waited 30 s"):
        run(api)


def test_several_targets_need_a_later_release(api: t.Any) -> None:
    targets(api)
    with pytest.raises(errors.BadInput, match="several need release"):
        run(api, name="second")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(None, "Secret s3-secret does not exist", id="secret-missing"),
        pytest.param(secret(**{**KEYS, "AWS_CERT": "x\n"}), "white space around the value of AWS_CERT", id="padded"),
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


_NO_BUCKET = "error listing backups: NoSuchBucket: it does not exist"


def test_a_target_without_a_bucket_gives_way_to_the_one_before(api: t.Any) -> None:
    targets(api, "s3://good@us-east-1/", SECRET)
    api.on(f"GET {api.path('secrets')}/{SECRET}", secret(**KEYS))
    writable(api, "backup-target")
    api.manager("GET v1/backupvolumes", api.refused(_NO_BUCKET))

    with pytest.raises(errors.TerminalState, match=r"NoSuchBucket.*The target of before was put back\."):
        run(api)
    assert [body["value"] for _line, body in api.writes] == [URL, "s3://good@us-east-1/"]


def test_a_target_that_cannot_be_put_back_is_told(api: t.Any) -> None:
    targets(api, "", "")
    api.on(f"GET {api.path('secrets')}/{SECRET}", secret(**KEYS))
    writable(api, "backup-target", "backup-target-credential-secret")
    api.manager("PUT v1/settings/backup-target", {}, api.refused("in use"))
    api.manager("GET v1/backupvolumes", api.refused(_NO_BUCKET))

    with pytest.raises(errors.TerminalState, match=r"NoSuchBucket.*could not be put back: .*in use"):
        run(api)


def test_an_object_without_a_bucket_is_as_before(api: t.Any) -> None:
    hopeless = backup_target(URL, SECRET)
    hopeless["status"]["conditions"] = [{"type": "Unavailable", "status": "True", "message": _NO_BUCKET}]
    without_settings(api, backup_target("s3://good@us-east-1/", SECRET), hopeless)
    path = f"{api.path('backuptargets')}/default"
    api.on(f"PATCH {path}?dryRun=All", {})
    api.on(f"PATCH {path}", {})
    api.on("GET /version", {})

    with pytest.raises(errors.TerminalState, match="was put back"):
        run(api)
    assert [body["spec"]["backupTargetURL"] for _line, body in api.writes[1:]] == [URL, "s3://good@us-east-1/"]


def test_another_target_without_a_bucket_is_not_left(api: t.Any) -> None:
    hopeless = backup_target(URL, SECRET, target="second")
    hopeless["status"]["conditions"] = [{"type": "Unavailable", "status": "True", "message": _NO_BUCKET}]
    without_settings(api, None, hopeless, target="second")
    path = api.path("backuptargets")
    api.on(f"POST {path}?dryRun=All", {})
    api.on(f"POST {path}", {})
    api.on(f"DELETE {path}/second", {})

    with pytest.raises(errors.TerminalState, match="was put back"):
        run(api, name="second")
    assert [line for line, _body in api.writes][1:] == [f"POST {path}", f"DELETE {path}/second"]


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
