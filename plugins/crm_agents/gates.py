"""The gates between stages: Great Expectations on what arrived, on the marts, on the features to be scored.

A gate reads counts from the lake, never rows; each rule leaves a row in ``crm_ai.quality_results``. A failed critical
rule stops the run (`GateReport.raise_if_critical`), a failed warning is recorded and the run goes on. The HTML pages
(Data Docs) take longer than the gate itself, so the DAG `test_marts`, beside that way, builds them (`build_data_docs`).
docs/quality.md explains the mechanism and lists what to do when a gate stops a run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_agents import build_log, lake, postgres
from crm_agents.errors import CrmAgentsError
from crm_agents.settings import Settings, load_settings

if TYPE_CHECKING:
    from crm_agents.company import Company
    from expectations.gate import Check
    from expectations.rules import Suite
    from expectations.scope import Scope

# A typical batch is the median of the last ten that had rows, once there were five.
TYPICAL_ROWS = """
    select table_name, percentile_cont(0.5) within group (order by rows_upserted)
    from (
        select table_name, rows_upserted, row_number() over (partition by table_name order by batch_id desc) as nth
        from crm_ai.ingest_counts
        where batch_id <= %s and rows_upserted > 0
    ) as earlier
    where nth <= 10
    group by table_name
    having count(*) >= 5
