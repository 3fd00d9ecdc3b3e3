"""Move the simulated company forward beside its CRM, a day at a time, from the last finished day on."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from crm_agents import postgres
from crm_agents.company import Company, is_company_loaded, loaded_company
from crm_agents.errors import CrmAgentsError
from crm_agents.settings import Settings, load_settings
from crm_agents.simulation import crm_writer
from crm_agents.simulation.pipeline import PipelineDay, run_day
from crm_agents.simulation.state import (
    DayRecord,
    SimulationState,
    newest_load,
    read_state,
    simulated_parameters,
    state_file,
)
from crm_agents.simulation.worlds import Worlds
from crm_agents.simulator import Parameters
from crm_agents.simulator.contacts import ACTION_OF_CHOICE
from crm_agents.simulator.forward import Day, LivingCompany

Pipeline = Callable[[date, Company, Callable[[str], None]], PipelineDay]


@dataclass(frozen=True)
class Progress:
    """A finished day, for people: `number` of `wanted`; `day` is None for the evening before the first."""

    on: date
    number: int
    wanted: int
    day: Day | None
    rows: int
    pipeline: PipelineDay
    seconds: float


@dataclass(frozen=True)
class Simulated:
    """Where a simulation stands."""

    worlds: Worlds
    state: SimulationState
    start_on: date

    @property
    def days(self) -> int:
        """Return how many days have been simulated in all."""
        return len(self.state.days)


def simulate(
    days: int,
    *,
    customers: int | None = None,
    seed: int | None = None,
    pipeline: Pipeline = run_day,
    on_day: Callable[[Progress], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
) -> Simulated:
    """Simulate `days` more days; what an earlier call finished stays.

    Parameters
    ----------
    customers, seed : int, optional
        Of the simulated company; it is loaded when none is there yet.
    pipeline : callable
        What the company runs every evening, for (as_of, company, tell).
    on_day : callable
        Told of each finished day.
    tell : callable
        Told what is being done.

    Raises
    ------
    CrmAgentsError
        When the loaded company is not simulated, is another one, or was loaded anew since the simulation began.
    """
    settings = load_settings()
    with _one_at_a_time(settings):
        parameters = _find_company(settings, customers, seed, tell)
        company, path = loaded_company(settings), state_file(settings)
        tell("living through the history")
        worlds = Worlds(parameters)
        state = read_state(settings)
        if state is None:
            state = SimulationState(parameters.customers, parameters.seed, newest_load())
            _first_evening(parameters.end_on, days, company, pipeline, on_day, tell)
            state.save(path)
        _replay(worlds, state, tell)
        for number in range(1, days + 1):
            on = parameters.end_on + timedelta(days=len(state.days) + 1)
            record, progress = _live(worlds, on, company, pipeline, tell, number, days)
            state.days.append(record)
            state.save(path)
            on_day(progress)
    return Simulated(worlds, state, parameters.end_on + timedelta(days=1))


def wishes_of(company: LivingCompany, evening: date) -> dict[int, np.ndarray]:
    """Return whom the agents decided on that day to contact, by action; who is named twice is contacted once."""
    with postgres.connect() as crm:
        rows = crm.execute(
            "select chosen, array_agg(entity_id order by entity_id) from crm_ai.decisions where as_of = %s "
            "and entity_type = 'customer' and chosen = any(%s) and outcome is distinct from 'undone' "
            "and blocked_by is null group by 1 order by 1",
            (evening, list(ACTION_OF_CHOICE)),
        ).fetchall()
    wishes: dict[int, np.ndarray] = {}
    taken = np.zeros(0, dtype=np.int64)
    for chosen, customer_ids in rows:
        places = company.places_of(customer_ids)
        places = np.setdiff1d(places[places >= 0], taken)
        taken = np.union1d(taken, places)
        action = ACTION_OF_CHOICE[chosen]
        wishes[action] = np.union1d(wishes.get(action, taken[:0]), places)
    return wishes


def _live(
    worlds: Worlds, on: date, company: Company, pipeline: Pipeline, tell: Callable[[str], None], number: int, wanted: int
) -> tuple[DayRecord, Progress]:  # fmt: skip
    started = time.monotonic()
    wishes = wishes_of(worlds.agents, on - timedelta(days=1))
    tell("living")
    day = worlds.step(wishes)
    assert day.changes is not None
    rows = crm_writer.write(day.changes)
    done = pipeline(on, company, tell)
    seconds = time.monotonic() - started
    by_action = {str(action): customers.tolist() for action, customers in wishes.items()}
    trained = [f"{result.model}: {result.status}" for result in done.trained]
    record = DayRecord(on.isoformat(), by_action, round(seconds, 2), trained)
    return record, Progress(on, number, wanted, day, rows, done, seconds)


def _first_evening(
    on: date, wanted: int, company: Company, pipeline: Pipeline, on_day: Callable[[Progress], None],
    tell: Callable[[str], None],
) -> None:  # fmt: skip
    """Let the agents decide on the last day of the history, so that the first simulated day has something to answer."""
    started = time.monotonic()
    done = pipeline(on, company, tell)
    on_day(Progress(on, 0, wanted, None, 0, done, time.monotonic() - started))


def _replay(worlds: Worlds, state: SimulationState, tell: Callable[[str], None]) -> None:
    """Bring every world back to its last finished day: what happened follows from the contacts alone."""
    for record in state.days:
        tell(f"bringing the worlds back to {record.on}")
        worlds.step({int(action): np.array(places, dtype=np.int64) for action, places in record.wishes.items()})


def _find_company(
    settings: Settings, customers: int | None, seed: int | None, tell: Callable[[str], None]
) -> Parameters:
    """Return the parameters of the company to simulate, loading it when the CRM holds none; check that it is the one."""
    if not is_company_loaded(settings):
        from crm_agents.loading import load

        load("simulated", customers=customers, seed=seed, progress=tell)
    parameters = simulated_parameters(settings)
    asked = {"customers": customers, "seed": seed}
    other = [f"{name} {value}" for name, value in asked.items() if value not in (None, getattr(parameters, name))]
    if other:
        raise CrmAgentsError(
            f"The CRM holds a simulated company of {parameters.customers:,} customers, seed {parameters.seed}, not "
            f"{' and '.join(other)}.",
            "Leave the options out, or use a home folder of its own (CRM_AGENTS_HOME).",
        )
    state = read_state(settings)
    if state and state.load_run_id != newest_load():
        raise CrmAgentsError(
            f"The company was loaded anew after {len(state.days)} days had been simulated; agents have decided for days "
            "that are now to come.",
            "Simulate in a home folder of its own (CRM_AGENTS_HOME).",
        )
    return parameters


@contextmanager
def _one_at_a_time(settings: Settings) -> Iterator[None]:
    folder = state_file(settings).parent
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CrmAgentsError(
                "Another simulation is under way in this home folder.", "Wait for it, or use another CRM_AGENTS_HOME."
            ) from error
        yield
