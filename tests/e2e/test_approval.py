"""A run that would move too much waits for a person, through Airflow's own form; and a run is taken back by a DAG."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import ClassVar
from urllib.parse import quote

import pytest

from crm_agents import postgres
from crm_agents.agents.frame import run_id_of
from crm_agents.airflow_api import AirflowClient
from crm_agents.run import Chain
from crm_agents.settings import Settings
from crm_agents.stack.airflow_server import AirflowServer
from crm_agents.stack.report import log_file

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

AGENT = "customer_behaviour_agent"
PATIENCE_SECONDS = 300
SCORES = "select entity_id, model, value, grade, as_of, run_id from crm_ai.scores order by 1, 2"
REASONS = (
    "select entity_id, model, rank, feature, contribution, statement, run_id from crm_ai.score_reasons order by 1, 2, 3"
)


def ask(query: str) -> list[tuple]:
    with postgres.connect() as crm:
        return crm.execute(query).fetchall()


def wait_for(condition: Callable[[], bool], seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, str(seen())
        time.sleep(0.5)


class Airflow:
    """A run of a DAG as a person sees it in the browser, through the API that the browser uses."""

    started: ClassVar[list[Airflow]] = []

    def __init__(self, stack: Settings, dag_id: str, conf: dict[str, str] | None = None) -> None:
        self.stack, self.dag_id = stack, dag_id
        self.client, self.server = AirflowClient(stack), AirflowServer(stack)
        self.run_id = self.client.trigger(dag_id, conf)
        self.started.append(self)
        path = f"/dags/{dag_id}/dagRuns/{quote(self.run_id)}"
        self.form = f"{path}/taskInstances/approval/-1/hitlDetails"

    @property
    def id(self) -> str:
        """The run's id in crm_ai."""
        return run_id_of(self.dag_id, self.run_id)

    def tasks(self) -> dict[str, str]:
        return {task["task_id"]: task["state"] for task in self.client.task_instances(self.dag_id, self.run_id)}

    def wait_for_the_form(self) -> str:
        wait_for(lambda: self.tasks().get("approval") in ("awaiting_input", "skipped"), self.tasks)
        wait_for(self._scheduler_let_go_of_the_form, self.tasks)
        return str(self.server.json("GET", self.form)["body"])

    def _scheduler_let_go_of_the_form(self) -> bool:
        """Whether the scheduler knows that the worker which put up the form has ended.

        Airflow 3.3 takes an answer given in the second before that for a lost task, and asks again: no person is that fast.
        """
        marks = ("TaskInstance Finished: ", "task_id=approval,", f"run_id={self.run_id},")
        lines = log_file(self.stack, "airflow-scheduler").read_text(encoding="utf-8").splitlines()
        return any(all(mark in line for mark in marks) for line in lines)

    def answer(self, option: str) -> int:
        return self.server.answer("PATCH", self.form, json={"chosen_options": [option], "params_input": {}}).status_code

    def wait_for_the_end(self) -> str:
        wait_for(lambda: self.client.dag_run(self.dag_id, self.run_id).state in ("success", "failed"), self.tasks)
        return self.client.dag_run(self.dag_id, self.run_id).state

    def end(self) -> None:
        """End the run if a failed test left it waiting: every later run of the agent would wait behind it."""
        if self.client.dag_run(self.dag_id, self.run_id).state not in ("success", "failed"):
            path = f"/dags/{self.dag_id}/dagRuns/{quote(self.run_id)}"
            self.server.answer("PATCH", path, json={"state": "failed"})

    def record(self) -> tuple:
        """Status, its reason and the writes, as crm_ai.agent_runs has them."""
        return ask(f"select status, status_reason, writes from crm_ai.agent_runs where run_id = '{self.id}'")[0]

    def why_failed(self) -> str:
        (task,) = self.client.task_instances(self.dag_id, self.run_id)
        return self.client.failure_reason(self.dag_id, self.run_id, task)


