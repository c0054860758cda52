# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated Longhorn: what a node of the lab runs in place of the real storage system."""
