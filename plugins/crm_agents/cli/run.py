"""``crm-agents run``, ``undo``, ``replay``, ``summary``: let the agents work, take back or repeat a run, read its results."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from crm_agents.cli.console import err, examples, out
from crm_agents.cli.progress import steps
from crm_agents.errors import CrmAgentsError

if TYPE_CHECKING:
    from crm_agents.run import Chain


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(
        epilog=examples(
            "crm-agents run",
            "crm-agents run customer_behaviour_agent",
            "crm-agents run customer_behaviour_agent --as-of 2026-05-31",
        )
    )(run)
    app.command(epilog=examples("crm-agents undo customer_behaviour_agent-1f2e3d4c5b"))(undo)
    app.command(epilog=examples("crm-agents replay customer_behaviour_agent-1f2e3d4c5b"))(replay)
    app.command(epilog=examples("crm-agents summary"))(summary)


def run(
    name: Annotated[str | None, typer.Argument(help="A DAG; without it, ingest_crm and all that follows.")] = None,
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day to work for; default: the company's today.")
    ] = None,
) -> None:
    """Run through the Airflow scheduler, show progress, and fail when any DAG failed.

    A second run waits until the first has ended, and says so.
    """
    run_and_watch(name, as_of.date() if as_of else None)


def undo(
    run_id: Annotated[str, typer.Argument(help="The run, as in crm_ai.agent_runs and every written row.")],
) -> None:
    """Take back everything that a run wrote, except rows that someone has changed since (those are listed)."""
    from crm_agents import undo as undoing

    report = undoing.undo(run_id)
    out().print(f"{run_id}: {report.restored:,} rows restored, {report.removed:,} removed.")
    if report.kept_count:
        out().print(f"{report.kept_count:,} rows were changed since and stay as they are:", style="yellow")
        for row in report.kept:
            out().print("  " + ", ".join(f"{key} {value}" for key, value in row.items()), markup=False)


def replay(
    run_id: Annotated[str, typer.Argument(help="An agent's run, as in crm_ai.agent_runs.")],
) -> None:
    """Repeat what a run decided, from the same inputs, and compare; nothing is written into the CRM."""
    from crm_agents import replay as replaying

    with steps(err()) as tell:
        tell(run_id, "repeating what it decided")
        found = replaying.replay(run_id)
        tell(run_id, "done")
    out().print(
        f"{run_id} (as of {found.as_of}, lake snapshot {found.snapshot}, "
        f"{', '.join(f'{model} version {version}' for model, version in found.versions.items())}): "
        f"{found.same:,} results came out the same, {found.different:,} differently."
    )
    for row in found.examples:
        out().print("  " + ", ".join(f"{key} {value}" for key, value in row.items()), markup=False)
    if found.different:
        raise typer.Exit(1)


def summary() -> None:
    """Show what the last run has brought."""
    from crm_agents.cli.summary import print_summary
    from crm_agents.summary import collect

    print_summary(out(), collect())


def run_and_watch(name: str | None, as_of: date | None) -> Chain:
    """Run `name` (or the whole chain) with progress on standard error.

    Raises
    ------
    CrmAgentsError
        When a DAG failed, with the reason and the place of the log.
    """
    from crm_agents import run as running
    from crm_agents.airflow_api import AirflowClient

    def waiting() -> None:
        err().print("Another run is under way; this one waits for its turn.", style="yellow")

    with running.one_at_a_time(waiting), AirflowClient() as client:
        with steps(err()) as tell:
            if name:
                chain = running.run_dag(client, name, as_of=as_of, tell=tell)
            else:
                chain = running.run_chain(client, as_of=as_of, tell=tell)
        failed = [dag_run for dag_run in chain.runs if dag_run.state == "failed"]
        if failed:
            raise CrmAgentsError(
                " ".join(f"{dag_run.dag_id} failed. {' '.join(dag_run.failures)}" for dag_run in failed),
                f"Its tasks and logs: {client.url}/dags/{failed[0].dag_id}/runs/{failed[0].run_id}",
            )
    err().print(f"All {len(chain.runs)} DAG runs succeeded after {chain.seconds:.0f} s.", style="green")
    return chain
