#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/longhorn_setting.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: longhorn_setting
short_description: Change a setting of Longhorn, and put it back
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Sets one of Longhorn's settings through its manager, which refuses what it does not allow, and waits until the
    value is there and, where Longhorn tells (1.7 and later), applied.
  - With O(run_id) the value before is noted in the journal of that run first, so that taking the run down puts it
    back, also after a crash. The first note of a setting stands, however often it is changed.
  - Which settings there are depends on the release. The module fails for one that does not exist, with similar names.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.common.wait
  - longhorn.qa.attributes
  - longhorn.qa.attributes.state
options:
  name:
    description:
      - Name of the setting.
    type: str
    required: true
  value:
    description:
      - Its value. Longhorn stores text; a boolean, a number, a dictionary and a list are written as such, the last
        two as JSON.
      - A setting with a value for each data engine (since 1.10) takes a dictionary, or one plain value for all.
      - Required with O(state=present). Empty text is a value too.
    type: raw
  state:
    description:
      - With V(restored) it gets the value that the journal of O(run_id) has noted. A setting that the run did not
        change is left as it is.
    type: str
    choices: [present, restored]
    default: present
  run_id:
    description:
      - The run that changes it, which has to be open (M(longhorn.qa.longhorn_run)).
      - Without it nothing is noted, and RV(previous) is what a clean-up needs.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Let deleted snapshots stay, for a run
  longhorn.qa.longhorn_setting:
    name: "{{ item.name }}"
    value: "{{ item.value }}"
    run_id: a1b2c3
  loop:
    - {name: auto-cleanup-system-generated-snapshot, value: false}
    - {name: disable-snapshot-purge, value: true}

- name: Let them go again, before the run is taken down
  longhorn.qa.longhorn_setting:
    name: disable-snapshot-purge
    state: restored
    run_id: a1b2c3

- name: Have two replicas by default, whichever the data engine
  longhorn.qa.longhorn_setting:
    name: default-replica-count
    value: {v1: "2", v2: "2"}
  register: replicas

- name: Put it back without a run
  longhorn.qa.longhorn_setting:
    name: default-replica-count
    value: "{{ replicas.previous }}"
"""

RETURN = r"""
setting:
  description: The setting as it is now, or would be in check mode.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      returned: success
      type: str
      sample: disable-snapshot-purge
    value:
      description: Its value, as Longhorn has it.
      returned: success
      type: str
      sample: "true"
    applied:
      description: Whether it is in force; none where Longhorn does not tell (up to 1.6).
      returned: success
      type: bool
      sample: true
previous:
  description: The value before.
  returned: success
  type: str
  sample: "false"
actions:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - set disable-snapshot-purge to true instead of false
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, longhorn_setting
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

OWN: argspec.Spec = {
    "name": {"type": "str", "required": True},
    "value": {"type": "raw"},
    "state": {"type": "str", "choices": ["present", "restored"], "default": "present"},
}


def main() -> None:
    """Options in, result or failure out."""
    module = AnsibleModule(
        argument_spec=argspec.merged(argspec.namespace_spec(), argspec.wait_spec(), argspec.owner_spec(), OWN),
        required_if=[("state", "present", ["value"])],
        supports_check_mode=True,
    )
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = longhorn_setting.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
