# SPDX-License-Identifier: GPL-3.0-or-later
"""The command's own promises: exit status, last line, what is handed to ansible-playbook, and the lab always ended.

A small script stands in for ansible-playbook and a mark on paper for the lab.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import signal
import stat
import subprocess
import threading
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from longhorn_qa_lab import cli, lab, playbook
from longhorn_qa_lab.bringup import Options
from longhorn_qa_lab.commands import parser
from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.progress import Progress

ROOT = Path(__file__).parents[2]
SCRIPT = """#!/bin/sh
set -e
echo "$@" > {folder}/arguments
env > {folder}/environment
cp "${{3#@}}" {folder}/variables.json
{body}
"""


class StandIn:
    """ansible-playbook as these tests need it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "ansible-playbook"

    def does(self, body: str) -> None:
        self.program.write_text(SCRIPT.format(folder=self.folder, body=body))
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)

    def reports(self, text: str, *, into: Path, status: int = 0) -> None:
        self.does(
            f"echo the play runs\necho '{text}' > {into}/report.json\necho a table > {into}/report.txt\nexit {status}"
        )

    @property
    def variables(self) -> dict[str, t.Any]:
        return t.cast(dict[str, t.Any], json.loads((self.folder / "variables.json").read_text()))

    @property
    def arguments(self) -> str:
        return (self.folder / "arguments").read_text().strip()

    @property
    def environment(self) -> str:
        return (self.folder / "environment").read_text()


class Labs:
    """What was asked of the lab."""

    def __init__(self) -> None:
        self.options: list[Options] = []
        self.ended: list[str] = []
        self.keep = False

    @contextlib.contextmanager
    def running(self, options: Options, progress: Progress, *, keep: bool = False) -> Iterator[SimpleNamespace]:
        self.options.append(options)
        self.keep = keep
        try:
            yield SimpleNamespace(kubeconfig=Path("/lab/kubeconfig"))
        finally:
            self.ended.append(options.name)


@pytest.fixture
def ansible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    folder = tmp_path / "bin"
    folder.mkdir()
    stand_in = StandIn(folder)
    monkeypatch.setattr(playbook, "find_program", lambda: str(stand_in.program))
    for name in ("LONGHORN", "INVOCATIONS", "KEEP"):
        monkeypatch.delenv(name, raising=False)
    return stand_in


@pytest.fixture
def labs(monkeypatch: pytest.MonkeyPatch) -> Labs:
    noted = Labs()
    monkeypatch.setattr(lab, "running", noted.running)
    return noted


@pytest.fixture
def report(tmp_path: Path) -> Path:
    folder = tmp_path / "report"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The command takes over signals, which are the test runner's again afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(arguments)
        out, err = capfd.readouterr()
        return status, out, err

    return call


def last_line(out: str) -> str:
    return out.rstrip("\n").rpartition("\n")[2]


