"""Response time, throughput and resource use of agents in Airflow: at rest, under load, and while things break.

    .venv/bin/python benchmarks/workflow.py [--repeat 5] [--report docs/workflow_performance.md]

Starts a stack of its own in a temporary folder (two minutes) and takes it down again.

* benchmark: an agent whose stages do nothing against a DAG of the same tasks without a frame: what the frame costs, by stage;
* load: ten agents at once, ten times the tasks;
* stress: the same ten while task processes are killed and PostgreSQL is restarted; then an agent that writes while the lake's
  disk is nearly full, and again when it is not (a small file system is mounted for this, as root only).

The times are Airflow's own records and `crm_ai.agent_runs`; the report is written by this command, never by hand.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from crm_agents import lake, postgres
from crm_agents.airflow_api import AirflowClient
from crm_agents.company import find_company
from crm_agents.errors import CrmAgentsError
from crm_agents.settings import PROJECT_ROOT, Settings, load_settings
from crm_agents.stack import control, supervisor

AGENTS = [f"idle_agent_{number}" for number in range(10)]
EMPTY = "empty_same_shape"
WRITER = "writing_agent"
# The tasks that take a worker; the scheduler passes the condition nodes by itself.
STAGES = ("perceive", "understand", "decide", "execute", "explain", "evaluate")
LAKE_MEGABYTES = 128
PATIENCE_SECONDS = 300


def main() -> None:
    """Measure, print and, when asked to, write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    with own_stack() as (settings, has_small_disk), AirflowClient(settings) as client:
        for dag in (*AGENTS, EMPTY, WRITER):
            client.unpause(dag)
        run_all(client, [AGENTS[0], EMPTY])  # the first run of a DAG is slower: it does not count
        parts = [
            *benchmark(client, arguments.repeat),
            *load(client),
            *stress(client, settings),
            *(
                nearly_full(client, settings)
                if has_small_disk
                else ["Disk nearly full: not measured, it takes root.", ""]
            ),
        ]
    cores = os.cpu_count()
    head = [
        "# Workflow performance",
        "",
        f"Written by `benchmarks/workflow.py` on {cores} cores, {time.strftime('%Y-%m-%d')}, "
        f"load of the machine before: {LOAD_BEFORE:.1f}. An agent run is six tasks that take a worker (five stages, "
        "reasons), and four condition nodes that the scheduler passes.",
        "",
    ]
    text = "\n".join([*head, *parts])
    print(text)
    if arguments.report:
        arguments.report.write_text(text, encoding="utf-8")


LOAD_BEFORE = os.getloadavg()[0]


