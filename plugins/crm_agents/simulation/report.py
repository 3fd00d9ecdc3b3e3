"""The section of docs/results.md on the simulated days, and its picture."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from crm_agents.company import loaded_company
from crm_agents.errors import CrmAgentsError
from crm_agents.results import replace_section
from crm_agents.simulation.comparison import (
    Interval,
    Outcome,
    losses,
    outcome,
    rate_difference,
    revenue_difference,
    wins,
)
from crm_agents.simulation.learning import Week, weeks
from crm_agents.simulation.policy import REST_DAYS
from crm_agents.simulation.runner import Simulated
from crm_agents.simulation.state import SimulationState
from crm_agents.simulation.what_if import first_evening
from crm_agents.simulation.worlds import TITLES, TWINS, Worlds

SECTION = "simulation"


def write_report(done: Simulated, page: Path) -> list[str]:
    """Write the section and its picture (``images/learning.png`` beside the page); return the verdict in lines.

    Raises
    ------
    CrmAgentsError
        When no day has been simulated yet.
    """
    if not done.days:
        raise CrmAgentsError("No day has been simulated yet.", "Simulate some: `crm-agents simulate --days 120`.")
    company = loaded_company()
    outcomes = {name: outcome(done.worlds, name) for name in TITLES}
    differences = {name: revenue_difference(done.worlds, name) for name in TWINS}
    learnt = weeks(company, done.start_on, done.days)
    picture = page.parent / "images" / "learning.png"
    _draw(done, learnt, picture)
    verdict = [_verdict(name, outcomes, differences[name], company.currency) for name in TWINS]
    replace_section(page, SECTION, _text(done, outcomes, differences, verdict, learnt, company.currency))
    return verdict


def _text(
    done: Simulated, outcomes: dict[str, Outcome], differences: dict[str, Interval], verdict: list[str],
    learnt: list[Week], currency: str,
) -> str:  # fmt: skip
    it = done.worlds.agents.history
    last_on = done.start_on + timedelta(days=done.days - 1)
    trained = [text for day in done.state.days for text in day.trained]
    promoted = sum(text.endswith("promoted") for text in trained)
    seconds = sum(day.seconds for day in done.state.days)
    parts = [
        f"## {done.days} simulated days with the agents and without",
        f"The simulated company ({it.customers:,} customers, seed {it.seed}) from {done.start_on} to {last_on}. In one world "
        "the agents decide each evening whom to contact on the next day; its twins share every customer's luck of every day "
        "(common random numbers) and make as many contacts on the same days, but choose by habit. What a contact truly does "
        "stands in [simulator.md](simulator.md). "
        f"Written by `crm-agents simulate --days {done.days} --customers {it.customers} --seed {it.seed} --report "
        "docs/results.md`.",
        _table(outcomes, currency),
        "Differences, contact costs deducted, with 95 % intervals (bootstrap over customers, each paired with itself):",
        "\n".join(f"- {line}" for line in verdict),
        _why(outcomes, currency),
        _repeated(done.state),
        "**Churn and win rate.** No agent acts on churn or on deals yet: contacts win some back who were losing interest, "
        "and deals differ only because firms stay or leave. So these differences are shown, not claimed (percentage points, "
        "95 % intervals as above):",
        _rates(done.worlds),
        f"**Learning.** {len(trained)} trainings in {done.days} days, {promoted} promotions. "
        + (_learning(learnt) if learnt else "No score is old enough yet to be judged by what happened."),
        "![Revenue against the twins, and how well each week's scores told who would buy](images/learning.png)",
        "**What a contact is worth** depends on whom it reaches. True mean effect of one contact on the first evening, by the "
        "order of choice (the same customers' consents, as many contacts as the agents made on the first day):",
        _worth(done, currency),
        f"The pipeline took {seconds / done.days:.1f} s a day on the machine that wrote this.",
    ]
    return "\n\n".join(parts)


def _table(outcomes: dict[str, Outcome], currency: str) -> str:
    head = (
        f"| world | revenue, {currency} | a customer | contacts | their cost | revenue less cost | extra orders (true, "
        "expected) | customers lost | deals won |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    )
    rows = [
        f"| {TITLES[name]} | {it.revenue:,.0f} | {it.revenue / it.customers:.2f} | {it.contacts:,} | {it.contact_cost:,.0f} "
        f"| {it.after_cost:,.0f} | {it.expected_extra_orders:,.0f} | {it.customers_lost:,} ({it.churn:.1%}) "
        f"| {it.deals_won} of {it.deals_closed} ({it.win_rate:.0%}) |"
        for name, it in outcomes.items()
    ]
    return "\n".join([head, *rows])


def _rates(worlds: Worlds) -> str:
    head = "| the agents' world against | customers lost | deals won |\n|---|---:|---:|"
    rows = [
        f"| {TITLES[name]} | {_points(rate_difference(worlds, name, losses))} | {_points(rate_difference(worlds, name, wins))} |"
        for name in TWINS
    ]
    return "\n".join([head, *rows])


def _points(it: Interval) -> str:
    return f"{100 * it.value:+.2f} ({100 * it.low:+.2f} to {100 * it.high:+.2f})"


def _why(outcomes: dict[str, Outcome], currency: str) -> str:
    """Return how many orders each world's contacts caused (as the simulator planted them), and what these brought."""
    quiet = outcomes["none"].revenue
    told = [
        f"{it.expected_extra_orders:,.0f} extra orders {TITLES[name]}, {(it.revenue - quiet) / it.contacts:+.2f} {currency} a "
        "contact"
        for name, it in outcomes.items()
        if it.contacts
    ]
    return f"What the contacts caused, against no contacts: {'; '.join(told)}."


