"""How often the monitor is wrong, and how fast it is right, on simulated companies.

    .venv/bin/python benchmarks/drift.py [--customers 5000] [--seeds 7 8] [--days 365] [--step 1]

For each seed: a stable year, measured on every --step-th day (false alarms are counted); then the last weeks of the same
company with every price up 40 % and one channel gone, and with half the purchases (days until each is found). The model is
trained half a year before the end and never again, which is harder on the monitor than a real installation.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

from temporary_home import temporary_installation

# The helpers that lay a simulated company out as lake tables are those of the tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crm_agents import postgres
from crm_agents.simulator import Drift
from tests.integration.monitoring import simulated_lake as company

END, HORIZON = company.END, company.HORIZON


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=5000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--step", type=int, default=1)
    arguments = parser.parse_args()
    lines = ["| seed | what | measured | result |", "|---|---|---|---|"]
    for seed in arguments.seeds:
        for name, measure in (("stable", stable), ("prices and channel", arrivals_drift), ("labels", label_drift)):
            with temporary_installation("drift"), tempfile.TemporaryDirectory() as folder:
                result = measure(Path(folder), arguments, seed)
            for row in result:
                lines.append(f"| {seed} | {name} | {row[0]} | {row[1]} |")
                print(lines[-1], flush=True)
    print("\n" + "\n".join(lines))


def days(first: date, last: date, step: int) -> list[date]:
    """Return every `step`-th day from `first` to `last`, the last one included."""
    return [last - timedelta(days=number) for number in range(0, (last - first).days + 1, step)][::-1]


def stable(folder: Path, arguments: argparse.Namespace, seed: int) -> list[tuple[str, str]]:
    """Count the alarms of a year in which nothing changes."""
    company.simulate(folder, arguments.customers, seed=seed)
    watched = days(END - timedelta(days=arguments.days - 1), END, arguments.step)
    company.watch_arrivals(watched)
    found = [("arriving rows", outcome(arguments.days))]
    scored_from = END - timedelta(days=180)
    company.train_and_score(scored_from, days(scored_from, END, 1))
    forget()
    company.watch_model(days(scored_from + timedelta(days=HORIZON + 7), END, max(arguments.step, 2)))
    return [*found, ("inputs, scores, labels", outcome(180 - HORIZON - 7))]


def arrivals_drift(folder: Path, arguments: argparse.Namespace, seed: int) -> list[tuple[str, str]]:
    """Find prices that rise by 40 % and a channel that is gone."""
    starts = END - timedelta(days=13)
    company.simulate(
        folder, arguments.customers, Drift(starts_on=starts, price_factor=1.4, channel_gone="store"), seed=seed
    )
    company.watch_arrivals(days(starts, END, 1))
    return [
        (what, delay(starts, kind, subject, name))
        for what, kind, subject, name in (
            ("prices +40 %", "distribution", "order_items", "unit_price"),
            ("channel gone", "distribution", "orders", "channel"),
        )
    ]


def label_drift(folder: Path, arguments: argparse.Namespace, seed: int) -> list[tuple[str, str]]:
    """Find that customers buy half as often."""
    starts = END - timedelta(days=HORIZON + 20)
    company.simulate(folder, arguments.customers, Drift(starts_on=starts, purchase_rate_factor=0.5), seed=seed)
    company.train_and_score(starts - timedelta(days=60), days(starts - timedelta(days=60), END, 1))
    company.watch_model(days(starts, END, 1))
    return [("half the purchases", delay(starts, "label", company.MODEL, None))]


def outcome(measured_days: int) -> str:
    """Say how many alarms were raised in how many days, and which."""
    found = company.raised()
    names = "; ".join(f"{day} {kind} {subject} {name}".strip() for kind, subject, name, day, _ in found)
    return f"{len(found)} alarms in {measured_days} days" + (f": {names}" if found else "")


def delay(starts: date, kind: str, subject: str, name: str | None) -> str:
    """Say on which day of the drift its alarm was raised (the day that it starts on is the first)."""
    hits = [row[3] for row in company.raised() if row[:2] == (kind, subject) and name in (None, row[2])]
    return f"found on day {(min(hits) - starts).days + 1}" if hits else "not found"


def forget() -> None:
    """Empty the tables of the monitor."""
    with postgres.connect() as crm:
        crm.execute("truncate crm_ai.drift, crm_ai.model_alarms")


if __name__ == "__main__":
    main()
