"""Layers of the graph networks, each usable alone.

Inside layers a pose sequence is a tensor ``(batch, nodes, channels)``: a node is one joint coordinate
(node = 3 * joint + axis), and its channels start out as its frames or DCT coefficients.
"""

from posegraph.layers.blocks import GraphConvBlock, ResampleBlock, ResidualGraphBlock, ResidualStage, make_activation
from posegraph.layers.dct import DCT, InverseDCT
from posegraph.layers.graph_conv import GraphConv
from posegraph.layers.norm import NodeBatchNorm
from posegraph.layers.operators import OperatorFactory, OperatorKind, PerNodeLinear, SkeletonConv, operator_factory
from posegraph.layers.pooling import JointPool, JointUnpool
from posegraph.layers.resample import NodeResample
from posegraph.layers.scales import ResampleKind, make_resampler, scale_operators

__all__ = [
    "DCT",
    "GraphConv",
    "GraphConvBlock",
    "InverseDCT",
    "JointPool",
    "JointUnpool",
    "NodeBatchNorm",
    "NodeResample",
    "OperatorFactory",
    "OperatorKind",
    "PerNodeLinear",
    "ResampleBlock",
    "ResampleKind",
    "ResidualGraphBlock",
    "ResidualStage",
    "SkeletonConv",
    "make_activation",
    "make_resampler",
    "operator_factory",
    "scale_operators",
]
