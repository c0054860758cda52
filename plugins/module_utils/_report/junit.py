# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as JUnit XML: a suite per cell, a case per check. Not knowing is an error there, never a passed case."""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree  # writing only; nothing is parsed here

from ansible_collections.longhorn.qa.plugins.module_utils._report.document import Document
from ansible_collections.longhorn.qa.plugins.module_utils._report.safe import xml_text


def junit(document: Document) -> str:
    """The XML text."""
    root = ElementTree.Element("testsuites", name="longhorn.qa")
    for run in document["runs"]:
        for cell in run["cells"]:
            _suite(root, run, cell)
        if not run["cells"]:
            suite = ElementTree.SubElement(root, "testsuite", _counts(run["history"], 1, errors=1))
            case = ElementTree.SubElement(suite, "testcase", name="run", classname=xml_text(run["history"]))
            ElementTree.SubElement(
                case, "error", type="broken", message=xml_text(run["reason"] or "nothing was judged")
            )
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: ElementTree.Element, run: Document, cell: Document) -> None:
    checks = cell["checks"]
    verdicts = [check["verdict"] for check in checks]
    counts = _counts(
        cell["volume"],
        len(checks),
        failures=verdicts.count("fail"),
        errors=verdicts.count("inconclusive"),
        skipped=verdicts.count("not_applicable"),
    )
    suite = ElementTree.SubElement(root, "testsuite", counts)
    properties = ElementTree.SubElement(suite, "properties")
    for name in ("release", "history", "run_id"):
        ElementTree.SubElement(properties, "property", name=name, value=xml_text(str(run[name])))
    for name in ("task", "cronjob", "engine_image"):
        ElementTree.SubElement(properties, "property", name=name, value=xml_text(str(cell[name])))
    for check in checks:
        _case(suite, check)


def _counts(name: str, tests: int, *, failures: int = 0, errors: int = 0, skipped: int = 0) -> dict[str, str]:
    return {
        "name": xml_text(name),
        "tests": str(tests),
        "failures": str(failures),
        "errors": str(errors),
        "skipped": str(skipped),
    }


def _case(suite: ElementTree.Element, check: Document) -> None:
    case = ElementTree.SubElement(suite, "testcase", name=check["check"], classname=xml_text(check["volume"]))
    element = {"fail": "failure", "inconclusive": "error", "not_applicable": "skipped"}.get(check["verdict"])
    if element is None:
        ElementTree.SubElement(case, "system-out").text = _text(check)
        return
    message = xml_text(check["summary"])
    result = ElementTree.SubElement(case, element, message=message)
    if element != "skipped":
        result.set("type", check["verdict"])
        result.text = _text(check)


def _text(check: Document) -> str:
    parts = [check["summary"], check["advice"], check["known_issue"]]
    parts += [_evidence(item) for item in check["evidence"]]
    return xml_text("\n".join(part for part in parts if part))


def _evidence(item: dict[str, t.Any]) -> str:
    return f"{item['what']} ({item['where']})" + (f": {item['text']}" if item["text"] else "")
