"""Do the intervals of the lift cover what contacts truly bring? On many simulated companies, each of which draws its own arms.

    .venv/bin/python benchmarks/lift.py [--companies 200] [--customers 5000] [--first-seed 1001] [--report PAGE]

Every company decides on one day about each customer who bought within a year: most are treated, 12 % are left alone, 10 % are
contacted as people would (best customers first). In the treatment arm an option is drawn, with a probability that rises with the
customer's usual order. Twins with the same luck, in which everybody is treated one way, tell the truth: what the treated would
have brought otherwise. The figures are those of `models_ml.lift.compare`, from what the company can see.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from next_best_action_worlds import NAMES, OPTIONS, World, ids_of, usual_order_values

from crm_agents.arms import arms
from crm_agents.results import replace_section
from crm_agents.simulator import Parameters
from crm_agents.simulator.draws import day_stream
from crm_agents.simulator.forward import LivingCompany
from models_ml.lift import config
from models_ml.lift.compare import BEFORE, BEFORE_ARMS, lifts

WINDOW_DAYS = 30
HABIT_SHARE = 0.25  # of the customers, best first
LEAST_CONTACT, MOST_CONTACT = 0.2, 0.7  # probability of a contact, from the smallest to the largest usual order
CALL = int(np.flatnonzero(NAMES == "call")[0])


def revenue_before(company: LivingCompany, days: int) -> np.ndarray:
    """Return what each customer ordered in the last days of the history."""
    it = company.ledger
    chosen = (it.day > company.day - days) & ~it.is_deal
    return np.bincount(it.customer[chosen], it.net_cents[chosen], len(company.simulation.traits)) / 100


def live(company: LivingCompany, customers: np.ndarray, options: np.ndarray) -> np.ndarray:
    """Return what each of `customers` brings within the window when contacted with these options (0: none)."""
    world = World(company.twin())
    world.welcome()
    first = company.day + 1
    world.step(customers[options > 0], options[options > 0])
    for _ in range(WINDOW_DAYS - 1):
        world.company.step()
    return world.revenue(first, first + WINDOW_DAYS - 1)[customers]


def chances(allowed: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Return the (n, k) probabilities of the options: a contact the likelier the larger the usual order, allowed ones alike."""
    rank = usual.argsort().argsort() / len(usual)
    contact = (LEAST_CONTACT + (MOST_CONTACT - LEAST_CONTACT) * rank) * allowed.any(axis=1)
    share = allowed / np.maximum(allowed.sum(axis=1, keepdims=True), 1)
    return np.column_stack([1 - contact, contact[:, None] * share])


def one_company(customers: int, seed: int) -> list[dict]:
    """Return for each comparison in one company the estimate, its interval and the truth; and the same without any effect."""
    company = LivingCompany(Parameters(customers=customers, seed=seed), keeps_books=False)
    world = World(company)
    world.welcome()
    before = {days: revenue_before(company, days) for days in config.BEFORE_DAYS}
    who = np.flatnonzero(before[max(config.BEFORE_DAYS)] > 0)
    allowed = world.allowed(who).to_numpy()
    usual = usual_order_values(company.ledger, len(company.simulation.traits))[who]
    rng = day_stream(seed, company.day, "benchmark lift")
    probability = chances(allowed, usual)
    drawn = (rng.random(len(who))[:, None] > np.cumsum(probability, axis=1)).sum(axis=1).clip(0, len(NAMES) - 1)
    best = usual >= np.quantile(usual, 1 - HABIT_SHARE)
    habit = np.where(best & allowed[:, CALL - 1], CALL, 0)
    worlds = {
        name: live(company, who, options)
        for name, options in {
            "none": np.zeros(len(who), dtype=int), "agent": drawn, "habit": habit,
            **{NAMES[k]: np.where(allowed[:, k - 1], k, 0) for k in range(1, len(NAMES))},
        }.items()
    }  # fmt: skip
    salted = f"{seed}|" + ids_of(company).iloc[who].reset_index(drop=True)
    arm = arms(salted)
    is_treated, is_usual = arm == config.TREATMENT, arm == config.BUSINESS_AS_USUAL
    frame = pd.DataFrame(
        {
            "entity_id": salted,
            "arm": arm,
            "chosen": np.where(is_treated, NAMES[drawn], np.where(is_usual, "as_usual", config.DO_NOTHING)),
            "propensity": np.where(is_treated, probability[np.arange(len(who)), drawn], 1.0),
            "allowed": pd.Series([frozenset(NAMES[np.append(True, row)]) for row in allowed], dtype=object),
            "outcome_value": np.where(is_treated, worlds["agent"], np.where(is_usual, worlds["habit"], worlds["none"])),
            "cost": np.where(is_treated, np.array([it.cost for it in OPTIONS])[drawn], np.nan),
            **{
                name: before[days][who]
                for names in (BEFORE_ARMS, BEFORE)
                for days, name in zip(before, names, strict=True)
            },
        }
    )
    truth = {("all", "control"): (is_treated, worlds["agent"], worlds["none"])}
    truth["all", "business_as_usual"] = is_treated, worlds["agent"], worlds["habit"]
    for k in range(1, len(NAMES)):
        truth[str(NAMES[k]), "do_nothing"] = is_treated & allowed[:, k - 1], worlds[NAMES[k]], worlds["none"]
    found = rows(frame, truth, "planted")
    nothing = {key: (chosen, worlds["none"], worlds["none"]) for key, (chosen, *_) in truth.items()}
    return found + rows(frame.assign(outcome_value=worlds["none"]), nothing, "none")