"""


@dataclass(frozen=True)
class GateReport:
    """What one gate found.

    `checks` has one entry per rule that was looked at; `page` is where `build_data_docs` puts the stage's pages.
    """

    stage: str
    run_id: str
    checks: tuple[Check, ...]
    page: Path

    @property
    def failed_critical(self) -> tuple[Check, ...]:
        """Failed rules that stop the run."""
        return tuple(check for check in self.checks if not check.success and check.severity == "critical")

    @property
    def failed_warning(self) -> tuple[Check, ...]:
        """Failed rules that are recorded only."""
        return tuple(check for check in self.checks if not check.success and check.severity == "warning")

    def summary(self) -> dict[str, Any]:
        """Return the counts and the failed rules in words, small enough for XCom."""
        return {
            "stage": self.stage,
            "checks": len(self.checks),
            "failed_critical": [_in_words(check) for check in self.failed_critical],
            "failed_warning": [_in_words(check) for check in self.failed_warning],
        }

    def raise_if_critical(self) -> None:
        """Stop the run when a critical rule failed.

        Raises
        ------
        CrmAgentsError
            Naming each table, rule and count, and where to see the rows.
        """
        failed = self.failed_critical
        if not failed:
            return
        rules = f"{len(failed)} critical rule{'s' if len(failed) > 1 else ''}"
        listing = next((check.sql for check in failed if check.sql), "")
        see = f'`crm-agents query "{listing}" --on lake` lists the rows; ' if listing else ""
        raise CrmAgentsError(
            f"The {self.stage} gate stopped the run, {rules} failed: {'; '.join(map(_in_words, failed))}.",
            f"{see}crm_ai.quality_results has every result of run {self.run_id}, {self.page} shows them. "
            "Mend the source and run again.",
        )


def check_arrival(
    *, run_id: str, as_of: date, batch_id: int, after_batch: int | None = None, company: Company | None = None
) -> GateReport:
    """Check what the CRM has sent since the marts were last built.

    Parameters
    ----------
    run_id : str
        Under which results are kept; a second call with the same id replaces those of the first.
    as_of : date
        The asked day; an event later than the day after it counts as dated in the future.
    batch_id : int
        The newest batch to look at.
    after_batch : int, optional
        Look at every batch after this one; by default the newest that a completed `build_marts` run has used. So the
        rows of a batch that was once stopped here are looked at again, and cannot pass unseen behind the next one.
    company : Company, optional
        Its currency is what amounts are expected in.
    """
    from expectations.arrival import SUITES
    from expectations.scope import Scope

    after = _last_built(batch_id) if after_batch is None else after_batch
    with postgres.connect() as crm:
        typical = {table: float(rows) for table, rows in crm.execute(TYPICAL_ROWS, [after])}
    scope = Scope(
        as_of,
        {"_batch": f"_batch between {after + 1:d} and {batch_id:d}", "_deleted": "_deleted is not true"},
        after,
        typical,
        company.currency if company else None,
    )
    return _check("arrival", run_id, SUITES, scope)


def check_marts(*, run_id: str, as_of: date, after_batch: int | None = None) -> GateReport:
    """Check the marts that dbt has built: row counts of the whole, and the rows that changed.

    Parameters
    ----------
    run_id, as_of
        As in `check_arrival`.
    after_batch : int, optional
        Look only at rows built from later batches (for row counts always at the whole); by default at all rows.

    Raises
    ------
    CrmAgentsError
        When a mart is missing.
    """
    from expectations.marts import SUITES
    from expectations.scope import Scope

    return _check("marts", run_id, SUITES, Scope(as_of, _changed(after_batch)), required=True)


def check_features(*, run_id: str, as_of: date, after_batch: int | None = None) -> GateReport:
    """Check the rows that are about to be scored: customers' features as of `as_of`.

    Parameters
    ----------
    run_id, as_of
        As in `check_arrival`.
    after_batch : int, optional
        Look only at customers that changed with later batches; by default at all.

    Raises
    ------
    CrmAgentsError
        When the feature table is missing.
    """
    from expectations.features import SUITES
    from expectations.scope import Scope

    conditions = {"as_of": f"as_of = date '{as_of}'", **_changed(after_batch)}
    return _check("features", run_id, SUITES, Scope(as_of, conditions), required=True)


def build_data_docs(*run_ids: str) -> Path:
    """Make the HTML pages of some runs (by default of every kept run) and the index; return the index page.

    Results of all but the newest runs are removed, so that the folder does not grow for ever.
    """
    from expectations.data_docs import build

    settings = load_settings()
    return build(_results_dir(settings), settings.data_docs_dir, {_folder(run_id) for run_id in run_ids})


def _last_built(batch_id: int) -> int:
    built = build_log.last_build()
    # a second build of the same batch looks at it again
    return min(built.batch_id, batch_id - 1) if built else 0


def _changed(after_batch: int | None) -> dict[str, str]:
    return {} if after_batch is None else {"_batch": f"_batch > {after_batch:d}"}


def _check(stage: str, run_id: str, suites: Iterable[Suite], scope: Scope, *, required: bool = False) -> GateReport:
    from expectations.gate import judge

    settings = load_settings()
    suites = tuple(suites)
    with lake.connect(settings=settings) as connection:
        judgement = judge(connection, suites, scope)
    missing = sorted({f"{suite.schema}.{suite.table}" for suite in suites} - set(judgement.tables))
    if required and missing:
        raise CrmAgentsError(
            f"The lake has no table {', '.join(missing)}.",
            "`crm-agents run build_marts` builds the marts and features.",
        )
    _keep_results(settings, run_id, stage, scope.as_of, judgement.results)
    _write_rows(run_id, stage, scope.as_of, judgement.checks)
    return GateReport(stage, run_id, judgement.checks, settings.data_docs_dir / _folder(run_id) / f"{stage}.html")


def _write_rows(run_id: str, stage: str, as_of: date, checks: Iterable[Check]) -> None:
    rows = [
        (
            run_id,
            stage,
            check.suite,
            check.rule,
            check.table,
            check.severity,
            check.success,
            check.unexpected,
            check.observed,
            as_of,
        )
        for check in checks
    ]
    with postgres.connect() as crm, crm.cursor() as cursor:
        cursor.execute("delete from crm_ai.quality_results where run_id = %s and stage = %s", [run_id, stage])
        cursor.executemany(
            "insert into crm_ai.quality_results (run_id, stage, suite, expectation, table_name, severity, success, "
            "unexpected_count, observed, as_of) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            rows,
        )


def _keep_results(
    settings: Settings, run_id: str, stage: str, as_of: date, results: Iterable[Mapping[str, Any]]
) -> None:
    folder = _results_dir(settings) / _folder(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    content = {"run_id": run_id, "stage": stage, "as_of": as_of.isoformat(), "results": list(results)}
    partial = folder / f"{stage}.json.partial"
    partial.write_text(json.dumps(content, indent=1), encoding="utf-8")
    partial.replace(folder / f"{stage}.json")


def _results_dir(settings: Settings) -> Path:
    return settings.home / "quality"


def _folder(run_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", run_id)


def _in_words(check: Check) -> str:
    return f"{check.table}: {check.description.rstrip('.')}: {check.observed} ({check.rule})"
