# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report as a person meets it."""

from __future__ import annotations

import json
import re
import typing as t
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.browser.chromium import Page, PageError
from tests.browser.documents import document

from ansible_collections.longhorn.qa.plugins.module_utils._module import job_import, job_report
from ansible_collections.longhorn.qa.plugins.module_utils._report import schema
from ansible_collections.longhorn.qa.plugins.module_utils._report.compare import changes

Open = Callable[..., Page]

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
STANDARD = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
HOSTILE = (
    "</script><script>window.harmed = 1</script><img src=x onerror='window.harmed = 2'>]]>\x1b[2J"
    "\x1b]8;;http://x/\x07"
    "\x1b]52;c;AAAA\x07\u202egpj\u2066\x00{{ 7*7 }}{% raw %}"
    "=cmd|' /C calc'!A0 @TITLE@ @DATA@ &lt;b&gt; \ud800 \r\n`${1}`"
)


def two_runs() -> dict[str, t.Any]:
    report = document(volumes=3, invocations=11)
    later = document(volumes=3, invocations=11)["runs"][0]
    for cell in later["cells"]:
        cell["verdict"] = "pass"
        for check in cell["checks"]:
            check["verdict"] = "pass"
    runs = [report["runs"][0], {**later, "verdict": "pass", "release": "v1.0.1"}]
    return {**report, "runs": runs, "changes": changes(*runs)}


def drawn(page: Page) -> Counter[tuple[str, str, str, str]]:
    """Every mark that the page shows anywhere, found by scrolling through all of it."""
    found: dict[tuple[str, str], tuple[str, str, str, str]] = {}
    for top in range(0, int(page.run("document.getElementById('rows').scrollHeight")), 300):
        page.run(f"document.getElementById('rows').scrollTop = {top}")
        page.settle()
        for row, mark, *rest in page.run(
            "[...document.querySelectorAll('g.mark')].map((m) => [m.closest('.row').getAttribute('aria-label'),"
            " m.dataset.mark, m.dataset.lane, m.dataset.kind, m.dataset.state])"
        ):
            found[(row, mark)] = (row.split(",")[0], *rest)
    return Counter(found.values())


def in_json(report: dict[str, t.Any]) -> Counter[tuple[str, str, str, str]]:
    lanes = report["runs"][0]["timeline"]
    own = [(cell["volume"], mark) for cell in lanes["cells"] for mark in cell["marks"]]
    own += [("recorder", mark) for mark in lanes["gaps"]]
    return Counter((volume, mark["lane"], mark["kind"], mark["state"]) for volume, mark in own)


def violations(page: Page) -> list[str]:
    page.run(AXE + ";true")
    options = json.dumps({"runOnly": STANDARD, "resultTypes": ["violations"]})
    found = page.run(f"axe.run(document, {options}).then((r) => r.violations)", seconds=240)
    return [f"{item['id']}: {item['help']}: {[node['html'][:160] for node in item['nodes'][:3]]}" for item in found]


def test_documents_of_the_tests_keep_the_schema() -> None:
    assert schema.problems(document(volumes=3, invocations=21)) == []
    assert schema.problems(two_runs()) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_opens_from_disk_without_a_word_or_a_request(open_report: Open, dark: bool) -> None:
    page = open_report(document(volumes=4, invocations=21), dark=dark)
    assert page.complaints() == []
    assert page.requests() == []
    assert page.run("document.querySelector('h1').textContent") == "✗ fail longhorn.qa report"


def test_marks_are_those_of_the_document(open_report: Open) -> None:
    report = document(volumes=9, invocations=21)
    assert drawn(open_report(report)) == in_json(report)


@pytest.mark.parametrize("name", ["2020-06", "v1.0.1"])
def test_recording_of_a_real_longhorn_is_drawn_as_its_json_says(open_report: Open, tmp_path: Path, name: str) -> None:
    recording = Path(__file__).parents[1] / "recordings" / name
    options = {"namespace": "longhorn-system", "longhorn_release": name, "expect": [], "default_engine_faults": []}
    job_import.run({"dump": str(recording), "history": str(tmp_path / "history"), **options})
    job_report.run(
        {"history": [str(tmp_path / "history")], "report_dir": str(tmp_path), "formats": ["json"], "fail_on": []}
    )
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    page = open_report(report)
    assert drawn(page) == in_json(report)
    assert sum(in_json(report).values()) > 50
    assert page.complaints() == []
    assert violations(page) == []


