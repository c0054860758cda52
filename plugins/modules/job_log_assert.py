#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/job_log_assert.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: job_log_assert
short_description: Assert what the logs of a job say
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Counts the log lines of a CronJob's or Job's pods, over all attempts, that match, and fails unless their number is
    right.
  - Lines are parsed as logfmt or as JSON objects and their own fields are compared, so text that a line merely quotes
    does not count.
  - Logs are read as streams; their size does not matter.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - longhorn.qa.common
  - longhorn.qa.assertion
  - longhorn.qa.attributes
  - longhorn.qa.attributes.info
options:
  cronjob:
    description:
      - Look at the Jobs of this CronJob. Exactly one of O(cronjob), O(job) and O(label_selector) has to be given.
    type: str
    default: ""
  job:
    description:
      - Look at this Job.
    type: str
    default: ""
  label_selector:
    description:
      - Look at the pods with these labels, C(key=value,...), for example Longhorn's manager with
        V(app=longhorn-manager). Each pod then counts as an invocation.
    type: str
    default: ""
  level:
    description:
      - The line's level, for example V(warning).
    type: str
    default: ""
  message_text:
    description:
      - Text that occurs in the line's message. For a line that is neither logfmt nor JSON, in the line.
    type: str
    default: ""
  message_regex:
    description:
      - Regular expression that is found in the line's message.
    type: str
    default: ""
  fields:
    description:
      - More fields of the line, and their exact values.
    type: dict
    default: {}
  evidence:
    description:
      - How many matching lines to return at most.
    type: int
    default: 20
  min:
    default: 1
  per:
    default: total
"""

EXAMPLES = r"""
- name: Every invocation warned once that the clean-up failed
  longhorn.qa.job_log_assert:
    history: /tmp/run-1
    cronjob: test-1-c-yxam34-c
    level: warning
    message_text: created snapshot successfully but errored on cleanup for test-1
    min: 1
    max: 1
    per: invocation

- name: Nothing fatal in the job that ran last
  longhorn.qa.job_log_assert:
    job: test-1-c-yxam34-c-29815347
    level: fatal
    min: 0
    max: 0
"""

RETURN = r"""
matched:
  description: The first matching lines.
  returned: always, unless an option is wrong or the source cannot be read
  type: list
  elements: dict
  contains:
    invocation:
      description: Name of the Job, or of the pod if it was chosen by label.
      returned: success
      type: str
      sample: test-1-c-yxam34-c-29815347
    pod:
      description: Name of the pod.
      returned: success
      type: str
      sample: test-1-c-yxam34-c-29815347-7gq2k
    attempt:
      description: Which run of the container, from 0.
      returned: success
      type: int
      sample: 0
    line:
      description: Number of the line in that run's log, from 1.
      returned: success
      type: int
      sample: 12
    level:
      description: Its level; empty if the line is neither logfmt nor JSON.
      returned: success
      type: str
      sample: warning
    message:
      description: Its message, cut at 2000 characters.
      returned: success
      type: str
      sample: created snapshot successfully but errored on cleanup for test-1
    text:
      description: The line, cut at 2000 characters.
      returned: success
      type: str
      sample: level=warning msg="created snapshot successfully but errored on cleanup for test-1"
unmatched:
  description: The invocations without any matching line.
  returned: always, unless an option is wrong or the source cannot be read
  type: list
  elements: str
  sample: []
logs:
  description: Every log that was looked at, with its size, its number of matches and what is wrong with it.
  returned: always, unless an option is wrong or the source cannot be read
  type: list
  elements: dict
  sample:
    - invocation: test-1-c-yxam34-c-29815347
      pod: test-1-c-yxam34-c-29815347-7gq2k
      attempt: 0
      lines: 34
      bytes: 4801
      matches: 1
      problem: ""
pattern:
  description: What was looked for, in words.
  returned: always, unless an option is wrong or the source cannot be read
  type: str
  sample: level warning, message with 'errored on cleanup'
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

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, bounds, job_log_assert
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

OWN: argspec.Spec = {
    "history": {"type": "path"},
    "cronjob": {"type": "str", "default": ""},
    "job": {"type": "str", "default": ""},
    "label_selector": {"type": "str", "default": ""},
    "level": {"type": "str", "default": ""},
    "message_text": {"type": "str", "default": ""},
    "message_regex": {"type": "str", "default": ""},
    "fields": {"type": "dict", "default": {}},
    "evidence": {"type": "int", "default": 20},
}


def main() -> None:
    """Options in, result or failure out."""
    module = AnsibleModule(
        argument_spec=argspec.merged(argspec.namespace_spec(), bounds.spec(), OWN), supports_check_mode=True
    )
    argspec.hide_secrets(module.no_log_values, module.params)
    try:
        result = job_log_assert.run(module.params)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
