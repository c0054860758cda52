# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines in the right number, and never a pass on logs that were not seen."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._history import logfmt
from ansible_collections.longhorn.qa.plugins.module_utils._module import job_log_assert

Scene = t.Any
Make = t.Any
WARNING = b'level=warning msg="created snapshot successfully but errored on cleanup for v: x"\n'
DEFAULTS = {
    "namespace": "n", "history": None, "cronjob": "", "job": "", "label_selector": "", "level": "", "message_text": "",
    "message_regex": "", "fields": {}, "evidence": 20, "min": 1, "max": None, "per": "total",
}  # fmt: skip


def logs(**params: t.Any) -> dict[str, t.Any]:
    client = params.pop("client", None)
    return job_log_assert.run({**DEFAULTS, **params}, client=client)


def test_logs_are_counted_over_all_attempts(scene: Scene) -> None:
    scene.invocation("v-c-1", b"level=info msg=a\n" + WARNING, WARNING)
    scene.invocation("v-c-2", b"")
    result = logs(history=scene.done(), cronjob="v-c", level="warning", min=2, max=2)
    assert result["changed"] is False
    assert result["counts"] == {"v-c-1": 2, "v-c-2": 0}
    assert result["unmatched"] == ["v-c-2"]
    assert [(item["attempt"], item["line"]) for item in result["matched"]] == [(0, 2), (1, 1)]


def test_evidence_is_the_same_on_failure(scene: Scene) -> None:
    scene.invocation("v-c-1", WARNING)
    scene.invocation("v-c-2", b"level=info msg=fine\n")
    with pytest.raises(errors.NotAsExpected, match="exactly 1 for each invocation; seen v-c-2: 0") as caught:
        logs(history=scene.done(), cronjob="v-c", level="warning", min=1, max=1, per="invocation")
    assert caught.value.evidence["counts"] == {"v-c-1": 1, "v-c-2": 0}
    assert caught.value.evidence["matched"][0]["pod"] == "v-c-1-abcde"


@pytest.mark.parametrize(
    ("content", "limits", "expected"),
    [
        pytest.param(b"", {"min": 0, "max": 0}, errors.Inconclusive, id="absence is not proven"),
        pytest.param(b"", {"min": 1}, errors.Inconclusive, id="it may have been in the rest"),
        pytest.param(WARNING, {"min": 1}, None, id="enough was seen"),
        pytest.param(WARNING, {"min": 1, "max": 1}, errors.Inconclusive, id="there may have been more"),
        pytest.param(WARNING * 2, {"min": 1, "max": 1}, errors.NotAsExpected, id="too many is too many"),
    ],
)
def test_a_log_that_is_not_whole(scene: Scene, content: bytes, limits: dict[str, int], expected: t.Any) -> None:
    scene.invocation("v-c-1", content, complete=False)
    folder = scene.done()
    if expected is None:
        assert logs(history=folder, cronjob="v-c", level="warning", **limits)["total"] == 1
        return
    with pytest.raises(expected):
        logs(history=folder, cronjob="v-c", level="warning", **limits)


def test_the_rest_of_a_line_that_is_too_long_proves_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfmt, "MAX_LINE", 1 << 20)
    scene.invocation("v-c-1", b"fine\n" + b"x" * (3 << 20) + b"level=error\n")
    with pytest.raises(errors.Inconclusive, match="line 2 is longer than 1 MiB"):
        logs(history=scene.done(), cronjob="v-c", message_text="level=error", min=0, max=0)


def test_an_invocation_without_a_pod_proves_nothing(scene: Scene) -> None:
    scene.invocation("v-c-1")
    with pytest.raises(errors.Inconclusive, match="no pod of it was recorded"):
        logs(history=scene.done(), cronjob="v-c", level="fatal", min=0, max=0)


@pytest.mark.parametrize("per", ["invocation", "total"])
def test_nothing_ran_proves_nothing(scene: Scene, per: str) -> None:
    with pytest.raises(errors.Inconclusive, match="no invocation to look at"):
        logs(history=scene.done(), cronjob="v-c", level="fatal", min=0, max=0, per=per)


