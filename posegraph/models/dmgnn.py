"""DMGNN: dynamic multi-scale graph networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from einops import rearrange
from torch import nn

from posegraph.errors import ConfigError
from posegraph.layers import (
    Dropout,
    GraphGRUCell,
)
from posegraph.layers.normalizers import ZScoreNormalizer
from posegraph.models._dmgnn_config import RELEASED_UNLOCKED, DMGNNConfig
from posegraph.models._dmgnn_encoder import Encoder, graphs_of, parts_and_bodies
from posegraph.models.authors.dmgnn import convert_state
from posegraph.models.base import ForecastModel
from posegraph.recipe import Optimizer, Recipe, Sampling, Schedule
from posegraph.registry import register
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["DMGNN", "DMGNNConfig"]

# The authors count 40000 steps and decay after every 1000.
_RECIPE = Recipe(
    optimizer=Optimizer(learning_rate=1e-4, weight_decay=1e-4, clip_norm=0.5),
    schedule=Schedule(epochs=40, decay=0.98, decay_every=1, first_decay=2),
    sampling=Sampling(kind="clips", batch_size=32, steps_per_epoch=1000),
)
_NUM_DIFFERENCES = 3  # positions, velocities, accelerations

_RELEASED = DMGNNConfig(
    aggregation="released",
    scrambled_embedding=True,
    body_copy_slip=True,
    lagged_velocity=True,
    early_training_acceleration=True,
    noise_in_evaluation=True,
    message_steps=10,
    decoder_graph_offset=1.0,
    unlocked=RELEASED_UNLOCKED,
    rehung={"RightArm": ("Spine1", "Neck")},
)


@register(
    "dmgnn-released",
    config=_RELEASED,
    recipe=_RECIPE,
    summary="The authors' released DMGNN, with all that its code does otherwise than the paper.",
)
@register(
    "dmgnn",
    recipe=_RECIPE,
    summary="DMGNN (CVPR 2020): joints, parts and bodies that exchange features, and a recurrent graph decoder.",
)
class DMGNN(ForecastModel):
    r"""DMGNN, from "Dynamic Multiscale Graph Neural Networks for 3D Skeleton-Based Human Motion Prediction".

    Li et al., CVPR 2020, arXiv:2003.08802. Poses are normalised to mean 0 and standard deviation 1 by coordinate. Three
    encoders read the positions, velocities and accelerations of all observed frames but the last. Each runs
    `SpatioTemporalGraphConv` layers on joints, parts and bodies side by side, with a `CrossScaleFusion` after the first
    two, returns parts and bodies to their joints, and averages over time. A linear layer joins the three into the first
    state of a decoder, which goes on frame by frame from the last observed pose: a `GraphGRUCell` reads the latest
    pose, velocity and acceleration, and an output network gives the step to the next pose. The loss is the mean
    absolute error of the normalised future poses.

    The released code differs from the paper in ways that look unintended. ``dmgnn`` has none of them: embeddings are of
    a node's own motion, the velocity is that between the two latest poses, messages pass in every step, the decoder's
    graph starts as the skeleton, evaluation adds no noise. Where the paper leaves a choice it takes the plainest one,
    such as the mean over a node's messages, or the released one: weights, dropout, widths, initialisation.
    ``dmgnn-released`` is the released code.

    Args:
        config: Settings.
        skeleton: Name of a built-in skeleton, or any `Skeleton`, of positions or rotations.
        observed_frames: Number of observed poses, at least three.
        future_frames: Number of poses to forecast.

    Shape:
        - Input: ``(batch, observed_frames, joints, 3)`` in mm, or in radians for rotations
        - Output: a tuple of one tensor ``(batch, observed_frames + future_frames, joints, 3)`` in the same unit

    Raises:
        ConfigError: A setting is not valid, or there are fewer than three observed frames.
        SkeletonError: The grouping has too few levels.
        UnknownNameError: The skeleton has no grouping of this name.
        ShapeError: The input has another shape, or a training batch has a single sample of a tiny skeleton.

    Examples:
        >>> import torch
        >>> from posegraph.models import DMGNN, DMGNNConfig
        >>> model = DMGNN(DMGNNConfig(channels=(8, 16), embedding_channels=16, decoder_channels=16)).eval()
        >>> model.predict(torch.zeros(1, 10, 22, 3)).shape
        torch.Size([1, 25, 22, 3])
    """

    config: DMGNNConfig
    default_config = DMGNNConfig()
    moves: torch.Tensor
    evaluation_noise: torch.Tensor

    def build(self) -> None:
        """Make the layers."""
        config = self.config
        if self.observed_frames < 3:
            raise ConfigError(
                f"observed_frames: expected at least 3, since the decoder starts with an acceleration, got "
                f"{self.observed_frames}."
            )
        coarser = parts_and_bodies(self.skeleton, config.grouping)
        graphs = graphs_of(self.skeleton.reduced, coarser, config.rehung)
        self.normalizer = ZScoreNormalizer(self.num_joints)
        self.encoders = nn.ModuleList(
            Encoder(config, coarser, graphs, self.observed_frames - 1) for _ in range(_NUM_DIFFERENCES)
        )
        width = config.decoder_channels
        self.join = nn.Linear(_NUM_DIFFERENCES * config.channels[-1], width)
        self.cell = GraphGRUCell(
            3 * _NUM_DIFFERENCES,
            width,
            graphs[0],
            graph_offset=config.decoder_graph_offset,
            dropout=config.dropout,
        )
        self.head = nn.Sequential(
            *(nn.Linear(width, width), nn.LeakyReLU(0.1), Dropout(config.output_dropout)),
            *(nn.Linear(width, width), nn.LeakyReLU(0.1), Dropout(config.output_dropout)),
            nn.Linear(width, 3),
        )
        self.register_buffer("moves", _moves(self.skeleton, config.unlocked), persistent=False)
        self.register_buffer("evaluation_noise", self._evaluation_noise(), persistent=False)
        self.apply(_initialize)
        _initialize_convolution(self.cell.send)

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Forecast; shapes as in the class."""
        self.check_observed(observed)
        future = self.normalizer.decode(self.forward_normalized(self.normalizer.encode(observed)))
        return (torch.cat([observed, future], dim=1),)

    def forward_normalized(self, observed: torch.Tensor) -> torch.Tensor:
        """The network itself: normalised poses ``(batch, observed_frames, joints, 3)`` to ``future_frames`` further."""
        return self.decode(self.encode(observed[:, :-1]), observed[:, -3:])

    def encode(self, poses: torch.Tensor) -> torch.Tensor:
        """The decoder's first state ``(batch, joints, channels)`` from all observed normalised poses but the last."""
        velocities = _differences(poses)
        accelerations = _differences(velocities)
        if self.training and self.config.early_training_acceleration:
            accelerations = torch.cat([accelerations[:, 1:], torch.zeros_like(poses[:, :1])], dim=1)
        motion = (poses, velocities, accelerations)
        encoded = [encoder(x) for encoder, x in zip(self.encoders, motion, strict=True)]
        return torch.relu(self.join(rearrange(torch.cat(encoded, dim=1), "b c j -> b j c")))

    def decode(self, state: torch.Tensor, latest: torch.Tensor) -> torch.Tensor:
        """Normalised future poses from a state and the three latest normalised poses ``(batch, 3, joints, 3)``."""
        config = self.config
        steps = self.future_frames if config.message_steps is None else config.message_steps
        before, previous, pose = latest.unbind(1)
        future: list[torch.Tensor] = []
        for step, noise in enumerate(self._noise(latest).unbind(1)):
            velocity, last_velocity = pose - previous, previous - before
            read = pose + noise
            motion = (read, last_velocity if config.lagged_velocity else velocity, velocity - last_velocity)
            state = self.cell(torch.cat(motion, dim=-1), state, pass_messages=step < steps)
            before, previous, pose = previous, pose, read + self.head(state)
            future.append(pose)
        return torch.stack(future, dim=1) * self.moves

    def _noise(self, like: torch.Tensor) -> torch.Tensor:
        """Noise for each step and joint, ``(batch or 1, future_frames, joints, 3)``."""
        shape = (self.future_frames, self.num_joints, 3)
        if self.training:
            return self.config.noise * torch.randn(like.shape[0], *shape, dtype=like.dtype, device=like.device)
        return self.evaluation_noise.to(like)

    def _evaluation_noise(self) -> torch.Tensor:
        """One draw for every sample and call, so that equal observations keep equal forecasts; zero without noise."""
        shape = (1, self.future_frames, self.num_joints, 3)
        if not self.config.noise_in_evaluation:
            return torch.zeros(shape)
        return self.config.noise * torch.randn(shape, generator=torch.Generator().manual_seed(0))

    def loss(self, outputs: tuple[torch.Tensor, ...], window: torch.Tensor) -> torch.Tensor:
        """Mean absolute error of the normalised future poses, those after the tenth times ``late_weight``."""
        forecast, truth = (self.normalizer.encode(poses[:, self.observed_frames :]) for poses in (outputs[0], window))
        by_frame = (forecast - truth).abs().mean(dim=(0, 2, 3))
        weights = torch.ones_like(by_frame)
        weights[10:] = self.config.late_weight
        return (weights * by_frame).mean()

    def fit_statistics(self, windows: Iterable[torch.Tensor]) -> None:
        """Take mean and standard deviation of each coordinate from the frames of all training windows.

        The authors take them from all frames of the training files at the files' own rate, each frame once.
        """
        self.normalizer.fit(windows)

    @classmethod
    def convert_authors_state(cls, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Rename and join the authors' parameters; raises `CheckpointError` if the keys are not theirs.

        The linear layers of the three gates become one for the inputs and one for the states. A graph matrix, which
        the authors keep once an encoder, goes to each layer of its scale.
        """
        return convert_state(state)


def _differences(poses: torch.Tensor) -> torch.Tensor:
    """Step from the frame before; zero for the first frame."""
    return torch.cat([torch.zeros_like(poses[:, :1]), poses.diff(dim=1)], dim=1)


def _moves(skeleton: Skeleton, unlocked: Mapping[str, str]) -> torch.Tensor:
    """The 0/1 matrix ``(joints, 3)``: 1 where a forecast may move."""
    moves = torch.zeros(3 * skeleton.num_used)
    moves[list(skeleton.moving)] = 1.0
    moves = moves.view(-1, 3)
    for joint, axes in unlocked.items():
        if set(skeleton.locked.get(joint, "")) == set(axes):
            moves[skeleton.reduced.index(joint)] = 1.0
    return moves


def _initialize(module: nn.Module) -> None:
    """Start convolutions and batch norms as the authors do."""
    if isinstance(module, nn.Conv2d):
        _initialize_convolution(module)
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def _initialize_convolution(module: nn.Conv2d | nn.Linear) -> None:
    for parameter in module.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, 0.0, 0.02)
        else:
            nn.init.zeros_(parameter)
