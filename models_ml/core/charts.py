"""Pictures for the model card: PNG bytes, drawn without any global state."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models_ml.core.metrics import calibration_table

MODEL_COLOUR, BASELINE_COLOUR, NEUTRAL = "#1f6f8b", "#e07b39", "#888888"


def calibration_chart(model: np.ndarray, baseline: np.ndarray, label: np.ndarray) -> bytes:
    """Draw predicted against observed rates over ten bins, for (n,) probabilities of model and baseline."""
    figure, axes = _canvas("Calibration on the holdout", "predicted probability", "observed rate")
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=1, linestyle=":", label="perfect")
    for name, probability, colour in (("model", model, MODEL_COLOUR), ("baseline", baseline, BASELINE_COLOUR)):
        table = calibration_table(probability, label)
        axes.plot(table["predicted"], table["observed"], marker="o", markersize=4, color=colour, label=name)
    return _png(figure, axes)


def lift_chart(model: np.ndarray, baseline: np.ndarray, label: np.ndarray) -> bytes:
    """Draw the share of all buyers found among the most likely share of customers."""
    figure, axes = _canvas("Buyers found on the holdout", "share of customers contacted", "share of buyers among them")
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=1, linestyle=":", label="at random")
    contacted = np.arange(1, len(label) + 1) / len(label)
    for name, probability, colour in (("model", model, MODEL_COLOUR), ("baseline", baseline, BASELINE_COLOUR)):
        found = np.cumsum(label[np.argsort(-probability, kind="stable")]) / max(label.sum(), 1)
        axes.plot(contacted, found, color=colour, label=name)
    return _png(figure, axes)


def curve_chart(title: str, x_label: str, y_label: str, curves: dict[str, np.ndarray]) -> bytes:
    """Draw (n,) values of model and baseline over 1, 2, ... n."""
    figure, axes = _canvas(title, x_label, y_label)
    for (name, values), colour in zip(curves.items(), (MODEL_COLOUR, BASELINE_COLOUR), strict=False):
        axes.plot(np.arange(1, len(values) + 1), values, marker="o", markersize=4, color=colour, label=name)
    axes.set(xlim=(1, max(map(len, curves.values()))), ylim=(0, None))
    return _png(figure, axes)


def group_chart(title: str, x_label: str, y_label: str, groups: Sequence[str], values: dict[str, np.ndarray]) -> bytes:
    """Draw (n,) values of model, baseline and what was actual, side by side for each of the n `groups`."""
    figure, axes = _canvas(title, x_label, y_label)
    colours = {"model": MODEL_COLOUR, "baseline": BASELINE_COLOUR, "actual": NEUTRAL}
    width, places = 0.8 / len(values), np.arange(len(groups))
    for number, (name, heights) in enumerate(values.items()):
        offset = (number - (len(values) - 1) / 2) * width
        axes.bar(places + offset, heights, width, color=colours[name], label=name)
    axes.set(xlim=(-0.5, len(groups) - 0.5), ylim=(0, None))
    axes.set_xticks(places, groups)
    return _png(figure, axes)


def _canvas(title: str, horizontal: str, vertical: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=horizontal, ylabel=vertical, xlim=(0, 1), ylim=(0, 1))
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _png(figure: Figure, axes: Axes) -> bytes:
    axes.legend(frameon=False)
    stream = io.BytesIO()
    # without its own date and version in the file, the same numbers give the same bytes
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    return stream.getvalue()
