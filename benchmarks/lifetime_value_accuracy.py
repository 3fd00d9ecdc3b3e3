"""How far predictions of purchases are off: inside the calibration time, and on the time after it.

    .venv/bin/python benchmarks/lifetime_value_accuracy.py inner groceryElog.csv --until 2006-12-31
    .venv/bin/python benchmarks/lifetime_value_accuracy.py holdout groceryElog.csv --from 2006-12-31 --until 2007-12-30

`inner` is how the method was chosen: for histories that end 7 to 20 weeks before the end of the calibration time, it fits each
model as on that day, learns the correction inside that history, and judges on the rest. Nothing after `--until` is read.
`holdout` fits once on the whole calibration time and judges once on what follows.
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from models_ml.lifetime_value.buying import BuyingModel, fit_buying
from models_ml.lifetime_value.config import CORRECTION_SHARE
from models_ml.lifetime_value.evaluate import metrics
from models_ml.lifetime_value.history import DAYS_PER_WEEK, days_of_purchase, summarise, what_followed

console = Console()
WEEKS_LEFT = (20, 18, 16, 13, 10, 7)
SHARES = (0.0, 0.5, CORRECTION_SHARE, 1.0)


def main() -> None:
    """Read a log of purchases, judge, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("inner", "holdout"))
    parser.add_argument("file", type=Path, help="csv whose first two columns are customer and day")
    parser.add_argument(
        "--from", dest="origin", type=date.fromisoformat, help="last day of the calibration time (holdout)"
    )
    parser.add_argument("--until", type=date.fromisoformat, required=True)
    arguments = parser.parse_args()
    days = read(arguments.file, arguments.until)
    if arguments.what == "holdout":
        print_table(judge(days, arguments.origin, arguments.until), f"{arguments.origin} to {arguments.until}")
    else:
        inner(days, arguments.until)


def read(file: Path, until: date) -> pd.DataFrame:
    """Return the days of purchase up to `until`."""
    log = pd.read_csv(file).iloc[:, :2].set_axis(["customer_id", "ordered_on"], axis=1)
    return days_of_purchase(log[log["ordered_on"] <= until.isoformat()])


def inner(days: pd.DataFrame, until: date) -> None:
    """Judge histories that end before `until` on the rest, and print each and the means."""
    found = []
    for weeks in WEEKS_LEFT:
        table = judge(days, until - timedelta(weeks=weeks), until)
        table["rmse"] /= table.loc["BG/NBD", "rmse"]
        print_table(table, f"the last {weeks} weeks before {until} (RMSE relative to BG/NBD)")
        found.append(table.assign(bias_size=table["bias"].abs()))
    names = list(dict.fromkeys(name for table in found for name in table.index))
    means = pd.concat(found, keys=range(len(found))).groupby(level=1).mean().loc[names]
    print_table(means, "mean over these")


def judge(days: pd.DataFrame, origin: date, until: date) -> pd.DataFrame:
    """Return bias, rmse and correlation of each member, and of their mean with each share of the correction."""
    summary = summarise(days, origin)
    actual = what_followed(days, summary["customer_id"], origin, until)["purchases"].to_numpy()
    weeks = (until - origin).days / DAYS_PER_WEEK
    model = fit_buying(days, origin)
    vectors = [summary[name] for name in ("frequency", "recency", "T")]
    rows = {}
    for member in model.members:
        name = "MBG/CNBD-k" if member.family.k > 1 else member.family.name
        rows[name] = BuyingModel((member,), 1.0, ()).expected(weeks, *vectors)
    mean = model.expected(weeks, *vectors) / model.factor
    for share in SHARES:
        rows[f"mean, {share:.0%} corrected"] = mean * model.factor ** (share / CORRECTION_SHARE)
    results = {name: metrics(values, actual, summary["frequency"].to_numpy()) for name, values in rows.items()}
    table = pd.DataFrame(results).T[["total_bias", "rmse", "correlation", "predicted", "actual"]].astype(np.float64)
    return table.rename(columns={"total_bias": "bias"})


def print_table(found: pd.DataFrame, title: str) -> None:
    """Print one table."""
    formats = {"bias": "{:+.1%}", "bias_size": "{:.1%}", "predicted": "{:,.0f}", "actual": "{:,.0f}"}
    table = Table("", *map(str, found.columns), title=title)
    for name, row in found.iterrows():
        table.add_row(str(name), *(formats.get(column, "{:.3f}").format(value) for column, value in row.items()))
    console.print(table)


if __name__ == "__main__":
    main()
