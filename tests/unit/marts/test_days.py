"""Which day is a company's today, and at which days a model may learn."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError
from crm_agents.marts import company_as_of, training_cutoffs


def company(**settings: object) -> Company:
    return Company.model_validate({"name": "shop", "title": "A shop", **settings})


def online_retail(cutoffs: int = 6) -> Company:
    return company(prediction={"horizon_days": 60, "cutoffs": cutoffs})


def test_test_window_ends_today_and_training_windows_end_before_it_begins() -> None:
    cutoffs = training_cutoffs(online_retail(), date(2011, 12, 9), date(2010, 12, 1))
    assert cutoffs.test == date(2011, 10, 10)
    assert cutoffs.train == (
        date(2011, 8, 11),
        date(2011, 7, 12),
        date(2011, 6, 12),
        date(2011, 5, 13),
        date(2011, 4, 13),
        date(2011, 3, 14),
    )
    assert cutoffs.all == (cutoffs.test, *cutoffs.train)


def test_a_horizon_that_is_no_multiple_of_the_spacing_leaves_no_overlap() -> None:
    cutoffs = training_cutoffs(company(prediction={"horizon_days": 45}), date(2024, 6, 30), date(2020, 1, 1))
    assert cutoffs.test == date(2024, 5, 16)
    assert cutoffs.train[0] == date(2024, 3, 17)  # 60 days before the test: its 45 days are over by then


def test_a_cutoff_needs_ninety_days_of_history_where_any_has_them() -> None:
    as_of, first = date(2011, 12, 9), date(2011, 4, 20)
    assert training_cutoffs(online_retail(), as_of, first).train == (date(2011, 8, 11),)
    young = training_cutoffs(online_retail(), as_of, date(2011, 6, 1))
    assert young.train == (date(2011, 8, 11), date(2011, 7, 12), date(2011, 6, 12))  # what is there


@pytest.mark.parametrize("first", [date(2011, 8, 11), None])
def test_too_little_history_gives_no_training_cutoff(first: date | None) -> None:
    assert training_cutoffs(online_retail(), date(2011, 12, 9), first).train == ()


@pytest.fixture
def lake() -> duckdb.DuckDBPyConnection:
    """A DuckDB whose database `lake` has two raw tables."""
    connection = duckdb.connect()
    connection.execute("""
        set timezone = 'UTC'; attach ':memory:' as lake; create schema lake.raw;
        create table lake.raw.orders (ordered_at timestamptz, promised_at timestamptz, updated_at timestamptz, _deleted boolean);
        insert into lake.raw.orders values
            ('2024-06-29 23:59:59+00', '2024-08-01', '2024-09-01', false), ('2024-06-30 01:00:00+02', null, null, false),
            ('2024-07-20', null, null, true), (null, null, '2024-09-01', false);
        create table lake.raw.tickets (opened_at timestamptz, first_response_at timestamptz, closed_at timestamptz,
                                       _deleted boolean);
        insert into lake.raw.tickets values
            ('2024-05-01', null, '2024-05-09 12:00:00+00', false), ('2024-05-02', null, null, false)
    """)
    return connection


def test_today_is_the_day_of_the_newest_event(lake: duckdb.DuckDBPyConnection) -> None:
    """In UTC; planned dates, updated_at and deleted rows do not count."""
    assert company_as_of(lake, company()) == date(2024, 6, 29)
    assert company_as_of(lake, company(as_of_from="tickets")) == date(2024, 5, 9)
    assert company_as_of(lake, company(as_of=date(2023, 1, 1))) == date(2023, 1, 1)


def test_a_company_of_today_takes_the_day_of_the_run(lake: duckdb.DuckDBPyConnection) -> None:
    assert company_as_of(lake, company(clock="wall"), wall_day=date(2026, 1, 2)) == date(2026, 1, 2)
    with pytest.raises(CrmAgentsError, match="clock: wall"):
        company_as_of(lake, company(clock="wall"))


def test_no_today_is_told(lake: duckdb.DuckDBPyConnection) -> None:
    lake.execute("delete from lake.raw.orders")
    with pytest.raises(CrmAgentsError, match=r"no row of orders has a date.*as_of_from"):
        company_as_of(lake, company())
    with pytest.raises(CrmAgentsError, match="names 'products', which has no events"):
        company_as_of(lake, company(as_of_from="products"))
    with pytest.raises(CrmAgentsError, match=r"raw\.feedback is not there yet"):
        company_as_of(lake, company(as_of_from="feedback"))
