# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms of a report: each says the same, each is harmless, each keeps its size."""

from __future__ import annotations

import copy
import json
import re
import typing as t
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from tests.unit.plugins.module_utils._report.made import HOSTILE, Recording

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import CHECKS
from ansible_collections.longhorn.qa.plugins.module_utils._report import schema
from ansible_collections.longhorn.qa.plugins.module_utils._report.compare import changes, grouped
from ansible_collections.longhorn.qa.plugins.module_utils._report.findings import findings
from ansible_collections.longhorn.qa.plugins.module_utils._report.html import MAX_ROWS, page
from ansible_collections.longhorn.qa.plugins.module_utils._report.junit import Inconclusive, junit
from ansible_collections.longhorn.qa.plugins.module_utils._report.markdown import code, markdown
from ansible_collections.longhorn.qa.plugins.module_utils._report.marks import LANES
from ansible_collections.longhorn.qa.plugins.module_utils._report.prometheus import prometheus
from ansible_collections.longhorn.qa.plugins.module_utils._report.redact import redacted
from ansible_collections.longhorn.qa.plugins.module_utils._report.safe import FORMULA
from ansible_collections.longhorn.qa.plugins.module_utils._report.table import MAX_LINES, WIDTH, table

HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def report(
    *, volumes: int = 1, verdict: str = "fail", text: str = "why", name: str = "", **run: t.Any
) -> dict[str, t.Any]:
    """A document of so many cells, all checks with the one verdict."""
    checks = [
        {
            "check": check, "volume": name, "verdict": verdict, "summary": text, "advice": text,
            "known_issue": f"longhorn#1424: {text}" if verdict == "fail" else "",
            "evidence": [{"what": f"logs/{text}", "where": "line 1", "text": text}],
        }
        for check in CHECKS
    ]  # fmt: skip
    cells = [
        {
            "volume": f"qa-r1-{number}{name}", "task": "backup", "job": "c", "cronjob": "x", "cron": "* * * * *",
            "retain": 1, "engine_image": f"image{name}", "faults": ["backup-delete"], "fault_type": "engine-image",
            "verdict": verdict, "contract": "",
            "invocations": [
                {
                    "job": f"job{name}", "tick": "2026-11-23T12:00:00.000000Z", "by_hand": False, "judged": True,
                    "cut": "", "state": "Complete", "attempts": 1, "snapshots": ["s"], "backups": ["b"],
                }
            ],
            "checks": [{**check, "volume": f"qa-r1-{number}{name}"} for check in checks],
        }
        for number in range(volumes)
    ]  # fmt: skip
    one = {
        "history": f"/home/me/run{name}", "origin": "recorder", "release": "v1.0.0", "namespace": f"ns{name}",
        "run_id": "r1", "default_engine_faults": [], "verdict": verdict, "reason": text, "cells": cells,
        "timeline": None, **run,
    }  # fmt: skip
    return {
        "schema": "longhorn.qa/report/1", "generated": "2026-11-23T12:00:00.000000Z", "verdict": verdict, "runs": [one],
        "changes": None,
    }  # fmt: skip


def pair(before: dict[str, t.Any], after: dict[str, t.Any]) -> dict[str, t.Any]:
    runs = [before["runs"][0], after["runs"][0]]
    return {**before, "runs": runs, "changes": changes(*runs)}


def test_documents_of_these_tests_keep_the_schema() -> None:
    assert schema.problems(report(volumes=2)) == []
    assert schema.problems(pair(report(), report(verdict="pass"))) == []


# --- terminal ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("volumes", [1, 4, 61, 500], ids=["1 volume", "4 volumes", "61 volumes", "500 volumes"])
@pytest.mark.parametrize("text", ["why", "long " * 400, HOSTILE], ids=["short", "long", "hostile"])
def test_table_keeps_its_size(volumes: int, text: str) -> None:
    lines = table(report(volumes=volumes, text=text, name=text[:40]))
    assert len(lines) <= MAX_LINES
    assert max(map(len, lines)) <= WIDTH
    assert not HARMFUL.search("".join(lines))
    assert lines[-1] == "VERDICT fail"


def test_table_of_hundreds_of_runs_keeps_its_size() -> None:
    one = report(volumes=2)
    assert len(table({**one, "runs": one["runs"] * 300})) <= MAX_LINES


def test_table_of_many_volumes_shows_the_worst_and_counts_the_rest() -> None:
    many = report(volumes=100, verdict="pass")
    many["runs"][0]["cells"][77]["verdict"] = "fail"
    lines = table(many)
    assert any(line.startswith("qa-r1-77 ") for line in lines)
    assert "and 40 more volumes: 40 pass" in lines