def rows(frame: pd.DataFrame, truth: dict, kind: str) -> list[dict]:
    """Return estimate and truth of every comparison of which the truth is known, on revenue and the share of buyers."""
    result = []
    for it in lifts(frame):
        if it.measure == config.REVENUE_LESS_COST:
            continue
        chosen, there, else_where = truth[it.action, it.compared_with]
        gain = (there > 0) * 1.0 - (else_where > 0) if it.measure == config.PURCHASE_SHARE else there - else_where
        effect = it.effect
        result.append(
            {"kind": kind, "action": it.action, "with": it.compared_with, "measure": it.measure, "true": gain[chosen].mean(),
             "effect": effect.value, "low": effect.low, "high": effect.high, "treated": effect.treated,
             "compared": effect.compared}
        )  # fmt: skip
    return result


def table(found: pd.DataFrame) -> list[str]:
    """Return a line for each comparison: how often its intervals covered the truth, and excluded zero without an effect."""
    lines = []
    for (action, other, measure), part in found.groupby(["action", "with", "measure"], sort=True):
        real, idle = part[part["kind"] == "planted"].dropna(), part[part["kind"] == "none"].dropna()
        if not len(real):
            continue
        covered = ((real["low"] <= real["true"]) & (real["true"] <= real["high"])).mean()
        false = ((idle["low"] > 0) | (idle["high"] < 0)).mean()
        unit = 100 if measure == config.PURCHASE_SHARE else 1
        bias = unit * (real["effect"] - real["true"])
        lines.append(
            f"| {action} | {other} | {measure.replace('_', ' ')} | {len(real)} | {real['treated'].mean():,.0f} / "
            f"{real['compared'].mean():,.0f} | {unit * real['true'].mean():+.2f} "
            f"| {bias.mean():+.2f} ± {1.96 * bias.std() / len(bias) ** 0.5:.2f} "
            f"| {unit * (real['high'] - real['low']).mean() / 2:.2f} | {100 * covered:.1f}% | {100 * false:.1f}% |"
        )
    return lines


def report(found: pd.DataFrame, arguments: argparse.Namespace) -> str:
    """Return the section in Markdown."""
    seeds = f"{arguments.first_seed} to {arguments.first_seed + arguments.companies - 1}"
    return "\n".join(
        [
            "## Lift: do the intervals cover the truth?",
            "",
            f"{arguments.companies} whole simulated companies of {arguments.customers:,} customers (seeds {seeds}); each draws "
            f"arms and options, and the effect of {WINDOW_DAYS} days is estimated from what the company sees. The truth is what "
            "the treated brought, less what the same customers bring in a twin with the same luck and without the contacts. The "
            "last column is of the same companies without any contact: how often an interval excludes zero where there is "
            "nothing. 95 % would be exact for coverage, 5 % for false effects; "
            f"{arguments.companies} runs say it to ±{196 * (0.95 * 0.05 / arguments.companies) ** 0.5:.1f} points. Effects in "
            "EUR a decision, of buyers in percentage points. Written by `benchmarks/lift.py "
            f"--companies {arguments.companies} --customers {arguments.customers} --first-seed {arguments.first_seed} "
            "--report docs/results.md`.",
            "",
            "| action | compared with | measure | runs with an interval | treated / compared | true effect | estimate less truth "
            "| half width | covers the truth | false effects |",
            "|---|---|---|---:|---:|---:|---:|---:|---:|---:|",
            *table(found),
        ]
    )


def main(given: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--companies", type=int, default=200)
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--first-seed", type=int, default=1001)
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args(given)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.companies)
    found = pd.DataFrame([row for seed in seeds for row in one_company(arguments.customers, seed)])
    found[["low", "high", "effect"]] = found[["low", "high", "effect"]].astype(float)
    text = report(found, arguments)
    print(text)
    if arguments.report:
        replace_section(arguments.report, "lift", text)


if __name__ == "__main__":
    main()
