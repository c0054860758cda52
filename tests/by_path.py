# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that belong to no package: the referee's tables and the programs of build/."""

from __future__ import annotations

import importlib.util
import sys
import typing as t
from pathlib import Path


def load(path: Path, name: str) -> t.Any:
    """The module of a file, under a name of its own."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
