"""The sales team: reps of different skill and diligence, their teams, managers and quotas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crm_agents.simulator import columns, words
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.streams import stream

REPS_PER_TEAM = 8
INACTIVE_SHARE = 0.05
QUOTA_PER_MONTH_CENTS = 600_000  # about what a rep of mean skill wins in the middle of the history


@dataclass(frozen=True)
class Team:
    """The reps (arrays over reps; managers follow them in `is_manager`)."""

    skill: np.ndarray  # log-odds on winning a deal; hidden
    diligence: np.ndarray  # probability of calling soon after an offer; independent of skill, so the effect is causal
    team: np.ndarray
    region: np.ndarray
    is_manager: np.ndarray
    is_active: np.ndarray
    hired_day: np.ndarray  # days since 1970
    sellers: int  # the first so many reps sell; the rest manage

    def assign(self, region: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return a selling rep of the region for each element."""
        owner = np.empty(len(region), dtype=np.int32)
        for number in range(len(words.REGIONS)):
            here = np.flatnonzero(region == number)
            reps = np.flatnonzero(self.region[: self.sellers] == number)
            owner[here] = rng.choice(reps, size=len(here))
        return owner


def build_team(parameters: Parameters) -> Team:
    """Hire the reps and their managers."""
    rng = stream(parameters.seed, "team")
    sellers = parameters.rep_count
    teams = max(len(words.REGIONS), -(-sellers // REPS_PER_TEAM))
    count = sellers + teams
    team = np.arange(count) % teams
    team[sellers:] = np.arange(teams)
    first_day = columns.epoch_day(parameters.first_on)
    is_active = np.ones(count, dtype=bool)
    is_active[rng.choice(sellers, max(1, round(sellers * INACTIVE_SHARE)), replace=False)] = False
    return Team(
        skill=rng.normal(0, parameters.rep_skill_sd, count),
        diligence=rng.beta(3, 3, count),
        team=team,
        region=team % len(words.REGIONS),
        is_manager=np.arange(count) >= sellers,
        is_active=is_active,
        hired_day=first_day - rng.integers(30, 3000, count),
        sellers=sellers,
    )


def reps_table(team: Team, parameters: Parameters) -> pa.Table:
    """Return the table of reps as the CRM exports it."""
    rng = stream(parameters.seed, "team", 1)
    count = len(team.skill)
    first = columns.pick(words.FIRST_NAMES, rng.integers(len(words.FIRST_NAMES), size=count))
    last = columns.pick(words.LAST_NAMES, rng.integers(len(words.LAST_NAMES), size=count))
    rep_id = columns.ids("R", np.arange(count), 4)
    languages = columns.pick(("de;en", "fr;en", "en", "de;fr;en"), rng.integers(4, size=count))
    trades = columns.pick(words.INDUSTRIES, rng.integers(len(words.INDUSTRIES), size=count))
    goods = columns.pick(("equipment", "equipment;consumable", "consumable"), rng.integers(3, size=count))
    mail = columns.join(pa.compute.utf8_lower(columns.join(first, ".", last)), columns.ids("", np.arange(count), 1))
    return pa.table(
        {
            "rep_id": rep_id,
            "name": columns.join(first, " ", last),
            "email": columns.join(mail, "@example.com"),
            "team_id": columns.ids("T", team.team, 2),
            "manager_rep_id": columns.pick(rep_id, np.where(team.is_manager, -1, team.sellers + team.team)),
            "region": columns.pick(words.REGIONS, team.region),
            "skills": columns.join(languages, ";", goods, ";", trades),
            "monthly_capacity": pa.array(rng.integers(8, 17, count) * 5),
            "active": pa.array(team.is_active),
            "hired_on": columns.days(team.hired_day),
            "changed_at": columns.times(np.full(count, columns.epoch_day(parameters.first_on) * columns.DAY)),
        }
    )


def quotas_table(team: Team, parameters: Parameters) -> pa.Table:
    """Return monthly and quarterly quotas of every selling rep over the history and the quarter that is running."""
    rng = stream(parameters.seed, "team", 2)
    first = np.datetime64(parameters.first_on).astype("datetime64[M]").astype(np.int64)
    last = np.datetime64(parameters.end_on).astype("datetime64[M]").astype(np.int64)
    month = np.arange(first - first % 3, last - last % 3 + 3)
    level = rng.uniform(0.8, 1.25, team.sellers)
    growth = 0.4 + 1.2 * (month - first) / max(last - first, 1)  # quotas rise with the number of customers
    monthly = np.round(QUOTA_PER_MONTH_CENTS * level[:, None] * growth[None, :] / 10_000).astype(np.int64) * 10_000
    quarterly = monthly.reshape(team.sellers, -1, 3).sum(axis=2)
    return pa.concat_tables(
        [_quota_rows(monthly, month, "month", parameters), _quota_rows(quarterly, month[::3], "quarter", parameters)]
    )


def _quota_rows(amount: np.ndarray, month: np.ndarray, period: str, parameters: Parameters) -> pa.Table:
    rep, place = np.divmod(np.arange(amount.size), amount.shape[1])
    start = month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)[place]
    set_at = np.maximum(start - 15, columns.epoch_day(parameters.first_on)) * columns.DAY
    return pa.table(
        {
            "rep_id": columns.ids("R", rep, 4),
            "period_start": columns.days(start),
            "period": pa.repeat(pa.scalar(period), amount.size),
            "amount": columns.money(amount.ravel()),
            "changed_at": columns.times(set_at),
        }
    )


def truth_table(team: Team) -> pa.Table:
    """Return each rep's hidden skill and diligence."""
    return pa.table(
        {
            "rep_id": columns.ids("R", np.arange(len(team.skill)), 4),
            "skill": team.skill,
            "diligence": team.diligence,
            "is_manager": team.is_manager,
        }
    )
