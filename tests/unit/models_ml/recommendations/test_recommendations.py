"""Recommendations: planted habits and pairs are found, the catalogue is kept to, and what is held out judges."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest

from models_ml.recommendations import config, ranker
from models_ml.recommendations.evaluate import grade, judge, month_after
from models_ml.recommendations.history import history
from models_ml.recommendations.recommend import COLUMNS, recommend
from models_ml.recommendations.recommender import SIMPLE
from models_ml.recommendations.scorers import CoPurchase, LinearAutoencoder, PersonalFrequency, Popularity, best
from models_ml.recommendations.train import choose
from tests.conftest import real_data

AS_OF = date(2024, 6, 30)


def purchases(customers: int = 300, days: int = 240, seed: int = 1) -> pd.DataFrame:
    """Everybody has a product of habit, and buys the other half of a pair some days after the first; p0 sells to all."""
    rng = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        habit, pair = f"h{customer % 20:02}", customer % 15
        visits = np.sort(rng.choice(days, rng.integers(4, 14), replace=False))
        first = AS_OF + timedelta(days=30 - days)
        for number, visit in enumerate(visits):
            on = first + timedelta(days=int(visit))
            rows += [(f"c{customer:03}", habit, on)] if rng.random() < 0.8 else []
            rows += [(f"c{customer:03}", f"{'ab'[min(number, 1)]}{pair:02}", on)] if number < 2 else []
            rows += [(f"c{customer:03}", "p0", on)] if rng.random() < 0.15 else []
            rows += [(f"c{customer:03}", f"r{rng.integers(60):02}", on)]
    return pd.DataFrame(rows, columns=["customer_id", "product_id", "bought_on"])


@pytest.fixture(scope="module")
def bought() -> pd.DataFrame:
    return purchases()


def test_a_history_counts_days_and_ages() -> None:
    lines = pd.DataFrame(
        [
            ("ada", "pen", date(2024, 6, 1)),
            ("ada", "pen", date(2024, 6, 1)),
            ("ada", "pen", date(2024, 6, 29)),
            ("ben", "ink", date(2024, 6, 30)),
            ("ben", "pen", date(2024, 7, 1)),
            (None, "pen", date(2024, 6, 2)),
        ],
        columns=["customer_id", "product_id", "bought_on"],
    )
    known = history(lines, AS_OF)
    assert (list(known.customers), list(known.products)) == (["ada", "ben"], ["ink", "pen"])
    assert known.days.toarray().tolist() == [[0, 2], [1, 0]]
    assert known.age.toarray().tolist() == [[0, 2], [1, 0]]
    assert known.first_age.toarray().tolist() == [[0, 30], [1, 0]]
    assert known.buyers.tolist() == [1, 1]
    assert known.repeated.tolist() == [0, 1]
    assert known.columns_of(np.array(["pen", "cap", "zzz"], dtype=object)).tolist() == [1, -1, -1]


def test_later_rows_change_nothing(bought: pd.DataFrame) -> None:
    later = purchases(seed=9).assign(bought_on=AS_OF + timedelta(days=3))
    before, after = choose(bought, AS_OF, threads=1), choose(pd.concat([bought, later]), AS_OF, threads=1)
    rows = np.arange(20)
    assert before.validation == after.validation
    np.testing.assert_array_equal(before.scorer.score(rows), after.scorer.score(rows))


def test_the_best_is_chosen_and_beats_popularity(bought: pd.DataFrame) -> None:
    found = choose(bought, AS_OF, threads=1)
    assert set(found.validation) == {*SIMPLE, ranker.Ranker.name}
    assert found.scorer.name == max(found.validation, key=lambda name: found.validation[name]["recall"])
    assert grade(found.validation[found.scorer.name], found.validation["popularity"]) == "A"
    assert found.reason.startswith(f"{found.scorer.name}: ")


def test_habits_and_pairs_are_recommended_with_their_reasons(bought: pd.DataFrame) -> None:
    known = history(bought[bought["bought_on"] <= AS_OF], AS_OF)
    offered = recommend(PersonalFrequency(known), known, ["c007"])
    assert (offered["product_id"][0], list(offered["rank"])) == ("h07", list(range(1, 11)))
    assert offered["reason"][0].startswith("Bought on ")
    together = CoPurchase(known).score(np.array([7]))
    names = known.products[best(together, 3)[0]]
    assert {"a07", "b07"} & set(names)
    had_one = bought[bought["product_id"].str.startswith("r")]
    lines = pd.concat([had_one, pd.DataFrame([("new", "a03", AS_OF)], columns=bought.columns), bought])
    known = history(lines, AS_OF)
    offered = recommend(LinearAutoencoder(known), known, ["new", "stranger"], catalogue=["b03", "p0", "gone"])
    assert list(offered["customer_id"].unique()) == ["new"]
    assert list(offered.columns) == list(COLUMNS)
    assert offered["product_id"].tolist()[0] == "b03"
    assert offered["reason"][0].startswith("Often bought together with a03 (")
    assert set(offered["product_id"]) <= {"b03", "p0"}


def test_what_nobody_may_buy_is_never_offered(bought: pd.DataFrame) -> None:
    found = choose(bought, AS_OF, threads=1)
    catalogue = [name for name in found.known.products if name.startswith("r")]
    offered = recommend(found.scorer, found.known, list(found.known.customers), catalogue=catalogue)
    assert set(offered["product_id"]) <= set(catalogue)
    assert not offered.duplicated(["customer_id", "product_id"]).any()
    assert offered.groupby("customer_id")["score"].apply(lambda scores: scores.is_monotonic_decreasing).all()
    assert recommend(found.scorer, found.known, ["nobody"]).empty
    assert recommend(found.scorer, found.known, ["c001"], catalogue=[]).empty


def test_recall_and_ndcg_by_hand() -> None:
    early = [("ada", "pen"), ("ben", "ink"), ("cleo", "ink"), ("cleo", "cap")]
    late = [("ada", "pen"), ("ada", "ink"), ("ben", "cap"), ("dan", "pen"), ("cleo", "zzz")]
    lines = pd.DataFrame(
        [(c, p, AS_OF) for c, p in early] + [(c, p, AS_OF + timedelta(days=2)) for c, p in late],
        columns=["customer_id", "product_id", "bought_on"],
    )
    known = history(lines, AS_OF)
    month = month_after(lines, known)
    assert (month.distinct.tolist(), month.distinct_new.tolist()) == ([2, 1, 1], [1, 1, 1])
    metrics = judge(Popularity(known), known, month)  # all three products are shown: ink, then cap and pen
    assert metrics["recall"] == pytest.approx((1 + 1 + 0) / 3)
    gain = [1 / np.log2(position + 1) for position in (1, 2, 3)]
    assert metrics["ndcg"] == pytest.approx(((gain[0] + gain[2]) / (gain[0] + gain[1]) + gain[1] / gain[0] + 0) / 3)
    assert metrics["recall_new"] == pytest.approx((1 + 1 + 0) / 3)


@pytest.mark.parametrize("customers", [1, 5])
def test_a_small_company_gets_what_each_buys_most(customers: int) -> None:
    found = choose(purchases(customers=customers), AS_OF, threads=1)
    assert found.scorer.name == PersonalFrequency.name
    assert found.validation == {}
    assert "Too few customers" in found.reason


def test_bad_input_is_told(bought: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="lack product_id"):
        history(bought.drop(columns="product_id"), AS_OF)
    with pytest.raises(ValueError, match="nothing was bought up to 2001-01-01"):
        choose(bought, date(2001, 1, 1))


def test_the_same_data_give_the_same_model(bought: pd.DataFrame) -> None:
    first, second = choose(bought, AS_OF, threads=1), choose(bought.sample(frac=1, random_state=3), AS_OF, threads=1)
    assert first.validation == second.validation


def test_online_retail_beats_habit_and_popularity() -> None:
    folder = real_data("online_retail")
    with duckdb.connect() as connection:
        lines = connection.execute(
            "select distinct CustomerID::bigint::varchar as customer_id, StockCode as product_id, "
            f"InvoiceDate::timestamp::date as bought_on from '{folder}/online_retail.parquet' where CustomerID is not null "
            "and left(InvoiceNo, 1) <> 'C' and Quantity > 0 and UnitPrice > 0 and regexp_matches(StockCode, '^[0-9]{5}')"
        ).df()
    found = choose(lines, date(2011, 11, 9))
    month = month_after(lines, found.known)
    habit, popular = (judge(it(found.known), found.known, month) for it in (PersonalFrequency, Popularity))
    ours = judge(found.scorer, found.known, month)
    assert ours["recall"] >= 1.05 * habit["recall"]
    assert ours["recall_new"] >= 1.5 * popular["recall_new"]
    assert grade(ours, popular) == "A"
    assert ours["customers"] > 1_000
    assert config.SHOWN == 10
