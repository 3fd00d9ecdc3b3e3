"""Random numbers that belong to a customer and a day, whoever else is asked."""

from __future__ import annotations

import numpy as np
import pytest

from crm_agents.simulator.draws import ByCustomer, day_stream

KINDS = {
    "uniform": lambda draws, who: draws.uniform(who, "x"),
    "integers": lambda draws, who: draws.integers(25, 80, who, "x"),
    "gamma": lambda draws, who: draws.gamma(1.1, 8, who, "x"),
    "poisson": lambda draws, who: draws.poisson(1.2, who, "x"),
    "choice": lambda draws, who: draws.choice((3, 5, 8), (0.2, 0.3, 0.5), who, "x"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_depends_on_the_customer_alone(kind: str) -> None:
    draw, draws = KINDS[kind], ByCustomer(7, day=3)
    everybody = draw(draws, 1000)
    some = np.array([999, 4, 4, 500, 0])
    assert np.array_equal(draw(draws, some), everybody[some])
    assert np.array_equal(draw(draws, 20), everybody[:20])
    assert len(draw(draws, some[:0])) == 0


def test_days_purposes_and_seeds_are_independent() -> None:
    base = ByCustomer(7, day=3).uniform(5000, "x")
    for other in (
        ByCustomer(7, 4).uniform(5000, "x"),
        ByCustomer(7, 3).uniform(5000, "y"),
        ByCustomer(8, 3).uniform(5000, "x"),
    ):
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.06
    assert day_stream(7, 3, "x").random() != day_stream(7, 3, "y").random()


def test_numbers_have_their_distributions() -> None:
    draws = ByCustomer(1)
    assert draws.uniform(50_000, "u").mean() == pytest.approx(0.5, abs=0.01)
    whole = draws.integers(25, 80, 50_000, "i")
    assert (whole.min(), whole.max()) == (25, 79)
    assert draws.gamma(2.0, 3.0, 50_000, "g").mean() == pytest.approx(6, abs=0.1)
    shares = np.bincount(draws.choice((0, 1, 2), (0.2, 0.3, 0.5), 50_000, "c")) / 50_000
    assert shares == pytest.approx([0.2, 0.3, 0.5], abs=0.01)
    assert len(draws.lot(50_000, 0.02, "l")) == pytest.approx(1000, abs=150)
