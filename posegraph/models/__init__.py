"""The published models, each importable, and by name through `posegraph.registry`."""

from posegraph.models.base import ForecastModel
from posegraph.models.msrgcn import MSRGCN, MSRGCNConfig
from posegraph.models.msrgcn_released import MSRGCNReleased, MSRGCNReleasedConfig
from posegraph.models.traj_gcn import TrajGCN, TrajGCNConfig
from posegraph.models.zero_velocity import ZeroVelocity, ZeroVelocityConfig

__all__ = [
    "MSRGCN",
    "ForecastModel",
    "MSRGCNConfig",
    "MSRGCNReleased",
    "MSRGCNReleasedConfig",
    "TrajGCN",
    "TrajGCNConfig",
    "ZeroVelocity",
    "ZeroVelocityConfig",
]
