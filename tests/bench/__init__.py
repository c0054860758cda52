# SPDX-License-Identifier: GPL-3.0-or-later
"""Times and sizes that the project promises, measured; never part of the tests, because machines differ."""
