# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the pictures of the README from reports: build/screenshots.py REPORT.html PICTURE.png [SELECTOR] [dark]

With a selector the evidence of the first such element is open. Chromium is the one of the tests.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.chromium import browser  # noqa: E402

from longhorn_qa_lab.binaries import chromium  # noqa: E402

_WIDTH, _HEIGHT = 1720, 1500
_LARGEST = 300 * 1024
# A picture does not tell where the checkout is that it was made in.
_SHORTEN = (
    "for (const cell of document.querySelectorAll('dd'))"
    f" cell.textContent = cell.textContent.replaceAll({json.dumps(f'{ROOT}/')}, '')"
)


def main(report: Path, picture: Path, selector: str, scheme: str) -> int:
    with browser(chromium.ensure()) as new:
        page = new(width=_WIDTH, height=_HEIGHT, dark=scheme == "dark")
        page.open(report)
        page.run(_SHORTEN)
        if selector:
            page.click(selector)
            page.wait("document.getElementById('evidence').open")
        page.shot(picture)
        if page.complaints():
            print(page.complaints())
            return 1
    size = picture.stat().st_size
    print(f"{picture}: {size // 1024} KiB")
    return int(size > _LARGEST)


if __name__ == "__main__":
    given = [*sys.argv[1:], "", ""]
    sys.exit(main(Path(given[0]), Path(given[1]), given[2], given[3]))
