# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of what cell_options.py states once: the cells of a run, under the name that a module gives them."""

from __future__ import annotations

_FIELDS = """
    type: list
    elements: dict
    suboptions:
      volume:
        description: Name of the volume.
        type: str
        required: true
      task:
        description: What the recurring job does.
        type: str
        choices:
          - snapshot
          - backup
          - snapshot-force-create
          - backup-force-create
          - snapshot-delete
          - snapshot-cleanup
          - filesystem-trim
        required: true
      job:
        description: Name of the recurring job.
        type: str
        required: true
      cronjob:
        description: Name of its CronJob.
        type: str
        required: true
      cron:
        description: Its schedule.
        type: str
        default: ""
      retain:
        description: How many snapshots or backups it keeps.
        type: int
        default: 1
      engine_image:
        description: The volume's engine image; empty for the default one.
        type: str
        default: ""
      faults:
        description:
          - The deletions that are expected to fail. An empty list is a control, whose clean-up must succeed.
          - Left out, nothing is expected either way, and only the contract is judged.
        type: list
        elements: str
        choices: [snapshot-delete, backup-delete]
      fault_type:
        description: What makes these deletions fail; without faults it means nothing.
        type: str
        choices:
          - engine-image
          - default-engine-image
          - patched-engine-image
          - backup-store
          - bucket-policy
          - admission
          - disable-snapshot-purge
          - object-lock
        default: engine-image
  default_engine_faults:
    description:
      - The deletions that Longhorn's default engine image is known to fail.
    type: list
    elements: str
    choices: [snapshot-delete, backup-delete]
    default: []
"""


class ModuleDocFragment:
    """The default is a run that was planned; ``found`` is material in which the cells can be found."""

    DOCUMENTATION: str = f"""
options:
  cells:
    description:
      - The volumes to record, each with its recurring job, as the filter P(longhorn.qa.cells#filter) plans them.
    required: true{_FIELDS}"""

    FOUND: str = f"""
options:
  expect:
    description:
      - The cells to judge, and what was expected of them.
      - Empty means a cell for each recurring job that is found, and no deletion expected to fail or succeed.
    default: []{_FIELDS}"""
