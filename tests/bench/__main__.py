# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.bench [PART ...]``: all figures, or those of the parts named."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Callable, Iterator

from tests.bench import judge, labs, logs, recording, reports
from tests.bench.figure import Figure, stopwatch, table

from longhorn_qa_lab.progress import Progress

_SETUP_SECONDS = 2.0


def main() -> None:
    parts: dict[str, Callable[[Progress], Iterator[Figure]]] = {
        "setup": _setup,
        "labs": labs.measure,
        "logs": logs.measure,
        "recording": recording.measure,
        "reports": reports.measure,
        "judge": judge.measure,
    }
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)} (default: all)")
    given = parser.parse_args().parts or list(parts)
    unknown = [name for name in given if name not in parts]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(parts)}")
    progress = Progress()
    figures = [figure for name in given for figure in parts[name](progress)]
    print(table(figures))


def _setup(progress: Progress) -> Iterator[Figure]:
    progress("make setup with nothing to do")
    subprocess.run(["make", "--silent", "setup"], check=True)
    with stopwatch() as watch:
        subprocess.run(["make", "--silent", "setup"], check=True)
    yield Figure("make setup with nothing to do", watch.seconds, "s", _SETUP_SECONDS)


if __name__ == "__main__":
    main()
