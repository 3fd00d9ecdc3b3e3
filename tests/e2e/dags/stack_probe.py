"""DAGs that look at the stack from inside of a task (`tests/e2e/test_stack.py` runs them)."""

from __future__ import annotations

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False)
def probe_warm_worker():
    """What a task finds imported, and whether the libraries compute after the fork."""

    @task
    def look() -> dict:
        """Return what was imported before this task began, and results of every numeric library."""
        import sys

        found = {name: name in sys.modules for name in ("great_expectations", "dbt.cli.main", "xgboost", "mlflow")}
        own = sorted(name for name in sys.modules if name.startswith("crm_agents."))

        import duckdb
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc
        import xgboost
        from sklearn.linear_model import LogisticRegression

        random = np.random.default_rng(0)
        features = random.normal(size=(5_000, 10))
        labels = (features[:, 0] > 0).astype(int)
        boosted = xgboost.XGBClassifier(n_estimators=20, max_depth=2, n_jobs=2).fit(features, labels)
        linear = LogisticRegression().fit(features, labels)
        with duckdb.connect(config={"threads": 2}) as connection:
            total = connection.sql("select sum(range) from range(1000000)").fetchone()[0]
        return {
            "imported": found,
            "own_modules": own,
            "boosted": float(boosted.score(features, labels)),
            "linear": float(linear.score(features, labels)),
            "product": float((features.T @ features).trace() / features.size),
            "duckdb": int(total),
            "arrow": int(pc.sum(pa.array(np.arange(1_000_000))).as_py()),
        }

    look()


@dag(schedule=None, catchup=False)
def probe_failure():
    """Three ways to fail: with a sentence of ours, with another error, and by being killed."""

    @task
    def sentence() -> None:
        """Fail as our own code does."""
        from crm_agents.errors import CrmAgentsError

        raise CrmAgentsError("Table crm.orders is empty.", "Load a company.")

    @task
    def error() -> None:
        """Fail with an exception that another one caused."""
        try:
            {}["missing"]
        except KeyError as cause:
            raise ValueError("wrong value") from cause

    @task
    def killed() -> None:
        """Die without a word."""
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)

    sentence()
    error()
    killed()


probe_warm_worker()
probe_failure()
