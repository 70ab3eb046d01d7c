"""The published models and one of the library's own, each importable, and by name through `posegraph.registry`."""

from posegraph.models.base import ForecastModel
from posegraph.models.dmgnn import DMGNN, DMGNNConfig
from posegraph.models.graph_mixer import GraphMixer, GraphMixerConfig
from posegraph.models.msrgcn import MSRGCN, MSRGCNConfig
from posegraph.models.msrgcn_released import MSRGCNReleased, MSRGCNReleasedConfig
from posegraph.models.pgbig import PGBIG, PGBIGConfig
from posegraph.models.residual_sup import ResidualSup, ResidualSupConfig
from posegraph.models.simlpe import SiMLPe, SiMLPeConfig
from posegraph.models.traj_gcn import TrajGCN, TrajGCNConfig, TrajGCNLoss
from posegraph.models.zero_velocity import ZeroVelocity, ZeroVelocityConfig

__all__ = [
    "DMGNN",
    "MSRGCN",
    "PGBIG",
    "DMGNNConfig",
    "ForecastModel",
    "GraphMixer",
    "GraphMixerConfig",
    "MSRGCNConfig",
    "MSRGCNReleased",
    "MSRGCNReleasedConfig",
    "PGBIGConfig",
    "ResidualSup",
    "ResidualSupConfig",
    "SiMLPe",
    "SiMLPeConfig",
    "TrajGCN",
    "TrajGCNConfig",
    "TrajGCNLoss",
    "ZeroVelocity",
    "ZeroVelocityConfig",
]
