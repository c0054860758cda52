# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes that modules of this collection have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """The default is a module that changes nothing; ``state`` is one that makes a wanted state true."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and tell what it would do without doing it.
  diff_mode:
    description: Returns details on what has changed, or would change in C(check_mode), in diff mode.
  idempotent:
    description: A second run with the same options changes nothing.
  action_group:
    description: Use C(group/longhorn.qa.longhorn) in C(module_defaults) to set options for all modules of the group.
    support: full
    membership:
      - longhorn.qa.longhorn
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details: This module changes nothing on the cluster.
  diff_mode:
    support: none
    details: There is nothing to compare.
  idempotent:
    support: full
    details: This module changes nothing on the cluster.
"""

    STATE = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

    # For modules that work on files of the control node: no cluster, so no group of common options.
    LOCAL = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and tell what it would do without doing it.
  diff_mode:
    description: Returns details on what has changed, or would change in C(check_mode), in diff mode.
  idempotent:
    description: A second run with the same options changes nothing.
"""
