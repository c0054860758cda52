# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as JUnit XML: a suite per cell, a case per check. Not knowing is an error there, never a passed case."""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree  # writing only; nothing is parsed here

from ansible_collections.longhorn.qa.plugins.module_utils._report.document import Document, in_a_line
from ansible_collections.longhorn.qa.plugins.module_utils._report.safe import no_formula, xml_text

Inconclusive = t.Literal["error", "failure", "skipped"]


def junit(document: Document, *, inconclusive: Inconclusive = "error") -> str:
    """The XML text. ``inconclusive`` says what a check without an answer is to be for whoever counts."""
    root = ElementTree.Element("testsuites", name="longhorn.qa")
    for place, run in enumerate(document["runs"], start=1):
        # Dashboards take two cases of one name for the same one, and keep the last.
        prefix = f"run {place}/" if len(document["runs"]) > 1 else ""
        for cell in run["cells"]:
            _suite(root, run, cell, prefix=prefix, inconclusive=inconclusive)
        if not run["cells"]:
            suite = ElementTree.SubElement(root, "testsuite", _counts(run["history"], 1, errors=1))
            case = ElementTree.SubElement(suite, "testcase", name="run", classname=_shown(run["history"]))
            ElementTree.SubElement(
                case, "error", type="broken", message=xml_text(run["reason"] or "nothing was judged")
            )
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(
    root: ElementTree.Element, run: Document, cell: Document, *, prefix: str, inconclusive: Inconclusive
) -> None:
    checks = cell["checks"]
    elements = [_element(check["verdict"], inconclusive) for check in checks]
    counts = _counts(
        prefix + cell["volume"],
        len(checks),
        failures=elements.count("failure"),
        errors=elements.count("error"),
        skipped=elements.count("skipped"),
    )
    suite = ElementTree.SubElement(root, "testsuite", counts)
    properties = ElementTree.SubElement(suite, "properties")
    for name in ("release", "history", "run_id"):
        ElementTree.SubElement(properties, "property", name=name, value=xml_text(str(run[name])))
    for name in ("task", "cronjob", "engine_image"):
        ElementTree.SubElement(properties, "property", name=name, value=xml_text(str(cell[name])))
    for check in checks:
        _case(suite, check, name=prefix + cell["volume"], inconclusive=inconclusive)


def _counts(name: str, tests: int, *, failures: int = 0, errors: int = 0, skipped: int = 0) -> dict[str, str]:
    return {
        "name": _shown(name),
        "tests": str(tests),
        "failures": str(failures),
        "errors": str(errors),
        "skipped": str(skipped),
    }


def _element(verdict: str, inconclusive: Inconclusive) -> str:
    return {"fail": "failure", "inconclusive": inconclusive, "not_applicable": "skipped"}.get(verdict, "")


def _case(suite: ElementTree.Element, check: Document, *, name: str, inconclusive: Inconclusive) -> None:
    case = ElementTree.SubElement(suite, "testcase", name=check["check"], classname=_shown(name))
    element = _element(check["verdict"], inconclusive)
    if not element:
        ElementTree.SubElement(case, "system-out").text = _text(check)
        return
    known = check["known_issue"].partition(":")[0] if check["verdict"] == "fail" else ""
    message = _shown((f"known issue {known}: " if known else "") + check["summary"])
    result = ElementTree.SubElement(case, element, message=message)
    if check["verdict"] != "not_applicable":
        if element != "skipped":
            result.set("type", "known issue" if known else check["verdict"])
        result.text = _text(check)


def _shown(text: str) -> str:
    """An attribute, which dashboards put into tables and export."""
    return no_formula(xml_text(text))


def _text(check: Document) -> str:
    parts = [check["summary"], check["advice"], check["known_issue"]]
    parts += [in_a_line(item) for item in check["evidence"]]
    return xml_text("\n".join(part for part in parts if part))
