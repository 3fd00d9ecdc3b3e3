"""Bad input: a clear sentence that names the file or row, nothing lost, and the CRM as it was."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crm_agents.errors import CrmAgentsError
from crm_agents.loading import LoadReport, load

CRM_SIZE = (
    "select (select count(*) from crm.customers), (select count(*) from crm.orders), "
    "(select count(*) from crm.order_items)"
)


def whole(report: LoadReport) -> None:
    """Every row of every file is used or quarantined, and quarantine has a row for each of the latter."""
    for counts in report.files:
        assert counts.used + counts.quarantined == counts.read
        assert min(counts.used, counts.quarantined) >= 0


def test_good_files_load_whole(shop: Any) -> None:
    report = shop.load()
    assert shop.crm(CRM_SIZE) == [(3, 3, 4)]
    assert (report.rows_read, report.rows_used, report.rows_quarantined) == (10, 10, 0)
    assert shop.quarantine() == []
    assert shop.crm("select sum(quantity * unit_price) from crm.order_items")[0][0] == pytest.approx(36.25)
    assert shop.crm("select table_name, source_file, rows_read from crm_ai.load_counts order by 1, 2") == [
        ("(whole file)", "customers.csv", 3),
        ("(whole file)", "lines.csv", 4),
        ("(whole file)", "orders.csv", 3),
        ("customers", "customers.csv", 3),
        ("order_items", "lines.csv", 4),
        ("orders", "orders.csv", 3),
    ]


@pytest.fixture
def fails(shop: Any) -> Callable[..., None]:
    """Check that loading fails with all of the words, and leaves the CRM as it was."""

    def check(*words: str) -> None:
        before = shop.crm(CRM_SIZE)
        with pytest.raises(CrmAgentsError) as caught:
            shop.load()
        for word in words:
            assert word in str(caught.value)
        assert shop.crm(CRM_SIZE) == before

    return check


def test_unusable_files(shop: Any, fails: Callable[..., None]) -> None:
    shop.load()
    shop.source("orders")["columns"] = ["order_id", "customer_id", "ordered_at", "promised_at", "state"]
    (shop.data / "orders.csv").unlink()
    fails("orders.csv is not in", "optional: true")
    for content, *words in (
        ("", "orders.csv is empty"),
        ("\n\n", "orders.csv is empty"),
        (
            "order_id;customer_id;ordered_at;promised_at;state\no1;c1;2024-02-01;;placed\n",
            "separated by ';'",
            "delimiter",
        ),
        ("order_id,customer_id,order_at,promised_at,state\n", "orders.csv has no column 'ordered_at'", "'order_at'"),
        ("order_id,customer_id,ordered_at,promised_at,state,STATE\n", "two columns called 'state'"),
        ("order_id,customer_id,ordered_at,promised_at,state,_row\n", "'_row'"),
    ):
        shop.write("orders.csv", content)
        fails(*words)


def test_renamed_column_without_declared_columns(shop: Any, fails: Callable[..., None]) -> None:
    shop.write("lines.csv", "order_id,line,product,pieces,unit_price\no1,1,pen,1,2\n")
    fails('order_items.sql: Binder Error: Referenced column "price" not found', '"unit_price" of source lines')


def test_wrong_encoding(shop: Any, fails: Callable[..., None]) -> None:
    header, name = "customer_id,name,since\n", "Jos\u00e9"
    near = header + "".join(f"c{number},{name},2024-01-01\n" for number in range(60_000))
    for encoding, declared in (("latin-1", "utf-8"), ("utf-16", "utf-8"), ("latin-1", "utf-16")):
        shop.write("customers.csv", near, encoding)
        shop.source("customers")["encoding"] = declared
        fails(f"customers.csv is not {declared}", "encoding: ")
    far = header + "".join(f"c{number},Plain Name,2024-01-01\n" for number in range(80_000))
    shop.write("customers.csv", f"{far}x,{name},2024-01-01\n", "latin-1")
    shop.source("customers")["encoding"] = "utf-8"
    fails("customers.csv is not utf-8: line 80002 does not decode", "encoding: latin-1")


def test_declared_encoding_is_read(shop: Any) -> None:
    for number, encoding in enumerate(("latin-1", "utf-16", "utf-8-sig")):
        name = f"Jos\u00e9 {number}"
        shop.write("customers.csv", f"customer_id,name,since\nc1,{name},2024-01-01\nc2,Ben,2024-01-01\n", encoding)
        shop.source("customers")["encoding"] = encoding.removesuffix("-sig")
        shop.load()
        assert shop.crm("select name from crm.customers where customer_id = 'c1'") == [(name,)]


def test_repeated_key_keeps_the_first_row(shop: Any) -> None:
    shop.write("customers.csv", "customer_id,name,since\nc2,Ben,2024-01-01\nc1,Ada,2024-01-01\nc2,Bob,2024-01-01\n")
    report = shop.load()
    assert shop.crm("select customer_id, name from crm.customers order by 1") == [("c1", "Ada"), ("c2", "Ben")]
    assert shop.quarantine() == [
        ("customers", "customers.csv", 3, "customer_id 'c2' is already in 'row 1 of customers.csv'")
    ]
    assert shop.crm("select row ->> 'name' from crm_ai.quarantine") == [("Bob",)]
    whole(report)


def test_order_for_unknown_customer_and_its_lines(shop: Any) -> None:
    shop.write(
        "orders.csv",
        "order_id,customer_id,ordered_at,promised_at,state\no1,c9,2024-02-01,,placed\no3,,2024-02-01,,placed\n",
    )
    report = shop.load()
    assert shop.crm("select order_id, customer_id from crm.orders") == [("o3", None)]
    assert shop.crm("select order_id, line_no from crm.order_items") == [("o3", 1)]
    assert ("orders", "orders.csv", 1, "order_id 'o1' names customer_id 'c9', which is not among the customers") in (
        shop.quarantine()
    )
    assert {(row[0], row[2]) for row in shop.quarantine()} == {
        ("orders", 1), ("order_items", 1), ("order_items", 2), ("order_items", 3),
    }  # fmt: skip
    assert (report.rows_read, report.rows_used, report.rows_quarantined) == (9, 5, 4)
    whole(report)


def test_empty_key(shop: Any) -> None:
    shop.write("customers.csv", "customer_id,name,since\n,Nobody,2024-01-01\nc1,Ada,2024-01-01\nc2,Ben,2024-01-01\n")
    shop.load()
    assert shop.quarantine() == [("customers", "customers.csv", 1, "the key customer_id is empty")]


def test_negative_quantity_is_a_return_and_kept(shop: Any) -> None:
    shop.write("lines.csv", "order_id,line,product,pieces,price\no1,1,pen,-2,1.50\no1,2,pen,0,0\n")
    report = shop.load()
    assert shop.crm("select quantity::int from crm.order_items order by line_no") == [(-2,), (0,)]
    assert report.rows_quarantined == 0


def test_an_amount_with_a_letter_for_a_digit_is_no_amount(shop: Any) -> None:
    shop.map(
        "order_items",
        "select order_id, line as line_no, product as product_id, pieces as quantity, "
        "money(price, decimal_mark := ',') as unit_price, _source_file, _row from lines",
    )
    shop.write(
        "lines.csv",
        'order_id,line,product,pieces,price\no1,1,pen,2,"12,50 EUR"\no1,2,pen,2,"12,5O EUR"\no2,1,pen,2,"€ 3"\n',
    )
    shop.load()
    assert shop.crm("select unit_price::text from crm.order_items order by 1") == [("12.5000",), ("3.0000",)]
    ((table, file, row, reason),) = shop.quarantine()
    assert (table, file, row) == ("order_items", "lines.csv", 2)
    assert "12,5O EUR" in reason


def test_dates_in_the_future_and_planned_ones(shop: Any) -> None:
    shop.write(
        "orders.csv",
        "order_id,customer_id,ordered_at,promised_at,state\n"
        "o1,c1,2024-12-31 23:59:59,2030-01-01,placed\n"
        "o2,c2,2025-01-01 00:00:00,2024-02-06,placed\n",
    )
    shop.load()
    assert shop.crm("select order_id from crm.orders") == [("o1",)]
    assert ("orders", "orders.csv", 2) in [row[:3] for row in shop.quarantine()]
    assert (
        "lies after 2024-12-31, the last day of this company"
        in dict((r[:3], r[3]) for r in shop.quarantine())[("orders", "orders.csv", 2)]
    )


def test_dates_in_three_formats(shop: Any) -> None:
    shop.write(
        "customers.csv",
        "customer_id,name,since\nc1,ISO,2024-03-04T05:06:07Z\nc2,dotted,04.03.2024 05:06\nc3,month first,03/25/2024\n"
        "c4,day first,25/03/2024\nc5,either,03/04/2024\nc6,none,2024-02-31\nc7,short,04.03.24\nc8,endless,infinity\n",
    )
    report = shop.load()
    assert shop.crm("select customer_id, created_at::date::text from crm.customers order by 1") == [
        ("c1", "2024-03-04"), ("c2", "2024-03-04"), ("c3", "2024-03-25"), ("c4", "2024-03-25"),
    ]  # fmt: skip
    assert [row[2] for row in shop.quarantine()] == [5, 6, 7, 8]
    assert shop.quarantine()[0][3] == "created_at '03/04/2024' is not a date that can be read in one way only"
    assert "03/04/2024" not in str(report.reasons)
    whole(report)


def test_mapping_says_which_comes_first(shop: Any) -> None:
    shop.write("customers.csv", "customer_id,name,since\nc1,Ada,03/04/2024\nc2,Ben,2024-01-05\nc3,Cleo,soon\n")
    shop.map("customers", "select customer_id, name, day_first(since) as created_at, _source_file, _row from customers")
    shop.load()
    assert shop.crm("select customer_id, created_at::date::text from crm.customers order by 1") == [
        ("c1", "2024-04-03"), ("c2", "2024-01-05"),
    ]  # fmt: skip
    assert shop.quarantine()[0][:3] == ("customers", "customers.csv", 3)


def test_price_as_text(shop: Any) -> None:
    lines = 'order_id,line,product,pieces,price\no1,1,pen,1,"12,50 EUR"\no1,2,ink,1,3.20\n'
    shop.write("lines.csv", lines)
    report = shop.load()
    assert shop.quarantine() == [("order_items", "lines.csv", 1, "unit_price '12,50 EUR' is not a number")]
    whole(report)
    shop.write("lines.csv", lines + 'o1,3,cap,1,"1.012,50 EUR"\no1,4,cap,1,gratis\n')
    shop.map(
        "order_items",
        "select order_id, line as line_no, product as product_id, pieces as quantity, "
        "money(price, decimal_mark := ',') as unit_price, _source_file, _row from lines",
    )
    shop.load()
    assert shop.crm("select line_no, unit_price::float from crm.order_items order by 1") == [
        (1, 12.5), (2, 3.2), (3, 1012.5),
    ]  # fmt: skip
    assert shop.quarantine() == [("order_items", "lines.csv", 4, "unit_price 'gratis' is not a number")]


def test_half_a_line_number_is_not_rounded(shop: Any) -> None:
    shop.write("lines.csv", "order_id,line,product,pieces,price\no1,1.0,pen,1,2\no1,2.5,pen,1,2\n")
    shop.load()
    assert shop.quarantine() == [("order_items", "lines.csv", 2, "line_no '2.5' is not a whole number")]


def test_word_outside_the_vocabulary(shop: Any) -> None:
    shop.write("orders.csv", "order_id,customer_id,ordered_at,promised_at,state\no1,c1,2024-02-01,,delivered\n")
    shop.write("lines.csv", "order_id,line,product,pieces,price\n")
    shop.load()
    assert shop.quarantine()[0][3] == (
        "status 'delivered' is not one of placed, shipped, completed, cancelled, returned"
    )


def test_lines_that_do_not_fit_the_header(shop: Any) -> None:
    shop.write(
        "customers.csv",
        'customer_id,name,since\nc1,"Ada\nLovelace",2024-01-01\nc2,Ben\nc4,D,2024-01-01,more,still more\nc3,Cleo,2024-99-01\n',
    )
    report = shop.load()
    assert shop.quarantine()[:2] == [
        ("(no table)", "customers.csv", 2, "the line has too few columns"),
        ("(no table)", "customers.csv", 3, "the line has too many columns"),
    ]
    assert ("customers", "customers.csv", 4) in [row[:3] for row in shop.quarantine()]
    assert shop.crm("select row ->> 'line' from crm_ai.quarantine where reason like '%%too few%%'") == [("c2,Ben",)]
    assert report.files[0].read == 4
    whole(report)


def test_company_without_orders(shop: Any) -> None:
    for name in ("orders", "lines"):
        source = shop.source(name)
        source |= {"optional": True, "columns": ["order_id", "customer_id", "ordered_at", "promised_at", "state"]}
        (shop.data / source["file"]).unlink()
    shop.source("lines")["columns"] = ["order_id", "line", "product", "pieces", "price"]
    report = shop.load()
    assert shop.crm(CRM_SIZE) == [(3, 0, 0)]
    assert [note for note in report.notes if "orders.csv is not there" in note]


def test_header_alone_is_an_empty_table(shop: Any) -> None:
    shop.write("orders.csv", "order_id,customer_id,ordered_at,promised_at,state\n")
    shop.write("lines.csv", "order_id,line,product,pieces,price")
    assert shop.load().rows_read == 3
    assert shop.crm(CRM_SIZE) == [(3, 0, 0)]


def test_bad_mappings(shop: Any, fails: Callable[..., None]) -> None:
    shop.load()
    for sql, *words in (
        ("select order_id from", "orders.sql", "syntax error"),
        ("select * from ordrs", "orders.sql", "ordrs", "the sources are customers, lines, orders"),
        ("delete from orders", "orders.sql is not one SELECT"),
        ("select 1; select 2", "orders.sql is not one SELECT"),
        ("select customer_id, _source_file, _row from orders", "orders.sql returns no column order_id"),
        ("select order_id, customer_id from orders", "returns no column _source_file, _row"),
        ("select order_id, state as _state, _source_file, _row from orders", "a column '_state'"),
        (
            "select order_id, 'elsewhere' as _source_file, _row from orders",
            "3 of its rows do not have the _source_file",
        ),
        ("select order_id, _source_file, _row + 2 as _row from orders", "2 of its rows do not have the _source_file"),
        (
            "select order_id, null as _row, _source_file from orders",
            "3 of its rows do not have the _source_file and _row",
        ),
        (
            "select order_id, customer_id::integer as customer_id, _source_file, _row from orders",
            *("orders.sql: Conversion Error", "'c1'", "TRY_CAST"),
        ),
    ):
        shop.map("orders", sql)
        fails(*words)
    shop.map("order", "select 1")
    fails("order.sql", "no table 'order'", "did you mean orders.sql")


def test_unterminated_quote(shop: Any, fails: Callable[..., None]) -> None:
    shop.write("customers.csv", 'customer_id,name,since\nc1,"Ada,2024-01-01\nc2,Ben,2024-01-01\n')
    fails("customers.csv, line 2", "quote")


def test_mapping_rejects_with_its_own_words(shop: Any) -> None:
    shop.map(
        "customers",
        "select customer_id, name, case when name = 'Ben' then 'a test account' end as _reject, _source_file, _row "
        "from customers -- a comment; with a semicolon",
    )
    report = shop.load()
    assert ("customers", "customers.csv", 2, "a test account") in shop.quarantine()
    assert "a test account" in [reason.rule for reason in report.reasons]


def test_rows_that_a_mapping_leaves_out_are_not_lost(shop: Any) -> None:
    shop.map("customers", MAPPING_OF_TWO)
    report = shop.load()
    assert ("(no table)", "customers.csv", 3, "no table of the mapping takes it") in shop.quarantine()
    assert report.files[0].quarantined == 1
    whole(report)


MAPPING_OF_TWO = "select customer_id, name, _source_file, _row from customers where name <> 'Cleo'"


def test_missing_data_folder_and_wrong_folder(shop: Any, tmp_path: Path) -> None:
    with pytest.raises(CrmAgentsError, match="nowhere is not there"):
        shop.load([tmp_path / "nowhere"])
    (tmp_path / "other").mkdir()
    with pytest.raises(CrmAgentsError, match=r"None of the files of company 'shop' .* is in .*other"):
        shop.load([tmp_path / "other"])


def test_packed_files(shop: Any) -> None:
    text = (shop.data / "orders.csv").read_bytes()
    (shop.data / "orders.csv.gz").write_bytes(gzip.compress(text))
    with zipfile.ZipFile(shop.data / "lines.zip", "w") as archive:
        archive.write(shop.data / "lines.csv", "any name.csv")
    shop.source("orders")["file"], shop.source("lines")["file"] = "orders.csv.gz", "lines.zip"
    shop.load()
    assert shop.crm(CRM_SIZE) == [(3, 3, 4)]
    (shop.data / "orders.csv.gz").write_bytes(gzip.compress(text)[:-20])
    with pytest.raises(CrmAgentsError, match=r"orders\.csv\.gz cannot be read"):
        shop.load()
    (shop.data / "lines.zip").write_text("no zip")
    (shop.data / "orders.csv.gz").write_bytes(gzip.compress(text))
    with pytest.raises(CrmAgentsError, match=r"lines\.zip is not a zip file"):
        shop.load()


def test_options_of_the_simulator_elsewhere(shop: Any) -> None:
    shop.load()
    with pytest.raises(CrmAgentsError, match="customers and seed do not apply"):
        load(str(shop.folder), [shop.data], customers=10)


def test_too_little_memory(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.load()
    monkeypatch.setenv("CRM_AGENTS_DUCKDB_MEMORY", "40MB")
    shop.map(
        "orders",
        "select order_id, (select len(list(md5(range::varchar))) from range(2000000)) as wide, _source_file, _row "
        "from orders",
    )
    with pytest.raises(CrmAgentsError, match=r"The load could not go on: .*CRM_AGENTS_DUCKDB_MEMORY"):
        shop.load()
    assert shop.crm(CRM_SIZE) == [(3, 3, 4)]
