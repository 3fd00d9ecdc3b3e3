"""Methods, intervals, champions, sktime's interface and covariates of the sales forecast."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models_ml.sales_forecast import ForecastInputError, forecast
from models_ml.sales_forecast.backtest import backtest, champions, summary
from models_ml.sales_forecast.covariates import forecast_with_covariates
from models_ml.sales_forecast.intake import read_panel
from models_ml.sales_forecast.methods import METHODS
from models_ml.sales_forecast.points import predict
from models_ml.sales_forecast.sktime_forecaster import PanelForecaster
from models_ml.sales_forecast.stacking import weights
from tests.conftest import real_data


def quarters(count: int, length: int = 41, seed: int = 1, season: float = 20.0) -> pd.DataFrame:
    """Quarterly series with a trend, a season and noise."""
    random = np.random.default_rng(seed)
    step = np.arange(length)
    y = 100 + step + season * np.sin(step * np.pi / 2) + random.normal(0, 3, (count, length))
    names = np.repeat([f"s{number:03d}" for number in range(count)], length)
    return pd.DataFrame({"unique_id": names, "ds": np.tile(step, count), "y": y.ravel()})


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return quarters(3)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "auto_arima"])
def test_every_method_finds_the_season(rows: pd.DataFrame, method: str) -> None:
    found = predict(read_panel(rows, "QE"), 4, METHODS[method])
    truth = 100 + np.arange(41, 45) + 20 * np.sin(np.arange(41, 45) * np.pi / 2)
    naive = np.abs(rows.groupby("unique_id")["y"].last().to_numpy()[:, None] - truth).mean()
    assert found.shape == (3, 4)
    assert np.abs(found - truth).mean() < (1.2 if method == "arima" else 0.6) * naive


def test_a_method_gives_the_same_numbers_twice(rows: pd.DataFrame) -> None:
    panel = read_panel(rows, "QE")
    for name in ("recurrent_network", "neural_network", "xgboost", "stacking"):
        np.testing.assert_array_equal(predict(panel, 2, METHODS[name]), predict(panel, 2, METHODS[name]))


def test_intervals_cover_what_they_say_on_the_backtest() -> None:
    judged = summary(backtest(quarters(80), 4, "QE", ("theta", "seasonal_naive"), origins=1))
    assert judged["covered_80"].between(0.75, 0.85).all()
    assert judged["covered_95"].between(0.92, 0.98).all()


def test_the_champion_is_better_than_seasonal_naive_or_it_serves() -> None:
    seasonal, walk = quarters(6), quarters(6, season=0)
    walk["y"] = np.random.default_rng(3).normal(0, 1, len(walk))
    walk["y"] = walk.groupby("unique_id")["y"].cumsum() + 500
    walk["unique_id"] = "w" + walk["unique_id"]
    both = pd.concat([seasonal, walk])
    groups = {name: name[0] for name in both["unique_id"].unique()}
    judged = summary(backtest(both, 4, "QE", ("theta", "holt_winters", "seasonal_naive"), origins=2), groups)
    chosen = champions(judged)
    assert set(chosen["group"]) == {"s", "w"}
    assert (chosen["mase"] <= chosen["baseline_mase"]).all()
    smallest = judged.loc[judged.groupby("group")["mase"].idxmin()].set_index("group")["method"]
    assert chosen.set_index("group")["method"].to_dict() == smallest.to_dict()
    hopeless = judged.assign(mase=np.where(judged["method"] == "seasonal_naive", 0.1, judged["mase"]))
    assert (champions(hopeless)["method"] == "seasonal_naive").all()


def test_a_backtest_never_reads_what_came_later() -> None:
    rows = quarters(4)
    changed = rows.assign(y=np.where(rows["ds"] >= 37, rows["y"] * 10, rows["y"]))
    one, other = (backtest(frame, 4, "QE", ("theta",), origins=1) for frame in (rows, changed))
    pd.testing.assert_frame_equal(one.drop(columns="y"), other.drop(columns="y"))
    assert (other["y"] > one["y"]).all()


def test_stacking_weights_are_shares(rows: pd.DataFrame) -> None:
    found = weights(read_panel(rows, "QE"), 4)
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1)
    too_short = read_panel(rows[rows["ds"] < 10], "QE")
    assert list(weights(too_short, 4)) == [0.25] * 4


def test_sktime_gets_what_the_function_gives(rows: pd.DataFrame) -> None:
    dated = rows.assign(ds=pd.PeriodIndex(pd.Period("2010Q1", "Q") + rows["ds"].to_numpy()))
    y = dated.set_index(["unique_id", "ds"])
    plain = forecast(rows, 5, "QE")
    forecaster = PanelForecaster("ensemble", "QE").fit(y, fh=[1, 2, 5])
    wanted = plain[plain.groupby("unique_id").cumcount().isin([0, 1, 4])]
    np.testing.assert_allclose(forecaster.predict()["y"], wanted["forecast"])
    assert forecaster.predict().index.get_level_values(-1)[0] == pd.Period("2020Q2")
    intervals = forecaster.predict_interval(coverage=[0.8])
    np.testing.assert_allclose(intervals[("y", 0.8, "lower")], wanted["lo80"])


def test_sktime_takes_one_series_and_hierarchies_and_series_that_end_early(rows: pd.DataFrame) -> None:
    single = rows[rows["unique_id"] == "s000"].set_index("ds")["y"]
    alone = PanelForecaster("theta", "QE").fit(single, fh=[1, 2]).predict()
    assert list(alone.index) == [41, 42]
    hierarchy = rows.assign(region=np.where(rows["unique_id"] == "s000", "north", "south"))
    found = PanelForecaster("theta", "QE").fit(hierarchy.set_index(["region", "unique_id", "ds"]), fh=[1]).predict()
    assert found.loc[("north", "s000", 41), "y"] == pytest.approx(alone.iloc[0])
    early = rows[(rows["unique_id"] != "s000") | (rows["ds"] < 39)].set_index(["unique_id", "ds"])
    ended = PanelForecaster("seasonal_naive", "QE").fit(early, fh=[1]).predict()
    assert ended.loc[("s000", 41), "y"] == single[37]
    with pytest.raises(ForecastInputError, match="none of ensemble"):
        PanelForecaster("crystal_ball", "QE").fit(single)


def promoted(effect: float, length: int = 80, count: int = 30) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Daily series whose sales rise by `effect` on days with a promotion, and the promotions with 14 days to come."""
    random = np.random.default_rng(11)
    days = pd.date_range("2026-01-05", periods=length + 14)
    known = pd.DataFrame(
        {"unique_id": np.repeat([f"p{i:02d}" for i in range(count)], len(days)), "ds": np.tile(days, count)}
    )
    known["promotion"] = random.integers(0, 5, len(known)) == 0
    y = 50 + 10 * (known["ds"].dt.dayofweek == 5) + effect * known["promotion"] + random.normal(0, 2, len(known))
    return known[["unique_id", "ds"]].assign(y=y), known.assign(promotion=known["promotion"].astype(int))


