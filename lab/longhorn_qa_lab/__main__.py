# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets ``python -m longhorn_qa_lab`` stand in for the console command where that is not installed."""

from __future__ import annotations

import sys

from longhorn_qa_lab.cli import main

if __name__ == "__main__":
    sys.exit(main())
