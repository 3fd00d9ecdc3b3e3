"""Load a kept model, ask it, and say why."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from models_ml.core.phrases import Context, Phrase
from models_ml.core.reasons import reasons_frame
from models_ml.lifetime_value import config
from models_ml.lifetime_value.contributions import shapley_of_product
from models_ml.lifetime_value.valuer import Valuer, days_of

AS_OF = "as_of"
PHRASES: dict[str, Phrase] = {
    "probability_alive": Phrase(
        "percent",
        "Still a customer with {value} % likelihood",
        context=Context("days_since_purchase", "days", ", last bought {value} days ago", one=", last bought yesterday"),
    ),
    "purchases_if_alive": Phrase(
        "number",
        "Would buy {value} times within the horizon while a customer",
        context=Context("purchases", "count", ", has bought {value} times so far", one=", has bought once so far"),
    ),
    "value_of_a_purchase": Phrase("money", "A purchase is expected to bring {value}"),
    "probability_buys": Phrase(
        "percent",
        "Buys within the horizon with {value} % likelihood",
        context=Context("days_since_purchase", "days", ", last bought {value} days ago", one=", last bought yesterday"),
    ),
    "value_if_buys": Phrase("money", "Would then bring {value}"),
    "value_per_month": Phrase("money", "Has brought {value} a month so far"),
}
TAILS = {"+": "raises the expected value", "-": "lowers the expected value"}


def load(folder: Path | str, threads: int = 2) -> Valuer:
    """Read a model from its folder of plain files."""
    return Valuer.load(Path(folder), threads)


def predict(model: Valuer, frame: pd.DataFrame) -> pd.DataFrame:
    """Return what each customer in `frame` will buy and bring; see `Valuer.months`.

    Parameters
    ----------
    frame : DataFrame
        Purchases: customer_id, bought_on, amount, and where there is one `as_of`, the day on whose evening the model is
        asked; without it that is the day of the last purchase. Later purchases are not read.

    Returns
    -------
    DataFrame
        One row a customer with a purchase on whose day returns did not outweigh it; sorted by customer.

    Raises
    ------
    ValueError
        When a column is missing.
    """
    missing = [name for name in model.features if name not in frame]
    if missing:
        raise ValueError(f"the purchases lack column {', '.join(missing)}")
    asked_on = pd.to_datetime(frame[AS_OF if AS_OF in frame else "bought_on"]).max()
    if pd.isna(asked_on) or (days := days_of(frame, asked_on.date())).empty:
        return _nobody(model)
    return model.months(days, asked_on.date())


def _nobody(model: Valuer) -> pd.DataFrame:
    """Return `predict` of made-up customers without its rows: the same columns of the same types."""
    made_up = example()
    as_of = date(2026, 4, 1)
    return model.months(days_of(made_up, as_of), as_of).head(0)


def contributions(model: Valuer, frame: pd.DataFrame) -> tuple[np.ndarray, float]:
    """Return the (n, k) contributions of `model.factors` and the base; each row plus base is the expected value.

    Parameters
    ----------
    frame : DataFrame of n rows
        From `predict`. The base is the product of the factors' means, each over the customers learnt from.
    """
    factors = frame[list(model.factors)].to_numpy(dtype=np.float64)
    centre = np.array([model.centre[name] for name in model.factors])
    return model.scale * shapley_of_product(factors, centre), float(model.scale * centre.prod())


def reasons(
    model: Valuer, frame: pd.DataFrame, contributions: np.ndarray, base: float, top: int = 5, *, currency: str = ""
) -> pd.DataFrame:
    """Return the `top` reasons for and against each customer's expected value, in sentences.

    Parameters
    ----------
    frame : DataFrame of n rows
        From `predict`.
    contributions : ndarray of shape (n, k)
        From `contributions`.

    Returns
    -------
    DataFrame
        As `models_ml.core.reasons.reasons_frame`; the contributions of a customer sum to the expected value, in `currency`.
    """
    return reasons_frame(
        entity_id=frame[config.ENTITY].to_numpy(dtype=object),
        frame=frame,
        features=model.factors,
        contributions=contributions,
        base=base,
        top=top,
        phrases=PHRASES,
        tails=TAILS,
        currency=currency,
        starting_point=f"Starting point, a customer average in each of these: {base:,.2f} {currency}".rstrip() + ".",
    )


def example() -> pd.DataFrame:
    """Return a few made-up purchases, for the model's signature."""
    bought = [("ada", 20.0), ("ben", 35.0), ("ada", 25.0), ("eve", 12.5), ("ben", 30.0), ("ada", 22.0)]
    days = ["2026-01-05", "2026-01-12", "2026-02-02", "2026-02-09", "2026-03-02", "2026-03-16"]
    return pd.DataFrame(bought, columns=[config.ENTITY, "amount"]).assign(bought_on=days)


def _load_pyfunc(path: str) -> MlflowModel:
    """Open the model for MLflow's generic loader (its name is MLflow's)."""
    return MlflowModel(load(path))


class MlflowModel:
    """What ``mlflow.pyfunc.load_model`` returns wraps this: purchases in, values out."""

    def __init__(self, model: Valuer) -> None:
        self.model = model

    def predict(self, frame: pd.DataFrame, params: dict | None = None) -> pd.DataFrame:
        """Return what each customer will buy and bring."""
        del params
        return predict(self.model, frame)
