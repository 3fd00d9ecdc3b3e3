"""The public data sets, loaded whole: every figure that is known of them comes out of the CRM."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from crm_agents import postgres
from crm_agents.loading import LoadReport, load
from crm_agents.loading.rules import VOCABULARIES
from tests.conftest import real_data


def crm(query: str) -> list[tuple]:
    with postgres.connect() as connection:
        return connection.execute(query).fetchall()


def one(query: str) -> tuple:
    return crm(query)[0]


def whole_and_clean(report: LoadReport) -> None:
    """Nothing quarantined, everything counted, and no word outside the closed vocabularies."""
    assert one("select count(*) from crm_ai.quarantine") == (0,)
    assert all(file.used == file.read for file in report.files)
    for (table, column), words in VOCABULARIES.items():
        assert {word for (word,) in crm(f"select distinct {column} from crm.{table}")} <= {*words, None}
    assert crm("select table_name from crm_ai.load_counts where rows_used + rows_quarantined <> rows_read") == []


@pytest.mark.real_data
def test_online_retail(installation: Path) -> None:
    report = load("online_retail", [real_data("online_retail")])
    whole_and_clean(report)
    assert [(file.file, file.read) for file in report.files] == [("online_retail.parquet", 541_909)]
    assert one(
        "select count(*), count(*) filter (where status = 'cancelled'), "
        "count(*) filter (where order_id like 'C%') from crm.orders"
    ) == (25_900, 3_836, 3_836)
    assert one("select count(*) from crm.customers") == (4_372,)
    assert one(
        """
        select count(*), count(*) filter (where o.customer_id is null), count(*) filter (where o.status = 'cancelled'),
               count(*) filter (where i.is_duplicate), count(*) filter (where i.unit_price <= 0),
               count(*) filter (where i.quantity < 0),
               count(*) filter (where i.quantity < 0 and o.status <> 'cancelled'),
               round(sum(i.quantity * i.unit_price), 2)
        from crm.order_items i join crm.orders o using (order_id)
        """
    ) == (541_909, 135_080, 9_288, 5_268, 2_517, 10_624, 1_336, Decimal("9747747.93"))
    assert one("select min(ordered_at)::text, max(ordered_at)::text, max(updated_at)::text from crm.orders") == (
        "2010-12-01 08:26:00+00", "2011-12-09 12:50:00+00", "2011-12-09 12:50:00+00",
    )  # fmt: skip
    # line numbers are positions within the invoice, without gaps
    assert one(
        "select count(*) from (select order_id from crm.order_items group by 1 "
        "having min(line_no) <> 1 or max(line_no) <> count(*)) gaps"
    ) == (0,)
    # stock codes as written: 112 pairs differ in case only
    assert one("select count(*), count(distinct upper(product_id)) from crm.products") == (4_070, 3_958)
    second = load("online_retail", [real_data("online_retail")])
    assert all(counts.unchanged == counts.used for counts in second.tables)


@pytest.mark.real_data
def test_olist(installation: Path) -> None:
    report = load("olist", [real_data("olist_sample"), real_data("olist_funnel")])
    whole_and_clean(report)
    assert one(
        "select count(*), count(*) filter (where delivered_at > promised_at), "
        "count(*) filter (where not exists (select from crm.order_items i where i.order_id = o.order_id)) from crm.orders o"
    ) == (20_000, 1_587, 154)
    assert one("select count(*), sum(quantity * unit_price), sum(freight) from crm.order_items") == (
        22_618, Decimal("2768685.99"), Decimal("451112.79"),
    )  # fmt: skip
    assert one("select count(*), sum(amount) from crm.payments") == (20_873, Decimal("3249579.78"))
    assert one("select count(*) from crm.customers") == (19_831,)
    assert one("select count(*), count(*) filter (where status = 'converted') from crm.leads") == (8_000, 842)
    assert one(
        "select count(*), count(*) filter (where 'sdr' = any(skills)), count(*) filter (where 'sr' = any(skills)), "
        "count(*) filter (where cardinality(skills) = 2) from crm.sales_reps"
    ) == (41, 32, 22, 13)
    assert one("select count(*), count(distinct split_part(feedback_id, '-', 1)) from crm.feedback") == (19_986, 19_952)
    assert one("select count(*), count(*) filter (where is_won and stage = 'won') from crm.opportunities") == (842, 842)
    assert one("select count(*) from crm.products") == (32_951,)
    counts = {file.file: (file.read, file.repeated) for file in report.files}
    assert counts["olist_sample/olist_products_dataset.csv"] == (11_318, 0)
    assert counts["olist_funnel/olist_products_dataset.csv"] == (32_951, 11_318)
    # translated where the table has the category, as it is where not
    assert {"perfumery", "pc_gamer"} <= {name for (name,) in crm("select distinct name from crm.products")}
    # what only a won deal tells stands under `deal`, and nowhere else
    assert one(
        "select count(*), count(attributes -> 'deal' ->> 'business_segment') from crm.leads where industry is null"
    ) == (8_000, 841)


@pytest.mark.real_data
def test_olist_with_files_absent(installation: Path) -> None:
    funnel = load("olist", [real_data("olist_funnel")])
    assert [funnel.table(name).used for name in ("leads", "sales_reps", "orders", "customers")] == [8_000, 41, 0, 0]
    assert sum("is not there" in note for note in funnel.notes) == 5
    shop = load("olist", [real_data("olist_sample")])
    assert [shop.table(name).used for name in ("orders", "customers", "products")] == [20_000, 19_831, 11_318]
    assert (shop.table("leads").removed, one("select count(*) from crm.leads")) == (8_000, (0,))
    assert shop.rows_quarantined == 0


@pytest.mark.real_data
def test_maven_crm(installation: Path) -> None:
    report = load("maven_crm", [real_data("maven_crm")])
    whole_and_clean(report)
    assert dict(crm("select stage, count(*) from crm.opportunities group by 1")) == {
        "won": 4_238, "lost": 2_473, "engaging": 1_589, "prospecting": 500,
    }  # fmt: skip
    assert one(
        """
        select count(*), sum(amount) filter (where is_won), count(*) filter (where customer_id is null),
               count(*) filter (where created_at is null), count(*) filter (where product_id = 'GTX Pro'),
               count(*) filter (where is_won is null), max(coalesce(closed_at, created_at))::date::text
        from crm.opportunities
        """
    ) == (8_800, Decimal("10005534"), 1_425, 500, 1_480, 2_089, "2017-12-31")
    assert one(
        "select count(*) from crm.opportunities o join crm.products p using (product_id) "
        "where o.is_won is null and o.amount = p.list_price"
    ) == (2_089,)
    assert one(
        """
        select count(*), count(distinct manager_rep_id), count(distinct region),
               count(*) filter (where not exists (select from crm.opportunities o where o.owner_rep_id = r.rep_id))
        from crm.sales_reps r
        """
    ) == (35, 6, 3, 5)
    assert one("select count(*), count(parent_customer_id) from crm.customers") == (85, 15)
    assert one("select annual_revenue from crm.customers where customer_id = 'Betatech'") == (Decimal("647180000"),)
    second = load("maven_crm", [real_data("maven_crm")])
    assert all(counts.unchanged == counts.used for counts in second.tables)
