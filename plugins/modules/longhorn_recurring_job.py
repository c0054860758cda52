#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/longhorn_recurring_job.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: longhorn_recurring_job
short_description: Manage recurring jobs of Longhorn volumes
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Adds, changes or removes one recurring job of a volume, and waits until Longhorn has made, changed or removed its
    CronJob.
  - On Longhorn 1.0 and 1.1 a recurring job is an entry in its volume's list. The other entries stay as they are.
  - Longhorn suspends the CronJob while the volume is not attached; such a one counts as ready.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.common.release
  - longhorn.qa.common.wait
  - longhorn.qa.attributes
  - longhorn.qa.attributes.state
options:
  volume:
    description:
      - Name of the volume.
    type: str
    required: true
  name:
    description:
      - Name of the recurring job, up to 8 characters.
    type: str
    required: true
  task:
    description:
      - What the job makes. A backup job makes a snapshot too.
      - Required with O(state=present).
    type: str
    choices: [snapshot, backup]
  cron:
    description:
      - When the job runs, five fields as in cron.
      - Required with O(state=present).
    type: str
    default: ""
  retain:
    description:
      - How many snapshots or backups are kept, 1 to 50; the sum over all jobs of the volume must not exceed 50.
    type: int
    default: 1
  labels:
    description:
      - Labels for the snapshots and backups that the job makes.
    type: dict
    default: {}
  state:
    description:
      - With V(absent) the job is removed. What it made stays.
    type: str
    choices: [present, absent]
    default: present
  run_id:
    description:
      - If set, the volume has to carry the label C(longhorn.qa/run-id) with this value, or the module fails.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Take a snapshot every three minutes and keep one
  longhorn.qa.longhorn_recurring_job:
    volume: test-1
    name: c-yxam34
    task: snapshot
    cron: "*/3 * * * *"
    retain: 1
  register: job

- name: Run it at once
  longhorn.qa.job_trigger:
    cronjob: "{{ job.cronjob.name }}"

- name: Remove it
  longhorn.qa.longhorn_recurring_job:
    volume: test-1
    name: c-yxam34
    state: absent
"""

RETURN = r"""
recurring_job:
  description: The recurring job; empty when it is absent.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      returned: with O(state=present)
      type: str
      sample: c-yxam34
    volume:
      description: Its volume.
      returned: with O(state=present)
      type: str
      sample: test-1
    task:
      description: Its task.
      returned: with O(state=present)
      type: str
      sample: snapshot
    cron:
      description: Its schedule.
      returned: with O(state=present)
      type: str
      sample: "*/3 * * * *"
    retain:
      description: How many it keeps.
      returned: with O(state=present)
      type: int
      sample: 1
    labels:
      description: Labels of what it makes.
      returned: with O(state=present)
      type: dict
      sample: {}
cronjob:
  description: The CronJob that Longhorn made of it; empty when it is absent.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      returned: with O(state=present)
      type: str
      sample: test-1-c-yxam34-c
    uid:
      description: Its UID; empty in check mode.
      returned: with O(state=present)
      type: str
      sample: 9d2a70cc-c17f-4165-b91f-de3aa25fdc35
    schedule:
      description: Its schedule.
      returned: with O(state=present)
      type: str
      sample: "*/3 * * * *"
    suspend:
      description: Whether it is suspended, as Longhorn does while the volume is not attached.
      returned: with O(state=present)
      type: bool
      sample: false
actions:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - "add recurring job c-yxam34: snapshot, cron '*/3 * * * *', retain 1"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, longhorn_recurring_job
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

OWN: argspec.Spec = {
    "volume": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "task": {"type": "str", "choices": ["snapshot", "backup"]},
    "cron": {"type": "str", "default": ""},
    "retain": {"type": "int", "default": 1},
    "labels": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Options in, result or failure out."""
    module = AnsibleModule(
        argument_spec=argspec.merged(
            argspec.namespace_spec(), argspec.release_spec(), argspec.wait_spec(), argspec.owner_spec(), OWN
        ),
        required_if=[("state", "present", ["task", "cron"])],
        supports_check_mode=True,
    )
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = longhorn_recurring_job.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
