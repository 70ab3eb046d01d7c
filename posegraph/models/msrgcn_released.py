"""MSR-GCN as its authors released it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import nn

from posegraph._support.checks import check_choice, check_positive, check_probability
from posegraph.errors import ConfigError
from posegraph.folding.forecast import Folded
from posegraph.folding.layers import as_double, fold
from posegraph.folding.network import Pyramid, Window, ends, joined, layered, pair
from posegraph.layers import (
    DCT,
    GraphConvBlock,
    InverseDCT,
    NodeResample,
    Operator,
    PerNodeLinear,
    ResampleBlock,
    ResampleKind,
    ResidualStage,
    check_operator,
    make_resampler,
    scale_operators,
)
from posegraph.layers.normalizers import MinMaxNormalizer
from posegraph.layers.poses import from_nodes, pad_last_pose, to_nodes
from posegraph.models.authors.msrgcn import convert_state
from posegraph.models.base import ForecastModel
from posegraph.recipe import Optimizer, Recipe, Sampling, Schedule
from posegraph.registry import register

__all__ = ["MSRGCNReleased", "MSRGCNReleasedConfig"]

# The authors trained until stopped by hand; the runs that they report end at epochs 19 to 142.
_RECIPE = Recipe(
    optimizer=Optimizer(learning_rate=2e-4),
    schedule=Schedule(epochs=100, decay=0.98, decay_every=2),
    sampling=Sampling(batch_size=16),
)


@dataclass(frozen=True)
class MSRGCNReleasedConfig:
    """Settings of `MSRGCNReleased`; the defaults are the authors' network for 25 future frames."""

    channels: tuple[int, ...] = (64, 128, 256, 512)
    """Channels of each node at every scale, finest first; as many scales as entries."""
    num_coefficients: int | None = None
    """DCT coefficients kept; None keeps one a frame."""
    num_blocks: int = 3
    """Residual GCNs in each of D0, D1, ... and A0, A1, ..."""
    finest_end_blocks: int = 6
    """Residual GCNs before the finest head; the coarser heads have one."""
    e3_input: Literal["a3", "d3"] = "a3"
    """What the coarsest head reads: "a3" as in the authors' current code, "d3" as in that of the paper's time."""
    global_residual: bool = True
    """Add the input coefficients to the output at every scale."""
    intermediate_supervision: bool = True
    """Forecast and train the coarser scales too; False leaves out their heads (the paper's "w/o inter-loss")."""
    normalize: bool = True
    """Scale coefficients to [-1, 1] by the extremes of the training set, as the authors do; False computes in mm."""
    dropout: float = 0.1
    """Probability of zeroing an element after each layer."""
    negative_slope: float = 0.2
    """Slope of the leaky ReLU."""
    resample: ResampleKind = "learned"
    """Steps between scales: learned linear maps, or the fixed means of the grouping."""
    operator: Operator = "learned"
    """Graph operator of the layers."""
    grouping: str | None = None
    """Which grouping of the skeleton makes the coarser scales; None takes its first."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        if not self.channels:
            raise ConfigError("channels: expected one width a scale, got none.")
        for width in self.channels:
            check_positive(channels=width)
        check_positive(num_blocks=self.num_blocks, finest_end_blocks=self.finest_end_blocks)
        check_probability(dropout=self.dropout)
        check_choice("e3_input", self.e3_input, ("a3", "d3"))
        check_choice("resample", self.resample, get_args(ResampleKind))
        object.__setattr__(self, "operator", check_operator(self.operator))


@register(
    "msrgcn-released-short",
    config=MSRGCNReleasedConfig(channels=(256, 256, 256, 256), num_coefficients=15),
    recipe=_RECIPE,
    summary="The authors' released MSR-GCN for 10 future frames: 15 DCT coefficients, 256 channels.",
    future_frames=10,
)
@register(
    "msrgcn-released",
    recipe=_RECIPE,
    summary="The authors' released MSR-GCN for 25 future frames: a U-shaped network on DCT coefficients.",
)
class MSRGCNReleased(ForecastModel):
    """The network that the authors of MSR-GCN released (Dang et al., ICCV 2021), which differs from its paper's text.

    DCT coefficients of the padded poses, scaled to [-1, 1] by the extremes of the training set, go through one graph
    convolution and three residual GCNs at each scale down (D) and up (A). A step down resamples the nodes and changes
    the width by a graph convolution; a step up resamples and changes the width node by node. Going up, the features of
    D are joined to the up-sampled ones along the nodes and cropped by a learned resampling. Heads with residual GCNs of
    their own read A at each scale; the input coefficients of the scale are added. Inputs of the coarser scales serve in
    that addition only.

    The published weights predate a change of the coarsest head, which ``e3_input="d3"`` restores; forecasts of the
    finest scale do not depend on it.

    Args:
        config: Settings; the authors' by default.
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
        >>> from posegraph.models import MSRGCNReleased, MSRGCNReleasedConfig
        >>> model = MSRGCNReleased(MSRGCNReleasedConfig(channels=(8, 16)), skeleton="cmu").eval()
        >>> [tuple(poses.shape) for poses in model(torch.zeros(1, 10, 25, 3))]
        [(1, 35, 25, 3), (1, 35, 12, 3)]
    """

    config: MSRGCNReleasedConfig
    default_config = MSRGCNReleasedConfig()

    def build(self) -> None:
        """Make the layers."""
        config, widths = self.config, self.config.channels
        levels = self.skeleton.scales(len(widths), config.grouping)
        self.groupings = levels if config.intermediate_supervision else ()
        nodes = [3 * self.num_joints, *(3 * level.num_groups for level in levels)]
        operators = scale_operators(config.operator, self.skeleton, levels)
        common: dict[str, Any] = {"dropout": config.dropout, "negative_slope": config.negative_slope}
        scales = range(len(widths))

        def layer(in_channels: int, scale: int) -> GraphConvBlock:
            return GraphConvBlock(in_channels, widths[scale], nodes[scale], operator=operators[scale], **common)

        def stage(scale: int, num_blocks: int) -> ResidualStage:
            return ResidualStage(
                widths[scale], nodes[scale], num_blocks=num_blocks, operator=operators[scale], **common
            )

        def resample(fine: int, *, down: bool) -> ResampleBlock:
            source, target = (fine, fine + 1) if down else (fine + 1, fine)
            step = make_resampler(config.resample, levels[fine], down=down)
            return ResampleBlock(step, nodes[target], widths[source], **common)

        self.dct = DCT(self.total_frames, config.num_coefficients)
        self.inverse_dct = InverseDCT(self.total_frames, config.num_coefficients)
        self.normalizer = MinMaxNormalizer()
        self.start = layer(self.dct.num_coefficients, 0)
        self.encoder = nn.ModuleList(stage(s, config.num_blocks) for s in scales)
        self.decoder = nn.ModuleList(stage(s, config.num_blocks) for s in scales)
        self.down = nn.ModuleList(nn.Sequential(resample(s, down=True), layer(widths[s], s + 1)) for s in scales[:-1])
        self.up = nn.ModuleList(
            nn.Sequential(
                resample(s, down=False),
                GraphConvBlock(widths[s + 1], widths[s], nodes[s], operator=PerNodeLinear, **common),
            )
            for s in scales[:-1]
        )
        self.crop = nn.ModuleList(
            ResampleBlock(NodeResample(2 * nodes[s], nodes[s]), nodes[s], widths[s], **common) for s in scales[:-1]
        )
        self.end = nn.ModuleList(
            nn.Sequential(
                stage(s, config.finest_end_blocks if s == 0 else 1),
                operators[s](widths[s], self.dct.num_coefficients, nodes[s]),
            )
            for s in scales[: 1 + len(self.groupings)]
        )

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Forecast; shapes as in the class."""
        self.check_observed(observed)
        padded = self.coarser(pad_last_pose(observed, self.future_frames))
        outputs = self.forward_coefficients([self.encode(poses) for poses in padded])
        return tuple(self.decode(output) for output in outputs)

    def encode(self, poses: torch.Tensor) -> torch.Tensor:
        """Poses ``(batch, frames, joints, 3)`` to normalised coefficients ``(batch, 3 * joints, num_coefficients)``."""
        return self.normalizer.encode(self.dct(to_nodes(poses)))

    def decode(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Undo `encode`."""
        return from_nodes(self.inverse_dct(self.normalizer.decode(coefficients)))

    def forward_coefficients(self, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        """The network itself, from and to normalised coefficients of every scale that it forecasts, finest first."""
        encoded: list[torch.Tensor] = []
        features = self.start(inputs[0])
        for scale, stage in enumerate(self.encoder):
            if scale:
                features = self.down[scale - 1](features)
            features = stage(features)
            encoded.append(features)
        outputs: list[torch.Tensor] = []
        deepest = len(encoded) - 1
        for scale in reversed(range(len(encoded))):
            if scale < deepest:
                features = self.crop[scale](torch.cat([encoded[scale], self.up[scale](features)], dim=1))
            features = self.decoder[scale](features)
            if scale < len(self.end):
                read = encoded[scale] if scale == deepest and self.config.e3_input == "d3" else features
                output = self.end[scale](read)
                outputs.insert(0, output + inputs[scale] if self.config.global_residual else output)
        return outputs

    def finest_only(self) -> MSRGCNReleased:
        """The same forecasts without the heads of the coarser scales."""
        return self._with_config(replace(self.config, intermediate_supervision=False))

    def fold(self) -> Folded:
        """Layers with their norms, and without the coarser heads, in float64."""
        config = self.config
        stage, head = pair(self.end[0])
        around = ends(
            Window(self.observed_frames, self.future_frames, len(self.skeleton.moving)),
            self.start,
            head,
            basis=as_double(self.dct.basis),
            normalizer=self.normalizer,
            global_residual=config.global_residual,
        )
        if len(config.channels) == 1 and config.e3_input == "d3":  # the finest head is the coarsest one
            return layered([fold(self.encoder[0]), fold(stage)], around)
        pyramid = Pyramid(
            encoder=map(fold, self.encoder),
            down=map(fold, self.down),
            up=map(fold, self.up),
            decoder=map(fold, self.decoder),
            merge=map(joined, self.crop),
        )
        return layered([pyramid, fold(stage)], around)

    def fit_statistics(self, windows: Iterable[torch.Tensor]) -> None:
        """Set the normalisation range to the extremes of training positions and input coefficients at all scales.

        Means of joints cannot exceed the joints, so positions count at the finest scale only. The authors also look
        at the full skeleton, whose further joints copy used ones or stay near the root.
        """

        def values() -> Iterator[torch.Tensor]:
            for window in windows:
                yield window
                padded = pad_last_pose(window[:, : self.observed_frames], self.future_frames)
                yield from (self.dct(to_nodes(poses)) for poses in self.coarser(padded))

        if self.config.normalize:
            self.normalizer.fit(values())

    @classmethod
    def convert_authors_state(cls, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Rename and reorder the authors' parameters; raises `CheckpointError` if the keys are not theirs."""
        return convert_state(state)
