# SPDX-License-Identifier: GPL-3.0-or-later
"""job_report from histories to verdicts and files."""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from tests.unit.plugins.module_utils._module.recorded import EXPECTED, TESTS, import_params

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, LonghornQAError
from ansible_collections.longhorn.qa.plugins.module_utils._module import job_import, job_report, report_files
from ansible_collections.longhorn.qa.plugins.module_utils._report import schema


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
        (cell["volume"], name): check["verdict"] for cell in EXPECTED["cells"] for name, check in cell["checks"].items()
    }
    assert found == table
    assert result["verdict"] == "inconclusive"
    assert not result["changed"]


def test_no_history_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="history: there is nothing to judge"):
        job_report.run(report_params(report_dir=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_report_is_written_in_all_forms(imported: Path, tmp_path: Path) -> None:
    result = job_report.run(report_params(imported, report_dir=tmp_path / "a" / "b"))
    report = json.loads(Path(result["report"]).read_text())
    assert schema.problems(report) == []
    assert len(list(ElementTree.parse(result["junit"]).getroot().iter("testcase"))) == 24
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
    assert len(result["checks"]) == 48


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


def test_report_has_all_forms_and_says_nothing_changed_the_second_time(imported: Path, tmp_path: Path) -> None:
    params = report_params(imported, report_dir=tmp_path, formats=list(job_report.FILES))
    first = job_report.run(params)
    assert first["changed"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(job_report.FILES.values())
    published = json.loads((TESTS.parent / "docs" / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(published).validate(json.loads((tmp_path / "report.json").read_text()))
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    second = job_report.run(params)
    assert not second["changed"]
    assert second["diff"] == []
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times


def test_only_a_file_that_differs_is_written_again(imported: Path, tmp_path: Path) -> None:
    params = report_params(imported, report_dir=tmp_path)
    job_report.run(params)
    (tmp_path / "report.txt").write_text("somebody's\n")
    untouched = (tmp_path / "report.json").stat().st_mtime_ns
    again = job_report.run(params)
    assert again["changed"]
    assert again["diff"][0]["before"] == "somebody's\n"
    assert again["diff"][0]["after"].endswith("VERDICT inconclusive\n")
    assert (tmp_path / "report.json").stat().st_mtime_ns == untouched


def test_check_mode_judges_a_history_that_exists_and_writes_nothing(imported: Path, tmp_path: Path) -> None:
    result = job_report.run(report_params(imported, report_dir=tmp_path / "r"), check_mode=True)
    assert result["changed"]
    assert result["verdict"] == "inconclusive"
    assert result["diff"][0]["before"] == ""
    assert not (tmp_path / "r").exists()


def test_two_histories_are_compared(imported: Path, tmp_path: Path) -> None:
    assert job_report.run(report_params(imported, imported))["changes"] == []
    other = tmp_path / "h"
    shutil.copytree(imported, other)
    for path in (other / "logs").glob("*/0.log"):
        if b"error deleting backup" in path.read_bytes():
            path.unlink()
    found = job_report.run(report_params(imported, other))["changes"]
    assert found
    assert "worse" in {item["direction"] for item in found} <= {"worse", "other"}


@pytest.mark.parametrize("where", ["..", "link", "file link", "folder instead of a file"])
def test_report_stays_in_its_folder(imported: Path, tmp_path: Path, where: str) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "report"
    outside.mkdir()
    (outside / "report.json").write_text("precious")
    target = folder
    if where == "..":
        target = folder / ".." / "outside"
    elif where == "link":
        folder.symlink_to(outside)
    else:
        folder.mkdir()
        if where == "file link":
            (folder / "report.json").symlink_to(outside / "report.json")
        else:
            (folder / "report.txt").mkdir()
    with pytest.raises(LonghornQAError, match=r"out of its folder|symbolic link|no regular file"):
        job_report.run(report_params(imported, report_dir=target))
    assert [path.name for path in outside.iterdir()] == ["report.json"]
    assert (outside / "report.json").read_text() == "precious"
    assert not (folder / "junit.xml").exists()


def test_writing_that_fails_leaves_the_old_file_and_no_other(
    imported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report.json").write_text("old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report_files.os, "fsync", full)
    with pytest.raises(LonghornQAError, match="No space left"):
        job_report.run(report_params(imported, report_dir=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert (tmp_path / "report.json").read_text() == "old"


def test_statistics_are_small(imported: Path, tmp_path: Path) -> None:
    stats = job_report.run(report_params(imported, report_dir=tmp_path, formats=["json", "html"]))["stats"]
    assert stats["longhorn_qa_verdict"] == "inconclusive"
    assert stats["longhorn_qa_volumes"] == 2
    assert sum(stats["longhorn_qa_checks"].values()) <= 24
    assert stats["longhorn_qa_report"] == str(tmp_path / "report.html")
    assert len(json.dumps(stats)) < 4000


@pytest.mark.parametrize("inconclusive", ["error", "failure", "skipped"])
def test_junit_takes_the_option(imported: Path, tmp_path: Path, inconclusive: str) -> None:
    result = job_report.run(report_params(imported, report_dir=tmp_path, junit_inconclusive=inconclusive))
    tags = {child.tag for case in ElementTree.parse(result["junit"]).getroot().iter("testcase") for child in case}
    assert inconclusive in tags
    assert "error" not in tags - {inconclusive}
