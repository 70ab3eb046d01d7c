"""Bodies: joints and bones, groups of joints, graphs as matrices, rotations, mirror images.

The built-in bodies are in `posegraph.skeleton.presets`.
"""

from posegraph.skeleton.adjacency import bone_adjacency, coarsen_bones, hop_distances, node_adjacency, normalize
from posegraph.skeleton.automatic import automatic_groupings, random_groupings
from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.inferred import infer
from posegraph.skeleton.joint_map import JointMap
from posegraph.skeleton.kinematics import forward_kinematics, to_positions
from posegraph.skeleton.mirror import mirror_image
from posegraph.skeleton.pyg import (
    bone_edge_index,
    grouping_from_select,
    grouping_to_select,
    node_edge_index,
    skeleton_from_data,
    skeleton_to_data,
)
from posegraph.skeleton.root import RootMotion
from posegraph.skeleton.rotations import (
    euler_from_rotation,
    exponential_map_from_rotation,
    rotation_from_exponential_map,
)
from posegraph.skeleton.sides import mirrored_pairs
from posegraph.skeleton.skeleton import Side, Skeleton

__all__ = [
    "JointGrouping",
    "JointMap",
    "RootMotion",
    "Side",
    "Skeleton",
    "automatic_groupings",
    "bone_adjacency",
    "bone_edge_index",
    "coarsen_bones",
    "euler_from_rotation",
    "exponential_map_from_rotation",
    "forward_kinematics",
    "grouping_from_select",
    "grouping_to_select",
    "hop_distances",
    "infer",
    "mirror_image",
    "mirrored_pairs",
    "node_adjacency",
    "node_edge_index",
    "normalize",
    "random_groupings",
    "rotation_from_exponential_map",
    "skeleton_from_data",
    "skeleton_to_data",
    "to_positions",
]
