# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``longhorn-qa``: it sets up, calls ansible-playbook and reads results; it judges nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from longhorn_qa_lab.commands import parser
from longhorn_qa_lab.errors import LabError

BROKEN = 3
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Errors that a person can act on are one message; everything else keeps its traceback."""
    given = parser.build().parse_args(arguments)
    try:
        return int(given.run(given))
    except LabError as error:
        print(f"longhorn-qa: {error}", file=sys.stderr)
        return int(given.status_on_error)
    except KeyboardInterrupt:
        print("longhorn-qa: interrupted", file=sys.stderr)
        return INTERRUPTED
