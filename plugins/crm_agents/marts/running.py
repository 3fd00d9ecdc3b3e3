"""dbt in process, on the lake: one profile under the home folder, no download, no connection left behind."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from crm_agents import lake, parsed_project, postgres
from crm_agents.errors import CrmAgentsError
from crm_agents.marts.results import LAYERS, NodeResult
from crm_agents.settings import PROJECT_ROOT, Settings, write_private

PROJECT_DIR = PROJECT_ROOT / "dbt_project"
MESSAGE_LENGTH = 500


def dbt_dir(settings: Settings) -> Path:
    """Return the folder of dbt's profile, its ``target`` (parsed project, compiled SQL) and its logs."""
    return settings.home / "dbt"


def run_dbt(
    command: Sequence[str],
    variables: dict[str, Any],
    settings: Settings,
    *,
    threads: int,
    snapshot: int | None = None,
) -> tuple[tuple[NodeResult, ...], float]:
    """Run one dbt command.

    The project is parsed without `variables` first (see `parse`): with them, each new as_of would make dbt parse everything
    anew.

    Parameters
    ----------
    command : sequence of str
        For example ``["build", "--select", "fct_orders"]``.
    threads : int
        Models that run at once.
    snapshot : int, optional
        Read the lake as it was at this snapshot, and do not write to it.

    Returns
    -------
    tuple of (nodes, seconds)

    Raises
    ------
    CrmAgentsError
        When the project cannot be parsed or dbt cannot run at all; a failing node is in the result instead.
    """
    from dbt.cli.main import dbtRunner

    started = time.perf_counter()
    try:
        manifest = parsed_project.take(_stamp(settings)) or parse(settings)
        places = _places(settings, threads, snapshot)
        log: list[Any] = []
        runner = dbtRunner(manifest=manifest, callbacks=[lambda event: _keep(event, log)])
        done = runner.invoke([*command, *places, "--vars", json.dumps(variables)])
        _write_log(log, settings)
    finally:
        _close_connections()
    _raise_unless_run(done)
    nodes = [_node_result(result, manifest) for result in getattr(done.result, "results", None) or ()]
    if not any(node.failed for node in nodes):
        nodes = [_uncover(node, log) for node in nodes]
    return tuple(nodes), time.perf_counter() - started


def parse(settings: Settings) -> Any:
    """Return dbt's manifest of the project, from dbt's own cache as far as no file changed.

    Raises
    ------
    CrmAgentsError
        When a file of the project is wrong.
    """
    from dbt.cli.main import dbtRunner

    parsed = dbtRunner().invoke(["parse", *_places(settings, settings.duckdb_threads)])
    _raise_unless_run(parsed)
    return parsed.result


def parse_ahead(settings: Settings) -> None:
    """Parse the project for the processes that will be forked from this one."""
    parsed_project.keep(_stamp(settings), parse(settings))


def _stamp(settings: Settings) -> str:
    return parsed_project.stamp(PROJECT_DIR, _profile(settings))


@contextmanager
def exclusive(settings: Settings, *, shared: bool = False) -> Iterator[None]:
    """Let one build at a time change the lake's tables; readers that need them at rest share the lock."""
    lock = "pg_advisory_lock_shared" if shared else "pg_advisory_lock"
    with postgres.connect("lake", autocommit=True, settings=settings) as connection:
        connection.execute(f"select {lock}(hashtext('crm_agents.marts'))")
        yield


def _places(settings: Settings, threads: int, snapshot: int | None = None) -> list[str]:
    folder = dbt_dir(settings)
    profiles = folder if snapshot is None else folder / "at_snapshot"
    _write_profile(profiles / "profiles.yml", _profile(settings, snapshot))
    return [
        *("--project-dir", str(PROJECT_DIR), "--profiles-dir", str(profiles), "--threads", str(threads)),
        *("--target-path", str(folder / "target"), "--log-path", str(folder / "logs")),
        *("--log-level", "none", "--log-level-file", "none", "--no-use-colors", "--no-write-json"),
        *("--no-version-check", "--no-send-anonymous-usage-stats"),
    ]