def test_every_table_cell_is_a_check_of_the_document(open_report: Open) -> None:
    report = document(volumes=4, invocations=1)
    shown = open_report(report).run(
        "[...document.querySelectorAll('button[data-check]')]"
        ".map((b) => [b.closest('tr').querySelector('th').textContent, b.dataset.check, b.className])"
    )
    checks = [check for cell in report["runs"][0]["cells"] for check in cell["checks"]]
    wanted = [[c["volume"], c["check"], c["verdict"]] for c in checks if c["verdict"] != "not_applicable"]
    assert shown == wanted


def test_every_red_or_grey_mark_opens_its_evidence(open_report: Open) -> None:
    page = open_report(document(volumes=2, invocations=11))
    opened = page.run(
        """(async () => { const found = [];
        for (const m of document.querySelectorAll('g.mark[data-state=bad], g.mark[data-state=unknown]')) {
          m.dispatchEvent(new MouseEvent('click', {bubbles: true}));
          while (!document.getElementById('evidence').open) await new Promise((d) => setTimeout(d, 5));
          const body = document.getElementById('evidence-body');
          const hits = [...body.querySelectorAll('mark')].map((x) => x.textContent);
          found.push([m.dataset.kind, body.querySelectorAll('figure').length, hits]);
          document.getElementById('evidence').close();
        } return found; })()"""
    )
    assert len(opened) == 2 * 9 + 1
    assert all(figures and "errored on cleanup" in matches for _kind, figures, matches in opened), opened


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("job-succeeded", ["job-succeeded: fail", "longhorn#1424", "line 2"]),
        ("single-attempt", ["single-attempt: inconclusive", "errored on cleanup", "line 2"]),
        ("fault-live", ["fault-live: pass", "errored on cleanup"]),
    ],
    ids=["failed, known", "inconclusive", "passed"],
)
def test_check_opens_its_evidence(open_report: Open, check: str, words: list[str]) -> None:
    page = open_report(document(volumes=2, invocations=11))
    page.click(f"button[data-check={check}]")
    page.wait("document.getElementById('evidence').open")
    text = page.run("document.getElementById('evidence').innerText")
    assert [word for word in words if word not in text] == []


def test_keyboard_reaches_marks_and_evidence_and_comes_back(open_report: Open) -> None:
    page = open_report(document(volumes=1, invocations=11))
    for _press in range(60):
        page.key("Tab")
        if page.run("document.activeElement.matches('g.mark')"):
            break
    assert page.run("document.activeElement.matches('g.mark')")
    seen = []
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp"):
        page.key(key)
        seen.append(page.run("document.activeElement.dataset.lane"))
    assert len(set(seen)) > 1
    assert page.run("document.querySelectorAll('g.mark[tabindex=\"0\"]').length") == page.run(
        "document.querySelectorAll('.row').length"
    )
    before = page.run("document.activeElement.getAttribute('aria-label')")
    assert not page.run("document.getElementById('tip').hidden")
    page.key("Enter")
    page.wait("document.getElementById('evidence').open")
    assert before in page.run("document.getElementById('evidence').innerText")
    page.key("Escape")
    page.wait("!document.getElementById('evidence').open")
    assert page.run("document.activeElement.getAttribute('aria-label')") == before


@pytest.mark.parametrize(
    ("key", "shift"),
    [("+", False), ("ArrowRight", True)],
    ids=["plus zooms", "shift and right pans"],
)
def test_keyboard_zooms_and_pans(open_report: Open, key: str, shift: bool) -> None:
    page = open_report(document(volumes=1, invocations=11))
    whole = page.run("document.getElementById('window').textContent")
    page.run("document.querySelector('g.mark').focus()")
    page.key("+")
    zoomed = page.run("document.getElementById('window').textContent")
    assert zoomed != whole
    page.key(key, shift=shift)
    assert page.run("document.getElementById('window').textContent") != zoomed
    page.key("0")
    assert page.run("document.getElementById('window').textContent") == whole


