"""Fast forecasts: models in their cheaper form, run by the quickest backend of the machine.

The plain modules of `posegraph.models` say what is computed; this package computes the same, and is checked against
them.
"""

from posegraph.inference.optimize import BackendName, optimize
from posegraph.inference.optimized import OptimizedForecaster

__all__ = ["BackendName", "OptimizedForecaster", "optimize"]
