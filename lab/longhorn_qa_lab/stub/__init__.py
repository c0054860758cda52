# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes an engine image that refuses some commands out of one that works: ``longhorn-qa stub``, docs/stub-images.md.

Standard library only, and nothing of the lab but its errors, so that it also runs where nothing is installed:
``PYTHONPATH=lab python3 -m longhorn_qa_lab.stub``.
"""
