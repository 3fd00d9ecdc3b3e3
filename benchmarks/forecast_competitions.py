"""Errors and coverage of the sales forecast on whole sets of competition series, beside the mean of ETS, CES and Theta.

    .venv/bin/python benchmarks/forecast_competitions.py --data DIR [--report docs/results.md]

DIR holds the folders ``m1`` and ``tourism`` (parquet: series, t, value, part; meta.csv: series, period, h). Both sides forecast
the train part of every series in the same run. MASE: mean absolute error over the test part, divided by the train part's
mean of ``|y(t) - y(t - m)|``, then the mean over all series. The test parts are read here and nowhere else: every setting was
chosen by rolling origin inside the train parts.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from statsforecast import StatsForecast, models

from crm_agents.results import replace_section
from models_ml.sales_forecast import forecast

SETS = ("m1", "tourism")
FREQUENCIES = {"YEARLY": ("YE", 1), "QUARTERLY": ("QE", 4), "MONTHLY": ("ME", 12)}
SECTION = "forecast-competitions"


def main() -> None:
    """Measure, print, and write the report where one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    rows = []
    for name in SETS:
        for period in FREQUENCIES:
            rows.append(judge(name, period, *read(arguments.data / name, name, period)))
            print(rows[-1].to_dict(), flush=True)
    text = report(pd.DataFrame(rows))
    print(text)
    if arguments.report:
        replace_section(arguments.report, SECTION, text)


def read(folder: Path, name: str, period: str) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Return train and test rows (unique_id, ds, y) of one frequency, and its horizon."""
    meta = pd.read_csv(folder / f"{name}_meta.csv")
    meta = meta[meta["period"] == period]
    rows = pd.read_parquet(folder / f"{name}.parquet").rename(columns={"series": "unique_id", "t": "ds", "value": "y"})
    rows = rows[rows["unique_id"].isin(meta["series"])]
    train, test = (rows.loc[rows["part"] == part, ["unique_id", "ds", "y"]] for part in ("train", "test"))
    return train, test, int(meta["h"].iloc[0])


def judge(name: str, period: str, train: pd.DataFrame, test: pd.DataFrame, horizon: int) -> pd.Series:
    """Return the errors of both sides on one frequency of one set."""
    frequency, season = FREQUENCIES[period]
    started = time.process_time()
    ours = forecast(train, horizon, frequency)
    ours_seconds = time.process_time() - started
    started = time.process_time()
    floor = reference(train, horizon, season)
    floor_seconds = time.process_time() - started
    joined = test.merge(ours, on=["unique_id", "ds"], how="left", validate="1:1").merge(floor, on=["unique_id", "ds"])
    assert len(joined) == len(test), "every row of the test part has both forecasts"
    assert joined["forecast"].notna().all(), "every row has a forecast"
    count = train["unique_id"].nunique()
    return pd.Series(
        {
            "set": name,
            "frequency": period.lower(),
            "series": count,
            "ours": mase(joined, "forecast", train, season),
            "ets_ces_theta": mase(joined, "ets_ces_theta", train, season),
            "seasonal_naive": mase(joined, "seasonal_naive", train, season),
            "covered_80": joined["y"].between(joined["lo80"], joined["hi80"]).mean(),
            "covered_95": joined["y"].between(joined["lo95"], joined["hi95"]).mean(),
            "ours_ms": 1000 * ours_seconds / count,
            "floor_ms": 1000 * floor_seconds / count,
        }
    )


def reference(train: pd.DataFrame, horizon: int, season: int) -> pd.DataFrame:
    """Return unique_id, ds, ets_ces_theta (their mean) and seasonal_naive, from statsforecast called directly."""
    members = [
        models.AutoETS(season),
        models.AutoCES(season),
        models.DynamicOptimizedTheta(season),
        models.SeasonalNaive(season),
    ]
    found = StatsForecast(members, freq=1, fallback_model=models.Naive()).forecast(h=horizon, df=train)
    mean = found[["AutoETS", "CES", "DynamicOptimizedTheta"]].mean(axis=1)
    return found[["unique_id", "ds"]].assign(ets_ces_theta=mean, seasonal_naive=found["SeasonalNaive"])


def mase(joined: pd.DataFrame, column: str, train: pd.DataFrame, season: int) -> float:
    """Return the mean over series of the scaled error of `column`."""
    scale = train.groupby("unique_id")["y"].apply(lambda y: y.diff(season).abs().mean())
    error = (joined["y"] - joined[column]).abs().groupby(joined["unique_id"]).mean()
    return float((error / scale).mean())


def report(rows: pd.DataFrame) -> str:
    """Return the table as Markdown."""
    ratio = float(np.exp(np.log(rows["ours"] / rows["ets_ces_theta"]).mean()))
    lines = [
        "## Forecasts on competition series",
        "",
        "Whole sets; one setting for all. MASE as in `benchmarks/forecast_competitions.py`, which wrote this; the reference is "
        "the mean of ETS, CES and dynamic optimised Theta from statsforecast, in the same run. Processor time includes "
        "intervals for ours.",
        "",
        "| set | frequency | series | MASE | reference | seasonal naive | within 80 % | 95 % | ms a series | reference |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.set} | {row.frequency} | {row.series:,} | {row.ours:.3f} | {row.ets_ces_theta:.3f} | {row.seasonal_naive:.3f} "
        f"| {row.covered_80:.1%} | {row.covered_95:.1%} | {row.ours_ms:.1f} | {row.floor_ms:.1f} |"
        for row in rows.itertuples()
    ]
    lines += ["", f"Geometric mean of the six ratios to the reference: {ratio:.4f}."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
