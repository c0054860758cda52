# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Kubernetes control plane with a simulated node and a simulated Longhorn, for tests and demonstrations."""