@pytest.mark.parametrize(
    ("verdict", "status"), [("pass", 0), ("fail", 1), ("inconclusive", 2), ("broken", 3)], ids=lambda value: str(value)
)
class TestVerdicts:
    """Every judging command ends alike."""

    def test_scenario(self, run: Run, ansible: StandIn, labs: Labs, report: Path, verdict: str, status: int) -> None:
        ansible.reports(f'{{"verdict": "{verdict}"}}', into=report)
        ended, out, _ = run("scenario", "--report", str(report))
        assert (ended, last_line(out)) == (status, f"VERDICT {verdict}")
        assert out.index("the play runs") < out.index("a table") < out.index(str(report))
        assert labs.ended == ["scenario"]

    def test_audit(self, run: Run, ansible: StandIn, report: Path, tmp_path: Path, verdict: str, status: int) -> None:
        ansible.reports(f'{{"verdict": "{verdict}"}}', into=report)
        ended, out, _ = run("audit", str(tmp_path), "--longhorn", "v1.0.1", "--report", str(report))
        assert (ended, last_line(out)) == (status, f"VERDICT {verdict}")
        assert ansible.arguments.startswith("longhorn.qa.audit ")
        assert ansible.variables == {
            "audit_dump": str(tmp_path),
            "audit_longhorn_release": "v1.0.1",
            "audit_report_dir": str(report),
        }

    def test_live_audit(self, run: Run, ansible: StandIn, report: Path, verdict: str, status: int) -> None:
        ansible.reports(f'{{"verdict": "{verdict}"}}', into=report)
        ended, out, _ = run("audit", "--live", "--longhorn", "v1.0.1", "--report", str(report))
        assert (ended, last_line(out)) == (status, f"VERDICT {verdict}")
        assert ansible.arguments.startswith("longhorn.qa.audit ")
        assert ansible.variables == {"audit_longhorn_release": "v1.0.1", "audit_report_dir": str(report)}

    def test_rejudge(self, run: Run, ansible: StandIn, report: Path, tmp_path: Path, verdict: str, status: int) -> None:
        ansible.reports(f'{{"verdict": "{verdict}"}}', into=report)
        ended, out, _ = run("rejudge", str(tmp_path), "--report", str(report))
        assert (ended, last_line(out)) == (status, f"VERDICT {verdict}")
        assert ansible.arguments.startswith("longhorn.qa.rejudge ")
        assert ansible.variables == {"rejudge_history": str(tmp_path), "rejudge_report_dir": str(report)}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("", "not a readable report", id="empty report"),
        pytest.param("[]", "not a readable report", id="report of another shape"),
        pytest.param('{"verdict": "great"}', "gives the verdict 'great'", id="unknown verdict"),
    ],
)
def test_a_report_that_says_nothing_is_broken(
    run: Run, ansible: StandIn, labs: Labs, report: Path, text: str, complaint: str
) -> None:
    ansible.reports(text, into=report)
    status, out, err = run("scenario", "--report", str(report))
    assert (status, last_line(out), complaint in err) == (3, "VERDICT broken", True)
    assert labs.ended == ["scenario"]


def test_a_playbook_without_report_is_broken(run: Run, ansible: StandIn, labs: Labs, report: Path) -> None:
    ansible.does("exit 0")
    status, out, err = run("scenario", "--report", str(report))
    assert (status, last_line(out), f"no report in {report}" in err) == (3, "VERDICT broken", True)


def test_a_failed_playbook_is_broken_whatever_it_reported(run: Run, ansible: StandIn, labs: Labs, report: Path) -> None:
    ansible.reports('{"verdict": "pass"}', into=report, status=2)
    status, out, err = run("scenario", "--report", str(report))
    assert (status, last_line(out)) == (3, "VERDICT broken")
    assert "longhorn.qa.best_effort_cleanup failed (ansible-playbook ended with status 2)" in err
    assert labs.ended == ["scenario"]


