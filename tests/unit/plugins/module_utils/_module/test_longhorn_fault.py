# SPDX-License-Identifier: GPL-3.0-or-later
"""longhorn_fault: what each type makes and takes away, and that one without effect is refused."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import asdict

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.store import Location, Retention
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import admission, store_rules
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import journal as journals
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.admission import Refusal
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.journal import Journal
from ansible_collections.longhorn.qa.plugins.module_utils._module import longhorn_fault

REGISTRATION = "/apis/admissionregistration.k8s.io"
JOURNAL = "/api/v1/namespaces/longhorn-system/configmaps/longhorn-qa-a1"
HOOK = f"{REGISTRATION}/v1/validatingwebhookconfigurations/longhorn-qa-refuses-a1-snapshots"
PROXY = "/api/v1/namespaces/store/services/store-proxy:9001/proxy/rules"
(WANTED,) = admission.webhooks(Refusal("a1", ("snapshot-delete",), ("v",), "longhorn-system"))


def run(api: t.Any, kind: str, *, check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
    given = {
        "namespace": "longhorn-system", "longhorn_release": "v1.8.2", "wait": True, "wait_timeout": 30, "run_id": "a1",
        "type": kind, "state": "present", "deletions": ["snapshot-delete"], "volumes": ["v"], "task": "backup",
        "image": "", "store_proxy": "store/store-proxy", "store_verb": "DELETE", "store_key": "backups/",
        "store_status": 403, "store_latency": 0.0, "store_times": 0, **params,
    }  # fmt: skip
    return longhorn_fault.run(given, check_mode=check_mode, client=api.client, clock=api.clock)


def serves(api: t.Any, *, policies: str = "") -> None:
    for version in ("v1", "v1beta1"):
        plurals = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"] if version == policies else []
        plurals += ["validatingwebhookconfigurations"] if version == "v1" else []
        api.on(f"GET {REGISTRATION}/{version}", {"resources": [{"name": name} for name in plurals]})
        if version == policies:
            break  # the newest that is there is enough


def writes(api: t.Any) -> list[str]:
    return [line.partition("?")[0] for line, _body in api.writes]


def test_a_server_without_policies_gets_a_webhook_that_nobody_answers(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    serves(api)
    api.on(f"GET {HOOK}", None)
    api.on(f"PATCH {HOOK}?force=true", {})
    result = run(api, "admission")
    assert result["changed"]
    assert result["effects"] == {"snapshot-delete": "visible"}
    assert api.writes == [(f"PATCH {HOOK}?force=true", WANTED)]


def test_one_that_is_there_stays_whatever_the_server_added(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    serves(api)
    (hook,) = WANTED["webhooks"]
    api.on(f"GET {HOOK}", {**WANTED, "webhooks": [{**hook, "matchPolicy": "Equivalent"}]})
    assert not run(api, "admission")["changed"]


def test_other_volumes_replace_those_before(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    serves(api)
    api.on(f"GET {HOOK}", WANTED)
    api.on(f"PATCH {HOOK}?force=true", {})
    assert run(api, "admission", volumes=["v", "w"])["changed"]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_policies_are_made_where_the_server_has_them(api: t.Any, version: str) -> None:
    api.longhorn(shape="1.5")
    serves(api, policies=version)
    paths = [
        f"{REGISTRATION}/{version}/{plural}/longhorn-qa-refuses-a1-snapshots"
        for plural in ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
    ]
    for path in paths:
        api.on(f"GET {path}", None)
        api.on(f"PATCH {path}?force=true", {})
    run(api, "admission")
    assert writes(api) == [f"PATCH {path}" for path in paths]


def test_it_is_taken_away_again(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    serves(api)
    api.on(f"GET {HOOK}", WANTED)
    api.on(f"DELETE {HOOK}", {})
    assert run(api, "admission", state="absent")["changed"]
    assert writes(api) == [f"DELETE {HOOK}"]


def test_check_mode_only_looks(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    serves(api)
    api.on(f"GET {HOOK}", None)
    api.on(f"PATCH {HOOK}?force=true&dryRun=All", {})
    assert run(api, "admission", check_mode=True)["changed"]
    assert all("dryRun=All" in line for line, _body in api.writes)


SETTINGS = {"auto-cleanup-system-generated-snapshot": "true", "disable-snapshot-purge": "false"}


def settings(api: t.Any, **values: str) -> None:
    now = {**SETTINGS, **{name.replace("_", "-"): value for name, value in values.items()}}
    api.objects("settings", *({"metadata": {"name": name}, "value": value} for name, value in now.items()))
    for name, value in now.items():
        api.manager(f"GET v1/settings/{name}", {"name": name, "value": value})
        api.manager(f"PUT v1/settings/{name}", {})


def test_the_purge_is_disabled_only_after_what_longhorn_would_refuse_it_for(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    settings(api)
    result = run(api, "disable-snapshot-purge", volumes=[])
    assert result["effects"] == {"snapshot-delete": "asynchronous"}
    assert [(body["name"], body["value"]) for _line, body in api.writes] == [
        ("auto-cleanup-system-generated-snapshot", "false"), ("disable-snapshot-purge", "true"),
    ]  # fmt: skip


def test_and_enabled_again_in_the_other_order(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    settings(api, disable_snapshot_purge="true", auto_cleanup_system_generated_snapshot="false")
    run(api, "disable-snapshot-purge", volumes=[], state="absent")
    assert [(body["name"], body["value"]) for _line, body in api.writes] == [
        ("disable-snapshot-purge", "false"), ("auto-cleanup-system-generated-snapshot", "true"),
    ]  # fmt: skip


def test_a_release_without_the_setting_says_so(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    api.objects("settings")
    with pytest.raises(
        errors.NotFound, match="auto-cleanup-system-generated-snapshot: this Longhorn has no such setting"
    ):
        run(api, "disable-snapshot-purge", volumes=[])


def test_in_check_mode_volume_and_engine_image_may_only_be_planned(api: t.Any) -> None:
    api.longhorn()
    api.objects("engineimages")
    api.objects("settings")
    there = {"spec": {"size": "33554432", "engineImage": "longhornio/longhorn-engine:v1.0.1"}, "status": {}}
    api.object("volumes", "v", {"metadata": {"name": "v", "labels": {"longhorn.qa/run-id": "a1"}}, **there})
    api.object("volumes", "w", None)
    options = {"image": "stub:1", "volumes": ["v", "w"], "longhorn_release": "v1.0.1", "check_mode": True}

    result = run(api, "engine-image", **options)

    upgrade, planned = result["actions"]
    assert "upgrade the engine of volume v" in upgrade and planned == "move volume w to stub:1"
    first, second = result["warnings"]
    assert "engine image stub:1 is not registered" in first
    assert "volume w" in second and "check mode: assumed to be made before" in second


def test_a_volume_that_is_not_there_cannot_fail(api: t.Any) -> None:
    api.longhorn()
    api.object("volumes", "v", None)
    with pytest.raises(errors.NotFound, match=r"volume v: does not exist.*longhorn_volume first"):
        run(api, "engine-image", image="stub:1", longhorn_release="v1.0.1")


DEFAULT, STUB = "longhornio/longhorn-engine:v1.0.1", "registry/engine:stub"
SETTING = "default-engine-image"


def absent_by_default(api: t.Any, *seen: str, noted: str, check_mode: bool = False) -> dict[str, t.Any]:
    """Run a1 was opened when ``noted`` was the default; ``seen`` is what it is now, time after time."""
    api.longhorn()
    journal = Journal("a1", settings={SETTING: noted})
    api.on(f"GET {JOURNAL}", journals.to_config_map(journal, namespace="longhorn-system") if noted else None)
    api.object("settings", SETTING, *({"metadata": {"name": SETTING}, "value": value} for value in seen))
    given = {"state": "absent", "deletions": ["backup-delete"], "volumes": [], "image": STUB}
    return run(api, SETTING, longhorn_release="v1.0.1", check_mode=check_mode, **given)


def test_the_default_engine_image_of_before_the_run_is_put_back(api: t.Any) -> None:
    api.manager(f"GET v1/settings/{SETTING}", {"name": SETTING, "value": STUB})
    api.manager(f"PUT v1/settings/{SETTING}")
    result = absent_by_default(api, STUB, STUB, STUB, DEFAULT, noted=DEFAULT)
    assert result["actions"] == [f"set {SETTING} to {DEFAULT} instead of {STUB}"]
    assert [body["value"] for _line, body in api.writes] == [DEFAULT]
    assert result["changed"] and "warnings" not in result


def test_in_check_mode_that_is_only_said(api: t.Any) -> None:
    result = absent_by_default(api, STUB, noted=DEFAULT, check_mode=True)
    assert result["changed"] and "warnings" not in result
    assert api.writes == []


def test_one_that_is_back_stays(api: t.Any) -> None:
    result = absent_by_default(api, DEFAULT, noted=DEFAULT)
    assert not result["changed"] and "warnings" not in result


def test_a_stub_that_was_the_default_before_the_run_does_not_stay_in_silence(api: t.Any) -> None:
    result = absent_by_default(api, STUB, noted=STUB)
    assert not result["changed"]
    (warning,) = result["warnings"]
    assert f"{STUB} stays Longhorn's default engine image" in warning and "before run a1" in warning


def test_in_check_mode_a_run_that_is_only_planned_tells_no_image(api: t.Any) -> None:
    (warning,) = absent_by_default(api, STUB, noted="", check_mode=True)["warnings"]
    assert "run a1: the run is not open" in warning


def test_without_a_run_nobody_knows_which_image_it_was(api: t.Any) -> None:
    api.longhorn()
    with pytest.raises(errors.BadInput, match="state restored needs run_id, whose journal tells the value before"):
        run(api, SETTING, longhorn_release="v1.0.1", state="absent", deletions=["backup-delete"], run_id="")
    assert api.writes == []


def rule(volume: str, **more: t.Any) -> dict[str, t.Any]:
    one = store_rules.document((store_rules.of_volume(volume),))["rules"][0]
    return {**one, **more}


def test_the_stores_proxy_gets_a_rule_and_keeps_those_of_others(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    api.on(f"GET {PROXY}", {"rules": [rule("other", hits=3)]})
    api.on(f"PUT {PROXY}", {})
    result = run(api, "backup-store", deletions=["backup-delete"])
    assert result["effects"] == {"backup-delete": "asynchronous"}
    ((_line, body),) = api.writes
    assert [one["key"] for one in body["rules"]] == [rule("other")["key"], rule("v")["key"]]


def test_in_check_mode_the_proxy_may_only_be_planned(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    api.on(f"GET {PROXY}", None)
    result = run(api, "backup-store", deletions=["backup-delete"], check_mode=True)
    assert result["actions"] == ["refuse DELETE of the backups of v"]
    (warning,) = result["warnings"]
    assert "services/store-proxy" in warning and "check mode: assumed to be made before" in warning


def test_a_proxy_that_is_not_there_cannot_refuse(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    api.on(f"GET {PROXY}", None)
    with pytest.raises(errors.NotFound, match="store-proxy"):
        run(api, "backup-store", deletions=["backup-delete"])


def test_nor_does_it_when_it_is_to_let_pass_again(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    api.on(f"GET {PROXY}", None)
    result = run(api, "backup-store", deletions=["backup-delete"], state="absent", check_mode=True)
    assert not result["changed"] and "warnings" not in result


def waits(api: t.Any, *deletions: list[str]) -> None:
    """Backups of volume v that are Terminating, look after look."""
    looks = [
        {"metadata": {}, "items": [{"metadata": {"name": name, "deletionTimestamp": "x"}} for name in names]}
        for names in deletions or ([],)
    ]
    api.on("GET /apis/longhorn.io/v1beta2/namespaces/longhorn-system/backups?labelSelector=backup-volume%3Dv", *looks)


def test_longhorn_gets_the_time_to_do_what_was_refused(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    api.on(f"GET {PROXY}", {"rules": [rule("v")]})
    api.on(f"PUT {PROXY}", {})
    waits(api, ["b-1", "b-2"], ["b-2"], [])
    assert "warnings" not in run(api, "backup-store", deletions=["backup-delete"], state="absent")
    assert 0 < api.clock.seconds < 30


def test_what_longhorn_does_not_do_in_time_is_told(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    api.on(f"GET {PROXY}", {"rules": [rule("v")]})
    api.on(f"PUT {PROXY}", {})
    waits(api, ["b-1"])
    (warning,) = run(api, "backup-store", deletions=["backup-delete"], state="absent")["warnings"]
    assert warning == (
        "Longhorn has not done within 30 s what it was asked for and could not do before: backups b-1 still "
        "Terminating (after 31 looks). It goes on trying."
    )


def test_what_the_proxy_refused_is_told_when_it_stops(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    waits(api)
    api.on(f"GET {PROXY}", {"rules": [rule("v", hits=2)]})
    api.on(f"PUT {PROXY}", {})
    result = run(api, "backup-store", deletions=["backup-delete"], state="absent")
    assert result["hits"] == {"v": 2}
    assert api.writes[0][1] == {"rules": []}


def test_another_key_replaces_the_rule_of_that_volume_only(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    api.on(f"GET {PROXY}", {"rules": [rule("v"), rule("w"), rule("other-v")]})
    api.on(f"PUT {PROXY}", {})
    run(api, "backup-store", deletions=["backup-delete"], store_key="blocks/|backups/", store_times=2)
    ((_line, body),) = api.writes
    kept, others, (new,) = body["rules"][0], body["rules"][1], body["rules"][2:]
    assert [kept, others] == [rule("w"), rule("other-v")]
    assert new["times"] == 2
    folder = "/bucket/backupstore/volumes/1a/2b/v"
    assert re.search(new["key"], f"{folder}/blocks/aa/bb/c.blk") and re.search(new["key"], f"{folder}/backups/b.cfg")
    assert not re.search(new["key"], f"{folder}/locks/lock-backups.lck")
    assert not re.search(new["key"], "/bucket/backupstore/volumes/1a/2b/w/backups/b.cfg")


def test_whatever_key_a_rule_has_it_is_taken_away(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    waits(api)
    api.on(f"GET {PROXY}", {"rules": [rule("v", key=store_rules.of_volume("v", "blocks/").key), rule("w")]})
    api.on(f"PUT {PROXY}", {})
    run(api, "backup-store", deletions=["backup-delete"], state="absent")
    assert api.writes[0][1] == {"rules": [rule("w")]}


def test_a_rule_that_is_there_keeps_counting(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    api.on(f"GET {PROXY}", {"rules": [rule("v", hits=2)]})
    assert not run(api, "backup-store", deletions=["backup-delete"])["changed"]


LOCATION = Location("s3://bucket@region/", "owner", "elsewhere")


def open_run(api: t.Any) -> None:
    document = journals.to_config_map(Journal("a1"), namespace="longhorn-system")
    api.on(f"GET {JOURNAL}", document)
    api.on(f"PUT {JOURNAL}", {})


class Store:
    """A bucket that can keep what is deleted."""

    target, location = LOCATION.target, LOCATION

    def __init__(self, kept: Retention | None) -> None:
        self.kept = kept

    def retention(self) -> Retention | None:
        return self.kept

    def retain(self, wanted: Retention | None) -> None:
        self.kept = wanted


A_DAY, A_WEEK, YEARS = (
    Retention("GOVERNANCE", days=1),
    Retention("GOVERNANCE", days=7),
    Retention("COMPLIANCE", years=2),
)


def locking(api: t.Any, monkeypatch: pytest.MonkeyPatch, store: Store, **options: t.Any) -> dict[str, t.Any]:
    api.longhorn(shape="1.5")
    monkeypatch.setattr(longhorn_fault.store_options, "source", lambda *_a, **_k: store)
    return run(api, "object-lock", deletions=["backup-delete"], volumes=[], **options)


@pytest.mark.parametrize(
    ("before", "state", "check_mode", "after", "changed"),
    [
        pytest.param(None, "present", False, A_DAY, True, id="locked"),
        pytest.param(None, "present", True, None, True, id="would be locked"),
        pytest.param(A_DAY, "present", False, A_DAY, False, id="is locked"),
        pytest.param(A_DAY, "absent", False, None, True, id="not locked any more"),
        pytest.param(A_DAY, "absent", True, A_DAY, True, id="would not be locked any more"),
        pytest.param(None, "absent", False, None, False, id="was not locked"),
        pytest.param(A_WEEK, "absent", False, A_WEEK, False, id="the owner's days stay"),
        pytest.param(YEARS, "absent", False, YEARS, False, id="the owner's years stay"),
    ],
)
def test_a_bucket_keeps_what_is_deleted(
    api: t.Any,
    monkeypatch: pytest.MonkeyPatch,
    before: Retention | None,
    state: str,
    check_mode: bool,
    after: Retention | None,
    changed: bool,
) -> None:
    store = Store(before)
    result = locking(api, monkeypatch, store, state=state, check_mode=check_mode)
    assert (result["changed"], store.kept) == (changed, after)
    assert result["effects"] == {"backup-delete": "silent"}


@pytest.mark.parametrize(
    ("before", "told"),
    [
        pytest.param(A_WEEK, r"GOVERNANCE, 7 days", id="days"),
        pytest.param(YEARS, r"COMPLIANCE, 2 years", id="years"),
    ],
)
def test_a_rule_of_the_owners_is_not_taken_for_the_faults(
    api: t.Any, monkeypatch: pytest.MonkeyPatch, before: Retention, told: str
) -> None:
    store = Store(before)
    with pytest.raises(errors.Refused, match=rf"s3://bucket@region/: the bucket keeps objects.*seen {told}"):
        locking(api, monkeypatch, store)
    assert store.kept == before


@pytest.mark.parametrize("kind", ["object-lock", "bucket-policy"])
def test_without_a_store_there_is_nobody_to_tell(api: t.Any, kind: str) -> None:
    api.longhorn(shape="1.5")
    with pytest.raises(errors.BadInput, match=f"store is needed for a fault of type {kind}"):
        run(api, kind, deletions=["backup-delete"])


class Bucket:
    """A bucket that can be told to refuse, and who tries that it does."""

    def __init__(self, *volumes: str) -> None:
        self.volumes = list(volumes)
        self.users: list[tuple[str, str]] = []

    def __call__(self, store: t.Any, run_id: str, _clock: t.Any) -> Bucket:
        assert run_id == "a1"
        self.store = store
        return self

    def told(self, volumes: t.Sequence[str]) -> bool:
        return list(volumes) == self.volumes

    def tell(self, volumes: t.Sequence[str], *, user: t.Any) -> tuple[str, ...]:
        self.volumes = list(volumes)
        return self.proof(volumes, user=user)

    def proof(self, volumes: t.Sequence[str], *, user: t.Any) -> tuple[str, ...]:
        self.users.append((user.location.namespace, user.location.secret))
        return tuple(f"{volume} did not go" for volume in volumes)

    def remembers(self) -> bool:
        return bool(self.volumes)

    def forget(self) -> None:
        self.volumes = []


def backs_up_to(api: t.Any, url: str) -> None:
    api.longhorn(shape="1.5")
    api.setting("backup-target", url)
    api.setting("backup-target-credential-secret", "longhorns")
    api.setting("backupstore-poll-interval", "300")


def refusing(api: t.Any, monkeypatch: pytest.MonkeyPatch, bucket: Bucket, **params: t.Any) -> dict[str, t.Any]:
    monkeypatch.setattr(longhorn_fault, "RefusingBucket", bucket)
    given = {"url": LOCATION.target, "credential_secret": "owner", "credential_namespace": "elsewhere"}
    return run(api, "bucket-policy", deletions=["backup-delete"], store=given, **params)


def test_a_bucket_refuses_and_longhorns_own_credentials_try_it(api: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    backs_up_to(api, "s3://bucket@region")
    open_run(api)
    bucket = Bucket()
    result = refusing(api, monkeypatch, bucket)
    assert result["actions"] == ["refuse to delete backups of v in s3://bucket@region/"]
    assert result["proof"] == ["v did not go"]
    assert result["effects"] == {"backup-delete": "asynchronous"}
    assert bucket.users == [("longhorn-system", "longhorns")]
    (journal,) = (body for line, body in api.writes if JOURNAL in line)
    assert json.loads(journal["data"]["stores"]) == [asdict(LOCATION)]


def test_of_several_backup_targets_the_one_in_that_store_counts(api: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    api.longhorn(shape="1.5")
    api.object("settings", "backup-target", None)
    specs = [{"backupTargetURL": "s3://other@r/", "credentialSecret": "others"}]
    specs += [{"backupTargetURL": LOCATION.target, "credentialSecret": "second"}]
    api.objects("backuptargets", *({"metadata": {"name": f"t{n}"}, "spec": spec} for n, spec in enumerate(specs)))
    bucket = Bucket("v")
    result = refusing(api, monkeypatch, bucket)
    assert not result["changed"] and result["proof"] == ["v did not go"]
    assert bucket.users == [("longhorn-system", "second")]


def test_a_store_that_longhorn_does_not_use_proves_nothing(api: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    backs_up_to(api, "s3://another@region/")
    with pytest.raises(errors.NotFound, match=r"Longhorn does not back up to it.*seen s3://another@region/"):
        refusing(api, monkeypatch, Bucket())


def test_in_check_mode_target_and_run_may_only_be_planned(api: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    backs_up_to(api, "")
    api.on(f"GET {JOURNAL}", None)
    bucket = Bucket()
    result = refusing(api, monkeypatch, bucket, check_mode=True)
    assert result["changed"] and result["proof"] == [] and bucket.volumes == []
    assert ["no backup target" in result["warnings"][0], "run a1" in result["warnings"][1]] == [True, True]


@pytest.mark.parametrize("check_mode", [pytest.param(True, id="check mode"), pytest.param(False, id="for real")])
def test_a_bucket_forgets(api: t.Any, monkeypatch: pytest.MonkeyPatch, check_mode: bool) -> None:
    api.longhorn(shape="1.5")
    bucket = Bucket("v", "w")
    if not check_mode:
        waits(api)
    result = refusing(api, monkeypatch, bucket, state="absent", check_mode=check_mode)
    assert result["actions"] == ["let backups be deleted again in s3://bucket@region/"]
    assert bucket.volumes == (["v", "w"] if check_mode else [])


def test_one_that_was_told_nothing_has_nothing_to_forget(api: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    api.longhorn(shape="1.5")
    assert not refusing(api, monkeypatch, Bucket(), state="absent")["changed"]


@pytest.mark.parametrize(
    ("kind", "params", "told"),
    [
        pytest.param("engine-image", {"image": "i"}, "one of admission (visible)", id="a stub that nobody calls"),
        pytest.param(
            "admission", {"longhorn_release": "v1.1.3"}, "one of engine-image (visible)", id="no objects to refuse"
        ),
        pytest.param(
            "backup-store",
            {"deletions": ["snapshot-delete"]},
            "does not make snapshot-delete fail",
            id="no backup",
        ),
    ],
)
def test_a_fault_without_effect_is_refused_with_those_that_have_one(
    api: t.Any, kind: str, params: dict[str, t.Any], told: str
) -> None:
    api.longhorn(shape="1.5")
    with pytest.raises(errors.Refused) as caught:
        run(api, kind, **params)
    assert told in str(caught.value)
    assert api.writes == []


@pytest.mark.parametrize(
    ("kind", "params", "told"),
    [
        pytest.param("engine-image", {}, "image is needed", id="image"),
        pytest.param("backup-store", {"store_proxy": ""}, "store_proxy is needed", id="proxy"),
        pytest.param("backup-store", {"store_key": "("}, r"store_key '\(' is not a regular expression", id="key"),
        pytest.param("admission", {"volumes": []}, "whose deletions should fail", id="volumes"),
        pytest.param("admission", {"volumes": ["A B"]}, "volume name 'A B'", id="volume name"),
        pytest.param("admission", {"run_id": "X"}, "run_id 'X'", id="run"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(
    api: t.Any, kind: str, params: dict[str, t.Any], told: str
) -> None:
    with pytest.raises(errors.BadInput, match=told):
        run(api, kind, **params)
