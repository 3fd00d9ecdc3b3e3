"""Every comparison that a log of decisions with arms allows: arms with each other, drawn options with doing nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_ml.lift import config
from models_ml.lift.estimate import Effect, action_effect, arm_effect

BEFORE_ARMS = tuple(f"before_arms_{days}d" for days in config.BEFORE_DAYS)
BEFORE = tuple(f"before_{days}d" for days in config.BEFORE_DAYS)
COLUMNS = ("entity_id", "arm", "chosen", "propensity", "allowed", "outcome_value", "cost", *BEFORE_ARMS, *BEFORE)


@dataclass(frozen=True)
class Lift:
    """The effect of an action on a measure, against what it is compared with."""

    action: str
    compared_with: str
    measure: str
    effect: Effect

    @property
    def total(self) -> float | None:
        """Effect times treated decisions: what the action has brought."""
        return None if self.effect.value is None else self.effect.value * self.effect.treated


def lifts(decisions: pd.DataFrame) -> list[Lift]:
    """Return the effect of everything an agent did, and of each of its options, on each measure.

    Parameters
    ----------
    decisions : DataFrame
        Decisions of one agent whose outcomes are known:

        - entity_id, arm (`treatment`, `control` or `business_as_usual`), chosen;
        - propensity: of what was chosen; missing where it was not logged;
        - allowed: frozenset of the options among which it was drawn; None where that was not logged;
        - outcome_value: what the window brought; cost: of what was done, missing where it is not known;
        - before_arms_<n>d, before_<n>d: revenue of the n days up to the first decision on the entity, and up to this one.

    Returns
    -------
    list of Lift
        None for an empty log. An effect that cannot be stated has a reason instead.

    Raises
    ------
    ValueError
        When a column is not there.
    """
    missing = [name for name in COLUMNS if name not in decisions.columns]
    if missing:
        raise ValueError(f"the decisions lack column {', '.join(missing)}")
    is_by_rule = decisions["chosen"].isin(config.BY_RULE)
    drawn = decisions[~is_by_rule]
    found = [*_of_arms(drawn), *_of_options(drawn[drawn["arm"] == config.TREATMENT])]
    for action, rows in decisions[is_by_rule].groupby("chosen", sort=True):
        found.append(Lift(str(action), config.DO_NOTHING, config.REVENUE, without(len(rows), 0, RULED)))
    return found


RULED = "Chosen by a rule, not by lot: all who had the reason got it, so nobody can be compared with them."


def without(treated: int, compared: int, reason: str) -> Effect:
    """Return an effect that cannot be stated."""
    return Effect(None, None, None, None, treated, compared, 0.0, 0.0, reason)


def _of_arms(decisions: pd.DataFrame) -> Iterator[Lift]:
    arm = decisions["arm"]
    if not (arm == config.TREATMENT).any():
        return
    for other in (config.CONTROL, config.BUSINESS_AS_USUAL):
        is_other = arm == other
        if other == config.BUSINESS_AS_USUAL and not is_other.any():
            continue  # a company need not have such an arm; one without a control arm is told so
        compared = decisions[(arm == config.TREATMENT) | is_other]
        is_treated = (compared["arm"] == config.TREATMENT).to_numpy()
        for measure in _measures(decisions):
            yield Lift(config.ALL, other, measure, _arm_effect(compared, is_treated, measure))


def _arm_effect(decisions: pd.DataFrame, is_treated: np.ndarray, measure: str) -> Effect:
    outcome = _outcomes(decisions, measure)
    reason = _unknown_costs(outcome)
    if reason:
        return without(int(is_treated.sum()), int((~is_treated).sum()), reason)
    return arm_effect(outcome, is_treated, _covariates(decisions, BEFORE_ARMS), decisions["entity_id"].to_numpy(str))


def _of_options(treated: pd.DataFrame) -> Iterator[Lift]:
    for action in sorted(set(treated["chosen"]) - {config.DO_NOTHING}):
        chosen = treated[treated["chosen"] == action]
        if chosen["allowed"].isna().any() or chosen["propensity"].isna().any():
            reason = "Among what it was drawn, or with what probability, was not logged."
            yield Lift(action, config.DO_NOTHING, config.REVENUE, without(len(chosen), 0, reason))
            continue
        could = treated[_could(treated, action)]
        for measure in _measures(treated):
            yield Lift(action, config.DO_NOTHING, measure, _option_effect(could, action, measure))


def _could(treated: pd.DataFrame, action: str) -> np.ndarray:
    """Return whether each decision was drawn among options of which `action` was one."""
    codes, sets = pd.factorize(treated["allowed"])
    has_it = np.array([action in allowed for allowed in sets] + [False])  # the last is for -1: not logged
    return has_it[codes] & treated["propensity"].notna().to_numpy()


def _option_effect(could: pd.DataFrame, action: str, measure: str) -> Effect:
    is_action = (could["chosen"] == action).to_numpy()
    is_nothing = (could["chosen"] == config.DO_NOTHING).to_numpy()
    outcome = _outcomes(could, measure)
    reason = _unknown_costs(outcome[is_action | is_nothing])
    if reason:
        return without(int(is_action.sum()), int(is_nothing.sum()), reason)
    # Rows of other options only say who could have got this one; what theirs cost is of no matter.
    outcome = np.where(is_action | is_nothing, outcome, 0.0)
    chances = could["propensity"].to_numpy(float)
    entities = could["entity_id"].to_numpy(str)
    return action_effect(outcome, is_action, is_nothing, chances, _covariates(could, BEFORE), entities)


def _measures(decisions: pd.DataFrame) -> Sequence[str]:
    """Return what can be measured: costs only where those of contacts are logged."""
    is_contact = (decisions["arm"] == config.TREATMENT) & (decisions["chosen"] != config.DO_NOTHING)
    has_costs = decisions.loc[is_contact, "cost"].notna().any()
    return (config.REVENUE, config.PURCHASE_SHARE, *((config.REVENUE_LESS_COST,) if has_costs else ()))


def _outcomes(decisions: pd.DataFrame, measure: str) -> np.ndarray:
    value = decisions["outcome_value"].to_numpy(float)
    if measure == config.PURCHASE_SHARE:
        return (value > 0).astype(float)
    return value - decisions["cost"].to_numpy(float) if measure == config.REVENUE_LESS_COST else value


def _unknown_costs(outcome: np.ndarray) -> str | None:
    unknown = int(np.isnan(outcome).sum())
    return f"What {unknown:,} of {len(outcome):,} decisions cost was not logged." if unknown else None


def _covariates(decisions: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return the (n, 2) square roots of earlier revenue: between amounts, which a few rule, and counts, which know no size."""
    values = decisions[list(columns)].to_numpy(float, na_value=0.0)
    return np.sqrt(np.maximum(values, 0.0))
