"""Traj-GCN: learning trajectory dependencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, get_args

import torch
from torch import nn

from posegraph._checks import check_choice, check_positive, check_probability
from posegraph.errors import CheckpointError
from posegraph.layers import DCT, GraphConvBlock, InverseDCT, OperatorKind, ResidualStage, operator_factory
from posegraph.models.base import ForecastModel
from posegraph.recipe import Recipe
from posegraph.registry import register
from posegraph.skeleton import Skeleton
from posegraph.transforms import from_nodes, pad_last_pose, to_nodes

__all__ = ["TrajGCN", "TrajGCNConfig"]


@dataclass(frozen=True)
class TrajGCNConfig:
    """Settings of `TrajGCN`; the defaults are the authors'."""

    num_coefficients: int | None = None
    """DCT coefficients kept; None keeps one a frame. The authors use 15 of 20 and 30 or 35 of 35."""
    channels: int = 256
    """Channels of each node."""
    num_blocks: int = 12
    """Residual blocks of two graph convolutions."""
    dropout: float = 0.5
    """Probability of zeroing an element after each layer."""
    operator: OperatorKind = "learned"
    """Graph operator of the layers."""

    def __post_init__(self) -> None:
        check_positive(channels=self.channels, num_blocks=self.num_blocks)
        check_probability(dropout=self.dropout)
        check_choice("operator", self.operator, get_args(OperatorKind))


@register(
    "traj-gcn",
    recipe=Recipe(learning_rate=5e-4, decay=0.96, decay_every=2, batch_size=16, epochs=50, clip_norm=1.0),
    summary="Traj-GCN (ICCV 2019): residual graph convolutions on DCT coefficients of the trajectories.",
)
class TrajGCN(ForecastModel):
    r"""Traj-GCN, from "Learning Trajectory Dependencies for Human Motion Prediction" (Mao et al., ICCV 2019).

    The observed poses, padded with the last one, become DCT coefficients of each coordinate's trajectory. One graph
    convolution, twelve residual blocks of two and a last one follow, all with learned adjacencies and tanh; the input
    coefficients are added to the output (global residual). Positions are not normalised.

    Args:
        config: Settings; the authors' by default.
        skeleton: Name of a built-in skeleton, or any `Skeleton`.
        observed_frames: Number of observed poses.
        future_frames: Number of poses to forecast.

    Shape:
        - Input: ``(batch, observed_frames, joints, 3)`` in mm
        - Output: a tuple of one tensor ``(batch, observed_frames + future_frames, joints, 3)`` in mm

    Raises:
        ConfigError: A setting is not valid, such as more coefficients than frames.
        ShapeError: The input has another shape, or a training batch has a single sample.

    Examples:
        >>> import torch
        >>> from posegraph.models import TrajGCN, TrajGCNConfig
        >>> model = TrajGCN(TrajGCNConfig(num_coefficients=15, channels=32, num_blocks=2), future_frames=10).eval()
        >>> model.predict(torch.zeros(1, 10, 22, 3)).shape
        torch.Size([1, 10, 22, 3])
    """

    default_config: ClassVar[TrajGCNConfig] = TrajGCNConfig()
    config: TrajGCNConfig

    def __init__(
        self,
        config: TrajGCNConfig | None = None,
        *,
        skeleton: str | Skeleton = "h36m",
        observed_frames: int = 10,
        future_frames: int = 25,
    ) -> None:
        super().__init__(config, skeleton=skeleton, observed_frames=observed_frames, future_frames=future_frames)
        config = self.config
        num_nodes = 3 * self.num_joints
        operator = operator_factory(config.operator, self.skeleton.reduced.bones, self.num_joints)
        self.dct = DCT(self.total_frames, config.num_coefficients)
        self.inverse_dct = InverseDCT(self.total_frames, config.num_coefficients)
        self.start = GraphConvBlock(
            self.dct.num_coefficients,
            config.channels,
            num_nodes,
            dropout=config.dropout,
            activation="tanh",
            operator=operator,
        )
        self.stage = ResidualStage(
            config.channels,
            num_nodes,
            num_blocks=config.num_blocks,
            skip=False,
            dropout=config.dropout,
            activation="tanh",
            operator=operator,
        )
        self.head: nn.Module = operator(config.channels, self.dct.num_coefficients, num_nodes)

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Forecast; shapes as in the class."""
        self.check_observed(observed)
        coefficients = self.dct(to_nodes(pad_last_pose(observed, self.future_frames)))
        return (from_nodes(self.inverse_dct(self.forward_coefficients(coefficients))),)

    def forward_coefficients(self, coefficients: torch.Tensor) -> torch.Tensor:
        """The network itself, from and to DCT coefficients ``(batch, nodes, num_coefficients)``."""
        return self.head(self.stage(self.start(coefficients))) + coefficients

    @classmethod
    def convert_authors_state(cls, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Rename the authors' parameters; raises `CheckpointError` if the keys are not theirs."""
        return {_convert_key(key): value for key, value in state.items()}


def _convert_key(key: str) -> str:
    """Our name of a parameter: gcbs.3.gc1.att is stage.blocks.3.layers.0.operator.adjacency."""
    *path, leaf = key.split(".")
    if path[:1] == ["gcbs"] and path[2:] in (["gc1"], ["bn1"], ["gc2"], ["bn2"]):
        module = f"stage.blocks.{path[1]}.layers.{int(path[2][-1]) - 1}"
    elif path in (["gc1"], ["bn1"]):
        module = "start"
    elif path == ["gc7"]:
        return f"head.{_LEAVES.get(leaf, leaf)}"
    else:
        raise CheckpointError(
            f"parameter {key!r}: expected the authors' names gc1, bn1, gcbs.*, gc7. Is this a Traj-GCN checkpoint?"
        )
    part = "operator" if path[-1].startswith("gc") else "tail.0.norm"
    return f"{module}.{part}.{_LEAVES.get(leaf, leaf)}"


_LEAVES = {"att": "adjacency"}
