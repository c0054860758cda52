#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and entry point; the work is done in module_utils/_module/job_import.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: job_import
short_description: Make a history out of a dump of other tools
version_added: 0.1.0
author:
  - The longhorn.qa authors (@longhorn-qa)
description:
  - Reads a folder or an archive of C(kubectl get -o json) lists, C(--watch) streams, pods' logs
    (C(<pod>.r<attempt>.log), C(<pod>.log), a container runtime's own log files), lists of Longhorn's manager and
    listings of a backup store, and writes a history that M(longhorn.qa.job_report) judges.
  - The layouts of C(kubectl cluster-info dump), of must-gather and of a Longhorn support bundle are known, YAML too.
  - Files are not unpacked to disk and links not followed. At most 20000 files of 512 MiB each and 2 GiB together are
    read, in at most 24 folders; a dump beyond that, or one with names that lead out of it, is refused.
  - Kinds are recognised by content, whatever the files are called. What cannot be read becomes a gap in the history and
    a warning that names the file and the byte; the rest is used.
  - What a dump leaves out cannot be seen, so a run that was not recorded by M(longhorn.qa.job_record) never passes the
    check C(history-complete).
extends_documentation_fragment:
  - longhorn.qa.common.release
  - longhorn.qa.cells.found
  - longhorn.qa.attributes.local
attributes:
  check_mode:
    support: full
    details: The dump is read, and no history is written.
  diff_mode:
    support: none
    details: A history is only ever new.
  idempotent:
    support: none
    details: An existing history is never written over; the task fails.
options:
  dump:
    description:
      - Folder with the dump's files, subfolders included, or an archive (C(.tar), C(.tar.gz), C(.tgz), C(.zip)).
    type: path
    required: true
  history:
    description:
      - Folder to write the history into. It must not hold one yet.
    type: path
    required: true
  namespace:
    description:
      - The namespace Longhorn was installed in.
    type: str
    default: longhorn-system
  longhorn_release:
    description:
      - Empty means that the image of the recurring jobs decides. Without any release only what holds for all of them
        is judged.
seealso:
  - module: longhorn.qa.job_report
"""

EXAMPLES = r"""
- name: Import what somebody sent
  longhorn.qa.job_import:
    dump: /tmp/dump
    history: /tmp/history
    longhorn_release: v1.0.1
    expect:
      - volume: test-nc-snap
        task: snapshot
        job: c-ncsnap
        cronjob: test-nc-snap-c-ncsnap-c
        cron: '*/3 * * * *'
        faults: [snapshot-delete]
"""

RETURN = r"""
history:
  description: Folder of the history.
  type: str
  returned: success
  sample: /tmp/history
records:
  description: How many records it has.
  type: int
  returned: success
  sample: 1280
release:
  description: The release it will be judged as; empty if none is known.
  type: str
  returned: success
  sample: v1.0.1
cells:
  description: The volumes that will be judged.
  type: list
  elements: str
  returned: success
  sample: [test-nc-snap]
import_warnings:
  description: What could not be read or used, each with its file.
  type: list
  elements: str
  returned: success
  sample:
    - 'jobs.json, byte 7012: broken JSON (Expecting value); the rest of the file is kept'
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.longhorn.qa.plugins.module_utils._module import cell_options, job_import
from ansible_collections.longhorn.qa.plugins.module_utils._module.argspec import namespace_spec, release_spec
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError, failure

SPEC = {"dump": {"type": "path", "required": True}, "history": {"type": "path", "required": True}}


def main() -> None:
    """Options in, result or failure out."""
    spec = {**namespace_spec(), **release_spec(), **cell_options.found_spec(), **SPEC}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    try:
        result = job_import.run(module.params, check_mode=module.check_mode)
    except LonghornQAError as error:
        module.fail_json(**failure(error))
    for warning in result["import_warnings"]:
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
