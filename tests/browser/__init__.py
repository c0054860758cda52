# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report in a real browser: what a person sees, reaches with a keyboard, and can be harmed by."""
