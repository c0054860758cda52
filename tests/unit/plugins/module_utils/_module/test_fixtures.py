# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that make Longhorn's objects share: the manager behind the proxy, time, plans and warnings."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import InvalidRequest, NotOurs, Plan, Step
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import done, pending
from ansible_collections.longhorn.qa.plugins.module_utils._module import fixtures


def here(api: t.Any, **params: t.Any) -> fixtures.Fixtures:
    given = {"namespace": "longhorn-system", "wait": True, "wait_timeout": 10, **params}
    return fixtures.Fixtures(given, client=api.client, clock=api.clock)


def test_a_missing_manager_is_told_apart_from_a_missing_object(api: t.Any) -> None:
    api.manager("GET v1/settings/backup-target", api.refused('services "longhorn-backend" not found', status=404))
    with pytest.raises(errors.NotFound, match="Longhorn's manager is not there"):
        here(api).manager.set_setting("backup-target", "")

    api.manager("POST v1/volumes/test-1?action=detach", api.refused("cannot find volume test-1", status=404))
    with pytest.raises(errors.NotFound, match=r"volume test-1: does not exist.*cannot find volume"):
        here(api).manager.detach("test-1")


def test_missing_permission_for_the_proxy_stays_what_it_is(api: t.Any) -> None:
    message = 'services "longhorn-backend:9500" is forbidden: cannot create resource "services/proxy" in API group ""'
    api.manager("POST v1/volumes/test-1?action=detach", api.refused(message, status=403))
    with pytest.raises(errors.Forbidden, match="services/proxy"):
        here(api).manager.detach("test-1")


def test_deleting_what_somebody_else_deleted_is_done(api: t.Any) -> None:
    api.manager("DELETE v1/volumes/test-1", api.refused("gone", status=404))
    here(api).manager.delete_volume("test-1")


def test_a_volume_that_never_had_a_backup_has_none(api: t.Any) -> None:
    api.manager("POST v1/backupvolumes/test-1?action=backupList", api.refused("not found", status=404))
    assert here(api).manager.backups("test-1") == ()


def test_all_waits_of_a_module_share_one_time_limit(api: t.Any) -> None:
    run = here(api)
    looks = iter([pending("not yet")] * 12 + [done()])
    run.wait(lambda: next(looks), lambda progress: progress, subject="the first", expected="done")
    assert api.clock.seconds == 6
    with pytest.raises(errors.WaitTimeout, match="waited 4 s"):
        run.wait(lambda: pending("never"), lambda progress: progress, subject="the second", expected="done")


def test_what_the_pure_packages_refuse_becomes_an_error_of_modules() -> None:
    with pytest.raises(errors.BadInput, match="no such thing"), fixtures.told():
        raise InvalidRequest("no such thing")
    with pytest.raises(errors.Conflict, match="somebody else's"), fixtures.told():
        raise NotOurs("somebody else's")


def test_a_plan_without_steps_shows_no_difference() -> None:
    plan = Plan(before={"state": "a"}, after={"state": "b"})
    told = fixtures.result(plan, warnings=[], thing=1)
    assert told == {
        "changed": False,
        "diff": {"before": {"state": "a"}, "after": {"state": "a"}},
        "actions": [],
        "thing": 1,
    }


def test_what_is_missing_is_an_error_or_in_check_mode_a_warning() -> None:
    plan = Plan(before={}, after={}, steps=(Step("create", "make it"),), missing=("the image is missing",))
    with pytest.raises(errors.NotFound, match="volume v: the image is missing"):
        fixtures.require(plan, subject="volume v", check_mode=False)
    warnings = fixtures.require(plan, subject="volume v", check_mode=True)
    assert fixtures.result(plan, warnings=warnings)["warnings"] == [
        "the image is missing (check mode: assumed to be made before)"
    ]
