"""Fast forecasts: models folded, and run by the quickest backend of the machine.

The plain modules of `posegraph.models` say what is computed; this package computes the same, and is checked against
them.
"""

from posegraph.inference.forecaster import BackendName, OptimizedForecaster, optimize
from posegraph.inference.networks import FoldedForecast, FoldedNetwork, fold_model, is_foldable

__all__ = [
    "BackendName",
    "FoldedForecast",
    "FoldedNetwork",
    "OptimizedForecaster",
    "fold_model",
    "is_foldable",
    "optimize",
]
