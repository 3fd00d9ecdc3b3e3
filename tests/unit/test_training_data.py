"""Cut-offs of a training run: every label window is closed before the next step begins."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from crm_agents.company import Company
from crm_agents.training_data import cutoffs

AS_OF = date(2026, 6, 30)
LONG_AGO = date(2020, 1, 1)


COMPANY = Company(name="test", title="Test", prediction={"cutoffs": 3})


@pytest.mark.parametrize("horizon_days", [1, 29, 30, 31, 45, 60, 365])
def test_no_training_label_reaches_into_the_holdout(horizon_days: int) -> None:
    found = cutoffs(COMPANY, AS_OF, LONG_AGO, horizon_days)
    assert found.test + timedelta(days=horizon_days) == AS_OF
    assert max(found.train) + timedelta(days=horizon_days) <= found.test
    assert len(found.train) == 3


@pytest.mark.parametrize("first_event_on", [None, AS_OF, AS_OF - timedelta(days=59)])
def test_a_short_history_has_no_training_cutoffs(first_event_on: date | None) -> None:
    found = cutoffs(COMPANY, AS_OF, first_event_on, 30)
    assert found.train == ()
    assert found.test == AS_OF - timedelta(days=30)
