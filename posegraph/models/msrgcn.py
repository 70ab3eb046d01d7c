"""MSR-GCN as its paper describes it, and its variants with fewer scales."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import get_args

import torch
from torch import nn

from posegraph._support.checks import check_choice, check_positive, check_probability
from posegraph.folding.forecast import Folded
from posegraph.folding.layers import FoldedResidual, fold
from posegraph.folding.network import Pyramid, Window, ends, joined, layered, pair
from posegraph.layers import (
    GraphConvBlock,
    Operator,
    ResampleBlock,
    ResampleKind,
    ResidualStage,
    check_operator,
    make_resampler,
    scale_operators,
)
from posegraph.layers.normalizers import MinMaxNormalizer
from posegraph.layers.poses import from_nodes, pad_last_pose, to_nodes
from posegraph.models.base import ForecastModel
from posegraph.recipe import Optimizer, Recipe, Sampling, Schedule
from posegraph.registry import register

__all__ = ["MSRGCN", "MSRGCNConfig"]

# The authors trained until stopped by hand; the runs that they report end at epochs 19 to 142.
_RECIPE = Recipe(
    optimizer=Optimizer(learning_rate=2e-4),
    schedule=Schedule(epochs=100, decay=0.98, decay_every=2),
    sampling=Sampling(batch_size=16),
)


@dataclass(frozen=True)
class MSRGCNConfig:
    """Settings of `MSRGCN`; the defaults follow the paper's text."""

    channels: int = 256
    """Channels of each node, the same at every scale."""
    num_scales: int = 4
    """Number of pose scales."""
    num_blocks: int = 6
    """Residual GCNs in each of D0, D1, ... and A0, A1, ..."""
    dropout: float = 0.1
    """Probability of zeroing an element after each layer."""
    negative_slope: float = 0.2
    """Slope of the leaky ReLU."""
    stage_skip: bool = True
    """Add the input of each D and A to its output, as the paper's Figure 3 draws it."""
    global_residual: bool = True
    """Add the padded input poses to the output at every scale."""
    intermediate_supervision: bool = True
    """Forecast and train the coarser scales too; False leaves out their heads (the paper's "w/o inter-loss")."""
    normalize: bool = True
    """Scale positions to [-1, 1] by the extremes of the training set, as the authors' code does."""
    resample: ResampleKind = "learned"
    """Steps between scales: learned linear maps, or the fixed means of the grouping."""
    operator: Operator = "learned"
    """Graph operator of the layers; "per-node" gives the paper's fully connected ablation."""
    grouping: str | None = None
    """Which grouping of the skeleton makes the coarser scales; None takes its first."""

    def __post_init__(self) -> None:
        check_positive(channels=self.channels, num_scales=self.num_scales, num_blocks=self.num_blocks)
        check_probability(dropout=self.dropout)
        check_choice("resample", self.resample, get_args(ResampleKind))
        object.__setattr__(self, "operator", check_operator(self.operator))


