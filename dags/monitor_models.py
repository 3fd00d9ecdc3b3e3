"""
### Monitor the models

Joins what happened to the scores and decisions that are due, measures what has drifted, and raises alarms.

| | |
|---|---|
| **Reads** | `crm_ai.score_history`, `crm_ai.decisions`, `lake.raw.*`, `lake.marts.*`, `lake.features.*`, the champions |
| **Writes** | `crm_ai.model_performance`, `decision_performance`, `lift`, `drift`, `model_alarms` |
| **Starts** | `train_models`, when an alarm was raised |
| **Does not** | change a score, switch a model, or keep a score waiting: it runs at low priority |

1. `due`: is there a day that is over and has not been measured? If not, the rest is skipped (*force* measures in any case).
2. `join_outcomes`: realised AUC, Brier score, calibration and lift of every model version and month, and
   what agents bring against customers left alone.
3. `watch`: rows that arrive, inputs, scores and outcomes against what is usual for them.
4. `raise_alarms` publishes `model_alarms`; `tell` sends mail or webhook where company.yml names one.

**By hand:** `crm-agents run monitor_models [--as-of DATE]`. **What an alarm means and what to do:** docs/monitoring.md.
**When it fails** clear the failed task: nothing is written twice. A `tell` that fails holds up no retraining; its alarms are told
by the next run that works.
"""

from __future__ import annotations

from airflow.sdk import DAG, AssetOrTimeSchedule, Param, task

from crm_agents.orchestration import context
from crm_agents.orchestration.assets import ALARMS, SCORES
from crm_agents.orchestration.defaults import at_times, dag_settings

with DAG(
    "monitor_models",
    schedule=AssetOrTimeSchedule(timetable=at_times("30 6 * * *"), assets=[SCORES]),
    doc_md=__doc__,
    params={
        "as_of": context.AS_OF,
        "force": Param(False, type="boolean", title="Force", description="Measure a day that has been measured."),
    },
    **dag_settings(owner="machine-learning", tags=("models",)),
) as dag:

    @task.short_circuit(doc_md="Is there a day that is over and not measured yet?")
    def due(params: dict | None = None) -> str | None:
        """Return the day to measure."""
        from crm_agents.company import loaded_company
        from crm_agents.monitoring import alarms, monitor

        day = monitor.whole_day(context.current_run().as_of, loaded_company())
        print(f"The newest day that is over is {day}.")
        return day.isoformat() if params["force"] or not alarms.is_measured(day) else None

    @task(doc_md="What became of scores and decisions.")
    def join_outcomes(day: str) -> dict[str, int]:
        """Join outcomes that are due."""
        from dataclasses import asdict

        from crm_agents.company import loaded_company
        from crm_agents.monitoring import monitor

        context.stand_back()
        run = context.run_at(day)
        return asdict(monitor.join_outcomes(as_of=run.as_of, run_id=run.run_id, company=loaded_company()))

    @task(doc_md="What has drifted.")
    def watch(day: str) -> list[str]:
        """Measure drift; return the models that the alarms of this run concern."""
        from crm_agents.company import loaded_company
        from crm_agents.monitoring import monitor

        context.stand_back()
        run = context.run_at(day)
        raised = monitor.watch(as_of=run.as_of, run_id=run.run_id, company=loaded_company())
        for alarm in raised:
            print(alarm.message)
        return sorted({model for alarm in raised for model in alarm.models})

    @task(outlets=[ALARMS], doc_md="Publishes alarms, so that the models are trained anew.")
    def raise_alarms(day: str, models: list[str], outlet_events=None) -> list[str]:
        """Publish the models that the alarms concern."""
        from airflow.sdk.exceptions import AirflowSkipException

        if not models:
            raise AirflowSkipException("No alarm.")
        outlet_events[ALARMS].extra = {"as_of": day, "models": models}
        return models

    @task(doc_md="Log, mail, webhook.")
    def tell(models: list[str]) -> int:
        """Tell people of every alarm that they have not been told of."""
        from airflow.sdk import get_current_context

        from crm_agents.company import loaded_company
        from crm_agents.monitoring import alarms
        from crm_agents.monitoring.notify import AlarmNotifier

        untold = alarms.untold()
        AlarmNotifier(loaded_company(), untold).notify(get_current_context())
        alarms.mark_told(untold)
        return len(untold)

    day = due()
    watched = watch(day)
    join_outcomes(day)
    raise_alarms(day, watched)
    tell(watched)
