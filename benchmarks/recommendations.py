"""How many of the products that customers buy next are recommended to them, and how long a large company takes.

    .venv/bin/python benchmarks/recommendations.py --data DIR [--report docs/results.md]
    .venv/bin/python benchmarks/recommendations.py --speed [--customers 100000 --products 5000]

DIR holds the folder ``online_retail``. The month from 2011-11-10 to 12-09 is held out; the model is chosen and fitted on what was
known on 11-09. --speed fits and recommends on simulated purchases, beside the floor: the scores of the linear autoencoder alone,
with the ten highest of each customer.
"""

from __future__ import annotations

import argparse
import resource
import time
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from crm_agents.results import replace_section
from models_ml.recommendations import config
from models_ml.recommendations.evaluate import grade, judge, month_after
from models_ml.recommendations.history import history
from models_ml.recommendations.recommend import recommend
from models_ml.recommendations.recommender import SIMPLE
from models_ml.recommendations.scorers import LinearAutoencoder, best
from models_ml.recommendations.train import choose

LAST_KNOWN = date(2011, 11, 9)
PRODUCT = "^[0-9]{5}"  # POST, D, M, DOT, BANK CHARGES and their like are no products


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--products", type=int, default=5_000)
    arguments = parser.parse_args()
    if arguments.speed:
        speed(arguments.customers, arguments.products)
    elif arguments.data:
        table = accuracy(arguments.data)
        print(table)
        if arguments.report:
            replace_section(arguments.report, "recommendations", table)
    else:
        parser.error("say --data DIR or --speed")


def accuracy(folder: Path) -> str:
    """Return the table of every candidate on the month held out, in Markdown."""
    with duckdb.connect() as connection:
        lines = connection.execute(
            "select distinct CustomerID::bigint::varchar as customer_id, StockCode as product_id, "
            f"InvoiceDate::timestamp::date as bought_on from '{folder}/online_retail/online_retail.parquet' "
            "where CustomerID is not null and left(InvoiceNo, 1) <> 'C' and Quantity > 0 and UnitPrice > 0 "
            f"and regexp_matches(StockCode, '{PRODUCT}')"
        ).df()
    found = choose(lines, LAST_KNOWN)
    chosen = found.recommender.name
    month = month_after(lines, found.known)
    scorers = {name: make(found.known) for name, make in SIMPLE.items()} | {chosen: found.scorer}
    judged = {name: judge(scorer, found.known, month) for name, scorer in scorers.items()}
    popular, habit = judged["popularity"], judged["personal_frequency"]
    rows = [
        f"| {name}{' (chosen)' if name == chosen else ''} | {it['recall']:.4f} | {it['recall'] / habit['recall']:.2f} "
        f"| {it['ndcg']:.4f} | {it['recall_new']:.4f} | {it['recall_new'] / popular['recall_new']:.1f} | {grade(it, popular)} |"
        for name, it in sorted(judged.items(), key=lambda item: item[1]["recall"])
    ]
    return "\n".join(
        [
            "## Recommendations on online_retail",
            "",
            f"Ten products for each of the {popular['customers']:,.0f} customers who had bought by {LAST_KNOWN} and came back "
            f"in the {config.HORIZON_DAYS} days after it. Recall: hits / distinct products bought, mean over customers. New: "
            "products that the customer had not bought before. Written by `benchmarks/recommendations.py --data DIR --report "
            "docs/results.md`.",
            "",
            "| model | recall@10 | to personal frequency | NDCG@10 | recall@10, new | to popularity | grade |",
            "|---|---:|---:|---:|---:|---:|---|",
            *rows,
            "",
            f"Chosen on the month before, by what was known before that: {found.reason}",
        ]
    )


def speed(customers: int, products: int) -> None:
    """Print seconds and peak memory of fitting and recommending, and of the floor."""
    lines = simulated(customers, products)
    as_of = lines["bought_on"].max().date()
    started = time.perf_counter()
    found = choose(lines, as_of)
    fitted = time.perf_counter()
    rows = len(recommend(found.scorer, found.known, found.known.customers))
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    floor = floor_seconds(lines, as_of)
    print(
        f"{customers:,} customers x {products:,} products, {len(lines):,} purchases: {found.recommender.name} chosen and "
        f"fitted in {fitted - started:.1f} s, {rows:,} recommendations with reasons in {done - fitted:.1f} s "
        f"({(done - fitted) / floor:.1f} x the floor of {floor:.1f} s), peak {peak:.1f} GB"
    )


def floor_seconds(lines: pd.DataFrame, as_of: date) -> float:
    """Return the seconds of scoring by a fitted autoencoder and taking the ten highest."""
    known = history(lines, as_of)
    scorer = LinearAutoencoder(known)
    started = time.perf_counter()
    for start in range(0, len(known.customers), config.BLOCK_ROWS):
        best(scorer.score(np.arange(start, min(start + config.BLOCK_ROWS, len(known.customers)))), config.SHOWN)
    return time.perf_counter() - started


def simulated(customers: int, products: int, seed: int = 1) -> pd.DataFrame:
    """Return a year of purchases: some products sell far more than others, and everybody has favourites."""
    rng = np.random.default_rng(seed)
    count = 3 + rng.poisson(20, customers)
    customer = np.repeat(np.arange(customers), count)
    popular = (rng.pareto(1.2, len(customer)) * products / 50).astype(int) % products
    favourite = (customer * 7919 + rng.integers(0, 5, len(customer)) * 104_729) % products
    product = np.where(rng.random(len(customer)) < 0.4, favourite, popular)
    return pd.DataFrame(
        {
            "customer_id": np.char.add("c", customer.astype(str)).astype(object),
            "product_id": np.char.add("p", product.astype(str)).astype(object),
            "bought_on": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 365, len(customer)), unit="D"),
        }
    )


if __name__ == "__main__":
    main()
