"""Are the data enough to learn from? The minimum-data ladder and the leakage check, with every finding written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal

from crm_agents import postgres
from crm_agents.company import MinimumData

if TYPE_CHECKING:
    from models_ml.core.leakage import Suspicion

LADDER, LEAKAGE = "ladder", "leakage"
OUTCOME = "outcome"
REASONS_NAMED = 2  # the reason stands beside every customer that is not scored
Severity = Literal["info", "warning", "blocking"]


@dataclass(frozen=True)
class Finding:
    """One row of ``crm_ai.data_usability``."""

    step: str
    check_name: str
    severity: Severity
    detail: str
    table_name: str | None = None
    column_name: str | None = None


@dataclass(frozen=True)
class TrainingStatistics:
    """What the ladder judges: counts over the rows that a model would learn from and be judged on.

    Parameters
    ----------
    entities : int
        Customers (deals, ...) in the model's population on the day of training.
    history_days : int
        From the first purchase (or other event) to the day of training.
    training_cutoffs : int
        Training cut-offs with rows, of those planned.
    positives, negatives : int
        Labels of the training rows.
    holdout_positives, holdout_negatives : int
        Labels of the out-of-time test rows.
    entities_are, positive_is : str
        How entities and positive labels are called in sentences ("customers who have bought", "followed by a purchase").
    missing_shares : dict
        Share of missing values by required column, over the training rows.
    """

    entities: int
    history_days: int
    training_cutoffs: int
    positives: int
    negatives: int
    holdout_positives: int
    holdout_negatives: int
    entities_are: str
    positive_is: str
    missing_shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Usability:
    """The rung of the ladder that the data reach, why, and every finding on the way."""

    outcome: Literal["own_model", "rule", "not_scored"]
    reason: str
    findings: list[Finding]


def climb(
    found: TrainingStatistics, limits: MinimumData, *, horizon_days: int, table: str, rule: str | None = None
) -> Usability:
    """Return which rung of the ladder (own model, rule, not scored) the data reach.

    Parameters
    ----------
    rule : str, optional
        The rule that takes over when data are too thin for a model; without one nothing is scored.
    """
    checks = _checks(found, limits, horizon_days)
    findings = [
        Finding(LADDER, name, "info" if is_enough else "blocking", detail, table) for name, is_enough, detail in checks
    ]
    lacking = [detail for _, is_enough, detail in checks if not is_enough]
    why = "; ".join(lacking[:REASONS_NAMED])
    if len(lacking) > REASONS_NAMED:
        why += f"; {len(lacking) - REASONS_NAMED} more in crm_ai.data_usability"
    outcome: Literal["own_model", "rule", "not_scored"]
    if not lacking:
        outcome, reason = "own_model", "The data are enough for a model of their own."
    elif rule is not None:
        outcome, reason = "rule", f"Too little data for a model, so {rule}: {why}."
    else:
        outcome, reason = "not_scored", f"Too little data to learn from: {why}."
    closing = Finding(LADDER, OUTCOME, "info" if outcome == "own_model" else "blocking", reason, table)
    return Usability(outcome, reason, [*findings, closing])


def leakage_findings(suspicions: Sequence[Suspicion], table: str) -> list[Finding]:
    """Return one finding for each suspicious column, and one that says so when there is none."""
    if not suspicions:
        return [Finding(LEAKAGE, "single_columns", "info", "no column by itself gives the answer away", table)]
    sentences = {
        "correlation": "moves with the label (correlation {:.3f})",
        "missing_values": "is missing exactly where the label says so (correlation {:.3f})",
        "single_column_auc": "alone tells the outcome (AUC {:.3f} on customers not seen)",
    }
    return [
        Finding(
            LEAKAGE,
            item.check,
            "warning",
            f"{item.column} {sentences[item.check].format(item.value)}: "
            + ("it was left out as a likely leak" if item.is_dropped else "suspicious, but kept"),
            table,
            item.column,
        )
        for item in suspicions
    ]


def write(run_id: str, model: str, as_of: date, findings: Sequence[Finding]) -> None:
    """Replace the findings of `run_id` on `model`: a repeated run leaves one set."""
    with postgres.connect() as crm, crm.cursor() as cursor:
        cursor.execute("delete from crm_ai.data_usability where run_id = %s and model = %s", (run_id, model))
        cursor.executemany(
            "insert into crm_ai.data_usability "
            "(run_id, model, step, check_name, table_name, column_name, severity, detail, as_of) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (run_id, model, f.step, f.check_name, f.table_name, f.column_name, f.severity, f.detail, as_of)
                for f in findings
            ],
        )


def why_not_trained(model: str) -> str | None:
    """Return why the newest training of `model` found too little data, None when it found enough or never ran."""
    with postgres.connect() as crm:
        row = crm.execute(
            "select case when severity = 'blocking' then detail end from crm_ai.data_usability "
            "where model = %s and step = %s and check_name = %s order by checked_at desc limit 1",
            (model, LADDER, OUTCOME),
        ).fetchone()
    return row[0] if row else None


def _checks(found: TrainingStatistics, limits: MinimumData, horizon_days: int) -> list[tuple[str, bool, str]]:
    """Return (check, is it enough, sentence) for each limit."""
    needed_days = max(limits.history_days, 2 * horizon_days)
    labels = found.positives + found.negatives
    share = found.positives / labels if labels else 0.0
    fewest = max(1, limits.positives // 5), max(1, limits.negatives // 5)
    checks = [
        _at_least("entities", found.entities, limits.customers, found.entities_are),
        _at_least("history", found.history_days, needed_days, "days of history"),
        _at_least("training_cutoffs", found.training_cutoffs, 1, "training cut-offs with data"),
        _at_least("positives", found.positives, limits.positives, f"training rows {found.positive_is}"),
        _at_least("negatives", found.negatives, limits.negatives, f"training rows not {found.positive_is}"),
        (
            "positive_share",
            limits.min_positive_share <= share <= limits.max_positive_share,
            f"{share:.1%} of the training rows are {found.positive_is} (needed: {limits.min_positive_share:.0%} to "
            f"{limits.max_positive_share:.0%})",
        ),
        # The holdout need not be as large as the training set, yet large enough to judge on.
        _at_least("holdout_positives", found.holdout_positives, fewest[0], f"test rows {found.positive_is}"),
        _at_least("holdout_negatives", found.holdout_negatives, fewest[1], f"test rows not {found.positive_is}"),
    ]
    checks += [
        (
            f"missing_{column}",
            missing <= limits.max_missing_share,
            f"{missing:.0%} of {column} is missing; up to {limits.max_missing_share:.0%} is allowed",
        )
        for column, missing in found.missing_shares.items()
    ]
    return checks


def _at_least(name: str, found: int, needed: int, noun: str) -> tuple[str, bool, str]:
    return name, found >= needed, f"{found:,} {noun} (needed: {needed:,})"
