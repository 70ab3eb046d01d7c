"""GraphMixer: learned graphs on joints, for little data; a model of this library, not of a paper."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import nn

from posegraph._support.checks import check_positive, check_probability
from posegraph.errors import ConfigError
from posegraph.folding.forecast import Folded, ModelForecast
from posegraph.folding.layers import as_double
from posegraph.folding.mixer import TINY, FoldedMixerBlock, MirroredMixer, after_norm, centred
from posegraph.layers import GraphMixerBlock, InverseDCT
from posegraph.layers.losses import joint_distance_loss, velocity_loss
from posegraph.layers.normalizers import ZScoreNormalizer
from posegraph.models.base import ForecastModel
from posegraph.recipe import Augmentation, Optimizer, Recipe, Sampling, Schedule
from posegraph.registry import register
from posegraph.skeleton.mirror import mirror_image

__all__ = ["GraphMixer", "GraphMixerConfig"]


@dataclass(frozen=True)
class GraphMixerConfig:
    """Settings of `GraphMixer`."""

    channels: int = 192
    """Channels of each joint."""
    num_blocks: int = 6
    """Residual blocks."""
    num_heads: int = 6
    """Learned adjacencies of a block, each for its share of the channels."""
    expansion: int = 2
    """Hidden channels of a block's perceptron, as a multiple of ``channels``."""
    dropout: float = 0.1
    """Probability of zeroing an element at the end of each half of a block, and inside its perceptron."""
    velocity: float = 1.0
    """Weight of the velocity loss beside the joint distance."""
    frame_power: float = 0.5
    """Forecast frame t, counted from 0, counts in the joint distance as the power -``frame_power`` of t + 1: errors are
    reported at frames that lie closer together at the beginning. 0 for all frames alike."""
    mirrored: bool = True
    """In evaluation, average the forecast with that of the mirrored poses, mirrored back. Skeletons without mirrored
    pairs do without."""

    caution: float = 6.0
    """How much less a forecast moves where that of the mirror image disagrees; 0 for the plain mean. See the class."""

    def __post_init__(self) -> None:
        check_positive(
            channels=self.channels, num_blocks=self.num_blocks, num_heads=self.num_heads, expansion=self.expansion
        )
        check_probability(dropout=self.dropout)
        for name in ("velocity", "frame_power", "caution"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name}: expected a number of at least 0, got {getattr(self, name)!r}.")


