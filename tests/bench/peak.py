# SPDX-License-Identifier: GPL-3.0-or-later
"""The most memory that a process ever held; ``python -m tests.bench.peak SCRIPT`` runs a script and then says it.

Not by rusage: that begins with what the parent held, which may be more than what is measured.
"""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path


def mebibytes() -> float:
    """Of this process since its program began."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    if found is None:
        raise RuntimeError("expected the line VmHWM in /proc/self/status, seen none; the bench needs Linux")
    return int(found.group(1)) / 1024


if __name__ == "__main__":
    del sys.argv[0]  # the script is to see only what is its own
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        print(mebibytes(), file=sys.stderr)
