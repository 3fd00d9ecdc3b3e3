"""What a policy that learns whom to contact, and how, is worth on the simulated company.

    .venv/bin/python benchmarks/next_best_action.py [--seeds 11 12 13 14] [--days 180] [--customers 20000] [--report PAGE]

For each seed one company lives on in worlds that share every customer's luck of every day (`next_best_action_worlds.py`): in
the first a bandit decides, in the others as many customers are contacted on the same days, by lot: with an option by lot, or
always with a discount; in the last nobody is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from next_best_action_worlds import CONTACT_SHARE, NAMES, TITLES, Race

from crm_agents.results import replace_section
from crm_agents.simulation.comparison import Interval, bootstrap_total


def race(customers: int, seed: int, days: int) -> Race:
    """Let the worlds of one seed live for so many days."""
    found = Race.begin(customers, seed)
    for _ in range(days):
        found.step()
    return found


def interval(races: Sequence[Race], other: str) -> Interval:
    """Return how much more all bandits' worlds brought than worlds `other`, costs deducted: bootstrap over customers, paired."""
    gains = [it.gain(other) for it in races]
    values = np.concatenate([values for values, _ in gains])
    return bootstrap_total(values, races[0].parameters.seed, offset=-sum(cost for _, cost in gains))


def world_rows(races: Sequence[Race]) -> list[str]:
    """Return a row for each policy, all seeds together."""
    rows = []
    for name, title in TITLES.items():
        worlds = [it.worlds[name] for it in races]
        contacts = [world.company.contacts for world in worlds]
        made = sum(it.made for it in contacts)
        expected = sum(world.expected for world in worlds)
        each = f"{expected / made:.2f}" if made else ""
        revenue = sum(
            world.revenue(it.first_day, world.company.day).sum() for it, world in zip(races, worlds, strict=True)
        )
        rows.append(
            f"| {title} | {made:,} | {sum(it.cost_cents for it in contacts) / 100:,.0f} | {revenue:,.0f} "
            f"| {sum(it.expected_orders for it in contacts):,.0f} | {expected:,.0f} | {each} |"
        )
    return rows


def gain_rows(races: Sequence[Race]) -> list[str]:
    """Return a row for each other policy: all seeds together, then each."""
    rows = []
    for other in list(TITLES)[1:]:
        parts = [interval(races, other), *(interval([it], other) for it in races)]
        cells = [f"{it.value:+,.0f} ({it.low:+,.0f} to {it.high:+,.0f})" for it in parts]
        rows.append(f"| {TITLES[other]} | **{cells[0]}** | {' | '.join(cells[1:])} |")
    return rows


def report(races: Sequence[Race], customers: int, days: int) -> str:
    """Return the section in Markdown."""
    seeds = [it.parameters.seed for it in races]
    chosen = np.bincount(
        np.concatenate([place for it in races for place in it.chosen[-days // 2 :]]), minlength=len(NAMES)
    )
    shares = ", ".join(
        f"{name} {100 * part:.0f}%" for name, part in zip(NAMES[1:], chosen[1:] / chosen.sum(), strict=True)
    )
    least = min(share for it in races for share in it.control_shares)
    against = {other: interval(races, other) for other in ("random", "discount")}
    wins = [TITLES[other] for other, it in against.items() if it.excludes_zero and it.value > 0]
    verdict = f"more than noise against {' and '.join(wins)}" if wins else "no more than noise against either habit"
    return "\n".join(
        [
            "## Next best action: a policy that learns, against habits",
            "",
            f"The simulated company of {customers:,} customers lives on for {days} days, once for each of the seeds "
            f"{', '.join(map(str, seeds))}. Worlds of a seed share every customer's luck of every day and make as many contacts "
            f"on the same days ({100 * CONTACT_SHARE:.0f}% of the customers whose turn it is); only whom they contact, and how, "
            "differs. The bandit begins knowing nothing, reads what the company can see, and learns each day from the revenue of "
            f"the {races[0].parameters.outcome_days} days after decisions. What a contact truly does stands in "
            "[simulator.md](simulator.md). Written by `benchmarks/next_best_action.py "
            f"--customers {customers} --days {days} --seeds {' '.join(map(str, seeds))} --report docs/results.md`.",
            "",
            "| policy | contacts | their cost, EUR | revenue, EUR | extra orders (true, expected) "
            "| what contacts bring less cost (true, expected), EUR | each |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *world_rows(races),
            "",
            "Realised revenue of the learnt policy's world less that of the others, contact costs deducted, with 95 % intervals "
            "(bootstrap over customers, each paired with itself):",
            "",
            f"| against | all seeds | {' | '.join(f'seed {seed}' for seed in seeds)} |",
            f"|---|---:|{'---:|' * len(seeds)}",
            *gain_rows(races),
            "",
            f"The learnt policy brings {verdict}. Its contacts in the second half of the time: {shares}. The control arm never "
            f"had less than {100 * least:.1f}% of the customers.",
        ]
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14])
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    races = [race(arguments.customers, seed, arguments.days) for seed in arguments.seeds]
    text = report(races, arguments.customers, arguments.days)
    print(text)
    if arguments.report:
        replace_section(arguments.report, "next-best-action", text)


if __name__ == "__main__":
    main()
