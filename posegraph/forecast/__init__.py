"""Forecasts of full poses: what an application calls once it has a model."""

from posegraph.forecast.forecaster import Forecaster
from posegraph.forecast.result import ForecastResult, forecast_clip

__all__ = ["ForecastResult", "Forecaster", "forecast_clip"]
