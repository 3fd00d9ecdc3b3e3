"""Judge recommendations by what was bought afterwards; never fit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from models_ml.core.charts import curve_chart
from models_ml.core.metrics import grade as grade_of
from models_ml.recommendations import config
from models_ml.recommendations.history import History, history
from models_ml.recommendations.recommender import Recommender
from models_ml.recommendations.scorers import Scorer, best


@dataclass(frozen=True)
class Month:
    """What the customers of a history bought within the horizon after it.

    Attributes
    ----------
    rows : (n,) ndarray
        Rows of the customers who came back.
    bought : csr_matrix of shape (n, products)
        1 where they bought a product that the history knows.
    distinct, distinct_new : (n,) ndarray
        Distinct products that they bought, unknown ones included; and those that they had not bought before.
    """

    rows: np.ndarray
    bought: sparse.csr_matrix
    distinct: np.ndarray
    distinct_new: np.ndarray


def month_after(purchases: pd.DataFrame, known: History) -> Month:
    """Return what was bought in the `config.HORIZON_DAYS` days after `known.as_of` by customers that it knows."""
    bought_on = pd.to_datetime(purchases["bought_on"])
    first, last = known.as_of, known.as_of + timedelta(days=config.HORIZON_DAYS)
    is_later = (bought_on > pd.Timestamp(first)) & (bought_on <= pd.Timestamp(last))
    later = purchases.loc[is_later, ["customer_id", "product_id"]].dropna().drop_duplicates()
    row = known.rows_of(later["customer_id"].to_numpy(dtype=object))
    later, row = later[row >= 0], row[row >= 0]
    column = known.columns_of(later["product_id"].to_numpy(dtype=object))
    rows, place = np.unique(row, return_inverse=True)
    is_known = column >= 0
    shape = (len(rows), len(known.products))
    ones = np.ones(int(is_known.sum()), dtype=np.float32)
    bought = sparse.csr_matrix((ones, (place[is_known], column[is_known])), shape=shape)
    distinct = np.bincount(place, minlength=len(rows))
    repeated = np.asarray(bought.multiply(known.bought()[rows]).sum(axis=1)).ravel()
    return Month(rows, bought, distinct, distinct - repeated.astype(int))


def judge(scorer: Scorer, known: History, month: Month) -> dict[str, float]:
    """Return the metrics of the first `config.SHOWN` products that `scorer` puts first.

    Returns
    -------
    dict
        ``recall`` (mean over customers: hits / distinct products bought), ``ndcg``, ``recall_new`` (of products new to the
        customer, recommended from those alone), ``customers``, ``customers_new``.
    """
    sums = np.zeros(5)
    for start in range(0, len(month.rows), config.BLOCK_ROWS):
        block = slice(start, start + config.BLOCK_ROWS)
        rows, truth = month.rows[block], month.bought[block].toarray() > 0
        scores = np.array(scorer.score(rows), dtype=np.float32)
        hits = np.take_along_axis(truth, best(scores, config.SHOWN), axis=1)
        had = known.days[rows].toarray() > 0
        scores[had] = -np.inf
        new_hits = np.take_along_axis(truth & ~had, best(scores, config.SHOWN), axis=1).sum(axis=1)
        distinct, new = month.distinct[block], month.distinct_new[block]
        some_new = new > 0
        sums += (
            (hits.sum(axis=1) / distinct).sum(),
            _ndcg(hits, distinct).sum(),
            (new_hits[some_new] / new[some_new]).sum(),
            len(rows),
            some_new.sum(),
        )
    recall, ndcg, recall_new, customers, customers_new = sums
    return {
        "recall": recall / max(customers, 1),
        "ndcg": ndcg / max(customers, 1),
        "recall_new": recall_new / max(customers_new, 1),
        "customers": customers,
        "customers_new": customers_new,
    }


def evaluate(model: Recommender, frame: pd.DataFrame, *, cutoff: date, min_slice_rows: int = 0) -> dict[str, Any]:
    """Return the metrics of `model`, asked on the evening of `cutoff`, on what its customers bought in the month after.

    Parameters
    ----------
    frame : DataFrame
        Purchases up to the end of that month.
    min_slice_rows : int
        Not used: customers are not judged by slices here.

    Returns
    -------
    dict
        n (customers who came back), recall, ndcg, recall_new (see `judge`) and ``one_minus_ndcg``.
    """
    del min_slice_rows
    known = history(frame, cutoff)
    found = judge(model.scorer(known), known, month_after(frame, known))
    measures = {name: found[name] for name in ("recall", "ndcg", "recall_new")}
    return {"n": int(found["customers"]), **measures, "one_minus_ndcg": 1 - found["ndcg"], "slices": {}}


def charts(model: Recommender, baseline: Recommender, frame: pd.DataFrame, *, cutoff: date) -> dict[str, bytes]:
    """Draw which share of what customers bought was found among the first 1 to `config.SHOWN` products."""
    known = history(frame, cutoff)
    month = month_after(frame, known)
    curves = {
        name: recall_curve(fitted.scorer(known), known, month)
        for name, fitted in (("model", model), ("baseline", baseline))
    }
    title = "Found of what customers bought in the month after"
    return {"recall.png": curve_chart(title, "products shown", "recall", curves)}


def recall_curve(scorer: Scorer, known: History, month: Month) -> np.ndarray:
    """Return the mean recall of the first 1, 2, ... `config.SHOWN` products, as (SHOWN,) values."""
    total = np.zeros(min(config.SHOWN, len(known.products)))
    for start in range(0, len(month.rows), config.BLOCK_ROWS):
        block = slice(start, start + config.BLOCK_ROWS)
        scores = np.array(scorer.score(month.rows[block]), dtype=np.float32)
        truth = month.bought[block].toarray() > 0
        hits = np.take_along_axis(truth, best(scores, config.SHOWN), axis=1)
        total += (hits.cumsum(axis=1) / month.distinct[block][:, None]).sum(axis=0)
    return total / max(len(month.rows), 1)


def grade(metrics: dict[str, Any], baseline: dict[str, Any]) -> str:
    """Return the grade against the baseline on the same month, by 1 - NDCG."""
    return grade_of(1 - metrics["ndcg"], 1 - baseline["ndcg"])


def _ndcg(hits: np.ndarray, distinct: np.ndarray) -> np.ndarray:
    discount = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.cumsum(discount)[np.minimum(distinct, hits.shape[1]) - 1]
    return (hits * discount).sum(axis=1) / ideal


def months_before(as_of: date, count: int) -> list[date]:
    """Return the days on which the `count` months before `as_of` began, newest first."""
    return [as_of - timedelta(days=config.HORIZON_DAYS * number) for number in range(1, count + 1)]
