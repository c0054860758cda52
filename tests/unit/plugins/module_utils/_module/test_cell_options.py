# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that name cells take exactly what the filter gives and the history keeps."""

from __future__ import annotations

import dataclasses

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._module import cell_options


def test_each_field_of_a_cell_is_an_option_with_the_same_default() -> None:
    options = cell_options.spec()["cells"]["options"]
    fields = {field.name: field for field in dataclasses.fields(model.Cell)}
    assert set(options) == set(fields)
    stated = {name: option["default"] for name, option in options.items() if "default" in option}
    assert stated == {name: fields[name].default for name in stated}
