"""A small table about arms that swing, in place of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from posegraph.data import MotionDataset, every_start
from posegraph.models import ForecastModel
from posegraph.reproduce import Row, Table
from posegraph.reproduce.coverage import Coverage, cover
from posegraph.reproduce.setup import Outcome, Setup
from tests.data.motion import ARM
from tests.training.runs import FUTURE, OBSERVED, waving_clip

SMALL: Mapping[str, Any] = {"channels": 8, "num_blocks": 1}
RECIPE: Mapping[str, Any] = {"epochs": 2, "batch_size": 8}
TRAJ = Row("small Traj-GCN", "traj-gcn", SMALL, recipe=RECIPE)
MSR = Row("small MSR-GCN", "msrgcn-1l", SMALL, recipe=RECIPE)
STILL = Row("zero velocity", "zero-velocity")


def arms(test: Sequence[str] = ("wave_1", "nod_1"), *, missing: tuple[str, ...] = ()) -> MotionDataset:
    """Arms that wave and nod, with validation by held-out clips."""
    train = [waving_clip(frames, f"wave_{k}", "wave") for k, frames in enumerate((18, 15, 11), start=1)]
    train.append(waving_clip(12, "nod_2", "nod"))
    clips = [waving_clip(14, name, name.partition("_")[0]) for name in test]
    return MotionDataset(
        "arms",
        ARM,
        {"train": train, "test": clips},
        actions=("wave", "nod"),
        start_rules={"all": every_start, "8": every_start},
        missing=missing,
    )


def table(*rows: Row, **changes: Any) -> Table:
    """A table of such arms."""
    fields: dict[str, Any] = {
        "name": "arms",
        "title": "Arms",
        "dataset": "arms",
        "rows": rows or (TRAJ, MSR),
        "actions": ("wave", "nod"),
        "frames": (0, 2),
        "observed_frames": OBSERVED,
        "future_frames": FUTURE,
    }
    return Table(**(fields | changes))


def coverage(*actions: str, partial: Mapping[str, str] | None = None, **left_out: str) -> Coverage:
    """A coverage by hand."""
    return Coverage({action: (f"{action}_1",) for action in actions}, partial or {}, left_out, ())


def outcome(row: Row, errors: Mapping[str, Sequence[float]], **facts: Any) -> Outcome:
    """An outcome by hand."""
    return Outcome(row, facts.pop("origin", "seed 0"), errors, dict.fromkeys(errors, 1), **facts)


def naive_errors(model: ForecastModel, dataset: MotionDataset, action: str) -> np.ndarray:
    """Mean joint distance at each forecast frame, window by window and joint by joint."""
    sums, count = np.zeros(FUTURE), 0
    for clip in dataset.clips["test"]:
        if clip.action != action:
            continue
        for start in range(clip.num_frames - OBSERVED - FUTURE + 1):
            window = clip.poses[start : start + OBSERVED + FUTURE]
            with torch.inference_mode():
                forecast = model.predict(window[None, :OBSERVED, list(ARM.used)])[0].numpy()
            truth = window[OBSERVED:].numpy()
            for frame in range(FUTURE):  # the shoulder is constant and never errs
                distances = [np.linalg.norm(forecast[frame, k] - truth[frame, j]) for k, j in enumerate(ARM.used)]
                sums[frame] += sum(distances) / ARM.num_joints
            count += 1
    return sums / count


def setup_of(dataset=None, own=None, **changes) -> Setup:
    dataset, own = dataset or arms(), own or table()
    return Setup(own, dataset, cover(own, dataset), device="cpu", **changes)
