"""The local stack: PostgreSQL, Airflow and MLflow on one machine, held by supervisor."""
