"""The forecasting of many monthly series, beside statsforecast called directly and sktime's own panel broadcasting.

    .venv/bin/python benchmarks/forecast_speed.py [--series 1000] [--broadcast 100]

Made-up series of five to eight years. In one run and one thread:

* floor: statsforecast called directly with the members of the default ensemble, and their median;
* ours: `forecast` without and with intervals;
* broadcasting: sktime's AutoCES fitted series by series, beside the same method through our panel forecaster, on the first
  series of the panel.

Goals: at most 1.15 x the floor, and at least twice as fast as broadcasting. Results are checked to be equal before a figure is
printed.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from sktime.forecasting.statsforecast import StatsForecastAutoCES
from statsforecast import StatsForecast, models

from models_ml.sales_forecast import forecast
from models_ml.sales_forecast.intake import read_panel
from models_ml.sales_forecast.points import predict
from models_ml.sales_forecast.sktime_forecaster import PanelForecaster

HORIZON = 12
SEASON = 12


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--broadcast", type=int, default=100)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    frame = made_up(arguments.series)
    forecast(frame[frame["unique_id"] < 3], HORIZON, "ME")  # what is loaded on first use is nobody's time
    floor_seconds, floor = timed(lambda: direct(frame))
    seconds, ours = timed(lambda: predict(read_panel(frame, "ME"), HORIZON))
    full_seconds, _ = timed(lambda: forecast(frame, HORIZON, "ME"))
    np.testing.assert_allclose(ours.ravel(), floor, rtol=1e-9)
    print(f"{arguments.series:,} series, {len(frame):,} rows, processor seconds of one thread; equal forecasts")
    print(f"statsforecast directly:    {floor_seconds:.1f}")
    print(f"ours:                      {seconds:.1f} = {seconds / floor_seconds:.2f} x")
    print(f"ours with intervals:       {full_seconds:.1f} = {full_seconds / floor_seconds:.2f} x")
    broadcast(frame[frame["unique_id"] < arguments.broadcast])


def broadcast(frame: pd.DataFrame) -> None:
    """Compare with sktime's fitting of one series after the other."""
    y = frame.set_index(["unique_id", "ds"])
    steps = list(range(1, HORIZON + 1))
    seconds, ours = timed(lambda: PanelForecaster("ces", "ME").fit(y, fh=steps).predict())
    sktime_seconds, theirs = timed(lambda: StatsForecastAutoCES(season_length=SEASON).fit(y, fh=steps).predict())
    np.testing.assert_allclose(ours["y"], np.maximum(theirs["y"], 0), rtol=1e-6)
    print(
        f"AutoCES on {y.index.get_level_values(0).nunique()} series: ours {seconds:.2f}, sktime's broadcasting "
        f"{sktime_seconds:.2f} = {sktime_seconds / seconds:.1f} x"
    )


def direct(frame: pd.DataFrame) -> np.ndarray:
    """Return the median of the members, without anything around statsforecast."""
    plain = [
        models.SeasonalNaive(SEASON),
        models.AutoCES(SEASON, model="P", alias="partial"),
        models.DynamicOptimizedTheta(SEASON),
    ]
    raw = StatsForecast(plain, freq=1).forecast(h=HORIZON, df=frame)
    logs = StatsForecast([models.AutoCES(SEASON, alias="log")], freq=1).forecast(
        h=HORIZON, df=frame.assign(y=np.log1p(frame["y"]))
    )
    members = raw.drop(columns=["unique_id", "ds"]).assign(log=np.expm1(logs["log"]))
    return np.maximum(members.median(axis=1).to_numpy(), 0)


def timed(work):
    """Return the processor seconds that `work` took, and its result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def made_up(series: int) -> pd.DataFrame:
    """Return monthly sales with level, trend, season and noise."""
    random = np.random.default_rng(7)
    lengths = random.integers(60, 97, series)
    code = np.repeat(np.arange(series), lengths)
    step = np.arange(len(code)) - (np.cumsum(lengths) - lengths)[code]
    level, trend, season = (random.gamma(4, scale, series)[code] for scale in (100, 0.5, 10))
    y = level + trend * step + season * np.sin(2 * np.pi * step / SEASON) + random.normal(0, 0.1, len(code)) * level
    return pd.DataFrame({"unique_id": code, "ds": step, "y": np.maximum(y, 1.0)})


if __name__ == "__main__":
    main()
