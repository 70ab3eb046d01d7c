"""DMGNN: dynamic multi-scale graph networks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import torch
from torch import nn

from posegraph._support.checks import check_choice, check_positive, check_probability
from posegraph.errors import CheckpointError, ConfigError
from posegraph.layers import (
    Aggregation,
    CrossScaleFusion,
    Dropout,
    GraphGRUCell,
    JointPool,
    JointUnpool,
    NodeEmbedding,
    SpatioTemporalGraphConv,
    hop_graphs,
)
from posegraph.layers.normalizers import ZScoreNormalizer
from posegraph.models.base import ForecastModel
from posegraph.recipe import Recipe
from posegraph.registry import register
from posegraph.skeleton.adjacency import coarsen_bones
from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["DMGNN", "DMGNNConfig"]

# The authors count 40000 steps and decay after every 1000.
_RECIPE = Recipe(
    learning_rate=1e-4,
    decay=0.98,
    decay_every=1,
    first_decay=2,
    batch_size=32,
    epochs=40,
    clip_norm=0.5,
    weight_decay=1e-4,
    sampling="clips",
    steps_per_epoch=1000,
)
_NUM_DIFFERENCES = 3  # positions, velocities, accelerations
_RELEASED_UNLOCKED = {"RightLeg": "yz"}


@dataclass(frozen=True)
class DMGNNConfig:
    """Settings of `DMGNN`; the defaults follow the paper, and the released code where the paper is silent.

    The fields from ``aggregation`` on switch between the paper and what the released code does in its place.
    ``dmgnn-released`` sets all of them.
    """

    channels: tuple[int, ...] = (32, 64, 128, 256)
    """Channels of the encoder's layers. A last layer of the last width follows at the finest scale."""
    embedding_channels: int = 256
    """Size of the embeddings that attention between scales compares."""
    decoder_channels: int = 256
    """Channels of each joint's state in the decoder."""
    kernel_size: int = 5
    """Frames that a temporal convolution reads, an odd number."""
    fusion_levels: int = 2
    """After how many of the first layers the scales exchange features."""
    fusion_weight: float = 0.3
    """Weight of what other scales bring."""
    coarse_weight: float = 0.6
    """Weight of parts and bodies where they return to the joints."""
    dropout: float = 0.5
    """Probability of zeroing an element after each layer of the encoder and in the decoder's messages."""
    embedding_dropout: float = 0.2
    """The same in the embeddings."""
    output_dropout: float = 0.3
    """The same before the decoder's last layers."""
    noise: float = 0.001
    """Standard deviation of the noise on the poses that the decoder reads in training; the authors use 0.0005 for CMU
    Mocap. Poses are normalised to a standard deviation of 1."""
    late_weight: float = 1.0
    """Weight of the future frames after the tenth in the loss; the authors use 2 for 25 frames of CMU Mocap."""
    grouping: str | None = None
    """Which grouping of the skeleton makes the two coarser scales; None takes "parts", or "automatic" without it."""
    aggregation: Aggregation = "mean"
    """How a node joins the messages of the others, as in `PairwiseMessages`; released: "released"."""
    scrambled_embedding: bool = False
    """Embed stretches of time of several nodes in place of each node's own motion; released: True."""
    body_copy_slip: bool = False
    """Give the last joint of the second body the features of the third when bodies return to joints; released: True."""
    lagged_velocity: bool = False
    """Give the decoder the velocity of one frame before; released: True."""
    early_training_acceleration: bool = False
    """In training, give the encoder accelerations one frame early; released: True."""
    noise_in_evaluation: bool = False
    """Add ``noise`` in evaluation as well, the same draw for every sample and call; released: True."""
    message_steps: int | None = None
    """How many of the decoder's first steps pass messages between joints; None for all; released: 10."""
    decoder_graph_offset: float = 0.0
    """What the decoder's graph starts with between all pairs of joints, beside the skeleton; released: 1."""
    unlocked: Mapping[str, str] = field(default_factory=dict)
    """Locks of the skeleton that the output mask leaves out, as {joint: axes}; a lock of other axes stays. Released:
    the right knee, which the authors' list for Human3.6M omits."""
    rehung: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Bones that the graph of the joints hangs elsewhere, as {joint: (its parent in the skeleton, the one in the
    graph)}; a joint with another parent stays. Parts and bodies follow the skeleton. Released: the right arm on the
    neck, as in the authors' list for rotations of CMU Mocap."""
    output_mask: Literal["skeleton", "released"] = "skeleton"
    """What files of version 0.1 have in place of ``unlocked``; "released" becomes the released ``unlocked``."""

    def __post_init__(self) -> None:
        if isinstance(self.channels, (int, str)):
            raise ConfigError(f"channels: expected one width a layer, as in (32, 64), got {self.channels!r}.")
        object.__setattr__(self, "channels", tuple(self.channels))
        check_choice("output_mask", self.output_mask, ("skeleton", "released"))
        if self.output_mask == "released":
            object.__setattr__(self, "unlocked", {**_RELEASED_UNLOCKED, **self.unlocked})
            object.__setattr__(self, "output_mask", "skeleton")
        for joint, axes in self.unlocked.items():
            if not axes or not set(axes) <= set("xyz"):
                raise ConfigError(f"unlocked: expected axes among 'xyz' for each joint, got {joint!r}: {axes!r}.")
        for joint, hung in self.rehung.items():
            if isinstance(hung, str) or len(hung) != 2:
                raise ConfigError(
                    f"rehung: expected (its parent, another one) for each joint, got {joint!r}: {hung!r}."
                )
        object.__setattr__(self, "unlocked", dict(self.unlocked))
        object.__setattr__(self, "rehung", {joint: (hung[0], hung[1]) for joint, hung in self.rehung.items()})
        if not self.channels:
            raise ConfigError("channels: expected one width a layer, got none.")
        for width in self.channels:
            check_positive(channels=width)
        check_positive(
            embedding_channels=self.embedding_channels,
            decoder_channels=self.decoder_channels,
            kernel_size=self.kernel_size,
        )
        if self.fusion_levels not in range(len(self.channels) + 1):
            raise ConfigError(
                f"fusion_levels: expected 0 to {len(self.channels)}, the number of layers, got {self.fusion_levels!r}."
            )
        if self.message_steps is not None and self.message_steps != 0:
            check_positive(message_steps=self.message_steps)
        check_probability(
            dropout=self.dropout, embedding_dropout=self.embedding_dropout, output_dropout=self.output_dropout
        )
        for name in ("noise", "late_weight"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name}: expected a number of at least 0, got {getattr(self, name)!r}.")
        check_choice("aggregation", self.aggregation, get_args(Aggregation))


