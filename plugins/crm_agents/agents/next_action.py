"""The next best action: whose day it is, what they may be sent, and what the policy chooses for them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from crm_agents import action_policy, outbox
from crm_agents.agents.frame import AgentRun
from crm_agents.arms import BUSINESS_AS_USUAL, CONTROL, TREATMENT
from crm_agents.company import Company

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pandas as pd

AS_USUAL_CHOICE = "as_usual"
DO_NOTHING = "do_nothing"


def moment(run: AgentRun) -> datetime:
    """Return when a run's messages may go out at the earliest, and for when consents are judged: the night after its day."""
    return datetime.combine(run.as_of + timedelta(days=1), time(), tzinfo=UTC)


def whose_day_sql(customers: str, run: AgentRun, outcome_days: int) -> str:
    """Return the SELECT of those of `customers` whose day it is: each one has one in every outcome window.

    So no two outcomes of a customer overlap, and a day's decisions are a sample of all customers.
    """
    day = run.as_of.toordinal() % outcome_days
    return f"from {customers} where md5_number(customer_id) % {outcome_days} = {day}"


def permitted(
    connection: duckdb.DuckDBPyConnection, customers: pd.DataFrame, run: AgentRun, company: Company
) -> pd.DataFrame:
    """Return a row for each customer and a column for each action: whether every rule would let it through alone.

    The rules are those of the outbox, so the policy chooses only among what may go out.
    """
    import pandas as pd

    connection.register("asked", customers[["customer_id"]])
    result = pd.DataFrame(False, index=customers.index, columns=[it.name for it in company.personalisation.actions])
    for it in company.personalisation.actions:
        connection.execute(
            f"create or replace temp table asking as select '{run.run_id}:' || customer_id as decision_id, customer_id, "
            f"'{it.channel}' as channel, '{it.purpose}' as purpose, '{it.name}' as template, '{{}}' as variables, "
            f"'{it.name}' as action from asked"
        )
        outbox.check(connection, "asking", run, company.outreach, moment(run))
        free = connection.execute(f"select distinct recipient_id from {outbox.PERMITTED}").df()["recipient_id"]
        result[it.name] = customers["customer_id"].isin(free).to_numpy()
    return result


def choose(frame: pd.DataFrame, allowed: pd.DataFrame, version: str, run: AgentRun, company: Company) -> pd.DataFrame:
    """Choose for each customer; the same again when asked again.

    Parameters
    ----------
    frame : DataFrame
        customer_id, arm, and the context (`action_policy.context_sql`).
    allowed : DataFrame of bool
        From `permitted`, row by row.

    Returns
    -------
    DataFrame
        customer_id, arm, chosen, propensity, policy, options (JSON: allowed, cost, context, expected), confidence, reason.
    """
    settings = company.personalisation
    bandit = action_policy.serving(version, frame, settings)
    chances, expected = _chances(frame, allowed, bandit, company)
    from models_ml.next_best_action.choice import draw

    names = [it.name for it in bandit.options]
    place = draw(chances, frame["customer_id"], run.as_of, _seed())
    propensity = chances[range(len(frame)), place]
    arm = frame["arm"].to_numpy(dtype=object)
    chosen = [
        AS_USUAL_CHOICE if one == BUSINESS_AS_USUAL else names[number] for one, number in zip(arm, place, strict=True)
    ]
    policy = f"{settings.policy} {version}" if settings.policy == action_policy.LEARNT else settings.policy
    found = frame[["customer_id", "arm"]].assign(chosen=chosen, propensity=propensity, policy=policy)
    found["options"] = _options(frame, allowed, bandit, expected)
    found["expected"] = expected[range(len(frame)), place]
    found["reason"] = _reasons(found, company.currency)
    return found


def _chances(
    frame: pd.DataFrame, allowed: pd.DataFrame, bandit: action_policy.Bandit, company: Company
) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n, k) probabilities of each option, doing nothing for sure outside the treatment arm, and expected rewards."""
    import numpy as np

    from models_ml.next_best_action.policy import allowed_matrix, fixed, uniform
    from models_ml.next_best_action.predict import expected_rewards, probabilities

    settings = company.personalisation
    chances = np.zeros((len(frame), len(bandit.options)))
    chances[:, 0] = 1.0
    treated = (frame["arm"] == TREATMENT).to_numpy()
    if treated.any():
        may = allowed_matrix(bandit.options, allowed[treated], int(treated.sum()))
        if settings.policy == action_policy.LEARNT:
            chances[treated] = probabilities(
                bandit, frame[treated], allowed[treated], max_contact_share=settings.max_contact_share
            )
        elif settings.policy == "uniform":
            chances[treated] = uniform(may)
        else:
            chances[treated] = fixed(bandit.options, settings.policy, may)
    return chances, expected_rewards(bandit, frame)


def _options(
    frame: pd.DataFrame, allowed: pd.DataFrame, bandit: action_policy.Bandit, expected: np.ndarray
) -> list[str]:
    """Return for each customer, as JSON, all that a later judgement of the decision needs."""
    names = [it.name for it in bandit.options]
    cost = {it.name: it.cost for it in bandit.options}
    context = frame[[*action_policy.FEATURES, action_policy.USUAL]].round(4)
    records = context.astype(object).where(context.notna(), None).to_dict(orient="records")
    may = allowed.to_dict(orient="records")
    return [
        json.dumps(
            {
                "allowed": [DO_NOTHING, *(name for name, is_free in free.items() if is_free)],
                "cost": cost,
                "expected": dict(zip(names, (round(float(value), 2) for value in values), strict=True)),
                "context": record,
            }
        )
        for free, values, record in zip(may, expected, records, strict=True)
    ]


def _reasons(found: pd.DataFrame, currency: str) -> list[str]:
    """Return why, in a sentence for each decision."""
    sentences = {
        CONTROL: "In the control arm: never contacted, so that it can be measured what contacts bring.",
        BUSINESS_AS_USUAL: "Left to the company's habits, so that it can be measured what the agent brings.",
    }
    chosen = [
        f"Expected to bring {expected:,.2f} {currency} within the outcome days, cost deducted; chosen with probability "
        f"{propensity:.2f}."
        for expected, propensity in zip(found["expected"], found["propensity"], strict=True)
    ]
    return [sentences.get(arm, text) for arm, text in zip(found["arm"], chosen, strict=True)]


def _seed() -> int:
    from models_ml.next_best_action.config import SEED

    return SEED
