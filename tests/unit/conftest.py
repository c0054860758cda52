# SPDX-License-Identifier: GPL-3.0-or-later
"""How hypothesis works here: without a time limit for one example, because a busy machine is no defect."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