def test_mouse_hovers_zooms_and_drags(open_report: Open) -> None:
    page = open_report(document(volumes=1, invocations=11))
    page.run("document.getElementById('axis').scrollIntoView()")
    x, y = page.run(
        "(() => { const b = document.querySelector('g.mark[data-kind=job]').getBoundingClientRect();"
        " return [b.x + 2, b.y + 4]; })()"
    )
    page.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    page.wait("!document.getElementById('tip').hidden")
    assert "Job qa-" in page.run("document.getElementById('tip').textContent")
    whole = page.run("document.getElementById('window').textContent")
    page.send("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-100, modifiers=2)
    page.wait(f"document.getElementById('window').textContent !== {json.dumps(whole)}")
    zoomed = page.run("document.getElementById('window').textContent")
    for kind, dx in (("mousePressed", 300), ("mouseMoved", 200), ("mouseReleased", 200)):
        page.send("Input.dispatchMouseEvent", type=kind, x=x + dx, y=y + 60, button="left", buttons=1, clickCount=1)
    page.wait(f"document.getElementById('window').textContent !== {json.dumps(zoomed)}")


def test_link_leads_to_its_moment_and_volume(open_report: Open) -> None:
    page = open_report(document(volumes=40, invocations=11), fragment="#t=2026-11-23T08:05:00Z&v=qa-a1b2c3-033")
    page.wait("document.querySelector('.row[aria-label^=\"qa-a1b2c3-033\"]')")
    first, last = re.findall(r"\d\d:\d\d:\d\d", page.run("document.getElementById('window').textContent"))
    assert first < "08:05:00" < last < "08:09:00"
    assert page.run("document.querySelectorAll('line.moment').length") > 0
    top = page.run("document.querySelector('.row[aria-label^=\"qa-a1b2c3-033\"]').getBoundingClientRect().top")
    assert 0 <= top < 1000


def test_opening_evidence_makes_the_link(open_report: Open) -> None:
    page = open_report(document(volumes=2, invocations=11))
    page.click("g.mark[data-kind=fatal]")
    page.wait("location.hash.includes('t=2026-11-23T08%3A09%3A16')")
    assert "v=qa-a1b2c3-000" in page.run("location.hash")


@pytest.mark.parametrize(
    ("control", "value", "rows"),
    [
        ("volume-filter", "-003", 1),
        ("volume-filter", "no such volume", 0),
        ("verdict-filter", "fail", 5),
        ("check-filter", "fault-live", 5),
    ],
    ids=["volume", "nothing", "verdict", "check"],
)
def test_filters(open_report: Open, control: str, value: str, rows: int) -> None:
    page = open_report(document(volumes=5, invocations=2))
    page.run(
        f"(() => {{ const c = document.getElementById('{control}'); c.value = {json.dumps(value)};"
        " c.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    page.settle()
    assert page.run("document.querySelectorAll('tr[data-cell]:not([hidden])').length") == rows
    assert page.run("document.getElementById('count').textContent") == f"{rows} of 5 volumes"


def test_check_and_verdict_filter_together(open_report: Open) -> None:
    page = open_report(document(volumes=5, invocations=2))
    for control, value in (("check-filter", "fault-live"), ("verdict-filter", "fail")):
        page.run(
            f"(() => {{ const c = document.getElementById('{control}'); c.value = '{value}';"
            " c.dispatchEvent(new Event('input', {bubbles: true})); })()"
        )
    assert page.run("document.getElementById('count').textContent") == "0 of 5 volumes"


def test_only_marks_against_the_run_can_be_shown(open_report: Open) -> None:
    page = open_report(document(volumes=2, invocations=11))
    page.run(
        "(() => { const c = document.getElementById('state-filter'); c.value = 'bad';"
        " c.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    page.settle()
    page.wait("document.querySelector('g.mark')")
    assert set(page.run("[...document.querySelectorAll('g.mark')].map((m) => m.dataset.state)")) == {"bad"}


def test_two_runs_are_compared_and_each_has_its_lanes(open_report: Open) -> None:
    page = open_report(two_runs())
    assert "▲ better" in page.run("document.querySelector('#changes-title').parentElement.innerText")
    page.run(
        "(() => { const c = document.getElementById('run-filter'); c.value = '1';"
        " c.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    page.settle()
    assert page.run("document.querySelector('.row:last-child').getAttribute('aria-label')").endswith(", pass")
    assert page.complaints() == []


def test_two_runs_with_the_same_volumes_are_told_apart(open_report: Open) -> None:
    page = open_report(two_runs(), fragment="#t=2026-11-23T08:05:00Z&v=qa-a1b2c3-001&r=2")
    captions = page.run("[...document.querySelectorAll('#checks caption')].map((c) => c.textContent)")
    assert captions == [f"Run {n}, volumes 1 to 3 of 3" for n in ("1, before: v1.0.0", "2, after: v1.0.1")]
    page.wait("document.getElementById('run-filter').value === '1'")
    page.click("g.mark[data-kind=job]")
    page.wait("location.hash.includes('r=2')")


def test_large_report_says_why_evidence_is_not_there(open_report: Open) -> None:
    report = document(volumes=2, invocations=11)
    report["runs"][0]["timeline"]["shortened"] = True
    for mark in report["runs"][0]["timeline"]["cells"][0]["marks"]:
        mark["evidence"] = []
    page = open_report(report)
    page.click("g.mark[data-kind=job]")
    page.wait("document.getElementById('evidence').open")
    assert "The history has the rest" in page.run("document.getElementById('evidence-body').innerText")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(open_report: Open, dark: bool) -> None:
    page = open_report(document(volumes=3, invocations=11), dark=dark)
    assert violations(page) == []
    page.click("button[data-check=job-succeeded]")
    page.wait("document.getElementById('evidence').open")
    assert violations(page) == []


def test_axe_finds_nothing_at_500_volumes(open_report: Open) -> None:
    assert violations(open_report(document(volumes=500, invocations=3))) == []


def test_axe_finds_nothing_on_a_telephone(open_report: Open) -> None:
    page = open_report(document(volumes=5, invocations=3))
    page.send("Emulation.setDeviceMetricsOverride", width=420, height=900, deviceScaleFactor=1, mobile=False)
    page.settle()
    assert violations(page) == []


def test_axe_finds_nothing_in_a_comparison(open_report: Open) -> None:
    assert violations(open_report(two_runs())) == []


def test_verdicts_and_states_do_not_rest_on_colour(open_report: Open) -> None:
    page = open_report(document(volumes=2, invocations=11))
    signs = page.run(
        "[...document.querySelectorAll('g.mark')]"
        ".map((m) => [m.dataset.state, (m.querySelector('.sign') || m).textContent])"
    )
    assert {(state, sign[-1:]) for state, sign in signs if state in ("bad", "unknown")} == {
        ("bad", "!"),
        ("unknown", "?"),
    }
    assert set(page.run("[...document.querySelectorAll('td button')].map((b) => b.textContent[0])")) == {"✓", "✗", "?"}
    explained = page.run("document.querySelector('#checks-title + .hint').textContent")
    assert [
        sign for sign in ("✓ pass", "✗ fail", "✗ known", "? inconclusive", "– not applicable") if sign not in explained
    ] == []


def test_hostile_text_is_only_text(open_report: Open) -> None:
    page = open_report(document(volumes=2, invocations=11, text=HOSTILE, name=HOSTILE))
    page.click("button[data-check=job-succeeded]")
    page.wait("document.getElementById('evidence').open")
    assert page.run("window.harmed") is None
    assert page.run("document.querySelectorAll('img').length") == 0
    assert page.run("document.querySelectorAll('script').length") == 2 + 1 + 3
    shown = page.run(
        "document.body.innerText + document.title"
        " + [...document.querySelectorAll('[aria-label]')].map((n) => n.getAttribute('aria-label')).join()"
    )
    assert "<script>window.harmed = 1</script>" in shown
    assert not [char for char in shown if char in "\x00\x07\x1b\u202e\u2066\ud800"]
    assert page.complaints() == []
    assert page.requests() == []


@pytest.mark.parametrize("width", [420, 1280, 1920], ids=["telephone", "laptop", "desk"])
def test_nothing_sticks_out(open_report: Open, width: int) -> None:
    page = open_report(document(volumes=4, invocations=11, name="-with-a-name-as-long-as-they-come-in-a-cluster"))
    page.send("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
    page.settle()
    assert page.run("document.documentElement.scrollWidth") <= width
    cut = page.run(
        "[...document.querySelectorAll('td button, tbody th, .tools > *')]"
        ".filter((b) => b.scrollWidth > b.clientWidth + 1).map((b) => b.textContent)"
    )
    assert cut == []


@pytest.mark.parametrize("invocations", [11, 100], ids=["wide marks", "narrow marks"])
def test_sign_of_a_mark_lies_within_it(open_report: Open, invocations: int) -> None:
    page = open_report(document(volumes=2, invocations=invocations))
    outside = page.run(
        """[...document.querySelectorAll('g.mark')].filter((m) => {
          const sign = m.querySelector('.sign');
          if (!sign || !sign.textContent) return false;
          const a = sign.getBBox(), b = m.querySelector('.shape').getBBox();
          return a.x < b.x - 1.5 || a.x + a.width > b.x + b.width + 1.5;
        }).map((m) => m.getAttribute('aria-label'))"""
    )
    assert outside == []


def test_legend_has_every_look_of_a_mark(open_report: Open) -> None:
    page = open_report(document(volumes=2, invocations=11))
    look = "(n) => [...n.classList].filter((c) => /^[so]-/.test(c)).join(' ')"
    marks = set(page.run(f"[...document.querySelectorAll('g.mark')].map({look}).flatMap((c) => c.split(' '))"))
    legend = set(page.run(f"[...document.querySelectorAll('.legend svg')].map({look}).flatMap((c) => c.split(' '))"))
    assert {"s-ok", "s-bad", "s-unknown", "o-store", "o-api"} <= marks <= legend
    assert page.run("document.querySelectorAll('.legend .hatch').length") == 1
    style = "(n) => { const s = getComputedStyle(n); return [s.fill, s.stroke, s.fillOpacity].join(); }"
    for state in ("ok", "bad", "unknown"):
        shown, explained = (
            page.run(f"({style})(document.querySelector('{where} .shape'))")
            for where in (f"g.mark.s-{state}:not(.o-api):not(.o-store)", f".legend .s-{state}")
        )
        assert shown == explained


def test_span_of_a_deletion_is_hatched_from_when_it_began(open_report: Open) -> None:
    page = open_report(document(volumes=1, invocations=11))
    hatch, shape = page.run(
        "(() => { const m = [...document.querySelectorAll('g.mark')].find((m) => m.querySelector('.hatch'));"
        " return ['.hatch', '.shape'].map((c) => m.querySelector(c).getBBox()).map((b) => [b.x, b.x + b.width]); })()"
    )
    assert shape[0] < hatch[0] < hatch[1] == pytest.approx(shape[1])
    assert "Being deleted since 2026-11-23 08:09:20" in page.run(
        "document.querySelector('g.mark:has(.hatch)').getAttribute('aria-label')"
    )


def test_attempt_of_less_than_a_second_is_a_short_bar(open_report: Open) -> None:
    report = document(volumes=1, invocations=3)
    short = [mark for mark in report["runs"][0]["timeline"]["cells"][0]["marks"] if mark["lane"] == "pods"]
    for mark in short:
        mark["end"] = mark["start"]
    page = open_report(report)
    shapes = page.run(
        "[...document.querySelectorAll('g.mark[data-lane=pods]')]"
        ".map((m) => [m.classList.contains('point'), m.querySelector('.shape').getBBox().width])"
    )
    assert shapes == [[False, 6]] * len(short)


def test_axis_has_hours_of_a_day(open_report: Open) -> None:
    page = open_report(document(volumes=1, invocations=11))
    assert page.run("document.querySelector('#axis text').textContent") == "08:00"


def test_policy_stops_a_script_that_got_in(open_report: Open) -> None:
    page = open_report(document(volumes=1, invocations=1))
    with pytest.raises(PageError, match="TrustedScript"):
        page.run("document.body.append(Object.assign(document.createElement('script'), {text: 'window.harmed = 1'}))")
    page.run("document.querySelector('h1').setAttribute('style', 'color: red')")
    page.run("fetch('http://127.0.0.1:9/').catch(() => 0)")
    assert page.run("window.harmed") is None
    assert len([text for text in page.complaints() if "Content Security Policy" in text]) >= 2


def test_hundreds_of_volumes_keep_the_page_small(open_report: Open) -> None:
    page = open_report(document(volumes=500, invocations=3))
    assert page.run("document.querySelectorAll('.row').length") < 40
    page.run("document.getElementById('rows').scrollTop = 1e9")
    page.settle()
    page.wait("document.querySelector('.row[aria-label^=\"qa-a1b2c3-499\"]')")
    assert page.run("document.querySelectorAll('.row').length") < 40


@pytest.mark.parametrize(
    ("volumes", "printed", "dark"),
    [(4, 4, False), (4, 4, True), (70, 59, False)],
    ids=["few", "few, from dark mode", "more than fit"],
)
def test_prints_with_its_lanes(open_report: Open, volumes: int, printed: int, dark: bool) -> None:
    report = document(volumes=volumes, invocations=11)
    page = open_report(report, dark=dark)
    page.wait("document.documentElement.dataset.printable === '1'")
    page.send("Emulation.setEmulatedMedia", media="print", features=[])
    found = page.run(
        """(() => { dispatchEvent(new Event('beforeprint'));  // a browser prints what is there when this returns
          return [...document.querySelectorAll('.row')].map((row) => [row.getAttribute('aria-label').split(',')[0],
            row.querySelectorAll('g.mark').length, row.getBoundingClientRect().top]); })()"""
    )
    marks = {cell["volume"]: len(cell["marks"]) for cell in report["runs"][0]["timeline"]["cells"]}
    assert [(name, count) for name, count, _top in found[1:]] == list(marks.items())[:printed]
    tops = [top for _name, _count, top in found]
    assert tops == sorted(set(tops))
    note = "" if printed == volumes else f"The lanes of {printed} of {volumes} volumes are printed."
    assert page.run("document.getElementById('print-note').textContent").startswith(note)
    assert page.run("getComputedStyle(document.querySelector('.tools')).display") == "none"
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.send("Emulation.setDeviceMetricsOverride", width=1000, height=1000, deviceScaleFactor=1, mobile=False)
    assert page.run("document.documentElement.scrollWidth") <= 1000
    assert page.run("document.querySelector('#checks').scrollWidth") <= 1000
    assert len(page.send("Page.printToPDF", preferCSSPageSize=True)["data"]) > 20_000


def test_after_printing_the_page_is_as_before(open_report: Open) -> None:
    page = open_report(document(volumes=70, invocations=3))
    shown = "[...document.querySelectorAll('.row')].map((row) => [row.dataset.row, row.getBoundingClientRect().top])"
    before = page.run(shown)
    page.run("dispatchEvent(new Event('beforeprint'))")
    page.run("dispatchEvent(new Event('afterprint'))")
    page.settle()
    assert page.run(shown)[: len(before)] == before


def test_without_lanes_there_is_still_a_report(open_report: Open) -> None:
    report = document(volumes=2, invocations=2)
    report["runs"][0]["timeline"] = None
    page = open_report(report)
    assert page.complaints() == []
    assert page.run("document.querySelectorAll('g.mark').length") == 0


def test_broken_run_says_why(open_report: Open) -> None:
    report = document(volumes=0, invocations=0)
    report["runs"][0] |= {"timeline": None, "verdict": "broken", "reason": "the history names no cell to judge"}
    page = open_report({**report, "verdict": "broken"})
    assert "the history names no cell to judge" in page.run("document.querySelector('header').innerText")
    assert page.complaints() == []
