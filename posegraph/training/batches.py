"""What a step of training reads: windows by number, some of them backwards, and their action labels."""

from __future__ import annotations

import torch

from posegraph.data.windows import Windows
from posegraph.recipe import Recipe
from posegraph.training.seeding import mix

__all__ = ["Batches", "window_order"]


class Batches:
    """Gathers batches on the device where the clips are; nothing is copied to it or from it.

    Args:
        windows: Training windows.
        labels: Action label of each window ``(windows,)``, for models that take labels.
        reverse: Probability of playing a window backwards.
    """

    def __init__(self, windows: Windows, *, labels: torch.Tensor | None = None, reverse: float = 0.0) -> None:
        self.windows = windows
        self.labels = labels
        self.reverse = reverse

    def __call__(self, numbers: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Gather a batch.

        Args:
            numbers: Window numbers, ``(batch,)`` or ``(seeds, batch)``.

        Returns:
            Poses ``(*numbers.shape, frames, joints, 3)``, and labels of the shape of ``numbers`` if there are labels.
        """
        window = self.windows.batch(numbers)
        if self.reverse:
            chosen = torch.rand(numbers.shape, device=window.device) < self.reverse
            window = torch.where(chosen[..., None, None, None], window.flip(-3), window)
        return (window,) if self.labels is None else (window, self.labels[numbers])


def window_order(windows: Windows, recipe: Recipe, seed: int, epoch: int) -> torch.Tensor:
    """The window numbers of an epoch in random order: the same in every process and after a restart."""
    generator = torch.Generator().manual_seed(mix(seed, epoch))
    steps = recipe.steps_per_epoch
    count = len(windows) if steps is None else steps * recipe.batch_size
    if recipe.sampling == "clips":
        sizes = windows.clips.cpu().bincount()
        clips = sizes.nonzero().flatten()[torch.randint(int((sizes > 0).sum()), (count,), generator=generator)]
        places = (torch.rand(count, generator=generator, dtype=torch.float64) * sizes[clips]).long()
        return (sizes.cumsum(0) - sizes)[clips] + places
    passes = -(-count // len(windows))
    return torch.cat([torch.randperm(len(windows), generator=generator) for _ in range(passes)])[:count]
