"""Fast forecasts."""
from posegraph.inference.networks import fold_model

__all__ = ["fold_model"]
