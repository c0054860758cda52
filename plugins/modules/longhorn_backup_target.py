#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/longhorn_backup_target.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: longhorn_backup_target
short_description: Set Longhorn's backup targets
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Sets the address of a backup target and the name of the Secret with its credentials, and waits until Longhorn's
    manager can use it.
  - The Secret is checked first, so that a missing key, or white space around a value, is told by the key's name. Its
    values are never shown.
  - Up to Longhorn 1.7 there is one target, made of settings, which are written through the manager's REST API. Since
    1.8 each target is an object, and what Longhorn's webhook refuses is asked for first by a dry run, in check mode
    too.
  - Up to 1.1 a target counts as usable when the manager can list what is stored there; since 1.2 when the manager has
    looked at it and calls it available.
  - That a bucket is missing, or keys are wrong, is only found by the manager. Then the module puts the target of before
    back and fails.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.common.release
  - longhorn.qa.common.wait
  - longhorn.qa.attributes
  - longhorn.qa.attributes.state
options:
  name:
    description:
      - Name of the target. Others than V(default) need Longhorn 1.8.
    type: str
    default: default
  url:
    description:
      - Address of the target, C(s3://<bucket>@<region>/<path>) or C(nfs://<host>:/<export>), and since Longhorn 1.5
        C(cifs://<host>/<share>) or C(azblob://<container>@<suffix>/<path>).
      - For MinIO any region will do.
      - Required with O(state=present).
    type: str
    default: ""
  credential_secret:
    description:
      - Name of a Secret in O(namespace) with the keys C(AWS_ACCESS_KEY_ID) and C(AWS_SECRET_ACCESS_KEY), and
        C(AWS_ENDPOINTS) for a store that is not Amazon's; with C(CIFS_USERNAME) and C(CIFS_PASSWORD), or with
        C(AZBLOB_ACCOUNT_NAME) and C(AZBLOB_ACCOUNT_KEY), for the other kinds.
      - Required for V(s3://) targets.
    type: str
    default: ""
  poll_interval:
    description:
      - Every how many seconds the manager looks into the store; V(0) means never.
      - If not given, it stays what it is, or is 300 for a new target.
    type: int
  state:
    description:
      - With V(absent) Longhorn has no such backup target any more. What is stored there stays.
      - The target V(default) stays as an object without an address, because Longhorn does not let it go.
    type: str
    choices: [present, absent]
    default: present
  run_id:
    description:
      - A target with another name than V(default) gets the label C(longhorn.qa/run-id) with this value when it is
        made, and one without it is left alone, and the module fails. The default one stands in the run's journal.
    type: str
    default: ""
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
    name:
      description: Its name.
      returned: success
      type: str
      sample: default
    poll_interval:
      description: Every how many seconds the manager looks into the store.
      returned: success
      type: int
      sample: 300
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
    - set the backup target's address to s3://longhorn@us-east-1/
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, longhorn_backup_target
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

OWN: argspec.Spec = {
    "name": {"type": "str", "default": "default"},
    "url": {"type": "str", "default": ""},
    "credential_secret": {"type": "str", "default": "", "no_log": False},
    "poll_interval": {"type": "int"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Options in, result or failure out."""
    common = (argspec.namespace_spec(), argspec.release_spec(), argspec.wait_spec(), argspec.owner_spec())
    module = AnsibleModule(
        argument_spec=argspec.merged(*common, OWN),
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