@register(
    "msrgcn-1l",
    config=MSRGCNConfig(num_scales=1),
    recipe=_RECIPE,
    summary="MSR-GCN with a single scale (the paper's 1L ablation).",
)
@register("msrgcn-2l", config=MSRGCNConfig(num_scales=2), recipe=_RECIPE, summary="MSR-GCN with two scales.")
@register("msrgcn-3l", config=MSRGCNConfig(num_scales=3), recipe=_RECIPE, summary="MSR-GCN with three scales.")
@register(
    "msrgcn",
    recipe=_RECIPE,
    summary="MSR-GCN (ICCV 2021) as its text describes it: multi-scale residual graph convolutions on padded poses.",
)
class MSRGCN(ForecastModel):
    """MSR-GCN, from the text of its paper (Dang et al., ICCV 2021, arXiv:2108.07152).

    The observed poses, padded with the last one, enter without a DCT: the channels of a node are its frames. Two
    graph convolutions widen them; residual stages D0, D1, D2, D3 with learned down-sampling in between lead to the
    coarsest scale, A3, A2, A1, A0 with up-sampling lead back. At every scale the features of D and A, side by side,
    go through an end GCN of two layers, and the padded poses of the scale are added.

    Where the text is silent this class takes the authors' code: batch norm, leaky ReLU of slope 0.2 and dropout 0.1
    after every graph convolution and resampling but the last of each end GCN, which is bare; positions scaled to
    [-1, 1] by the extremes of the training set (``normalize=False`` feeds millimetres); the sum of the mean joint
    distances at all scales, over observed and future frames, as loss. A3 reads D3; every other A reads only the
    scale below it, up-sampled. The authors' published network differs in width, depth and links: see
    `MSRGCNReleased`.

    Args:
        config: Settings; the paper's by default.
        skeleton: Name of a built-in skeleton, or any `Skeleton`. One without a grouping gets an automatic one.
        observed_frames: Number of observed poses.
        future_frames: Number of poses to forecast.

    Shape:
        - Input: ``(batch, observed_frames, joints, 3)`` in mm
        - Output: one tensor ``(batch, observed_frames + future_frames, joints of the scale, 3)`` a scale, in mm

    Raises:
        ConfigError: A setting is not valid.
        SkeletonError: The grouping has too few levels.
        ShapeError: The input has another shape, or a training batch has a single sample.

    Examples:
        >>> import torch
        >>> from posegraph.models import MSRGCN, MSRGCNConfig
        >>> model = MSRGCN(MSRGCNConfig(channels=16), skeleton="cmu").eval()
        >>> [tuple(poses.shape) for poses in model(torch.zeros(1, 10, 25, 3))]
        [(1, 35, 25, 3), (1, 35, 12, 3), (1, 35, 7, 3), (1, 35, 4, 3)]
    """

    config: MSRGCNConfig
    default_config = MSRGCNConfig()

    def build(self) -> None:
        """Make the layers."""
        config = self.config
        width, frames = config.channels, self.total_frames
        levels = self.skeleton.scales(config.num_scales, config.grouping)
        self.groupings = levels if config.intermediate_supervision else ()
        nodes = [3 * self.num_joints, *(3 * level.num_groups for level in levels)]
        operators = scale_operators(config.operator, self.skeleton, levels)
        scales = range(config.num_scales)

        def layer(in_channels: int, scale: int) -> GraphConvBlock:
            return GraphConvBlock(
                in_channels,
                width,
                nodes[scale],
                dropout=config.dropout,
                negative_slope=config.negative_slope,
                operator=operators[scale],
            )

        def stage(scale: int) -> ResidualStage:
            return ResidualStage(
                width,
                nodes[scale],
                num_blocks=config.num_blocks,
                skip=config.stage_skip,
                dropout=config.dropout,
                negative_slope=config.negative_slope,
                operator=operators[scale],
            )

        def resample(fine: int, *, down: bool) -> ResampleBlock:
            return ResampleBlock(
                make_resampler(config.resample, levels[fine], down=down),
                nodes[fine + 1 if down else fine],
                width,
                dropout=config.dropout,
                negative_slope=config.negative_slope,
            )

        self.normalizer = MinMaxNormalizer()
        self.start = nn.Sequential(layer(frames, 0), layer(width, 0))
        self.encoder = nn.ModuleList(stage(scale) for scale in scales)
        self.decoder = nn.ModuleList(stage(scale) for scale in scales)
        self.down = nn.ModuleList(resample(scale, down=True) for scale in scales[:-1])
        self.up = nn.ModuleList(resample(scale, down=False) for scale in scales[:-1])
        self.end = nn.ModuleList(
            nn.Sequential(layer(2 * width, scale), operators[scale](width, frames, nodes[scale]))
            for scale in scales[: 1 + len(self.groupings)]
        )

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Forecast; shapes as in the class."""
        self.check_observed(observed)
        padded = self.coarser(pad_last_pose(observed, self.future_frames))
        inputs = [self.normalizer.encode(to_nodes(poses)) for poses in padded]
        encoded: list[torch.Tensor] = []
        features = self.start(inputs[0])
        for scale, stage in enumerate(self.encoder):
            if scale:
                features = self.down[scale - 1](features)
            features = stage(features)
            encoded.append(features)
        outputs: list[torch.Tensor] = []
        for scale in reversed(range(len(encoded))):
            if scale < len(encoded) - 1:
                features = self.up[scale](features)
            features = self.decoder[scale](features)
            if scale >= len(self.end):
                continue
            output = self.end[scale](torch.cat([encoded[scale], features], dim=2))
            if self.config.global_residual:
                output = output + inputs[scale]
            outputs.insert(0, from_nodes(self.normalizer.decode(output)))
        return tuple(outputs)

    def finest_only(self) -> MSRGCN:
        """The same forecasts without the heads of the coarser scales."""
        return self._with_config(replace(self.config, intermediate_supervision=False))

    def fold(self) -> Folded:
        """Layers with their norms, and without the coarser heads, in float64."""
        (widen, follow), (join, head) = pair(self.start), pair(self.end[0])
        window = Window(self.observed_frames, self.future_frames, len(self.skeleton.moving))
        around = ends(window, widen, head, normalizer=self.normalizer, global_residual=self.config.global_residual)
        first, *coarser = self.encoder
        pyramid = Pyramid(
            encoder=[FoldedResidual([fold(follow), fold(first)], skip=False), *map(fold, coarser)],
            down=map(fold, self.down),
            up=map(fold, self.up),
            decoder=map(fold, self.decoder),
            join=joined(join),
        )
        return layered([pyramid], around)

    def fit_statistics(self, windows: Iterable[torch.Tensor]) -> None:
        """Set the normalisation range to the extremes of the training positions."""
        if self.config.normalize:
            self.normalizer.fit(windows)
