#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/longhorn_fault.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: longhorn_fault
short_description: Make the deletion of snapshots or backups fail, and stop it
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Makes deletions of some volumes fail, each type in its own way, and undoes it.
  - A fault that has no effect on the release that is there is refused, with those that have one.
  - Whether the recurring job itself gets to see the failure depends on type and release; it is returned as RV(effects).
  - When a fault goes that the job does not see, Longhorn still has to do what it could not do before. It tries again by
    itself, from 1.8 on after a minute and then ever later, before that within the hour. With O(wait) it gets the time
    of O(wait_timeout), and a warning tells what is not done by then.
  - M(longhorn.qa.longhorn_run) finds and reverts the faults of a run, also after a crash, except for
    O(type=object-lock).
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.common.release
  - longhorn.qa.common.owner
  - longhorn.qa.common.wait
  - longhorn.qa.store
  - longhorn.qa.attributes
  - longhorn.qa.attributes.state
options:
  type:
    description:
      - What makes the deletions fail.
      - With V(engine-image) it is an engine image whose command line refuses, which the volumes are moved to. It is
        called for snapshots up to 1.2, and for backups in 1.0.0 only.
      - With V(patched-engine-image) it is an engine image that refuses inside its replicas, from 1.3 on.
      - With V(default-engine-image) a refusing image becomes Longhorn's default one, with which backups are deleted
        since 1.0.1. This is for all volumes. O(state=absent) puts the one before back, which the journal of
        O(run_id) tells; volumes that were made in between keep the image that they have.
      - With V(backup-store) the proxy of the role P(longhorn.qa.backup_store#role) refuses requests about the volumes'
        backups.
      - With V(bucket-policy) the store itself refuses to delete the volumes' backups, by a statement that is added
        to the bucket's policy, beside those of its owner. That it does is tried with the credentials that Longhorn has
        for it. Not for MinIO, whose bucket policies hold only for those who do not sign their requests.
      - With V(admission) the API server refuses to delete the volumes' Snapshot objects, from 1.5 on, or Backup
        objects, from 1.2 on. It takes a ValidatingAdmissionPolicy where there is such a thing, and a ValidatingWebhook
        elsewhere.
      - With V(disable-snapshot-purge) it is Longhorn's setting of this name, from 1.5.4 on. This is for all volumes.
        O(state=absent) sets it, and C(auto-cleanup-system-generated-snapshot), to Longhorn's default; what they were
        before a run is put back when M(longhorn.qa.longhorn_run) takes it down.
      - With V(object-lock) the bucket keeps new objects for a day, whoever deletes them. Deleting succeeds all the
        same, so no failure is seen anywhere. This is for the whole bucket, which has to be made for it. It is refused
        for a bucket that has another such rule. M(longhorn.qa.longhorn_run) does not take it down; O(state=absent)
        does, and leaves any rule but one of GOVERNANCE and one day.
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
    required: true
  state:
    description:
      - Whether the deletions fail.
    type: str
    choices: [present, absent]
    default: present
  deletions:
    description:
      - Which deletions are to fail.
    type: list
    elements: str
    choices: [snapshot-delete, backup-delete]
    required: true
  volumes:
    description:
      - Whose deletions are to fail. Not needed for the types that are for all volumes.
      - With V(admission) and V(bucket-policy) these are all volumes of the run whose deletions of that kind fail;
        others are let go again.
    type: list
    elements: str
    default: []
  task:
    description:
      - The task of the recurring jobs, for which the effect is told.
    type: str
    choices:
      - snapshot
      - backup
      - snapshot-force-create
      - backup-force-create
      - snapshot-delete
      - snapshot-cleanup
      - filesystem-trim
    default: backup
  image:
    description:
      - The engine image that refuses, for the types that are one. It must be deployed.
    type: str
    default: ""
  store_proxy:
    description:
      - Namespace and name of the Service of the store's proxy, as C(namespace/name), for O(type=backup-store).
    type: str
    default: ""
  store_verb:
    description:
      - Regular expression for the HTTP verbs that are refused.
    type: str
    default: DELETE
  store_key:
    description:
      - Regular expression for the keys that are refused, from where they begin below the volume's folder in the store,
        for example V(blocks/). One that fits C(locks/) too holds up the volume's next backup.
      - Each volume has one rule; other verbs or keys replace those before.
    type: str
    default: backups/
  store_status:
    description:
      - The HTTP status that refused requests get. With V(0) they are let pass, only later.
    type: int
    default: 403
  store_latency:
    description:
      - Seconds before the answer.
    type: float
    default: 0.0
  store_times:
    description:
      - How often requests about each volume are refused; V(0) is always.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Let nobody delete the snapshots of a volume
  longhorn.qa.longhorn_fault:
    type: admission
    deletions: [snapshot-delete]
    volumes: [qa-a1b2c3-snap-vis-snap]
    run_id: a1b2c3

- name: The store fails the first two deletions of backups, and takes a second for each
  longhorn.qa.longhorn_fault:
    type: backup-store
    deletions: [backup-delete]
    volumes: [qa-a1b2c3-back-asy-back]
    store_proxy: longhorn-qa-store-a1b2c3/longhorn-qa-store-a1b2c3-proxy
    store_status: 503
    store_latency: 1
    store_times: 2

- name: The backups go, and the blocks that nobody needs any more cannot be deleted
  longhorn.qa.longhorn_fault:
    type: backup-store
    deletions: [backup-delete]
    volumes: [qa-a1b2c3-back-asy-back]
    store_proxy: longhorn-qa-store-a1b2c3/longhorn-qa-store-a1b2c3-proxy
    store_key: blocks/

- name: The store itself refuses to delete the backups
  longhorn.qa.longhorn_fault:
    type: bucket-policy
    deletions: [backup-delete]
    volumes: [qa-a1b2c3-back-asy-back]
    store:
      url: s3://backups@eu-central-1/longhorn
      credential_secret: bucket-owner
    run_id: a1b2c3

- name: Everything can be deleted again
  longhorn.qa.longhorn_fault:
    type: admission
    state: absent
    deletions: [snapshot-delete]
    volumes: [qa-a1b2c3-snap-vis-snap]
    run_id: a1b2c3
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [set disable-snapshot-purge to true]
effects:
  description:
    - For each deletion V(visible) when the job's own call fails, V(asynchronous) when the job is told that all is
      well, V(none) when nothing fails.
  returned: success
  type: dict
  sample:
    snapshot-delete: visible
hits:
  description:
    - For O(type=backup-store), how often requests about each volume were refused by the rule that was there before.
  returned: success
  type: dict
  sample:
    qa-a1b2c3-back-asy-back: 4
proof:
  description:
    - For O(type=bucket-policy), what the store answered when a probe that lies as a backup does was to be deleted with
      Longhorn's credentials; empty in check mode.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import (
    argspec,
    cell_options,
    longhorn_fault,
    store_options,
)
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

OWN: argspec.Spec = {
    "type": {"type": "str", "required": True, "choices": cell_options.FAULT_TYPES},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "deletions": {"type": "list", "elements": "str", "choices": cell_options.FAULTS, "required": True},
    "volumes": {"type": "list", "elements": "str", "default": []},
    "task": {"type": "str", "choices": cell_options.TASKS, "default": "backup"},
    "image": {"type": "str", "default": ""},
    "store_proxy": {"type": "str", "default": ""},
    "store_verb": {"type": "str", "default": "DELETE"},
    "store_key": {"type": "str", "default": "backups/", "no_log": False},  # a pattern, not a secret
    "store_status": {"type": "int", "default": 403},
    "store_latency": {"type": "float", "default": 0.0},
    "store_times": {"type": "int", "default": 0},
}


def main() -> None:
    """Options in, result or failure out."""
    spec = argspec.merged(
        argspec.namespace_spec(),
        argspec.release_spec(),
        argspec.owner_spec(),
        argspec.wait_spec(),
        store_options.spec(),
        OWN,
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = longhorn_fault.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
