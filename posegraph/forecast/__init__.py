"""Forecasts of full poses: what an application calls once it has a model."""

from posegraph.forecast.forecaster import Forecaster
from posegraph.forecast.live import Latency, LiveForecast
from posegraph.forecast.motion_buffer import OneEuro
from posegraph.forecast.result import ForecastResult, forecast_clip
from posegraph.forecast.streaming import Stream, StreamOptions

__all__ = [
    "ForecastResult",
    "Forecaster",
    "Latency",
    "LiveForecast",
    "OneEuro",
    "Stream",
    "StreamOptions",
    "forecast_clip",
]
