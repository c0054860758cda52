#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/job_audit.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: job_audit
short_description: Make a history of what a cluster still remembers of its recurring jobs
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Looks once, and changes nothing. Lists CronJobs, Jobs, pods, events, Longhorn's volumes and engines, and recurring
    jobs, snapshots and backups where they are objects, reads the logs that are still there, lists the backup store, and
    writes a history that M(longhorn.qa.job_report) judges.
  - Each recurring job of a volume becomes a cell. No deletion is expected to fail or to succeed; what is judged is the
    contract, which is one artefact for each invocation and one invocation for each tick.
  - A cluster forgets, so a look back finds what went wrong and can never prove that nothing did. It never passes the
    check C(history-complete).
  - Of volumes that are gone the store may still have backups. Name such volumes by O(volumes); what their backups say
    of themselves, which is the recurring job's name and the time of making, is judged where O(expect) gives the
    schedule.
  - What may not be read becomes a gap that names the missing verb. The file C(rbac/audit.yml) of the collection grants
    exactly what is needed.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.common.release
  - longhorn.qa.cells.found
  - longhorn.qa.store.set
  - longhorn.qa.attributes
attributes:
  check_mode:
    support: full
    details: The look is taken, and no history is written.
  diff_mode:
    support: none
    details: A history is only ever new.
  idempotent:
    support: none
    details: An existing history is never written over; the task fails.
options:
  longhorn_release:
    description:
      - Empty means that the image tag of the running manager decides. Where that is not C(vX.Y.Z), only what holds for
        all releases is judged.
  history:
    description:
      - Folder to write the history into. It must not hold one yet.
    type: path
    required: true
  volumes:
    description:
      - Only these volumes, whether they still exist or not. Empty means all volumes that have a recurring job.
    type: list
    elements: str
    default: []
seealso:
  - module: longhorn.qa.job_import
  - module: longhorn.qa.job_record
  - module: longhorn.qa.job_report
"""

EXAMPLES = r"""
- name: Write down what the cluster remembers
  longhorn.qa.job_audit:
    history: reports/audit/history
  register: audit

- name: Judge it
  longhorn.qa.job_report:
    history: "{{ audit.history }}"
    report_dir: reports/audit

- name: Ask the store about a volume that was deleted
  longhorn.qa.job_audit:
    history: reports/gone/history
    expect:
      - {volume: gone, task: backup, job: nightly, cronjob: gone-nightly-c, cron: "0 1 * * *"}
"""

RETURN = r"""
history:
  description: The history's folder.
  returned: success
  type: str
  sample: reports/audit/history
release:
  description: Which Longhorn it was judged to be; empty when nobody could tell.
  returned: success
  type: str
  sample: v1.0.1
cells:
  description: The volumes that have a cell.
  returned: success
  type: list
  elements: str
  sample: [data-1, data-2]
unknown:
  description: What could not be read, and why.
  returned: success
  type: list
  elements: str
  sample: ["events: verb list on events is not granted"]
audit_warnings:
  description: What a reader should know.
  returned: success
  type: list
  elements: str
  sample: []
records:
  description: How many records the history has.
  returned: success
  type: int
  sample: 128
gaps:
  description: How many of them are gaps.
  returned: success
  type: int
  sample: 0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, cell_options, job_audit, store_options
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

OWN: argspec.Spec = {
    "history": {"type": "path", "required": True},
    "volumes": {"type": "list", "elements": "str", "default": []},
    **argspec.namespace_spec(),
    **argspec.release_spec(),
}


def main() -> None:
    """Options in, result or failure out."""
    module = AnsibleModule(
        argument_spec=argspec.merged(cell_options.found_spec(), store_options.spec(named=False), OWN),
        supports_check_mode=True,
    )
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = job_audit.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    for line in (*result["unknown"], *result["audit_warnings"]):
        module.warn(line)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
