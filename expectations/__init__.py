"""Rules at the gates between stages, judged by Great Expectations (docs/quality.md).

`arrival`, `marts` and `features` declare the rules, one line each. `measure` counts in one SQL pass what breaks them,
`context` has Great Expectations judge the counts, `data_docs` makes pages for people. Nothing here knows Airflow, the
agents or the models.
"""
