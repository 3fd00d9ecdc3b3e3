"""A small client of Airflow's REST API: trigger DAGs, watch runs, and read why a task failed."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote

from crm_agents.errors import CrmAgentsError
from crm_agents.settings import PROJECT_ROOT, Settings, load_settings
from crm_agents.stack.airflow_server import AirflowServer

# How long a new DAG file may take to be parsed.
PARSE_SECONDS = 90.0
POLL_SECONDS = 0.5
# Marks the lines of a log that are exceptions.
ERROR_MARK = "\0"
# Airflow's marks around lines that its pages fold.
FOLDING_MARKS = ("::group::", "::endgroup::")


@dataclass(frozen=True)
class DagRun:
    """One run of a DAG."""

    dag_id: str
    run_id: str
    state: str
    run_type: str
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    conf: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """Seconds from its start to its end, or until now."""
        if self.started_at is None:
            return 0.0
        return ((self.ended_at or datetime.now(UTC)) - self.started_at).total_seconds()


@dataclass(frozen=True)
class AssetEvent:
    """An asset that a run made fresh.

    Attributes
    ----------
    asset : str
        Its name.
    created_runs : list of (dag_id, run_id)
        Runs that the event has started so far.
    consumers : list of str
        DAGs that are scheduled on the asset.
    """

    asset: str
    created_runs: list[tuple[str, str]]
    consumers: list[str]


class AirflowClient:
    """Talks to the api-server of the local stack, or to the one that ``CRM_AGENTS_AIRFLOW_URL`` names.

    Use it in a ``with`` statement. Questions are repeated for a minute while Airflow is away; every failure is a
    `CrmAgentsError`.

    Parameters
    ----------
    settings : Settings, optional
        The installation; read from the environment by default.

    Attributes
    ----------
    url : str
        The server's address; ``{url}/dags/{dag_id}/runs/{run_id}`` is a run's page.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._server = AirflowServer(settings or load_settings())
        self._consumers: dict[str, list[str]] = {}
        self.url = self._server.url

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the connection."""
        self._server.close()

    # --- DAGs ---

    def is_dag_known(self, dag_id: str) -> bool:
        """Tell whether Airflow has parsed a DAG with this id."""
        return self._server.answer("GET", f"/dags/{quote(dag_id)}").status_code != 404

    def import_errors(self) -> dict[str, str]:
        """Return, for each DAG file that cannot be parsed, the last line of its error."""
        return {
            error["filename"]: error["stack_trace"].strip().splitlines()[-1]
            for error in self._server.pages("/importErrors", "import_errors")
        }

    def wait_until_known(self, dag_ids: Collection[str], seconds: float = PARSE_SECONDS) -> None:
        """Wait until Airflow has parsed DAGs: right after a start, or after a file was added.

        Raises
        ------
        CrmAgentsError
            When one of them is not known after `seconds`, with the error of its file if it has one.
        """
        deadline = time.monotonic() + seconds
        missing = sorted(dag_ids)
        while missing := [dag_id for dag_id in missing if not self.is_dag_known(dag_id)]:
            errors = {file: error for file, error in self.import_errors().items() if _stem(file) in missing}
            if errors:
                raise CrmAgentsError(
                    f"Airflow cannot read {'; '.join(f'{file}: {error}' for file, error in errors.items())}.",
                    "Mend that file; Airflow reads it again within seconds.",
                )
            if time.monotonic() > deadline:
                raise CrmAgentsError(
                    f"Airflow knows no DAG {', '.join(missing)}.", "`ls dags` shows the DAGs: file name = id."
                )
            time.sleep(POLL_SECONDS)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG."""
        self.wait_until_known([dag_id])
        self._server.json("PATCH", f"/dags/{quote(dag_id)}", json={"is_paused": False})

    def unpause_all(self) -> None:
        """Let the scheduler run every DAG of the repository, once all of them are parsed."""
        self.wait_until_known([path.stem for path in (PROJECT_ROOT / "dags").glob("[!_]*.py")])
        self._server.json("PATCH", "/dags", params={"dag_id_pattern": "~"}, json={"is_paused": False})

    # --- runs ---

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, run_id: str | None = None) -> str:
        """Start a run by hand.

        Parameters
        ----------
        dag_id : str
            The DAG; waited for when it is not parsed yet.
        conf : mapping, optional
            Values for the DAG's params.
        run_id : str, optional
            Made by Airflow by default.

        Returns
        -------
        str
            The run's id.
        """
        self.wait_until_known([dag_id])
        body = {"logical_date": None, "conf": dict(conf or {}), **({"dag_run_id": run_id} if run_id else {})}
        return str(self._server.json("POST", f"/dags/{quote(dag_id)}/dagRuns", json=body)["dag_run_id"])

    def dag_run(self, dag_id: str, run_id: str) -> DagRun:
        """Return one run as it is now."""
        return _dag_run(self._server.json("GET", _run_path(dag_id, run_id)))

    def runs(self, dag_id: str | None = None, since: datetime | None = None, *, active: bool = False) -> list[DagRun]:
        """Return runs of one DAG or of all, however they were started, oldest first.

        Parameters
        ----------
        since : datetime, optional
            Leave out runs that were due earlier (timezone aware).
        active : bool
            Only those that have not ended.
        """
        params: dict[str, Any] = {"order_by": "run_after", **({"run_after_gte": since.isoformat()} if since else {})}
        if active:
            params["state"] = ["queued", "running"]
        path = f"/dags/{quote(dag_id) if dag_id else '~'}/dagRuns"
        return [_dag_run(record) for record in self._server.pages(path, "dag_runs", params)]

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the tasks of a run as Airflow describes them: task_id, map_index, state, start_date, end_date, ..."""
        return list(self._server.pages(f"{_run_path(dag_id, run_id)}/taskInstances", "task_instances"))

    def asset_events(self, dag_id: str, run_id: str) -> list[AssetEvent]:
        """Return what a run has made fresh, and the runs that this started."""
        params = {"source_dag_id": dag_id, "source_run_id": run_id}
        return [
            AssetEvent(
                asset=event["name"],
                created_runs=[(run["dag_id"], run["run_id"]) for run in event["created_dagruns"]],
                consumers=self._consumers_of(event["name"]),
            )
            for event in self._server.pages("/assets/events", "asset_events", params)
        ]

    # --- why did it fail? ---

    def log_lines(self, dag_id: str, run_id: str, task: Mapping[str, Any]) -> list[str]:
        """Return what a task wrote to its log at its last try; exceptions as ``Type: message``, without their frames.

        Parameters
        ----------
        task : mapping
            One of `task_instances`.
        """
        return [line.removeprefix(ERROR_MARK) for line in self._log(dag_id, run_id, task)]

    def failure_reason(self, dag_id: str, run_id: str, task: Mapping[str, Any]) -> str:
        """Return the line of a failed task's log that says why: its last exception, or else its last line."""
        lines = self._log(dag_id, run_id, task)
        errors = [line.removeprefix(ERROR_MARK) for line in lines if line.startswith(ERROR_MARK)]
        return (errors or lines or ["its process ended without a word"])[-1]

    def _log(self, dag_id: str, run_id: str, task: Mapping[str, Any]) -> list[str]:
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task['task_id'])}/logs/{max(1, task['try_number'])}"
        params = {"map_index": task.get("map_index", -1), "full_content": True}
        answer = self._server.answer("GET", path, params=params)
        content = answer.json()["content"] if answer.is_success else []
        lines = [line for entry in content for line in _log_lines(entry)]
        return [line for line in lines if not line.startswith(FOLDING_MARKS)]

    def _consumers_of(self, asset: str) -> list[str]:
        if asset not in self._consumers:
            self._consumers = {
                record["name"]: sorted(reference["dag_id"] for reference in record["scheduled_dags"])
                for record in self._server.pages("/assets", "assets")
            }
        return self._consumers.get(asset, [])


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}"


def _dag_run(record: Mapping[str, Any]) -> DagRun:
    return DagRun(
        dag_id=record["dag_id"],
        run_id=record["dag_run_id"],
        state=record["state"],
        run_type=record["run_type"],
        queued_at=_time(record["queued_at"]),
        started_at=_time(record["start_date"]),
        ended_at=_time(record["end_date"]),
        conf=record["conf"] or {},
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _log_lines(entry: Mapping[str, Any] | str) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
        return
    yield str(entry.get("event", ""))
    for position, error in enumerate(entry.get("error_detail") or []):
        message = str(error.get("exc_value", "")).strip()
        kind = error.get("exc_type", "Error")
        # Errors of ours are sentences; the type would only be in their way.
        text = message if kind == CrmAgentsError.__name__ else f"{kind}: {message}"
        yield f"caused by {text}" if position else ERROR_MARK + text


def _stem(file: str) -> str:
    return file.rpartition("/")[2].removesuffix(".py")
