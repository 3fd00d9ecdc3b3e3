"""What a build says when something is missing or wrong, and what it never leaves behind."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from crm_agents import lake, marts
from crm_agents.errors import CrmAgentsError
from crm_agents.marts import running
from crm_agents.settings import load_settings, secret
from tests.raw_lake import AS_OF, COMPANY, RawLake

PERSON = "Zebedee Quill"


def test_without_raw_data_the_way_out_is_named(installation: Path) -> None:
    with pytest.raises(CrmAgentsError, match=r"no raw data yet.*customers.*crm-agents run ingest_crm"):
        marts.build(as_of=AS_OF, run_id="r", company=COMPANY)


def test_a_company_of_customers_only_builds_and_a_failing_model_is_named(installation: Path) -> None:
    raw = RawLake()
    raw.arrive("customers", "customer_id name created_at", ("ada", PERSON, "2024-01-01"), ("ben", PERSON, "2024-02-01"))
    built = raw.build()
    assert set(built.summary()) == {"success"}
    assert built.by_layer()["marts"]["models"] >= 15
    features = "select count(*), sum(purchases_total), max(recency_days) from features.ftr_customers"
    assert raw.query(features) == [(2, 0.0, None)]
    assert raw.query("select count(*), min(date_on)::varchar, max(date_on)::varchar from marts.dim_dates") == [
        (366, "2024-01-01", "2024-12-31")
    ]

    raw.query("alter table lake.raw.tickets rename column priority to urgency")
    raw.batch = 2
    raw.arrive("tickets", "ticket_id customer_id opened_at", ("t1", "ada", "2024-03-01"))
    raw.arrive("customers", "customer_id created_at", ("cleo", "2024-03-01"))
    with pytest.raises(marts.BuildError, match=r"Model fct_tickets \(layer marts\) failed: .*priority") as failure:
        raw.build()
    result = failure.value.result
    assert [node.name for node in result.failed] == ["fct_tickets"]
    assert {node.name: node.status for node in result.nodes}["dim_customers"] == "success"
    assert {node.name: node.status for node in result.nodes}["ftr_customers"] == "skipped"
    assert raw.query("select count(*) from features.ftr_customers") == [(2,)]

    layers = raw.build(raise_on_failure=False).by_layer()
    assert layers["features"] == {"models": 0, "seconds": 0.0, "failed": []}
    with pytest.raises(CrmAgentsError, match="fct_tickets"):
        marts.raise_if_failed(layers)

    raw.query("alter table lake.raw.tickets rename column urgency to priority")
    raw.build()
    assert raw.query("select count(*) from features.ftr_customers") == [(3,)]
    _no_secret_and_no_person_in_files()
    _no_connection_left()


def _no_secret_and_no_person_in_files() -> None:
    settings = load_settings()
    folder = running.dbt_dir(settings)
    assert (folder / "profiles.yml").stat().st_mode & 0o777 == 0o600
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert len(texts) > 5
    for needle in (secret(settings, "postgres_password"), PERSON):
        assert not any(needle.encode() in text for text in texts), needle


def _no_connection_left() -> None:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    assert DuckDBConnectionManager._ENV is None
    with lake.connect() as connection:
        connection.execute("drop table features.ftr_customers")


def test_one_build_at_a_time(installation: Path) -> None:
    settings, order = load_settings(), []

    def second() -> None:
        with running.exclusive(settings):
            order.append("second")

    with running.exclusive(settings):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.5)
        order.append("first")
    waiting.join(20)
    assert order == ["first", "second"]


def test_a_broken_project_is_told(installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "dbt_project"
    shutil.copytree(running.PROJECT_DIR, project)
    monkeypatch.setattr(running, "PROJECT_DIR", project)
    raw = RawLake()
    part = project / "models/intermediate/features/int_order_features.sql"
    part.write_text(part.read_text() + "{{ exceptions.raise_compiler_error('half a thought') if execute }}")
    with pytest.raises(marts.BuildError, match=r"Model ftr_customers \(layer features\) failed: .*half a thought"):
        raw.build()
    part.write_text("select {{ ref('no_such_model') }}")
    with pytest.raises(CrmAgentsError, match=r"dbt could not run: .*no_such_model"):
        raw.build()
