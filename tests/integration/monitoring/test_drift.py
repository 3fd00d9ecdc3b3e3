"""A stable simulated company raises no alarm; seeded drift is found in time."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from crm_agents import postgres
from crm_agents.simulator import Drift
from tests.integration.monitoring.simulated_lake import (
    END,
    HORIZON,
    raised,
    simulate,
    train_and_score,
    watch_arrivals,
    watch_model,
)


def days_up_to(last: date, count: int, step: int = 1) -> list[date]:
    return [last - timedelta(days=step * number) for number in reversed(range(count))]


def test_prices_up_and_a_channel_gone_are_found_within_a_week_and_nothing_before(
    installation: Path, tmp_path: Path
) -> None:
    starts = END - timedelta(days=9)
    simulate(tmp_path, 4000, Drift(starts_on=starts, price_factor=1.4, channel_gone="store"))
    watch_arrivals(days_up_to(starts - timedelta(days=1), 60))
    assert len(raised()) <= 1, raised()
    before = len(raised())
    watch_arrivals(days_up_to(starts + timedelta(days=6), 7))
    found = {(kind, subject, name): day for kind, subject, name, day, _ in raised()[before:]}
    assert ("distribution", "orders", "channel") in found
    assert ("distribution", "order_items", "unit_price") in found
    with postgres.connect() as crm:
        kept = crm.execute("select count(*), count(distinct as_of) from crm_ai.drift").fetchone()
    assert kept[1] == 67


def test_shifted_labels_are_found_within_horizon_and_two_weeks_and_not_before(
    installation: Path, tmp_path: Path
) -> None:
    starts = END - timedelta(days=HORIZON + 14)
    simulate(tmp_path, 5000, Drift(starts_on=starts, purchase_rate_factor=0.5))
    trained_on = starts - timedelta(days=60)
    train_and_score(trained_on, days_up_to(END, 52, step=2))
    watch_model(days_up_to(starts - timedelta(days=1), 10, step=4))
    assert [alarm for alarm in raised() if alarm[0] == "label"] == []
    watch_model(days_up_to(END, 11, step=4))
    assert ("label", "purchase_propensity") in {alarm[:2] for alarm in raised()}, raised()
