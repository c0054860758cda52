#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/job_artifact_assert.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: job_artifact_assert
short_description: Assert how many snapshots or backups a recurring job made
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Counts the snapshots or backups that a recurring job made of a volume, and fails unless their number is right.
  - In a history each one is given to the invocation that made it, over all attempts and from all sources. A live
    cluster only tells what is there now; snapshots come from the engine's status and the manager's list, backups from
    the manager. While a volume is detached, neither may tell of its snapshots, and nothing is decided.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.assertion
  - longhorn.qa.attributes
  - longhorn.qa.attributes.info
options:
  volume:
    description:
      - Name of the volume.
    type: str
    required: true
  job:
    description:
      - Name of the recurring job, the value of the label C(RecurringJob). Needed for a live cluster.
    type: str
    default: ""
  kind:
    description:
      - What to count.
    type: str
    choices: [snapshot, backup]
    default: snapshot
  min:
    default: 1
  max:
    default: 1
  per:
    default: invocation
"""

EXAMPLES = r"""
- name: Exactly one snapshot for each invocation
  longhorn.qa.job_artifact_assert:
    history: /tmp/run-1
    volume: test-1

- name: Clean-up has left one or two backups
  longhorn.qa.job_artifact_assert:
    volume: test-1
    job: c-yxam34
    kind: backup
    min: 1
    max: 2
    per: total
"""

RETURN = r"""
artefacts:
  description: What was found, with the invocation that made it (history) or the sources that list it (live).
  returned: always, unless an option is wrong or the source cannot be read
  type: list
  elements: dict
  sample:
    - name: c-yxam34-fd3adb1e
      invocation: test-1-c-yxam34-c-29815347
sources:
  description: Where it was looked.
  returned: always, unless an option is wrong or the source cannot be read
  type: list
  elements: str
  sample: [history]
counts:
  description: The number of matches by invocation, or for all as C(total).
  returned: always, unless an option is wrong or the source cannot be read
  type: dict
  sample:
    test-1-c-yxam34-c-29815347: 1
total:
  description: The number of matches over all.
  returned: always, unless an option is wrong or the source cannot be read
  type: int
  sample: 3
expected:
  description: The numbers that were asserted, in words.
  returned: always, unless an option is wrong or the source cannot be read
  type: str
  sample: exactly 1 for each invocation
unseen:
  description: What could not be looked at, and why.
  returned: always, unless an option is wrong or the source cannot be read
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, bounds, job_artifact_assert
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

OWN: argspec.Spec = {
    "history": {"type": "path"},
    "volume": {"type": "str", "required": True},
    "job": {"type": "str", "default": ""},
    "kind": {"type": "str", "choices": ["snapshot", "backup"], "default": "snapshot"},
}


def main() -> None:
    """Options in, result or failure out."""
    module = AnsibleModule(
        argument_spec=argspec.merged(argspec.namespace_spec(), bounds.spec(most=1, per="invocation"), OWN),
        supports_check_mode=True,
    )
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = job_artifact_assert.run(module.params)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
