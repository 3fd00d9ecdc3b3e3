"""The company after its history: the same days each time, differences by contacts alone, rows that a CRM can take."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from crm_agents.crm_schema import crm_tables
from crm_agents.loading.rules import owners_of
from crm_agents.marts.days import EVENT_COLUMNS
from crm_agents.simulator import Parameters
from crm_agents.simulator.forward import Changes, Day, LivingCompany
from crm_agents.simulator.marketing import CALL

PARAMETERS = Parameters(customers=600, years=1.5, seed=4)
DAYS = 25
STATE = ("is_gone", "churn_day", "grievance", "last_purchase", "takes_mail", "orders", "is_interested")


@pytest.fixture(scope="module")
def evening() -> LivingCompany:
    """The company on the last day of its history; tests live on with copies."""
    return LivingCompany(PARAMETERS, keeps_books=False)


def contacts_of(day: int) -> list[tuple[np.ndarray, int]]:
    return [(np.arange(day % 7, 550, 13), CALL)]


def same(one: LivingCompany, other: LivingCompany) -> bool:
    ledgers = all(
        np.array_equal(getattr(one.ledger, name), getattr(other.ledger, name))
        for name in ("customer", "day", "net_cents")
    )
    return ledgers and all(
        np.array_equal(getattr(one.simulation.state, name), getattr(other.simulation.state, name)) for name in STATE
    )


def test_the_same_contacts_give_the_same_rows() -> None:
    runs: list[list[Day]] = []
    for _ in range(2):
        company = LivingCompany(PARAMETERS, keeps_books=True)
        runs.append([company.step(contacts_of(day)) for day in range(8)])
    for one, other in zip(*runs, strict=True):
        assert one.changes is not None
        assert other.changes is not None
        for group in ("inserts", "updates"):
            mine, theirs = getattr(one.changes, group), getattr(other.changes, group)
            assert mine.keys() == theirs.keys()
            assert all(mine[name].equals(theirs[name]) for name in mine)
    assert sum(day.changes.rows for day in runs[0] if day.changes) > 500


def test_another_seed_gives_another_day() -> None:
    companies = [LivingCompany(Parameters(customers=300, years=0.5, seed=seed), keeps_books=False) for seed in (1, 2)]
    days = [[company.step().revenue_cents for _ in range(10)] for company in companies]
    assert min(sum(one) for one in days) > 0
    assert days[0] != days[1]


def test_a_twin_without_contacts_is_the_world_without_agents(evening: LivingCompany) -> None:
    world, twin = evening.twin(), evening.twin()
    for _ in range(DAYS):
        world.step()
        twin.step([(np.zeros(0, dtype=np.int64), CALL)])
    assert same(world, twin)
    assert world.ledger.day.max() == PARAMETERS.days + DAYS - 1


def test_books_change_nothing(evening: LivingCompany) -> None:
    with_books, without = LivingCompany(PARAMETERS, keeps_books=True), evening.twin()
    for day in range(5):
        with_books.step(contacts_of(day))
        without.step(contacts_of(day))
    assert same(with_books, without)


def test_contacts_change_only_those_who_were_contacted(evening: LivingCompany) -> None:
    world, twin = evening.twin(), evening.twin()
    contacted = np.arange(0, 600, 3)
    for day in range(DAYS):
        world.step([(contacted, CALL)] if day % 6 == 0 else ())
        twin.step()
    others = ~np.isin(np.arange(len(world.simulation.traits)), contacted)
    first = PARAMETERS.days
    mine, theirs = world.ledger, twin.ledger
    for name in ("day", "net_cents"):
        ours = [getattr(it, name)[others[it.customer] & (it.day >= first)] for it in (mine, theirs)]
        assert np.array_equal(*ours)
    assert len(ours[0]) > 50
    assert (mine.day >= first).sum() > (theirs.day >= first).sum()


def test_customers_go_on_as_before(evening: LivingCompany) -> None:
    world = evening.twin()
    customers = len(world.simulation.traits)
    for _ in range(60):
        world.step()
    before = ((world.ledger.day >= PARAMETERS.days - 60) & (world.ledger.day < PARAMETERS.days)).sum()
    after = (world.ledger.day >= PARAMETERS.days).sum()
    assert 0.6 < after / before < 1.6
    assert len(world.simulation.traits) > customers
    newest = world.ledger.customer[world.ledger.day >= PARAMETERS.days].max()
    assert newest >= customers  # who came lately buys too
    assert (world.simulation.state.churn_day[world.simulation.state.is_gone] >= PARAMETERS.days).any()


@pytest.fixture(scope="module")
def written() -> list[tuple[int, Changes]]:
    """(First second of the day, its changes) of a company with contacts."""
    company = LivingCompany(PARAMETERS, keeps_books=True)
    days = []
    for number in range(DAYS):
        day = company.step(contacts_of(number))
        assert day.changes is not None
        days.append((company.second_of(day.number), day.changes))
    return days


def test_every_row_is_of_its_day_and_knows_nothing_of_the_future(written: list[tuple[int, Changes]]) -> None:
    seen = set()
    for first, changes in written:
        for name, rows in [*changes.inserts.items(), *changes.updates.items()]:
            updated = seconds(rows["updated_at"])
            assert updated.min() >= first, name
            assert updated.max() < first + 86_400, name
            for column in set(EVENT_COLUMNS.get(name, ())) & set(rows.column_names):
                assert (seconds(rows[column]) <= updated).all(), (name, column)
            seen.add(name)
    assert seen == set(crm_tables()) - {"products", "sales_reps", "quotas"}


def test_columns_are_those_of_the_crm_and_keys_come_once(written: list[tuple[int, Changes]]) -> None:
    keys: dict[str, set] = {}
    for _, changes in written:
        for name, rows in changes.inserts.items():
            assert set(rows.column_names) <= set(crm_tables()[name].columns), name
            fresh = key_set(name, rows)
            assert len(fresh) == rows.num_rows, name
            assert not fresh & keys.setdefault(name, set()), name
            keys[name] |= fresh
        for name, rows in changes.updates.items():
            assert len(key_set(name, rows)) == rows.num_rows, name


def test_new_rows_belong_to_rows_that_are_there(written: list[tuple[int, Changes]]) -> None:
    """Rows of new parents (orders, leads, ... of the forward days) come on the day of their parent or later."""
    known: dict[str, set] = {}
    checked = 0
    for _, changes in written:
        for name, rows in changes.inserts.items():
            known.setdefault(name, set()).update(key_set(name, rows))
        for name, rows in changes.inserts.items():
            for column, owner in owners_of(name).items():
                if column not in rows.column_names or owner not in ("orders", "tickets"):
                    continue
                named = {(value,) for value in rows[column].to_pylist() if value and value[1] == "5"}
                assert named <= known[owner], (name, column)
                checked += len(named)
    assert checked > 300


def test_an_order_is_placed_sent_and_delivered(written: list[tuple[int, Changes]]) -> None:
    statuses: dict[str, list[str]] = {}
    for _, changes in written:
        for group in (changes.inserts, changes.updates):
            if "orders" in group:
                rows = group["orders"]
                for order_id, status in zip(rows["order_id"].to_pylist(), rows["status"].to_pylist(), strict=True):
                    statuses.setdefault(order_id, []).append(status)
    assert ["placed", "shipped", "completed"] in statuses.values()
    assert any(path[-1] == "cancelled" for path in statuses.values())
    assert any(path == ["completed"] for path in statuses.values())  # was on its way when the history ended


def test_customers_are_found_by_their_ids(evening: LivingCompany) -> None:
    """Second ids stand for who they truly are; customers that people have added are nobody's."""
    customers = PARAMETERS.customers
    places = evening.places_of(["C0000001", f"C{customers:07d}", f"C{customers + 1:07d}", "C9999999", "hand made", ""])
    assert places[:2].tolist() == [0, customers - 1]
    assert 0 <= places[2] < customers
    assert places[3:].tolist() == [-1, -1, -1]
    assert len(evening.places_of([])) == 0


def seconds(column: pa.ChunkedArray) -> np.ndarray:
    present = column.drop_null()
    text = present if pa.types.is_timestamp(present.type) else present.cast(pa.timestamp("s"))
    values = text.cast(pa.timestamp("s")).cast(pa.int64()).to_numpy()
    if len(values) == len(column):
        return values
    filled = np.zeros(len(column), dtype=np.int64)  # NULL is no event
    filled[column.is_valid().to_numpy()] = values
    return filled


def key_set(name: str, rows: pa.Table) -> set[tuple]:
    return set(zip(*(rows[part].to_pylist() for part in crm_tables()[name].key), strict=True))
