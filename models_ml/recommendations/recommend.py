"""The products to offer each customer, with a reason for each."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from models_ml.recommendations import config
from models_ml.recommendations.history import History, values_at
from models_ml.recommendations.scorers import CoPurchase, Scorer, best

COLUMNS = ("customer_id", "rank", "product_id", "score", "reason")


def recommend(
    scorer: Scorer,
    known: History,
    customer_ids: Collection[str],
    *,
    catalogue: Collection[str] | None = None,
    names: Mapping[str, str] | None = None,
    shown: int = config.SHOWN,
) -> pd.DataFrame:
    """Return up to `shown` products for each customer who has bought before.

    Parameters
    ----------
    scorer : Scorer
        Fitted on `known`.
    customer_ids : collection of str
        Whom to recommend to; who is not in `known` gets no row.
    catalogue : collection of str, optional
        Products that may be offered: active and in stock. None: every product that anybody has bought.
    names : mapping, optional
        How products are called in reasons, by id.

    Returns
    -------
    DataFrame
        customer_id, rank (from 1), product_id, score, reason; ordered by customer and rank. Fewer rows where the catalogue or the
        candidates run out.
    """
    rows = np.unique(known.rows_of(np.array(sorted(customer_ids), dtype=object)))
    rows = rows[rows >= 0]
    allowed = np.ones(len(known.products), dtype=bool)
    if catalogue is not None:
        columns = known.columns_of(np.array(sorted(catalogue), dtype=object))
        allowed[:] = False
        allowed[columns[columns >= 0]] = True
    partners = CoPurchase(known)
    called = np.array([(names or {}).get(product, product) for product in known.products], dtype=object)
    blocks = [
        _block(scorer, known, partners, called, rows[start : start + config.BLOCK_ROWS], allowed, shown)
        for start in range(0, len(rows), config.BLOCK_ROWS)
    ]
    if not blocks:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in COLUMNS})
    return pd.concat(blocks, ignore_index=True)


def _block(
    scorer: Scorer,
    known: History,
    partners: CoPurchase,
    called: np.ndarray,
    rows: np.ndarray,
    allowed: np.ndarray,
    shown: int,
) -> pd.DataFrame:
    scores = np.array(scorer.score(rows), dtype=np.float32)
    scores[:, ~allowed] = -np.inf
    column = best(scores, shown)
    value = np.take_along_axis(scores, column, axis=1)
    place, position = np.nonzero(np.isfinite(value))
    row, column = rows[place], column[place, position]
    return pd.DataFrame(
        {
            "customer_id": known.customers[row],
            "rank": position + 1,
            "product_id": known.products[column],
            "score": value[place, position].astype(np.float64),
            "reason": reasons(known, partners, called, row, column),
        },
        columns=list(COLUMNS),
    )


def reasons(
    known: History, partners: CoPurchase, called: np.ndarray, row: np.ndarray, column: np.ndarray
) -> np.ndarray:
    """Return a sentence for each pair of a customer's row and a product's column.

    What the customer has bought before is said first, then what they have that is most often bought together with it, then how
    many have bought it lately.
    """
    days, age = (values_at(matrix, row, column).astype(int) for matrix in (known.days, known.age))
    partner, together = _partner(known, partners, row, column)
    recent = known.recent_buyers[column].astype(int)
    again = [
        f"Bought on {count} day{'' if count == 1 else 's'}, last {ago - 1} day{'' if ago == 2 else 's'} ago."
        for count, ago in zip(days, age, strict=True)
    ]
    alike = [
        f"Often bought together with {product} ({both:,} customer{'' if both == 1 else 's'} bought both)."
        for product, both in zip(called[np.maximum(partner, 0)], together, strict=True)
    ]
    popular = [
        f"Bought by {count:,} customer{'' if count == 1 else 's'} in the last {config.RECENT_DAYS} days."
        for count in recent
    ]
    return np.where(days > 0, again, np.where(together > 0, alike, popular))


def _partner(
    known: History, partners: CoPurchase, row: np.ndarray, column: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return for each pair the customer's product that is most alike to the offered one (-1: none), and who bought both."""
    if not len(row):
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    bought = known.days
    counts = np.diff(bought.indptr)[row]
    pair = np.repeat(np.arange(len(row)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    owned = bought.indices[np.repeat(bought.indptr[row], counts) + within]
    alike = partners.likeness[owned, column[pair]]
    order = np.lexsort((owned, -alike, pair))
    first = order[np.cumsum(counts) - counts]
    likeness = alike[first]
    both = np.rint(likeness * np.sqrt(known.buyers[owned[first]] * known.buyers[column])).astype(int)
    return np.where(likeness > 0, owned[first], -1), np.where(likeness > 0, both, 0)
