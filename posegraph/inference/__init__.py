"""Fast forecasts: models folded, and run by the quickest backend of the machine.

The plain modules of `posegraph.models` say what is computed; this package computes the same, and is checked against
them.
"""

from posegraph.folding.network import FoldedForecast, FoldedNetwork, fold_model, is_foldable
from posegraph.inference.optimize import BackendName, OptimizedForecaster, optimize

__all__ = [
    "BackendName",
    "FoldedForecast",
    "FoldedNetwork",
    "OptimizedForecaster",
    "fold_model",
    "is_foldable",
    "optimize",
]
