"""From a matrix of contributions to the few reasons that a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from models_ml.core.phrases import Phrase, context_clauses, sentences, value_texts

OTHER, BASE = "other", "base"


def reasons_frame(
    *,
    entity_id: np.ndarray,
    frame: pd.DataFrame,
    features: Sequence[str],
    contributions: np.ndarray,
    base: float,
    top: int,
    phrases: Mapping[str, Phrase],
    tails: Mapping[str, str],
    currency: str = "",
    starting_point: str | None = None,
) -> pd.DataFrame:
    """Return the `top` reasons for and against of each entity, `other` and `base`.

    Ranks run from the strongest reason to the weakest, for and against together (1, 2, ...), so the first rows by rank
    are what matters most; `other` and `base` follow. Within an entity the contributions sum to its log-odds (or to whatever
    they are contributions to). A feature that contributes exactly nothing is no reason.

    Parameters
    ----------
    entity_id : ndarray of shape (n,)
    frame : DataFrame of n rows
        Holds the features, for the values named in the sentences.
    contributions : ndarray of shape (n, k)
        In the order of `features`.
    phrases : mapping
        How each feature is said.
    tails : mapping
        What is added for direction "+" and "-".
    starting_point : str, optional
        How `base` is said, where it is no log-odds of a probability.

    Returns
    -------
    DataFrame
        entity_id, rank, direction, feature, feature_value, contribution, statement, sorted by entity and rank.
    """
    place, value = strongest(contributions, top)
    row, slot = np.nonzero(value)
    listed = pd.DataFrame({"row": row, "rank": slot + 1, "place": place[row, slot], "contribution": value[row, slot]})
    statement, feature_value = _wording(listed, frame, features, phrases, tails, currency)
    names = np.asarray([*features, OTHER, BASE], dtype=object)
    listed = listed.assign(statement=statement, feature_value=feature_value)
    if starting_point is None:
        chance = 100 / (1 + np.exp(-base))
        starting_point = f"Starting point before anything is known of the customer: {chance:.0f} %."
    rest = _closing_rows(contributions, value, base, tails, starting_point)
    united = pd.concat([listed, rest], ignore_index=True).sort_values(["row", "rank"], kind="stable", ignore_index=True)
    return pd.DataFrame(
        {
            "entity_id": entity_id[united["row"].to_numpy()],
            "rank": united["rank"].to_numpy(dtype=np.int16),
            "direction": _direction(united["contribution"].to_numpy()),
            "feature": names[united["place"].to_numpy()],
            "feature_value": united["feature_value"],
            "contribution": united["contribution"],
            "statement": united["statement"],
        }
    )


def strongest(contributions: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places and values, both (n, 2 x top), of each row's `top` largest and `top` smallest contributions.

    Sorted by size, the empty slots (value 0) last. Equal values keep the order of the columns.
    """
    width = min(top, contributions.shape[1])
    order = np.argsort(-contributions, axis=1, kind="stable")
    places = np.concatenate([order[:, :width], order[:, ::-1][:, :width]], axis=1)
    values = np.take_along_axis(contributions, places, axis=1)
    values[:, :width] = np.maximum(values[:, :width], 0.0)
    values[:, width:] = np.minimum(values[:, width:], 0.0)
    by_size = np.argsort(-np.abs(values), axis=1, kind="stable")
    return np.take_along_axis(places, by_size, axis=1), np.take_along_axis(values, by_size, axis=1)


def _wording(
    listed: pd.DataFrame,
    frame: pd.DataFrame,
    features: Sequence[str],
    phrases: Mapping[str, Phrase],
    tails: Mapping[str, str],
    currency: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the statement and the value text of each listed reason; one pass for each feature."""
    statement = np.empty(len(listed), dtype=object)
    feature_value = np.empty(len(listed), dtype=object)
    row, place = listed["row"].to_numpy(), listed["place"].to_numpy()
    tail = np.where(listed["contribution"].to_numpy() > 0, f": {tails['+']}.", f": {tails['-']}.").astype(object)
    for number, name in enumerate(features):
        chosen = np.flatnonzero(place == number)
        if not len(chosen):
            continue
        phrase, rows = phrases[name], row[chosen]
        values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)[rows]
        text = sentences(phrase, values, currency)
        if phrase.context and phrase.context.feature in frame.columns:
            second = frame[phrase.context.feature].to_numpy(dtype=np.float64, na_value=np.nan)[rows]
            text = text + context_clauses(phrase.context, second, currency)
        statement[chosen] = text + tail[chosen]
        feature_value[chosen] = value_texts(phrase, values)
    return statement, feature_value


def _closing_rows(
    contributions: np.ndarray, listed: np.ndarray, base: float, tails: Mapping[str, str], starting_point: str
) -> pd.DataFrame:
    """Return the rows `other` and `base` of each entity."""
    count, features = contributions.shape
    used = (listed != 0).sum(axis=1)
    other = contributions.sum(axis=1) - listed.sum(axis=1)
    tail = np.where(other >= 0, tails["+"], tails["-"]).astype(object)
    return pd.DataFrame(
        {
            "row": np.tile(np.arange(count), 2),
            "rank": np.concatenate([used + 1, used + 2]),
            "place": np.repeat([features, features + 1], count),
            "contribution": np.concatenate([other, np.full(count, base)]),
            "statement": np.concatenate(
                [
                    "Everything else together: " + tail + ".",
                    np.full(count, starting_point),
                ]
            ),
            "feature_value": np.full(2 * count, None, dtype=object),
        }
    )


def _direction(contribution: np.ndarray) -> np.ndarray:
    return np.where(contribution >= 0, "+", "-").astype(object)