@pytest.mark.parametrize("sign", list(FORMULA))
def test_nothing_begins_like_a_formula_where_a_spreadsheet_takes_it_from(sign: str) -> None:
    hostile = report(text=f"{sign}1+1", name=f"{sign}cmd")
    for cell in hostile["runs"][0]["cells"]:
        cell["volume"] = f"{sign}cmd|' /C calc'!A0"
    hostile["runs"][0] |= {"release": f"{sign}1", "history": f"{sign}1", "namespace": f"{sign}1"}
    cases = list(ElementTree.fromstring(junit(hostile)).iter())
    taken = [
        *table(hostile),
        *[value for case in cases for name, value in case.attrib.items() if name in ("name", "classname", "message")],
        *_Tags(page(hostile)).texts,
    ]
    assert len([text for text in taken if "calc" in text]) > 10
    assert not [text for text in taken if text[:1] in FORMULA]


# --- Markdown ---------------------------------------------------------------------------------------------------------
def test_markdown_is_short_and_says_how_to_judge_again() -> None:
    text = markdown(report(volumes=500))
    assert len(text) < 20_000
    assert "### job-succeeded: fail for 500 of 500 volumes" in text
    assert "longhorn#1424" in text
    assert "ansible-playbook longhorn.qa.rejudge -e rejudge_history=HISTORY" in text


def test_markdown_of_hundreds_of_runs_is_short_and_shows_the_worst() -> None:
    one = report(volumes=2, verdict="pass")
    runs = [{**one["runs"][0], "release": f"v1.0.{place}"} for place in range(300)]
    runs[77] = {**report()["runs"][0], "release": "v1.0.77"}
    text = markdown({**one, "runs": runs})
    assert len(text) < 20_000
    assert "`v1.0.77`, fail" in text
    assert "and 296 more runs." in text


def test_failure_without_an_explanation_is_not_hidden_by_a_known_one() -> None:
    mixed = report(volumes=3)
    mixed["runs"][0]["cells"][2]["checks"][1] |= {"known_issue": "", "summary": "something new"}
    found = findings(mixed["runs"][0])
    assert (found[0].check, found[0].known_issue, len(found[0].checks)) == (CHECKS[1], "", 1)
    for text in (markdown(mixed), page(mixed)):
        assert text.index("something new") < text.index("longhorn#1424")


def test_people_read_the_contract_in_each_form() -> None:
    told = "fails the contract, as this release is known to (longhorn#1424)"
    document = report(volumes=3)
    for cell in document["runs"][0]["cells"][:2]:
        cell["contract"] = told
    assert f"- `2 of 3 volumes: {told}`" in markdown(document)
    assert f"<p>2 of 3 volumes: {told}</p>" in page(document)


def test_page_says_why_without_a_program() -> None:
    text = page(report(verdict="inconclusive", text="the log is gone; and more"))
    section = text[text.index("Findings") : text.index("Checks")]
    assert section.count("qa-r1-0: the log is gone; ...<") == len(CHECKS)
    known = page(report(text="it starts again"))
    assert known.count("1 of 1 volumes: longhorn#1424: it starts again<") == len(CHECKS)
    assert "Findings" not in page(report(verdict="pass"))


def test_markdown_has_no_text_of_a_cluster_outside_code() -> None:
    text = markdown(report(text=HOSTILE, name=HOSTILE))
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text.replace("```sh", "").replace("```", ""))
    assert not [
        word for word in ("script", "<b>", "@someone", "#12", "http://", "{{", "[a]", "=cmd") if word in outside
    ]
    assert not HARMFUL.search(text)
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows
    assert {row.count("|") for row in rows} == {7}


@pytest.mark.parametrize(
    "text", ["a`b", "``", "`", "", "a``b`", "x" * 900], ids=["one", "two", "only", "none", "mixed", "long"]
)
def test_code_span_cannot_be_left(text: str) -> None:
    span = code(text)
    fence = re.match("`+", span)
    assert fence is not None
    inner = span[len(fence.group()) : -len(fence.group())]
    assert fence.group() not in re.findall("`+", inner)
    assert len(span) < 420


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("s3://bucket@region/?backup=b&volume=v", "bucket"),
        ("http://minio.ns:9000/x", "minio"),
        ("dial tcp 10.42.0.7:9500: refused", "10.42.0.7"),
        ("fe80:0:0:0:1:2:3:4 said", "fe80"),
        ("AWS_SECRET_ACCESS_KEY=abcDEF123", "abcDEF123"),
        ('password: "hunter2"', "hunter2"),
        ("Authorization: Bearer abc.def.ghijkl", "abc.def"),
        ("key AKIAIOSFODNN7EXAMPLE", "AKIA"),
        ("eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2ln", "eyJ"),
        ("mail ann@example.org", "ann@"),
        ("in /home/ann/history", "ann"),
        ("dial tcp [2001:db8::7]:9500: refused", "db8"),
        ("dial tcp: lookup minio.example.org on 10.0.0.10:53: no such host", "minio"),
        ("dial tcp backup.example.org:9000: i/o timeout", "example"),
        ("x509: certificate is valid for a.example.org, not b.example.org", "example"),
        ("AccountKey=abcDEF123", "abcDEF123"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEabc", "MIIE"),
    ],
    ids=[
        "s3", "http", "IPv4", "IPv6", "secret", "password", "bearer", "access key", "token", "mail", "path",
        "short IPv6", "name lookup", "host and port", "certificate", "account key", "private key",
    ],
)  # fmt: skip
def test_redacted(text: str, gone: str) -> None:
    assert gone not in redacted(text)
    assert gone not in markdown(report(text=text))


