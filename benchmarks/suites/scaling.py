"""How the cost of a forecast grows with joints, frames and scales; the growth with the batch is in `inference`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.harness.case import Case
from benchmarks.suites.inference import PLAIN, backend_keys, comparison
from benchmarks.suites.subjects import subject

BATCH = 16
MIN_CALLS = 20
"""Enough for the least time to be one that nothing disturbed: points of a curve are measured one after another."""
MODELS = ("msrgcn-released", "msrgcn")
JOINTS = (10, 25, 50, 100, 200)
FUTURE_FRAMES = (5, 10, 25, 50, 100)
SCALES = (1, 2, 3, 4)
_WIDTHS = (64, 128, 256, 512)


def cases(device: str) -> Iterator[Case]:
    """One axis at a time; the others stay at the model's own values."""
    keys = [PLAIN, *(key for key in backend_keys(device, quick=True) if key[1] == PLAIN[1])]
    for rank, name in enumerate(MODELS):
        for axis, values in (("joints", JOINTS), ("future_frames", FUTURE_FRAMES), ("scales", SCALES)):
            for value in values:
                yield Case(
                    kind="scaling",
                    device=device,
                    subject=name,
                    setting=f"{axis}={value}",
                    batch=BATCH,
                    variants=keys,
                    prepare=lambda name=name, axis=axis, value=value: comparison(
                        subject(name, device, **_changes(name, axis, value)), BATCH, keys
                    ),
                    rank=10 + rank,
                    min_calls=MIN_CALLS,
                )


def _changes(name: str, axis: str, value: int) -> dict[str, Any]:
    """What makes a model that is so large along an axis."""
    if axis != "scales":
        return {axis: value}
    settings = ("channels", _WIDTHS[:value]) if name == "msrgcn-released" else ("num_scales", value)
    return {"settings": (settings,)}
