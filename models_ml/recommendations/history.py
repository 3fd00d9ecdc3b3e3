"""Who has bought what up to a day, as matrices of customers x products."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from scipy import sparse

from models_ml.recommendations import config

COLUMNS = ("customer_id", "product_id", "bought_on")


@dataclass(frozen=True)
class History:
    """Purchases up to and with `as_of`.

    Attributes
    ----------
    customers, products : ndarray of object
        Sorted ids: the rows and columns of the matrices.
    days : csr_matrix of shape (n, m)
        On how many days the customer bought the product.
    age, first_age : csr_matrix of shape (n, m)
        Days since they last and first bought it, plus one (0: never).
    purchase_days, recency, tenure : (n,) ndarray
        On how many days the customer bought anything; days since the last and the first of them.
    buyers, recent_buyers, repeated, on_sale_days : (m,) ndarray
        Customers who ever bought the product, and in the last `config.RECENT_DAYS`; the share of them who bought it on more
        than one day; days since it was first bought.
    """

    as_of: date
    customers: np.ndarray
    products: np.ndarray
    days: sparse.csr_matrix
    age: sparse.csr_matrix
    first_age: sparse.csr_matrix
    purchase_days: np.ndarray
    recency: np.ndarray
    tenure: np.ndarray
    buyers: np.ndarray
    recent_buyers: np.ndarray
    repeated: np.ndarray
    on_sale_days: np.ndarray

    def rows_of(self, customer_ids: np.ndarray) -> np.ndarray:
        """Return the row of each customer, -1 for who has not bought."""
        return _places(self.customers, customer_ids)

    def columns_of(self, product_ids: np.ndarray) -> np.ndarray:
        """Return the column of each product, -1 for what nobody has bought."""
        return _places(self.products, product_ids)

    def bought(self) -> sparse.csr_matrix:
        """Return the (n, m) matrix with 1 where the customer has bought the product."""
        found = self.days.copy()
        found.data = np.ones_like(found.data)
        return found

    def weighted(self) -> sparse.csr_matrix:
        """Return the (n, m) matrix of purchases that fade with their age (`config.HALF_LIFE_DAYS`)."""
        found = self.age.copy()
        found.data = config.FLOOR + 0.5 ** ((found.data - 1) / config.HALF_LIFE_DAYS)
        return found


def values_at(matrix: sparse.csr_matrix, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return the entries of `matrix` at parallel rows and columns."""
    return np.asarray(matrix[row, column]).ravel() if len(row) else np.zeros(0, dtype=matrix.dtype)


def history(purchases: pd.DataFrame, as_of: date) -> History:
    """Return what was bought up to and with `as_of`.

    Parameters
    ----------
    purchases : DataFrame
        customer_id, product_id, bought_on (dates); one row a line, later ones are left out.

    Raises
    ------
    ValueError
        When a column is missing, or nothing was bought by then.
    """
    missing = [name for name in COLUMNS if name not in purchases.columns]
    if missing:
        raise ValueError(f"purchases lack {', '.join(missing)}")
    bought_on = pd.to_datetime(purchases["bought_on"])
    known = purchases.assign(ago=(pd.Timestamp(as_of) - bought_on).dt.days)[
        ["customer_id", "product_id", "ago"]
    ].dropna()
    known = known[known["ago"] >= 0].drop_duplicates()
    if known.empty:
        raise ValueError(f"nothing was bought up to {as_of}")
    row, customers = pd.factorize(known["customer_id"].to_numpy(dtype=object), sort=True)
    column, products = pd.factorize(known["product_id"].to_numpy(dtype=object), sort=True)
    pairs = known.assign(row=row, column=column).groupby(["row", "column"], sort=True)["ago"]
    facts = pairs.agg(["size", "min", "max"]).reset_index()
    shape, place = (len(customers), len(products)), (facts["row"].to_numpy(), facts["column"].to_numpy())
    visits = known.assign(row=row)[["row", "ago"]].drop_duplicates().groupby("row")["ago"].agg(["size", "min", "max"])
    buyers = np.bincount(place[1], minlength=shape[1])
    recent = np.bincount(place[1], facts["min"].to_numpy() < config.RECENT_DAYS, shape[1])
    since = known.assign(column=column).groupby("column")["ago"].max()
    return History(
        as_of,
        customers,
        products,
        _matrix(facts["size"], place, shape),
        _matrix(facts["min"] + 1, place, shape),
        _matrix(facts["max"] + 1, place, shape),
        visits["size"].to_numpy(dtype=np.float32),
        visits["min"].to_numpy(dtype=np.float32),
        visits["max"].to_numpy(dtype=np.float32),
        buyers.astype(np.float32),
        recent.astype(np.float32),
        (np.bincount(place[1], facts["size"].to_numpy() > 1, shape[1]) / buyers).astype(np.float32),
        since.to_numpy(dtype=np.float32),
    )


def _matrix(values: pd.Series, place: tuple[np.ndarray, np.ndarray], shape: tuple[int, int]) -> sparse.csr_matrix:
    return sparse.csr_matrix((values.to_numpy(dtype=np.float32), place), shape=shape)


def _places(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    wanted = np.asarray(wanted, dtype=object)
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[place] == wanted, place, -1)
