"""Sales forecasts: many series at once, with intervals, by month, quarter, year, week and day."""

from models_ml.sales_forecast.api import explain, forecast
from models_ml.sales_forecast.errors import ForecastInputError

__all__ = ["ForecastInputError", "explain", "forecast"]
