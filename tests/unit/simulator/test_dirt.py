"""The dirt is where the account says, and nowhere else."""

from __future__ import annotations

import pytest

ISO = "try_cast({column} as timestamp)"
# (table, kind) -> what a row with this dirt looks like
LOOKS = {
    ("customers", "missing mail"): "email is null",
    ("customers", "malformed mail"): "not regexp_full_match(email, '[a-z.0-9]+@example.(com|org|net)')",
    ("customers", "missing phone"): "phone is null",
    ("customers", "malformed phone"): r"not regexp_full_match(phone, '\+\d+[\d ]{8,}')",
    ("customers", "missing date"): "created_at in ('', 'n/a', '-')",
    ("customers", "German date"): r"regexp_full_match(created_at, '\d\d\.\d\d\.\d{4} \d\d:\d\d')",
    ("customers", "American date"): r"regexp_full_match(created_at, '\d\d/\d\d/\d{4} \d\d:\d\d [AP]M')",
    ("customers", "German birthday"): r"regexp_full_match(birth_on, '\d\d\.\d\d\.\d{4}')",
    (
        "orders",
        "German date",
    ): r"regexp_full_match(ordered_at, '\d\d\.\d\d\.\d{4} \d\d:\d\d') and ordered_at not like '31.02%'",
    ("orders", "American date"): r"regexp_full_match(ordered_at, '\d\d/\d\d/\d{4} \d\d:\d\d [AP]M')",
    (
        "orders",
        "broken date",
    ): "ordered_at in ('31.02.2025 10:00', 'soon', '0000-00-00 00:00:00', '2025-13-01 08:00:00')",
    ("orders", "date in the future"): f"{ISO.format(column='ordered_at')} > '2027-01-01'",
    ("orders", "unknown customer"): "customer_id not in (select customer_id from data.customers)",
    ("order_items", "price as text"): r"regexp_full_match(unit_price, '\d+,\d\d EUR|€ \d+\.\d\d')",
    ("order_items", "price of zero"): "unit_price = '0.00'",
    ("order_items", "broken price"): "unit_price in ('n/a', 'on request', '12,5O EUR', '#REF!')",
    ("payments", "price as text"): r"regexp_full_match(amount, '-?\d+,\d\d EUR|€ -?\d+\.\d\d')",
    ("payments", "broken price"): "amount in ('n/a', 'on request', '12,5O EUR', '#REF!')",
    ("interactions", "date in the future"): "occurred_at > '2027-01-01'",
    ("tickets", "missing text"): "body is null",
    (
        "tickets",
        "German date",
    ): r"regexp_full_match(opened_at, '\d\d\.\d\d\.\d{4} \d\d:\d\d') and opened_at not like '31.02%'",
    ("tickets", "broken date"): f"{ISO.format(column='opened_at')} is null and opened_at not like '__.__.20__ __:__'"
    " or opened_at like '31.02%'",
    ("leads", "missing mail"): "email is null",
    ("leads", "malformed mail"): "not regexp_full_match(email, '[a-z.0-9]+@example.net')",
    ("leads", "American date"): r"regexp_full_match(created_at, '\d\d/\d\d/\d{4} \d\d:\d\d [AP]M')",
    ("consents", "missing date"): "captured_at is null",
}


@pytest.mark.parametrize(("table", "kind"), LOOKS)
def test_dirt_is_where_the_account_says_and_nowhere_else(company, table: str, kind: str) -> None:
    told = company.rows(f"select row from truth.dirt where table_name = '{table}' and kind = '{kind}' order by row")
    # a copy of a spoilt row, and a second id of a person without mail, look spoilt as well
    extra = f"select row from truth.dirt where table_name = '{table}' and kind = 'repeated row'"
    if kind in ("missing phone", "German birthday"):
        extra += " union all select _row from data.customers semi join truth.duplicates using (customer_id)"
    found = company.rows(f"select _row from data.{table} where ({LOOKS[table, kind]}) order by _row")
    assert told
    assert set(told) <= set(found)
    assert not set(found) - set(told) - set(company.rows(extra))


def test_all_kinds_are_looked_at(company) -> None:
    told = set(company.rows("select distinct table_name, kind from truth.dirt"))
    others = {"repeated row", "order not usable", "mistyped quantity"}
    assert {pair for pair in told if pair[1] not in others} == set(LOOKS)


@pytest.mark.parametrize(
    "table", ["customers", "orders", "order_items", "payments", "interactions", "tickets", "leads"]
)
def test_repeated_rows_equal_an_earlier_row(company, table: str) -> None:
    repeated, equal = company.rows(
        f"""with rows as (select hash(columns(* exclude (_row)))::varchar as h, _row from data.{table}),
            contents as (select _row, concat_ws(',', *columns(* exclude (_row))) as content from rows),
            seen as (select *, row_number() over (partition by content order by _row) as place from contents)
        select count(*), count(*) filter (place > 1) from seen
        where _row in (select row from truth.dirt where table_name = '{table}' and kind = 'repeated row')"""
    )[0]
    assert repeated == equal > 0


def test_lines_and_payments_of_lost_orders_are_told(company) -> None:
    for table in ("order_items", "payments"):
        wrong = company.rows(
            f"""with lost as (select row_key from truth.dirt where table_name = 'orders' and treatment = 'quarantined'
                    and kind <> 'repeated row'),
                told as (select row from truth.dirt where table_name = '{table}' and kind = 'order not usable')
            select _row from data.{table} where (order_id in (from lost)) <> (_row in (from told))"""
        )
        assert not wrong


def test_mistyped_quantities_are_negative_without_a_return(company) -> None:
    counts = company.rows(
        """select count(*), count(*) filter (i.quantity < 0 and not exists (
            from data.order_items b where b.order_id = i.order_id and b.product_id = i.product_id and b.quantity = -i.quantity
        )) from data.order_items i join truth.dirt d on d.row = i._row
        where d.table_name = 'order_items' and d.kind = 'mistyped quantity'"""
    )[0]
    assert counts[0] > 0
    assert counts[1] >= 0.9 * counts[0]  # the few others were bought and returned as well


def test_duplicates_are_the_same_person(company) -> None:
    pairs = company.rows(
        """select b.name, a.name, b.email = a.email or b.email is null or a.email is null
            or split_part(b.email, '@', 1) <> split_part(a.email, '@', 1), a.city = b.city and a.country = b.country
        from truth.duplicates d
        join customers a on a.customer_id = d.customer_id
        join customers b on b.customer_id = d.true_customer_id"""
    )
    assert len(pairs) == 50
    assert all(first != second and similar and same_place for first, second, similar, same_place in pairs)
    assert company.value("select count(*) from purchases semi join truth.duplicates using (customer_id)") > 20
