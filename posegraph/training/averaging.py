"""An exponential moving average of the weights, which is validated and kept in their place."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from posegraph.training.steps import Step

__all__ = ["AveragedStep", "WeightAverage"]

_EACH: Any = torch  # what PyTorch's own optimisers call is not declared as public


class WeightAverage:
    r"""The moving average $a \leftarrow d\,a + (1 - d)\,w$ of all parameters and floating-point buffers.

    The decay is $d_n = \min(d, (1 + n) / (10 + n))$ in step $n$, so that the first weights are soon forgotten.

    Args:
        module: Whose weights; its tensors must stay where they are in memory.
        decay: Share of the average that survives a step.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self._weights = {
            name: tensor.detach() for name, tensor in module.state_dict().items() if tensor.is_floating_point()
        }
        self._average = {name: tensor.clone() for name, tensor in self._weights.items()}
        self._present, self._averages = list(self._weights.values()), list(self._average.values())
        device = self._present[0].device
        self._steps = torch.zeros((), device=device)  # a tensor, so that a recorded step counts as well

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights into the average."""
        self._steps += 1
        share = 1 - ((1 + self._steps) / (10 + self._steps)).clamp(max=self.decay)
        # Few kernels for all tensors: one for each would take a GPU longer than a step of training otherwise does.
        moves = _EACH._foreach_sub(self._present, self._averages)
        _EACH._foreach_mul_(moves, share)
        _EACH._foreach_add_(self._averages, moves)

    @contextmanager
    def applied(self) -> Generator[None]:
        """The module has the average inside, and its weights again outside."""
        weights = {name: tensor.clone() for name, tensor in self._weights.items()}
        self._set(self._average)
        try:
            yield
        finally:
            self._set(weights)

    def reset(self) -> None:
        """Begin anew from the present weights."""
        self.load_state_dict({**self._weights, "steps": torch.zeros(())})

    def state_dict(self) -> dict[str, torch.Tensor]:
        """What `load_state_dict` takes."""
        return {**self._average, "steps": self._steps}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from a stored average."""
        self._steps.copy_(state["steps"])
        for name, average in self._average.items():
            average.copy_(state[name])

    @torch.no_grad()
    def _set(self, values: dict[str, torch.Tensor]) -> None:
        for name, tensor in self._weights.items():
            tensor.copy_(values[name])


class AveragedStep:
    """A step after which the average is updated; see `Step`."""

    def __init__(self, step: Step, average: WeightAverage) -> None:
        self.step, self.average = step, average
        self.optimizer, self.scaler = step.optimizer, step.scaler

    def __call__(self, numbers: torch.Tensor) -> torch.Tensor:
        """Take the step; see `Step`."""
        loss = self.step(numbers)
        self.average.update()
        return loss
