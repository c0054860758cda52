# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option that store_options.py states once."""

from __future__ import annotations

_PLACE = """
      credential_namespace:
        description:
          - Namespace of the Secret. Empty means O(namespace).
        type: str
        default: ""
      endpoint:
        description:
          - URL at which the store is reachable from where the module runs.
          - Empty means the Secret's C(AWS_ENDPOINTS); if that names a Service of the cluster, the store is reached
            through the API server.
        type: str
        default: ""
      service:
        description:
          - A Service of the cluster to reach the store by, C([scheme://][namespace/]name:port), if C(AWS_ENDPOINTS)
            does not name it.
        type: str
        default: ""
"""


class ModuleDocFragment:
    """Where a backup store is, and with whose credentials it is listed; ``set`` is the one that Longhorn has."""

    DOCUMENTATION: str = f"""
options:
  store:
    description:
      - The backup store, to list what it really holds. Needs the Python library boto3 >= 1.36 where the module
        runs.
      - Without this option, or without boto3, nothing is claimed about the store.
    type: dict
    suboptions:
      url:
        description:
          - The backup target as Longhorn has it, C(s3://<bucket>@<region>/<path>).
        type: str
        required: true
      credential_secret:
        description:
          - Name of the Secret with C(AWS_ACCESS_KEY_ID), C(AWS_SECRET_ACCESS_KEY) and, where needed, C(AWS_ENDPOINTS)
            and C(AWS_CERT).
        type: str
        required: true{_PLACE}"""

    SET: str = f"""
options:
  store:
    description:
      - The backup store, as far as it is not the one that is set as Longhorn's backup target. Needs the Python library
        boto3 >= 1.36 where the module runs; without it nothing is claimed about the store.
    type: dict
    suboptions:
      url:
        description:
          - The backup target, C(s3://<bucket>@<region>/<path>). Empty means the one that is set in Longhorn.
        type: str
        default: ""
      credential_secret:
        description:
          - Name of the Secret with the credentials; needed with O(store.url).
        type: str
        default: ""{_PLACE}"""
