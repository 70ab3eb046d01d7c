"""How frames and times are called in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from posegraph.errors import ConfigError


@dataclass(frozen=True)
class Rate:
    """Frames a second behind the times of a picture.

    Args:
        fps: The true rate; without it pictures name no times.
        label_fps: The rate that published tables assume when they label frames. Where it is another one, their label
            stands beside the true time, and `note` explains it.
    """

    fps: float | None = None
    label_fps: float | None = None

    def __post_init__(self) -> None:
        for name in ("fps", "label_fps"):
            rate = getattr(self, name)
            if rate is not None and not rate > 0:
                raise ConfigError(f"{name}: expected frames a second above 0, got {rate!r}. Leave it out for no ms.")

    @property
    def is_conventional(self) -> bool:
        """Whether tables label frames by another time than the true one."""
        return self.label_fps is not None and self.label_fps != self.fps

    def time(self, frame: int) -> str:
        """Time from the last observed frame to a forecast frame; empty if it is not known."""
        return "" if self.fps is None else f"{milliseconds(frame, self.fps)} ms"

    def label(self, frame: int) -> str:
        """What tables call a forecast frame, if that is not its time."""
        if not self.is_conventional or self.label_fps is None:
            return ""
        return f"labelled {milliseconds(frame, self.label_fps)} ms"

    def after_observed(self, frame: int) -> str:
        """Label in pictures of poses: the frame counted from the last observed one and, on a second line, its time."""
        frames, time = f"+{frame + 1} frame" + ("s" if frame else ""), self.time(frame)
        return f"{frames}\n{time}" if time else frames

    def as_in_tables(self, frame: int) -> str:
        """Label of a forecast frame in pictures of numbers, as in "frame 24, 417 ms (labelled 1000 ms)"."""
        time, label = self.time(frame), self.label(frame)
        return f"frame {frame}" + (f", {time}" if time else "") + (f" ({label})" if label else "")

    def notes(self, frame: int) -> list[str]:
        """One line that explains the times, where tables have others."""
        if not self.is_conventional or self.label_fps is None:
            return []
        true = "" if self.fps is None else f"; the times here are those of the real {self.fps:g}"
        label = milliseconds(frame, self.label_fps)
        return [f'Tables label frame {frame} "{label} ms", as if there were {self.label_fps:g} frames a second{true}.']


def check_rising(frames: Sequence[int]) -> None:
    """Require forecast frames in rising order."""
    if not frames or list(frames) != sorted(set(frames)) or min(frames) < 0:
        raise ConfigError(f"frames: expected forecast frames from 0 on, in rising order, got {list(frames)}.")


def milliseconds(frame: int, fps: float) -> str:
    """Time from the last observed frame to a forecast frame."""
    return f"{(frame + 1) * 1000 / fps:.0f}"


def ticks(frames: Sequence[int], most: int) -> list[int]:
    """The frames that have room for a label, on an axis with room for so many."""
    chosen: list[int] = []
    for frame in frames:
        if not chosen or frame - chosen[-1] >= (frames[-1] - frames[0]) / most:
            chosen.append(frame)
    return chosen
