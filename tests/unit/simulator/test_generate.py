"""Files: the same for the same seed, whole or not there, and apart from the truth."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from crm_agents.crm_schema import crm_tables
from crm_agents.errors import CrmAgentsError
from crm_agents.simulator import Drift, generate
from crm_agents.simulator.streams import PARTS, stream


def fingerprints(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_same_seed_same_bytes_other_seed_other_customers(simulate) -> None:
    first, again, other = simulate("first"), simulate("again"), simulate("other", seed=8)
    assert fingerprints(first.report.target) == fingerprints(again.report.target)
    assert fingerprints(first.report.truth) == fingerprints(again.report.truth)
    assert fingerprints(first.report.target) != fingerprints(other.report.target)


def test_a_part_has_its_own_stream_whatever_parts_are_added() -> None:
    spawned = np.random.SeedSequence(7).spawn(len(PARTS) + 3)[PARTS.index("orders")].spawn(5)[2]
    assert stream(7, "orders", 2).integers(10**9) == np.random.default_rng(spawned).integers(10**9)


def test_every_crm_table_is_filled(company) -> None:
    assert set(crm_tables()) == set(company.report.rows)
    assert min(company.report.rows.values()) > 0
    assert company.report.rows == {
        name: company.value(f"select count(*) from data.{name}") for name in company.report.rows
    }


def test_default_company_has_the_promised_size(company) -> None:
    rows = company.report.rows
    customers = company.value("select count(distinct customer_id) from data.customers")
    assert customers - company.value("select count(*) from truth.duplicates") == 5000
    years = company.value(
        """select sum(least(coalesce(t.churned_on, date '2026-06-30'), date '2026-06-30') - changed_at::date) / 365.25
        from truth.customers t join customers c using (customer_id)"""
    )
    assert 3 <= rows["orders"] / years <= 6
    assert 2 <= rows["order_items"] / rows["orders"] <= 4
    span = company.rows("select min(moment)::date, max(moment)::date from purchases")[0]
    assert date(2023, 7, 1) <= span[0] <= date(2023, 7, 10)
    assert span[1] == date(2026, 6, 30)


def test_truth_is_kept_apart(company) -> None:
    hidden = {"purchases_a_year", "churned_on", "churns_a_year", "price_sensitivity", "skill", "diligence", "interest",
              "win_probability", "conversion_probability", "expected_effect", "true_customer_id", "cause"}  # fmt: skip
    shown = {row[0] for row in company.rows("select column_name from duckdb_columns() where schema_name = 'data'")}
    assert not hidden & shown
    assert not {file.name for file in company.report.target.iterdir()} & {"dirt.parquet", "duplicates.parquet"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"customers": 0}, "0 customers"),
        ({"years": 0.1}, "0.1 years"),
        ({"years": 90}, "90 years"),
        ({"seed": -1}, "seed -1"),
        ({"end_on": date(1990, 6, 1)}, "begin on"),
    ],
)
def test_impossible_arguments_are_told(tmp_path: Path, arguments: dict, named: str) -> None:
    with pytest.raises(CrmAgentsError, match=named):
        generate(tmp_path / "data", truth=tmp_path / "truth", **arguments)
    assert not (tmp_path / "data").exists()


def test_impossible_drifts_are_told() -> None:
    with pytest.raises(CrmAgentsError, match="'web' cannot be closed"):
        Drift(date(2026, 1, 1), channel_gone="web")
    with pytest.raises(CrmAgentsError, match="negative"):
        Drift(date(2026, 1, 1), price_factor=-1)


def test_truth_within_the_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CrmAgentsError, match="two separate folders"):
        generate(tmp_path / "data", truth=tmp_path / "data" / "truth", customers=10, years=0.5)


def test_other_folders_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").write_text("years of work")
    with pytest.raises(CrmAgentsError, match="not a simulation"):
        generate(tmp_path / "data", truth=tmp_path / "truth", customers=10, years=0.5)
    assert (tmp_path / "data" / "thesis.txt").read_text() == "years of work"
    assert not (tmp_path / "truth").exists()


def test_interrupted_run_leaves_the_earlier_company(tmp_path: Path) -> None:
    def stop(line: str) -> None:
        raise KeyboardInterrupt

    generate(tmp_path / "data", truth=tmp_path / "truth", customers=10, years=0.5)
    before = fingerprints(tmp_path / "data"), fingerprints(tmp_path / "truth")
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "data", truth=tmp_path / "truth", customers=20, years=0.5, progress=stop)
    assert (fingerprints(tmp_path / "data"), fingerprints(tmp_path / "truth")) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "truth"]


def test_many_customers_come_in_chunks_with_ids_of_their_own(simulate) -> None:
    large = simulate("large", customers=60_000, years=0.5)
    assert large.report.rows["order_items"] > 60_000
    keys = {name: table.key for name, table in crm_tables().items() if name not in ("order_items", "orders")}
    for name, key in keys.items():
        again = large.value(f"""select count(*) - count(distinct ({", ".join(key)})) from data.{name}""")
        assert again == large.value(
            f"select count(*) from truth.dirt where table_name = '{name}' and kind = 'repeated row'"
        )
    assert large.value("select count(distinct customer_id) from truth.customers") == 60_000
