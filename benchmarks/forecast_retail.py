"""Weekly retail sales with promotions and holidays: the last 39 weeks, beside seasonal naive.

    .venv/bin/python benchmarks/forecast_retail.py --data DIR [--report docs/results.md]

DIR holds the folder ``walmart_weekly``. One origin (2012-02-03 is the first week that is forecast); weighted mean absolute error,
weight 5 in holiday weeks, over the rows that have a value 52 weeks before. Promotions, prices and holidays of the forecast weeks
are read, as a retailer plans them; sales are not.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from crm_agents.results import replace_section
from models_ml.sales_forecast.covariates import forecast_with_covariates

FIRST_WEEK = pd.Timestamp("2012-02-03")
HORIZON = 39
HOLIDAY_WEIGHT = 5
GOAL = 0.95
SECTION = "forecast-retail"


def main() -> None:
    """Measure, print, and write the report where one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    sales, known = read(arguments.data / "walmart_weekly")
    started = time.process_time()
    found = ours(sales, known)
    text = report(sales, found, time.process_time() - started)
    print(text)
    if arguments.report:
        replace_section(arguments.report, SECTION, text)


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return all sales (unique_id, ds, y, weight) and what is known of each store, department and week."""
    sales = pd.read_csv(folder / "train.csv.zip", parse_dates=["Date"])
    sales["unique_id"] = sales["Store"].astype(str) + "-" + sales["Dept"].astype(str)
    weeks = pd.read_csv(folder / "features.csv.zip", parse_dates=["Date"])
    stores = pd.read_csv(folder / "stores.csv")
    weeks = weeks.merge(stores.assign(store_type=stores["Type"].map(ord)).drop(columns="Type"), on="Store")
    weeks["IsHoliday"] = weeks["IsHoliday"].astype(int)
    weeks["weight"] = np.where(weeks["IsHoliday"] == 1, HOLIDAY_WEIGHT, 1)
    weeks = weeks[weeks["Date"] <= sales["Date"].max()]
    keys = sales[["unique_id", "Store", "Dept"]].drop_duplicates()
    known = keys.merge(weeks, on="Store").rename(columns={"Date": "ds"})
    rows = sales.rename(columns={"Date": "ds", "Weekly_Sales": "y"})
    rows["weight"] = np.where(rows["IsHoliday"], HOLIDAY_WEIGHT, 1)
    return rows[["unique_id", "Dept", "ds", "y", "weight"]], known


def ours(sales: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Forecast every series from the first week, from what had been sold before it."""
    before = sales.loc[sales["ds"] < FIRST_WEEK, ["unique_id", "ds", "y"]]
    newest = FIRST_WEEK - pd.Timedelta(weeks=1)
    # A series without a row in the newest week ends there with a missing value, so that all have the same weeks ahead.
    complete = before.loc[before["ds"] == newest, "unique_id"]
    ends = pd.DataFrame({"unique_id": np.setdiff1d(sales["unique_id"], complete), "ds": newest, "y": np.nan})
    groups = sales.drop_duplicates("unique_id").set_index("unique_id")["Dept"]
    return forecast_with_covariates(pd.concat([before, ends]), known, HORIZON, "W", weight="weight", groups=groups)


def report(sales: pd.DataFrame, found: pd.DataFrame, seconds: float) -> str:
    """Return the comparison as Markdown."""
    test = sales[sales["ds"] >= FIRST_WEEK].merge(found, on=["unique_id", "ds"], how="left", validate="1:1")
    assert test["forecast"].notna().all(), "every row has a forecast"
    year_before = sales.assign(ds=sales["ds"] + pd.Timedelta(weeks=52))[["unique_id", "ds", "y"]]
    judged = test.merge(year_before.rename(columns={"y": "seasonal_naive"}), on=["unique_id", "ds"])
    errors = {
        name: np.average((judged["y"] - judged[name]).abs(), weights=judged["weight"])
        for name in ("forecast", "seasonal_naive")
    }
    ratio = errors["forecast"] / errors["seasonal_naive"]
    shares = found.drop_duplicates("unique_id")["method"].value_counts(normalize=True)
    branches = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    return (
        "## Weekly sales with promotions\n\n"
        f"{found['unique_id'].nunique():,} series of stores and departments, {HORIZON} weeks from {FIRST_WEEK:%Y-%m-%d}, one "
        "setting, written by `benchmarks/forecast_retail.py`. "
        f"Weighted mean absolute error on {len(judged):,} rows: {errors['forecast']:,.1f}, seasonal naive "
        f"{errors['seasonal_naive']:,.1f}: {ratio:.3f} of it (goal {GOAL}). All {len(test):,} rows have a forecast. Chosen by "
        f"the backtest, of the series: {branches}. {seconds:.0f} s of one processor."
    )


if __name__ == "__main__":
    main()
