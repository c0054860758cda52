#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/longhorn_run.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: longhorn_run
short_description: Open a test run in a cluster, and take it down without a trace
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - With O(state=present) it notes the settings of Longhorn that a run may change, in a ConfigMap of Longhorn's
    namespace (the journal). Of a journal that exists the settings are left as they are, so that it always tells the
    state before the run; volumes, namespaces and faults that it lacks are added.
    While the journal of another run is there it refuses, because the two would put back each other's settings.
    M(longhorn.qa.longhorn_setting) adds to it.
  - With O(state=absent) it puts the settings back, deletes the run's recurring jobs, volumes, backups, engine images,
    backup targets, backup store, Secrets and namespace, and waits until nothing of it is left, on Longhorn 1.2 and
    later also no Snapshot, Backup or VolumeAttachment object.
  - Only what carries the label C(longhorn.qa/run-id) of the run, or stands in its journal, is ever touched.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.attributes
  - longhorn.qa.attributes.state
options:
  run_id:
    description:
      - The name of the run.
    type: str
    required: true
  state:
    description:
      - Whether the run is open or gone.
    type: str
    choices: [present, absent]
    default: present
  volumes:
    description:
      - Names of the volumes that the run will make; their backups are deleted when the run is taken down.
    type: list
    elements: str
    default: []
  namespaces:
    description:
      - Other namespaces in which the run will make things, for example that of its backup store.
      - Those that do not exist are made, and are removed with the run. Those that exist stay.
    type: list
    elements: str
    default: []
  faults:
    description:
      - The types of faults that the run will make with M(longhorn.qa.longhorn_fault); they are looked for, and
        reverted, when the run is taken down.
      - Without a journal, a run's objects that make the API server refuse deletions are looked for all the same; a
        warning tells when that is not allowed.
    type: list
    elements: str
    choices:
      - engine-image
      - default-engine-image
      - patched-engine-image
      - backup-store
      - bucket-policy
      - admission
      - disable-snapshot-purge
    default: []
  wait_timeout:
    description:
      - How many seconds to wait at most for each kind of thing to be gone.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Note the settings before anything is changed
  longhorn.qa.longhorn_run:
    run_id: a1b2c3
    volumes: [qa-a1b2c3-no-cleanup-back]
    namespaces: [longhorn-qa-store-a1b2c3]

- name: Remove everything the run made, and put the settings back
  longhorn.qa.longhorn_run:
    run_id: a1b2c3
    state: absent
"""

RETURN = r"""
settings:
  description: The settings as they were when the run was opened.
  returned: when O(state=present)
  type: dict
  sample:
    backup-target: ""
    backup-target-credential-secret: ""
    default-engine-image: longhornio/longhorn-engine:v1.0.1
removed:
  description: What was removed, or would be in check mode.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: [volume qa-a1b2c3-no-cleanup-back, engineimage ei-0016307a]
restored:
  description: Settings that were put back, with the values they have again.
  returned: when O(state=absent)
  type: dict
  sample:
    backup-target: ""
summary:
  description: What was done, in sentences.
  returned: success
  type: list
  elements: str
  sample: [volume qa-a1b2c3-no-cleanup-back removed, setting backup-target put back to nothing]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, longhorn_run
from ansible_collections.longhorn.qa.plugins.module_utils._module.cell_options import RUN_FAULT_TYPES
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure


def main() -> None:
    """Options in, result or failure out."""
    own: argspec.Spec = {
        "run_id": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "volumes": {"type": "list", "elements": "str", "default": []},
        "namespaces": {"type": "list", "elements": "str", "default": []},
        "faults": {"type": "list", "elements": "str", "choices": RUN_FAULT_TYPES, "default": []},
        "wait_timeout": {"type": "int", "default": 300},
    }
    spec = argspec.merged(argspec.namespace_spec(), own)
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = longhorn_run.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
