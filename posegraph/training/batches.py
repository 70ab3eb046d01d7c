"""What a step of training reads: windows by number, changed at random if asked for, and their action labels."""

from __future__ import annotations

from collections.abc import Callable

import torch

from posegraph.data.windows import Windows
from posegraph.recipe import Augmentation, Sampling
from posegraph.skeleton.skeleton import Skeleton
from posegraph.training.augmentation import Mirror, Turn
from posegraph.training.seeding import mix

__all__ = ["Batches", "window_order"]


class Batches:
    """Gathers batches on the device where the clips are; nothing is copied to it or from it.

    Args:
        windows: Training windows.
        skeleton: Skeleton of the poses, of which windows have the used joints.
        labels: Action label of each window ``(windows,)``, for models that take labels.
        augmentation: Random changes of the windows; none by default.

    Raises:
        ConfigError: The skeleton does not allow what is asked for.
    """

    def __init__(
        self,
        windows: Windows,
        skeleton: Skeleton,
        *,
        labels: torch.Tensor | None = None,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.windows = windows
        self.labels = labels
        self.augmentation = changes = augmentation or Augmentation()
        self._changes: list[Callable[[torch.Tensor], torch.Tensor]] = []
        if changes.mirror:
            self._changes.append(Mirror(skeleton, changes.mirror, windows.device))
        if changes.turn:
            self._changes.append(Turn(skeleton, changes.turn, windows.device))
        if changes.speed:
            self._first, self._last = _ends_of_clips(windows)

    def __call__(self, numbers: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Gather a batch.

        Args:
            numbers: Window numbers, ``(batch,)`` or ``(seeds, batch)``.

        Returns:
            Poses ``(*numbers.shape, frames, joints, 3)``, and labels of the shape of ``numbers`` if there are labels.
        """
        window = self._play(numbers) if self.augmentation.speed else self.windows.batch(numbers)
        if self.augmentation.reverse:
            backwards = torch.rand((*numbers.shape, 1, 1, 1), device=self.windows.device) < self.augmentation.reverse
            window = torch.where(backwards, window.flip(-3), window)
        for change in self._changes:
            window = change(window)
        return (window,) if self.labels is None else (window, self.labels[numbers])

    def _play(self, numbers: torch.Tensor) -> torch.Tensor:
        """Gather windows that last up to ``exp(speed)`` times shorter or longer, with poses between the frames.

        A window that would reach beyond its clip begins sooner, and one that is longer than its clip is played at the
        highest speed that fits.
        """
        windows, steps = self.windows, self.windows.length - 1
        begin, first, last = windows.starts[numbers], self._first[numbers], self._last[numbers]
        draws = 2 * torch.rand(numbers.shape, device=windows.device) - 1
        factor = torch.minimum(torch.exp(self.augmentation.speed * draws), (last - first) / steps)
        sooner = (last - begin - factor * steps).clamp(max=0)
        # Counted from the beginning of the window: large numbers of frames would leave few digits for what is between.
        places = sooner.unsqueeze(-1) + factor.unsqueeze(-1) * torch.arange(steps + 1, device=windows.device)
        whole = places.floor().long()
        before = torch.minimum(begin.unsqueeze(-1) + whole, (last - 1).unsqueeze(-1)).maximum(first.unsqueeze(-1))
        share = places - (before - begin.unsqueeze(-1))
        return torch.lerp(windows.frames[before], windows.frames[before + 1], share[..., None, None])


def _ends_of_clips(windows: Windows) -> tuple[torch.Tensor, torch.Tensor]:
    """First and last frame that the windows of each window's clip cover, ``(windows,)`` int64."""
    clips, count = windows.clips, int(windows.clips.max()) + 1
    ends = windows.starts + windows.length - 1
    first = torch.full((count,), windows.frames.shape[0], device=windows.device)
    first = first.scatter_reduce(0, clips, windows.starts, "amin")
    last = torch.zeros_like(first).scatter_reduce(0, clips, ends, "amax")
    return first[clips], last[clips]


def window_order(windows: Windows, sampling: Sampling, seed: int, epoch: int) -> torch.Tensor:
    """The window numbers of an epoch in random order: the same in every process and after a restart."""
    generator = torch.Generator().manual_seed(mix(seed, epoch))
    steps = sampling.steps_per_epoch
    count = len(windows) if steps is None else steps * sampling.batch_size
    if sampling.kind == "clips":
        sizes = windows.clips.cpu().bincount()
        clips = sizes.nonzero().flatten()[torch.randint(int((sizes > 0).sum()), (count,), generator=generator)]
        places = (torch.rand(count, generator=generator, dtype=torch.float64) * sizes[clips]).long()
        return (sizes.cumsum(0) - sizes)[clips] + places
    passes = -(-count // len(windows))
    return torch.cat([torch.randperm(len(windows), generator=generator) for _ in range(passes)])[:count]