@pytest.fixture
def upside_down(stack: Settings, first_chain: Chain) -> Iterator[list[tuple]]:
    """Scores that somebody has turned upside down, so that the next run would move most of them; put right afterwards."""
    company = stack.company_dir / "company.yml"
    text = company.read_text(encoding="utf-8")
    company.write_text(
        f"{text}\nbehaviour: {{reasons_limit: 90000}}\n", encoding="utf-8"
    )  # new settings: judge everybody
    with postgres.connect() as crm:
        crm.execute("create table crm_ai.saved_scores as select * from crm_ai.scores")
        crm.execute("update crm_ai.scores set value = 1 - value")
    yield ask("select entity_id, model, value, grade, as_of, run_id from crm_ai.saved_scores order by 1, 2")
    while Airflow.started:
        Airflow.started.pop().end()
    with postgres.connect() as crm:
        crm.execute("delete from crm_ai.scores")
        crm.execute("insert into crm_ai.scores select * from crm_ai.saved_scores")
        crm.execute("drop table crm_ai.saved_scores")
    company.write_text(text, encoding="utf-8")


def test_the_first_run_asked_nobody(first_chain: Chain) -> None:
    (run,) = [run for run in first_chain.runs if run.dag_id == AGENT][:1]
    assert {task["task_id"]: task["state"] for task in run.tasks}["approval"] == "skipped"


def test_a_rejected_run_leaves_the_crm_untouched(stack: Settings, upside_down: list[tuple]) -> None:
    before, ledger = ask(SCORES), ask("select count(*) from crm_ai.write_ledger")
    run = Airflow(stack, AGENT)
    body = run.wait_for_the_form()
    assert "| that would move by more than 0.2 |" in body
    assert f"Run **{run.id}**" in body
    assert run.answer("Perhaps") == 400
    assert run.answer("Reject") == 200
    assert run.answer("Approve") == 409  # answered before: nothing happens
    assert run.wait_for_the_end() == "success"
    assert run.record() == ("rejected", "Rejected by admin.", 0)
    tasks = run.tasks()
    assert (tasks["rejected"], tasks["execute"], tasks["explain"], tasks["evaluate"]) == ("success", *["skipped"] * 3)
    assert (ask(SCORES), ask("select count(*) from crm_ai.write_ledger")) == (before, ledger)


def test_no_answer_in_time_means_no(stack: Settings, upside_down: list[tuple]) -> None:
    before = ask(SCORES)
    run = Airflow(stack, AGENT)
    run.wait_for_the_form()
    with postgres.connect("airflow", settings=stack) as airflow:  # a day goes by
        airflow.execute(
            "update task_instance set trigger_timeout = trigger_timeout - interval '1 day' where run_id = %s "
            "and task_id = 'approval'",
            (run.run_id,),
        )
    assert run.wait_for_the_end() == "success"
    assert run.record() == ("rejected", "Rejected: nobody answered within 24 hours.", 0)
    assert ask(SCORES) == before


def test_an_approved_run_writes_and_undo_run_takes_it_back(stack: Settings, upside_down: list[tuple]) -> None:
    before, reasons = ask(SCORES), ask(REASONS)
    run = Airflow(stack, AGENT)
    run.wait_for_the_form()
    assert run.answer("Approve") == 200
    assert run.answer("Reject") == 409
    assert run.wait_for_the_end() == "success"
    assert run.record()[0] == "done"
    told = ask(SCORES)
    assert [row[0] for row in told] == [row[0] for row in upside_down]
    assert [row[2] or 0 for row in told] == pytest.approx([row[2] or 0 for row in upside_down], abs=1e-6)
    assert run.id in {row[-1] for row in ask(REASONS)}

    undo = Airflow(stack, "undo_run", {"run_id": run.id})
    assert undo.wait_for_the_end() == "success"
    assert ask(SCORES) == before
    assert ask(REASONS) == reasons
    assert run.record()[0] == "undone"
    assert undo.record()[1].startswith(f"took back {run.id}: ")

    again = Airflow(stack, "undo_run", {"run_id": run.id})
    assert again.wait_for_the_end() == "failed"
    assert "was undone before. Run the agent again" in again.why_failed()
    of_the_undo = Airflow(stack, "undo_run", {"run_id": undo.id})
    assert of_the_undo.wait_for_the_end() == "failed"
    assert "an undo cannot be undone. Run the agent again" in of_the_undo.why_failed()
