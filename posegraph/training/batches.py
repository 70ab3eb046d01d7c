"""What a step of training reads: windows by number, some of them backwards or mirrored, and their action labels."""

from __future__ import annotations

import torch

from posegraph.data.windows import Windows
from posegraph.recipe import Recipe
from posegraph.skeleton import Skeleton
from posegraph.training.seeding import mix
from posegraph.transforms import mirror_image

__all__ = ["Batches", "window_order"]


class Batches:
    """Gathers batches on the device where the clips are; nothing is copied to it or from it.

    Args:
        windows: Training windows.
        skeleton: Skeleton of the joints that windows have.
        labels: Action label of each window ``(windows,)``, for models that take labels.
        reverse: Probability of playing a window backwards.
        mirror: Probability of replacing a window by its mirror image.

    Raises:
        ConfigError: The skeleton has no mirror image, and one is asked for.
    """

    def __init__(
        self,
        windows: Windows,
        skeleton: Skeleton,
        *,
        labels: torch.Tensor | None = None,
        reverse: float = 0.0,
        mirror: float = 0.0,
    ) -> None:
        self.windows = windows
        self.labels = labels
        self.reverse = reverse
        self.mirror = mirror
        if mirror:
            image = mirror_image(skeleton)
            self._joints, self._signs = (tensor.to(windows.device) for tensor in image)

    def __call__(self, numbers: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Gather a batch.

        Args:
            numbers: Window numbers, ``(batch,)`` or ``(seeds, batch)``.

        Returns:
            Poses ``(*numbers.shape, frames, joints, 3)``, and labels of the shape of ``numbers`` if there are labels.
        """
        window = self.windows.batch(numbers)
        if self.reverse:
            window = torch.where(self._draw(self.reverse, numbers), window.flip(-3), window)
        if self.mirror:
            image = window.index_select(-2, self._joints) * self._signs
            window = torch.where(self._draw(self.mirror, numbers), image, window)
        return (window,) if self.labels is None else (window, self.labels[numbers])

    def _draw(self, probability: float, numbers: torch.Tensor) -> torch.Tensor:
        """Windows that something happens to, ``(*numbers.shape, 1, 1, 1)``."""
        return torch.rand((*numbers.shape, 1, 1, 1), device=self.windows.device) < probability


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
