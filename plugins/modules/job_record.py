#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/job_record.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: job_record
short_description: Record what happens to recurring jobs
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Watches the CronJobs, Jobs, pods and events of the given cells, Longhorn's engines and volumes, and recurring jobs,
    snapshots and backups where they are objects; follows logs of every container run from its start, lists the backup
    store, and appends everything to a history on disk, until each cell has had the wanted number of invocations or the
    deadline has come.
  - Only invocations that begin after the recording count; older Jobs are recorded as the baseline.
  - What could not be seen is recorded as a gap. The module decides nothing; judge the history with
    M(longhorn.qa.job_report).
  - On the terminal the run shows one line per event of interest while it goes on, for local connections.
  - A history that exists already is continued, with a gap for the time between.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.common.release
  - longhorn.qa.cells
  - longhorn.qa.store
  - longhorn.qa.attributes
attributes:
  check_mode:
    support: full
    details: Checks the options and answers C(skipped).
  diff_mode:
    support: none
    details: A recording has no before.
  idempotent:
    support: none
    details: Every run records.
options:
  longhorn_release:
    description:
      - Empty means that the image tag of the running manager decides. Where that is not C(vX.Y.Z), only what holds for
        all releases is judged.
  history:
    description:
      - Folder of the history, on the host that executes the module. It is made if needed.
    type: path
    required: true
  invocations:
    description:
      - How many invocations to wait for, per cell.
    type: int
    default: 3
  timeout:
    description:
      - Seconds after which the recording ends anyway. It must leave room for the ticks that are waited for.
    type: int
    default: 1800
  trigger:
    description:
      - Whether to run each next invocation as soon as the one before is over, instead of waiting for the schedule.
    type: bool
    default: false
  progress_deadline:
    description:
      - Seconds without a byte after which a watch or a log stream is taken for dead and asked for again from where it
        was. The API server says something at least once a minute; less than that costs requests, nothing else.
    type: int
    default: 90
  run_id:
    description:
      - Identity of the run, for the history.
    type: str
    default: ""
requirements:
  - croniter >= 3 (Python library, on the host that executes the module)
seealso:
  - module: longhorn.qa.job_report
  - module: longhorn.qa.job_trigger
"""

EXAMPLES = r"""
- name: Record three invocations of one recurring job
  longhorn.qa.job_record:
    history: /tmp/run-1
    longhorn_release: v1.0.1
    invocations: 3
    timeout: 900
    cells:
      - volume: test-1
        task: snapshot
        job: c-yxam34
        cronjob: test-1-c-yxam34-c
        cron: "*/3 * * * *"
        retain: 1
        faults: [snapshot-delete]
  register: recorded

- name: Judge them
  longhorn.qa.job_report:
    history: "{{ recorded.history }}"
    report_dir: /tmp/run-1-report
"""

RETURN = r"""
history:
  description: Folder of the history.
  returned: when something was recorded
  type: str
  sample: /tmp/run-1
invocations:
  description: By volume, how many invocations began during the recording.
  returned: when something was recorded
  type: dict
  sample:
    test-1: 3
records:
  description: How many records the history has.
  returned: when something was recorded
  type: int
  sample: 184
gaps:
  description: How many gaps this recording had. Each names what could not be seen, and why.
  returned: when something was recorded
  type: int
  sample: 0
ended:
  description: Why the recording ended, V(invocations), V(deadline) or V(interrupted).
  returned: when something was recorded
  type: str
  sample: invocations
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import (
    argspec,
    cell_options,
    job_record,
    store_options,
)
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

OWN: argspec.Spec = {
    "history": {"type": "path", "required": True},
    "invocations": {"type": "int", "default": 3},
    "timeout": {"type": "int", "default": 1800},
    "trigger": {"type": "bool", "default": False},
    "progress_deadline": {"type": "int", "default": 90},
    "default_engine_faults": cell_options.deletions_option(),
    **argspec.owner_spec(),
    **argspec.namespace_spec(),
    **argspec.release_spec(),
}


def main() -> None:
    """Options in, result or failure out."""
    module = AnsibleModule(
        argument_spec=argspec.merged(cell_options.spec(), store_options.spec(), OWN), supports_check_mode=True
    )
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = job_record.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
