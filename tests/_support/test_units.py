from __future__ import annotations

import pytest

from posegraph._support.units import millimetres
from posegraph.errors import ConfigError


def test_units_are_lengths():
    assert [millimetres(unit) for unit in ("mm", "cm", "m", "inch")] == [1.0, 10.0, 1000.0, 25.4]
    with pytest.raises(ConfigError, match="unit: expected one of 'mm', 'cm', 'm', 'inch', 'cmu'; got 'feet'"):
        millimetres("feet")
