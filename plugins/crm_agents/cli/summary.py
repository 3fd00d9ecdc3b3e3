"""The summary at the end of a run, as tables in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from crm_agents.summary import Row, Summary

if TYPE_CHECKING:
    from crm_agents.run import Chain


def print_summary(
    console: Console, found: Summary, chain: Chain | None = None, took: dict[str, float] | None = None
) -> None:
    """Print what came in, what the model is worth, whom to contact and why, what was written, and where to look next.

    Parameters
    ----------
    found : Summary
        What `crm_agents.summary.collect` returned, while the database ran.
    chain : Chain, optional
        The runs that were just followed: their durations are shown.
    took : dict, optional
        Seconds of the steps around them, by name.
    """
    _what_came_in(console, found)
    _quality(console, found)
    _models(console, found)
    _contacts(console, found)
    _losses(console, found)
    _outbox(console, found)
    _values(console, found)
    _segments(console, found)
    _written(console, found)
    _durations(console, chain, took or {})
    _next(console, found)


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(text, style="bold cyan")


def _table(console: Console, columns: list[str], rows: list[Any], right: tuple[int, ...] = ()) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).replace("[", r"\[")


def _what_came_in(console: Console, found: Summary) -> None:
    _heading(console, "What came in")
    moved = {table: upserted for table, upserted, _ in found.moved}
    rows = [
        (table, int(read), int(used), int(quarantined), moved.get(table, 0))
        for table, read, used, quarantined in found.loaded
        if read
    ]
    _table(console, ["CRM table", "source rows", "used", "quarantined", "last moved"], rows, right=(1, 2, 3, 4))
    if found.quarantined:
        _heading(console, "What was quarantined, and why (crm_ai.quarantine)")
        _table(
            console,
            ["table", "reason", "rows", "file"],
            [(table, reason, count, file) for table, reason, count, file in found.quarantined],
            right=(2,),
        )


def _quality(console: Console, found: Summary) -> None:
    if not found.quality:
        return
    _heading(console, "Data quality (crm_ai.quality_results)")
    passed = sum(row[2] for row in found.quality)
    failed = sum(row[3] for row in found.quality)
    console.print(f"{passed:,} rules passed, {failed:,} did not.")
    if found.failed_rules:
        _table(console, ["table", "rule", "severity", "rows"], found.failed_rules, right=(3,))


def _models(console: Console, found: Summary) -> None:
    _heading(console, "The models against the rules of thumb they replace (crm_ai.models)")
    if not found.models:
        reason = next((run[4] for run in found.runs if run[4]), "no model was trained")
        console.print(f"No model is in charge: {reason}")
        return
    rows = []
    for model, version, _alias, grade, method, metrics, baseline in found.models:
        for name in ("brier", "auc", "top_20_caught", "ndcg", "reward"):
            if name in metrics and name in baseline:
                rows.append((model, version, grade, method, name, f"{metrics[name]:.4f}", f"{baseline[name]:.4f}"))
    _table(console, ["model", "version", "grade", "serves", "metric", "model", "baseline"], rows, right=(5, 6))
    console.print(
        "Grade A: at least 5 % less error than the baseline on the same later weeks (of values: 5 % more of the best customers "
        "caught); B: up to 5 %; C: never used."
    )


def _contacts(console: Console, found: Summary) -> None:
    if found.choices:
        _heading(console, "What was decided (crm_ai.decisions)")
        for agent in dict.fromkeys(agent for agent, _, _ in found.choices):
            counts = [(choice, count) for name, choice, count in found.choices if name == agent]
            said = ", ".join(f"{choice.replace('_', ' ')}: {count:,}" for choice, count in counts)
            console.print(f"{agent}: {said}", markup=False)
    if found.contacts:
        _heading(console, "Whom to contact first, and why (crm_ai.scores, crm_ai.score_reasons)")
        rows = [_contact(row) for row in found.contacts]
        _table(console, ["customer", "will buy", "worth", "speaks for it", "speaks against it"], rows, right=(1, 2))


def _losses(console: Console, found: Summary) -> None:
    if not found.losses:
        return
    _heading(console, "Who is about to be lost, among those who bring most (crm_ai.scores)")
    rows = [
        (customer, f"{value:.0%}", segment, _observation(reason_for), _observation(reason_against))
        for customer, value, segment, reason_for, reason_against in found.losses
    ]
    _table(console, ["customer", "is lost", "segment", "speaks for it", "speaks against it"], rows, right=(1,))


def _outbox(console: Console, found: Summary) -> None:
    if not (found.messages or found.blocked):
        return
    _heading(console, "What may go out to customers (crm_ai.outbox)")
    _table(console, ["what", "channel", "rows"], found.messages, right=(2,))
    if found.blocked:
        console.print("Blocked: " + ", ".join(f"{count:,} by {rule}" for rule, count in found.blocked))


def _contact(row: Row) -> Row:
    customer, value, _grade, reason_for, reason_against, revenue = row
    worth = "" if revenue is None else f"{revenue:,.2f}"
    return (customer, f"{value:.0%}", worth, _observation(reason_for), _observation(reason_against))


def _observation(statement: str | None) -> str | None:
    """Return a reason without its last clause ("speaks for ..."): the column's heading says that already."""
    return statement.partition(": speaks ")[0] if statement else None


def _values(console: Console, found: Summary) -> None:
    if not found.values:
        return
    _heading(console, "What the customers are worth (crm_ai.customer_values)")
    for customers, purchases, value, currency, as_of in found.values:
        console.print(
            f"In the 12 months after {as_of}, {customers:,} customers are expected to buy on {purchases:,.0f} days, for "
            f"{value:,.0f} {currency}."
        )


def _segments(console: Console, found: Summary) -> None:
    if found.segments:
        _heading(console, "Who the customers are (crm_ai.segment_profiles)")
        for (statement,) in found.segments:
            console.print(statement, markup=False)


def _written(console: Console, found: Summary) -> None:
    if not found.runs:
        return
    _heading(console, "What the agents wrote")
    for run_id, _agent, as_of, status, reason, writes, _seconds in found.runs:
        outcome = f": {status}: {reason}" if reason else ": nothing had changed" if writes == 0 else ""
        console.print(f"{run_id} (as of {as_of}){outcome}", markup=False)
        rows = [(f"  {table}", count) for run, table, count in found.written if run == run_id]
        if rows:
            _table(console, ["  table", "rows"], rows, right=(1,))


def _durations(console: Console, chain: Chain | None, took: dict[str, float]) -> None:
    if not chain and not took:
        return
    _heading(console, "How long it took")
    rows = [(name, f"{seconds:.1f} s") for name, seconds in took.items()]
    rows += [(f"  {run.dag_id}", f"{run.seconds:.1f} s") for run in (chain.runs if chain else [])]
    if took:
        rows.append(("together", f"{sum(took.values()):.1f} s"))
    _table(console, ["step", "seconds"], rows, right=(1,))


def _next(console: Console, found: Summary) -> None:
    _heading(console, "Where to look next")
    console.print("crm-agents up                                    Airflow and MLflow in the browser, with this state")
    console.print('crm-agents query "select * from crm_ai.scores order by value desc limit 20"', markup=False)
    console.print('crm-agents query "select * from marts.fct_sales_daily" --on lake', markup=False)
    for run_id, *_, writes, _seconds in found.runs:
        if writes:
            console.print(f"crm-agents undo {run_id}    takes this run back", markup=False)
