"""Settings of DMGNN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from posegraph._support.checks import check_choice, check_positive, check_probability
from posegraph.errors import ConfigError
from posegraph.layers import Aggregation

__all__ = ["DMGNNConfig"]


RELEASED_UNLOCKED = {"RightLeg": "yz"}
"""The lock that the authors' list for Human3.6M omits."""


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
            object.__setattr__(self, "unlocked", {**RELEASED_UNLOCKED, **self.unlocked})
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