def _write_profile(path: Path, text: str) -> None:
    """Write the profile when it changed: dbt parses the whole project anew after each change."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_private(path, text)


def _profile(settings: Settings, snapshot: int | None = None) -> str:
    """Return dbt's profile (JSON, which is YAML)."""
    options = {"data_path": f"{settings.lake_dir}/", **({} if snapshot is None else {"snapshot_version": snapshot})}
    target = {
        "type": "duckdb",
        "path": ":memory:",
        "database": "lake",
        "schema": "marts",
        "threads": settings.duckdb_threads,
        "config_options": lake.duckdb_options(settings),
        "settings": {"TimeZone": "UTC"},
        "plugins": [{"module": "crm_agents.marts.lake_plugin"}],
        "attach": [{"path": lake.attach_path(settings), "alias": "lake", "options": options}],
    }
    return json.dumps({"crm_agents": {"target": "lake", "outputs": {"lake": target}}}, indent=2)


def _close_connections() -> None:
    """Close dbt's DuckDB: dbt-duckdb would keep it, its memory and its connections to the catalog for the next call."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    environment = DuckDBConnectionManager._ENV
    if environment is not None:
        environment.close()
        DuckDBConnectionManager.close_all_connections()


def _raise_unless_run(outcome: Any) -> None:
    if outcome.exception is None:
        return
    if isinstance(outcome.exception, CrmAgentsError):
        raise outcome.exception
    raise CrmAgentsError(
        f"dbt could not run: {first_sentence(str(outcome.exception))}", f"The project is {PROJECT_DIR}."
    ) from outcome.exception


def first_sentence(message: str) -> str:
    """Return what a dbt or DuckDB message says, without the header that names the model and without the SQL."""
    lines = [line.strip() for line in message.strip().splitlines() if line.strip()]
    if len(lines) > 1 and " in " in lines[0] and lines[0].split(" in ")[0].endswith("Error"):
        lines = lines[1:]
    kept = []
    for line in lines:
        if line.startswith(("LINE ", "> in ", "compiled code at", "^")):
            break
        kept.append(line)
    return " ".join(kept)[:MESSAGE_LENGTH].rstrip(". ") + "."


def _keep(event: Any, log: list[Any]) -> None:
    if event.info.level != "debug":
        log.append(event.info)


def _write_log(log: list[Any], settings: Settings) -> None:
    """Write what the run said. (dbt's own log file costs as much as five models: every debug line is formatted for it.)"""
    path = dbt_dir(settings) / "logs" / "last_run.log"
    lines = [f"{event.ts.ToDatetime():%Y-%m-%d %H:%M:%S} {event.level:5} {event.msg}" for event in log]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _node_result(result: Any, manifest: Any) -> NodeResult:
    node = result.node
    kind = str(node.resource_type)
    about = _table_node(node, manifest) if kind in ("test", "unit_test") else node
    schema = str(getattr(about, "schema", ""))
    name = getattr(about, "alias", None) or getattr(about, "identifier", None) or node.name
    status, message = str(result.status), result.message
    return NodeResult(
        name=node.name,
        kind=kind,
        layer=schema if schema in LAYERS else "raw",
        table=f"{schema}.{name}",
        status=status,
        seconds=round(result.execution_time, 3),
        rows=result.failures,
        message=first_sentence(message) if message and status != "success" else None,
        severity="warning" if str(getattr(node.config, "severity", "error")).lower() == "warn" else "critical",
    )


def _uncover(node: NodeResult, log: list[Any]) -> NodeResult:
    """Call a model failed that dbt calls skipped: its ephemeral part cannot be compiled, as only the log tells."""
    if node.status != "skipped":
        return node
    found = next((event.msg for event in log if "Compilation Error" in event.msg and event.level == "error"), None)
    return replace(node, status="error", message=first_sentence(found)) if found else node


def _table_node(test: Any, manifest: Any) -> Any:
    """Return the node that a test is about: what it is attached to, else the first model that it reads."""
    attached = getattr(test, "attached_node", None) or getattr(test, "tested_node_unique_id", None)
    candidates = (
        [attached] if attached else sorted(test.depends_on.nodes, key=lambda name: not name.startswith("model."))
    )
    for unique_id in candidates:
        found = manifest.nodes.get(unique_id) or manifest.sources.get(unique_id)
        if found is not None:
            return found
    return test
