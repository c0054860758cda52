# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of what all assertion modules have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Bounds, and where to look."""

    DOCUMENTATION = r"""
options:
  history:
    description:
      - Folder of a history made by M(longhorn.qa.job_record) or M(longhorn.qa.job_import), on the host that executes
        the module.
      - Without it the cluster is asked for what it still has.
    type: path
  min:
    description:
      - The lowest right number.
    type: int
  max:
    description:
      - The highest right number. Without it there is no limit.
    type: int
  per:
    description:
      - Whether the numbers hold for each invocation, that is each Job, or over all.
    type: str
    choices: [invocation, total]
notes:
  - An assertion fails with RV(ignore:error=not_as_expected) when everything was looked at, and with
    RV(ignore:error=inconclusive) when a part of what it has to look at is not there. Both carry the same evidence as a
    success.
"""
