"""Units of length."""

from __future__ import annotations

from typing import Literal, get_args

from posegraph._support.checks import check_choice

Unit = Literal["mm", "cm", "m", "inch", "cmu"]
"""Units of length. "cmu" is that of the CMU database and its BVH conversion, 1 / 0.45 inch."""
MILLIMETRES: dict[str, float] = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4, "cmu": 25.4 / 0.45}
"""Millimetres in one of each unit."""


def millimetres(unit: str) -> float:
    """Length of a unit in millimetres; raises `ConfigError` for an unknown one.

    Examples:
        >>> from posegraph._support.units import millimetres
        >>> millimetres("inch")
        25.4
    """
    check_choice("unit", unit, get_args(Unit))
    return MILLIMETRES[unit]
