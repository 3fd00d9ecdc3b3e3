"""The agents: what each one perceives, understands, decides, executes and evaluates; no Airflow inside."""
