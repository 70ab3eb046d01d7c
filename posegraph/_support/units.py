"""Units of length."""

from __future__ import annotations

from posegraph._support.checks import check_choice

_MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4}


def millimetres(unit: str) -> float:
    """Length of a unit in millimetres; raises `ConfigError` for an unknown one.

    Examples:
        >>> from posegraph._support.units import millimetres
        >>> millimetres("inch")
        25.4
    """
    check_choice("unit", unit, tuple(_MILLIMETRES))
    return _MILLIMETRES[unit]
