# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors a person is meant to read: the command prints them as they are, everything else is a defect."""

from __future__ import annotations


class LabError(Exception):
    """Says what was expected, what was seen, and what to do next."""


class Missing(LabError):
    """Something that must exist on the machine beforehand does not."""


class Unavailable(LabError):
    """A source of binaries cannot serve here; the next one is tried."""


class Damaged(LabError):
    """Bytes differ from their checksum."""


class PortTaken(LabError):
    """Another program listens where a part of the lab was to listen."""
