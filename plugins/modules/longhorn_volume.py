#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/longhorn_volume.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: longhorn_volume
short_description: Create, attach, detach, upgrade and delete Longhorn volumes
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Makes a volume be as wanted, in one call. A new one is created with the default engine image, moved to
    O(engine_image) while it is detached, and attached last.
  - A volume that is attached is moved to another engine image live, if Longhorn can do that, and refused with the
    reason otherwise.
  - On every release an upgrade that Longhorn would refuse, or silently put off, is refused with the reason before
    anything is changed.
  - Since 1.5 attaching takes an attachment ticket named C(longhorn-qa), and detaching takes back the tickets of
    requests, whoever made them. A volume that a pod uses is not detached.
  - A faulted volume fails at once.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.common.release
  - longhorn.qa.common.wait
  - longhorn.qa.common.owner
  - longhorn.qa.attributes
  - longhorn.qa.attributes.state
options:
  name:
    description:
      - Name of the volume, up to 40 characters.
    type: str
    required: true
  state:
    description:
      - V(present) leaves a volume attached or detached as it is; a new one is detached.
      - V(attached) waits until its engine runs with at least one usable replica.
      - V(absent) deletes it with its snapshots and recurring jobs. Its backups stay.
    type: str
    choices: [present, absent, attached, detached]
    default: present
  size:
    description:
      - Size as a number of bytes or a quantity such as V(64Mi). Rounded up to a multiple of 2 MiB.
      - Needed for a new volume. An existing one of another size fails.
    type: str
    default: ""
  number_of_replicas:
    description:
      - Number of replicas. More than there are nodes make the volume degraded, which rules out live upgrades.
      - V(0) means the default of Longhorn for a new volume. An existing one with another number fails.
    type: int
    default: 0
  frontend:
    description:
      - What a node gets of an attached volume.
      - If not given, a new volume has V(blockdev). An existing one with another frontend fails.
    type: str
    choices: [blockdev, iscsi]
  engine_image:
    description:
      - Reference of the engine image the volume is to have. It has to be registered, for example by
        M(longhorn.qa.longhorn_engine_image).
      - If not given, it stays what it is, or the default one for a new volume.
    type: str
    default: ""
  node:
    description:
      - Node to attach it to. If not given, it stays where it is, or goes to the first ready node that has its engine
        image.
    type: str
    default: ""
  recurring_job_groups:
    description:
      - The groups of recurring jobs that the volume is in, since Longhorn 1.2; it leaves all others. If not given,
        they stay as they are.
      - Longhorn puts a volume that has no job and no group into the group V(default), and takes it out again when it
        likes, so this one is left to it unless it is named.
    type: list
    elements: str
  disable_frontend:
    description:
      - Attach without a frontend (maintenance mode). Snapshots and backups work, and the node needs no iSCSI.
      - If not given, it stays what it is; a volume that was detached gets its frontend.
    type: bool
  snapshots:
    description:
      - Names of snapshots that the volume has to have; those that are missing are taken. Needs O(state=attached).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Have a volume with an engine that fails to delete snapshots
  longhorn.qa.longhorn_volume:
    name: test-1
    size: 64Mi
    number_of_replicas: 1
    engine_image: quay.io/ttpcodes/longhorn-engine:no-cleanup
    disable_frontend: true
    state: attached

- name: Detach it
  longhorn.qa.longhorn_volume:
    name: test-1
    state: detached

- name: Delete it, unless another run made it
  longhorn.qa.longhorn_volume:
    name: test-1
    state: absent
    run_id: "{{ run_id }}"
"""

RETURN = r"""
volume:
  description: The volume as it is now, or would be in check mode.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      returned: success
      type: str
      sample: test-1
    size:
      description: Its size in bytes.
      returned: success
      type: int
      sample: 67108864
    number_of_replicas:
      description: How many replicas it is to have.
      returned: success
      type: int
      sample: 1
    frontend:
      description: Its frontend.
      returned: success
      type: str
      sample: blockdev
    engine_image:
      description: The engine image it runs with.
      returned: success
      type: str
      sample: quay.io/ttpcodes/longhorn-engine:no-cleanup
    node:
      description: The node it is attached to; empty while it is detached.
      returned: success
      type: str
      sample: node-1
    disable_frontend:
      description: Whether it is attached without its frontend.
      returned: success
      type: bool
      sample: true
    state:
      description: Its state in Longhorn's words; V(absent) when there is none.
      returned: success
      type: str
      sample: attached
    robustness:
      description: Its robustness in Longhorn's words.
      returned: success
      type: str
      sample: healthy
    recurring_jobs:
      description: Its recurring jobs; since Longhorn 1.2 only their names, without those of its groups.
      returned: success
      type: list
      elements: dict
      sample: []
    recurring_job_groups:
      description: The groups of recurring jobs it is in; none up to Longhorn 1.1.
      returned: success
      type: list
      elements: str
      sample: [default]
actions:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - create volume test-1 of 67108864 bytes
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, longhorn_volume
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

OWN: argspec.Spec = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent", "attached", "detached"], "default": "present"},
    "size": {"type": "str", "default": ""},
    "number_of_replicas": {"type": "int", "default": 0},
    "frontend": {"type": "str", "choices": ["blockdev", "iscsi"]},
    "engine_image": {"type": "str", "default": ""},
    "node": {"type": "str", "default": ""},
    "recurring_job_groups": {"type": "list", "elements": "str"},
    "disable_frontend": {"type": "bool"},
    "snapshots": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    """Options in, result or failure out."""
    module = AnsibleModule(
        argument_spec=argspec.merged(
            argspec.namespace_spec(), argspec.release_spec(), argspec.wait_spec(), argspec.owner_spec(), OWN
        ),
        supports_check_mode=True,
    )
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = longhorn_volume.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
