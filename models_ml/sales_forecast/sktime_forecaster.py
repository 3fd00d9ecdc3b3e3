"""Every method of the registry behind sktime's interface, the whole panel at once."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster, ForecastingHorizon

from models_ml.sales_forecast.errors import ForecastInputError
from models_ml.sales_forecast.intake import Panel, read_panel
from models_ml.sales_forecast.intervals import bounds, calibrate
from models_ml.sales_forecast.methods import METHODS
from models_ml.sales_forecast.points import predict


class PanelForecaster(BaseForecaster):
    """Forecast a panel or hierarchy with one call, where sktime would fit one series after the other.

    Parameters
    ----------
    method : str
        Name of `methods.METHODS`.
    frequency : str
        pandas alias; sets the season (see `models_ml.sales_forecast.forecast`).
    """

    _tags: ClassVar[dict[str, Any]] = {
        "authors": ["crm-agents"],
        "y_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "capability:multivariate": False,
        "capability:exogenous": False,
        "capability:insample": False,
        "capability:missing_values": True,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "requires-fh-in-fit": False,
    }

    # The panel of the last fit is all that is kept; sktime's own copy of the data would double the memory.
    _config: ClassVar[dict[str, Any]] = {"remember_data": False}

    def __init__(self, method: str = "ensemble", frequency: str = "ME") -> None:
        self.method = method
        self.frequency = frequency
        super().__init__()

    def _fit(self, y: pd.DataFrame, X: Any = None, fh: ForecastingHorizon | None = None) -> PanelForecaster:
        if self.method not in METHODS:
            raise ForecastInputError(f"method {self.method!r} is none of {', '.join(METHODS)}.")
        self._instances: pd.Index | None = None  # a single series has no instances to tell apart
        codes = np.zeros(len(y), dtype=int)
        if y.index.nlevels > 1:
            codes, self._instances = pd.factorize(y.index.droplevel(-1), sort=True)  # type: ignore[arg-type]
        times = y.index.get_level_values(-1)
        self._index_names = list(y.index.names)
        if isinstance(times, pd.PeriodIndex):
            times = times.to_timestamp(how="end").normalize()
        rows = pd.DataFrame({"unique_id": codes, "ds": times, "y": y.iloc[:, 0].to_numpy()})
        self._panel: Panel = read_panel(rows, self.frequency)
        self._columns = list(y.columns)
        return self

    def _predict(self, fh: ForecastingHorizon, X: Any = None) -> pd.DataFrame:
        steps, horizon = self._steps(fh)
        points = predict(self._panel, horizon, METHODS[self.method])
        return pd.DataFrame(np.take_along_axis(points, steps, 1).ravel(), self._index(fh), self._columns)

    def _predict_interval(self, fh: ForecastingHorizon, X: Any, coverage: list[float]) -> pd.DataFrame:
        steps, horizon = self._steps(fh)
        method = METHODS[self.method]
        points = predict(self._panel, horizon, method)
        levels = [100 * share for share in coverage]
        calibration = calibrate(self._panel, horizon, method, levels)
        columns = {}
        for share, level in zip(coverage, levels, strict=True):
            ends = bounds(self._panel, points, calibration, level)
            for name, end in zip(("lower", "upper"), ends, strict=True):
                columns[(self._get_varnames()[0], share, name)] = np.take_along_axis(end, steps, 1).ravel()
        return pd.DataFrame(columns, index=self._index(fh))

    def _steps(self, fh: ForecastingHorizon) -> tuple[np.ndarray, int]:
        """Return the (k, f) places of `fh` in each series' own forecast, and how long that has to be.

        sktime counts from the newest row of the panel; series that end earlier are forecast as much further.
        """
        relative = np.asarray(fh.to_relative(self.cutoff).to_numpy(), dtype=np.int64)
        behind = self._panel.last.max() - self._panel.last
        steps = behind[:, None] + relative[None, :] - 1
        return steps, int(steps.max()) + 1

    def _index(self, fh: ForecastingHorizon) -> pd.Index:
        """Return the rows of the answer: each instance with each time of `fh`."""
        times = fh.to_absolute_index(self.cutoff)
        if self._instances is None:
            return times
        rows = self._instances.repeat(len(times))
        levels = [rows.get_level_values(place) for place in range(rows.nlevels)]
        stamps = times.append([times] * (len(self._instances) - 1))
        return pd.MultiIndex.from_arrays([*levels, stamps], names=self._index_names)

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, str]]:
        """Return settings that sktime's own checks may use."""
        return [{"method": "seasonal_naive", "frequency": "ME"}, {"method": "ensemble", "frequency": "YE"}]
