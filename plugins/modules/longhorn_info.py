#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/longhorn_info.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: longhorn_info
short_description: Look at what Longhorn has
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Returns the release, nodes, engine images, volumes, settings, recurring jobs, snapshots, backups and backup targets
    of a Longhorn, as far as they are asked for.
  - Never fails because there is nothing; fails if it cannot look.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.common.release
  - longhorn.qa.attributes
  - longhorn.qa.attributes.info
options:
  gather_subset:
    description:
      - What to return.
    type: list
    elements: str
    choices:
      - release
      - nodes
      - engine_images
      - volumes
      - settings
      - recurring_jobs
      - snapshots
      - backups
      - backup_targets
      - all
    default: [release]
"""

EXAMPLES = r"""
- name: Which Longhorn is this?
  longhorn.qa.longhorn_info:
  register: longhorn

- name: Show its volumes and their recurring jobs
  longhorn.qa.longhorn_info:
    gather_subset: [volumes, recurring_jobs]
"""

RETURN = r"""
release:
  description: The Longhorn release; empty, with a warning, if the manager's image does not tell and none is stated.
  returned: with the subset V(release)
  type: str
  sample: v1.0.1
manager_image:
  description: Image of the longhorn-manager pods.
  returned: with the subset V(release)
  type: str
  sample: longhornio/longhorn-manager:v1.0.1
nodes:
  description: Longhorn's nodes.
  returned: with the subset V(nodes)
  type: list
  elements: dict
  sample: [{"name": "node-1", "ready": true, "schedulable": true, "reason": ""}]
engine_images:
  description: Engine images, as returned by M(longhorn.qa.longhorn_engine_image).
  returned: with the subset V(engine_images)
  type: list
  elements: dict
  sample: [{"name": "ei-3bd16bdf", "image": "longhornio/longhorn-engine:v1.0.1", "state": "ready", "default": true}]
volumes:
  description: Volumes, as returned by M(longhorn.qa.longhorn_volume).
  returned: with the subset V(volumes)
  type: list
  elements: dict
  sample: [{"name": "test-1", "state": "attached", "robustness": "healthy"}]
settings:
  description: All settings, each by its name.
  returned: with the subset V(settings)
  type: dict
  sample: {"backup-target": "s3://longhorn@us-east-1/"}
recurring_jobs:
  description:
    - The recurring jobs, as returned by M(longhorn.qa.longhorn_recurring_job), with the name of the CronJob.
    - Up to Longhorn 1.1 one for each volume's job; since 1.2 one for each job, with all volumes that it runs for, by
      their labels of the job or of its groups.
  returned: with the subset V(recurring_jobs)
  type: list
  elements: dict
  sample: [{"volumes": ["test-1"], "name": "c-yxam34", "task": "snapshot", "cronjob": "test-1-c-yxam34-c"}]
snapshots:
  description:
    - The snapshots of all volumes; objects since Longhorn 1.3, before what the engines tell, which is of attached
      volumes.
    - One with C(deleting) waits for Longhorn to delete it, one with C(removed) for the next purge.
  returned: with the subset V(snapshots)
  type: list
  elements: dict
  sample:
    - name: c-yxam34-c137b15c
      volume: test-1
      created: "2026-11-23T08:00:00Z"
      labels: {"RecurringJob": "c-yxam34"}
      user_created: true
      removed: false
      ready: true
      error: ""
      deleting: false
backups:
  description:
    - The backups in the backup targets; none if no target is set. State, error, target and C(deleting) are told by
      objects, which there are since Longhorn 1.2.
  returned: with the subset V(backups)
  type: list
  elements: dict
  sample: [{"name": "backup-6356dc9c6d8747e7", "volume": "test-1", "state": "Completed"}]
backup_targets:
  description:
    - The backup targets, as returned by M(longhorn.qa.longhorn_backup_target), and whether the manager finds each
      available, which it tells since Longhorn 1.2.
  returned: with the subset V(backup_targets)
  type: list
  elements: dict
  sample: [{"name": "default", "url": "s3://longhorn@us-east-1/", "available": true}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, longhorn_info
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure


def main() -> None:
    """Options in, result or failure out."""
    own: argspec.Spec = {
        "gather_subset": {
            "type": "list",
            "elements": "str",
            "choices": list(longhorn_info.SUBSETS),
            "default": ["release"],
        },
    }
    module = AnsibleModule(
        argument_spec=argspec.merged(argspec.namespace_spec(), argspec.release_spec(), own),
        supports_check_mode=True,
    )
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = longhorn_info.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
