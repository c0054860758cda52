# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of the control plane and where they come from."""