@register(
    "graph-mixer",
    recipe=Recipe(
        optimizer=Optimizer(learning_rate=1.5e-3, clip_norm=1.0),
        schedule=Schedule(epochs=14, warm_up=1.0),
        sampling=Sampling(kind="clips", batch_size=64, steps_per_epoch=250),
        augmentation=Augmentation(mirror=0.5, reverse=0.2, turn=0.2, speed=0.15),
        averaging=0.998,
    ),
    summary="GraphMixer (posegraph): learned graphs on joints, layer norm, and averaging over left and right.",
)
class GraphMixer(ForecastModel):
    r"""Learned graphs on joints, made to learn from a few minutes of motion; a model of posegraph's own.

    A node is a joint. Its features begin as a linear map of its last observed position and of the way there from each
    earlier one, plus a vector of its own. Residual blocks (`posegraph.layers.GraphMixerBlock`) mix joints by learned
    adjacencies, several a block, and channels by perceptrons. A linear map of each joint gives the DCT coefficients of
    its future path, relative to the last observed position.

    In evaluation the poses and their mirror image are forecast, and the two forecasts averaged. Where they disagree the
    motion is one that training did not settle, and networks move too far. So a frame's displacements are multiplied by
    $m / (m + c v)$, with $m$ their mean square over the joints, $v$ the variance of the two forecasts, and $c$ the
    setting ``caution``: shrinkage as of James and Stein (1961).

    What differs from the systems of the papers, and why: forecasts are displacements in units of the data's own
    (`fit_statistics`), so a network that is new already repeats the last pose, and nothing of its capacity goes into
    reproducing the input; layer norm in place of batch norm; three times fewer nodes than coordinates; a velocity loss;
    and in evaluation the average over the body and its mirror image, which makes left and right the same to the model.

    Args:
        config: Settings.
        skeleton: Name of a built-in skeleton, or any `Skeleton`.
        observed_frames: Number of observed poses.
        future_frames: Number of poses to forecast.

    Shape:
        - Input: ``(batch, observed_frames, joints, 3)`` in mm
        - Output: a tuple of one tensor ``(batch, observed_frames + future_frames, joints, 3)`` in mm, whose observed
          frames are the input's

    Raises:
        ConfigError: A setting is not valid.
        ShapeError: The input has another shape.

    Examples:
        >>> import torch
        >>> from posegraph.models import GraphMixer, GraphMixerConfig
        >>> model = GraphMixer(GraphMixerConfig(channels=24, num_blocks=2), skeleton="cmu").eval()
        >>> model.predict(torch.zeros(1, 10, 25, 3)).shape
        torch.Size([1, 25, 25, 3])
    """

    config: GraphMixerConfig
    default_config = GraphMixerConfig()
    motion_scale: torch.Tensor
    frame_weights: torch.Tensor
    mirror_joints: torch.Tensor
    mirror_signs: torch.Tensor

    def build(self) -> None:
        """Make the layers."""
        config, nodes, channels = self.config, self.num_joints, self.config.channels
        self.normalizer = ZScoreNormalizer(nodes)
        self.register_buffer("motion_scale", torch.ones(()))
        self.start = nn.Linear(3 * self.observed_frames, channels)
        self.joint_embedding = nn.Parameter(torch.empty(nodes, channels))
        self.blocks = nn.Sequential(
            *(
                GraphMixerBlock(
                    channels,
                    nodes,
                    num_heads=config.num_heads,
                    expansion=config.expansion,
                    dropout=config.dropout,
                )
                for _ in range(config.num_blocks)
            )
        )
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, 3 * self.future_frames)
        self.inverse_dct = InverseDCT(self.future_frames)
        weights = torch.arange(1, self.future_frames + 1, dtype=torch.float32) ** -config.frame_power
        self.register_buffer("frame_weights", weights / weights.mean(), persistent=False)
        nn.init.normal_(self.joint_embedding, std=0.02)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        of_positions = self.skeleton.holds == "positions"
        self.averages_mirror_images = config.mirrored and bool(self.skeleton.mirrored) and of_positions
        if self.averages_mirror_images:
            joints, signs = mirror_image(self.skeleton.reduced)
            self.register_buffer("mirror_joints", joints, persistent=False)
            self.register_buffer("mirror_signs", signs, persistent=False)

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Forecast; shapes as in the class."""
        self.check_observed(observed)
        if self.training or not self.averages_mirror_images:
            future = self.forward_poses(observed)
        else:
            both = torch.stack([observed, self._mirror(observed)]).flatten(0, 1)  # one batch, of any size
            one, other = self.forward_poses(both).unflatten(0, (2, -1)).unbind()
            future = self._agreed(one, self._mirror(other), observed[:, -1:])
        return (torch.cat([observed, future], dim=1),)

    def forward_poses(self, observed: torch.Tensor) -> torch.Tensor:
        """The network itself, from observed to future poses, without averaging over mirror images."""
        last = observed[:, -1:]
        inputs = torch.cat([self.normalizer.encode(last), (observed[:, :-1] - last) / self.motion_scale], dim=1)
        features = self.start(rearrange(inputs, "b t j c -> b j (t c)")) + self.joint_embedding
        coefficients = rearrange(self.head(self.norm(self.blocks(features))), "b j (c k) -> b j c k", c=3)
        return last + self.motion_scale * rearrange(self.inverse_dct(coefficients), "b j c t -> b t j c")

    def _agreed(self, one: torch.Tensor, other: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """The mean of two forecasts, nearer to the last pose where they disagree."""
        moves = (one + other) / 2 - last
        size, doubt = (x.square().sum(-1, keepdim=True).mean(2, keepdim=True) for x in (moves, one - other))
        doubt = self.config.caution * doubt / 2  # the variance of two samples
        return last + moves * size / (size + doubt).clamp(min=TINY)

    def _mirror(self, poses: torch.Tensor) -> torch.Tensor:
        return poses.index_select(2, self.mirror_joints) * self.mirror_signs

    def fold(self) -> Folded:
        """Norms, normalisation and the DCT as part of the products beside them, in float64."""
        scale = as_double(self.motion_scale)
        start = as_double(self.start.weight).T.clone()
        start[3:] /= scale
        entry = centred(start, as_double(self.start.bias) + as_double(self.joint_embedding))
        # (channels, axes, coefficients) to (channels, frames, axes)
        paths = scale * as_double(self.inverse_dct.basis)
        weight = (as_double(self.head.weight).T.unflatten(1, (3, -1)) @ paths).transpose(1, 2).flatten(1)
        shift = (as_double(self.head.bias).unflatten(0, (3, -1)) @ paths).T.flatten()
        mirror = None
        if self.averages_mirror_images:
            mirror = (self.mirror_joints.cpu(), as_double(self.mirror_signs), self.config.caution)
        network = MirroredMixer(
            mean=as_double(self.normalizer.mean),
            std=as_double(self.normalizer.std),
            start=entry.weight,
            embedding=entry.shift,
            blocks=[FoldedMixerBlock(block) for block in self.blocks if isinstance(block, GraphMixerBlock)],
            head=after_norm(self.norm, weight, shift),
            eps=self.norm.eps,
            mirror=mirror,
        )
        return ModelForecast(network, (self.observed_frames, self.num_joints, 3))

    def loss(self, outputs: tuple[torch.Tensor, ...], window: torch.Tensor) -> torch.Tensor:
        """Joint distance of the future poses and, from the last observed pose on, the velocity loss, both weighted.

        Args:
            outputs: What `forward` returned.
            window: Observed and future poses ``(batch, observed_frames + future_frames, joints, 3)``.

        Returns:
            Scalar in the unit of the poses.
        """
        prediction, truth = (poses[:, self.observed_frames - 1 :] for poses in (outputs[0], window))
        loss = joint_distance_loss(prediction[:, 1:], truth[:, 1:], self.frame_weights)
        return loss + self.config.velocity * velocity_loss(prediction, truth) if self.config.velocity else loss

    def fit_statistics(self, windows: Iterable[torch.Tensor]) -> None:
        """Set mean and deviation of the positions, and the root mean square of the observed displacements."""
        count, squares = 0, 0.0

        def passed() -> Iterable[torch.Tensor]:
            nonlocal count, squares
            for window in windows:
                moves = (window[:, : self.observed_frames] - window[:, self.observed_frames - 1, None]).double()
                count, squares = count + moves.numel(), squares + float(moves.square().sum())
                yield window

        self.normalizer.fit(passed())
        if squares:
            self.motion_scale.fill_((squares / count) ** 0.5)
