"""Alarms reach people: over a real HTTP server and a real SMTP server on this machine."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError
from crm_agents.monitoring.alarms import Alarm

ALARM = Alarm("volume", "orders", "", date(2026, 6, 3), ("purchase_propensity",), "orders: -60% rows <today>.")


def notify(alarms: list[Alarm], **monitoring: object) -> None:
    from crm_agents.monitoring.notify import AlarmNotifier

    company = Company(name="shop", title="A shop", monitoring=monitoring)
    AlarmNotifier(company, alarms).notify({})


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Stay quiet."""


class Mailbox(socketserver.StreamRequestHandler):
    """Enough of SMTP (RFC 5321) to take a mail."""

    def handle(self) -> None:
        def say(line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

        say("220 here")
        while command := self.rfile.readline().decode().strip():
            verb = command[:4].upper()
            if verb == "DATA":
                say("354 go on")
                lines = []
                while (line := self.rfile.readline().rstrip(b"\r\n")) != b".":
                    lines.append(line.decode())
                self.server.received.append("\n".join(lines))
                say("250 taken")
            elif verb == "RCPT":
                self.server.recipients.append(command)
                say("250 fine")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("250 fine")


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[socketserver.BaseServer]:
    server.received, server.recipients, server.answer = [], [], 200
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Receiver)) as server:
        connection = {
            "conn_type": "http",
            "host": f"http://127.0.0.1:{server.server_port}/hook",
            "password": "s3cret-token",
        }
        monkeypatch.setenv("AIRFLOW_CONN_ALARMS_WEB", json.dumps(connection))
        yield server


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[socketserver.ThreadingTCPServer]:
    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox)) as server:
        connection = {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": server.server_address[1],
            "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "alarms@example.com", "retry_limit": 1},
        }
        monkeypatch.setenv("AIRFLOW_CONN_ALARMS_MAIL", json.dumps(connection))
        yield server


def test_a_webhook_gets_one_message_with_every_alarm(webhook: ThreadingHTTPServer, caplog) -> None:
    notify([ALARM, ALARM], webhook_connection="alarms_web")
    ((path, headers, body),) = webhook.received
    assert path == "/hook"
    assert headers["Authorization"] == "Bearer s3cret-token"
    assert body["text"].startswith("A shop: 2 model alarms as of 2026-06-03")
    assert body["alarms"][0] == {
        "kind": "volume",
        "subject": "orders",
        "name": "",
        "as_of": "2026-06-03",
        "models": ["purchase_propensity"],
        "message": ALARM.message,
    }
    assert "s3cret" not in caplog.text


def test_a_mail_is_sent_to_all_addresses(mailbox: socketserver.ThreadingTCPServer) -> None:
    notify([ALARM], mail_connection="alarms_mail", mail_to=["a@example.com", "b@example.com"])
    (mail,) = mailbox.received
    assert len(mailbox.recipients) == 2
    assert "A shop: 1 model alarm as of 2026-06-03" in mail
    assert "alarms@example.com" in mail


def test_nothing_is_sent_without_alarms_or_without_a_way(webhook: ThreadingHTTPServer) -> None:
    notify([], webhook_connection="alarms_web")
    notify([ALARM])
    assert webhook.received == []


def test_what_cannot_be_delivered_is_an_error_with_a_way_out_and_without_the_secret(webhook) -> None:
    webhook.answer = 500
    with pytest.raises(CrmAgentsError, match="answered 500") as caught:
        notify([ALARM], webhook_connection="alarms_web")
    assert "s3cret" not in str(caught.value)
