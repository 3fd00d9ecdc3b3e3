"""Bad input and odd series of the sales forecast: each has a sentence or a rule."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models_ml.sales_forecast import ForecastInputError, explain, forecast
from models_ml.sales_forecast.intake import read_panel

RANDOM = np.random.default_rng(5)
MONTHS = pd.date_range("2020-01-31", periods=48, freq="ME")
ODD = {
    "constant": np.full(20, 7.0),
    "empty": np.array([np.nan, np.inf, np.nan]),
    "intermittent": RANDOM.poisson(0.3, 48) * 5.0,
    "negative": RANDOM.normal(0, 5, 48),
    "one": np.array([5.0]),
    "regular": 100 + np.arange(48) + 10 * np.sin(np.arange(48) * np.pi / 6) + RANDOM.normal(0, 2, 48),
    "short": np.arange(10.0, 22),
    "very_short": np.array([3.0, 4.0]),
    "winter": np.where(np.arange(48) % 12 < 6, 0.0, 50 + RANDOM.normal(0, 2, 48)),
    "zeros": np.zeros(20),
}


def series(y: np.ndarray, name: str = "a", ds: object = None) -> pd.DataFrame:
    """One series, by month where nothing else is said."""
    return pd.DataFrame({"unique_id": name, "ds": MONTHS[: len(y)] if ds is None else ds, "y": y})


@pytest.fixture(scope="module")
def odd() -> pd.DataFrame:
    return pd.concat([series(y, name) for name, y in ODD.items()], ignore_index=True)


@pytest.fixture(scope="module")
def odd_forecast(odd: pd.DataFrame) -> pd.DataFrame:
    return forecast(odd, 6, "ME")


def test_each_odd_series_has_its_rule_and_reason(odd: pd.DataFrame) -> None:
    said = explain(odd, "ME").set_index("unique_id")
    assert said["rule"].to_dict() == {
        "constant": "constant",
        "empty": "no_value",
        "intermittent": "intermittent",
        "negative": "negative",
        "one": "one_value",
        "regular": "regular",
        "short": "short",
        "very_short": "very_short",
        "winter": "regular",
        "zeros": "zeros",
    }
    assert said["reason"].str.len().min() > 20
    assert said["method"].nunique() == 8
    assert "1 infinite" in said.loc["empty", "reason"]


def test_every_series_has_its_rows_in_order(odd_forecast: pd.DataFrame) -> None:
    assert list(odd_forecast.columns) == ["unique_id", "ds", "forecast", "lo80", "hi80", "lo95", "hi95"]
    assert (odd_forecast.groupby("unique_id").size() == 6).all()
    assert odd_forecast["unique_id"].is_monotonic_increasing
    known = odd_forecast[odd_forecast["unique_id"] != "empty"]
    assert np.isfinite(known.drop(columns=["unique_id", "ds"])).all(axis=None)
    assert odd_forecast.loc[odd_forecast["unique_id"] == "empty", "forecast"].isna().all()


def test_odd_series_get_what_their_rule_says(odd_forecast: pd.DataFrame) -> None:
    of = {name: rows for name, rows in odd_forecast.groupby("unique_id")}
    assert (of["zeros"].drop(columns=["unique_id", "ds"]) == 0).all(axis=None)
    assert (of["constant"].drop(columns=["unique_id", "ds"]) == 7).all(axis=None)
    assert (of["one"]["forecast"] == 5).all()
    assert (of["one"]["hi80"] > 5).all()
    assert (of["one"]["lo80"] < 5).all()
    assert of["very_short"]["forecast"].between(3, 4).all()
    assert of["intermittent"]["forecast"].between(0, 5).all()
    assert of["short"]["forecast"].is_monotonic_increasing
    assert of["negative"]["lo80"].min() < 0


def test_a_season_of_zeros_is_a_season(odd_forecast: pd.DataFrame) -> None:
    winter = odd_forecast[odd_forecast["unique_id"] == "winter"].set_index("ds")["forecast"]
    assert (winter < 10).all()  # January to June: closed


def test_intervals_enclose_the_forecast_and_one_another(odd_forecast: pd.DataFrame) -> None:
    rows = odd_forecast.dropna()
    for inner, outer in (("forecast", "lo80"), ("lo80", "lo95"), ("hi80", "forecast"), ("hi95", "hi80")):
        assert (rows[inner] >= rows[outer] - 1e-9).all()
    never_negative = rows[rows["unique_id"] != "negative"]
    assert (never_negative[["forecast", "lo80", "lo95"]] >= 0).all(axis=None)


def test_row_order_does_not_matter(odd: pd.DataFrame, odd_forecast: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(forecast(odd.sample(frac=1, random_state=3), 6, "ME"), odd_forecast)


def test_a_lost_month_is_interpolated_and_a_month_without_sales_is_zero() -> None:
    lost = series(np.arange(1.0, 21)).drop(index=7)
    sparse = series(np.arange(20.0) + 1, "b").drop(index=[3, 7, 11])
    with_zeros = series(np.where(np.arange(20) == 2, 0.0, 9.0), "c").drop(index=7)
    panel = read_panel(pd.concat([lost, sparse, with_zeros]), "ME")
    values = panel.values.reshape(3, 20)
    assert values[0, 7] == 8
    assert list(values[1, [3, 7, 11]]) == [0, 0, 0]
    assert values[2, 7] == 0
    said = explain(lost, "ME")
    assert said["interpolated"].item() == 1
    assert "1 interpolated" in said["reason"].item()


def test_missing_values_are_filled_inside_repeated_at_the_end_and_left_out_at_the_start() -> None:
    y = np.arange(20.0)
    y[[0, 1, 9, 19]] = [np.nan, np.inf, -np.inf, np.nan]
    panel = read_panel(series(y), "ME")
    assert list(panel.values) == [*range(2, 19), 18]
    assert panel.infinite.item() == 2
    assert forecast(series(y), 1, "ME")["ds"].item() == MONTHS[20]


def test_copies_count_once_and_contradictions_are_refused() -> None:
    rows = series(np.arange(20.0))
    twice = pd.concat([rows, rows.iloc[[4]]])
    assert explain(twice, "ME")["copies_left_out"].item() == 1
    pd.testing.assert_frame_equal(forecast(twice, 3, "ME"), forecast(rows, 3, "ME"))
    with pytest.raises(ForecastInputError, match="share a ds with another, of different y"):
        forecast(pd.concat([rows, rows.iloc[[4]].assign(y=99.0)]), 3, "ME")


@pytest.mark.parametrize(
    ("ds", "frequency", "sentence"),
    [
        (pd.date_range("2024-01-01", periods=20, freq="D"), "ME", "does not fit the dates.*in one period"),
        (MONTHS[:20], "D", "does not fit the dates.*'ME' may be meant"),
        (pd.date_range("2015-03-31", periods=20, freq="QE"), "ME", "does not fit the dates.*'QE' may be meant"),
        (pd.date_range("2024-01-05", periods=20, freq="W-FRI"), "D", "does not fit the dates.*'W' may be meant"),
        (np.arange(20) * 12, "ME", "Number the periods 1, 2, 3"),
        (MONTHS[:20], "hourly", "not one of YE, QE, ME, W, D"),
        (MONTHS[:20], "2ME", "not one of YE, QE, ME, W, D"),
        (np.arange(20) / 2, "ME", "neither dates nor integers"),
        (["yesterday"] * 20, "D", "no dates"),
        ([pd.NaT, *MONTHS[:19]], "ME", "1 rows have no ds"),
        ([*range(19), 10**12], "D", "a date far from the others"),
    ],
)
def test_dates_that_do_not_fit_are_said(ds: object, frequency: str, sentence: str) -> None:
    with pytest.raises(ForecastInputError, match=sentence):
        forecast(series(np.arange(20.0), ds=ds), 3, frequency)


@pytest.mark.parametrize("horizon", [0, -1, 1.5, True, 10**6])
def test_a_horizon_that_is_no_number_of_periods_is_refused(horizon: object) -> None:
    with pytest.raises(ForecastInputError, match="whole number of periods"):
        forecast(series(np.arange(20.0)), horizon, "ME")


def test_frames_that_cannot_be_read_are_refused() -> None:
    good = series(np.arange(20.0))
    for frame, sentence in (
        (good.drop(columns="y"), "lacks column y"),
        (good.assign(price=1.0), "unknown columns: price"),
        (good.iloc[:0], "no rows"),
        (good.assign(y="many"), "no numbers"),
        (good.assign(unique_id=None), "no unique_id"),
    ):
        with pytest.raises(ForecastInputError, match=sentence):
            forecast(frame, 3, "ME")


@pytest.mark.parametrize(
    ("ds", "frequency", "following"),
    [
        (pd.date_range("2020-01-31", periods=30, freq="ME"), "ME", ["2022-07-31", "2022-08-31"]),
        (pd.date_range("2020-01-01", periods=30, freq="MS"), "ME", ["2022-07-01", "2022-08-01"]),
        (pd.date_range("2015-01-01", periods=30, freq="QS"), "QS", ["2022-07-01", "2022-10-01"]),
        (pd.date_range("2000-06-30", periods=20, freq="YE-JUN"), "YE", ["2020-06-30", "2021-06-30"]),
        (pd.date_range("2024-01-05", periods=20, freq="W-FRI"), "W", ["2024-05-24", "2024-05-31"]),
        (pd.date_range("2024-01-05", periods=20, freq="D", tz="Europe/Paris"), "D", ["2024-01-25", "2024-01-26"]),
        (np.arange(100, 120), "QE", [120, 121]),
    ],
)
def test_the_future_is_dated_like_the_past(ds: object, frequency: str, following: list) -> None:
    found = forecast(series(np.arange(len(ds)) + 5.0, ds=ds), 2, frequency)["ds"]
    assert list(found) == (following if isinstance(following[0], int) else list(pd.to_datetime(following)))