def test_names_and_times_are_not_redacted() -> None:
    text = (
        "Job qa-9a3d50-no-cleanup-c-29923722 at 2026-11-23T08:41:00Z with quay.io/ttpcodes/longhorn-engine:no-cleanup "
        "said std::vector, foo::bar and a lookup of the volume"
    )
    assert redacted(text) == text


# --- JUnit ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("inconclusive", ["error", "failure", "skipped"])
def test_junit_tells_inconclusive_as_wanted(inconclusive: Inconclusive) -> None:
    suite = ElementTree.fromstring(junit(report(verdict="inconclusive"), inconclusive=inconclusive)).find("testsuite")
    assert suite is not None
    assert {case[0].tag for case in suite.iter("testcase")} == {inconclusive}
    counts = {"error": "errors", "failure": "failures", "skipped": "skipped"}
    assert {name: suite.get(name) for name in counts.values()} == {
        name: str(len(CHECKS)) if word == inconclusive else "0" for word, name in counts.items()
    }
    assert all(case[0].get("message") == "why" for case in suite.iter("testcase"))


def test_junit_names_the_issue_of_a_known_deviation() -> None:
    root = ElementTree.fromstring(junit(report()))
    failures = list(root.iter("failure"))
    assert {failure.get("type") for failure in failures} == {"known issue"}
    assert {failure.get("message") for failure in failures} == {"known issue longhorn#1424: why"}


def test_junit_tells_the_same_volume_of_two_runs_apart() -> None:
    both = pair(report(verdict="fail"), report(verdict="pass"))
    cases = [(case.get("classname"), case.get("name")) for case in ElementTree.fromstring(junit(both)).iter("testcase")]
    assert len(cases) == 2 * len(CHECKS) == len(set(cases))
    suites = [suite.get("name") for suite in ElementTree.fromstring(junit(both)).iter("testsuite")]
    assert suites == ["run 1/qa-r1-0", "run 2/qa-r1-0"]


def test_hostile_text_is_inert_in_junit() -> None:
    text = junit(report(text=HOSTILE, name=HOSTILE))
    assert len(list(ElementTree.fromstring(text.encode("utf-8")).iter("testcase"))) == len(CHECKS)
    assert not HARMFUL.search(text)


# --- metrics ----------------------------------------------------------------------------------------------------------
def test_metrics_are_lines_of_name_labels_and_value() -> None:
    text = prometheus(report(release='v1"\\\n=x', volumes=3))
    sample = re.compile(r'[a-z_]+(\{([a-z]+="([^"\\\n]|\\\\|\\")*",?)*\})? [0-9]+')
    lines = [line for line in text.splitlines() if not line.startswith("# ")]
    assert [line for line in lines if not sample.fullmatch(line)] == []
    assert 'longhorn_qa_checks{run="0",check="job-succeeded",verdict="fail"} 3' in lines
    assert text.endswith("\n")


def test_metrics_have_each_series_once() -> None:
    one = report(volumes=3)
    lines = prometheus({**one, "runs": one["runs"] * 2}).splitlines()
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series)) > 8
    assert len([line for line in lines if line.startswith("# TYPE longhorn_qa_checks ")]) == 1


def test_metrics_have_one_verdict() -> None:
    lines = [line for line in prometheus(report()).splitlines() if line.startswith("longhorn_qa_verdict{")]
    assert [line for line in lines if line.endswith(" 1")] == [
        'longhorn_qa_verdict{run="0",release="v1.0.0",verdict="fail"} 1'
    ]
    assert len(lines) == 4


# --- comparison -------------------------------------------------------------------------------------------------------
def test_equal_runs_have_no_changes() -> None:
    assert pair(report(volumes=3), report(volumes=3))["changes"] == []


