# SPDX-License-Identifier: GPL-3.0-or-later
"""The tool by itself, for machines that have a Python and this checkout and nothing else."""

from __future__ import annotations

import argparse
import sys

from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.stub import command


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m longhorn_qa_lab.stub", description=command.TITLE)
    command.add_options(parser)
    try:
        return command.run(parser.parse_args())
    except LabError as error:
        print(f"stub: {error}", file=sys.stderr)
    except OSError as error:
        print(f"stub: {error.filename}: {error.strerror}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
