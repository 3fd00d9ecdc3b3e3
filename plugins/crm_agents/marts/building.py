"""Build the lake's layers with dbt, and test them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from crm_agents import lake, postgres
from crm_agents.company import Company, loaded_company
from crm_agents.marts.days import LabelWindow
from crm_agents.marts.results import WAY_OUT, BuildError, BuildResult, NodeResult, describe_failure
from crm_agents.marts.running import exclusive, run_dbt
from crm_agents.marts.state import Situation, look, remember
from crm_agents.settings import load_settings


def build(
    *,
    as_of: date,
    run_id: str,
    select: Sequence[str] | None = None,
    cutoffs: Sequence[date] | None = None,
    label_windows: Sequence[LabelWindow] = (),
    company: Company | None = None,
    full_refresh: bool = False,
    tests: bool = False,
    raise_on_failure: bool = True,
) -> BuildResult:
    """Bring staging, intermediate, marts and features up to date with ``lake.raw``.

    Only what changed since the last build is computed. When the SQL of a model or a setting that the models use has
    changed, everything is rebuilt. One build runs at a time; a second one waits.

    Parameters
    ----------
    as_of : date
        The day that counts as today: everything dated up to its end (UTC) is known.
    run_id : str
        Marks the rows that failing tests leave in ``crm_ai.quality_results``.
    select : sequence of str, optional
        dbt selectors (``"fct_orders"``, ``"+ftr_customers"``, ``"tag:scoring"``); by default everything that is not up
        to date. A selected model must find what it reads: the first build is one of everything.
    cutoffs : sequence of date, optional
        Days for which ``ftr_customers`` is built, by default `as_of`; the label cut-offs come on top.
    label_windows : sequence of (date, int)
        Cut-offs and days after them for which ``lbl_customers`` is built, where that window was closed on `as_of`.
    company : Company, optional
        By default the loaded one.
    full_refresh : bool
        Build anew instead of adding what changed.
    tests : bool
        Run the tests of each model right after it; what depends on a failing one is skipped.
    raise_on_failure : bool
        Or return the result, failures and all.

    Raises
    ------
    BuildError
        Naming the model, its layer and what DuckDB said; the whole result is attached.
    CrmAgentsError
        When the lake cannot be reached or dbt cannot run.
    """
    settings = load_settings()
    company = company or loaded_company(settings)
    labels = sorted(set(label_windows))
    days = sorted({*(cutoffs if cutoffs is not None else [as_of]), *(day for day, _ in labels)})
    with exclusive(settings):
        situation = look(company, days, settings)
        refresh = full_refresh or not situation.is_current
        chosen = _chosen(select, situation, as_of, full_refresh, bool(labels))
        command = ["build", *chosen, *_resources(tests), *(["--full-refresh"] if refresh else [])]
        variables = _variables(as_of, days, labels, company, situation)
        threads = 1 if refresh else settings.duckdb_threads  # large tables one after the other: they share the memory
        nodes, seconds = run_dbt(command, variables, settings, threads=threads)
        result = BuildResult(run_id, nodes, seconds, situation.batch_id)
        if select is None and not result.failed:
            remember(situation, company, as_of, settings)
    if tests:
        _write_quality_results(result, as_of)
    return _checked(result, raise_on_failure)


def test(
    *,
    as_of: date,
    run_id: str,
    company: Company | None = None,  # noqa: PT028 (not a pytest test)
    raise_on_failure: bool = True,  # noqa: PT028
) -> BuildResult:
    """Run every dbt test over whole tables and record each in ``crm_ai.quality_results`` (stage ``dbt_tests``).

    The tests see the lake as it stands between two builds when they begin, and hold up no later build.

    Raises
    ------
    BuildError
        When a test of severity *error* fails; those of severity *warn* are recorded only.
    """
    settings = load_settings()
    company = company or loaded_company(settings)
    with exclusive(settings, shared=True):
        situation = look(company, [as_of], settings)
        with lake.connect(settings=settings) as connection:
            snapshot = lake.current_snapshot(connection)
    result = _test("test_type:data", as_of, run_id, company, situation, snapshot)
    _write_quality_results(result, as_of)
    return _checked(result, raise_on_failure)


def unit_tests(*, as_of: date, run_id: str, company: Company | None = None) -> BuildResult:
    """Run dbt's unit tests: each business rule on a few rows given in the project, not on the company's data."""
    settings = load_settings()
    company = company or loaded_company(settings)
    with exclusive(settings, shared=True):
        situation = look(company, [as_of], settings)
        result = _test("test_type:unit", as_of, run_id, company, situation, None)
    return _checked(result, raise_on_failure=False)


def _test(
    kind: str, as_of: date, run_id: str, company: Company, situation: Situation, snapshot: int | None
) -> BuildResult:
    settings = load_settings()
    variables = _variables(as_of, [as_of], [], company, situation)
    nodes, seconds = run_dbt(
        ["test", "--select", kind], variables, settings, threads=settings.duckdb_threads, snapshot=snapshot
    )
    return BuildResult(run_id, nodes, seconds, situation.batch_id)


def _chosen(
    select: Sequence[str] | None, situation: Situation, as_of: date, full_refresh: bool, labels: bool
) -> list[str]:
    if select is not None:
        return ["--select", *select]
    if full_refresh and situation.is_current:
        return ["--exclude", "config.materialized:view"]
    return situation.selection(as_of, labels=labels)


def _resources(tests: bool) -> list[str]:
    kinds = ("model", "snapshot", *(("test",) if tests else ()))
    return [part for kind in kinds for part in ("--resource-type", kind)]


def _variables(
    as_of: date, cutoffs: Sequence[date], labels: Sequence[LabelWindow], company: Company, situation: Situation
) -> dict[str, Any]:
    return {
        "as_of": as_of.isoformat(),
        "cutoffs": [day.isoformat() for day in cutoffs],
        "label_windows": [[day.isoformat(), horizon_days] for day, horizon_days in labels],
        "purchase_statuses": company.purchase_statuses,
        "non_product_codes": company.non_product_codes,
        "newest_batch": situation.batch_id,
        "whole_cutoffs": situation.whole_cutoffs,
    }


def _write_quality_results(result: BuildResult, as_of: date) -> None:
    rows = [
        (
            *(result.run_id, "dbt_tests", node.table, node.name, node.table, node.severity),
            *(node.status == "pass", node.rows, node.message, as_of),
        )
        for node in result.nodes
        if _is_test(node) and node.status != "skipped"
    ]
    with postgres.connect() as crm, crm.cursor() as cursor:
        cursor.executemany(
            """
            insert into crm_ai.quality_results as q (run_id, stage, suite, expectation, table_name, severity, success,
                                                     unexpected_count, observed, as_of)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (run_id, stage, suite, expectation) do update
            set severity = excluded.severity, success = excluded.success, observed = excluded.observed,
                unexpected_count = excluded.unexpected_count, as_of = excluded.as_of, checked_at = clock_timestamp()
            """,
            rows,
        )


def _is_test(node: NodeResult) -> bool:
    return node.kind in ("test", "unit_test")


def _checked(result: BuildResult, raise_on_failure: bool) -> BuildResult:
    if result.failed and raise_on_failure:
        first, *others = result.failed
        more = f" ({len(others)} more failed: {', '.join(node.name for node in others[:5])})" if others else ""
        raise BuildError(f"{describe_failure(first)}{more}", WAY_OUT, result)
    return result
