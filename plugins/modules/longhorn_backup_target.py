#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/longhorn_backup_target.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: longhorn_backup_target
short_description: Set Longhorn's backup target
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Sets the address of the backup target and the name of the Secret with its credentials, and waits until Longhorn's
    manager can list what is stored there.
  - The Secret is checked first, so that a missing key is told by its name. Its values are never shown.
  - On the releases supported so far the target is two settings, which are written through the manager's REST API.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.common.release
  - longhorn.qa.common.wait
  - longhorn.qa.attributes
  - longhorn.qa.attributes.state
options:
  url:
    description:
      - Address of the target, C(s3://<bucket>@<region>/<path>) or C(nfs://<host>:/<export>).
      - For MinIO any region will do.
      - Required with O(state=present).
    type: str
    default: ""
  credential_secret:
    description:
      - Name of a Secret in O(namespace) with the keys C(AWS_ACCESS_KEY_ID) and C(AWS_SECRET_ACCESS_KEY), and
        C(AWS_ENDPOINTS) for a store that is not Amazon's.
      - Required for V(s3://) targets.
    type: str
    default: ""
  state:
    description:
      - With V(absent) Longhorn has no backup target any more. What is stored there stays.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Keep backups in a bucket of MinIO
  longhorn.qa.longhorn_backup_target:
    url: s3://longhorn@us-east-1/
    credential_secret: minio-credentials
  register: target

- name: Put the earlier target back
  longhorn.qa.longhorn_backup_target:
    url: "{{ target.previous.url }}"
    credential_secret: "{{ target.previous.credential_secret }}"
    state: "{{ 'present' if target.previous.url else 'absent' }}"
"""

RETURN = r"""
backup_target:
  description: The target as it is now.
  returned: success
  type: dict
  contains: &target
    url:
      description: Its address; empty when there is none.
      returned: success
      type: str
      sample: s3://longhorn@us-east-1/
    credential_secret:
      description: Name of the Secret.
      returned: success
      type: str
      sample: minio-credentials
previous:
  description: The target as it was before.
  returned: success
  type: dict
  contains: *target
actions:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - set the backup target to s3://longhorn@us-east-1/
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, longhorn_backup_target
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure


def main() -> None:
    """Options in, result or failure out."""
    own: argspec.Spec = {
        "url": {"type": "str", "default": ""},
        "credential_secret": {"type": "str", "default": "", "no_log": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    module = AnsibleModule(
        argument_spec=argspec.merged(argspec.namespace_spec(), argspec.release_spec(), argspec.wait_spec(), own),
        required_if=[("state", "present", ["url"])],
        supports_check_mode=True,
    )
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = longhorn_backup_target.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
