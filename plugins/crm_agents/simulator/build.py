"""The whole company: shared world, chunks of customers one after the other, files and hidden truth."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from crm_agents.errors import CrmAgentsError
from crm_agents.simulator import catalogue, marketing, season, team
from crm_agents.simulator.chunk import Chunk, simulate_chunk
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.report import SimulationReport
from crm_agents.simulator.state import World
from crm_agents.simulator.writer import MARKER, ParquetFolder


def build_world(parameters: Parameters) -> World:
    """Make what all customers share: catalogue, team, campaigns, seasons."""
    drift_day = season.drift_day(parameters)
    return World(
        parameters=parameters,
        catalogue=catalogue.build_catalogue(parameters, season.year_of_day(parameters), drift_day),
        team=team.build_team(parameters),
        campaigns=marketing.plan_campaigns(parameters),
        demand=season.demand(parameters),
        acceptance=season.weekday_acceptance(parameters),
        is_high_season=season.is_high_season(parameters),
        drift_day=drift_day,
    )


def build_company(
    parameters: Parameters, target: Path, truth: Path, progress: Callable[[str], None] | None = None
) -> SimulationReport:
    """Simulate and write a company.

    Parameters
    ----------
    target, truth : Path
        Folders of the export files and of the hidden truth; neither may lie within the other.

    Raises
    ------
    CrmAgentsError
        When the folders overlap or hold something else.
    """
    _check_places(target, truth)
    tell = progress or (lambda line: None)
    world = build_world(parameters)
    counts = np.zeros((len(world.campaigns.day), 3))
    with ParquetFolder(truth) as hidden, ParquetFolder(target) as files:
        for name, table in _shared_tables(world).items():
            files.append(name, table)
        for number in range(parameters.chunks):
            chunk = simulate_chunk(world, number)
            counts += chunk.campaign_counts
            _write_chunk(chunk, files, hidden)
            done = min(parameters.customers, (number + 1) * parameters.chunk_customers)
            tell(f"simulated {done:,} of {parameters.customers:,} customers, {files.rows['order_items']:,} order lines")
        treated = counts[:, 0].astype(np.int64)
        files.append("campaigns", marketing.campaigns_table(world.campaigns, treated, parameters))
        hidden.append("reps", team.truth_table(world.team))
        hidden.append("campaigns", marketing.truth_table(world.campaigns, counts, parameters))
        files.write_text(MARKER, json.dumps({"seed": parameters.seed, "customers": parameters.customers}) + "\n")
        hidden.write_text(MARKER, json.dumps(dataclasses.asdict(parameters), default=str, indent=1) + "\n")
    return SimulationReport(
        target=target, truth=truth, parameters=parameters, rows=dict(files.rows), dirty_rows=hidden.rows["dirt"]
    )


def _check_places(target: Path, truth: Path) -> None:
    here, there = target.resolve(), truth.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise CrmAgentsError(
            f"The hidden truth ({truth}) would lie with the data ({target}).", "Name two separate folders."
        )


def _shared_tables(world: World) -> dict[str, pa.Table]:
    parameters = world.parameters
    return {
        "products": catalogue.products_table(world.catalogue, parameters),
        "sales_reps": team.reps_table(world.team, parameters),
        "quotas": team.quotas_table(world.team, parameters),
    }


def _write_chunk(chunk: Chunk, files: ParquetFolder, hidden: ParquetFolder) -> None:
    before = {name: files.append(name, table) for name, table in chunk.tables.items()}
    dirt = chunk.truth["dirt"]
    offsets = np.array([before[name] for name in chunk.tables], dtype=np.int64)
    table = pa.compute.index_in(dirt["table_name"], pa.array(list(chunk.tables))).to_numpy()
    rows = dirt["row"].to_numpy() + offsets[table]
    moved = dirt.set_column(dirt.schema.get_field_index("row"), "row", pa.array(rows))
    for name, rows_of_truth in (chunk.truth | {"dirt": moved}).items():
        hidden.append(name, rows_of_truth)