@pytest.mark.parametrize("kind", ["jobs", "pods", "logs"])
def test_a_gap_in_the_recording_proves_nothing(scene: Scene, kind: str) -> None:
    scene.invocation("v-c-1", b"level=info msg=fine\n")
    scene.writer.gap(kind, "watch expired")
    folder = scene.done()
    with pytest.raises(errors.Inconclusive, match=f"{kind} could not be seen: watch expired"):
        logs(history=folder, cronjob="v-c", level="error", min=0, max=0)
    assert logs(history=folder, cronjob="v-c", level="info", min=1)["unseen"] == [
        f"{kind} could not be seen: watch expired"
    ]


def test_gaps_of_other_pods_and_kinds_hide_nothing(make: Make, scene: Scene) -> None:
    scene.writer.object("pods", "ADDED", make.pod("other"))
    scene.invocation("v-c-1", b"")
    scene.writer.gap("logs", "attempt 0: the log is gone", subject="other-abcde")
    scene.writer.gap("events", "watch expired")
    assert logs(history=scene.done(), cronjob="v-c", level="error", min=0, max=0)["unseen"] == []


def test_logs_of_one_job_and_by_label(scene: Scene) -> None:
    scene.invocation("v-c-1", WARNING)
    scene.invocation("v-c-2", WARNING)
    folder = scene.done()
    assert logs(history=folder, job="v-c-2", level="warning")["counts"] == {"v-c-2": 1}
    assert logs(history=folder, label_selector="job-name=v-c-1", level="warning")["counts"] == {"v-c-1-abcde": 1}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({"level": "x"}, "exactly one of them", id="nothing selected"),
        pytest.param({"level": "x", "cronjob": "a", "job": "b"}, "exactly one of them", id="two selected"),
        pytest.param({"cronjob": "a"}, "every line would match", id="no pattern"),
        pytest.param({"cronjob": "a", "level": "x", "min": 2, "max": 1}, "0 <= min <= max", id="min above max"),
        pytest.param(
            {"label_selector": "a in (b)", "level": "x"}, "not a label selector we know", id="set-based selector"
        ),
    ],
)
def test_bad_options_are_told_before_anything_is_read(params: dict[str, t.Any], message: str) -> None:
    with pytest.raises(errors.BadInput, match=message):
        logs(history="/nowhere", **params)


def test_a_damaged_history_is_refused(scene: Scene) -> None:
    scene.invocation("v-c-1", WARNING)
    folder = scene.done()
    with Path(folder, "history.jsonl").open("ab") as file:
        file.write(b"{")
    with pytest.raises(errors.LonghornQAError, match="the history is damaged"):
        logs(history=folder, cronjob="v-c", level="warning")


def test_live_logs_of_both_runs_that_are_kept(make: Make) -> None:
    cluster = make.live(make.pod("v-c-1", restarts=1))
    result = logs(client=cluster, cronjob="v-c", level="warning")
    assert result["counts"] == {"v-c-1": 1}
    assert [asked["previous"] for asked in cluster.asked] == [True, False]


@pytest.mark.parametrize(
    ("restarts", "message"),
    [
        pytest.param(2, "only the last run before is kept", id="an older run"),
        pytest.param(None, "its pod and log are gone", id="a pod that is gone"),
    ],
)
def test_live_logs_that_are_gone_prove_nothing(make: Make, restarts: int | None, message: str) -> None:
    cluster = make.live() if restarts is None else make.live(make.pod("v-c-1", restarts=restarts))
    with pytest.raises(errors.Inconclusive, match=message):
        logs(client=cluster, cronjob="v-c", level="fatal", min=0, max=0)


def test_a_log_that_cannot_be_read_is_not_empty(make: Make) -> None:
    cluster = make.live(make.pod("v-c-1"))
    cluster.content[False] = errors.ApiFailure("could not answer", status=500)
    with pytest.raises(errors.Inconclusive, match="could not be read"):
        logs(client=cluster, cronjob="v-c", level="fatal", min=0, max=0)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({"cronjob": "gone"}, "CronJob n/gone: the CronJob does not exist", id="no CronJob"),
        pytest.param({"job": "gone"}, "Job n/gone: the Job does not exist", id="no Job"),
        pytest.param({"cronjob": "v-c", "namespace": "x"}, "namespace x", id="no namespace"),
    ],
)
def test_what_does_not_exist_is_told(make: Make, params: dict[str, t.Any], message: str) -> None:
    with pytest.raises(errors.NotFound, match=message):
        logs(client=make.live(), level="warning", **params)
