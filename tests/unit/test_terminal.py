# SPDX-License-Identifier: GPL-3.0-or-later
"""The table on a terminal emulator: whatever a log holds, the screen is what the lines say."""

from __future__ import annotations

import pyte
import pytest
from tests.unit.plugins.module_utils._report.made import HOSTILE
from tests.unit.plugins.module_utils._report.test_forms import report

from ansible_collections.longhorn.qa.plugins.module_utils._report.table import WIDTH, table

TEXTS = {
    "clear screen": "\x1b[2J\x1b[H",
    "colours and blink": "\x1b[31;5mred",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://evil/\x1b\\x\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "carriage return": "VERDICT fail\rVERDICT pass",
    "backspaces": "fail\b\b\b\bpass",
    "8-bit control": "\x9b2J\x9d0;x\x9c",
    "right to left": "\u202eliaf\u2066\u2069",
    "null and bell": "\x00\x07\x0e\x0f",
    "wide": "\u4f60\u597d" * 60,
    "combining": "e" + "\u0301" * 40,
    "everything": HOSTILE,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_screen_is_what_the_lines_say(text: str) -> None:
    lines = table(report(volumes=2, text=text, name=text))
    screen = pyte.Screen(WIDTH, len(lines))
    pyte.Stream(screen).feed("\r\n".join(lines))
    assert [line.rstrip() for line in screen.display] == [line.rstrip() for line in lines]
    assert screen.title == ""
    assert screen.icon_name == ""
    assert {cell.fg for row in screen.buffer.values() for cell in row.values()} <= {"default"}
