#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/object_assert.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: object_assert
short_description: Assert a condition over any object, or wait for it
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Evaluates a JMESPath expression for one object, or for every object of a selection, and fails unless it holds for
    all of them.
  - Waits for it by a watch, so a change is seen when it comes and nothing is polled; or looks once.
  - A condition that says when the wanted state cannot come any more ends the wait early.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.common.wait
  - longhorn.qa.attributes
  - longhorn.qa.attributes.info
attributes:
  check_mode:
    details:
      - This module changes nothing on the cluster. In check mode it looks once, and warns where it would fail, because
        earlier tasks only planned what they would have made.
options:
  api_version:
    description:
      - API version of the objects, for example V(longhorn.io/v1beta1).
    type: str
    default: v1
  kind:
    description:
      - Kind, plural or short name of the objects, for example V(Volume) or V(volumes).
    type: str
    required: true
  name:
    description:
      - Name of one object.
      - Without it every object that the selectors choose is looked at.
    type: str
  namespace:
    description:
      - The namespace of the objects. It does not matter for kinds without one.
  label_selectors:
    description:
      - Conditions on labels that all have to be met, for example V(longhorn.qa/run-id=7f3a2c).
    type: list
    elements: str
  field_selectors:
    description:
      - Conditions on fields that all have to be met, as far as the API server supports them.
    type: list
    elements: str
  condition:
    description:
      - The JMESPath expression that has to hold, evaluated with the object as its root.
      - It holds when its value is true in the sense of JMESPath, that is neither V(false) nor null nor empty.
      - An expression that does not fit an object as it is now, for example the length of something that is not there,
        does not hold.
    type: str
    required: true
  fail_when:
    description:
      - A JMESPath expression that ends the wait as soon as it holds for one of the objects.
    type: str
  min_count:
    description:
      - How many objects there have to be at least. With V(0) it holds for no object at all, too.
    type: int
    default: 1
requirements:
  - jmespath >= 1 (Python library, on the host that executes the module)
notes:
  - A wait that was too short fails with RV(ignore:error=timeout), O(fail_when) with RV(ignore:error=terminal_state), a
    condition that does not hold without O(wait) with RV(ignore:error=not_as_expected). All of them return RV(objects).
  - Of a Secret only RV(objects[].holds) is shown, never the value.
seealso:
  - name: JMESPath
    description: The expressions that O(condition) and O(fail_when) take.
    link: https://jmespath.org/specification.html
"""

EXAMPLES = r"""
- name: Wait until the volume is attached and healthy, unless it faults
  longhorn.qa.object_assert:
    api_version: longhorn.io/v1beta1
    kind: Volume
    name: test-1
    condition: status.state == 'attached' && status.robustness == 'healthy'
    fail_when: status.robustness == 'faulted'
    wait_timeout: 120

- name: Every manager pod is ready now
  longhorn.qa.object_assert:
    kind: Pod
    label_selectors:
      - app=longhorn-manager
    condition: status.conditions[?type=='Ready'].status | [0] == 'True'
    wait: false

- name: No Job that was started by hand has failed
  longhorn.qa.object_assert:
    api_version: batch/v1
    kind: Job
    label_selectors:
      - longhorn.qa/triggered=true
    condition: "!(status.conditions[?type=='Failed'])"
    min_count: 0
    wait: false
"""

RETURN = r"""
objects:
  description: Every object that was looked at, as it was the last time.
  returned: always, unless an option is wrong or the cluster cannot be asked
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
      sample: test-1
    namespace:
      description: Its namespace; empty for kinds without one.
      type: str
      returned: always
      sample: longhorn-system
    uid:
      description: Its UID.
      type: str
      returned: always
      sample: 5e3b7f0e-4d8b-4d5c-9a53-0b1d0e0f6f3c
    resource_version:
      description: The version of it that was looked at.
      type: str
      returned: always
      sample: "4711"
    holds:
      description: Whether the condition holds for it.
      type: bool
      returned: always
      sample: true
    value:
      description: What the expression gives; null for a Secret.
      type: raw
      returned: always
      sample: true
    problem:
      description: Why the expression does not fit the object; mostly empty.
      type: str
      returned: always
      sample: ""
waited:
  description: Seconds until it held.
  returned: success
  type: float
  sample: 4.2
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, object_assert
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

OWN: argspec.Spec = {
    "api_version": {"type": "str", "default": "v1"},
    "kind": {"type": "str", "required": True},
    "name": {"type": "str"},
    "label_selectors": {"type": "list", "elements": "str"},
    "field_selectors": {"type": "list", "elements": "str"},
    "condition": {"type": "str", "required": True},
    "fail_when": {"type": "str"},
    "min_count": {"type": "int", "default": 1},
}


def main() -> None:
    """Options in, result or failure out."""
    module = AnsibleModule(
        argument_spec=argspec.merged(argspec.namespace_spec(), argspec.wait_spec(), OWN),
        mutually_exclusive=[("name", "label_selectors"), ("name", "field_selectors")],
        supports_check_mode=True,
    )
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = object_assert.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