def test_known_promotions_are_used_where_they_matter() -> None:
    sales, known = promoted(effect=60.0)
    past = sales[sales["ds"] < sales["ds"].max() - pd.Timedelta(days=13)]
    found = forecast_with_covariates(past, known, 14, "D").merge(sales, on=["unique_id", "ds"])
    assert (found["method"] == "trees").all()
    plain = forecast(past, 14, "D").merge(sales, on=["unique_id", "ds"])
    error, plain_error = ((frame["y"] - frame["forecast"]).abs().mean() for frame in (found, plain))
    assert error < 0.5 * plain_error


def test_bad_covariates_are_said_and_a_series_without_values_has_its_group_mean() -> None:
    sales, known = promoted(effect=60.0, length=60, count=4)
    past = sales[sales["ds"] < sales["ds"].max() - pd.Timedelta(days=13)]
    with pytest.raises(ForecastInputError, match="covariates are numbers; promotion"):
        forecast_with_covariates(past, known.assign(promotion="yes"), 14, "D")
    with pytest.raises(ForecastInputError, match="needs unique_id, ds"):
        forecast_with_covariates(past, known.drop(columns="ds"), 14, "D")
    silent = past.assign(y=past["y"].where(past["unique_id"] != "p03"))
    found = forecast_with_covariates(silent, known, 14, "D")
    assert found["forecast"].notna().all()
    assert set(found.loc[found["unique_id"] == "p03", "method"]) == {"group_mean"}


@pytest.mark.real_data
def test_yearly_competition_series_are_forecast_better_than_by_seasonal_naive() -> None:
    folder = real_data("m1")
    rows = pd.read_parquet(folder / "m1.parquet").rename(columns={"series": "unique_id", "t": "ds", "value": "y"})
    yearly = rows[(rows["part"] == "train") & rows["unique_id"].str.startswith("Y")]
    judged = summary(backtest(yearly[["unique_id", "ds", "y"]], 6, "YE", origins=1)).set_index("method")
    assert judged.loc["ensemble", "mase"] < 0.8 * judged.loc["seasonal_naive", "mase"]
    assert 0.75 <= judged.loc["ensemble", "covered_80"] <= 0.9
