"""Segmentation: planted groups are found, ids and names stay, and odd companies get one segment that says so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models_ml.segments import clustering, config, matching, naming, profiles, segmentation
from models_ml.segments.segmentation import Segmentation

# customers, recency, purchases, order value, tenure of three planted groups
GROUPS = {"big": (150, 15, 14, 400.0, 900), "gone": (200, 600, 0, 60.0, 1000), "new": (120, 20, 1, 50.0, 25)}


def customers(groups: dict[str, tuple] = GROUPS, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    parts = []
    for name, (count, recency, bought, value, tenure) in groups.items():
        orders = rng.poisson(bought, count) if bought > 1 else np.full(count, bought)
        amount = value * rng.lognormal(0, 0.15, count)
        parts.append(
            pd.DataFrame(
                {
                    "group": name,
                    "recency_days": np.maximum(recency * rng.lognormal(0, 0.2, count), 1),
                    "purchases_365d": orders.astype(float),
                    "revenue_365d": amount * orders,
                    "average_order_value": amount,
                    "tenure_days": tenure * rng.lognormal(0, 0.1, count),
                    "distinct_products": 1.0 + orders,
                    "discount_share": rng.uniform(0, 0.05, count),
                    "mean_gap_days": np.where(orders > 1, 365 / np.maximum(orders, 1), np.nan),
                }
            )
        )
    found = pd.concat(parts, ignore_index=True)
    return found.assign(customer_id=[f"c{number:04}" for number in range(len(found))])


@pytest.fixture(scope="module")
def fitted() -> Segmentation:
    return segmentation.fit(customers())


def test_planted_groups_are_found_and_named(fitted: Segmentation) -> None:
    frame = customers()
    assigned = fitted.assign(frame)
    table = pd.crosstab(frame["group"], assigned["segment_id"])
    assert len(fitted.segments) >= 3
    assert (table.gt(0).sum(axis=0) == 1).all()  # no segment mixes two groups
    named = assigned.groupby(frame["group"])["segment_name"].agg(lambda names: names.mode()[0])
    assert named["big"].startswith("Loyal big spenders")
    assert named["gone"].startswith("Lapsed small spenders")
    assert named["new"].startswith("New ")
    assert assigned["closeness"].between(0.5, 1).all()


def test_one_time_buyers_have_no_rhythm() -> None:
    frame = customers({"small": (100, 100, 1, 20.0, 400), "big": (100, 90, 1, 900.0, 380)}).assign(purchases_total=1.0)
    found = segmentation.fit(frame)
    assert {it.name.split()[0] for it in found.segments} <= {"One-time", "New", "Lapsed"}
    table = profiles.profiles(frame, found.assign(frame))
    assert table["median_mean_gap_days"].isna().all()
    told = profiles.statements(table, pd.DataFrame({"moved_in": [], "moved_out": []}, dtype="int64"))
    assert all(", bought " in statement and "every" not in statement for statement in told)


def test_the_choice_is_told_and_drawn(fitted: Segmentation) -> None:
    assert {it.method for it in fitted.candidates} == {"kmeans", "hdbscan"}
    assert fitted.reason.startswith(f"{len(fitted.segments)} segments by ")
    assert profiles.choice_chart(fitted).startswith(b"\x89PNG")


def test_the_same_customers_give_the_same_segments_in_every_order(fitted: Segmentation) -> None:
    frame = customers()
    again = segmentation.fit(frame)
    assert again.to_json() == fitted.to_json()
    read = Segmentation.from_json(fitted.to_json())
    pd.testing.assert_frame_equal(read.assign(frame), fitted.assign(frame))


def test_ids_and_names_stay_when_customers_come_and_age(fitted: Segmentation) -> None:
    later = customers(seed=2)
    later["recency_days"] += 7
    later["tenure_days"] += 7
    again = segmentation.fit(later, fitted)
    before, now = fitted.assign(later)["segment_id"], again.assign(later)["segment_id"]
    assert (before == now).mean() > 0.9
    names = {it.segment_id: it.name for it in fitted.segments}
    assert all(names.get(it.segment_id, it.name) == it.name for it in again.segments)


def test_a_new_group_gets_an_id_that_nobody_had(fitted: Segmentation) -> None:
    grown = customers({**GROUPS, "firms": (150, 45, 6, 9000.0, 700)})
    again = segmentation.fit(grown, fitted)
    firms = again.assign(grown)["segment_id"][grown["group"] == "firms"].mode()[0]
    known = {it.segment_id for it in fitted.segments}
    assert firms not in known
    assert firms > max(known)
    assert len({it.name for it in again.segments}) == len(again.segments)


def test_matching_is_one_to_one_and_leaves_out_what_lies_apart() -> None:
    old = np.array([[0.0, 0.0], [10.0, 0.0]])
    new = np.array([[9.5, 0.2], [0.3, 0.0], [0.0, 30.0]])
    assert matching.continued(new, old) == {0: 1, 1: 0}
    assert matching.continued(new[:1], old) == {}  # one segment of all customers continues none of several
    assert matching.continued(new[:1], old[:1]) == {0: 0}
    assert matching.continued(new, old[:0]) == {}


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pd.concat([customers().iloc[:1]] * 80, ignore_index=True), "all customers are alike"),
        (customers().iloc[:1], "all customers are alike"),
        (customers().iloc[:30], "30 customers are too few"),
    ],
    ids=["all alike", "one customer", "few customers"],
)
def test_where_nobody_can_be_told_apart_there_is_one_segment(frame: pd.DataFrame, says: str) -> None:
    found = segmentation.fit(frame)
    assert [it.name for it in found.segments] == [naming.EVERYBODY]
    assert says in found.reason
    assert found.assign(frame)["closeness"].eq(1).all()
    assert segmentation.fit(frame, found).segments[0].segment_id == 1
    assert profiles.choice_chart(found).startswith(b"\x89PNG")


def test_one_segment_does_not_take_the_name_of_one_of_several(fitted: Segmentation) -> None:
    found = segmentation.fit(customers().iloc[:30], fitted)
    assert [it.name for it in found.segments] == [naming.EVERYBODY]
    assert found.segments[0].segment_id > max(it.segment_id for it in fitted.segments)


def test_nobody_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="no customers"):
        segmentation.fit(customers().iloc[:0])


def test_returns_missing_and_constant_columns_do_no_harm() -> None:
    frame = customers().drop(columns=["distinct_products"]).assign(discount_share=0.0)
    frame.loc[:5, "revenue_365d"] = -50.0
    frame.loc[6:9, "average_order_value"] = np.nan
    found = segmentation.fit(frame)
    assert set(found.scaling.features) < set(config.WEIGHTS) - {"distinct_products", "discount_share"} | {"x"}
    assert found.assign(frame)["closeness"].between(0.5, 1).all()


def test_what_does_not_hold_is_not_chosen() -> None:
    noise = np.random.default_rng(3).normal(size=(400, 6))
    found = clustering.candidates(noise)
    chosen = clustering.choose(found)
    assert all(it.objection for it in found if it.stability < config.LEAST_STABILITY)
    assert chosen is None or not chosen.objection


def test_profiles_add_up_and_read_well(fitted: Segmentation) -> None:
    frame = customers()
    found = profiles.profiles(frame, fitted.assign(frame))
    assert found["customers"].sum() == len(frame)
    assert found["customer_share"].sum() == pytest.approx(1)
    assert found["revenue_share"].sum() == pytest.approx(1)
    best = found.iloc[0]
    moved = pd.DataFrame({"moved_in": [14], "moved_out": [9]}, index=[best["segment_id"]])
    told = profiles.statements(found, moved)
    assert told[0].startswith(f"{best['segment_name']}: {best['customers']:,} customers, buy every ")
    assert told[0].endswith("% of revenue; moved in 14, moved out 9")
    assert told[-1].endswith("moved in 0, moved out 0")
