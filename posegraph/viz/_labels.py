"""How frames are called in pictures."""

from __future__ import annotations

from collections.abc import Sequence

from posegraph.errors import ConfigError


def check_label_fps(label_fps: float | None) -> None:
    """Require a frame rate, or none."""
    if label_fps is not None and not label_fps > 0:
        raise ConfigError(f"label_fps: expected frames a second above 0, got {label_fps!r}. Leave it out for no ms.")


def check_rising(frames: Sequence[int]) -> None:
    """Require forecast frames in rising order."""
    if not frames or list(frames) != sorted(set(frames)) or min(frames) < 0:
        raise ConfigError(f"frames: expected forecast frames from 0 on, in rising order, got {list(frames)}.")


def after_observed(frame: int, label_fps: float | None) -> str:
    """Label of a forecast frame in pictures of poses."""
    label = f"+{frame + 1} frame" + ("s" if frame else "")
    return label if label_fps is None else f"{label} ({milliseconds(frame, label_fps)} ms)"


def as_in_tables(frame: int, label_fps: float | None) -> str:
    """Label of a forecast frame in pictures of numbers."""
    return f"frame {frame}" + ("" if label_fps is None else f" ({milliseconds(frame, label_fps)} ms)")


def milliseconds(frame: int, label_fps: float) -> str:
    """Time from the last observed frame to a forecast frame."""
    return f"{(frame + 1) * 1000 / label_fps:.0f}"


def ticks(frames: Sequence[int], most: int) -> list[int]:
    """The frames that have room for a label, on an axis with room for so many."""
    chosen: list[int] = []
    for frame in frames:
        if not chosen or frame - chosen[-1] >= (frames[-1] - frames[0]) / most:
            chosen.append(frame)
    return chosen
