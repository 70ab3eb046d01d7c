"""Windows: stretches of observed and future frames cut from clips.

A *start rule* says at which frames of a clip windows begin. `every_start` is the one that all published systems share
for training; the rules of the published test protocols stand beside the reader of the data set they belong to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch

from posegraph._support.checks import check_choice, check_positive
from posegraph.data.clip import Clip
from posegraph.errors import ConfigError, DataError

__all__ = ["Joints", "StartRule", "Windows", "cut", "every_start", "require_frames", "sampled_starts"]

# Shared by the sampled test protocols since Fragkiadaki et al. (2015): a fixed seed of the legacy generator, whose
# stream is the same in all NumPy versions, and 50 frames from the drawn frame to the first one to forecast. Models that
# observe fewer frames start later, so that all forecast the same frames.
_SEED = 1234567890
_CONTEXT = 50

Joints = Literal["used", "full"]
"""The joints that models see, or all of them."""

StartRule = Callable[[Sequence[Clip], int, int], Sequence[Sequence[int]]]
"""Maps the clips of one action, observed frames and future frames to the window starts in each clip."""


def every_start(clips: Sequence[Clip], observed_frames: int, future_frames: int) -> list[range]:
    """Every start at which a whole window fits: 0 to frames - length, stride 1.

    Args:
        clips: Clips to cut.
        observed_frames: Frames that the model sees.
        future_frames: Frames that it forecasts.

    Returns:
        The starts in each clip.

    Raises:
        DataError: A clip is shorter than one window.
    """
    length = observed_frames + future_frames
    for clip in clips:
        require_frames(clip, length, f"a window of {observed_frames} observed and {future_frames} future frames")
    return [range(clip.num_frames - length + 1) for clip in clips]


def require_frames(clip: Clip, needed: int, purpose: str) -> None:
    """Require a clip to have enough frames for something; raises `DataError`."""
    if clip.num_frames < needed:
        raise DataError(
            f"{clip.label}: expected at least {needed} frames at {clip.fps:g} a second for {purpose}, got "
            f"{clip.num_frames}. Use shorter windows or leave this clip out."
        )


def sampled_starts(
    clips: Sequence[Clip], observed_frames: int, future_frames: int, *, draws: int, lowest: int, reserve: int
) -> list[list[int]]:
    """Starts drawn at random, the same ones in every run.

    One generator serves all clips, round by round: each draws one frame from ``lowest`` to
    ``frames - reserve - 1``, and the first frame to forecast lies 50 frames after it.

    Args:
        clips: Clips to cut.
        observed_frames: Frames that the model sees.
        future_frames: Frames that it forecasts.
        draws: Windows in each clip.
        lowest: Lowest frame to draw.
        reserve: Frames at the end of a clip that are not drawn.

    Returns:
        The starts in each clip, in the order of the draws.

    Raises:
        ConfigError: Windows of this length could reach beyond a clip.
        DataError: A clip is too short for the rule.
    """
    most_observed, most_future = lowest + _CONTEXT, reserve - _CONTEXT + 1
    if observed_frames > most_observed or future_frames > most_future:
        raise ConfigError(
            f"this window rule: expected at most {most_observed} observed and {most_future} future frames, got "
            f"{observed_frames} and {future_frames}. Use the rule 'all' for longer windows."
        )
    for clip in clips:
        require_frames(clip, lowest + reserve + 1, "this window rule")
    generator = np.random.RandomState(_SEED)
    starts: list[list[int]] = [[] for _ in clips]
    for _ in range(draws):
        for clip, own in zip(clips, starts, strict=True):
            own.append(int(generator.randint(lowest, clip.num_frames - reserve)) + _CONTEXT - observed_frames)
    return starts


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of equal length over clips, without a copy for each window.

    Windows overlap almost fully, so the frames of all clips are kept once and a batch is gathered when it is asked
    for. All of it sits on one device: moved to a GPU, training needs no loader.

    Args:
        frames: Frames of all clips one after another, ``(total, joints, 3)`` in millimetres.
        starts: First frame of each window, ``(windows,)`` int64.
        observed_frames: Frames that the model sees.
        future_frames: Frames that it forecasts.
        clips: Number of the clip that each window is cut from, ``(windows,)`` int64, in rising order; by default all
            are from one.
        actions: Action of each clip.

    Raises:
        ConfigError: A window length is not positive, or a window reaches beyond ``frames``.

    Examples:
        >>> import torch
        >>> from posegraph.data import Windows
        >>> windows = Windows(torch.randn(100, 25, 3), torch.arange(66), observed_frames=10, future_frames=25)
        >>> len(windows), windows.batch([0, 65]).shape
        (66, torch.Size([2, 35, 25, 3]))
    """

    frames: torch.Tensor = field(repr=False)
    starts: torch.Tensor = field(repr=False)
    observed_frames: int
    future_frames: int
    clips: torch.Tensor = field(default=None, repr=False)  # pyright: ignore[reportAssignmentType]  # set below
    actions: tuple[str, ...] = ("",)

    def __post_init__(self) -> None:
        check_positive(observed_frames=self.observed_frames, future_frames=self.future_frames)
        last = self.frames.shape[0] - self.length
        if self.starts.numel() and not 0 <= int(self.starts.min()) <= int(self.starts.max()) <= last:
            raise ConfigError(
                f"starts: expected frames in 0..{last}, so that windows of {self.length} end within "
                f"{self.frames.shape[0]} frames; got {int(self.starts.min())}..{int(self.starts.max())}."
            )
        if self.clips is None:  # pyright: ignore[reportUnnecessaryComparison]
            object.__setattr__(self, "clips", torch.zeros_like(self.starts))

    def __len__(self) -> int:
        return self.starts.shape[0]

    @property
    def length(self) -> int:
        """Frames of one window."""
        return self.observed_frames + self.future_frames

    @property
    def device(self) -> torch.device:
        """Where the frames are."""
        return self.frames.device

    def batch(self, indices: torch.Tensor | Sequence[int]) -> torch.Tensor:
        """Gather windows.

        Args:
            indices: Window numbers, ``(batch,)`` or with more axes.

        Returns:
            Poses ``(batch, length, joints, 3)`` on the device of the frames.
        """
        chosen = torch.as_tensor(indices, dtype=torch.int64, device=self.device)
        offsets = torch.arange(self.length, device=self.device)
        return self.frames[self.starts[chosen].unsqueeze(-1) + offsets]

    def batches(self, batch_size: int) -> Iterator[torch.Tensor]:
        """All windows in order, ``batch_size`` at a time; the last batch may be smaller."""
        check_positive(batch_size=batch_size)
        for first in range(0, len(self), batch_size):
            yield self.batch(torch.arange(first, min(first + batch_size, len(self)), device=self.device))

    def to(self, device: torch.device | str) -> Windows:
        """The same windows on another device."""
        return replace(self, frames=self.frames.to(device), starts=self.starts.to(device), clips=self.clips.to(device))


