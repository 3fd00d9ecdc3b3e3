"""What a build tells an Airflow task, and how dbt's messages become a sentence."""

from __future__ import annotations

import pytest

from crm_agents.errors import CrmAgentsError
from crm_agents.marts import BuildResult, NodeResult, raise_if_failed
from crm_agents.marts.running import first_sentence


def node(name: str, layer: str, status: str, message: str | None = None) -> NodeResult:
    return NodeResult(name, "model", layer, f"{layer}.{name}", status, 0.25, message=message)


RESULT = BuildResult(
    "run-1",
    (
        node("stg_orders", "staging", "success"),
        node("fct_orders", "marts", "error", "Binder Error: no such column."),
        node("fct_tickets", "marts", "success"),
        node("ftr_customers", "features", "skipped"),
    ),
    1.0,
    7,
)


def test_each_layer_tells_its_models_and_failures() -> None:
    layers = RESULT.by_layer()
    assert layers["staging"] == {"models": 1, "seconds": 0.25, "failed": []}
    assert layers["intermediate"] == {"models": 0, "seconds": 0, "failed": []}
    assert layers["marts"] == {
        "models": 1,
        "seconds": 0.5,
        "failed": ["Model fct_orders (layer marts) failed: Binder Error: no such column."],
    }
    assert RESULT.summary() == {"success": 2, "error": 1, "skipped": 1}
    with pytest.raises(CrmAgentsError, match=r"^Model fct_orders \(layer marts\) failed: .* build again\.$"):
        raise_if_failed(layers)
    raise_if_failed({"marts": {"failed": []}})


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            'Runtime Error in model fct_x (marts/fct_x.sql)\n  Binder Error: Column "a" not found\n  \n  LINE 4: a,\n  ^',
            'Binder Error: Column "a" not found.',
        ),
        ("Got 3 results, configured to fail if != 0", "Got 3 results, configured to fail if != 0."),
        (
            "Compilation Error in model y (y.sql)\n  This contract failed.\n  | a | b |\n  \n  > in macro z (z.sql)",
            "This contract failed. | a | b |.",
        ),
    ],
)
def test_a_message_loses_its_header_and_its_sql(message: str, sentence: str) -> None:
    assert first_sentence(message) == sentence
