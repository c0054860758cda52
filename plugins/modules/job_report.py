#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/job_report.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: job_report
short_description: Judge recorded histories and write the report
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Judges what M(longhorn.qa.job_record) recorded or M(longhorn.qa.job_import) imported, each check of each cell, and
    writes the report as JSON, JUnit XML, text, HTML, Markdown and Prometheus metrics.
  - Talks to no cluster. The same history always gets the same verdicts, so a saved one can be rendered again any time.
  - Every file is written whole or not at all, into O(report_dir) itself and nowhere else.
  - With the histories of two runs, the report also says what changed from the first to the second.
extends_documentation_fragment:
  - longhorn.qa.attributes.local
attributes:
  check_mode:
    support: partial
    details: A history that exists is judged, and no file is written; without one, judging is skipped.
  diff_mode:
    support: full
    details: The lines of C(report.txt), when V(text) is one of O(formats).
  idempotent:
    support: full
    details: Files that would say the same are left as they are.
options:
  history:
    description:
      - Folders of the histories to judge. Several histories make one report, with the worst of their verdicts.
      - Two histories of different runs are compared, the first as the one before. Their cells belong together by their
        volumes' names without the run's own identifier.
    type: list
    elements: path
    required: true
  report_dir:
    description:
      - Folder to write the report into; it is made if it does not exist.
      - Empty means that nothing is written.
      - A path with C(..), a folder that is a symbolic link, and a file in it that is one are refused.
    type: path
    default: ""
  formats:
    description:
      - Which files to write.
      - V(json) is C(report.json), V(junit) is C(junit.xml), V(text) is C(report.txt), at most 200 lines of 100 columns.
      - V(html) is C(report.html), one file that works from disk, with a timeline and the evidence of every verdict.
      - V(markdown) is C(report.md), short and without addresses and keys, for an issue on a tracker.
      - V(prometheus) is C(longhorn_qa.prom), for the textfile collector of a node exporter.
    type: list
    elements: str
    choices: [json, junit, text, html, markdown, prometheus]
    default: [json, junit, text, html, markdown]
  junit_inconclusive:
    description:
      - What a check without an answer is in C(junit.xml). With the default no dashboard shows it green.
    type: str
    choices: [error, failure, skipped]
    default: error
  fail_on:
    description:
      - Verdicts with which the task fails, after the report was written. By default it never does.
    type: list
    elements: str
    choices: [fail, inconclusive, broken]
    default: []
requirements:
  - croniter >= 3 (Python library, on the host that executes the module)
seealso:
  - module: longhorn.qa.job_record
  - module: longhorn.qa.job_import
"""

EXAMPLES = r"""
- name: Judge a recording and keep the report
  longhorn.qa.job_report:
    history: /var/lib/qa/run-1/history
    report_dir: /var/lib/qa/run-1/report
  register: judged

- name: Show the table
  ansible.builtin.debug:
    var: judged.table

- name: One report over two clusters, and a failed task unless everything passed
  longhorn.qa.job_report:
    history:
      - /var/lib/qa/run-1/east
      - /var/lib/qa/run-1/west
    report_dir: /var/lib/qa/run-1/report
    fail_on: [fail, inconclusive, broken]

- name: What an upgrade changed
  longhorn.qa.job_report:
    history:
      - /var/lib/qa/before/history
      - /var/lib/qa/after/history
    report_dir: /var/lib/qa/upgrade
  register: compared

- name: Hand the figures to a workflow's next step
  ansible.builtin.set_stats:
    data: "{{ compared.stats }}"
"""

RETURN = r"""
verdict:
  description:
    - The worst verdict of all checks, V(pass), V(fail), V(inconclusive), or V(broken) if there was nothing to judge.
  type: str
  returned: when not in check mode
  sample: pass
table:
  description: The report as lines of at most 100 columns.
  type: list
  elements: str
  returned: when not in check mode
  sample:
    - VERDICT pass
checks:
  description: Every check of every cell, without its evidence.
  type: list
  elements: dict
  returned: when not in check mode
  contains:
    volume:
      description: The cell's volume.
      type: str
      returned: success
      sample: qa-1-no-cleanup-snap
    check:
      description: The check's identifier.
      type: str
      returned: success
      sample: single-attempt
    verdict:
      description: V(pass), V(fail), V(inconclusive) or V(not_applicable).
      type: str
      returned: success
      sample: pass
    summary:
      description: What was found.
      type: str
      returned: success
      sample: 3 Jobs had one attempt each that could have made anything
    advice:
      description: What would make an inconclusive check conclusive.
      type: str
      returned: success
      sample: ""
    known_issue:
      description: The upstream issue that explains a failure of this release.
      type: str
      returned: success
      sample: ""
changes:
  description: With the histories of two runs, what differs between them; else empty.
  type: list
  elements: dict
  returned: when not in check mode
  sample:
    - cell: qa-*-no-cleanup-snap
      what: single-attempt
      before: fail
      after: pass
      direction: better
stats:
  description: A few figures for M(ansible.builtin.set_stats), small whatever the size of the run.
  type: dict
  returned: when not in check mode
  sample:
    longhorn_qa_verdict: pass
    longhorn_qa_releases: [v1.0.1]
    longhorn_qa_volumes: 4
    longhorn_qa_checks: {pass: 40, fail: 0, inconclusive: 0}
    longhorn_qa_failed: []
    longhorn_qa_report: /var/lib/qa/run-1/report/report.html
report:
  description: Path of C(report.json).
  type: str
  returned: when it was written
  sample: /var/lib/qa/run-1/report/report.json
junit:
  description: Path of C(junit.xml).
  type: str
  returned: when it was written
  sample: /var/lib/qa/run-1/report/junit.xml
text:
  description: Path of C(report.txt).
  type: str
  returned: when it was written
  sample: /var/lib/qa/run-1/report/report.txt
html:
  description: Path of C(report.html).
  type: str
  returned: when it was written
  sample: /var/lib/qa/run-1/report/report.html
markdown:
  description: Path of C(report.md).
  type: str
  returned: when it was written
  sample: /var/lib/qa/run-1/report/report.md
prometheus:
  description: Path of C(longhorn_qa.prom).
  type: str
  returned: when it was written
  sample: /var/lib/qa/run-1/report/longhorn_qa.prom
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import job_report
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure


def main() -> None:
    """Options in, result or failure out."""
    formats, usual = list(job_report.FILES), list(job_report.DEFAULT_FORMATS)
    spec = {
        "history": {"type": "list", "elements": "path", "required": True},
        "report_dir": {"type": "path", "default": ""},
        "formats": {"type": "list", "elements": "str", "choices": formats, "default": usual},
        "junit_inconclusive": {"type": "str", "choices": ["error", "failure", "skipped"], "default": "error"},
        "fail_on": {"type": "list", "elements": "str", "choices": ["fail", "inconclusive", "broken"], "default": []},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    try:
        result = job_report.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
