"""Seconds to fit the models of lifetime value to a million simulated customers, beside one pass of the bare likelihood.

    .venv/bin/python benchmarks/lifetime_value.py --customers 1000000

Customers of known BG/NBD and Gamma-Gamma parameters, won over a quarter, seen for up to two years in whole days. The floor is one
evaluation of the textbook's formula in numpy, customer by customer, at the estimates; it must give the log-likelihood of the
fit before any number is printed. With --predict the frame of 12 months is timed too.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy.special import gammaln

from models_ml.lifetime_value.buying import BuyingModel, fit_members
from models_ml.lifetime_value.gamma_gamma import fit_gamma_gamma
from models_ml.lifetime_value.history import DAYS_PER_WEEK
from models_ml.lifetime_value.lifetime import LifetimeValueModel, predict_months
from models_ml.lifetime_value.likelihood import Family
from models_ml.lifetime_value.purchases import PurchaseModel, fit_bgnbd
from models_ml.lifetime_value.simulate import simulate_purchases, simulate_values

BUYING, SPENDING = (0.243, 4.414, 0.793, 2.426), (6.25, 3.74, 15.44)
LAST_WEEK, QUARTER = 104, 13
SEED = 7


def main() -> None:
    """Simulate, fit, check, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--predict", action="store_true")
    arguments = parser.parse_args()
    data = simulate(arguments.customers)
    vectors = [data[name].to_numpy() for name in ("frequency", "recency", "T")]
    table = Table("step", "wall s", "CPU s", "CPU s / one pass", title=f"{arguments.customers:,} customers")
    floor = timed(lambda: textbook((1.0, 4.0, 1.0, 2.0), *vectors))
    bgnbd = timed(lambda: fit_bgnbd(*vectors))
    check(bgnbd[0], vectors)
    members = timed(lambda: fit_members(data.drop(columns="sum_log_gaps")))
    spending = timed(lambda: fit_gamma_gamma(data["frequency"], data["mean_value"]))
    steps = {
        "one pass of the textbook's likelihood": floor,
        "BG/NBD": bgnbd,
        "BG/NBD, MBG/NBD and MBG/CNBD-2 to 4": members,
        "Gamma-Gamma": spending,
    }
    if arguments.predict:
        buying = BuyingModel(members[0], 1.0, ())
        model = LifetimeValueModel(buying, spending[0], 1.0, float(LAST_WEEK))
        steps["frame of 12 months, with intervals"] = timed(lambda: predict_months(model, data, months=[12]))
    for name, (_, wall, cpu) in steps.items():
        table.add_row(name, f"{wall:.2f}", f"{cpu:.2f}", f"{cpu / floor[2]:.1f}")
    console = Console()
    console.print(table)
    estimates = ", ".join(f"{value:.3f}" for value in bgnbd[0].parameters)
    console.print(f"unique triples: {bgnbd[0].unique_triples:,}; estimates {estimates} (true: {BUYING})")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(f"peak memory with the simulation: {peak:,.0f} MB; log-likelihoods equal")


def simulate(customers: int) -> pd.DataFrame:
    """Return customers in weeks of whole days."""
    days = np.random.default_rng(SEED).integers((LAST_WEEK - QUARTER) * 7, LAST_WEEK * 7, customers)
    data = simulate_purchases(Family(), BUYING, days / DAYS_PER_WEEK, horizon=0.0, seed=SEED)
    whole = np.minimum(np.ceil(data["recency"] * DAYS_PER_WEEK), days) / DAYS_PER_WEEK
    data["recency"] = whole
    data["mean_value"], _ = simulate_values(*SPENDING, data["frequency"].to_numpy(), SEED)
    return data.assign(customer_id=np.arange(customers))


def textbook(parameters: tuple[float, ...], x: np.ndarray, t_x: np.ndarray, age: np.ndarray) -> float:
    """Return the log-likelihood of Fader, Hardie and Lee (2005), customer by customer."""
    r, alpha, a, b = parameters
    first = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    second = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    third = -(r + x) * np.log(alpha + age)
    fourth = np.where(x > 0, np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + t_x), -np.inf)
    return float((first + second + np.logaddexp(third, fourth)).sum())


def check(model: PurchaseModel, vectors: list[np.ndarray]) -> None:
    """Stop when the fit's log-likelihood is not the textbook's at the same estimates."""
    theirs = textbook(tuple(model.parameters), *vectors)
    if abs(theirs - model.log_likelihood) > 1e-9 * abs(theirs):
        raise SystemExit(f"log-likelihood {model.log_likelihood}, by the textbook {theirs}")


def timed(step: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return the result, wall seconds and CPU seconds of `step`."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = step()
    return result, time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main()
