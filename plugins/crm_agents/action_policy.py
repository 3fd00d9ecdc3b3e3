"""The policy that chooses the next best action: read, learnt from outcomes, and replaced only by a better one."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_agents import model_versions, registry
from crm_agents.contact_settings import Personalisation
from crm_agents.promotion import MODEL_METHOD
from crm_agents.registry import Registration

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pandas as pd

    from models_ml.next_best_action.bandit import Bandit
    from models_ml.next_best_action.compare import Verdict
    from models_ml.next_best_action.policy import Option

MODEL = "next_best_action"
PRIOR = "prior"  # in the place of a version: nothing has been learnt yet
LEARNT = "learnt"
# What the policy may read of a customer: behaviour, nothing personal.
FEATURES = (
    "recency_days",
    "tenure_days",
    "purchases_365d",
    "revenue_365d",
    "discount_share",
    "web_visits_30d",
    "emails_opened_90d",
    "loyalty_points",
    "is_organisation",
)
USUAL = "usual_order_value"
# Of the decisions whose outcomes are known the newest share judges what the others have taught.
JUDGING_SHARE = 0.4
FEWEST_DECISIONS = 500
# A new policy is tried when so many outcomes have come since the last one was judged, as a share of those then known.
NEWS = 0.1


@dataclass(frozen=True)
class Learnt:
    """What came of learning: the version that was judged (None: too little is known), and why it serves or not."""

    version: str | None
    reason: str
    is_promoted: bool = False


def options(settings: Personalisation) -> tuple[Option, ...]:
    """Return the company's actions as the model's options, doing nothing first."""
    from models_ml.next_best_action.policy import options_from

    return options_from(
        {name: getattr(it, name) for name in ("name", "cost", "channel", "purpose", "max_share")}
        for it in settings.actions
    )


def context_sql(features: str) -> str:
    """Return the SELECT of customer_id, `FEATURES` and `USUAL` from rows of ``features.ftr_customers``.

    What a customer's orders are usually worth is drawn towards everybody's, as if three more orders had been worth that.
    """
    read = ", ".join(name for name in FEATURES if name != "is_organisation")
    return f"""
        select customer_id, {read}, (kind = 'organisation')::double as is_organisation,
            (greatest(revenue_total, 0) + 3 * coalesce(avg(average_order_value) over (), 0)) / (purchases_total + 3) as {USUAL}
        from {features}
    """


def serving(version: str, frame: pd.DataFrame, settings: Personalisation) -> Bandit:
    """Return the policy of `version`, or where nothing has been learnt one that knows the scale of `frame` only.

    A policy of other actions than the company has now is not asked: learning begins anew.
    """
    from models_ml.next_best_action.train import begin

    wanted = options(settings)
    if version != PRIOR:
        found = model_versions.find(MODEL, version)
        bandit = registry.load(found).fitted
        if [it.name for it in bandit.options] == [it.name for it in wanted]:
            return bandit.with_options(wanted)
    return begin(frame, wanted, FEATURES, usual_column=USUAL)


def serving_version(as_of: date) -> str:
    """Return the version that chooses on this day, `PRIOR` where none does."""
    champion = registry.champion(MODEL, as_of)
    return champion.version if champion else PRIOR


def read_log(connection: duckdb.DuckDBPyConnection, agent: str, as_of: date) -> pd.DataFrame:
    """Return the decisions of treatment and control whose outcomes were known on `as_of`, oldest first.

    Columns: entity_id, as_of, option, propensity, cost, reward (revenue less cost), the allowed options, `FEATURES`, `USUAL`.
    """
    context = ", ".join(f"(options -> 'context' ->> '{name}')::double as {name}" for name in (*FEATURES, USUAL))
    return connection.execute(
        f"""
        select entity_id, as_of, chosen as option, arm, propensity, cost, outcome_value - cost as reward,
            (options ->> 'allowed')::varchar[] as allowed, {context}
        from (
            select *, coalesce((options -> 'cost' ->> chosen)::double, 0) as cost
            from postgres_query('crm_db', '
                select entity_id, as_of, chosen, arm, propensity, options, outcome_value from crm_ai.decisions
                where agent = ''{agent}'' and policy not like ''list %'' and arm in (''treatment'', ''control'')
                    and outcome in (''purchased'', ''no_purchase'') and outcome_due_at <= ''{as_of}''
            ')
        ) order by as_of, entity_id
        """
    ).df()


def learn(log: pd.DataFrame, settings: Personalisation, as_of: date, *, currency: str) -> Learnt:
    """Let a new policy learn from the older decisions in `log`, judge it on the newer ones, and let it serve if it is better.

    Parameters
    ----------
    log : DataFrame
        From `read_log`.
    """
    names = {it.name for it in options(settings)}
    log = log[log["option"].isin(names)].reset_index(drop=True)
    if len(log) < FEWEST_DECISIONS:
        return Learnt(None, f"{len(log):,} decisions with an outcome; learning begins with {FEWEST_DECISIONS:,}.")
    newest = model_versions.newest_before(MODEL, as_of)
    if newest is not None and len(log) < (1 + NEWS) * newest.metrics["n"]:
        return Learnt(None, "Few outcomes have come since the last policy was judged.")
    is_older = log["as_of"] <= log["as_of"].quantile(1 - JUDGING_SHARE)
    if is_older.all() or not is_older.any():
        return Learnt(None, "All decisions are of one day: there are no later ones to judge a policy on.")
    older, newer = (log[mask].reset_index(drop=True) for mask in (is_older, ~is_older))
    bandit, verdict = _judged(older, newer, settings, serving_version(as_of), currency)
    return _keep(bandit, verdict, len(log), as_of)


def _judged(
    older: pd.DataFrame, newer: pd.DataFrame, settings: Personalisation, version: str, currency: str
) -> tuple[Bandit, Verdict]:
    from models_ml.next_best_action.compare import compare
    from models_ml.next_best_action.train import fit

    wanted = options(settings)
    bandit = fit(older, wanted, FEATURES, usual_column=USUAL)
    running = serving(version, older, settings)
    new, old = (_probabilities(policy, newer, settings) for policy in (bandit, running))
    return bandit, compare(newer, wanted, new, old, FEATURES, usual_column=USUAL, unit=currency)


def _probabilities(bandit: Bandit, log: pd.DataFrame, settings: Personalisation) -> np.ndarray:
    """Return what a policy would do with each logged customer; nothing in the control arm."""
    import numpy as np

    from models_ml.next_best_action.predict import probabilities

    found = np.zeros((len(log), len(bandit.options)))
    found[:, 0] = 1.0
    treated = (log["arm"] == "treatment").to_numpy()
    if treated.any():
        rows = log[treated]
        found[treated] = probabilities(
            bandit, rows, allowed_frame(rows["allowed"], bandit), max_contact_share=settings.max_contact_share
        )
    return found


def allowed_frame(allowed: pd.Series, bandit: Bandit) -> pd.DataFrame:
    """Return for each list of allowed names a row of which options they are."""
    import pandas as pd

    listed = allowed.explode()
    return pd.DataFrame(
        {it.name: (listed == it.name).groupby(level=0).any() for it in bandit.options[1:]}, index=allowed.index
    )


def _keep(bandit: Bandit, verdict: Verdict, known: int, as_of: date) -> Learnt:
    """Register what was learnt; it serves from now on when it is better by more than noise."""
    gain, new, old = verdict.gain, verdict.new, verdict.old
    metrics: dict[str, Any] = {
        "n": known,
        "reward": new.value,
        "gain": gain.value,
        "gain_low": gain.low,
        "gain_high": gain.high,
        "loss": -new.value,
        "slices": {},
    }
    grade = ("A" if gain.value >= 0.05 * abs(old.value) else "B") if verdict.replaces else "C"
    with tempfile.TemporaryDirectory(prefix="crm-agents-policy-") as scratch:
        folder = Path(scratch) / "policy"
        bandit.save(folder)
        kept = registry.register(
            Registration(
                model=MODEL,
                method=MODEL_METHOD,
                folder=folder,
                parameters={"decisions": known, "options": ", ".join(it.name for it in bandit.options)},
                metrics=metrics,
                tags={"grade": grade, "as_of": as_of.isoformat()},
                input_example=_example(),
                output_example=bandit.values(_example())[0],
            )
        )
    row = {
        "model": MODEL,
        "version": kept.version,
        "method": MODEL_METHOD,
        "grade": grade,
        "primary_metric": "loss",
        "metrics": metrics,
        "baseline_metrics": {"reward": old.value, "loss": -old.value},
        "trained_as_of": as_of,
        "training_snapshot": None,
        "artifact_uri": kept.artifact_uri,
        "artifact_sha256": kept.artifact_sha256,
        "card_uri": kept.card_uri,
        "decision": verdict.reason,
        "training_key": f"{MODEL} {as_of} {known}",
    }
    model_versions.record([row], kept.version if verdict.replaces else None, as_of, verdict.reason)
    registry.sync_aliases(MODEL)
    return Learnt(kept.version, verdict.reason, verdict.replaces)


def _example() -> pd.DataFrame:
    """Return made-up customers, for the model's signature."""
    import pandas as pd

    return pd.DataFrame({name: [1.0, 10.0] for name in (*FEATURES, USUAL)})
