"""The DAG that trains: a failed model fails the run, and neither stops the others nor hides behind them."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from crm_agents.settings import PROJECT_ROOT


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        spec = importlib.util.spec_from_file_location("dag_train_models", PROJECT_ROOT / "dags" / "train_models.py")
        assert spec
        assert spec.loader
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
        return found


def test_it_starts_on_time_on_features_and_on_an_alarm(module: ModuleType) -> None:
    from crm_agents.orchestration.assets import ALARMS, CUSTOMER_FEATURES

    timetable = module.dag.timetable
    assert {asset.name for asset in timetable.asset_condition.objects} == {ALARMS.name, CUSTOMER_FEATURES.name}
    assert type(timetable.asset_condition).__name__ == "AssetAny"  # either is enough
    assert timetable.timetable.expression == "0 3 * * 1"


def test_each_model_is_a_task_of_its_own_and_the_champions_are_published_in_any_case(module: ModuleType) -> None:
    from airflow.sdk import TriggerRule

    dag = module.dag
    assert dag.get_task("train").is_mapped
    assert dag.get_task("publish").trigger_rule == TriggerRule.ALL_DONE
    leaves = {task.task_id for task in dag.tasks if not task.downstream_task_ids}
    assert leaves == {"publish", "revert", "summary"}
    # Airflow judges a run by its leaves; publish succeeds beside a failed model, summary does not.
    assert dag.get_task("summary").trigger_rule == TriggerRule.ALL_SUCCESS
    assert dag.get_task("summary").upstream_task_ids == {"train"}
    assert {"as_of", "force", "revert"} <= set(dag.params)


def test_publish_names_the_models_that_were_promoted_and_no_failed_one(module: ModuleType) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    from crm_agents.orchestration.assets import CHAMPIONS

    publish: Any = module.dag.get_task("publish").python_callable
    events: Any = defaultdict(SimpleNamespace)
    chosen = [{"model": name, "as_of": "2026-06-30"} for name in ("broken", "churn", "purchase_propensity")]
    # a failed task leaves no result
    results = [{"model": "churn", "is_news": False}, {"model": "purchase_propensity", "is_news": True}]
    assert publish(chosen, results, outlet_events=events) == ["purchase_propensity"]
    assert events[CHAMPIONS].extra == {"as_of": "2026-06-30", "models": ["purchase_propensity"]}
    with pytest.raises(AirflowSkipException):
        publish(chosen, results[:1], outlet_events=events)
    with pytest.raises(AirflowSkipException):
        publish(chosen, [], outlet_events=events)


def test_a_model_whose_features_failed_says_so_before_it_reads_anything(module: ModuleType) -> None:
    from crm_agents.errors import CrmAgentsError

    train: Any = module.dag.get_task("train").python_callable
    with pytest.raises(CrmAgentsError, match="could not be brought up to date"):
        train(
            {"model": "leads", "as_of": "2026-06-30", "problem": "features.ftr_leads could not be brought up to date"}
        )
