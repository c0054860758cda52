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
  - Adds, changes or removes one recurring job, gives it to volumes, and waits until Longhorn has made, changed or
    removed its CronJob.
  - On Longhorn 1.0 and 1.1 a recurring job is an entry in its volume's list, and each volume has a CronJob of its
    own. The other entries stay as they are. While the volume is not attached, the CronJob is suspended, or since
    1.1.2 absent; both count as ready.
  - Since 1.2 a recurring job is an object for many volumes, with one CronJob of the same name. A volume has the job
    by the label C(recurring-job.longhorn.io/<job>), and keeps it when it is not named.
  - What Longhorn's webhooks and schemas refuse (1.3 and later) is asked for first by a dry run, in check mode too,
    and told in their words. Where nothing in the cluster judges it (up to 1.2), the module does, by the same rules.
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
      - Up to Longhorn 1.1 this or O(volumes) is needed. Since 1.2 a job may do without, and run for its O(groups).
    type: str
  volumes:
    description:
      - Names of volumes, in addition to O(volume).
    type: list
    elements: str
    default: []
  name:
    description:
      - Name of the recurring job, up to 8 characters on Longhorn 1.0 and 1.1, up to 40 since.
    type: str
    required: true
  task:
    description:
      - What the job does. A backup job makes a snapshot too.
      - V(snapshot) and V(backup) are known to every release; V(snapshot-delete) and V(snapshot-cleanup) to 1.3.3 and
        since 1.4.1; V(snapshot-force-create) and V(backup-force-create) to 1.3.3 and since 1.4.2; V(filesystem-trim)
        since 1.5; V(system-backup) since 1.9.
      - Required with O(state=present).
    type: str
    choices:
      - snapshot
      - backup
      - snapshot-delete
      - snapshot-cleanup
      - snapshot-force-create
      - backup-force-create
      - filesystem-trim
      - system-backup
  cron:
    description:
      - When the job runs, five fields as in cron.
      - Required with O(state=present).
    type: str
    default: ""
  retain:
    description:
      - How many snapshots or backups are kept of each volume.
      - 1 to 50 up to Longhorn 1.3.2 and in 1.4.0 and 1.4.1, where up to 1.1 it is the sum over all jobs of a volume
        that counts; up to 100 in later releases up to 1.5; since 1.6 up to the setting
        V(recurring-job-max-retention).
      - Longhorn stores 0 for the tasks V(snapshot-cleanup) and V(filesystem-trim).
    type: int
    default: 1
  labels:
    description:
      - Labels for the snapshots and backups that the job makes.
    type: dict
    default: {}
  groups:
    description:
      - Groups of the job, since Longhorn 1.2. It runs for every volume with the label
        C(recurring-job-group.longhorn.io/<group>), as M(longhorn.qa.longhorn_volume) sets it.
      - V(default) is the group of all volumes without a job of their own. It is never added, and refused with
        O(run_id).
    type: list
    elements: str
    default: []
  concurrency:
    description:
      - For how many volumes the job works at the same time, since Longhorn 1.2. Always written, because a job without
        it would hang on some releases.
    type: int
    default: 1
  parameters:
    description:
      - More of the task, since Longhorn 1.7, for example C(full-backup-interval) of backups, or
        C(volume-backup-policy) of V(system-backup) since 1.9.
    type: dict
    default: {}
  state:
    description:
      - With V(absent) the job is removed. What it made stays.
      - Since Longhorn 1.2 that is the job itself, and so its label on every volume; before, the entry of each named
        volume.
    type: str
    choices: [present, absent]
    default: present
  run_id:
    description:
      - If set, the volumes have to carry the label C(longhorn.qa/run-id) with this value, or the module fails.
      - Since Longhorn 1.2 the job gets that label too, one without it fails, and the volumes leave the group
        V(default), whose jobs would otherwise run for them.
    type: str
    default: ""
requirements:
  - croniter >= 3 (Python library, on the host that executes the module)
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

- name: Back up two volumes with one job (Longhorn 1.2 and later)
  longhorn.qa.longhorn_recurring_job:
    volumes: [test-1, test-2]
    name: nightly
    task: backup-force-create
    cron: "0 3 * * *"
    retain: 7
    concurrency: 2
    parameters:
      full-backup-interval: 5

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
      description: Its volume, or the first of them.
      returned: with O(state=present)
      type: str
      sample: test-1
    volumes:
      description: The volumes that have it by name.
      returned: with O(state=present)
      type: list
      elements: str
      sample: [test-1]
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
    groups:
      description: Its groups.
      returned: with O(state=present)
      type: list
      elements: str
      sample: []
    concurrency:
      description: For how many volumes it works at the same time.
      returned: with O(state=present)
      type: int
      sample: 1
    parameters:
      description: More of its task.
      returned: with O(state=present)
      type: dict
      sample: {}
    execution_count:
      description: How often it has run, retries included; none where this Longhorn does not count (up to 1.6).
      returned: with O(state=present)
      type: int
      sample: 4
cronjob:
  description: The CronJob that Longhorn made of it, or the first of them; empty when it is absent.
  returned: success
  type: dict
  contains: &cronjob
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
cronjobs:
  description: All its CronJobs. Only up to Longhorn 1.1 there can be more than one.
  returned: success
  type: list
  elements: dict
  contains: *cronjob
actions:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - "add recurring job c-yxam34: snapshot, cron '*/3 * * * *', retain 1"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.tasks import TASKS
from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, longhorn_recurring_job
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

OWN: argspec.Spec = {
    "volume": {"type": "str"},
    "volumes": {"type": "list", "elements": "str", "default": []},
    "name": {"type": "str", "required": True},
    "task": {"type": "str", "choices": list(TASKS)},
    "cron": {"type": "str", "default": ""},
    "retain": {"type": "int", "default": 1},
    "labels": {"type": "dict", "default": {}},
    "groups": {"type": "list", "elements": "str", "default": []},
    "concurrency": {"type": "int", "default": 1},
    "parameters": {"type": "dict", "default": {}},
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
