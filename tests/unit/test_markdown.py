# SPDX-License-Identifier: GPL-3.0-or-later
"""The Markdown report as a tracker reads it: nothing of a cluster becomes a link, an image, HTML, or markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.unit.plugins.module_utils._report.made import HOSTILE
from tests.unit.plugins.module_utils._report.test_forms import pair, report

from ansible_collections.longhorn.qa.plugins.module_utils._report.markdown import markdown

TEXTS = {
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "link": "[click](javascript:alert(1)) <http://evil> ![x](http://evil/x.png)",
    "mention and issue": "@everyone #1 GH-1 longhorn/longhorn#1",
    "end of a code span": "a`b``c```d",
    "end of a row": "a | b \\| c",
    "heading and rule": "\n# heading\n---\n> quote\n- item",
    "fence": "\n```sh\nrm -rf /\n```",
    "formula": "=cmd|' /C calc'!A0",
    "everything": HOSTILE,
}


def leaves(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from leaves(token.children or ())


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_of_a_cluster_is_only_code(text: str) -> None:
    marked = f"HERE{text}HERE"
    hostile = report(volumes=3, text=marked, name=marked)
    both = pair(hostile, report(verdict="inconclusive", text=marked, name=marked, release="v1.0.1"))
    tokens = list(leaves(MarkdownIt("commonmark").enable("table").parse(markdown(both))))
    kinds = {token.type for token in tokens}
    assert not [kind for kind in kinds if kind.startswith(("html", "link", "image", "blockquote", "hr"))]
    assert {token.type for token in tokens if "HERE" in token.content and not token.children} == {"code_inline"}
    plain = report(volumes=3, text="why", name="x")
    same = markdown(pair(plain, report(verdict="inconclusive", text="why", name="x", release="v1.0.1")))
    structure = [token.type for token in MarkdownIt("commonmark").enable("table").parse(same)]
    assert [token.type for token in MarkdownIt("commonmark").enable("table").parse(markdown(both))] == structure