def _repeated(state: SimulationState) -> str:
    """Return how often the agents came back to a customer sooner than the habits do."""
    last: dict[int, int] = {}
    repeated = total = 0
    for number, day in enumerate(state.days):
        for place in (place for places in day.wishes.values() for place in places):
            total += 1
            repeated += number - last.get(place, -REST_DAYS) < REST_DAYS
            last[place] = number
    share = repeated / max(total, 1)
    return (
        f"{repeated:,} of the {total:,} contacts that the agents asked for ({share:.0%}) came within {REST_DAYS} days of an "
        "earlier one to the same customer, which tires and annoys; the habits never do that."
    )


def _worth(done: Simulated, currency: str) -> str:
    worlds = done.worlds
    found = first_evening(worlds.agents.history, worlds.agents.contacts.by_day.get(worlds.first_day, 1))
    head = f"| chosen by | extra orders a contact | extra revenue a contact, {currency} |\n|---|---:|---:|"
    return "\n".join(
        [head, *(f"| {w.order_of_choice} | {w.extra_orders:.3f} | {w.extra_revenue:.2f} |" for w in found)]
    )


def _verdict(name: str, outcomes: dict[str, Outcome], difference: Interval, currency: str) -> str:
    share = difference.value / outcomes[name].after_cost
    figures = f"{difference.value:+,.0f} {currency} ({difference.low:+,.0f} to {difference.high:+,.0f}; {share:+.1%})"
    if not difference.is_enough:
        claim = f"too early to tell, only {difference.differing} customers have done anything else"
    elif not difference.excludes_zero:
        claim = "not to be told from noise"
    else:
        claim = "the agents win by more than noise" if difference.value > 0 else "the agents lose by more than noise"
    return f"against {TITLES[name]}: {figures}: {claim}."


def _learning(learnt: list[Week]) -> str:
    first, last = learnt[0], learnt[-1]
    return (
        f"Realised on the {len(learnt)} weeks whose horizon is over: AUC {first.auc:.3f} in the first week and "
        f"{last.auc:.3f} in the last, Brier score {first.brier:.4f} and {last.brier:.4f} (base rate {first.base_rate:.1%} "
        f"and {last.base_rate:.1%}). The simulated world is stable, so weekly training has to keep this level, not to raise it."
    )


def _draw(done: Simulated, learnt: list[Week], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    money, told = figure.subplots(1, 2)
    first, last = done.worlds.first_day, done.worlds.agents.day
    marks = [*range(first + 6, last, 7), last]
    for name, colour in zip(TWINS, ("#1f5fa8", "#c0662b", "#6f6f6f"), strict=True):
        curve = [revenue_difference(done.worlds, name, until_day=day) for day in marks]
        days = [day - first + 1 for day in marks]
        money.plot(days, [point.value for point in curve], color=colour, label=f"against {TITLES[name]}")
        money.fill_between(days, [p.low for p in curve], [p.high for p in curve], color=colour, alpha=0.15)
    money.axhline(0, color="black", linewidth=0.8)
    money.set(
        title="Revenue won by the agents (95 % interval)", xlabel="simulated day", ylabel=loaded_company().currency
    )
    money.legend(fontsize=7, frameon=False)
    days = [(week.as_of - done.start_on).days + 1 for week in learnt]
    told.plot(days, [week.auc for week in learnt], marker="o", color="#1f5fa8", label="AUC")
    told.plot(days, [week.brier for week in learnt], marker="s", color="#c0662b", label="Brier score")
    told.set(title="Scores of the week against what happened", xlabel="simulated day", ylim=(0, 1))
    told.legend(fontsize=7, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})