def cut(
    clips: Sequence[Clip],
    starts: Sequence[Sequence[int]],
    observed_frames: int,
    future_frames: int,
    *,
    joints: Joints = "used",
) -> Windows:
    """Cut windows from clips.

    Args:
        clips: Clips of one skeleton.
        starts: Window starts in each clip, as a start rule gives them.
        observed_frames: Frames that the model sees.
        future_frames: Frames that it forecasts.
        joints: ``"used"`` for the joints that models see, ``"full"`` for all of them.

    Returns:
        Windows, clip after clip, each clip's in the order of its starts.

    Raises:
        ConfigError: ``joints`` is neither, a start lies outside its clip, or there is no clip at all.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import presets
        >>> from posegraph.data import Clip, cut, every_start
        >>> clip = Clip(torch.zeros(40, 38, 3), presets.get("cmu"), fps=60.0)
        >>> windows = cut([clip], every_start([clip], 10, 25), 10, 25)
        >>> len(windows), windows.frames.shape
        (6, torch.Size([40, 25, 3]))
    """
    check_choice("joints", joints, ("used", "full"))
    check_positive(observed_frames=observed_frames, future_frames=future_frames)
    if not clips:
        raise ConfigError("clips: expected at least one clip to cut windows from, got none.")
    length = observed_frames + future_frames
    absolute: list[int] = []
    total = 0
    for clip, own in zip(clips, starts, strict=True):
        if len(own) and not 0 <= min(own) <= max(own) <= clip.num_frames - length:
            raise ConfigError(
                f"{clip.label}: expected window starts in 0..{clip.num_frames - length}, got {min(own)}..{max(own)}. "
                f"A window has {length} frames, the clip {clip.num_frames}."
            )
        absolute += [total + start for start in own]
        total += clip.num_frames
    poses = [clip.skeleton.reduce(clip.poses) if joints == "used" else clip.poses for clip in clips]
    counts = torch.tensor([len(own) for own in starts])
    return Windows(
        torch.cat(poses),
        torch.tensor(absolute, dtype=torch.int64),
        observed_frames,
        future_frames,
        clips=torch.arange(len(clips)).repeat_interleave(counts),
        actions=tuple(clip.action for clip in clips),
    )