_RELEASED = DMGNNConfig(
    aggregation="released",
    scrambled_embedding=True,
    body_copy_slip=True,
    lagged_velocity=True,
    early_training_acceleration=True,
    noise_in_evaluation=True,
    message_steps=10,
    decoder_graph_offset=1.0,
    unlocked=_RELEASED_UNLOCKED,
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

    default_config: ClassVar[DMGNNConfig] = DMGNNConfig()
    config: DMGNNConfig
    moves: torch.Tensor

    def __init__(
        self,
        config: DMGNNConfig | None = None,
        *,
        skeleton: str | Skeleton = "h36m",
        observed_frames: int = 10,
        future_frames: int = 25,
    ) -> None:
        super().__init__(config, skeleton=skeleton, observed_frames=observed_frames, future_frames=future_frames)
        config = self.config
        if observed_frames < 3:
            raise ConfigError(
                f"observed_frames: expected at least 3, since the decoder starts with an acceleration, got "
                f"{observed_frames}."
            )
        coarser = _parts_and_bodies(self.skeleton, config.grouping)
        graphs = _graphs(self.skeleton.reduced, coarser, config.rehung)
        self.normalizer = ZScoreNormalizer(self.num_joints)
        self.encoders = nn.ModuleList(
            _Encoder(config, coarser, graphs, observed_frames - 1) for _ in range(_NUM_DIFFERENCES)
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
        return torch.relu(self.join(torch.cat(encoded, dim=1).transpose(1, 2)))

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
            return self.config.noise * torch.randn(len(like), *shape, dtype=like.dtype, device=like.device)
        if not self.config.noise_in_evaluation:
            return like.new_zeros(1, *shape)
        # A generator of its own and one draw for the whole batch: equal observations keep equal forecasts.
        generator = torch.Generator().manual_seed(0)
        return (self.config.noise * torch.randn(1, *shape, generator=generator)).to(like)

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
        converted: dict[str, torch.Tensor] = {}
        gates: dict[str, dict[str, torch.Tensor]] = {}
        for key, value in state.items():
            gate = re.fullmatch(r"decoder\.(input|hidden)_([rinh])\.(weight|bias)", key)
            if gate is not None:
                gates.setdefault(f"{gate[1]}.{gate[3]}", {})[gate[2]] = value
                continue
            # the authors' convolution over joints of kernel 1 is a linear layer here
            value = value.squeeze(-1) if key == "decoder.msg_in.conv.weight" else value
            converted |= dict.fromkeys(_convert_key(key), value)
        for name, by_gate in gates.items():
            kind, leaf = name.split(".")
            own, order = _AUTHORS_GATES[kind]
            missing = [gate for gate in order if gate not in by_gate]
            if missing:
                raise CheckpointError(
                    f"parameter 'decoder.{kind}_{missing[0]}.{leaf}' is missing beside those of the other gates. "
                    "Is the file complete?"
                )
            converted[f"cell.{own}.{leaf}"] = torch.cat([by_gate[gate] for gate in order])
        return converted


class _Encoder(nn.Module):
    """From poses, velocities or accelerations ``(batch, frames, joints, 3)`` to ``(batch, channels, joints)``."""

    def __init__(
        self, config: DMGNNConfig, coarser: Sequence[JointGrouping], graphs: Sequence[torch.Tensor], frames: int
    ) -> None:
        super().__init__()
        self.coarse_weight = config.coarse_weight
        widths = (3, *config.channels)

        def layer(level: int, graph: torch.Tensor) -> SpatioTemporalGraphConv:
            first = level == 0
            return SpatioTemporalGraphConv(
                widths[level],
                widths[level + 1],
                graph,
                kernel_size=config.kernel_size,
                stride=1 if first else 2,
                residual=not first,
                dropout=config.dropout,
            )

        def fusion(channels: int, frames: int) -> CrossScaleFusion:
            def embedding(num_nodes: int) -> NodeEmbedding:
                return NodeEmbedding(
                    channels,
                    frames,
                    num_nodes,
                    channels=config.embedding_channels,
                    kernel_size=config.kernel_size,
                    dropout=config.embedding_dropout,
                    aggregation=config.aggregation,
                    scrambled=config.scrambled_embedding,
                )

            return CrossScaleFusion([graph.shape[-1] for graph in graphs], embedding, weight=config.fusion_weight)

        self.pools = nn.ModuleList(JointPool(grouping) for grouping in coarser)
        self.levels = nn.ModuleList()
        for level in range(len(config.channels)):
            layers = [layer(level, graph) for graph in graphs]
            frames = layers[0].num_frames(frames)
            fused = level < config.fusion_levels
            self.levels.append(_Level(layers, fusion(widths[level + 1], frames) if fused else None))
        returned = (*coarser[:-1], _slipped(coarser[-1]) if config.body_copy_slip else coarser[-1])
        self.returns = nn.ModuleList(JointUnpool(grouping) for grouping in returned)
        self.last = SpatioTemporalGraphConv(
            widths[-1], widths[-1], graphs[0], kernel_size=config.kernel_size, dropout=config.dropout
        )

    def forward(self, motion: torch.Tensor) -> torch.Tensor:
        """Encode; shapes as in the class."""
        features = [x.permute(0, 3, 1, 2) for x in (motion, *(pool(motion) for pool in self.pools))]
        for level in self.levels:
            features = level(features)
        joints, *coarse = features
        for x, to_joints in zip(coarse, self.returns, strict=True):
            joints = joints + self.coarse_weight * to_joints(x.transpose(2, 3)).transpose(2, 3)
        return self.last(joints).mean(dim=2)


class _Level(nn.Module):
    """A layer at each scale, then perhaps their fusion."""

    def __init__(self, layers: Iterable[nn.Module], fusion: nn.Module | None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.fusion = fusion

    def forward(self, features: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Apply; one tensor ``(batch, channels, frames, nodes)`` a scale, finest first."""
        features = [layer(x) for layer, x in zip(self.layers, features, strict=True)]
        return features if self.fusion is None else self.fusion(features)


def _parts_and_bodies(skeleton: Skeleton, grouping: str | None) -> tuple[JointGrouping, JointGrouping]:
    """The joints of each part, and of each body."""
    if grouping is None:
        grouping = "parts" if "parts" in skeleton.groupings else "automatic"
    parts, parts_of_bodies = skeleton.scales(3, grouping)
    bodies = (sorted({j for part in body for j in parts.groups[part]}) for body in parts_of_bodies.groups)
    allow_unused = parts.allow_unused or parts_of_bodies.allow_unused
    groups = tuple(tuple(body) for body in bodies)
    return parts, JointGrouping(groups, parts.num_joints, parts_of_bodies.names, allow_unused)


def _graphs(
    used: Skeleton, coarser: Sequence[JointGrouping], rehung: Mapping[str, tuple[str, str]]
) -> list[torch.Tensor]:
    """The graph of each scale, finest first."""
    names = used.joint_names
    joints = list(used.bones)
    for i, (parent, child) in enumerate(used.bones):
        own, other = rehung.get(names[child], ("", ""))
        if own == names[parent] and other in names:
            joints[i] = (used.index(other), child)
    graphs = [hop_graphs(joints, used.num_joints)]
    return graphs + [hop_graphs(coarsen_bones(used.bones, level), level.num_groups) for level in coarser]


def _slipped(bodies: JointGrouping) -> JointGrouping:
    """The last joint of the second body in the third; as it is where there are too few bodies or joints."""
    if bodies.num_groups < 3 or len(bodies.groups[1]) < 2:
        return bodies
    first, (*second, slipped), third, *others = bodies.groups
    groups = (first, tuple(second), tuple(sorted({*third, slipped})), *others)
    return JointGrouping(groups, bodies.num_joints, bodies.names, bodies.allow_unused)


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


_AUTHORS_ENCODERS = {"encoder_pos": 0, "encoder_vel": 1, "encoder_acl": 2}
_AUTHORS_LEVELS = 4
_AUTHORS_GATES = {"input": ("input_gates", "rin"), "hidden": ("state_gates", "rih")}
_AUTHORS_GRAPHS = {"emul": "factor", "eadd": "offset", "A_j": "fixed"}
_AUTHORS_PARTS = {
    "gcn.conv": "spatial",
    "tcn": "temporal",
    "residual": "residual",
    "time_conv": "temporal",
    "mlp1.fc1": "node.hidden",
    "mlp1.fc2": "node.output",
    "mlp1.bn": "node.norm",
    "mlp2.fc1": "messages.pair.hidden",
    "mlp2.fc2": "messages.pair.output",
    "mlp2.bn": "messages.pair.norm",
    "mlp3.fc1": "output.hidden",
    "mlp3.fc2": "output.output",
    "mlp3.bn": "output.norm",
}


def _convert_key(key: str) -> list[str]:
    """Our names of a parameter: encoder_pos.s2_l1.tcn.0.bias is encoders.0.levels.0.layers.1.temporal.0.bias."""
    module, _, rest = key.partition(".")
    if module in _AUTHORS_ENCODERS:
        names = [f"encoders.{_AUTHORS_ENCODERS[module]}.{name}" for name in _convert_encoder_key(rest)]
    elif module == "decoder":
        names = _convert_decoder_key(rest)
    else:
        names = [f"join.{rest}"] if key in ("linear.weight", "linear.bias") else []
    if not names:
        raise CheckpointError(
            f"parameter {key!r}: expected the authors' names, such as encoder_pos.s1_l1.gcn.conv.weight. "
            "Is this a DMGNN checkpoint?"
        )
    return names


def _convert_encoder_key(key: str) -> list[str]:
    if graph := re.fullmatch(r"A_([jpb])", key):
        scale = "jpb".index(graph[1])
        levels = range(_AUTHORS_LEVELS + (scale == 0))
        return [f"{_layer(level, scale)}.graph.fixed" for level in levels]
    if weights := re.fullmatch(r"(emul|eadd)_s([123])\.(\d)", key):
        return [f"{_layer(int(weights[3]), int(weights[2]) - 1)}.graph.{_AUTHORS_GRAPHS[weights[1]]}"]
    if layer := re.fullmatch(r"s([123])_l(\d)\.(gcn\.conv|tcn|residual)\.(.+)", key):
        return [f"{_layer(int(layer[2]) - 1, int(layer[1]) - 1)}.{_AUTHORS_PARTS[layer[3]]}.{layer[4]}"]
    if embedding := re.fullmatch(
        r"(j2p|p2j|p2b|b2p)_([12])\.embed_s([123])\.(time_conv|mlp[123]\.(?:fc1|fc2|bn))\.(.+)", key
    ):
        ends = ["jpb".index(scale) for scale in embedding[1].split("2")]
        direction = "to_coarser" if ends[0] < ends[1] else "to_finer"
        role = "source" if int(embedding[3]) - 1 == ends[0] else "target"
        attention = f"levels.{int(embedding[2]) - 1}.fusion.{direction}.{min(ends)}.{role}"
        return [f"{attention}.{_AUTHORS_PARTS[embedding[4]]}.{embedding[5]}"]
    return []


def _layer(level: int, scale: int) -> str:
    return "last" if level == _AUTHORS_LEVELS else f"levels.{level}.layers.{scale}"


def _convert_decoder_key(key: str) -> list[str]:
    if key in _AUTHORS_GRAPHS:
        return [f"cell.graph.{_AUTHORS_GRAPHS[key]}"]
    if message := re.fullmatch(r"msg_in\.conv\.(weight|bias)", key):
        return [f"cell.send.{message[1]}"]
    if output := re.fullmatch(r"out_fc([123])\.(weight|bias)", key):
        return [f"head.{3 * int(output[1]) - 3}.{output[2]}"]
    return []
