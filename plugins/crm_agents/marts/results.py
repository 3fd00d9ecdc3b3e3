"""What a dbt run did, node by node, in terms that a person and an Airflow task can use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crm_agents.errors import CrmAgentsError

LAYERS = ("staging", "intermediate", "marts", "features")
FAILED = ("error", "fail", "runtime error", "partial success")


@dataclass(frozen=True)
class NodeResult:
    """One model, snapshot, test or unit test of a dbt run.

    `status` is success, error or skipped for models; pass, warn, fail, error or skipped for tests. `rows` is the number of
    rows that broke a test, None where dbt does not say. `table` is the lake table concerned, such as ``marts.fct_orders``.
    """

    name: str
    kind: str
    layer: str
    table: str
    status: str
    seconds: float
    rows: int | None = None
    message: str | None = None
    severity: str = "critical"

    @property
    def failed(self) -> bool:
        """Whether the node itself went wrong (a skipped one has only waited for another that did)."""
        return self.status in FAILED


@dataclass(frozen=True)
class BuildResult:
    """A dbt run."""

    run_id: str
    nodes: tuple[NodeResult, ...]
    seconds: float
    batch_id: int

    @property
    def failed(self) -> tuple[NodeResult, ...]:
        """The nodes that went wrong."""
        return tuple(node for node in self.nodes if node.failed)

    def by_layer(self) -> dict[str, dict[str, Any]]:
        """Return for each layer the number of models built, the seconds, and a sentence for each failure."""
        return {
            layer: {
                "models": sum(node.status == "success" for node in nodes),
                "seconds": round(sum(node.seconds for node in nodes), 3),
                "failed": [describe_failure(node) for node in nodes if node.failed],
            }
            for layer in LAYERS
            for nodes in ([node for node in self.nodes if node.layer == layer],)
        }

    def summary(self) -> dict[str, int]:
        """Return how many nodes ended with each status."""
        return dict(Counter(node.status for node in self.nodes))


class BuildError(CrmAgentsError):
    """A model or a test failed; `result` says what else was done."""

    def __init__(self, what: str, way_out: str | None, result: BuildResult) -> None:
        super().__init__(what, way_out)
        self.result = result


def describe_failure(node: NodeResult) -> str:
    """Say in a sentence which node of which layer failed, and why."""
    kind = {"model": "Model", "snapshot": "Snapshot", "unit_test": "Unit test"}.get(node.kind, "Test")
    return f"{kind} {node.name} (layer {node.layer}) failed: {node.message or node.status}"


def raise_if_failed(layers: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise what `BuildResult.by_layer` tells, in a task that has only that.

    Raises
    ------
    CrmAgentsError
        Naming every model that failed.
    """
    failures = [failure for layer in layers.values() for failure in layer["failed"]]
    if failures:
        raise CrmAgentsError("; ".join(failures), WAY_OUT)


WAY_OUT = "The models stand in dbt_project/models; mend the model or the data it reads, and build again."
