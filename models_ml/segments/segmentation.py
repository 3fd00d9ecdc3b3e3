"""Fit a segmentation, and tell of any customer which segment they belong to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from models_ml.segments import clustering, config, naming, scaling
from models_ml.segments.clustering import Candidate
from models_ml.segments.matching import continued


@dataclass(frozen=True)
class Segment:
    """A segment: its id never names another one, its name stays, and its centre is in logarithms (`scaling.logarithms`)."""

    segment_id: int
    name: str
    centre: dict[str, float]


@dataclass(frozen=True)
class Segmentation:
    """Segments, the scaling in which customers belong to the nearest, and how they were chosen.

    Attributes
    ----------
    reason : str
        Why these segments, in a sentence.
    candidates : tuple of Candidate
        What was compared; empty when there was nothing to compare, and after `from_json`.
    """

    segments: tuple[Segment, ...]
    scaling: scaling.Scaling
    method: str
    reason: str
    candidates: tuple[Candidate, ...] = ()

    def assign(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return segment_id, segment_name and closeness (1: at the centre, 0.5: as near to the next segment) of each row."""
        ids = np.array([it.segment_id for it in self.segments])
        names = np.array([it.name for it in self.segments], dtype=object)
        if len(ids) == 1:
            place, closeness = np.zeros(len(frame), dtype=int), np.ones(len(frame))
        else:
            points, centres = self.scaling.coordinates(frame), self._centres()
            place = clustering.nearest(points, centres)
            closeness = _closeness(points, centres, place)
        return pd.DataFrame(
            {"segment_id": ids[place], "segment_name": names[place], "closeness": closeness}, index=frame.index
        )

    def to_json(self) -> str:
        """Return everything that `assign` needs, as text."""
        plain = {name: value.tolist() for name, value in asdict(self.scaling).items() if name != "features"}
        return json.dumps(
            {
                "segments": [asdict(it) for it in self.segments],
                "scaling": {"features": list(self.scaling.features), **plain},
                "method": self.method,
                "reason": self.reason,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Segmentation:
        """Read what `to_json` wrote."""
        found: dict[str, Any] = json.loads(text)
        plain = found["scaling"]
        features = tuple(plain.pop("features"))
        arrays = {name: np.array(value, dtype=np.float64) for name, value in plain.items()}
        segments = tuple(Segment(**it) for it in found["segments"])
        return cls(segments, scaling.Scaling(features, **arrays), found["method"], found["reason"])

    def _centres(self) -> np.ndarray:
        features = self.scaling.features
        return self.scaling.of_logarithms(np.array([[it.centre[name] for name in features] for it in self.segments]))


def fit(frame: pd.DataFrame, previous: Segmentation | None = None, *, seed: int = config.SEED) -> Segmentation:
    """Segment the customers in `frame`.

    Parameters
    ----------
    frame : DataFrame
        Features (`config.WEIGHTS`; those that it lacks are done without) of customers who have bought, one row each.
        Row order matters only among customers beyond `config.FIT_ROWS`.
    previous : Segmentation, optional
        The last one: segments that continue one of its keep id and name.

    Raises
    ------
    ValueError
        When there are no customers.
    """
    if frame.empty:
        raise ValueError("there are no customers to segment")
    fitted = scaling.fit(frame)
    points = fitted.coordinates(frame)
    found, chosen, reason = _choice(points, fitted, seed)
    centres = chosen.centres if chosen else points.mean(axis=0, keepdims=True)
    labels = clustering.nearest(points, centres)
    segments = _named(frame, labels, centres, fitted, previous)
    return Segmentation(segments, fitted, chosen.method if chosen else "none", reason, tuple(found))


def _choice(points: np.ndarray, fitted: scaling.Scaling, seed: int) -> tuple[list[Candidate], Candidate | None, str]:
    if not fitted.features:
        return [], None, "One segment: all customers are alike in everything that is known."
    if len(points) < config.FEWEST_CUSTOMERS:
        customers = "1 customer is" if len(points) == 1 else f"{len(points)} customers are"
        return [], None, f"One segment: {customers} too few to tell groups apart ({config.FEWEST_CUSTOMERS} needed)."
    found = clustering.candidates(points, seed=seed)
    chosen = clustering.choose(found)
    if chosen is None:
        why = "; ".join(f"{it.method} with {it.segments}: {it.objection}" for it in found)
        return found, None, f"One segment: no grouping holds ({why or 'fewer than two kinds of customers'})."
    return found, chosen, _why(chosen, found)


def _why(chosen: Candidate, found: list[Candidate]) -> str:
    clearest = max((it for it in found if not it.objection), key=lambda it: it.silhouette)
    beside = (
        "the clearest of all that hold"
        if clearest is chosen
        else f"nearly as clear as the clearest ({clearest.silhouette:.2f} with {clearest.segments}), and more of use"
    )
    return (
        f"{chosen.segments} segments by {chosen.method}: silhouette {chosen.silhouette:.2f}, {beside}; fits on halves of the "
        f"customers agree to {chosen.stability:.2f}."
    )


def _named(
    frame: pd.DataFrame, labels: np.ndarray, centres: np.ndarray, fitted: scaling.Scaling, previous: Segmentation | None
) -> tuple[Segment, ...]:
    middle = [_centre(frame, labels == place, fitted) for place in range(len(centres))]
    kept = _continued(centres, fitted, previous)
    names = naming.names(frame, labels, taken={it.name for it in kept.values()})
    latest = max((it.segment_id for it in previous.segments), default=0) if previous else 0
    segments = []
    for place, centre in enumerate(middle):
        if place in kept:
            segments.append(Segment(kept[place].segment_id, kept[place].name, centre))
        else:
            latest += 1
            segments.append(Segment(latest, names.get(place, f"Segment {latest}"), centre))
    return tuple(segments)


def _continued(centres: np.ndarray, fitted: scaling.Scaling, previous: Segmentation | None) -> dict[int, Segment]:
    """Return the old segments that the new centres continue, by place; old centres are looked at in the new scaling."""
    known = [] if previous is None else [it for it in previous.segments if set(fitted.features) <= set(it.centre)]
    if not known:
        return {}
    old = fitted.of_logarithms(np.array([[it.centre[name] for name in fitted.features] for it in known]))
    return {place: known[match] for place, match in continued(centres, old.reshape(len(known), -1)).items()}


def _centre(frame: pd.DataFrame, mine: np.ndarray, fitted: scaling.Scaling) -> dict[str, float]:
    """Return the mean of the members' clipped logarithms: in coordinates it is the mean of their coordinates."""
    values = np.clip(scaling.logarithms(frame[mine], fitted.features), fitted.low, fitted.high)
    return dict(zip(fitted.features, values.mean(axis=0).tolist(), strict=True))


def _closeness(points: np.ndarray, centres: np.ndarray, place: np.ndarray) -> np.ndarray:
    squares = (points**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)[None, :] - 2 * points @ centres.T
    distance = np.sqrt(np.maximum(squares, 0.0))
    own = distance[np.arange(len(points)), place]
    distance[np.arange(len(points)), place] = np.inf
    other = distance.min(axis=1)
    return np.where(own + other > 0, other / np.maximum(own + other, 1e-12), 1.0)
