"""PGBIG: stages that forecast ever less smoothed motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import nn

from posegraph._support.checks import check_positive, check_probability
from posegraph.layers import DCT, InverseDCT, SpatioTemporalDenseBlock, SpatioTemporalDenseConv
from posegraph.layers.losses import multi_scale_loss
from posegraph.layers.poses import accumulated_average, pad_last_pose
from posegraph.models.authors.pgbig import UNUSED, convert_key
from posegraph.models.base import ForecastModel
from posegraph.recipe import Optimizer, Recipe, Sampling, Schedule
from posegraph.registry import register

__all__ = ["PGBIG", "PGBIGConfig"]


@dataclass(frozen=True)
class PGBIGConfig:
    """Settings of `PGBIG`; the defaults are the authors'."""

    num_stages: int = 4
    """Networks in a row, each with parameters of its own."""
    channels: int = 16
    """Channels of each joint and coefficient inside a stage."""
    encoder_blocks: int = 1
    """Residual blocks of two graph convolutions in each encoder."""
    decoder_blocks: int = 2
    """Residual blocks of two graph convolutions in each decoder."""
    dropout: float = 0.3
    """Probability of zeroing an element after each layer."""

    def __post_init__(self) -> None:
        check_positive(
            num_stages=self.num_stages,
            channels=self.channels,
            encoder_blocks=self.encoder_blocks,
            decoder_blocks=self.decoder_blocks,
        )
        check_probability(dropout=self.dropout)


@register(
    "pgbig",
    # The authors clip gradient norms at 10,000; the first 150 steps on CMU have norms of 100 to 820.
    recipe=Recipe(
        optimizer=Optimizer(learning_rate=5e-3),
        schedule=Schedule(epochs=50, decay=0.1 ** (1 / 50), decay_every=1),
        sampling=Sampling(batch_size=16),
    ),
    summary="PGBIG (CVPR 2022): four stages on DCT coefficients; the earlier ones aim at smoothed motion.",
)
class PGBIG(ForecastModel):
    r"""PGBIG, stages that forecast ever less smoothed motion.

    From "Progressively Generating Better Initial Guesses Towards Next Stages for High-Quality Human Motion Prediction"
    (Ma et al., CVPR 2022). The observed poses, padded with the last one, become DCT coefficients. Stages follow one
    another, each reading what the one before forecasts: an encoder, a copy of its result behind itself, which doubles
    the coefficients, and a decoder, of whose coefficients the first half is the stage's forecast. The graph
    convolutions have learned adjacencies of joints and of coefficients. Positions are not normalised, and the input is
    not added to the output.

    The last stage is trained towards the true poses, the one before it towards their `accumulated_average`, and each
    earlier stage towards a motion smoothed once more. The loss is the mean joint distance over all stages and frames.

    The authors' class holds batch norms that it never uses, 295,680 parameters for 22 joints, and their published
    count includes them; this one has none.

    Args:
        config: Settings; the authors' by default.
        skeleton: Name of a built-in skeleton, or any `Skeleton`.
        observed_frames: Number of observed poses.
        future_frames: Number of poses to forecast.

    Shape:
        - Input: ``(batch, observed_frames, joints, 3)`` in mm
        - Output: a tuple of one tensor ``(batch, observed_frames + future_frames, joints, 3)`` in mm a stage, the last
          stage, which is the forecast, first

    Raises:
        ConfigError: A setting is not valid.
        ShapeError: The input has another shape, or a training batch has a single sample.

    Examples:
        >>> import torch
        >>> from posegraph.models import PGBIG, PGBIGConfig
        >>> model = PGBIG(PGBIGConfig(num_stages=2, channels=4), future_frames=10).eval()
        >>> len(model(torch.zeros(1, 10, 22, 3))), model.predict(torch.zeros(1, 10, 22, 3)).shape
        (2, torch.Size([1, 10, 22, 3]))
    """

    config: PGBIGConfig
    default_config = PGBIGConfig()

    def build(self) -> None:
        """Make the layers."""
        self.dct = DCT(self.total_frames)
        self.inverse_dct = InverseDCT(self.total_frames)
        self.stages = nn.ModuleList(
            _Stage(self.config, self.num_joints, self.total_frames) for _ in range(self.config.num_stages)
        )

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Forecast; shapes as in the class."""
        self.check_observed(observed)
        padded = pad_last_pose(observed, self.future_frames)
        stages = self.forward_coefficients(self.dct(rearrange(padded, "b t j c -> b c j t")))
        return tuple(rearrange(self.inverse_dct(stage), "b c j t -> b t j c") for stage in reversed(stages))

    def forward_coefficients(self, coefficients: torch.Tensor) -> list[torch.Tensor]:
        """The network itself, from DCT coefficients ``(batch, 3, joints, frames)`` to those of every stage in order."""
        outputs: list[torch.Tensor] = []
        for stage in self.stages:
            coefficients = stage(coefficients)
            outputs.append(coefficients)
        return outputs

    def targets(self, window: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What each output of `forward` is trained towards: the true poses, then ever smoother ones.

        Args:
            window: Observed and future poses ``(batch, observed_frames + future_frames, joints, 3)``.

        Returns:
            One tensor an output, of the output's shape.
        """
        targets = [window]
        while len(targets) < self.config.num_stages:
            targets.append(accumulated_average(targets[-1], self.observed_frames))
        return tuple(targets)

    def loss(self, outputs: tuple[torch.Tensor, ...], window: torch.Tensor) -> torch.Tensor:
        """The mean joint distance of all stages.

        Args:
            outputs: What `forward` returned.
            window: Observed and future poses ``(batch, observed_frames + future_frames, joints, 3)``.

        Returns:
            Scalar.
        """
        return multi_scale_loss(outputs, self.targets(window)) / len(outputs)

    @classmethod
    def convert_authors_state(cls, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Rename the authors' parameters, without those that their class does not use.

        Raises:
            CheckpointError: The keys are not theirs.
        """
        return {convert_key(key): value for key, value in state.items() if not UNUSED.fullmatch(key)}


class _Stage(nn.Module):
    """Encoder, copy, decoder."""

    def __init__(self, config: PGBIGConfig, num_joints: int, num_frames: int) -> None:
        super().__init__()
        width, dropout = config.channels, config.dropout
        self.encoder = _Coder((3, width, width), num_joints, num_frames, config.encoder_blocks, dropout)
        self.decoder = _Coder((width, width, 3), num_joints, 2 * num_frames, config.decoder_blocks, dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        encoded = self.encoder(x)
        return self.decoder(torch.cat([encoded, encoded], dim=3))[..., : x.shape[3]]


class _Coder(nn.Module):
    """A graph convolution, residual blocks of two and a bare one; a linear map of the input's channels is added."""

    def __init__(
        self, channels: tuple[int, int, int], num_joints: int, num_frames: int, num_blocks: int, dropout: float
    ) -> None:
        super().__init__()
        in_channels, width, out_channels = channels

        def block(channels: int) -> SpatioTemporalDenseBlock:
            return SpatioTemporalDenseBlock(channels, width, num_joints, num_frames, dropout=dropout)

        self.start = block(in_channels)
        self.blocks = nn.ModuleList(nn.Sequential(block(width), block(width)) for _ in range(num_blocks))
        self.head = SpatioTemporalDenseConv(width, out_channels, num_joints, num_frames)
        self.skip = nn.Conv2d(in_channels, out_channels, kernel_size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.start(x)
        for block in self.blocks:
            y = block(y) + y
        return self.head(y) + self.skip(x)
