"""A network as a program of `torch.export`, for batches of every size."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from torch import nn

__all__ = ["LARGEST_BATCH", "to_program"]

LARGEST_BATCH = 4096
"""Windows that an exported program takes at most; its checks say so."""
_KEPT: WeakKeyDictionary[nn.Module, tuple[torch.dtype, torch.export.ExportedProgram]] = WeakKeyDictionary()
_EXAMPLE = 3  # windows: neither one nor two, for which the exporter might make a case of its own


def to_program(network: nn.Module, shape: tuple[int | None, ...]) -> torch.export.ExportedProgram:
    """Export a network in evaluation mode. With an open batch it is exported once, which takes seconds.

    Args:
        network: Takes one tensor and returns one; it is not changed.
        shape: Shape of the input; None for a batch of any size, which has to be the first axis.

    Returns:
        The program, whose input is named ``poses``. With an open batch it takes 1 to 4096 windows.

    Examples:
        >>> import torch
        >>> from posegraph import registry
        >>> from posegraph.export.program import to_program
        >>> model = registry.build("zero-velocity")
        >>> program = to_program(model.folded().network, (None, 10, 22, 3)).module()
        >>> program(torch.zeros(1, 10, 22, 3)).shape, program(torch.zeros(7, 10, 22, 3)).shape
        (torch.Size([1, 25, 22, 3]), torch.Size([7, 25, 22, 3]))
    """
    tensors = [*network.parameters(), *network.buffers()]
    like = next((tensor for tensor in tensors if tensor.is_floating_point()), torch.empty(0))
    example = like.new_zeros([_EXAMPLE if size is None else size for size in shape])
    if shape[0] is not None:
        return _export(network, example, {})
    dtype, kept = _KEPT.get(network, (None, None))
    if kept is None or dtype != like.dtype:
        kept = _export(network, example, {0: torch.export.Dim("batch", min=1, max=LARGEST_BATCH)})
        _KEPT[network] = like.dtype, kept
    return kept


@torch.inference_mode(False)
@torch.no_grad()
def _export(
    network: nn.Module, example: torch.Tensor, open_axes: dict[int, torch.export.Dim]
) -> torch.export.ExportedProgram:
    given = example.clone()  # not of inference mode
    return torch.export.export(_Named(network).eval(), (given,), dynamic_shapes={"poses": open_axes})


class _Named(nn.Module):
    """A network whose argument has one name, whatever the network calls it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, poses: torch.Tensor) -> torch.Tensor:
        return self.network(poses)