def test_changes_are_found_across_run_ids() -> None:
    after = report(verdict="pass", run_id="r2", release="v1.0.1")
    for cell in after["runs"][0]["cells"]:
        cell["volume"] = cell["volume"].replace("r1", "r2")
        cell["invocations"][0]["attempts"] = 4
    found = pair(report(), after)["changes"]
    assert {"cell": "run", "what": "release", "before": "v1.0.0", "after": "v1.0.1", "direction": "other"} in found
    assert {"cell": "qa-*-0", "what": "no-overlap", "before": "fail", "after": "pass", "direction": "better"} in found
    assert {"cell": "qa-*-0", "what": "attempts per Job", "before": "1", "after": "4", "direction": "other"} in found


def test_worse_is_told_everywhere() -> None:
    both = pair(report(verdict="pass"), report(verdict="fail"))
    assert any("(worse)" in line for line in table(both))
    assert "▼ worse" in page(both)
    assert "| `no-overlap` | `pass` | `fail` | `qa-*-0` |" in markdown(both)


def test_same_change_of_hundreds_of_volumes_is_told_once_and_worse_first() -> None:
    after = report(volumes=500, verdict="pass")
    after["runs"][0]["cells"][7]["checks"][2]["verdict"] = "fail"
    before = report(volumes=500, verdict="pass")
    for cell in before["runs"][0]["cells"]:
        cell["checks"][1]["verdict"] = "fail"
    both = pair({**before, "verdict": "fail"}, after)
    assert len(both["changes"]) == 501
    groups = grouped(both["changes"])
    assert [(group.what, group.direction) for group in groups] == [(CHECKS[2], "worse"), (CHECKS[1], "better")]
    assert groups[1].named == "qa-*-0, qa-*-1, qa-*-2 and 497 more"
    for text in (page(both), markdown(both), "\n".join(table(both))):
        assert text.index(CHECKS[2]) < text.index("and 497 more")


def test_cell_that_only_one_run_has_is_told() -> None:
    found = pair(report(volumes=2), report(volumes=1))["changes"]
    assert found == [
        {"cell": "qa-*-1", "what": "cell", "before": "fail", "after": "not part of the run", "direction": "other"}
    ]


# --- HTML -------------------------------------------------------------------------------------------------------------
class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] in ("th", "td", "dt", "dd") and data.strip():
            self.texts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_page_has_no_inline_handler_no_style_attribute_and_no_address() -> None:
    text = page(report(volumes=3, text=HOSTILE, name=HOSTILE))
    found = _Tags(text)
    assert not [name for name, _value in found.attributes if name.startswith("on") or name in ("style", "src")]
    assert {value for name, value in found.attributes if name == "href"} == {"#checks"}
    assert not {"img", "link", "iframe", "object", "base", "form"} & set(found.tags)


def test_policy_of_the_page_allows_nothing_but_its_own_text() -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page(report()))
    assert policy is not None
    rules = dict(part.strip().split(" ", 1) for part in policy.group(1).split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy.group(1)
    assert all(word.startswith("'sha256-") for word in (rules["script-src"] + " " + rules["style-src"]).split())


def test_markup_of_a_page_does_not_depend_on_its_texts() -> None:
    assert _Tags(page(report(text=HOSTILE, name=HOSTILE))).tags == _Tags(page(report())).tags


def test_placeholders_in_a_text_stay_text() -> None:
    text = page(report(text="@STYLE@ @DATA@ @CSP@"))
    assert "@STYLE@ @DATA@ @CSP@" in text


def test_page_of_a_real_run_holds_its_marks() -> None:
    made = Recording()
    made.job("vol-c-x-c-29923920", 0, 7)
    text = page(made.report())
    overview = json.loads(text.split('id="overview">')[1].split("</script>")[0])
    assert overview["cells"][0]["volume"] == "vol"
    assert [lane for lane, _rows, _over in overview["cells"][0]["lanes"]][:2] == [0, 1]


def test_lane_says_how_many_marks_have_no_room() -> None:
    made = Recording()
    made.job("vol-c-x-c-29923920", 0, 7)
    made.engine({f"c-x-{number}": {"created": 2} for number in range(MAX_ROWS + 3)})
    overview = json.loads(page(made.report()).split('id="overview">')[1].split("</script>")[0])
    assert [LANES.index("snapshots"), MAX_ROWS, 3] in overview["cells"][0]["lanes"]


def test_any_cell_can_be_rendered_without_what_is_optional() -> None:
    cell = model.Cell(volume="vol", task="snapshot", job="c", cronjob="c-c")
    made = Recording(cell)
    document = made.report()
    for form in (page, junit, markdown, prometheus):
        assert form(copy.deepcopy(document))
