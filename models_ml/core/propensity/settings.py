"""What a propensity model says of itself in its ``config`` module, and what most of them share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import pandas as pd

# Shallow and slow: few thousand rows with noisy labels. Row and column sampling and 20 customers' worth of weight in a
# leaf kept validation log loss flat on retail, grocery and apparel data alike; depth stays at 3 for exact contributions.
TREE_PARAMETERS = {"min_child_weight": 20, "subsample": 0.7, "colsample_bytree": 0.7, "reg_lambda": 5.0}
# Tried on validation cut-offs inside the training window: slow for thousands of rows, faster for millions.
LEARNING_RATES = (0.025, 0.06)
TREE_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
VALIDATION_CUTOFFS = 3
# Where the level of the probabilities comes from (`tuning.LEVEL_RULES`): the lowest mean Brier score over 48 pseudo-tests
# inside training windows (benchmarks/calibration_level.py; docs/models.md has the figures).
LEVEL = "all_cutoffs"
# Choosing between a few settings needs no more rows than this.
MAX_TUNING_ROWS = 200_000
SEED = 20_260_101


class Fitter(Protocol):
    """A way to fit a simple model, as a baseline or where data are thin (see `baselines`)."""

    def fit(
        self, rows: pd.DataFrame, settings: Settings, excluded: frozenset[str], facts: dict[str, Any], threads: int
    ) -> Any:
        """Return the model fitted on `rows`; `facts` are written into it."""


class Settings(Protocol):
    """The constants of a model's ``config`` module (the module itself is handed around).

    Attributes
    ----------
    LABEL, POPULATION, ENTITY, CUTOFF : str
        Columns: what is predicted (0 or 1), whether the row belongs, whose row it is, and its day.
    FEATURES : tuple of str
        What the model may read.
    LINEAR_FEATURES : tuple of str
        What the regression in the blend reads of them.
    DIRECTIONS : mapping
        By feature, 1 where more of it may only raise the probability, -1 where it may only lower it.
    SLICES : tuple of str
        Columns by which the model is judged, never fitted.
    SIZE_COLUMN : str
        By whose thirds it is judged, too.
    BASELINE : Fitter
        What the model has to beat.
    LADDER : mapping
        For each lower rung of thin data, what is fitted and what that has to beat.
    POSITIVE : str
        What happens, in the past tense, as in "the share of all customers who bought".
    """

    @property
    def LABEL(self) -> str: ...  # noqa: N802
    @property
    def POPULATION(self) -> str: ...  # noqa: N802
    @property
    def ENTITY(self) -> str: ...  # noqa: N802
    @property
    def CUTOFF(self) -> str: ...  # noqa: N802
    @property
    def PRIMARY_METRIC(self) -> str: ...  # noqa: N802
    @property
    def FEATURES(self) -> tuple[str, ...]: ...  # noqa: N802
    @property
    def LINEAR_FEATURES(self) -> tuple[str, ...]: ...  # noqa: N802
    @property
    def DIRECTIONS(self) -> Mapping[str, int]: ...  # noqa: N802
    @property
    def SLICES(self) -> tuple[str, ...]: ...  # noqa: N802
    @property
    def SIZE_COLUMN(self) -> str: ...  # noqa: N802
    @property
    def BASELINE(self) -> Fitter: ...  # noqa: N802
    @property
    def LADDER(self) -> Mapping[str, tuple[Fitter, Fitter]]: ...  # noqa: N802
    @property
    def POSITIVE(self) -> str: ...  # noqa: N802
