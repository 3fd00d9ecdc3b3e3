"""Are the data enough to learn from? The minimum-data ladder and the leakage check, with every finding written down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Literal

from crm_agents import postgres
from crm_agents.company_settings import MinimumData

if TYPE_CHECKING:
    from crm_agents.model_catalog import ModelSpec
    from models_ml.core.leakage import Suspicion
    from models_ml.core.repeated_rows import RepeatedRows

LADDER, LEAKAGE = "ladder", "leakage"
OUTCOME = "outcome"
REASONS_NAMED = 2  # the reason stands beside every customer that is not scored
Severity = Literal["info", "warning", "blocking"]
Rung = Literal["own_model", "simpler_model", "rule"]
DEALS = ("lead", "opportunity")  # entity types that are counted in deals, not in customers


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
class RungLimits:
    """What one rung of the ladder needs."""

    entities: int
    history_days: int
    positives: int
    negatives: int


@dataclass(frozen=True)
class Usability:
    """The rung of the ladder that the data reach, why, and every finding on the way."""

    outcome: Literal["own_model", "simpler_model", "rule", "not_scored"]
    reason: str
    findings: list[Finding]


def rungs(spec: ModelSpec) -> dict[Rung, str]:
    """Return the rungs that a model has, from the top, each with what serves there in words."""
    found: dict[Rung, str] = {"own_model": "a model of their own"}
    if spec.simpler:
        found["simpler_model"] = spec.simpler
    if spec.rule:
        found["rule"] = spec.rule
    return found


def limits_of(rung: Rung, limits: MinimumData, entity_type: str = "customer") -> RungLimits:
    """Return what a rung needs for a kind of entity; a lower rung never needs more than the top one."""
    if entity_type in DEALS:
        deals = limits.deals
        own = RungLimits(deals.deals, deals.history_days, deals.positives, deals.negatives)
    else:
        own = RungLimits(limits.customers, limits.history_days, limits.positives, limits.negatives)
    if rung == "own_model":
        return own
    lower = limits.simpler if rung == "simpler_model" else limits.rule
    return RungLimits(
        entities=min(own.entities, lower.customers),
        history_days=min(own.history_days, lower.history_days),
        positives=min(own.positives, lower.positives),
        negatives=min(own.negatives, lower.negatives),
    )


def fewest_entities(spec: ModelSpec, limits: MinimumData) -> int:
    """Return the number of entities below which not even the lowest rung of `spec` can be reached."""
    return min(limits_of(rung, limits, spec.entity_type).entities for rung in rungs(spec))


def climb(found: TrainingStatistics, limits: MinimumData, spec: ModelSpec, *, horizon_days: int) -> Usability:
    """Return the highest rung of the ladder (own model, simpler model, rule, not scored) that the data reach."""
    findings: list[Finding] = []
    why = ""
    names = rungs(spec)
    for rung, serves in names.items():
        checks = _checks(found, limits_of(rung, limits, spec.entity_type), limits, horizon_days)
        prefix = "" if rung == "own_model" else f"{rung}."
        findings += [
            Finding(LADDER, prefix + name, "info" if is_enough else "blocking", detail, spec.features_table)
            for name, is_enough, detail in checks
        ]
        lacking = [detail for _, is_enough, detail in checks if not is_enough]
        why = why or _why(lacking)  # what the data lack for the top rung is what people can mend
        if not lacking:
            return _reached(rung, serves, why, findings, spec)
    return _closed("not_scored", f"Too little data to learn from: {why}.", findings, spec)


def _reached(rung: Rung, serves: str, why: str, findings: list[Finding], spec: ModelSpec) -> Usability:
    if rung == "own_model":
        return _closed(rung, "The data are enough for a model of their own.", findings, spec)
    # what the upper rungs lack is a warning: someone is scored nevertheless
    softened = [
        replace(finding, severity="warning") if finding.severity == "blocking" else finding for finding in findings
    ]
    return _closed(rung, f"Too little data for a model of their own, so {serves}: {why}.", softened, spec)


def _closed(
    outcome: Literal["own_model", "simpler_model", "rule", "not_scored"],
    reason: str,
    findings: list[Finding],
    spec: ModelSpec,
) -> Usability:
    severities: dict[str, Severity] = {"own_model": "info", "not_scored": "blocking"}
    closing = Finding(LADDER, OUTCOME, severities.get(outcome, "warning"), reason, spec.features_table)
    return Usability(outcome, reason, [*findings, closing])


def _why(lacking: list[str]) -> str:
    more = f"; {len(lacking) - REASONS_NAMED} more in crm_ai.data_usability" if len(lacking) > REASONS_NAMED else ""
    return "; ".join(lacking[:REASONS_NAMED]) + more


SUSPICIONS = {
    "known_at": "is known only at the outcome or after a contact, says known_at in company.yml",
    "later_than_as_of": "holds values dated after the day they are used for ({:.1%} of them)",
    "changed_after_outcome": "was filled or changed at or after the outcome ({:.0%} of its values)",
    "missing_values": "is missing exactly where the label says so (correlation {:.3f})",
    "correlation": "moves with the label (correlation {:.3f})",
    "cramers_v": "goes with the label (Cramer's V {:.3f})",
    "single_column_auc": "alone tells the outcome (AUC {:.3f} on others than those it was learnt from)",
}


def leakage_findings(suspicions: Iterable[Suspicion], table: str) -> list[Finding]:
    """Return one finding for each suspicious column, and one that says so when there is none."""
    found = [
        Finding(
            LEAKAGE,
            item.check,
            "info" if item.check == "known_at" else "warning",  # what people declared is no surprise
            f"{item.column} {SUSPICIONS[item.check].format(item.value)}: "
            + ("it was left out" if item.is_dropped else "suspicious, but kept"),
            table,
            item.column,
        )
        for item in suspicions
    ]
    return found or [Finding(LEAKAGE, "single_columns", "info", "no column by itself gives the answer away", table)]


def repeated_rows_finding(repeated: RepeatedRows, table: str) -> Finding:
    """Return what was found of rows that lie on both sides of the split in time."""
    count = int(repeated.is_copy.sum())
    detail = (
        f"{repeated.holdout_share:.1%} of the test rows are also among the training rows ({count:,} rows): "
        + ("training did without them" if repeated.is_material else "too few to matter, kept")
        if count
        else "no test row is also a training row"
    )
    return Finding(LEAKAGE, "repeated_rows", "warning" if repeated.is_material else "info", detail, table)


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


def why_not_trained(model: str, as_of: date | None = None) -> str | None:
    """Return why the newest training of `model` (up to `as_of`) found too little data, None when it found enough."""
    with postgres.connect() as crm:
        row = crm.execute(
            "select case when severity = 'blocking' then detail end from crm_ai.data_usability "
            "where model = %s and step = %s and check_name = %s and (%s::date is null or as_of <= %s) "
            "order by as_of desc, checked_at desc limit 1",
            (model, LADDER, OUTCOME, as_of, as_of),
        ).fetchone()
    return row[0] if row else None


def _checks(
    found: TrainingStatistics, needed: RungLimits, limits: MinimumData, horizon_days: int
) -> list[tuple[str, bool, str]]:
    """Return (check, is it enough, sentence) for each limit."""
    needed_days = max(needed.history_days, 2 * horizon_days)
    labels = found.positives + found.negatives
    share = found.positives / labels if labels else 0.0
    fewest = max(1, needed.positives // 5), max(1, needed.negatives // 5)
    checks = [
        _at_least("entities", found.entities, needed.entities, found.entities_are),
        _at_least("history", found.history_days, needed_days, "days of history"),
        _at_least("training_cutoffs", found.training_cutoffs, 1, "training cut-offs with data"),
        _at_least("positives", found.positives, needed.positives, f"training rows {found.positive_is}"),
        _at_least("negatives", found.negatives, needed.negatives, f"training rows not {found.positive_is}"),
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
