"""Encoder of DMGNN: joints, parts and bodies side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from einops import rearrange
from torch import nn

from posegraph.layers import (
    CrossScaleFusion,
    JointPool,
    JointUnpool,
    NodeEmbedding,
    SpatioTemporalGraphConv,
    hop_graphs,
)
from posegraph.models._dmgnn_config import DMGNNConfig
from posegraph.skeleton.adjacency import coarsen_bones
from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["Encoder", "graphs_of", "parts_and_bodies"]


class Encoder(nn.Module):
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
            self.levels.append(Level(layers, fusion(widths[level + 1], frames) if fused else None))
        returned = (*coarser[:-1], _slipped(coarser[-1]) if config.body_copy_slip else coarser[-1])
        self.returns = nn.ModuleList(JointUnpool(grouping) for grouping in returned)
        self.last = SpatioTemporalGraphConv(
            widths[-1], widths[-1], graphs[0], kernel_size=config.kernel_size, dropout=config.dropout
        )

    def forward(self, motion: torch.Tensor) -> torch.Tensor:
        """Encode; shapes as in the class."""
        features = [rearrange(x, "b t n c -> b c t n") for x in (motion, *(pool(motion) for pool in self.pools))]
        for level in self.levels:
            features = level(features)
        joints, *coarse = features
        for x, to_joints in zip(coarse, self.returns, strict=True):
            finer = rearrange(to_joints(rearrange(x, "b c t n -> b c n t")), "b c j t -> b c t j")
            joints = joints + self.coarse_weight * finer
        return self.last(joints).mean(dim=2)


class Level(nn.Module):
    """A layer at each scale, then perhaps their fusion."""

    def __init__(self, layers: Iterable[nn.Module], fusion: nn.Module | None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.fusion = fusion

    def forward(self, features: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Apply; one tensor ``(batch, channels, frames, nodes)`` a scale, finest first."""
        features = [layer(x) for layer, x in zip(self.layers, features, strict=True)]
        return features if self.fusion is None else self.fusion(features)


def parts_and_bodies(skeleton: Skeleton, grouping: str | None) -> tuple[JointGrouping, JointGrouping]:
    """The joints of each part, and of each body."""
    if grouping is None:
        grouping = "parts" if "parts" in skeleton.groupings else "automatic"
    parts, parts_of_bodies = skeleton.scales(3, grouping)
    bodies = (sorted({j for part in body for j in parts.groups[part]}) for body in parts_of_bodies.groups)
    allow_unused = parts.allow_unused or parts_of_bodies.allow_unused
    groups = tuple(tuple(body) for body in bodies)
    return parts, JointGrouping(groups, parts.num_joints, parts_of_bodies.names, allow_unused)


def graphs_of(
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
