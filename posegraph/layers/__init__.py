"""Layers of the graph networks, each usable alone.

Inside layers a pose sequence is a tensor ``(batch, nodes, channels)``: a node is one joint coordinate
(node = 3 * joint + axis), and its channels start out as its frames or DCT coefficients. The layers of DMGNN take
``(batch, channels, frames, nodes)`` in its place: a node is a joint or a group of joints. Others say what they take.
"""

from posegraph.layers.blocks import GraphConvBlock, ResampleBlock, ResidualGraphBlock, ResidualStage, make_activation
from posegraph.layers.cross_scale import CrossScaleAttention, CrossScaleFusion
from posegraph.layers.dct import DCT, InverseDCT, dct_matrix
from posegraph.layers.dropout import Dropout
from posegraph.layers.graph_conv import GraphConv
from posegraph.layers.graph_gru import GraphGRUCell
from posegraph.layers.graph_mixer_block import GraphMixerBlock
from posegraph.layers.gru import ResetBeforeGRUCell
from posegraph.layers.head_graph_conv import HeadGraphConv
from posegraph.layers.losses import coordinate_distance_loss, joint_distance_loss, multi_scale_loss, velocity_loss
from posegraph.layers.node_embedding import Aggregation, NodeEmbedding, PairwiseMessages, SkipMLP
from posegraph.layers.norm import NodeBatchNorm
from posegraph.layers.normalizers import MinMaxNormalizer, ZScoreNormalizer
from posegraph.layers.operators import (
    Operator,
    OperatorFactory,
    OperatorKind,
    PerNodeLinear,
    SkeletonConv,
    check_operator,
    operator_factory,
)
from posegraph.layers.pooling import JointPool, JointUnpool
from posegraph.layers.poses import accumulated_average, from_nodes, pad_last_pose, to_nodes
from posegraph.layers.resample import NodeResample
from posegraph.layers.reweighted_graph import ReweightedGraph, hop_graphs
from posegraph.layers.scales import ResampleKind, make_resampler, scale_operators
from posegraph.layers.spatio_temporal_dense import SpatioTemporalDenseBlock, SpatioTemporalDenseConv
from posegraph.layers.st_graph_conv import SpatioTemporalGraphConv, TemporalConv
from posegraph.layers.temporal_mlp import TemporalMLPBlock

__all__ = [
    "DCT",
    "Aggregation",
    "CrossScaleAttention",
    "CrossScaleFusion",
    "Dropout",
    "GraphConv",
    "GraphConvBlock",
    "GraphGRUCell",
    "GraphMixerBlock",
    "HeadGraphConv",
    "InverseDCT",
    "JointPool",
    "JointUnpool",
    "MinMaxNormalizer",
    "NodeBatchNorm",
    "NodeEmbedding",
    "NodeResample",
    "Operator",
    "OperatorFactory",
    "OperatorKind",
    "PairwiseMessages",
    "PerNodeLinear",
    "ResampleBlock",
    "ResampleKind",
    "ResetBeforeGRUCell",
    "ResidualGraphBlock",
    "ResidualStage",
    "ReweightedGraph",
    "SkeletonConv",
    "SkipMLP",
    "SpatioTemporalDenseBlock",
    "SpatioTemporalDenseConv",
    "SpatioTemporalGraphConv",
    "TemporalConv",
    "TemporalMLPBlock",
    "ZScoreNormalizer",
    "accumulated_average",
    "check_operator",
    "coordinate_distance_loss",
    "dct_matrix",
    "from_nodes",
    "hop_graphs",
    "joint_distance_loss",
    "make_activation",
    "make_resampler",
    "multi_scale_loss",
    "operator_factory",
    "pad_last_pose",
    "scale_operators",
    "to_nodes",
    "velocity_loss",
]
