"""Named methods: what a setting may choose, and what the backtest lets compete."""

from __future__ import annotations

from models_ml.sales_forecast.config import Ensemble
from models_ml.sales_forecast.lags import lag_method
from models_ml.sales_forecast.points import Method, combined, ensemble, single
from models_ml.sales_forecast.stacking import stacked

BASELINE = "seasonal_naive"

METHODS: dict[str, Method] = {
    "ensemble": ensemble,
    "seasonal_naive": single("seasonal_naive"),
    "ets": single("ets"),
    "holt_winters": single("holt_winters"),
    "theta": single("theta"),
    "ces": single("ces"),
    "arima": single("arima"),
    "sarima": single("sarima"),
    "auto_arima": single("auto_arima"),  # ten times the time of the others together: only where asked for
    "linear_regression": lag_method("linear_regression"),
    "polynomial_regression": lag_method("polynomial_regression"),
    "xgboost": lag_method("xgboost"),
    "random_forest": lag_method("random_forest"),
    "neural_network": lag_method("neural_network"),
    "recurrent_network": lag_method("recurrent_network"),
    "stacking": stacked,
    "ets_theta_arima_ces": lambda panel, horizon: combined(
        panel, horizon, Ensemble(("ets", "theta", "sarima", "ces"), "median"), panel.season
    ),
}
