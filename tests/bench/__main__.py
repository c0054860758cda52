# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.bench [PART ...]``: all figures, or those of the parts named; status 1 when one misses its goal."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator

from tests.bench import judge, labs, logs, recording, reports
from tests.bench.figure import Figure, stopwatch, table

from longhorn_qa_lab.progress import Progress

_SETUP_SECONDS = 2.0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    given = parser.parse_args(arguments).parts or list(PARTS)
    unknown = [name for name in given if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    progress = Progress()
    figures = [figure for name in given for figure in PARTS[name](progress)]
    print(table(figures))
    missed = [figure.what.strip() for figure in figures if figure.missed]
    if missed:
        print(f"bench: {len(missed)} missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def _setup(progress: Progress) -> Iterator[Figure]:
    progress("make setup with nothing to do")
    subprocess.run(["make", "--silent", "setup"], check=True)
    with stopwatch() as watch:
        subprocess.run(["make", "--silent", "setup"], check=True)
    yield Figure("make setup with nothing to do", watch.seconds, "s", _SETUP_SECONDS)


PARTS: dict[str, Callable[[Progress], Iterator[Figure]]] = {
    "setup": _setup,
    "labs": labs.measure,
    "logs": logs.measure,
    "recording": recording.measure,
    "reports": reports.measure,
    "judge": judge.measure,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
