# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup targets: settings, settings that an object mirrors, and objects."""

from __future__ import annotations

import base64
import typing as t
from pathlib import Path

import pytest
from simulated_manager import BASE, Bucket, Manager

from longhorn_qa_lab.kube import ApiError, Object
from longhorn_qa_lab.longhorn import backup_target, engine, names, world
from longhorn_qa_lab.longhorn.backupstore import BackupStore
from longhorn_qa_lab.longhorn.releases import RELEASES

URL = "s3://bucket@region/"
SECRET = "s3-secret"
MIRRORED = [name for name, row in RELEASES.items() if row.backup_target == "mirrored"]
OBJECTS = [name for name, row in RELEASES.items() if row.backup_target == "objects"]


@pytest.fixture(autouse=True)
def _store(monkeypatch: pytest.MonkeyPatch) -> None:
    found = BackupStore(Bucket())
    monkeypatch.setattr(engine, "open_store", lambda *_: found)


def secret(manager: Manager, **more: str) -> None:
    """The credentials of a store that answers."""
    values = {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "key",
        "AWS_ENDPOINTS": "http://store:9000",
        **more,
    }
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    manager.kube.create(f"/api/v1/namespaces/{names.NAMESPACE}/secrets", {"metadata": {"name": SECRET}, "data": data})


def default(manager: Manager) -> Object:
    return manager.all(world.BACKUP_TARGETS)["default"]


def configure(manager: Manager, name: str = "default", **spec: str) -> None:
    """Change a target's object."""

    def change(document: Object) -> None:
        document["spec"] |= spec

    manager.world.update(world.BACKUP_TARGETS, name, change)
    manager.settle()


def trouble(target: Object) -> str:
    """Why a target is not available; empty when it is."""
    conditions = target["status"]["conditions"]
    (told,) = conditions.values() if isinstance(conditions, dict) else conditions
    assert (told["type"], told["status"]) == ("Unavailable", str(not target["status"]["available"]))
    return str(told["message"])


@pytest.mark.parametrize("release", [*MIRRORED, *OBJECTS])
def test_a_new_installation_has_a_default_target_that_is_none(release: str, tmp_path: Path) -> None:
    target = default(Manager(tmp_path, release))
    assert (target["spec"]["backupTargetURL"], target["spec"]["pollInterval"]) == ("", "5m0s")
    assert trouble(target) == "backup target URL is empty"


@pytest.mark.parametrize("release", MIRRORED)
def test_settings_are_copied_into_the_object_and_win(release: str, tmp_path: Path) -> None:
    manager = Manager(tmp_path, release)
    secret(manager)
    values = {"backup-target": URL, "backup-target-credential-secret": SECRET, "backupstore-poll-interval": "3600"}
    for name, value in values.items():
        manager.service.update_setting(name, {"value": value}, BASE)
    manager.settle()
    spec = default(manager)["spec"]
    assert (spec["backupTargetURL"], spec["credentialSecret"], spec["pollInterval"]) == (URL, SECRET, "1h0m0s")
    assert trouble(default(manager)) == ""
    configure(manager, backupTargetURL="s3://other@region/")
    assert default(manager)["spec"]["backupTargetURL"] == URL


@pytest.mark.parametrize("release", OBJECTS)
def test_an_object_is_what_people_change(release: str, tmp_path: Path) -> None:
    manager = Manager(tmp_path, release)
    assert "backup-target" not in {item["name"] for item in manager.service.settings(BASE)}
    configure(manager, backupTargetURL=URL, credentialSecret=SECRET)
    assert 'secret "s3-secret" not found' in trouble(default(manager))
    secret(manager)
    configure(manager, syncRequestedAt="2026-11-25T18:00:00Z")
    assert trouble(default(manager)) == ""
    spec = {"backupTargetURL": "s3://second@region/", "credentialSecret": SECRET}
    manager.world.create(world.BACKUP_TARGETS, {"kind": "BackupTarget", "metadata": {"name": "second"}, "spec": spec})
    manager.settle()
    assert manager.all(world.BACKUP_TARGETS)["second"]["status"]["available"] is True
    manager.kube.delete(f"{manager.world.path(world.BACKUP_TARGETS)}/second")
    manager.settle()
    assert list(manager.all(world.BACKUP_TARGETS)) == ["default"]


@pytest.mark.parametrize("release", OBJECTS)
def test_the_config_map_fills_a_default_target_that_is_none(release: str, tmp_path: Path) -> None:
    manager = Manager(tmp_path, release)
    text = f'"backup-target": "{URL}"\n"backup-target-credential-secret": "{SECRET}"\n'.replace('"backup', "backup")
    text = text.replace('":', ":")
    document = {"metadata": {"name": "longhorn-default-resource"}, "data": {"default-resource.yaml": text}}
    manager.kube.create(manager.world.path(world.CONFIG_MAPS), document)
    manager.settle()
    assert default(manager)["spec"]["backupTargetURL"] == URL
    configure(manager, backupTargetURL="s3://mine@region/")
    assert default(manager)["spec"]["backupTargetURL"] == "s3://mine@region/", "what somebody has chosen stays"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param(
            {"AWS_ENDPOINTS": " http://store:9000"}, "invalid leading whitespace in AWS_ENDPOINTS", id="before"
        ),
        pytest.param({"AWS_CERT": "text\n"}, "invalid trailing whitespace in AWS_CERT", id="a line's end"),
    ],
)
def test_credentials_with_white_space_are_refused(more: dict[str, str], words: str, tmp_path: Path) -> None:
    manager = Manager(tmp_path, OBJECTS[-1])
    secret(manager, **more)
    with pytest.raises(ApiError, match=words):
        configure(manager, backupTargetURL=URL, credentialSecret=SECRET)


def test_targets_that_cannot_be(tmp_path: Path) -> None:
    manager = Manager(tmp_path, OBJECTS[-1])
    with pytest.raises(ApiError, match="unsupported backup store type ftp"):
        configure(manager, backupTargetURL="ftp://store/")
    with pytest.raises(ApiError, match="deleting default backup target is not allowed"):
        manager.kube.delete(f"{manager.world.path(world.BACKUP_TARGETS)}/default")


def test_a_backup_needs_a_target_that_is_there(tmp_path: Path) -> None:
    manager = Manager(tmp_path, OBJECTS[-1])
    backup: dict[str, t.Any] = {"kind": "Backup", "metadata": {"name": "backup-1"}, "spec": {"snapshotName": "one"}}
    with pytest.raises(ApiError, match="backup target default is not available"):
        manager.world.create(world.BACKUPS, backup)


@pytest.mark.parametrize(
    ("seconds", "text"), [("300", "5m0s"), ("0", "0s"), ("45", "45s"), ("3661", "1h1m1s"), ("", "0s")]
)
def test_poll_intervals_are_gos_durations(seconds: str, text: str) -> None:
    assert backup_target.poll_interval(seconds) == text
