# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the roles mean the same as text (-e NAME=VALUE) and as the types they are."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles/best_effort_cleanup"
SEEN = ("trigger", "tasks", "effects", "cron", "recovers", "namespaces", "kept")
IMAGES = ("default_image", "default_faults")
VALUES = ", ".join(f"'{name}': __best_effort_cleanup_{name}" for name in (*SEEN, *IMAGES))
PLAY = f"""
- hosts: localhost
  gather_facts: false
  vars_files: [{ROLE}/defaults/main.yml, {ROLE}/vars/main.yml]
  vars:
    __best_effort_cleanup_run_id: a1
    __best_effort_cleanup_verdict: fail
    __best_effort_cleanup_preflight: {{cells: [{{faults: [snapshot-delete], fault_type: admission}}]}}
  tasks:
    - ansible.builtin.copy:
        content: "{{{{ {{{VALUES}}} | to_json }}}}"
        dest: "{{{{ playbook_dir }}}}/seen.json"
        mode: "0600"
"""


# Of three clusters one fails before it is judged.
CLUSTERS = f"""
- hosts: all
  gather_facts: false
  connection: local
  vars_files: [{ROLE}/defaults/main.yml, {ROLE}/vars/main.yml]
  tasks:
    - ansible.builtin.set_fact:
        __best_effort_cleanup_verdict: broken
        __best_effort_cleanup_report: {{failed: true}}
    - ansible.builtin.set_fact:
        __best_effort_cleanup_report: "{{{{ {{'stats': reports[inventory_hostname]}} }}}}"
        __best_effort_cleanup_verdict: "{{{{ reports[inventory_hostname].longhorn_qa_verdict }}}}"
      when: inventory_hostname in reports
    - {{SET_STATS}}
      when: inventory_hostname in reports
"""
ONE_ROLE = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: longhorn.qa.{role}
"""


def played(folder: Path, play: str, options: list[str], *more: str) -> subprocess.CompletedProcess[str]:
    (folder / "play.yml").write_text(play)
    command = [str(Path(sys.executable).with_name("ansible-playbook")), str(folder / "play.yml")]
    command += [*more, *(word for option in options for word in ("-e", option))]
    return subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)


def seen(folder: Path, options: list[str]) -> dict[str, t.Any]:
    folder.mkdir()
    done = played(folder, PLAY, options)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, t.Any] = json.loads((folder / "seen.json").read_text())
    return found


def judged(verdict: str, release: str, *, failed: list[str]) -> dict[str, t.Any]:
    return {
        "longhorn_qa_verdict": verdict,
        "longhorn_qa_releases": [release],
        "longhorn_qa_volumes": 4,
        "longhorn_qa_checks": {"pass": 40 - len(failed), "fail": len(failed), "inconclusive": 1},
        "longhorn_qa_failed": failed,
        "longhorn_qa_report": f"/r/{release}/report.html",
    }


def environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "COLUMNS": "1000",
        "ANSIBLE_SHOW_CUSTOM_STATS": "1",
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_HOME": str(folder / "home"),
    }


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"trigger": False, "keep": False, "keep_on_failure": False}, id="all off"),
        pytest.param({"trigger": True, "keep": True}, id="on"),
        pytest.param({"keep_on_failure": True, "tasks": ["snapshot"]}, id="one task"),
        pytest.param({"recovery": False, "effects": ["visible", "none"]}, id="effects, and no recovery"),
    ],
)
def test_text_means_the_same(tmp_path: Path, options: dict[str, t.Any]) -> None:
    named = {f"best_effort_cleanup_{name}": value for name, value in options.items()}
    words = [
        f"{name}={','.join(value) if isinstance(value, list) else str(value).lower()}" for name, value in named.items()
    ]
    typed = seen(tmp_path / "typed", [json.dumps(named)])
    assert seen(tmp_path / "text", words) == typed
    assert typed["trigger"] is options.get("trigger", False)
    assert typed["kept"] is (options.get("keep", False) or options.get("keep_on_failure", False))
    assert typed["tasks"] == options.get("tasks", ["snapshot", "backup"])
    assert typed["effects"] == options.get("effects", [])
    assert typed["recovers"] is options.get("recovery", True)
    assert bool(typed["namespaces"]) is ("backup" in typed["tasks"])
    assert (typed["cron"] == "*/3 * * * *") is not typed["trigger"]


@pytest.mark.parametrize(
    ("images", "default", "found"),
    [
        pytest.param(
            [{"image": "q.io/e:x", "broken": ["backup-delete"]}],
            "q.io/e:x",
            ["r.io/e:x", ["backup-delete"]],
            id="a stub",
        ),
        pytest.param([{"image": "q.io/e:x"}], "q.io/e:x", ["r.io/e:x", []], id="one that fails nothing"),
        pytest.param([{"image": ""}], "", ["", []], id="as it is"),
    ],
)
def test_the_default_engine_image_is_moved_with_the_others(
    tmp_path: Path, images: list[dict[str, t.Any]], default: str, found: list[t.Any]
) -> None:
    options = {"engine_images": images, "default_engine_image": default, "registry": "r.io"}
    typed = seen(
        tmp_path / "play", [json.dumps({f"best_effort_cleanup_{name}": value for name, value in options.items()})]
    )
    assert [typed[name] for name in IMAGES] == found


@pytest.mark.parametrize(
    ("proxy", "refused"), [pytest.param("true", True, id="wanted"), pytest.param("false", False, id="not wanted")]
)
def test_a_store_has_its_proxy_when_the_text_says_so(tmp_path: Path, proxy: str, refused: bool) -> None:
    """With a proxy a store that exists needs its keys, which is the first thing that the role looks at."""
    done = played(
        tmp_path, ONE_ROLE.format(role="backup_store"), ["backup_store_url=s3://b@r/", f"backup_store_proxy={proxy}"]
    )
    said = done.stdout + done.stderr
    assert ("backup_store_proxy needs a Secret" in said) is refused, said
    assert ("Make the store Longhorn's backup target" in said) is not refused, said


def test_a_default_engine_image_is_not_ignored(tmp_path: Path) -> None:
    options = {"engine_image_images": ["q.io/e:x"], "engine_image_default": "q.io/e:y"}
    done = played(tmp_path, ONE_ROLE.format(role="engine_image"), [json.dumps(options)])
    assert "q.io/e:y is none of engine_image_images (q.io/e:x)" in done.stdout + done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("hosts", "verdict"),
    [
        pytest.param("a", "fail", id="one cluster"),
        pytest.param("a,b", "fail", id="two clusters"),
        pytest.param("b,a", "fail", id="the other way round"),
        pytest.param("a,b,c", "broken", id="one that was not judged"),
    ],
)
def test_the_statistics_are_those_of_all_clusters(tmp_path: Path, hosts: str, verdict: str) -> None:
    """As AWX has them: text must not be joined to text, nor the last cluster stand for all."""
    reports = {
        "a": judged("fail", "v1.0.0", failed=["v: single-attempt"]),
        "b": judged("pass", "v1.0.1", failed=[]),
    }
    tasks = yaml.safe_load((ROLE / "tasks/observe.yml").read_text(encoding="utf-8"))
    (task,) = (task for task in tasks if "ansible.builtin.set_stats" in task)
    play = CLUSTERS.replace(
        "{SET_STATS}", "ansible.builtin.set_stats: " + json.dumps(task["ansible.builtin.set_stats"])
    )
    done = played(tmp_path, play, [json.dumps({"reports": reports})], "-i", f"{hosts},")
    assert done.returncode == 0, done.stdout + done.stderr
    stats = json.loads(done.stdout.partition("CUSTOM STATS: ")[2].partition("RUN: ")[2])
    there = [reports[host] for host in hosts.split(",") if host in reports]
    assert stats == {
        "longhorn_qa_verdict": verdict,
        "longhorn_qa_releases": sorted(one["longhorn_qa_releases"][0] for one in there),
        "longhorn_qa_volumes": 4 * len(there),
        "longhorn_qa_checks": {
            "pass": 39 if len(there) == 1 else 79, "fail": 1, "inconclusive": len(there),
        },
        "longhorn_qa_failed": ["v: single-attempt"],
        "longhorn_qa_report": ", ".join(one["longhorn_qa_report"] for one in there),
    }  # fmt: skip
