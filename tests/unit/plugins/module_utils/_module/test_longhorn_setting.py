# SPDX-License-Identifier: GPL-3.0-or-later
"""longhorn_setting: noted before it is changed, waited for, put back as noted."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import journal as journals
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.journal import Journal
from ansible_collections.longhorn.qa.plugins.module_utils._module import longhorn_setting

NAME = "disable-snapshot-purge"
JOURNAL = f"/api/v1/namespaces/longhorn-system/configmaps/{journals.journal_name('a1')}"


def setting(value: str, *, applied: bool | None = None) -> dict[str, t.Any]:
    return {"metadata": {"name": NAME}, "value": value, "status": {} if applied is None else {"applied": applied}}


def open_run(api: t.Any, **settings: str) -> None:
    noted = Journal("a1", settings={"default-engine-image": "e:1", **settings})
    document = journals.to_config_map(noted, namespace="longhorn-system")
    document["metadata"]["resourceVersion"] = "7"
    api.on(f"GET {JOURNAL}", document)


def writable(api: t.Any) -> None:
    api.manager(f"GET v1/settings/{NAME}", {"name": NAME, "value": "false"})
    api.manager(f"PUT v1/settings/{NAME}")


def run(api: t.Any, *, check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
    given = {
        "namespace": "longhorn-system", "wait": True, "wait_timeout": 30, "run_id": "",
        "name": NAME, "value": "true", "state": "present", **params,
    }  # fmt: skip
    return longhorn_setting.run(given, check_mode=check_mode, client=api.client, clock=api.clock)


def test_a_value_is_set_and_waited_for_until_it_is_applied(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    writable(api)
    api.object("settings", NAME, setting("false"), setting("true", applied=False), setting("true", applied=True))

    result = run(api, value=True)

    assert [body["value"] for _line, body in api.writes] == ["true"]
    assert result["changed"]
    assert result["previous"] == "false"
    assert result["setting"] == {"name": NAME, "value": "true", "applied": True}


def test_a_value_as_wanted_is_only_looked_at(api: t.Any) -> None:
    api.longhorn()
    api.object("settings", NAME, setting("true"))

    assert not run(api)["changed"]
    assert api.writes == []


@pytest.mark.parametrize(
    ("state", "changed"), [pytest.param("present", True, id="set"), pytest.param("restored", False, id="put back")]
)
def test_in_check_mode_the_run_may_only_be_planned(api: t.Any, state: str, changed: bool) -> None:
    api.longhorn(shape="1.5")
    api.on(f"GET {JOURNAL}", None)
    api.object("settings", NAME, setting("false"))

    result = run(api, run_id="a1", state=state, check_mode=True)

    assert result["changed"] == changed
    (warning,) = result["warnings"]
    assert "run a1: the run is not open" in warning and "check mode: assumed to be made before" in warning


def test_in_a_run_the_value_before_is_noted_first(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    open_run(api)
    api.on(f"PUT {JOURNAL}", {})
    writable(api)
    api.object("settings", NAME, setting("false"), setting("true"))

    run(api, run_id="a1")

    (line, body), *_rest = api.writes
    assert line == f"PUT {JOURNAL}"
    assert json.loads(body["data"]["settings"]) == {"default-engine-image": "e:1", NAME: "false"}
    assert body["metadata"]["resourceVersion"] == "7", "somebody who writes at the same time is not overwritten"
    assert api.writes[1][0].endswith(NAME)


def test_the_first_note_of_a_setting_stands(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    open_run(api, **{NAME: "false"})
    writable(api)
    api.object("settings", NAME, setting("something"), setting("true"))

    run(api, run_id="a1")
    assert [line.rpartition("/")[2] for line, _body in api.writes] == [NAME]


def test_restoring_sets_what_was_noted(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    open_run(api, **{NAME: "false"})
    writable(api)
    api.object("settings", NAME, setting("true"), setting("false"))

    assert run(api, state="restored", value=None, run_id="a1")["setting"]["value"] == "false"
    assert [body["value"] for _line, body in api.writes] == ["false"]


def test_restoring_what_the_run_did_not_change_does_nothing(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    open_run(api)
    api.object("settings", NAME, setting("true"))

    assert not run(api, state="restored", value=None, run_id="a1")["changed"]


def test_check_mode_only_reads(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    open_run(api)
    api.object("settings", NAME, setting("false", applied=True))

    result = run(api, check_mode=True, run_id="a1")
    assert result["setting"] == {"name": NAME, "value": "true", "applied": True}
    assert api.writes == []


def test_without_waiting_it_is_told_as_it_is(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    writable(api)
    api.object("settings", NAME, setting("false"), setting("true", applied=False))

    assert run(api, wait=False)["setting"]["applied"] is False


def test_a_run_that_is_not_open_is_told_before_anything_is_changed(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    api.on(f"GET {JOURNAL}", None)
    api.object("settings", NAME, setting("false"))

    with pytest.raises(errors.NotFound, match=r"run a1: the run is not open.*longhorn_run first"):
        run(api, run_id="a1")
    assert api.writes == []


def test_a_setting_that_does_not_exist_is_told_with_similar_ones(api: t.Any) -> None:
    api.longhorn()
    api.object("settings", "disable-snapshot-purges", None)
    api.objects("settings", setting("false"))

    with pytest.raises(errors.NotFound, match=f"no such setting; expected one such as {NAME}"):
        run(api, name="disable-snapshot-purges")


def test_the_managers_refusal_is_told_in_its_own_words(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    api.object("settings", NAME, setting("false"))
    api.manager(f"GET v1/settings/{NAME}", {"name": NAME})
    message = f"cannot set {NAME} setting to true when auto-cleanup-system-generated-snapshot setting is true"
    api.manager(f"PUT v1/settings/{NAME}", api.refused(message))

    with pytest.raises(errors.Refused, match=r"refused to set it.*when auto-cleanup"):
        run(api)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        pytest.param({"name": ""}, "name is empty", id="no-name"),
        pytest.param({"state": "restored"}, "needs run_id", id="restored-without-a-run"),
        pytest.param({"run_id": "A B"}, "run_id", id="run-id"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(api: t.Any, params: dict[str, t.Any], words: str) -> None:
    with pytest.raises(errors.BadInput, match=words):
        run(api, **params)
