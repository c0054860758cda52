#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/longhorn_preflight.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: longhorn_preflight
short_description: Check that a run is possible and can prove something, before anything is made
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Looks at versions, nodes, permissions, the server's clock, names that are taken, the schedule and Kubernetes' budget
    of events, and tells on one page what the run will do and what each of its cells can prove.
  - Collects all problems and fails with all of them. Changes nothing.
  - A cell whose fault is known never to happen on this release is labelled so and is no problem, unless all are.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.common.release
  - longhorn.qa.common.owner
  - longhorn.qa.attributes
  - longhorn.qa.attributes.info
options:
  cells:
    description:
      - The cells of the run, as the filter P(longhorn.qa.cells#filter) makes them.
    type: list
    elements: dict
    required: true
  cron:
    description:
      - The schedule of the recurring jobs.
    type: str
    required: true
  invocations:
    description:
      - How many invocations of each job are to be recorded.
    type: int
    default: 3
  timeout:
    description:
      - The deadline of the recording in seconds. V(0) means as long as the invocations need.
    type: int
    default: 0
  trigger:
    description:
      - Whether the invocations are triggered one after the other instead of waiting for the schedule.
    type: bool
    default: false
  default_engine_faults:
    description:
      - Which deletions the default engine image of the run is known to fail.
    type: list
    elements: str
    choices: [snapshot-delete, backup-delete]
    default: []
  store_namespace:
    description:
      - The namespace in which the run deploys its own backup store, so that the permissions there are asked for too.
      - Empty when a store is given, or when nothing is backed up.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Can this run be done here?
  longhorn.qa.longhorn_preflight:
    cells: "{{ cells }}"
    cron: "*/3 * * * *"
    invocations: 3
    timeout: 1800
    run_id: "{{ run_id }}"
  register: preflight

- name: Show the page
  ansible.builtin.debug:
    msg: "{{ preflight.page }}"
"""

RETURN = r"""
page:
  description: The page, line by line.
  returned: always
  type: list
  elements: str
  sample:
    - "Kubernetes      v1.20.2 at https://127.0.0.1:6443"
problems:
  description: Everything that stands in the way.
  returned: always
  type: list
  elements: str
  sample: []
release:
  description: The Longhorn release whose profile is used.
  returned: always
  type: str
  sample: v1.0.1
manager_image:
  description: Image of the longhorn-manager pods.
  returned: always
  type: str
  sample: longhornio/longhorn-manager:v1.0.1
timeout:
  description: The deadline in seconds, as given or as needed.
  returned: always
  type: int
  sample: 1800
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, longhorn_preflight
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

OWN: argspec.Spec = {
    "cells": {"type": "list", "elements": "dict", "required": True},
    "cron": {"type": "str", "required": True},
    "invocations": {"type": "int", "default": 3},
    "timeout": {"type": "int", "default": 0},
    "trigger": {"type": "bool", "default": False},
    "default_engine_faults": {
        "type": "list",
        "elements": "str",
        "choices": ["snapshot-delete", "backup-delete"],
        "default": [],
    },
    "store_namespace": {"type": "str", "default": ""},
}


def main() -> None:
    """Options in, result or failure out."""
    module = AnsibleModule(
        argument_spec=argspec.merged(argspec.namespace_spec(), argspec.release_spec(), argspec.owner_spec(), OWN),
        supports_check_mode=True,
    )
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = longhorn_preflight.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
