# SPDX-License-Identifier: GPL-3.0-or-later
"""One browser for all tests, one page for each; every test's last sight is kept."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.browser.chromium import Page, browser

from ansible_collections.longhorn.qa.plugins.module_utils._report.html import page as render
from longhorn_qa_lab.binaries import chromium

OUTPUT = Path(__file__).parents[1] / "output" / "browser"

NewPage = Callable[..., Page]
Open = Callable[..., Page]


@pytest.fixture(scope="session")
def new_page() -> Iterator[NewPage]:
    with browser(chromium.ensure()) as new:
        yield new


@pytest.fixture
def open_report(new_page: NewPage, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Renders a document, opens it, and keeps a screenshot of how it looked in the end."""
    opened: list[Page] = []

    def open_it(document: dict[str, t.Any], *, fragment: str = "", dark: bool = False) -> Page:
        path = tmp_path / f"report-{len(opened)}.html"
        path.write_text(render(document), encoding="utf-8")
        page = new_page(width=1400, height=1000, dark=dark)
        opened.append(page)
        page.open(path, fragment)
        return page

    yield open_it
    for place, page in enumerate(opened):
        page.shot(OUTPUT / f"{request.node.name}-{place}.png")
        page.close()
