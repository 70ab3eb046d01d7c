"""posegraph: graph-network layers and published models that forecast 3D human motion."""

__version__ = "0.1.0"
