"""Where a value stands among all, and the letter that people see for it."""

from __future__ import annotations

import duckdb
import pandas as pd

from crm_agents.agents import ranking
from crm_agents.agents.ranking import Ranking
from crm_agents.company_settings import Behaviour

PLACE = Ranking("value", "percentile")


def graded(values: list[float | None]) -> pd.DataFrame:
    rows = pd.DataFrame({"value": pd.Series(values, dtype="float64")})
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        ranked = f"({ranking.among_themselves('rows', PLACE)})"
        return connection.execute(f"{ranking.graded(ranked, Behaviour().grade_bands)} order by value").df()


def test_grades_follow_the_bands() -> None:
    found = graded([position / 100 for position in range(101)])
    assert found.groupby("grade")["value"].min().to_dict() == {"A": 0.8, "B": 0.5, "C": 0.2, "D": 0.0}


def test_without_a_value_there_is_no_rank_and_no_grade() -> None:
    found = graded([None, 0.4])
    assert found["percentile"].isna().tolist() == [False, True]
    assert found["grade"].isna().tolist() == [False, True]