def test_a_lab_that_does_not_start_is_broken(
    run: Run, ansible: StandIn, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def fails(options: Options, progress: Progress, *, keep: bool = False) -> Iterator[None]:
        raise LabError("the disk is full")
        yield

    monkeypatch.setattr(lab, "running", fails)
    status, out, err = run("scenario", "--report", str(report))
    assert (status, out, err) == (3, "VERDICT broken\n", "longhorn-qa: the disk is full\n")
    assert not (ansible.folder / "arguments").exists()


def test_interrupted_the_lab_ends_and_so_does_ansible(run: Run, ansible: StandIn, labs: Labs, report: Path) -> None:
    ansible.does(
        f"trap 'echo stopped > {ansible.folder}/stopped; exit 1' TERM\ntouch {ansible.folder}/runs\nsleep 60 & wait"
    )
    watch = threading.Thread(target=_interrupt_when, args=(ansible.folder / "runs",))
    watch.start()
    status, out, err = run("scenario", "--report", str(report))
    watch.join()
    assert (status, last_line(out), "interrupted" in err) == (130, "VERDICT broken", True)
    assert labs.ended == ["scenario"]
    assert (ansible.folder / "stopped").exists()


def _interrupt_when(there: Path) -> None:
    while not there.exists():
        threading.Event().wait(0.02)
    os.kill(os.getpid(), signal.SIGTERM)


def test_what_the_scenario_is_told(run: Run, ansible: StandIn, labs: Labs, report: Path) -> None:
    ansible.reports('{"verdict": "pass"}', into=report)
    run("scenario", "--report", str(report), "--longhorn", "v1.0.1", "--invocations", "5", "--name", "mine")
    assert labs.options == [Options(name="mine", release="v1.0.1")]
    told = ansible.variables
    assert told["best_effort_cleanup_invocations"] == 5
    assert told["best_effort_cleanup_cron"] == "* * * * *"
    assert told["best_effort_cleanup_report_dir"] == str(report)
    assert told["best_effort_cleanup_fail_on"] == []
    assert "best_effort_cleanup_longhorn_release" not in told  # the image's tag says it
    assert "K8S_AUTH_KUBECONFIG=/lab/kubeconfig\n" in ansible.environment
    assert "ANSIBLE_COLLECTIONS_PATH=" in ansible.environment


def test_started_by_hand_no_tick_comes_in_between(run: Run, ansible: StandIn, labs: Labs, report: Path) -> None:
    ansible.reports('{"verdict": "pass"}', into=report)
    run("scenario", "--report", str(report), "--trigger")
    told = ansible.variables
    assert told["best_effort_cleanup_trigger"] is True
    month = int(told["best_effort_cleanup_cron"].split()[3])
    away = (month - datetime.datetime.now(datetime.UTC).month) % 12
    assert away == 6


def test_a_custom_build_is_named_because_its_tag_does_not(run: Run, ansible: StandIn, labs: Labs, report: Path) -> None:
    ansible.reports('{"verdict": "pass"}', into=report)
    run("scenario", "--report", str(report))
    assert labs.options[0].release == "2020-06"
    assert ansible.variables["best_effort_cleanup_longhorn_release"] == "2020-06"


def test_options_by_environment(
    run: Run, ansible: StandIn, labs: Labs, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ansible.reports('{"verdict": "pass"}', into=report)
    for name, value in {"LONGHORN": "v1.0.0", "INVOCATIONS": "7", "KEEP": "1"}.items():
        monkeypatch.setenv(name, value)
    _, out, _ = run("scenario", "--report", str(report))
    assert labs.options[0].release == "v1.0.0"
    assert ansible.variables["best_effort_cleanup_invocations"] == 7
    assert labs.keep is True
    assert last_line(out) == "VERDICT pass"


@pytest.mark.parametrize("value", ["0", "no", ""])
def test_an_environment_that_says_no_keeps_nothing(
    run: Run, ansible: StandIn, labs: Labs, report: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    ansible.reports('{"verdict": "pass"}', into=report)
    monkeypatch.setenv("KEEP", value)
    run("scenario", "--report", str(report))
    assert (labs.keep, ansible.variables["best_effort_cleanup_keep"]) == (False, False)


def test_make_hands_the_environment_on_as_it_is(tmp_path: Path) -> None:
    """KEEP=0 is for the command to understand: make takes every text for yes."""
    told = subprocess.run(
        ["make", "--dry-run", "scenario", "KEEP=0", "LONGHORN=v1.0.1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--keep" not in told.stdout


@pytest.mark.parametrize("option", ["--task", "--fault"])
def test_what_no_release_knows_is_refused_before_there_is_a_lab(labs: Labs, option: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["scenario", option, "nope"])
    assert (ended.value.code, labs.options) == (3, [])


def test_the_command_and_the_procedure_know_the_same_words() -> None:
    role = yaml.safe_load((ROOT / "roles/best_effort_cleanup/meta/argument_specs.yml").read_text())
    options = role["argument_specs"]["main"]["options"]
    assert list(parser.TASKS) == options["best_effort_cleanup_tasks"]["choices"]
    text = (ROOT / "plugins/modules/longhorn_preflight.py").read_text()
    documented = yaml.safe_load(text.partition('DOCUMENTATION = r"""')[2].partition('"""')[0])
    assert list(parser.FAULTS) == documented["options"]["plan"]["suboptions"]["fault"]["choices"]


def test_every_run_has_a_folder_of_its_own(labs: Labs, report: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (report / "history").mkdir()
    with pytest.raises(SystemExit) as ended:
        cli.main(["scenario", "--report", str(report)])
    assert (ended.value.code, labs.options) == (3, [])
    assert "has the history of an earlier run" in capfd.readouterr().err


def test_expectations_come_from_a_file(run: Run, ansible: StandIn, report: Path, tmp_path: Path) -> None:
    ansible.reports('{"verdict": "pass"}', into=report)
    expect = tmp_path / "expect.yml"
    expect.write_text("cells: [{volume: a, faults: []}]\n")
    run("audit", str(tmp_path), "--expect", str(expect), "--report", str(report))
    assert ansible.variables["audit_expect"] == [{"volume": "a", "faults": []}]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(None, "cannot be read: No such file", id="missing"),
        pytest.param("cells: [", "not YAML", id="not YAML"),
        pytest.param("cells: 3", "need a key 'cells' with a list", id="no list"),
        pytest.param("[]", "need a key 'cells' with a list", id="no key"),
    ],
)
def test_bad_expectations_stop_before_anything_runs(
    run: Run, ansible: StandIn, report: Path, tmp_path: Path, text: str | None, complaint: str
) -> None:
    ansible.does("exit 0")
    expect = tmp_path / "expect.yml"
    if text is not None:
        expect.write_text(text)
    status, out, err = run("audit", str(tmp_path), "--expect", str(expect), "--report", str(report))
    assert (status, out, complaint in err) == (3, "VERDICT broken\n", True)
    assert not (ansible.folder / "arguments").exists()


def test_a_dump_that_is_no_folder_is_refused(run: Run, ansible: StandIn, tmp_path: Path) -> None:
    status, out, err = run("audit", str(tmp_path / "nowhere"))
    assert (status, out, "is not a folder" in err) == (3, "VERDICT broken\n", True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["scenario", "--longhorn", "v0.8.0"],
        ["scenario", "--invocations", "0"],
        ["scenario", "--poll-scale", "nan"],
        ["lab", "up", "--port", "80"],
        ["lab"],
        ["audit"],
        ["audit", "dump", "--live"],
        [],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_never_taken_for_a_verdict(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 3
    out, err = capfd.readouterr()
    assert "usage: longhorn-qa" in err
    assert out == ("VERDICT broken\n" if arguments[:1] in (["scenario"], ["audit"]) else "")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(PermissionError(13, "Permission denied", "/report"), "/report: Permission denied", id="a file"),
        pytest.param(ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero", id="a defect"),
    ],
)
def test_what_nobody_foresaw_is_never_taken_for_a_verdict(
    run: Run, labs: Labs, report: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fails(*_: object) -> t.NoReturn:
        raise error

    monkeypatch.setattr(playbook, "run", fails)
    status, out, err = run("scenario", "--report", str(report))
    assert (status, last_line(out), message in err) == (3, "VERDICT broken", True)
    assert labs.ended == ["scenario"]


@pytest.mark.parametrize(
    ("name", "value"), [("LONGHORN", "v0.8.0"), ("INVOCATIONS", "many")], ids=["release", "number"]
)
def test_a_wrong_environment_is_a_wrong_command_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        cli.main(["scenario"])
    assert ended.value.code == 3
