# SPDX-License-Identifier: GPL-3.0-or-later
"""job_report from histories to verdicts and files."""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from ansible_collections.longhorn.qa.plugins.module_utils._module import job_import, job_report
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError
from ansible_collections.longhorn.qa.plugins.module_utils._report import schema

TESTS = Path(__file__).parents[4]
EXPECTED: dict[str, t.Any] = yaml.safe_load((TESTS / "expected" / "recordings.yml").read_text())["recordings"]
DEFENG = TESTS / "recordings" / "v1.0.1-defeng"
NAMES = ("volume", "task", "job", "cronjob", "cron", "retain", "engine_image", "faults")


def import_params(history: Path, **changed: t.Any) -> dict[str, t.Any]:
    table = EXPECTED["v1.0.1-defeng"]
    return {
        "dump": str(DEFENG),
        "history": str(history),
        "namespace": "longhorn-system",
        "longhorn_release": "v1.0.1",
        "expect": [{name: cell[name] for name in NAMES} for cell in table["cells"]],
        "default_engine_faults": table["default_engine_faults"],
        **changed,
    }


def report_params(*histories: Path, report_dir: Path | str = "", **changed: t.Any) -> dict[str, t.Any]:
    every = {"formats": ["json", "junit", "text"], "fail_on": []}
    return {"history": [str(path) for path in histories], "report_dir": str(report_dir), **every, **changed}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    history = tmp_path_factory.mktemp("imported") / "history"
    job_import.run(import_params(history))
    return history


def test_verdicts_from_files_are_the_tables(imported: Path) -> None:
    result = job_report.run(report_params(imported))
    found = {(check["volume"], check["check"]): check["verdict"] for check in result["checks"]}
    table = {
        (cell["volume"], name): check["verdict"]
        for cell in EXPECTED["v1.0.1-defeng"]["cells"]
        for name, check in cell["checks"].items()
    }
    assert found == table
    assert result["verdict"] == "inconclusive"
    assert not result["changed"]


def test_report_is_written_in_all_forms(imported: Path, tmp_path: Path) -> None:
    result = job_report.run(report_params(imported, report_dir=tmp_path / "a" / "b"))
    report = json.loads(Path(result["report"]).read_text())
    assert schema.problems(report) == []
    assert len(list(ElementTree.parse(result["junit"]).getroot().iter("testcase"))) == 22
    assert Path(result["text"]).read_text().splitlines() == result["table"]
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["junit.xml", "report.json", "report.txt"]


def test_only_wanted_forms_are_written(imported: Path, tmp_path: Path) -> None:
    job_report.run(report_params(imported, report_dir=tmp_path, formats=["junit"]))
    assert [path.name for path in tmp_path.iterdir()] == ["junit.xml"]


def test_same_history_gets_the_same_report(imported: Path, tmp_path: Path) -> None:
    reports = []
    for name in ("one", "two"):
        job_report.run(report_params(imported, report_dir=tmp_path / name))
        reports.append(json.loads((tmp_path / name / "report.json").read_text()) | {"generated": ""})
    assert reports[0] == reports[1]


def test_several_histories_make_one_report(imported: Path, tmp_path: Path) -> None:
    result = job_report.run(report_params(imported, imported, report_dir=tmp_path))
    assert len(json.loads((tmp_path / "report.json").read_text())["runs"]) == 2
    assert len(result["checks"]) == 44


def test_task_fails_only_on_the_verdicts_it_is_told_and_after_writing(imported: Path, tmp_path: Path) -> None:
    job_report.run(report_params(imported, fail_on=["fail", "broken"]))
    with pytest.raises(LonghornQAError, match="the verdict is inconclusive") as caught:
        job_report.run(report_params(imported, report_dir=tmp_path, fail_on=["inconclusive"]))
    assert (tmp_path / "report.json").exists()
    assert caught.value.evidence["verdict"] == "inconclusive"


def test_check_mode_judges_nothing(tmp_path: Path) -> None:
    result = job_report.run(report_params(tmp_path / "none", report_dir=tmp_path / "r"), check_mode=True)
    assert result["skipped"]
    assert not (tmp_path / "r").exists()


def test_lost_log_of_a_history_is_seen(imported: Path, tmp_path: Path) -> None:
    copy = tmp_path / "h"
    shutil.copytree(imported, copy)
    for path in (copy / "logs").glob("*/0.log"):
        if b"error deleting backup" in path.read_bytes():
            path.unlink()
    found = {(c["volume"], c["check"]): c["verdict"] for c in job_report.run(report_params(copy))["checks"]}
    assert found["test-nc-back-defeng", "fault-live"] == "inconclusive"
    assert found["test-nc-back-defeng", "job-succeeded"] == "pass"


def test_history_cut_at_any_record_never_passes_more(imported: Path, tmp_path: Path) -> None:
    whole = {(c["volume"], c["check"]): c["verdict"] for c in job_report.run(report_params(imported))["checks"]}
    content = (imported / "history.jsonl").read_bytes()
    for place in range(1, 8):
        copy = tmp_path / str(place)
        shutil.copytree(imported, copy)
        (copy / "history.jsonl").write_bytes(content[: len(content) * place // 8])
        less = {(c["volume"], c["check"]): c["verdict"] for c in job_report.run(report_params(copy))["checks"]}
        assert not [key for key, verdict in less.items() if verdict == "pass" and whole[key] != "pass"]


def test_without_expectations_cells_come_from_the_dump(tmp_path: Path) -> None:
    result = job_import.run(import_params(tmp_path / "h", expect=[], longhorn_release=""))
    assert result["release"] == "v1.0.1"
    assert result["cells"] == ["test-nc-back-defeng", "test-ncb-back-defeng"]
    checks = job_report.run(report_params(tmp_path / "h"))["checks"]
    assert {check["verdict"] for check in checks if check["check"] == "fault-live"} == {"not_applicable"}
    assert {check["verdict"] for check in checks if check["check"] == "single-attempt"} == {"pass"}


def test_folder_that_is_no_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LonghornQAError, match=r"history\.jsonl"):
        job_report.run(report_params(tmp_path))


def test_report_folder_that_cannot_be_made_is_told(imported: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LonghornQAError, match="cannot be written"):
        job_report.run(report_params(imported, report_dir=tmp_path / "file" / "report"))
