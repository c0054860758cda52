# SPDX-License-Identifier: GPL-3.0-or-later
"""All requests of the manager's API, put together."""

from __future__ import annotations

from longhorn_qa_lab.longhorn.cluster_service import Cluster
from longhorn_qa_lab.longhorn.volume_service import Volumes


class Service(Volumes, Cluster):
    """What the manager does for whoever asks."""
