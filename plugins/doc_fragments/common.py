# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that argspec.py states once."""

from __future__ import annotations


class ModuleDocFragment:
    """``common`` is namespace; the other fragments are added where a module has their options."""

    DOCUMENTATION = r"""
options:
  namespace:
    description:
      - The namespace Longhorn is installed in.
    type: str
    default: longhorn-system
requirements:
  - kubernetes >= 29 (Python library, on the host that executes the module)
  - urllib3 >= 2.3 (Python library, on the host that executes the module)
notes:
  - The module runs where Ansible executes it; for playbooks of this collection that is the control node
    (C(connection=local)).
"""

    RELEASE = r"""
options:
  longhorn_release:
    description:
      - The Longhorn release whose behaviour is to be expected, for example V(v1.0.1) or V(2020-06).
      - Empty means that the image tag of the running manager decides, which must then be exactly C(vX.Y.Z).
      - Needed for custom builds.
    type: str
    default: ""
"""

    WAIT = r"""
options:
  wait:
    description:
      - Whether to wait until the wanted state is reached.
    type: bool
    default: true
  wait_timeout:
    description:
      - How many seconds to wait at most.
    type: int
    default: 300
"""

    OWNER = r"""
options:
  run_id:
    description:
      - Marks every object that is made with the label C(longhorn.qa/run-id).
      - If set, an object of the same name without this very mark is left alone and the module fails.
    type: str
    default: ""
"""
