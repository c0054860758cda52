#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/longhorn_engine_image.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: longhorn_engine_image
short_description: Register Longhorn engine images, wait for them, make one the default
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Registers an engine image and waits until it is deployed and ready.
  - An image that is incompatible with this Longhorn, or in error, fails at once with what Longhorn says about it.
  - An engine image that exists already is used as it is. It is not marked with O(run_id) then, and with O(state=absent)
    and O(run_id) it is left alone.
  - Longhorn itself removes an image that nothing uses and that is not the default one after an hour.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.common.release
  - longhorn.qa.common.wait
  - longhorn.qa.common.owner
  - longhorn.qa.attributes
  - longhorn.qa.attributes.state
options:
  image:
    description:
      - Reference of the engine image, exactly as volumes will name it.
    type: str
    required: true
  state:
    description:
      - V(absent) is refused while the image is the default one or volumes use it.
    type: str
    choices: [present, absent]
    default: present
  default:
    description:
      - With V(true) the image becomes the default engine image, with which volumes are created, and, since Longhorn
        1.0.1, backups are deleted.
      - V(false) only states that it is not the default one, and fails if it is.
      - If not given, the default engine image stays what it is.
    type: bool
"""

EXAMPLES = r"""
- name: Have an engine that fails to delete snapshots
  longhorn.qa.longhorn_engine_image:
    image: quay.io/ttpcodes/longhorn-engine:no-cleanup
    run_id: "{{ run_id }}"

- name: Let Longhorn 1.0.1 delete backups with an engine that fails to
  longhorn.qa.longhorn_engine_image:
    image: quay.io/ttpcodes/longhorn-engine:no-cleanup-backup
    default: true
  register: stub

- name: Make the earlier one the default again
  longhorn.qa.longhorn_engine_image:
    image: "{{ stub.previous_default }}"
    default: true
"""

RETURN = r"""
engine_image:
  description: The engine image.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the EngineImage object, derived by Longhorn from the reference.
      returned: success
      type: str
      sample: ei-0016307a
    image:
      description: Its reference.
      returned: success
      type: str
      sample: quay.io/ttpcodes/longhorn-engine:no-cleanup
    state:
      description: Its state; empty for one that would be made, V(absent) for one that is not there.
      returned: success
      type: str
      sample: ready
    incompatible:
      description: Whether this Longhorn cannot work with it; since 1.6 such an image is deployed all the same.
      returned: success
      type: bool
      sample: false
    ref_count:
      description: How many volumes, engines and replicas use it.
      returned: success
      type: int
      sample: 0
    default:
      description: Whether it is the default engine image.
      returned: success
      type: bool
      sample: false
    git_commit:
      description: The commit it was built of; two images of one commit cannot replace each other in a running volume.
      returned: success
      type: str
      sample: f99be10aaaffb9b41fa7782a27e61513b2ab8c52
    cli_api_version:
      description: Version of its command line, which Longhorn's manager has to know.
      returned: success
      type: int
      sample: 3
    controller_api_version:
      description: Version of its controller, which decides about upgrades of running volumes.
      returned: success
      type: int
      sample: 3
    owned:
      description: Whether it carries the mark of O(run_id).
      returned: success
      type: bool
      sample: true
previous_default:
  description: The default engine image before.
  returned: success
  type: str
  sample: longhornio/longhorn-engine:v1.0.1
actions:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - register engine image quay.io/ttpcodes/longhorn-engine:no-cleanup as ei-0016307a
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, longhorn_engine_image
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure


def main() -> None:
    """Options in, result or failure out."""
    own: argspec.Spec = {
        "image": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "default": {"type": "bool"},
    }
    module = AnsibleModule(
        argument_spec=argspec.merged(
            argspec.namespace_spec(), argspec.release_spec(), argspec.wait_spec(), argspec.owner_spec(), own
        ),
        supports_check_mode=True,
    )
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = longhorn_engine_image.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
