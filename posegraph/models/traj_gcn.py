"""Traj-GCN: learning trajectory dependencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import nn

from posegraph._support.checks import check_choice, check_positive, check_probability
from posegraph.errors import CheckpointError, ConfigError
from posegraph.layers import DCT, GraphConvBlock, InverseDCT, Operator, ResidualStage, check_operator, operator_factory
from posegraph.layers.losses import coordinate_distance_loss, joint_distance_loss
from posegraph.layers.poses import from_nodes, pad_last_pose, to_nodes
from posegraph.models.base import ForecastModel
from posegraph.recipe import Recipe
from posegraph.registry import register
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["TrajGCN", "TrajGCNConfig", "TrajGCNLoss"]

TrajGCNLoss = Literal["joint-distance", "l1"]
"""Training loss; see `TrajGCNConfig.loss`."""


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
    dct: bool = True
    """Work on DCT coefficients; False feeds the padded trajectories themselves (MSR-GCN's "w/o DCT")."""
    global_residual: bool = True
    """Add the input to the output; False is MSR-GCN's "w/o GR"."""
    operator: Operator = "learned"
    """Graph operator of the layers."""
    loss: TrajGCNLoss | None = None
    """"joint-distance", or "l1" for the sum of absolute differences of all coordinates. None takes the authors' choice:
    "l1" for rotations, "joint-distance" for positions."""

    def __post_init__(self) -> None:
        check_positive(channels=self.channels, num_blocks=self.num_blocks)
        check_probability(dropout=self.dropout)
        object.__setattr__(self, "operator", check_operator(self.operator))
        check_choice("loss", self.loss, (None, *get_args(TrajGCNLoss)))
        if not self.dct and self.num_coefficients is not None:
            raise ConfigError(
                f"num_coefficients: expected None with dct=False, got {self.num_coefficients}. There are no "
                "coefficients: the channels are the frames."
            )


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

    The same network forecasts rotations: build it for a skeleton such as "h36m-angles". Its nodes are then the
    coordinates that move, locked ones keep their last value, and poses are in radians.

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
    moving: torch.Tensor

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
        num_nodes = len(self.skeleton.moving)
        if num_nodes < 3 * self.num_joints and config.operator not in ("learned", "per-node"):
            raise ConfigError(
                f"operator {config.operator!r}: expected a skeleton all of whose coordinates move, got "
                f"{self.skeleton.name!r} with locked ones. Use 'learned' or 'per-node'."
            )
        operator = operator_factory(config.operator, self.skeleton.reduced.bones, self.num_joints)
        self.register_buffer("moving", torch.tensor(self.skeleton.moving), persistent=False)
        self.dct = DCT(self.total_frames, config.num_coefficients) if config.dct else nn.Identity()
        self.inverse_dct = InverseDCT(self.total_frames, config.num_coefficients) if config.dct else nn.Identity()
        num_channels = self.dct.num_coefficients if isinstance(self.dct, DCT) else self.total_frames
        self.start = GraphConvBlock(
            num_channels,
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
        self.head: nn.Module = operator(config.channels, num_channels, num_nodes)

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Forecast; shapes as in the class."""
        self.check_observed(observed)
        nodes = to_nodes(pad_last_pose(observed, self.future_frames))
        moved = self.inverse_dct(self.forward_coefficients(self.dct(nodes[:, self.moving])))
        return (from_nodes(nodes.index_copy(1, self.moving, moved)),)

    def forward_coefficients(self, coefficients: torch.Tensor) -> torch.Tensor:
        """The network itself, from and to DCT coefficients ``(batch, nodes, num_coefficients)``."""
        output = self.head(self.stage(self.start(coefficients)))
        return output + coefficients if self.config.global_residual else output

    def loss(self, outputs: tuple[torch.Tensor, ...], window: torch.Tensor) -> torch.Tensor:
        """The training loss that the settings name, over all frames, the observed ones too."""
        name = self.config.loss or ("l1" if self.skeleton.holds == "rotations" else "joint-distance")
        return {"l1": coordinate_distance_loss, "joint-distance": joint_distance_loss}[name](outputs[0], window)

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
