"""``crm-agents models``: every model version, who serves, and going back to the one before."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from crm_agents.cli.console import examples, out

if TYPE_CHECKING:
    from crm_agents.model_versions import ModelVersion

KINDS = {"champion": "model", "simpler_model": "simpler model"}


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    group = typer.Typer(
        help="List model versions with grade and alias; go back to an earlier champion.",
        epilog=examples("crm-agents models", "crm-agents models revert purchase_propensity"),
    )
    group.callback(invoke_without_command=True)(models)
    group.command()(revert)
    app.add_typer(group, name="models")


def models(context: typer.Context) -> None:
    """List every version of every model, newest first: who serves, how good it is, and what the gate said."""
    if context.invoked_subcommand is not None:
        return
    from crm_agents import model_versions

    found = model_versions.versions()
    if not found:
        out().print("No model has been trained yet. `crm-agents run train_models` trains those that are due.")
        return
    for model in dict.fromkeys(version.model for version in found):
        of_model = [version for version in found if version.model == model]
        out().print(f"{model}, newest first", style="bold cyan")
        out().print(_table(of_model))
        out().print(f"Last decision: {of_model[0].decision or 'none'}.\n", markup=False)


def revert(
    model: Annotated[str, typer.Argument(help="The model, as listed by `crm-agents models`.")],
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="From which day on; default: the newest day that was scored."),
    ] = None,
) -> None:
    """Put the champion before the present one in charge again; the next agent run scores with it."""
    from crm_agents import registry

    before, now = registry.revert(model, as_of.date() if as_of else None)
    out().print(
        f"{model}: version {now.version} serves again ({now.method}, grade {now.grade}); before: {before.version}."
    )


def _table(versions: list[ModelVersion]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    metric = versions[0].primary_metric or "error"
    for column in ("version", "alias", "kind", "grade", "trained as of", metric, "baseline", "AUC"):
        table.add_column(column, justify="right" if column in {metric, "baseline", "AUC"} else "left", no_wrap=True)
    for version in versions:
        table.add_row(
            version.version,
            version.alias or "",
            KINDS.get(version.method, version.method),
            version.grade or "",
            str(version.trained_as_of or ""),
            _number(version.metrics.get(metric)),
            _number(version.baseline_metrics.get(metric)),
            _number(version.metrics.get("auc")),
        )
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
