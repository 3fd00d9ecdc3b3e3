"""Which rule for the level of the probabilities wins inside the training window? No test window is read.

    crm-agents up --only postgres && crm-agents load online_retail --data DIR
    .venv/bin/python benchmarks/calibration_level.py --horizon 60

Rolling origin: every cut-off whose label window had closed before the holdout begins serves once as a pseudo-test; the model
is fitted as on that day (on cut-offs closed by then, its settings chosen on their validation cut-offs), and only the last step
differs: from which rows the level is taken. The lake must be filled (`crm-agents run`, or `ingest_crm` and `build_marts`).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from models_ml.core.blend import float_matrix
from models_ml.core.propensity.parts import fit_blend
from models_ml.core.propensity.rows import label, usable_features
from models_ml.core.propensity.settings import SEED
from models_ml.core.propensity.tuning import LEVEL_RULES, calibration_line, choose
from models_ml.purchase_propensity import config

console = Console()
SPACING_DAYS = 30
MIN_HISTORY_DAYS = 90


def main() -> None:
    """Build the pseudo-tests of the loaded company, compare, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--horizon", type=int, required=True)
    parser.add_argument("--as-of", type=date.fromisoformat, default=None)
    parser.add_argument("--cutoffs", type=int, default=12, help="cut-offs before the holdout")
    arguments = parser.parse_args()
    print_table(compare(read(arguments.horizon, arguments.cutoffs, arguments.as_of), arguments.horizon))


def read(horizon_days: int, cutoffs: int, as_of: date | None) -> pd.DataFrame:
    """Return labelled rows at the last `cutoffs` cut-offs that were closed when the holdout began."""
    from crm_agents import lake, marts
    from crm_agents.company import loaded_company
    from crm_agents.training_data import first_purchase_on

    company = loaded_company()
    prediction = company.prediction.model_copy(update={"horizon_days": horizon_days, "cutoffs": cutoffs})
    company = company.model_copy(update={"prediction": prediction})
    with lake.connect() as connection:
        as_of = as_of or marts.company_as_of(connection, company)
    days = marts.training_cutoffs(company, as_of, first_purchase_on(as_of)).train
    marts.build(
        as_of=as_of,
        run_id="calibration-level",
        company=company,
        cutoffs=days,
        label_windows=[(day, horizon_days) for day in days],
    )
    chosen = ", ".join(f"date '{day}'" for day in days)
    with lake.connect() as connection:
        return connection.execute(
            f"select f.*, l.{config.LABEL} from features.ftr_customers f join features.lbl_customers l "
            f"using (customer_id, as_of) where l.horizon_days = {horizon_days} and f.as_of in ({chosen}) "
            f"and f.{config.POPULATION} order by as_of, customer_id"
        ).df()


def compare(rows: pd.DataFrame, horizon_days: int, cutoffs: int = 6) -> pd.DataFrame:
    """Return the Brier score of each rule (columns) at each pseudo-test (index)."""
    rows = rows.assign(as_of=pd.to_datetime(rows["as_of"]))
    found = {}
    for day in sorted(rows["as_of"].unique(), reverse=True):
        closed = [day - timedelta(days=step * SPACING_DAYS) for step in range(-(-horizon_days // SPACING_DAYS), 99)]
        fitted = rows[rows["as_of"].isin(closed[:cutoffs])]
        held = rows[rows["as_of"] == day]
        if len(fitted) and fitted[config.LABEL].nunique() == 2:
            found[day.date()] = _briers(fitted.reset_index(drop=True), held, horizon_days)
    return pd.DataFrame(found).T


def _briers(fitted: pd.DataFrame, held: pd.DataFrame, horizon_days: int) -> dict[str, float]:
    truth = label(held, config)
    features = usable_features(fitted, config)
    choice = choose(fitted, features, config, horizon_days, SEED, 2)
    blend = fit_blend(
        fitted,
        features,
        config,
        learning_rate=choice.learning_rate,
        tree_weight=choice.tree_weight,
        seed=SEED,
        threads=2,
    )
    scores: dict[str, float] = {"n": len(held), "base rate": float(truth.mean())}
    for rule in LEVEL_RULES:
        slope, intercept = calibration_line(rule, blend, fitted, choice, config)
        model = replace(blend, slope=slope, intercept=intercept)
        scores[rule] = float(np.mean((model.probability(float_matrix(held, model.features)) - truth) ** 2))
    return scores


def print_table(found: pd.DataFrame) -> None:
    """Print each pseudo-test and the mean over them."""
    table = Table("pseudo-test", *found.columns)
    for day, row in found.iterrows():
        table.add_row(str(day), *(f"{value:.4f}" if name != "n" else f"{value:,.0f}" for name, value in row.items()))
    table.add_row("mean", *(f"{value:.4f}" for value in found.mean()), style="bold")
    console.print(table)


if __name__ == "__main__":
    main()
