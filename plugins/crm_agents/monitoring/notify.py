"""Tells people of alarms: a line in the log, and a mail or a webhook where the company has configured one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from airflow.sdk.bases.hook import BaseHook
from airflow.sdk.bases.notifier import BaseNotifier

from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError
from crm_agents.monitoring.alarms import Alarm

TIMEOUT_SECONDS = 20


class AlarmNotifier(BaseNotifier):
    """Sends alarms by the ways that ``monitoring`` in company.yml names.

    Addresses and secrets stay in Airflow's connections, where they are kept encrypted. The messages name tables, columns,
    counts and models, never a customer.
    """

    def __init__(self, company: Company, alarms: Sequence[Alarm], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.company = company
        self.alarms = list(alarms)

    def notify(self, context: Any) -> None:
        """Tell of all alarms together.

        Raises
        ------
        CrmAgentsError
            When a configured way does not work: the task is tried again, and so is every way.
        """
        if not self.alarms:
            return
        for alarm in self.alarms:
            self.log.warning("ALARM (%s): %s", alarm.kind, alarm.message)
        settings = self.company.monitoring
        if settings.webhook_connection:
            self._post(settings.webhook_connection)
        if settings.mail_connection and settings.mail_to:
            self._mail(settings.mail_connection, settings.mail_to, context)

    @property
    def subject(self) -> str:
        """The first line of a mail, and the text of a webhook."""
        count = len(self.alarms)
        return (
            f"{self.company.title}: {count} model alarm{'s' if count > 1 else ''} as of {self.alarms[-1].opened_as_of}"
        )

    def _post(self, connection_id: str) -> None:
        import httpx

        connection = BaseHook.get_connection(connection_id)
        headers = {"Authorization": f"Bearer {connection.password}"} if connection.password else {}
        body = {
            "text": "\n".join([self.subject, *(alarm.message for alarm in self.alarms)]),
            "company": self.company.name,
            "alarms": [
                {
                    "kind": alarm.kind,
                    "subject": alarm.subject,
                    "name": alarm.name,
                    "as_of": alarm.opened_as_of.isoformat(),
                    "models": list(alarm.models),
                    "message": alarm.message,
                }
                for alarm in self.alarms
            ],
        }
        try:
            httpx.post(_address(connection), json=body, headers=headers, timeout=TIMEOUT_SECONDS).raise_for_status()
        except httpx.HTTPStatusError as error:
            raise _undelivered("webhook", connection_id, f"it answered {error.response.status_code}") from error
        except httpx.HTTPError as error:
            raise _undelivered("webhook", connection_id, type(error).__name__) from error

    def _mail(self, connection_id: str, to: list[str], context: Any) -> None:
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier

        lines = "".join(f"<li>{escape(alarm.message)}</li>" for alarm in self.alarms)
        try:
            SmtpNotifier(
                to=to,
                subject=self.subject,
                html_content=f"<p>{escape(self.subject)}</p><ul>{lines}</ul>",
                smtp_conn_id=connection_id,
            ).notify(context)
        except Exception as error:
            raise _undelivered("mail", connection_id, str(error).strip().splitlines()[0]) from error


def _address(connection: Any) -> str:
    """Return the URL of an HTTP connection; its host may be a whole URL."""
    host = connection.host or ""
    address = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    if connection.port and "://" not in host:
        address = f"{address}:{connection.port}"
    path = (connection.extra_dejson or {}).get("path", "")
    return f"{address}{path}"


def _undelivered(way: str, connection_id: str, reason: str) -> CrmAgentsError:
    return CrmAgentsError(
        f"The alarms could not be sent by {way} over Airflow's connection {connection_id!r}: {reason}.",
        "Look at the connection in Airflow (Admin, Connections), then clear the task; the alarms are in "
        "crm_ai.model_alarms.",
    )
