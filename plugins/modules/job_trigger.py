#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/job_trigger.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: job_trigger
short_description: Run a CronJob now
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Makes one Job from the template of a CronJob, as a tick of its schedule would, without waiting for the tick.
  - The Job is owned by the CronJob and carries the label C(longhorn.qa/triggered=true), so that a recording can tell it
    from scheduled ones.
  - Refuses while a Job of the CronJob is active.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.attributes
attributes:
  check_mode:
    support: full
    details: The server validates the Job in a dry run.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: Without O(name) every run makes another Job.
options:
  cronjob:
    description:
      - Name of the CronJob. For a recurring job of Longhorn 1.0 and 1.1 that is C(<volume>-<job>-c).
    type: str
    required: true
  name:
    description:
      - Name of the Job.
      - Empty means C(<cronjob>-qa-<n>) with the next free number.
      - If this very Job was made before by this module, nothing is done.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Take the recurring snapshot of volume test-1 now
  longhorn.qa.job_trigger:
    cronjob: test-1-c-yxam34-c
  register: triggered

- name: Run it once and never again under this name
  longhorn.qa.job_trigger:
    cronjob: test-1-c-yxam34-c
    name: test-1-first-run
"""

RETURN = r"""
job:
  description: The Job.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: success
      sample: test-1-c-yxam34-c-qa-1
    namespace:
      description: Its namespace.
      type: str
      returned: success
      sample: longhorn-system
    uid:
      description: Its UID; in check mode that of the dry run.
      type: str
      returned: success
      sample: 5e3b7f0e-4d8b-4d5c-9a53-0b1d0e0f6f3c
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, job_trigger
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure


def main() -> None:
    """Options in, result or failure out."""
    own: argspec.Spec = {"cronjob": {"type": "str", "required": True}, "name": {"type": "str", "default": ""}}
    module = AnsibleModule(argument_spec=argspec.merged(argspec.namespace_spec(), own), supports_check_mode=True)
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = job_trigger.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
