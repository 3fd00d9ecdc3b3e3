"""The node at which a run waits for a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator

APPROVE, REJECT = "Approve", "Reject"
TIMEOUT = timedelta(hours=24)


class Approval(HITLBranchOperator):
    """Wait until a person approves or rejects, without holding a worker; no answer in time means no.

    Airflow's own ``ApprovalOperator`` skips what follows a rejection; here the run goes on to the task that records it.

    Parameters
    ----------
    approved, rejected : str
        The tasks that follow the answers.
    """

    def __init__(self, *, approved: str, rejected: str, **arguments: Any) -> None:
        super().__init__(
            options=[APPROVE, REJECT],
            options_mapping={APPROVE: approved, REJECT: rejected},
            defaults=REJECT,
            response_timeout=TIMEOUT,
            **arguments,
        )

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Keep the answer as a sentence (XCom ``answer``), then take its branch."""
        context["ti"].xcom_push("answer", answer_in_words(event))
        return super().execute_complete(context=context, event=event)


def answer_in_words(event: dict[str, Any]) -> str:
    """Return who answered what, for ``crm_ai.agent_runs``."""
    if "error" in event:
        return f"No valid answer: {event['error']}"
    user = event.get("responded_by_user")
    if event.get("timedout") or not user:
        return f"Rejected: nobody answered within {TIMEOUT.total_seconds() / 3600:.0f} hours."
    verb = "Approved" if event["chosen_options"] == [APPROVE] else "Rejected"
    return f"{verb} by {user['name']}."
