"""What is an alarm: beyond the usual, beyond what matters, at a rate that many measurements together keep."""

from __future__ import annotations

import numpy as np
import pytest

from crm_agents.company_settings import Monitoring
from crm_agents.monitoring.alarms import sentence, shown
from crm_agents.monitoring.limits import KINDS, Judged, Measurement, judge

SETTINGS = Monitoring()


def measurement(value: float, spread: float | None = 0.1, floor: float = 0.2, usual: float | None = 0.0) -> Measurement:
    return Measurement("volume", "orders", "", value, usual, spread, floor, 500, 4000)


def test_small_changes_are_none_however_significant() -> None:
    (judged,) = judge([measurement(0.19, spread=0.001)], SETTINGS)
    assert judged.limit == 0.2
    assert not judged.is_beyond


def test_large_changes_are_alarms_unless_usual() -> None:
    beyond, usual = judge([measurement(-0.8, spread=0.1), measurement(-0.8, spread=0.3)], SETTINGS)
    assert beyond.is_beyond
    assert not usual.is_beyond


def test_without_a_past_only_what_matters_decides() -> None:
    (judged,) = judge([measurement(0.21, spread=None, usual=None)], SETTINGS)
    assert judged.is_beyond


@pytest.mark.parametrize("count", [1, 20, 200])
def test_the_rate_of_false_alarms_is_kept_however_many_measurements_there_are(count: int) -> None:
    """On normal noise, days with an alarm are as rare as accepted."""
    random = np.random.default_rng(count)
    (judged,) = judge([measurement(0.0, spread=1.0, floor=0.0)] * count, SETTINGS)[:1]
    days = 400_000
    noise = np.abs(random.standard_normal((days, min(count, 10))))
    a_day = (noise > judged.limit).mean() * count * KINDS
    assert a_day == pytest.approx(1 / SETTINGS.days_per_false_alarm, rel=0.35)


def test_many_columns_do_not_blunt_the_look_at_the_labels() -> None:
    label = Measurement("label", "m", "rate", -0.4, 0.0, 0.1, 0.2, 500, 50)
    alone = judge([label], SETTINGS)[0].limit
    among_many = judge([label, *[measurement(0.0)] * 500], SETTINGS)[0].limit
    assert among_many == alone


def test_changes_are_held_against_the_usual_change_and_distances_are_not_negative() -> None:
    growing = Measurement("volume", "orders", "", 0.5, 0.4, 0.05, 0.3, 500, 4000)
    assert not judge([growing], SETTINGS)[0].is_beyond
    fallen = Measurement("volume", "orders", "", -0.1, 0.4, 0.05, 0.3, 500, 4000)
    assert judge([fallen], SETTINGS)[0].is_beyond


def test_people_read_shares_and_indices() -> None:
    assert shown(measurement(np.log(1.4)), np.log(1.4)) == pytest.approx(0.4)
    item = Measurement("distribution", "orders", "channel", 0.5, 0.1, 0.02, 0.22, 300, 2400)
    assert shown(item, 0.5) == 0.25
    assert sentence(Judged(item, 0.5, 0.3)) == (
        "orders.channel: values are distributed differently, population stability index 0.250 (300 rows; limit 0.090)."
    )
