#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/job_event_assert.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: job_event_assert
short_description: Assert which events a CronJob has
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Counts the events of a CronJob that match, and fails unless their number is right. The CronJob is known by its UID,
    so events of an earlier one of the same name do not count.
  - Understands events of both APIs, their series and counts.
  - Kubernetes' event recorder keeps 25 events per object and then one in five minutes. Where the CronJob has had as
    many, of whichever Jobs, what is missing counts as lost.
  - A cluster keeps events for an hour. Of a CronJob that is older, nothing follows from an event that is missing, so
    there an assertion that depends on it is inconclusive. A history keeps them all.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.assertion
  - longhorn.qa.attributes
  - longhorn.qa.attributes.info
options:
  cronjob:
    description:
      - Name of the CronJob.
    type: str
    required: true
  reason:
    description:
      - The event's reason, for example V(SawCompletedJob). Empty means any.
    type: str
    default: ""
  message_text:
    description:
      - Text that occurs in the event's message.
    type: str
    default: ""
  message_regex:
    description:
      - Regular expression that is found in the event's message.
    type: str
    default: ""
  accept_lost:
    description:
      - Whether missing events are accepted when the event recorder's budget was spent. RV(lost_by_recorder) then says
        how many. An event that is there, and does not match, is not accepted.
    type: bool
    default: true
  evidence:
    description:
      - How many events that do not match to return at most.
    type: int
    default: 20
  min:
    default: 1
  per:
    default: invocation
"""

EXAMPLES = r"""
- name: The CronJob saw every Job complete
  longhorn.qa.job_event_assert:
    history: /tmp/run-1
    cronjob: test-1-c-yxam34-c
    reason: SawCompletedJob
    message_text: "status: Complete"

- name: None of them failed, as far as the cluster remembers
  longhorn.qa.job_event_assert:
    cronjob: test-1-c-yxam34-c
    reason: SawCompletedJob
    message_text: "status: Failed"
    min: 0
    max: 0
    per: total
"""

RETURN = r"""
matched:
  description: The matching events.
  returned: always, unless an option is wrong or the source cannot be read
  type: list
  elements: dict
  sample:
    - name: test-1-c-yxam34-c.18ea9ef706d58ad0
      reason: SawCompletedJob
      message: "Saw completed job: test-1-c-yxam34-c-29815347, status: Complete"
      count: 1
      source: cronjob-controller
      resource_version: 4711
unmatched:
  description: Other events of the CronJob.
  returned: always, unless an option is wrong or the source cannot be read
  type: list
  elements: dict
  sample: []
cronjob_uid:
  description: UID of the CronJob whose events were counted.
  returned: always, unless an option is wrong or the source cannot be read
  type: str
  sample: e924c4e2-44e5-4a4b-8f2f-3f6f0f8c8d4d
lost_by_recorder:
  description: How many events are missing because the event recorder's budget was spent; 0 when it was enough.
  returned: always, unless an option is wrong or the source cannot be read
  type: int
  sample: 0
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

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, bounds, job_event_assert
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

OWN: argspec.Spec = {
    "history": {"type": "path"},
    "cronjob": {"type": "str", "required": True},
    "reason": {"type": "str", "default": ""},
    "message_text": {"type": "str", "default": ""},
    "message_regex": {"type": "str", "default": ""},
    "accept_lost": {"type": "bool", "default": True},
    "evidence": {"type": "int", "default": 20},
}


def main() -> None:
    """Options in, result or failure out."""
    module = AnsibleModule(
        argument_spec=argspec.merged(argspec.namespace_spec(), bounds.spec(per="invocation"), OWN),
        supports_check_mode=True,
    )
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = job_event_assert.run(module.params)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
