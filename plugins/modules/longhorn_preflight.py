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
  run_id:
    description:
      - The name of the run. It is part of the names of the volumes that are planned, and a volume that is there already
        has to carry it as its label C(longhorn.qa/run-id).
  cells:
    description:
      - The cells of the run, as the filter P(longhorn.qa.cells#filter) makes them.
      - Exactly one of O(cells) and O(plan) is needed.
    type: list
    elements: dict
  plan:
    description:
      - What the cells of the run are to be; they are planned for the release that is found, and returned.
    type: dict
    suboptions:
      engine_images:
        description:
          - The engine images that fail deletions.
        type: list
        elements: dict
        default: []
        suboptions:
          image:
            description: Reference of the image; empty is Longhorn's default engine image.
            type: str
            required: true
          broken:
            description: The deletions that this image fails.
            type: list
            elements: str
            choices: [snapshot-delete, backup-delete]
            default: []
          patched:
            description: Whether it refuses inside its replicas, and not only on its command line.
            type: bool
            default: false
      registry:
        description: Registry that replaces the host of every image reference.
        type: str
        default: ""
      tasks:
        description: What the recurring jobs do.
        type: list
        elements: str
        choices:
          - snapshot
          - backup
          - snapshot-force-create
          - backup-force-create
          - snapshot-delete
          - snapshot-cleanup
          - filesystem-trim
        default: [snapshot, backup]
      fault:
        description:
          - What makes deletions fail. With V(auto) it is what has the wanted effect on the release.
        type: str
        choices:
          - auto
          - engine-image
          - default-engine-image
          - patched-engine-image
          - backup-store
          - bucket-policy
          - admission
          - disable-snapshot-purge
        default: auto
      effects:
        description:
          - Who is to see deletions fail. With V(visible) it is the job itself, with V(asynchronous) the job is told
            that all is well. With V(none) nothing fails.
          - Empty means what the manual procedure does up to release 1.1, a cell for each engine image and task, and
            V(visible) since.
        type: list
        elements: str
        choices: [visible, asynchronous, none]
        default: []
      bystander:
        description: Whether each recurring job gets a second volume, whose deletions succeed. Needs release 1.2.
        type: bool
        default: true
      retain:
        description: How many snapshots or backups the recurring jobs keep.
        type: int
        default: 1
      prefix:
        description: Beginning of the volumes' names.
        type: str
        default: qa
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
      - Has to be stated where V(default-engine-image) is the fault; nobody can see it from outside.
    type: list
    elements: str
    choices: [snapshot-delete, backup-delete]
    default: []
  allow_short_interval:
    description:
      - Whether a schedule may come more often than every 150 seconds. Locks in a backup store expire after that time
        only, so that one of a failing deletion can hold up the next backup. Concerns release 1.1 and later.
    type: bool
    default: false
  store_namespace:
    description:
      - The namespace in which the run deploys its own backup store, or the proxy of a fault of type C(backup-store) in
        front of a given one, so that the permissions there are asked for too.
    type: str
    default: ""
  store_url:
    description:
      - URL of the backup store that is given, in which a mistake is found here. Then O(store_namespace) only matters
        when a cell's fault needs the proxy.
      - Empty means that the run deploys its own store.
    type: str
    default: ""
requirements:
  - croniter >= 3 (Python library, on the host that executes the module)
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

- name: What would prove something on whatever release is there?
  longhorn.qa.longhorn_preflight:
    plan:
      tasks: [snapshot, backup]
      effects: [visible, none]
    cron: "*/3 * * * *"
    run_id: "{{ run_id }}"
  register: planned

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
cells:
  description: The cells of the run, as given or as planned.
  returned: always
  type: list
  elements: dict
  sample: []
default_engine_image:
  description: Longhorn's default engine image.
  returned: always
  type: str
  sample: longhornio/longhorn-engine:v1.0.1
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

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, cell_options, longhorn_preflight
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

OWN: argspec.Spec = {
    "cells": {"type": "list", "elements": "dict"},
    "plan": cell_options.plan_option(),
    "cron": {"type": "str", "required": True},
    "invocations": {"type": "int", "default": 3},
    "timeout": {"type": "int", "default": 0},
    "trigger": {"type": "bool", "default": False},
    "default_engine_faults": cell_options.deletions_option(),
    "allow_short_interval": {"type": "bool", "default": False},
    "store_namespace": {"type": "str", "default": ""},
    "store_url": {"type": "str", "default": ""},
}


def main() -> None:
    """Options in, result or failure out."""
    module = AnsibleModule(
        argument_spec=argspec.merged(argspec.namespace_spec(), argspec.release_spec(), argspec.owner_spec(), OWN),
        mutually_exclusive=[("cells", "plan")],
        required_one_of=[("cells", "plan")],
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