def benchmark(client: AirflowClient, repeat: int) -> list[str]:
    """Compare an agent without work with an empty DAG of the same shape, in turn."""
    runs: dict[str, list[list[dict[str, Any]]]] = {AGENTS[0]: [], EMPTY: []}
    for _ in range(repeat):
        for dag in runs:
            (key,) = run_all(client, [dag])
            runs[dag].append(tasks_of(*key))
    agent, empty = (statistics.median(map(makespan, runs[dag])) for dag in (AGENTS[0], EMPTY))
    rows = []
    costs = stage_costs()
    for stage in STAGES:
        ours, bare = (seconds_of(runs[dag], stage, "seconds") for dag in (AGENTS[0], EMPTY))
        waited = seconds_of(runs[AGENTS[0]], stage, "waited")
        cost = costs.get(stage, {})
        rows.append(
            f"| {stage} | {waited:.2f} | {bare:.2f} | {ours:.2f} | {ours - bare:+.2f} ({(ours - bare) / ours:.0%}) | "
            f"{cost.get('seconds', 0):.3f} | {cost.get('cpu_seconds', 0):.3f} | {cost.get('peak_rss_mb', 0):.0f} |"
        )
    return [
        "## At rest: what the frame costs",
        f"Median of {repeat} runs: agent without work {agent:.2f} s, empty DAG of the same shape {empty:.2f} s. "
        f"**The frame costs {agent - empty:.2f} s a run** (goal: under 2 s).",
        "",
        "Seconds: waited = from the end of the task before to the start of this one (scheduler, queue, process); own = inside "
        "the stage, as `crm_ai.agent_runs` has it.",
        "",
        "| task | waited | empty task | agent's task | frame (share) | own | processor | memory MB |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]


def load(client: AirflowClient) -> list[str]:
    """Run ten agents at once."""
    started = time.monotonic()
    keys = run_all(client, AGENTS)
    seconds = time.monotonic() - started
    tasks = [task for key in keys for task in tasks_of(*key) if task["task"] in STAGES]
    queued = [task["queued"] for task in tasks]
    return [
        "## Under load: ten agents at once",
        f"{len(tasks)} tasks in {seconds:.0f} s: **{len(tasks) / seconds:.1f} tasks a second**. A task waited in the queue "
        f"{statistics.median(queued):.1f} s (median), {quantile(queued, 0.95):.1f} s (19 of 20), {max(queued):.1f} s at most. "
        f"All {len(keys)} runs succeeded.",
        "",
    ]


def stress(client: AirflowClient, settings: Settings) -> list[str]:
    """Run ten agents at once, kill two task processes and restart PostgreSQL meanwhile."""
    started = time.monotonic()
    keys = [(dag, client.trigger(dag, {"as_of": "2026-06-30"})) for dag in AGENTS]
    killed = kill_tasks(settings, 2)
    os.kill(supervisor.process_info(settings)["postgres"]["pid"], signal.SIGINT)
    down_at = time.monotonic()
    wait_for_postgres(settings)
    away = time.monotonic() - down_at
    states = follow(client, keys)
    seconds = time.monotonic() - started
    retried = sum(task["try_number"] > 1 for key in keys for task in tasks_of(*key))
    with postgres.connect() as crm:
        row = crm.execute(
            "select count(*), count(distinct run_id), count(*) filter (where status = 'done') from crm_ai.agent_runs "
            "where agent like 'idle_agent_%%' and started_at > clock_timestamp() - make_interval(secs => %s)",
            (seconds + 5,),
        ).fetchone()
    succeeded = sum(state == "success" for state in states)
    return [
        "## Under stress: task processes killed, PostgreSQL restarted",
        f"{killed} task processes killed, PostgreSQL away for {away:.1f} s. **{succeeded} of {len(keys)} runs succeeded** after "
        f"{seconds:.0f} s, with {retried} tasks tried again. crm_ai.agent_runs has {row[0]} rows of {row[1]} runs, "
        f"{row[2]} done: nothing was recorded twice.",
        "",
    ]


def nearly_full(client: AirflowClient, settings: Settings) -> list[str]:
    """Let an agent write while the lake's disk is nearly full, and again with room."""
    free = shutil.disk_usage(settings.lake_dir).free
    filler = settings.lake_dir / "filler"
    with filler.open("wb") as stream:
        stream.write(b"\0" * (free - 2 * 2**20))
    full = follow(client, [(WRITER, full_id := client.trigger(WRITER, {"as_of": "2026-06-30"}))])[0]
    task = next((t for t in client.task_instances(WRITER, full_id) if t["state"] == "failed"), None)
    reason = client.failure_reason(WRITER, full_id, task) if task else "none"
    reason = reason.replace(str(settings.home), "$CRM_AGENTS_HOME")
    filler.unlink()
    room = follow(client, [(WRITER, client.trigger(WRITER, {"as_of": "2026-06-30"}))])[0]
    with lake.connect() as connection:
        rows = connection.execute(
            "select count(*), count(distinct run_id) from predictions.workflow_benchmark"
        ).fetchone()
    return [
        "## Under stress: disk nearly full",
        f"With 2 MB left, an agent that writes 20 MB into the lake ended as **{full}** ({reason[:160]}). With room again the "
        f"next run ended as **{room}**; the lake has {rows[0]:,} rows of {rows[1]} run: nothing half-written.",
        "",
    ]


# --- runs ---


def run_all(client: AirflowClient, dags: list[str]) -> list[tuple[str, str]]:
    """Run DAGs at the same time, see that all succeed, and return their keys."""
    keys = [(dag, client.trigger(dag, {"as_of": "2026-06-30"} if dag != EMPTY else {})) for dag in dags]
    states = follow(client, keys)
    if set(states) != {"success"}:
        raise SystemExit(f"{dict(zip(keys, states, strict=True))}")
    return keys


def follow(client: AirflowClient, keys: list[tuple[str, str]]) -> list[str]:
    """Wait until runs have ended and return their states."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        states = [client.dag_run(*key).state for key in keys]
        if all(state in ("success", "failed") for state in states):
            return states
        if time.monotonic() > deadline:
            return states
        time.sleep(1)


def tasks_of(dag: str, run_id: str) -> list[dict[str, Any]]:
    """Return start, end, waiting and tries of the tasks of a run that did something, in order, as Airflow recorded them."""
    with postgres.connect("airflow") as airflow:
        rows = airflow.execute(
            "select task_id, queued_dttm, start_date, end_date, try_number from task_instance "
            "where dag_id = %s and run_id = %s and start_date is not null and state = 'success' "
            "and operator <> 'Approval' order by start_date",
            (dag, run_id),
        ).fetchall()
        begun = airflow.execute(
            "select coalesce(start_date, queued_at) from dag_run where dag_id = %s and run_id = %s", (dag, run_id)
        ).fetchone()
    found, before = [], begun[0]
    for task_id, queued, start, end, tries in rows:
        found.append(
            {
                "task": task_id,
                "start": start,
                "end": end,
                "begun": begun[0],
                "seconds": (end - start).total_seconds(),
                "waited": max((start - before).total_seconds(), 0.0),
                "queued": max((start - queued).total_seconds(), 0.0) if queued else 0.0,
                "try_number": tries,
            }
        )
        before = end
    return found


def makespan(tasks: list[dict[str, Any]]) -> float:
    """Return the seconds from the begin of a run to the end of its last task."""
    return (max(task["end"] for task in tasks) - tasks[0]["begun"]).total_seconds()


def seconds_of(runs: list[list[dict[str, Any]]], stage: str, what: str) -> float:
    """Return the median of a figure of a task over runs."""
    return statistics.median(task[what] for run in runs for task in run if task["task"] == stage)


def stage_costs() -> dict[str, dict[str, float]]:
    """Return what the newest run of the agent recorded about its stages."""
    with postgres.connect() as crm:
        row = crm.execute(
            "select stage_costs from crm_ai.agent_runs where agent = %s order by started_at desc limit 1", (AGENTS[0],)
        ).fetchone()
    return row[0] if row else {}


def quantile(values: list[float], share: float) -> float:
    """Return a quantile of a few values."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


# --- breaking things ---


def kill_tasks(settings: Settings, count: int) -> int:
    """Kill processes that are running a task; return how many were found within the time that the runs take."""
    scheduler = psutil.Process(supervisor.process_info(settings)["airflow-scheduler"]["pid"])
    known = {process.pid for process in scheduler.children(recursive=True)}
    killed, deadline = 0, time.monotonic() + 60
    while killed < count and time.monotonic() < deadline:
        for process in scheduler.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                # A worker lives as long as the scheduler; what it has forked since is a task.
                if process.pid not in known and not process.children() and process.ppid() != scheduler.pid:
                    process.kill()
                    known.add(process.pid)
                    killed += 1
                    time.sleep(1)
                    break
        time.sleep(0.05)
    return killed


def wait_for_postgres(settings: Settings) -> None:
    """Wait until PostgreSQL has gone and answers again."""
    time.sleep(1)
    for _ in range(600):
        with contextlib.suppress(CrmAgentsError):
            postgres.connect("postgres", settings=settings).close()
            return
        time.sleep(0.1)


@contextlib.contextmanager
def own_stack() -> Iterator[tuple[Settings, bool]]:
    """Start a stack in a temporary folder with the benchmark's DAGs; its lake lies on a small disk where that is possible."""
    home = Path(tempfile.mkdtemp(prefix="crm-agents-workflow-"))
    os.environ["CRM_AGENTS_HOME"] = str(home)
    os.environ |= {
        "CRM_AGENTS_POSTGRES_PORT": "5842",
        "CRM_AGENTS_AIRFLOW_PORT": "8480",
        "CRM_AGENTS_MLFLOW_PORT": "5480",
    }
    settings = load_settings()
    bundles = [
        {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(path), "refresh_interval": 5},
        }
        for name, path in (("dags-folder", PROJECT_ROOT / "dags"), ("workflow", Path(__file__).parent / "dags"))
    ]
    settings.airflow_dir.mkdir(parents=True)
    overrides = f"[dag_processor]\ndag_bundle_config_list = {json.dumps(bundles)}\n"
    (settings.airflow_dir / "overrides.cfg").write_text(overrides, encoding="utf-8")
    settings.company_dir.mkdir()
    shutil.copy(find_company("simulated") / "company.yml", settings.company_dir)
    settings.lake_dir.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={LAKE_MEGABYTES}m", "tmpfs", str(settings.lake_dir)]
    has_small_disk = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        control.up(settings)
        yield settings, has_small_disk
    finally:
        control.down(settings)
        if has_small_disk:
            subprocess.run(["umount", str(settings.lake_dir)], check=False)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
