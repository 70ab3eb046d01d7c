"""All cases, the most important ones first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.harness.case import DEVICES, Case, Kind
from benchmarks.suites import inference, layers, scaling, training


def cases(
    devices: Iterable[str] = DEVICES, *, kinds: Sequence[Kind] | None = None, models: Sequence[str] | None = None
) -> list[Case]:
    """The cases of these devices, kinds and models; by default all of them."""
    found = [
        case
        for device in devices
        for case in (
            *inference.cases(device, models),
            *training.cases(device, models),
            *layers.cases(device),
            *scaling.cases(device),
        )
        if kinds is None or case.kind in kinds
    ]
    return sorted(found, key=lambda case: case.rank)  # equal ranks stay in order
