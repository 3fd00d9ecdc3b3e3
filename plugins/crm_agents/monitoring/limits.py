"""When a measurement is an alarm: far from what is usual for it, and large enough to matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from crm_agents.company_settings import Monitoring

KINDS = 6  # volume, fill, distribution, input, score, label


@dataclass(frozen=True)
class Measurement:
    """How far something has moved.

    Parameters
    ----------
    kind : str
        volume, fill, distribution, input, score or label.
    subject, name : str
        Table or model, and column (empty where it is about all of it).
    value : float
        The statistic: difference of logarithms (volume, label), of shares (fill), or the square root of the population
        stability index.
    usual, spread : float or None
        Median and robust standard deviation of the same statistic in the past, None where there is no past.
    floor : float
        Smallest absolute value that matters at all.
    window_rows, reference_rows : int
        Rows on both sides of the comparison.
    """

    kind: str
    subject: str
    name: str
    value: float
    usual: float | None
    spread: float | None
    floor: float
    window_rows: int
    reference_rows: int

    @property
    def has_direction(self) -> bool:
        """Whether the statistic is a change up or down, rather than a distance."""
        return self.kind in ("volume", "fill", "label")


@dataclass(frozen=True)
class Judged:
    """A measurement with its limit.

    Parameters
    ----------
    moved : float
        What is held against the limit: a change as it differs from the usual one, or a distance as it is.
    """

    measurement: Measurement
    moved: float
    limit: float

    @property
    def is_beyond(self) -> bool:
        """Whether it is an alarm."""
        return abs(self.moved) > self.limit


def judge(measurements: Sequence[Measurement], settings: Monitoring) -> list[Judged]:
    """Give each measurement its limit.

    A limit is as many robust standard deviations from the usual value as keep the accepted rate of false alarms over all
    measurements of a day together, and never less than what matters. The day's accepted probability is divided by the
    number of kinds, and each kind's share by the number of its measurements (Bonferroni in two steps): a hundred columns
    that are looked at must not blunt the one look at the labels.
    """
    sizes = Counter(item.kind for item in measurements)
    judged = []
    for item in measurements:
        tail = 1 / (settings.days_per_false_alarm * KINDS * sizes[item.kind])
        room = NormalDist().inv_cdf(1 - tail / 2) * (item.spread or 0.0)
        usual = item.usual or 0.0
        if item.has_direction:
            judged.append(Judged(item, item.value - usual, max(item.floor, room)))
        else:
            judged.append(Judged(item, item.value, max(item.floor, usual + room)))
    return judged
