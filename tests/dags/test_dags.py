"""Every DAG file: imports, says what it does, keeps to the vocabulary, and is small."""

from __future__ import annotations

import importlib.util
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

DAG_FILES = sorted((Path(__file__).resolve().parents[2] / "dags").glob("*.py"))


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModuleType]:
    patch = pytest.MonkeyPatch()
    patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
    patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    found = {}
    for path in DAG_FILES:
        spec = importlib.util.spec_from_file_location(f"dag_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found[path.stem] = module
    patch.undo()
    return found


def test_there_are_dags() -> None:
    assert {path.stem for path in DAG_FILES} >= {
        "ingest_crm",
        "build_marts",
        "train_models",
        "customer_behaviour_agent",
    }


@pytest.mark.parametrize("name", [path.stem for path in DAG_FILES])
def test_dag_is_documented_and_within_the_vocabulary(name: str, modules: dict[str, ModuleType]) -> None:
    from crm_agents.orchestration.defaults import OWNERS, TAGS

    dag = modules[name].dag
    assert dag.dag_id == name
    for part in ("**Reads**", "**Writes**", "**Does not**", "**By hand:**", "fails**"):
        assert part in dag.doc_md, part
    assert set(dag.tags) <= set(TAGS)
    assert dag.tags
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    for task in dag.tasks:
        assert task.owner in OWNERS, task.task_id
        assert task.doc_md, f"{task.task_id} has no doc_md"


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.stem)
def test_dag_file_is_wiring_only(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 130
    heavy = ("import pandas", "import duckdb", "from models_ml", "from expectations")
    assert not [line for line in lines if line.startswith(heavy)]


def test_agent_has_five_stages_and_condition_nodes(modules: dict[str, ModuleType]) -> None:
    dag = modules["customer_behaviour_agent"].dag
    stages = ["perceive", "understand", "decide", "execute", "evaluate"]
    conditions = ["enough_data", "champion_good_enough", "approval_needed", "changed_anything"]
    assert set(stages + conditions) <= set(dag.task_ids)
    for earlier, later in pairwise(stages):
        assert later in {task.task_id for task in dag.get_task(earlier).get_flat_relatives(upstream=False)}
    assert dag.get_task("perceive").downstream_task_ids == {
        "enough_data",
        "champion_good_enough",
        "not_scored",
        "waiting_for_model",
    }
    assert dag.get_task("understand").upstream_task_ids == {"enough_data", "champion_good_enough"}
    assert dag.get_task("decide").downstream_task_ids == {"approval_needed", "execute"}
    assert dag.get_task("execute").downstream_task_ids == {"changed_anything", "evaluate"}
    assert {dag.get_task(name).task_type for name in conditions} == {"EmptyOperator"}
