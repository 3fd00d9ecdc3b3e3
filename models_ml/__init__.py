"""Models: one folder each, pure functions on frames; no Airflow, no warehouse, no CRM."""
